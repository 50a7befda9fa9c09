//! `/api/v1/health`

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::Api;
use crate::Problem;
use crate::access::Caller;

/// That the daemon lives and its store answers.
#[derive(Debug, Serialize)]
pub struct Health {
    status: &'static str,
    version: &'static str,
}

/// Answers where the store does.
pub async fn get(_caller: Caller, State(api): State<Api>) -> Result<Json<Health>, Problem> {
    api.engine.summary().await?;
    Ok(Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION") }))
}
