//! `/api/v1/requests`

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use mms_engine::Start;
use mms_model::port::{Enqueued, RequestFilter};
use mms_model::{Identity, MigrationRequest, MigrationType, RequestId, Role, record_date};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Api, body, page_size};
use crate::Problem;
use crate::access::Caller;

/// The status record, its properties as the cmdlet names them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StatusRecord {
    correlation_id: Uuid,
    create_date: String,
    failed_meeting: u64,
    invites_update: u64,
    last_message: String,
    migration_type: String,
    modified_date: String,
    retry_count: u32,
    state: &'static str,
    succeeded_meeting: u64,
    total_meeting: u64,
    user_id: Uuid,
    user_principal_name: String,
}

impl From<MigrationRequest> for StatusRecord {
    fn from(request: MigrationRequest) -> Self {
        Self {
            correlation_id: request.id.0,
            create_date: record_date(request.created),
            failed_meeting: request.counts.failed,
            invites_update: request.counts.invites,
            last_message: request.last_message,
            migration_type: request.migration.to_string(),
            modified_date: record_date(request.modified),
            retry_count: request.retries,
            state: request.state.name(),
            succeeded_meeting: request.counts.succeeded,
            total_meeting: request.counts.total,
            user_id: request.user.id,
            user_principal_name: request.user.upn,
        }
    }
}

/// Which migrations to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    identity: Option<String>,
    state: Option<String>,
    #[serde(rename = "type")]
    migration: Option<String>,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    limit: Option<u32>,
    after: Option<Uuid>,
}

/// Migrations, newest first; at most 1000 at a time, the next page behind `after`.
pub async fn list(
    _caller: Caller,
    State(api): State<Api>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Vec<StatusRecord>>, Problem> {
    let Query(query) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
    let user = match query.identity.as_deref() {
        Some(identity) => Some(api.directory.resolve(&parsed::<Identity>(identity)?).await?.id),
        None => None,
    };
    let filter = RequestFilter {
        user,
        id: None,
        states: query.state.as_deref().map(parsed).transpose()?.into_iter().collect(),
        migration: query.migration.as_deref().map(parsed::<MigrationType>).transpose()?.map(|migration| {
            let platforms: Vec<_> = api.engine.connectors().platforms.iter().map(|p| p.platform()).collect();
            migration.spelled_as(&platforms)
        }),
        start: query.start_time,
        end: query.end_time,
        limit: Some(page_size(query.limit)),
        after: query.after.map(RequestId),
    };
    let requests = api.engine.list(&filter).await?;
    Ok(Json(requests.into_iter().map(StatusRecord::from).collect()))
}

/// One migration.
pub async fn one(
    _caller: Caller,
    State(api): State<Api>,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<StatusRecord>, Problem> {
    find(&api, id).await.map(|request| Json(request.into()))
}

/// What to start.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct StartBody {
    identity: String,
    #[serde(default)]
    source_meeting_type: Option<String>,
    #[serde(default)]
    target_meeting_type: Option<String>,
    #[serde(default)]
    skip_grace_period: bool,
}

/// Starts a migration, or joins the user's waiting one.
pub async fn start(
    caller: Caller,
    State(api): State<Api>,
    body: Result<Json<Value>, JsonRejection>,
) -> Result<(StatusCode, Json<StatusRecord>), Problem> {
    caller.require(Role::Operator)?;
    let asked: StartBody = body::object(body)?;
    let user = api.directory.resolve(&parsed::<Identity>(&asked.identity)?).await?;
    let source = asked.source_meeting_type.as_deref().map(parsed).transpose()?.unwrap_or_default();
    let target = asked.target_meeting_type.as_deref().map(parsed).transpose()?.unwrap_or_default();
    let migration = api.engine.migration(source, target)?;
    let start = Start { at_once: asked.skip_grace_period, ..Start::manual(user, migration, caller.name) };
    match api.engine.start(start).await? {
        Some(enqueued) => {
            let status =
                if matches!(enqueued, Enqueued::New(_)) { StatusCode::CREATED } else { StatusCode::OK };
            Ok((status, Json(enqueued.request().clone().into())))
        }
        // Only automatic triggers come to nothing, and this is none.
        None => Err(Problem::conflict("migrations are switched off")),
    }
}

/// Cancels a migration that waits.
pub async fn cancel(
    caller: Caller,
    State(api): State<Api>,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<StatusRecord>, Problem> {
    caller.require(Role::Operator)?;
    let request = find(&api, id).await?;
    Ok(Json(api.engine.cancel(request.id, &caller.name).await?.into()))
}

async fn find(api: &Api, id: Result<Path<Uuid>, PathRejection>) -> Result<MigrationRequest, Problem> {
    let Path(id) = id.map_err(|error| Problem::bad_request(error.body_text()))?;
    Ok(api.engine.request(RequestId(id)).await?)
}

pub(super) fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, Problem>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| Problem::bad_request(error.to_string()))
}
