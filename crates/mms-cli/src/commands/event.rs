//! `mms event`, `Grant-CsTeamsUpgradePolicy`

use mms_engine::{Event, EventDetails, Happened};
use mms_model::Identity;
use mms_model::port::Enqueued;

use crate::context::{Context, administrator};
use crate::daemon;
use crate::failure::Failure;
use crate::output::{Format, Rows, Value, tell};
use crate::wiring::{self, engine_failure};

/// Arguments of `mms event`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What happened.
    #[arg(value_name = "EVENT", value_parser = clap::builder::PossibleValuesParser::new(Event::NAMES), ignore_case = true)]
    pub event: String,
    /// To whom.
    #[arg(value_name = "IDENTITY")]
    pub identity: Identity,
    /// The upgrade policy that was granted.
    #[arg(long, value_name = "POLICY")]
    pub policy: Option<String>,
    /// Whether meetings are to go along with the policy.
    #[arg(long, value_name = "BOOLEAN")]
    pub migrate_meetings_to_teams: Option<bool>,
    /// Another provider than Microsoft serves the user's audio conferencing.
    #[arg(long)]
    pub third_party_provider: bool,
}

/// Does what follows from something that happened to a user.
///
/// # Errors
/// The user is unknown, what is said does not fit the event, or the platform to go to is not configured.
pub async fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let details = EventDetails {
        policy: arguments.policy.as_deref(),
        migrate: arguments.migrate_meetings_to_teams,
        third_party: arguments.third_party_provider.then_some(true),
    };
    let event = Event::named(&arguments.event, details).map_err(Failure::usage)?;
    let installation = wiring::open(context.config()?).await?;
    let user = installation.directory.resolve(&arguments.identity).await?;
    let upn = user.upn.clone();
    let happened =
        installation.engine.happened(user, event, &administrator()).await.map_err(engine_failure)?;
    let (outcome, request, reason) = match happened {
        Happened::Asked(enqueued) => {
            let outcome = if matches!(enqueued, Enqueued::New(_)) { "Started" } else { "Joined" };
            (outcome, Some(enqueued.request().clone()), String::new())
        }
        Happened::Refused(request) => {
            let reason = request.last_message.clone();
            ("Refused", Some(request), reason)
        }
        Happened::Nothing(why) => ("Nothing", None, why.to_owned()),
    };
    let mut rows = Rows::new(&["UserPrincipalName", "Outcome", "CorrelationId", "MigrationType", "Reason"]);
    rows.push(vec![
        Value::text(upn),
        Value::text(outcome),
        Value::optional(request.as_ref().map(|request| request.id.to_string())),
        Value::optional(request.as_ref().map(|request| request.migration.to_string())),
        Value::text(reason),
    ]);
    context.output.print(&rows, Format::List, "")?;
    if outcome != "Nothing" && outcome != "Refused" && !daemon::is_running(&installation.config.socket_path())
    {
        tell("no daemon runs, so this migration waits: start it with `mms serve`");
    }
    Ok(())
}
