//! `/api/v1/events`

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use mms_engine::{Event, EventDetails, Happened};
use mms_model::port::Enqueued;
use mms_model::{Identity, Role};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::requests::parsed;
use super::{Api, body};
use crate::Problem;
use crate::access::Caller;

/// Something that happened to a user, in the words of [`EventDetails`].
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct EventBody {
    event: String,
    identity: String,
    policy_name: Option<String>,
    migrate_meetings_to_teams: Option<bool>,
    third_party_provider: Option<bool>,
}

impl EventBody {
    fn event(&self) -> Result<Event, Problem> {
        let details = EventDetails {
            policy: self.policy_name.as_deref(),
            migrate: self.migrate_meetings_to_teams,
            third_party: self.third_party_provider,
        };
        Event::named(&self.event, details).map_err(Problem::bad_request)
    }
}

/// What came of the event.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Outcome {
    /// `Started`, `Joined`, `Refused` or `Nothing`.
    outcome: &'static str,
    /// Of the migration; none where nothing follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<Uuid>,
    /// Of the migration, after what joined.
    #[serde(skip_serializing_if = "Option::is_none")]
    migration_type: Option<String>,
    /// Why nothing follows, or why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<Happened> for Outcome {
    fn from(happened: Happened) -> Self {
        match happened {
            Happened::Asked(enqueued) => Self {
                outcome: if matches!(enqueued, Enqueued::New(_)) { "Started" } else { "Joined" },
                correlation_id: Some(enqueued.request().id.0),
                migration_type: Some(enqueued.request().migration.to_string()),
                reason: None,
            },
            Happened::Refused(request) => Self {
                outcome: "Refused",
                correlation_id: Some(request.id.0),
                migration_type: None,
                reason: Some(request.last_message),
            },
            Happened::Nothing(why) => Self {
                outcome: "Nothing",
                correlation_id: None,
                migration_type: None,
                reason: Some(why.to_owned()),
            },
        }
    }
}

/// Does what follows from something that happened.
pub async fn post(
    caller: Caller,
    State(api): State<Api>,
    body: Result<Json<Value>, JsonRejection>,
) -> Result<Json<Outcome>, Problem> {
    caller.require(Role::Operator)?;
    let body: EventBody = body::object(body)?;
    let event = body.event()?;
    let user = api.directory.resolve(&parsed::<Identity>(&body.identity)?).await?;
    Ok(Json(api.engine.happened(user, event, &caller.name).await?.into()))
}
