//! `mms preview`, `Start-CsExMeetingMigration -WhatIf`

use std::fmt::Write as _;

use mms_engine::{EngineError, Previewed};
use mms_model::{InstanceId, MeetingOutcome, PartChange, SourceMeetingType, TargetMeetingType};

use super::history::reason;
use crate::context::Context;
use crate::diff;
use crate::failure::{Exit, Failure};
use crate::output::{Format, Rows, Style, Value, is_closed, one_line, print_text, tell};
use crate::users::Choice;
use crate::wiring::{self, engine_failure};

/// Arguments of `mms preview`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Whose meetings.
    #[command(flatten)]
    pub users: Choice,
    /// Which meetings: All, SfB, Teams, Zoom, Webex …
    #[arg(long, value_name = "SOURCE", default_value_t)]
    pub from: SourceMeetingType,
    /// Where to: Current (refreshes each meeting where it is) or a configured platform.
    #[arg(long, value_name = "TARGET", default_value_t)]
    pub to: TargetMeetingType,
    /// Show the changed lines of each invite, before and after.
    #[arg(long)]
    pub diff: bool,
}

/// Shows the plan of each meeting. Nothing is written anywhere. A user whose calendar cannot be read is shown as
/// that, and the others all the same.
///
/// # Errors
/// A user is unknown, the target is not configured, or some calendar cannot be read.
pub async fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let installation = wiring::open(context.config()?).await?;
    let migration = installation.migration(&arguments.from, &arguments.to)?;
    let users = arguments.users.resolve(installation.directory.as_ref()).await?;
    let mut rows = Rows::new(&[
        "UserPrincipalName",
        "Subject",
        "Uid",
        "Outcome",
        "Platform",
        "OldJoinUrl",
        "NewJoinUrl",
        "Message",
        "Changes",
    ]);
    let format = context.output.format().unwrap_or(Format::List);
    let shows_diff = arguments.diff && context.output.format().is_none();
    let mut passed_over = 0;
    let mut failures = Vec::new();
    for user in &users {
        let mut planned = Vec::new();
        let mut take = |one| planned.push(one);
        let failure = match installation.engine.preview(user, &migration, &mut take).await {
            Ok(ended) => {
                passed_over += ended;
                None
            }
            // The user's; others may have another calendar.
            Err(error @ EngineError::Port(_)) => Some(engine_failure(error)),
            Err(error) => return Err(engine_failure(error)),
        };
        for planned in &planned {
            if is_closed() {
                return Ok(());
            }
            if shows_diff {
                print_text(&with_diff(&user.upn, planned, context.output.style()))?;
            }
            rows.push(row(&user.upn, planned, format));
        }
        if let Some(failure) = failure {
            if shows_diff {
                let heading = format!("{}: {WOULD_FAIL}", one_line(&user.upn));
                let heading = context.output.style().heading(&heading);
                print_text(&format!("{heading}\n  {}\n\n", one_line(&failure.message)))?;
            }
            rows.push(failed_row(&user.upn, &failure, format));
            if users.len() > 1 {
                tell(&format!("{}: {}", user.upn, failure.message));
            }
            failures.push(failure);
        }
    }
    if !shows_diff || rows.is_empty() {
        context.output.print(&rows, Format::List, "no meetings to come were found")?;
    }
    match passed_over {
        0 => {}
        1 => tell("1 meeting that has ended was left alone"),
        several => tell(&format!("{several} meetings that have ended were left alone")),
    }
    ended(failures, users.len())
}

/// How the command ends: with the failure of the only user, or with how many failed.
fn ended(mut failures: Vec<Failure>, users: usize) -> Result<(), Failure> {
    let Some(last) = failures.pop() else { return Ok(()) };
    if users == 1 {
        return Err(last);
    }
    let exit = if failures.iter().all(|other| other.exit == last.exit) { last.exit } else { Exit::Failed };
    let message = format!("of {users} users {} cannot be previewed", failures.len() + 1);
    Err(Failure { exit, message })
}

/// What would become of what cannot be migrated.
const WOULD_FAIL: &str = "WouldFail";

/// What would become of a meeting, in the words of a plan.
fn outcome(planned: &Previewed) -> &'static str {
    match planned.record.outcome {
        MeetingOutcome::Migrated => "WouldMigrate",
        MeetingOutcome::WillRetry | MeetingOutcome::Failed => WOULD_FAIL,
        other => other.name(),
    }
}

/// The row of a meeting. What changes is shown as lines in a list, as the names of the parts in a cell, and
/// to programs as whole texts.
fn row(upn: &str, planned: &Previewed, format: Format) -> Vec<Value> {
    let record = &planned.record;
    vec![
        Value::text(upn),
        Value::text(record.subject.clone()),
        Value::text(record.uid.clone()),
        Value::text(outcome(planned)),
        Value::optional(record.platform.clone()),
        Value::optional(record.old_url.clone()),
        Value::optional(record.new_url.clone()),
        Value::text(reason(record)),
        match format {
            Format::List => Value::text(changes(&planned.changes, Style::plain())),
            Format::Table | Format::Csv => {
                let mut parts: Vec<&str> =
                    planned.changes.iter().map(|change| change.part.as_str()).collect();
                parts.sort_unstable();
                parts.dedup();
                Value::text(parts.join(", "))
            }
            Format::Json | Format::Jsonl => Value::List(planned.changes.iter().map(change).collect()),
        },
    ]
}

/// The row of a user whose calendar cannot be read.
fn failed_row(upn: &str, failure: &Failure, format: Format) -> Vec<Value> {
    vec![
        Value::text(upn),
        Value::Null,
        Value::Null,
        Value::text(WOULD_FAIL),
        Value::Null,
        Value::Null,
        Value::Null,
        Value::text(failure.message.clone()),
        match format {
            Format::List | Format::Table | Format::Csv => Value::Null,
            Format::Json | Format::Jsonl => Value::List(Vec::new()),
        },
    ]
}

fn change(change: &PartChange) -> Value {
    Value::Object(vec![
        ("Instance", Value::text(instance(&change.instance))),
        ("Part", Value::text(change.part.clone())),
        ("Before", Value::text(change.before.clone())),
        ("After", Value::text(change.after.clone())),
    ])
}

/// The name of a component.
fn instance(id: &InstanceId) -> &str {
    match id {
        InstanceId::Master => "Master",
        InstanceId::Exception(id) => id,
    }
}

/// A plan in words, and the lines that it changes.
pub fn with_diff(upn: &str, planned: &Previewed, style: Style) -> String {
    let record = &planned.record;
    let heading = format!("{}: {}: {}", one_line(upn), one_line(&record.title()), outcome(planned));
    let mut text = format!("{}\n", style.heading(&heading));
    let reason = reason(record);
    if !reason.is_empty() {
        let _ = writeln!(text, "  {}", one_line(&reason));
    }
    text.push_str(&changes(&planned.changes, style));
    text.push('\n');
    text
}

/// The changed lines of every part.
pub fn changes(changes: &[PartChange], style: Style) -> String {
    let mut text = String::new();
    for change in changes {
        let lines = diff::lines(&change.before, &change.after, style);
        if !lines.is_empty() {
            let _ = match &change.instance {
                InstanceId::Master => write!(text, "  {}\n{lines}", change.part),
                InstanceId::Exception(id) => {
                    write!(text, "  {} (exception {})\n{lines}", change.part, one_line(id))
                }
            };
        }
    }
    text
}
