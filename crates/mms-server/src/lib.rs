//! The daemon's admin API: HTTP with JSON over a Unix socket that only its owner can open.
//!
//! | request | does |
//! |---|---|
//! | `GET /api/v1/health` | tells that the daemon lives, and its version |
//! | `GET /api/v1/requests` | lists migrations; `identity`, `state`, `type`, `start_time`, `end_time`, `limit`, `after` |
//! | `POST /api/v1/requests` | starts a migration |
//! | `GET /api/v1/requests/{id}` | one migration |
//! | `POST /api/v1/requests/{id}/cancel` | cancels one that waits |
//! | `GET /api/v1/summary` | users by state |
//! | `GET`, `PUT /api/v1/settings` | whether migrations are enabled |
//!
//! Every verb is the engine's own, the same that the command line calls in its own process: there is
//! one way for each, and the store is the truth for all. So commands need no daemon, and one that runs
//! finds what they ask for at its next look at the store, a second later at most.
//! Errors are `application/problem+json` (RFC 9457). The types of the API are its own, so that it can
//! stay as it is while the domain moves on.

mod api;
mod problem;
mod socket;

use std::future::Future;

pub use api::{Api, router};
pub use problem::Problem;
pub use socket::{Socket, SocketError, SocketFile};

/// Answers on `socket` until `shutdown` is done; requests on their way are finished.
///
/// # Errors
/// What the operating system says.
pub async fn serve(
    socket: Socket,
    api: Api,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (listener, _file) = socket.into_parts();
    axum::serve(listener, router(api)).with_graceful_shutdown(shutdown).await
}
