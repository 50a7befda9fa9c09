//! `/api/v1/settings`

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use mms_model::Role;
use serde::{Deserialize, Serialize};

use super::Api;
use crate::Problem;
use crate::access::Caller;

/// The tenant's migration configuration.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Settings {
    meeting_migration_enabled: bool,
}

/// Migrations are enabled where nobody switched them off.
pub async fn get(_caller: Caller, State(api): State<Api>) -> Result<Json<Settings>, Problem> {
    Ok(Json(Settings { meeting_migration_enabled: api.engine.migration_enabled().await? }))
}

/// Enables or disables migrations.
pub async fn put(
    caller: Caller,
    State(api): State<Api>,
    body: Result<Json<Settings>, JsonRejection>,
) -> Result<Json<Settings>, Problem> {
    caller.require(Role::Admin)?;
    let Json(settings) = body.map_err(|error| Problem::bad_request(error.body_text()))?;
    api.engine.set_migration_enabled(settings.meeting_migration_enabled, &caller.name).await?;
    Ok(Json(settings))
}
