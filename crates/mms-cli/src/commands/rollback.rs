//! `mms rollback`

use mms_engine::{Rollback, RollbackSelection, RolledBack};
use mms_model::port::{JournalState, RequestFilter};
use mms_model::{EventId, Identity, MigrationRequest, RequestId, State, meeting_title};
use uuid::Uuid;

use crate::context::{Context, administrator};
use crate::failure::Failure;
use crate::output::{Format, Rows, Value, tell};
use crate::wiring::{self, Installation, engine_failure};

/// Arguments of `mms rollback`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The user whose newest migration is taken back.
    #[arg(value_name = "IDENTITY", required_unless_present = "correlation_id")]
    pub identity: Option<Identity>,
    /// The migration with this CorrelationId.
    #[arg(long, value_name = "GUID")]
    pub correlation_id: Option<Uuid>,
    /// Only the meeting with this iCalendar UID.
    #[arg(long, value_name = "UID")]
    pub event: Option<String>,
}

/// Puts back what the migration changed, and keeps what was edited since.
///
/// # Errors
/// Nothing was ever changed, or some meeting could not be put back. That it is put back already is no error.
pub async fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let installation = wiring::open(context.config()?).await?;
    let request = match find(&installation, arguments).await? {
        Found::ToTakeBack(request) => request,
        Found::TakenBack(request) => {
            tell(&format!("migration {} is rolled back already: nothing was done", request.id));
            return show(context, &request, &Rollback::default());
        }
    };
    let selection = match &arguments.event {
        Some(uid) => RollbackSelection::Events(vec![event_of(&installation, request.id, uid).await?]),
        None => RollbackSelection::All,
    };
    let by = administrator();
    let done = installation.engine.rollback(request.id, &selection, &by).await.map_err(engine_failure)?;
    for RolledBack { event, subject, problem, .. } in &done.problems {
        if let Some((code, message)) = problem {
            tell(&format!("\"{}\": {code}: {message}", meeting_title(subject, event)));
        }
    }
    if done == Rollback::default() {
        tell("what was asked for is rolled back already, or was never migrated: nothing was done");
    }
    show(context, &request, &done)?;
    if done.failed > 0 {
        return Err(Failure::failed(format!(
            "{} of {} meetings were not put back",
            done.failed,
            done.restored + done.failed
        )));
    }
    Ok(())
}

fn show(context: &Context, request: &MigrationRequest, done: &Rollback) -> Result<(), Failure> {
    let mut rows = Rows::new(&["CorrelationId", "UserPrincipalName", "Restored", "Failed"]);
    rows.push(vec![
        Value::text(request.id.to_string()),
        Value::text(request.user.upn.clone()),
        Value::Number(done.restored),
        Value::Number(done.failed),
    ]);
    context.output.print(&rows, Format::List, "")
}

/// The migration that is meant.
enum Found {
    /// The newest with something to take back.
    ToTakeBack(MigrationRequest),
    /// There is none; the newest that was taken back.
    TakenBack(MigrationRequest),
}

async fn find(installation: &Installation, arguments: &Arguments) -> Result<Found, Failure> {
    let mut filter =
        RequestFilter { id: arguments.correlation_id.map(RequestId), ..RequestFilter::default() };
    if let Some(identity) = &arguments.identity {
        filter.user = Some(installation.directory.resolve(identity).await?.id);
    }
    let requests = installation.store.list(&filter).await.map_err(wiring::store_failure)?;
    for request in requests.iter().filter(|request| request.state == State::InProgress) {
        // One whose process was killed can be taken back; one that somebody works on cannot.
        if installation.engine.cancel(request.id, &administrator()).await.is_err() {
            return Err(Failure::failed(
                "a migration of this user is in progress: wait for its end, then run this again",
            ));
        }
    }
    // A run that found everything in place has nothing to take back; the one before it has.
    use JournalState::{Closed, Partly, Planned, RolledBack, Undoing, Undone, Written};
    if let Some(request) =
        with_entries(installation, &requests, &[Planned, Written, Partly, Closed, Undoing, Undone]).await?
    {
        return Ok(Found::ToTakeBack(request));
    }
    if let Some(request) = with_entries(installation, &requests, &[RolledBack]).await? {
        return Ok(Found::TakenBack(request));
    }
    Err(match requests.is_empty() {
        true => Failure::not_found("no such migration: `mms status` lists them"),
        false => Failure::not_found(
            "no migration has anything to take back: it changed nothing, or its originals are past retention",
        ),
    })
}

/// The first of `requests` whose journal has an entry in one of `states`.
async fn with_entries(
    installation: &Installation,
    requests: &[MigrationRequest],
    states: &[JournalState],
) -> Result<Option<MigrationRequest>, Failure> {
    for request in requests {
        let entries = installation.store.journalled(request.id, states, None, 1).await;
        if !entries.map_err(wiring::store_failure)?.is_empty() {
            return Ok(Some(request.clone()));
        }
    }
    Ok(None)
}

async fn event_of(installation: &Installation, id: RequestId, uid: &str) -> Result<EventId, Failure> {
    super::history::meetings(installation.store.as_ref(), id)
        .await?
        .into_iter()
        .find(|record| record.uid == uid)
        .map(|record| record.event)
        .ok_or_else(|| {
            Failure::not_found(format!(
                "migration {id} has no meeting with the UID \"{uid}\": `mms history` lists them"
            ))
        })
}
