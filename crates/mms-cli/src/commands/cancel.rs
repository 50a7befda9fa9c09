//! `mms cancel`

use mms_engine::EngineError;
use mms_model::port::RequestFilter;
use mms_model::{Identity, RequestId, State};
use uuid::Uuid;

use crate::context::{Context, administrator};
use crate::failure::Failure;
use crate::output::{Format, Rows, Value};
use crate::wiring::{self, engine_failure};

/// Arguments of `mms cancel`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The user whose waiting migration is cancelled.
    #[arg(value_name = "IDENTITY", required_unless_present = "correlation_id")]
    pub identity: Option<Identity>,
    /// The migration with this CorrelationId.
    #[arg(long, value_name = "GUID", conflicts_with = "identity")]
    pub correlation_id: Option<Uuid>,
}

/// Cancels what waits. A migration that is in progress or has ended is left as it is.
///
/// # Errors
/// Nothing waits, or the store fails.
pub async fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let installation = wiring::open(context.config()?).await?;
    let by = administrator();
    let mut filter =
        RequestFilter { id: arguments.correlation_id.map(RequestId), ..RequestFilter::default() };
    if let Some(identity) = &arguments.identity {
        filter.user = Some(installation.directory.resolve(identity).await?.id);
    }
    let requests = installation.store.list(&filter).await.map_err(wiring::store_failure)?;
    if requests.is_empty() {
        return Err(Failure::not_found("no such migration: `mms status` lists them"));
    }
    let mut cancelled = Rows::new(&["CorrelationId", "UserPrincipalName", "State"]);
    for request in requests.iter().filter(|request| request.state == State::Pending) {
        // It may begin between the look and the cancelling; then there is nothing to cancel.
        match installation.engine.cancel(request.id, &by).await {
            Ok(now) => cancelled.push(vec![
                Value::text(now.id.to_string()),
                Value::text(now.user.upn),
                Value::text(now.state.name()),
            ]),
            Err(EngineError::NotAvailable(..)) => {}
            Err(error) => return Err(engine_failure(error)),
        }
    }
    if cancelled.is_empty() {
        return Err(Failure::not_found(
            "no such migration waits: one in progress goes on to its end, one that ended can be taken back with `mms rollback`",
        ));
    }
    context.output.print(&cancelled, Format::List, "")
}
