//! `/api/v1/audit`

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use mms_model::{AuditEntry, Role, record_date};
use serde::{Deserialize, Serialize};

use super::{Api, page_size};
use crate::Problem;
use crate::access::Caller;

/// What somebody did.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Entry {
    number: i64,
    date: String,
    actor: String,
    action: String,
    target: String,
    detail: String,
}

impl From<(i64, AuditEntry)> for Entry {
    fn from((number, entry): (i64, AuditEntry)) -> Self {
        let AuditEntry { at, actor, action, target, detail } = entry;
        Self { number, date: record_date(at), actor, action, target, detail }
    }
}

/// Which part of the trail.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrailQuery {
    limit: Option<u32>,
    before: Option<i64>,
}

/// What was done, the newest first; at most 1000 at a time, the next page `before` the last number.
pub async fn list(
    caller: Caller,
    State(api): State<Api>,
    query: Result<Query<TrailQuery>, QueryRejection>,
) -> Result<Json<Vec<Entry>>, Problem> {
    caller.require(Role::Admin)?;
    let Query(query) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
    let limit = page_size(query.limit);
    let trail = api.engine.audit_trail(query.before, limit).await?;
    Ok(Json(trail.into_iter().map(Entry::from).collect()))
}
