use async_trait::async_trait;
use jiff::Timestamp;

use crate::{AttendeeChoice, EventId, Meeting, PortError, Rewrite, Rewritten, User, Version};

/// A calendar system: opens the calendars of users.
#[async_trait]
pub trait Calendar: Send + Sync {
    /// Opens the calendars that hold `user`'s meetings.
    ///
    /// # Errors
    /// `CalendarNotFound`, `CalendarAccessDenied`, `CalendarUnreachable` …
    async fn open(&self, user: &User) -> Result<Box<dyn UserCalendar>, PortError>;
}

/// Who sends updates to attendees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheduling {
    /// The calendar server does, on a write (RFC 6638).
    Server,
    /// Nobody but us: iMIP (RFC 6047).
    Client,
}

/// A conditional write of one meeting.
#[derive(Debug, Clone)]
pub struct Update {
    /// Which event.
    pub id: EventId,
    /// The version that was read; the write fails with `Conflict` where it is another by now.
    pub version: Version,
    /// The new content, as `rewrite` or `undo` made it.
    pub content: Vec<u8>,
    /// Whom a server that sends updates itself is to tell.
    pub notify: AttendeeChoice,
}

/// What the calendar holds after a write.
#[derive(Debug, Clone)]
pub struct Updated {
    /// The version after the write.
    pub version: Version,
    /// How many attendees the server told; 0 where it does not send updates.
    pub attendees_told: u32,
    /// What an administrator should know of what the server made of the write (answers reset, a
    /// delivery refused), with its code. The write itself stands.
    pub remarks: Vec<(crate::Code, String)>,
    /// What the connector read back.
    pub read_back: ReadBack,
}

/// What was seen in the calendar after a write.
#[derive(Debug, Clone)]
pub enum ReadBack {
    /// Nothing yet: it is to be read again.
    Unread,
    /// What was written, or a text that says the same to people and programs.
    AsWritten,
    /// Something else: the meeting with all its instances.
    Differs(Box<Meeting>),
}

/// One user's calendars.
///
/// `rewrite`, `undo` and `invitation` are pure: they compute on the content that was read.
#[async_trait]
pub trait UserCalendar: Send + Sync {
    /// Who sends updates to attendees.
    fn scheduling(&self) -> Scheduling;

    /// Pages through every meeting with an occurrence that ends after `from`, in a stable order.
    fn meetings(&self, from: Timestamp) -> Box<dyn MeetingPages + '_>;

    /// Reads one meeting again. `Ok(None)` where it is gone.
    ///
    /// # Errors
    /// As for opening the calendar.
    async fn get(&self, id: &EventId, from: Timestamp) -> Result<Option<Meeting>, PortError>;

    /// Replaces the meeting blocks that `rewrite` names and nothing else.
    ///
    /// # Errors
    /// `BlockNotReplaceable` with the reason.
    fn rewrite(&self, meeting: &Meeting, rewrite: &Rewrite) -> Result<Rewritten, PortError>;

    /// Takes the change from `original` to `written` back out of `current`, keeping what was edited
    /// since, with fresh stamps.
    ///
    /// # Errors
    /// `EditedSinceMigration` where an edit lies in the lines to restore.
    fn undo(
        &self,
        original: &[u8],
        written: &[u8],
        current: &Meeting,
        stamp: Timestamp,
    ) -> Result<Rewritten, PortError>;

    /// Two changes of one event as one, each given by the content before and after it: what a rollback takes back where
    /// the first one was written in part. What both changed is the second one's. A calendar that writes an event as a
    /// whole has no first one to keep.
    fn joined(&self, _first: (&[u8], &[u8]), second: (&[u8], &[u8])) -> (Vec<u8>, Vec<u8>) {
        (second.0.to_vec(), second.1.to_vec())
    }

    /// The iTIP REQUEST (RFC 5546) that tells attendees of `content`, for iMIP.
    ///
    /// # Errors
    /// `UnreadableEvent`.
    fn invitation(&self, content: &[u8]) -> Result<Vec<u8>, PortError>;

    /// Writes a page of updates, each conditional on its version; the results are in the order of
    /// the updates, and the failure of one does not touch the others.
    async fn update(&self, updates: Vec<Update>) -> Vec<Result<Updated, PortError>>;
}

/// Pages of meetings; holds no more than a page.
#[async_trait]
pub trait MeetingPages: Send {
    /// The next page: meetings that could be read, and for each that could not an error that names
    /// it. `Ok(None)` at the end.
    ///
    /// # Errors
    /// What ends the listing as a whole.
    async fn next(&mut self) -> Result<Option<Vec<Result<Meeting, (EventId, PortError)>>>, PortError>;

    /// How many meetings the pages so far left out because they have ended; 0 where a server does not say.
    fn passed_over(&self) -> u64 {
        0
    }
}
