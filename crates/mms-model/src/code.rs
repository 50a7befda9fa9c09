//! The stable codes of LastMessage and of per-meeting outcomes. `docs/errors.md` has an entry for
//! each; a test keeps the two equal.

use std::fmt;
use std::str::FromStr;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A stable code; its name is what administrators search for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];

            /// The code's name.
            pub fn name(self) -> &'static str {
                match self { $(Code::$name => stringify!($name),)* }
            }
        }
    };
}

codes! {
    /// Two different join links: it cannot be told which meeting the event is.
    AmbiguousMeeting,
    /// More attendees than `max_attendees`.
    TooManyAttendees,
    /// The server refused the credentials, or the account may not read or write the calendar.
    CalendarAccessDenied,
    /// No calendar at the place the directory names.
    CalendarNotFound,
    /// The server cannot be reached or does not answer.
    CalendarUnreachable,
    /// The server answers with an error of its own, or with what is not the protocol.
    CalendarServerError,
    /// The server asked to slow down.
    CalendarThrottled,
    /// The event could not be read as iCalendar.
    UnreadableEvent,
    /// The event kept changing while it was being migrated.
    EventConflict,
    /// The event vanished while it was being migrated.
    EventGone,
    /// After the write the event did not read back as written.
    WriteNotVerified,
    /// The organizer changed the event and has not sent the change; a write would send it.
    UnsentChanges,
    /// The server still shows the old meeting as the event's online meeting.
    OldMeetingKept,
    /// Enough attendees were told in the organizer's name for a day; the meeting waits.
    RecipientBudget,
    /// The tenant lets the application make no meetings for this organizer.
    ApplicationAccessPolicyMissing,
    /// Skype for Business Server makes meetings only for who signs in, and the organizer's password is not known.
    UcwaCredentialsMissing,
    /// No room on the disk, or the folder is read-only.
    StorageFull,
    /// Reading or writing a file failed.
    FileAccess,
    /// The server reset attendees' answers when it stored the update.
    AnswersReset,
    /// The server kept the old link in attendees' copies.
    StaleAttendeeCopy,
    /// The server would not send the update to an attendee.
    UpdateNotDelivered,
    /// The calendar server sends updates itself and cannot leave out the attendees that are not to be told.
    AttendeeChoiceNotPossible,
    /// A crash fell between handing a mail over and noting it: it was most likely sent, and is not sent again.
    UpdateUnconfirmed,
    /// The mail server cannot be reached.
    MailUnreachable,
    /// The mail server refused the sender, a recipient or the message.
    MailRejected,
    /// The calendar does not send updates and no mail server is configured.
    MailNotConfigured,
    /// The target platform is not configured.
    PlatformNotConfigured,
    /// The target platform refused or failed to provision the meeting.
    PlatformError,
    /// No configured connector serves the user's calendar.
    NoCalendar,
    /// No user has this identity.
    UserNotFound,
    /// Several users have this identity.
    UserAmbiguous,
    /// The directory could not be read.
    DirectoryError,
    /// The retries of 24 hours are used up.
    RetriesExhausted,
    /// The event was edited since its migration in the very lines that a rollback restores.
    EditedSinceMigration,
    /// Migrations are switched off for the tenant.
    MigrationDisabled,
    /// The block in the event could not be replaced safely.
    BlockNotReplaceable,
    /// The store failed.
    StoreError,
    /// An administrator cancelled the request.
    Cancelled,
    /// The user moved from the cloud back to a server on premises, where there is nothing to migrate to.
    MovedOnPremises,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The error of a code nobody knows.
#[derive(Debug, Clone, thiserror::Error)]
#[error("no such code: {0}")]
pub struct UnknownCode(String);

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|c| c.name() == name).ok_or_else(|| UnknownCode(name.to_owned()))
    }
}
