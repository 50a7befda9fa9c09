//! The routes; a file for each thing that they are about.

mod audit;
mod events;
mod health;
mod requests;
mod settings;
mod summary;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use mms_engine::Engine;
use mms_model::port::Directory;

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
        .layer(DefaultBodyLimit::max(64 * 1024))
        .with_state(api)
}
