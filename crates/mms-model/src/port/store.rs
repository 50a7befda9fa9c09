//! The store of requests, outcomes and the journal. Verbs are semantic; only the store knows SQL.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    Address, Attempt, AuditEntry, Counts, EventId, InstanceId, MeetingRecord, MigrationRequest,
    MigrationType, RequestId, State, Summary, Transition, User, Version,
};

/// A failure of the store itself.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another `mms serve` holds the store.
    #[error("{0}")]
    InUse(String),
    /// The lease was lost: another worker has the request.
    #[error("the lease of request {0} was lost to another worker")]
    LeaseLost(RequestId),
    /// Anything the database says.
    #[error("{0}")]
    Database(String),
}

/// A trigger: somebody wants a user migrated.
#[derive(Debug, Clone)]
pub struct Enqueue {
    /// Id for a new request.
    pub id: RequestId,
    /// The user.
    pub user: User,
    /// From what to where.
    pub migration: MigrationType,
    /// Now.
    pub now: Timestamp,
    /// How long to wait for other triggers; zero for at once.
    pub grace: Duration,
    /// Earliest instant all the same (a batch's pace); none for `now`.
    pub not_before: Option<Timestamp>,
    /// Who asked.
    pub requested_by: String,
}

/// What became of a trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enqueued {
    /// A new request.
    New(MigrationRequest),
    /// It joined the user's waiting request.
    Joined(MigrationRequest),
    /// A trigger with this id came before: this is what became of it, and nothing changed.
    Known(MigrationRequest),
}

impl Enqueued {
    /// The request that the trigger led to.
    pub fn request(&self) -> &MigrationRequest {
        match self {
            Self::New(request) | Self::Joined(request) | Self::Known(request) => request,
        }
    }
}

/// A claim on a request, with the token that fences late writes of a worker that lost it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The request.
    pub request: RequestId,
    /// Rises with each claim.
    pub token: i64,
    /// Until when it holds without a heartbeat.
    pub until: Timestamp,
}

/// How an attempt ends.
#[derive(Debug, Clone)]
pub enum Finish {
    /// All is done.
    Succeeded,
    /// Failed for good.
    Failed,
    /// To be tried again at the instant; counted as a retry or, for a server's Retry-After, not.
    Retry {
        /// When.
        at: Timestamp,
        /// Whether RetryCount rises.
        counted: bool,
    },
    /// Handed back unfinished (shutdown): pending again at once, nothing counted.
    HandedBack,
}

/// Which requests to list.
#[derive(Debug, Clone, Default)]
pub struct RequestFilter {
    /// Of this user.
    pub user: Option<Uuid>,
    /// This one.
    pub id: Option<RequestId>,
    /// In one of these states; empty for any.
    pub states: Vec<State>,
    /// Of this type.
    pub migration: Option<MigrationType>,
    /// Whose life touches the period from here.
    pub start: Option<Timestamp>,
    /// Whose life touches the period up to here, inclusive.
    pub end: Option<Timestamp>,
    /// At most so many, the newest first; none for all.
    pub limit: Option<u32>,
    /// Skip to behind this request (paging, newest first).
    pub after: Option<RequestId>,
}

/// How far the journal says a meeting's change got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalState {
    /// Noted before the write; the event may or may not hold it.
    Planned,
    /// The event holds the change; attendees may still have to be told.
    Written,
    /// The event may hold a part of the change, as a series does whose master was written and whose exception was not:
    /// a rollback looks at it, and a new plan is journalled together with what is noted here.
    Partly,
    /// Done: written and everybody told.
    Closed,
    /// Given up: the event does not hold the change.
    Abandoned,
    /// Noted before a rollback's write; the event may or may not be restored.
    Undoing,
    /// The event is restored; attendees may still have to be told.
    Undone,
    /// Taken back by a rollback, and everybody told.
    RolledBack,
}

/// The journal's entry for one meeting of one request, written ahead of the write to the calendar.
#[derive(Debug, Clone)]
pub struct JournalEntry {
    /// The request.
    pub request: RequestId,
    /// The event.
    pub event: EventId,
    /// Its UID.
    pub uid: String,
    /// How far it got.
    pub state: JournalState,
    /// The version the write is conditional on.
    pub version: Version,
    /// The content before, kept for rollback.
    pub original: Vec<u8>,
    /// The content as it was to be written.
    pub written: Vec<u8>,
    /// The content that a rollback was about to write; empty where none was.
    pub undone: Vec<u8>,
    /// The join URL that each rewritten component has after the write: tells after a crash whether the
    /// write happened.
    pub targets: Vec<(InstanceId, String)>,
    /// The outcome to be recorded when it is done.
    pub record: MeetingRecord,
    /// When it was noted.
    pub at: Timestamp,
}

/// The restoring of one meeting, noted ahead of the write.
#[derive(Debug, Clone)]
pub struct UndoEntry {
    /// The event.
    pub event: EventId,
    /// The version the write is conditional on.
    pub version: Version,
    /// The content to be written.
    pub undone: Vec<u8>,
    /// Attendees to be told by mail.
    pub tell: Vec<Address>,
}

/// How far one mail got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailingState {
    /// To be sent.
    Due,
    /// Handed over but for the final dot; after a crash taken as sent.
    Committing,
    /// The server took it.
    Sent,
    /// Refused for good.
    Refused,
}

/// One attendee's mail of a journal entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailing {
    /// The attendee.
    pub to: Address,
    /// How far it got.
    pub state: MailingState,
}

