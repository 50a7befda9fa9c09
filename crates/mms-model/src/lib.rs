//! The domain of MMS: what a meeting, a user and a migration request are, and the ports through
//! which the engine reaches calendars, platforms, directories, mail and the store.
//!
//! Nothing here does I/O. Time and ids come in through [`Clock`] and [`IdSource`].

mod access;
mod clock;
mod code;
mod error;
mod hex;
mod identity_map;
mod meeting;
mod platform;
pub mod port;
mod request;
mod user;

pub use access::{ApiToken, AuditEntry, Role};
pub use clock::{Clock, IdSource, ManualClock, RandomIds, SequentialIds, SystemClock};
pub use code::Code;
pub use error::{ErrorKind, PortError};
pub use hex::hex;
pub use identity_map::{IdentityMap, IdentityMapError, IdentityMapRow};
pub use meeting::{
    Attendee, AttendeeChoice, DialIn, EventId, Instance, InstanceId, JoinInformation, Meeting, OnlineMeeting,
    PartChange, Participation, Recognition, Replacement, Rewrite, Rewritten, Version, VideoDevice,
};
pub use platform::{InvalidMigrationType, MigrationType, Platform, SourceMeetingType, TargetMeetingType};
pub use request::{
    Attempt, Counts, MeetingOutcome, MeetingRecord, MigrationRequest, RequestId, State, Summary, Transition,
    meeting_title, record_date,
};
pub use user::{Address, CalendarLocation, Identity, SkypeHome, User};
