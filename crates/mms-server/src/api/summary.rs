//! `/api/v1/summary`

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::Api;
use crate::Problem;
use crate::access::Caller;

/// Users by the state of their newest migration.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StateCount {
    state: &'static str,
    user_count: u64,
}

/// All four states, in the order of the summary.
pub async fn get(_caller: Caller, State(api): State<Api>) -> Result<Json<Vec<StateCount>>, Problem> {
    let summary = api.engine.summary().await?;
    let count = |state, user_count| StateCount { state, user_count };
    Ok(Json(vec![
        count("Pending", summary.pending),
        count("InProgress", summary.in_progress),
        count("Failed", summary.failed),
        count("Succeeded", summary.succeeded),
    ]))
}