/// Requests, outcomes and journal.
///
/// Rules for implementers: no transaction spans an await on anything but the database; everything
/// that a worker writes carries its [`Lease`] and fails with [`StoreError::LeaseLost`] where the
/// token is no longer the newest.
#[async_trait]
pub trait RequestStore: Send + Sync {
    /// Makes a request or joins the user's waiting one. The joined request takes the type that covers
    /// both and starts its grace period again, at most until four grace periods after its creation.
    async fn enqueue(&self, trigger: Enqueue) -> Result<Enqueued, StoreError>;

    /// Claims the due request that has waited longest, of a user none of whose requests is in
    /// progress; returns it with its lease. Expired leases count as due.
    async fn claim(
        &self,
        worker: &str,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<(MigrationRequest, Lease)>, StoreError>;

    /// Claims one request by id, due or not (one-shot runs).
    async fn claim_request(
        &self,
        id: RequestId,
        worker: &str,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<(MigrationRequest, Lease)>, StoreError>;

    /// Claims a request that has ended, for a rollback: its state stays, no other request of the user
    /// is claimed meanwhile. `None` where it has not ended or another of the user's is in progress.
    async fn claim_rollback(
        &self,
        id: RequestId,
        worker: &str,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<(MigrationRequest, Lease)>, StoreError>;

    /// Ends the claim of a rollback. What came of it is the request's last message, and a transition says so.
    async fn end_rollback(&self, lease: &Lease, message: &str, now: Timestamp) -> Result<(), StoreError>;

    /// Requests with a rollback that nobody is at and that did not come to its end.
    async fn interrupted_rollbacks(&self, now: Timestamp) -> Result<Vec<RequestId>, StoreError>;

    /// Extends the lease.
    async fn heartbeat(&self, lease: &Lease, until: Timestamp) -> Result<(), StoreError>;

    /// Updates the counts and message of a request in progress, for live status.
    async fn progress(&self, lease: &Lease, counts: Counts, now: Timestamp) -> Result<(), StoreError>;

    /// Ends the attempt.
    async fn finish(
        &self,
        lease: &Lease,
        how: Finish,
        counts: Counts,
        message: &str,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Ends a pending request as failed, before it begins (again), with this last message; false where it is not pending
    /// any more.
    async fn cancel(&self, id: RequestId, message: &str, now: Timestamp) -> Result<bool, StoreError>;

    /// When the next pending request falls due.
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError>;

    /// How many pending requests are due before `due`.
    async fn pending_before(&self, due: Timestamp) -> Result<u64, StoreError>;

    /// Requests, newest first.
    async fn list(&self, filter: &RequestFilter) -> Result<Vec<MigrationRequest>, StoreError>;

    /// Users by the state of their newest request.
    async fn summary(&self) -> Result<Summary, StoreError>;

    /// Every state change of a request, in order.
    async fn transitions(&self, id: RequestId) -> Result<Vec<Transition>, StoreError>;

    /// Every attempt at a request, in order.
    async fn attempts(&self, id: RequestId) -> Result<Vec<Attempt>, StoreError>;

    /// Records the outcome of meetings, each replacing the one before of the same request and event.
    async fn record(&self, lease: &Lease, records: &[MeetingRecord]) -> Result<(), StoreError>;

    /// The outcomes of a request, a page at a time, by event id; `after` is the last event of the page before.
    async fn records(
        &self,
        id: RequestId,
        after: Option<&EventId>,
        limit: u32,
    ) -> Result<Vec<MeetingRecord>, StoreError>;

    /// The outcomes of some events of a request.
    async fn records_of(&self, id: RequestId, events: &[EventId]) -> Result<Vec<MeetingRecord>, StoreError>;

    /// Notes changes ahead of the write, with the mails that will be due. An entry of the same event that is
    /// [`JournalState::Planned`], [`JournalState::Partly`] or [`JournalState::Abandoned`] is replaced; any other is an error.
    async fn journal(
        &self,
        lease: &Lease,
        entries: &[(JournalEntry, Vec<Address>)],
    ) -> Result<(), StoreError>;

    /// Notes the restoring of meetings ahead of the write: their entries become [`JournalState::Undoing`],
    /// and the mails due are those that `tell` names.
    async fn undo(&self, lease: &Lease, entries: &[UndoEntry]) -> Result<(), StoreError>;

    /// Moves journal entries to another state and, in the same transaction, records outcomes.
    async fn advance(
        &self,
        lease: &Lease,
        to: JournalState,
        entries: &[(EventId, Option<MeetingRecord>)],
    ) -> Result<(), StoreError>;

    /// Entries of a request in a state, by event id; paged as [`RequestStore::records`].
    async fn journalled(
        &self,
        id: RequestId,
        states: &[JournalState],
        after: Option<&EventId>,
        limit: u32,
    ) -> Result<Vec<JournalEntry>, StoreError>;

    /// The mails of journal entries, by event: of the rollback where one began, of the migration else.
    async fn mailings(
        &self,
        id: RequestId,
        events: &[EventId],
    ) -> Result<HashMap<EventId, Vec<Mailing>>, StoreError>;

    /// Notes how far one mail got.
    async fn mailed(
        &self,
        lease: &Lease,
        event: &EventId,
        to: &Address,
        state: MailingState,
    ) -> Result<(), StoreError>;

    /// Forgets originals older than `originals_before` and requests that ended before `history_before`.
    async fn prune(&self, originals_before: Timestamp, history_before: Timestamp) -> Result<u64, StoreError>;

    /// Notes what somebody did. It is kept as long as the history of migrations.
    async fn audit(&self, entry: &AuditEntry) -> Result<(), StoreError>;

    /// What was done, the newest first, each with its number; `before` is the last number of the page before.
    async fn audit_trail(
        &self,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<(i64, AuditEntry)>, StoreError>;

    /// A setting, such as `MeetingMigrationEnabled`.
    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError>;

    /// Changes a setting.
    async fn set_setting(&self, name: &str, value: &str) -> Result<(), StoreError>;
}
