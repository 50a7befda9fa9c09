//! What the calendar connectors need of iCalendar.

use jiff::Timestamp;
use mms_model::{Meeting, PortError, Rewrite, Rewritten, User};

/// Reads and rewrites the text of events.
pub trait Invites: Send + Sync {
    /// The meetings in an iCalendar text, with ids and versions left for the caller to fill in.
    ///
    /// # Errors
    /// Why it is no iCalendar.
    fn meetings(&self, content: &[u8], owner: &User, from: Timestamp) -> Result<Vec<Meeting>, String>;
    /// As [`mms_model::port::UserCalendar::rewrite`].
    ///
    /// # Errors
    /// `BlockNotReplaceable`.
    fn rewrite(&self, meeting: &Meeting, rewrite: &Rewrite) -> Result<Rewritten, PortError>;
    /// As [`mms_model::port::UserCalendar::undo`].
    ///
    /// # Errors
    /// `EditedSinceMigration`.
    fn undo(
        &self,
        original: &[u8],
        written: &[u8],
        current: &Meeting,
        stamp: Timestamp,
    ) -> Result<Rewritten, PortError>;
    /// As [`mms_model::port::UserCalendar::invitation`].
    ///
    /// # Errors
    /// `UnreadableEvent`.
    fn invitation(&self, content: &[u8]) -> Result<Vec<u8>, PortError>;
}
