//! The ports: what the engine asks of the world. Each has one conformance suite that every
//! implementation passes.

mod access;
mod calendar;
mod directory;
mod platform;
mod sender;
mod store;

pub use access::{SecretDigest, TokenStore};
pub use calendar::{Calendar, MeetingPages, ReadBack, Scheduling, Update, Updated, UserCalendar};
pub use directory::Directory;
pub use platform::{MeetingPlatform, ProvisionRequest};
pub use sender::{Invitation, InvitationSender, Outbound};
pub use store::{
    Enqueue, Enqueued, Finish, JournalEntry, JournalState, Lease, Mailing, MailingState, RequestFilter,
    RequestStore, StoreError, UndoEntry,
};
