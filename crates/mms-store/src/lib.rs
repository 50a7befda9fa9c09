//! The store of requests, outcomes and the journal: one SQLite file.
//!
//! `sql.rs` holds the statements, `sqlite.rs` runs them; a second database gets its own pair of files and passes
//! the same `conformance` suite.
//!
//! # What a power cut may take
//! Nothing that was answered with success. The file runs in WAL mode with `synchronous=FULL`, one fsync a
//! transaction, because the journal is written ahead of writes elsewhere: an entry that a power cut took back would
//! leave a changed event that nobody can undo and whose attendees nobody would tell, and a lost note of a mail
//! would send it twice. Pages of meetings share a transaction, so the fsync is paid by page.

#[cfg(any(test, feature = "conformance"))]
#[allow(clippy::unwrap_used, clippy::expect_used)]
pub mod conformance;
mod content;
mod failure;
mod lock;
mod row;
mod sql;
mod sqlite;

pub use sqlite::{Access, SqliteStore};
