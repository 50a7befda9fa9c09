//! What the engine needs to know of a failure behind a port.

use std::time::Duration;

use crate::Code;

/// What the pipeline does about a failure. Nothing above a connector looks at its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// May work later: a broken connection, HTTP 5xx.
    Retry,
    /// The server said when to come back (`Retry-After`); not counted as a retry.
    RetryAfter(Duration),
    /// Will not work however often it is tried.
    Permanent,
    /// The event changed since it was read: read, plan and try again.
    Conflict,
    /// The event or calendar is no longer there.
    Gone,
    /// The server refused the credentials or the right.
    Unauthorised,
}

/// A failure behind a port: a kind to act on, a code for the administrator and a sentence that says
/// what was wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct PortError {
    /// What to do about it.
    pub kind: ErrorKind,
    /// The entry in the error catalogue (`docs/errors.md`).
    pub code: Code,
    /// One sentence; holds no secret.
    pub message: String,
}

impl PortError {
    /// A failure of `kind` with its code and sentence.
    pub fn new(kind: ErrorKind, code: Code, message: impl Into<String>) -> Self {
        Self { kind, code, message: message.into() }
    }

    /// A failure worth another try.
    pub fn retry(code: Code, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Retry, code, message)
    }

    /// A failure that no retry mends.
    pub fn permanent(code: Code, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Permanent, code, message)
    }
}
