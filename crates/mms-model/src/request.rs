//! Migration requests: the status record and queue entry in one, and what happened to each meeting.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Code, EventId, InstanceId, MigrationType, User};

/// The CorrelationId of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub Uuid);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The state of a request.
///
/// `Pending` → `InProgress` (a worker claims it when it is due) → `Succeeded` or `Failed`; a retry
/// and an expired lease lead back to `Pending`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum State {
    /// Waits for its grace period, for a retry, or for a worker.
    Pending,
    /// A worker holds its lease.
    InProgress,
    /// Some meeting in scope failed for good, or the whole request did.
    Failed,
    /// Every meeting in scope is where it belongs.
    Succeeded,
}

impl State {
    /// All four, in the order of the summary.
    pub const ALL: [State; 4] = [Self::Pending, Self::InProgress, Self::Failed, Self::Succeeded];

    /// The name as the status record shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InProgress => "InProgress",
            Self::Failed => "Failed",
            Self::Succeeded => "Succeeded",
        }
    }

    /// Whether no worker will touch the request again.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Failed | Self::Succeeded)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The error of a state nobody knows.
#[derive(Debug, Clone, thiserror::Error)]
#[error("\"{0}\" is not a state: use Pending, InProgress, Failed or Succeeded")]
pub struct UnknownState(String);

impl FromStr for State {
    type Err = UnknownState;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|s| s.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownState(name.to_owned()))
    }
}

/// Meetings counted as the status record counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// In scope.
    pub total: u64,
    /// Where they belong.
    pub succeeded: u64,
    /// Failed for good, or failed so far while a retry is waited for.
    pub failed: u64,
    /// Updated invite sent.
    pub invites: u64,
}

/// A request and its status record in one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationRequest {
    /// CorrelationId.
    pub id: RequestId,
    /// The user, as resolved when the request was made.
    pub user: User,
    /// MigrationType.
    pub migration: MigrationType,
    /// State.
    pub state: State,
    /// CreateDate.
    pub created: Timestamp,
    /// ModifiedDate.
    pub modified: Timestamp,
    /// When it falls due.
    pub due: Timestamp,
    /// RetryCount.
    pub retries: u32,
    /// Counts of meetings.
    pub counts: Counts,
    /// LastMessage: empty, or `Code: sentence`.
    pub last_message: String,
    /// Who asked: an administrator's name or a trigger.
    pub requested_by: String,
}

/// What became of one meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MeetingOutcome {
    /// Rewritten, and attendees told where there are any to tell.
    Migrated,
    /// Was there already, with the right coordinates.
    AlreadyThere,
    /// Out of scope; see the reason.
    Skipped,
    /// Failed this time; tried again with the request.
    WillRetry,
    /// Failed for good.
    Failed,
    /// Rolled back to what it was.
    RolledBack,
}

impl MeetingOutcome {
    /// The name as history shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Migrated => "Migrated",
            Self::AlreadyThere => "AlreadyThere",
            Self::Skipped => "Skipped",
            Self::WillRetry => "WillRetry",
            Self::Failed => "Failed",
            Self::RolledBack => "RolledBack",
        }
    }
}

impl fmt::Display for MeetingOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The per-meeting detail of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeetingRecord {
    /// Where the event is.
    pub event: EventId,
    /// iCalendar UID.
    pub uid: String,
    /// Subject.
    pub subject: String,
    /// What became of it.
    pub outcome: MeetingOutcome,
    /// Stable code where something went wrong or wants attention, by name.
    pub code: Option<String>,
    /// One sentence: why, and what to do. Empty where nothing is to be said.
    pub message: String,
    /// Platform before.
    pub platform: Option<String>,
    /// Join URL before.
    pub old_url: Option<String>,
    /// Join URL after.
    pub new_url: Option<String>,
    /// Components that were rewritten.
    pub instances: Vec<InstanceId>,
    /// Attendees that were sent the update.
    pub attendees_told: u32,
    /// When.
    pub at: Timestamp,
}

/// A subject in a message is cut behind so many characters.
const LONGEST_TITLE: usize = 120;

impl MeetingRecord {
    /// What a message calls the meeting: its subject in one line, without control characters and cut to a
    /// length that leaves the message readable; where it has none, the event's id.
    pub fn title(&self) -> String {
        meeting_title(&self.subject, &self.event)
    }

    /// The code, where it is one this version knows.
    pub fn known_code(&self) -> Option<Code> {
        self.code.as_deref().and_then(|c| c.parse().ok())
    }
}

/// What a message calls a meeting; see [`MeetingRecord::title`].
pub fn meeting_title(subject: &str, event: &EventId) -> String {
    let name = if subject.trim().is_empty() { event.0.trim() } else { subject.trim() };
    let mut title: String =
        name.chars().take(LONGEST_TITLE).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if name.chars().nth(LONGEST_TITLE).is_some() {
        title.push('…');
    }
    title
}

/// One change of a request's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// When.
    pub at: Timestamp,
    /// New state.
    pub state: State,
    /// Retry count then.
    pub retries: u32,
    /// Why, in one sentence.
    pub message: String,
}

/// One attempt of a worker at a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it began.
    pub started: Timestamp,
    /// When it ended, where it did.
    pub ended: Option<Timestamp>,
    /// How it ended.
    pub message: String,
}

/// Users by state, each under their newest request: what `-SummaryOnly` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// Users whose newest request is pending.
    pub pending: u64,
    /// In progress.
    pub in_progress: u64,
    /// Failed.
    pub failed: u64,
    /// Succeeded.
    pub succeeded: u64,
}

/// An instant as the status record shows it: UTC, seven fractional digits, `Z`.
pub fn record_date(at: Timestamp) -> String {
    let civil = at.to_zoned(jiff::tz::TimeZone::UTC).datetime();
    // Ticks of 100 ns, as .NET has them; cut, not rounded, so that a date never shows later than it is.
    let ticks = civil.subsec_nanosecond() / 100;
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{ticks:07}Z",
        civil.year(),
        civil.month(),
        civil.day(),
        civil.hour(),
        civil.minute(),
        civil.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_short_line_and_never_empty() {
        let event = EventId("work.ics#u1".into());
        assert_eq!(meeting_title(" Plan\u{1b}[2J\nB", &event), "Plan [2J B");
        assert_eq!(meeting_title(" \n", &event), "work.ics#u1");
        assert_eq!(meeting_title(&"é".repeat(500), &event).chars().count(), LONGEST_TITLE + 1);
    }

    #[test]
    fn record_dates_have_seven_digits() {
        let at: Timestamp = "2024-04-27T00:24:00.144268899Z".parse().unwrap();
        assert_eq!(record_date(at), "2024-04-27T00:24:00.1442688Z");
        assert_eq!(record_date("2024-04-27T00:24:00Z".parse().unwrap()), "2024-04-27T00:24:00.0000000Z");
    }
}
