//! The routes; a file for each thing that they are about.

mod audit;
mod body;
mod events;
mod health;
mod requests;
mod settings;
mod summary;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{get, post};
use mms_engine::Engine;
use mms_model::port::Directory;

use crate::Problem;

/// The most entries of a page.
const MOST_ENTRIES: u32 = 1000;

/// How many entries a page has where a caller asks for `limit`.
fn page_size(limit: Option<u32>) -> u32 {
    limit.unwrap_or(MOST_ENTRIES).clamp(1, MOST_ENTRIES)
}

/// What the handlers work on.
#[derive(Clone)]
pub struct Api {
    /// Starts, cancels and reads.
    pub engine: Engine,
    /// Resolves identities.
    pub directory: Arc<dyn Directory>,
}

/// The routes of the API. A layer must tell them who asks, or they answer nobody.
pub(crate) fn router(api: Api) -> Router {
    Router::new()
        .route("/api/v1/health", get(health::get))
        .route("/api/v1/requests", get(requests::list).post(requests::start))
        .route("/api/v1/requests/{id}", get(requests::one))
        .route("/api/v1/requests/{id}/cancel", post(requests::cancel))
        .route("/api/v1/summary", get(summary::get))
        .route("/api/v1/events", post(events::post))
        .route("/api/v1/audit", get(audit::list))
        .route("/api/v1/settings", get(settings::get).put(settings::put))
        .fallback(async || Problem::not_found("the API has no such path; docs/api.md lists them"))
        .method_not_allowed_fallback(async || {
            let method = StatusCode::METHOD_NOT_ALLOWED;
            Problem::new(
                method,
                "MethodNotAllowed",
                "the path does not take this method; docs/api.md says which it takes",
            )
        })
        .layer(DefaultBodyLimit::max(body::MOST))
        .with_state(api)
}
