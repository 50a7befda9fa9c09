//! `mms migrate`

use mms_engine::{EngineError, Start};
use mms_model::{
    AttendeeChoice, Code, MeetingOutcome, MeetingRecord, MigrationRequest, MigrationType, SourceMeetingType,
    State, TargetMeetingType, User,
};

use super::{history, preview, status};
use crate::context::{Context, administrator};
use crate::failure::{Exit, Failure};
use crate::output::{Format, tell};
use crate::progress::Progress;
use crate::users::Choice;
use crate::wiring::{self, Installation, engine_failure};

/// Arguments of `mms migrate`.
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
    /// Who is told: all, external or none [default: as configured].
    #[arg(long, value_name = "WHO", value_parser = attendee_choice)]
    pub notify: Option<AttendeeChoice>,
    /// Show what would be done, and do nothing.
    #[arg(long)]
    pub preview: bool,
}

/// `all`, `external` or `none`.
pub fn attendee_choice(text: &str) -> Result<AttendeeChoice, String> {
    match text.to_ascii_lowercase().as_str() {
        "all" => Ok(AttendeeChoice::All),
        "external" => Ok(AttendeeChoice::External),
        "none" => Ok(AttendeeChoice::None),
        _ => Err("use all, external or none".to_owned()),
    }
}

/// Migrates now, in this process, and shows what came of it.
///
/// # Errors
/// Some meeting or user failed, or the migration could not begin.
pub async fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    if arguments.preview {
        let Arguments { users, from, to, .. } = arguments;
        let preview =
            preview::Arguments { users: users.clone(), from: from.clone(), to: to.clone(), diff: false };
        return preview::run(context, &preview).await;
    }
    let mut config = context.config()?;
    if let Some(notify) = arguments.notify {
        config.engine.notify = notify;
    }
    let installation = wiring::open(config).await?;
    let migration = installation.migration(&arguments.from, &arguments.to)?;
    let users = arguments.users.resolve(installation.directory.as_ref()).await?;
    let requests = migrate(&installation, users, &migration).await?;
    for request in &requests {
        report_problems(&installation, request).await?;
    }
    let many = requests.len() > MOST_RECORDS && context.output.format().is_none();
    if many {
        context.output.print(&status::summary_rows(&status::summarise(&requests)), Format::Table, "")?;
    } else {
        context.output.print(&status::record_rows(&requests), Format::List, "there was nobody to migrate")?;
    }
    ended(&requests)
}

/// Where there are more records than that, their summary is shown.
const MOST_RECORDS: usize = 5;

/// Migrates users one after the other; what each request came to, in their order. A user whose request another process
/// has in progress is said and passed over.
///
/// # Errors
/// The store fails.
pub async fn migrate(
    installation: &Installation,
    users: Vec<User>,
    migration: &MigrationType,
) -> Result<Vec<MigrationRequest>, Failure> {
    let mut progress = Progress::new(users.len() as u64, "users");
    let mut requests = Vec::with_capacity(users.len());
    for user in users {
        progress.note(&user.upn);
        let upn = user.upn.clone();
        let start = Start::manual(user, migration.clone(), administrator()).at_once();
        // A manual start is answered with a request; only automatic ones may come to nothing.
        let Some(enqueued) = installation.engine.start(start).await.map_err(engine_failure)? else {
            continue;
        };
        let id = enqueued.request().id;
        let ran = installation.engine.run_now(id, &|now| progress.note(&working(&upn, &now))).await;
        let request = match ran {
            Err(error @ EngineError::NotAvailable(..)) => {
                let request = installation.engine.request(id).await.map_err(engine_failure)?;
                if !request.state.is_final() {
                    tell(&format!("{upn}: {error}"));
                }
                request
            }
            ran => ran.map_err(engine_failure)?,
        };
        progress.advance(&format!("{upn} {}", outcome(&request)));
        requests.push(request);
    }
    progress.finish();
    Ok(requests)
}

fn working(upn: &str, now: &mms_engine::Progress) -> String {
    format!(
        "{upn}: {} events seen, {} meetings moved, {} failed",
        now.seen, now.counts.succeeded, now.counts.failed
    )
}

fn outcome(request: &MigrationRequest) -> String {
    let counts = request.counts;
    format!("{}: {} of {} meetings, {} failed", request.state, counts.succeeded, counts.total, counts.failed)
}

/// A line on stderr for each meeting that did not move.
async fn report_problems(installation: &Installation, request: &MigrationRequest) -> Result<(), Failure> {
    if request.counts.failed == 0 {
        return Ok(());
    }
    for record in history::meetings(installation.store.as_ref(), request.id).await? {
        if is_problem(&record) {
            tell(&format!("{}: \"{}\": {}", request.user.upn, record.title(), history::reason(&record)));
        }
    }
    Ok(())
}

/// Whether a meeting is not where it belongs.
pub fn is_problem(record: &MeetingRecord) -> bool {
    matches!(record.outcome, MeetingOutcome::Failed | MeetingOutcome::WillRetry)
}

fn ended(requests: &[MigrationRequest]) -> Result<(), Failure> {
    let failed = requests.iter().filter(|request| request.state == State::Failed).count();
    let waiting = requests.iter().filter(|request| !request.state.is_final()).count();
    if failed == 0 && waiting == 0 {
        return Ok(());
    }
    let mut parts = Vec::new();
    if failed > 0 {
        parts.push(format!("{failed} failed: `mms history IDENTITY` says why for each meeting"));
    }
    if waiting > 0 {
        parts.push(format!("{waiting} wait for another try: run this again later, or `mms serve`"));
    }
    let message = format!("of {} migrations {}", requests.len(), parts.join("; "));
    let mut unsuccessful = requests.iter().filter(|request| request.state != State::Succeeded);
    let exit = if unsuccessful.all(was_unreachable) { Exit::Unreachable } else { Exit::Failed };
    Err(Failure { exit, message })
}

/// Whether a request could not go on because a server did not answer.
fn was_unreachable(request: &MigrationRequest) -> bool {
    let code = request.last_message.split(':').next().and_then(|code| code.parse().ok());
    matches!(code, Some(Code::CalendarUnreachable | Code::MailUnreachable))
}
