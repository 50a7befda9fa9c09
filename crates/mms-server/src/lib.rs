//! The daemon's API: HTTP with JSON, over a Unix socket that only its owner can open, and where an administrator wants it
//! over TCP for those who bear a token.
//!
//! | request | does |
//! |---|---|
//! | `GET /api/v1/health` | tells that the daemon lives, and its version |
//! | `GET /api/v1/requests` | lists migrations; `identity`, `state`, `type`, `start_time`, `end_time`, `limit`, `after` |
//! | `POST /api/v1/requests` | starts a migration |
//! | `GET /api/v1/requests/{id}` | one migration |
//! | `POST /api/v1/requests/{id}/cancel` | cancels one that waits |
//! | `GET /api/v1/summary` | users by state |
//! | `POST /api/v1/events` | does what follows from something that happened to a user |
//! | `GET /api/v1/audit` | who did what; `limit`, `before` |
//! | `GET`, `PUT /api/v1/settings` | whether migrations are enabled |
//!
//! Every verb is the engine's own, the same that the command line calls in its own process: there is
//! one way for each, and the store is the truth for all. So commands need no daemon, and one that runs
//! finds what they ask for at its next look at the store, a second later at most.
//! Errors are `application/problem+json` (RFC 9457). The types of the API are its own, so that it can
//! stay as it is while the domain moves on.

mod access;
mod api;
mod problem;
mod socket;

use std::future::Future;

use axum::middleware::{from_fn, from_fn_with_state};
use tokio::net::TcpListener;

pub use access::{Bearers, Secret};
pub use api::Api;
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
    let router = api::router(api).layer(from_fn(access::of_socket));
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

/// Answers those who bear a token on `listener` until `shutdown` is done; requests on their way are finished.
///
/// # Errors
/// What the operating system says.
pub async fn serve_network(
    listener: TcpListener,
    api: Api,
    bearers: Bearers,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    // Around everything: who bears no token does not even learn which paths there are.
    let router = api::router(api).layer(from_fn_with_state(bearers, access::of_token));
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}
