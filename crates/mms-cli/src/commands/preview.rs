//! `mms preview`, `Start-CsExMeetingMigration -WhatIf`

use std::fmt::Write as _;

use mms_engine::Previewed;
use mms_model::{InstanceId, MeetingOutcome, PartChange, SourceMeetingType, TargetMeetingType};

use super::history::reason;
use crate::context::Context;
use crate::diff;
use crate::failure::Failure;
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

/// Shows the plan of each meeting. Nothing is written anywhere.
///
/// # Errors
/// A user is unknown, the target is not configured, or a calendar cannot be read.
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
    for user in &users {
        let mut planned = Vec::new();
        let mut take = |one| planned.push(one);
        passed_over +=
            installation.engine.preview(user, &migration, &mut take).await.map_err(engine_failure)?;
        for planned in &planned {
            if is_closed() {
                return Ok(());
            }
            if shows_diff {
                print_text(&with_diff(&user.upn, planned, context.output.style()))?;
            }
            rows.push(row(&user.upn, planned, format));
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
    Ok(())
}

/// What would become of a meeting, in the words of a plan.
fn outcome(planned: &Previewed) -> &'static str {
    match planned.record.outcome {
        MeetingOutcome::Migrated => "WouldMigrate",
        MeetingOutcome::WillRetry | MeetingOutcome::Failed => "WouldFail",
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
