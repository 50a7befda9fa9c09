//! `/api/v1/settings`

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use mms_engine::Switch;
use mms_model::Role;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Api, body};
use crate::Problem;
use crate::access::Caller;

/// The tenant's switches.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Settings {
    meeting_migration_enabled: bool,
    automatically_migrate_user_meetings: bool,
}

/// Which switches to change; what is left out stays as it is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Change {
    meeting_migration_enabled: Option<bool>,
    automatically_migrate_user_meetings: Option<bool>,
}

/// Each switch is on where nobody switched it off.
pub async fn get(_caller: Caller, State(api): State<Api>) -> Result<Json<Settings>, Problem> {
    settings(&api).await
}

async fn settings(api: &Api) -> Result<Json<Settings>, Problem> {
    Ok(Json(Settings {
        meeting_migration_enabled: api.engine.is_on(Switch::MeetingMigration).await?,
        automatically_migrate_user_meetings: api.engine.is_on(Switch::AutomaticMigration).await?,
    }))
}

/// Changes switches.
pub async fn put(
    caller: Caller,
    State(api): State<Api>,
    body: Result<Json<Value>, JsonRejection>,
) -> Result<Json<Settings>, Problem> {
    caller.require(Role::Admin)?;
    let change: Change = body::object(body)?;
    for (switch, on) in [
        (Switch::MeetingMigration, change.meeting_migration_enabled),
        (Switch::AutomaticMigration, change.automatically_migrate_user_meetings),
    ] {
        if let Some(on) = on {
            api.engine.set_switch(switch, on, &caller.name).await?;
        }
    }
    settings(&api).await
}
