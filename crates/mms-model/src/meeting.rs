//! A meeting as a calendar holds it: one event, or a series master with its exceptions.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Address, IdentityMap, Platform};

/// What finds an event again in its calendar: an href, a file and UID. Opaque above the connector.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EventId(pub String);

/// The version that was read (ETag, Schedule-Tag, change key, content hash) and that a write must
/// carry. Opaque above the connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version(pub String);

/// Which component of a meeting: the master (or the only event), or the exception of a RECURRENCE-ID.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum InstanceId {
    /// The series master or single event.
    Master,
    /// The exception, by the value of its RECURRENCE-ID as written.
    Exception(String),
}

/// An attendee's answer (RFC 5545 PARTSTAT).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Participation {
    /// Not answered.
    NeedsAction,
    /// Accepted.
    Accepted,
    /// Declined.
    Declined,
    /// Accepted tentatively.
    Tentative,
    /// Handed to somebody else.
    Delegated,
    /// Any other value.
    Other,
}

/// An attendee of a meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attendee {
    /// Mail address.
    pub address: Address,
    /// Common name.
    pub name: Option<String>,
    /// The answer.
    pub participation: Participation,
}

/// A dial-in number as it is printed in an invite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialIn {
    /// The number, spelled for people.
    pub number: String,
    /// Country, city or "toll-free"; may be empty.
    #[serde(default)]
    pub label: String,
}

/// An online meeting that was recognised in an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnlineMeeting {
    /// The platform that it is held on.
    pub platform: Platform,
    /// The join URL, unwrapped from mail scanners' links.
    pub join_url: Option<String>,
    /// Meeting or conference ID as printed.
    pub meeting_id: Option<String>,
    /// Passcode as printed.
    pub passcode: Option<String>,
    /// Whether it can be joined by telephone.
    pub has_dial_in: bool,
    /// BCP 47 primary language of the block.
    pub language: Option<String>,
    /// The same for every way in which this meeting can be written (long and short link, web-app
    /// link, with or without tracking parameters); tells copies and ambiguity.
    pub key: String,
}

/// What recognising found in one component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recognition {
    /// No online meeting.
    None,
    /// One.
    One(OnlineMeeting),
    /// Different join links that do not name the same meeting.
    Ambiguous(Vec<OnlineMeeting>),
}

/// One component of a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Which.
    pub id: InstanceId,
    /// Whether an occurrence of this component has not ended yet. For a master: any occurrence that
    /// no exception replaces.
    pub upcoming: bool,
    /// Cancelled.
    pub cancelled: bool,
    /// Start of the component (of a master: of the series), where it could be read.
    pub start: Option<Timestamp>,
    /// The online meeting.
    pub recognition: Recognition,
}

/// A meeting as it was read: the master or single event and its exceptions.
#[derive(Debug, Clone)]
pub struct Meeting {
    /// Where it is.
    pub id: EventId,
    /// The version that a write must carry.
    pub version: Version,
    /// iCalendar UID.
    pub uid: String,
    /// Subject of the master.
    pub subject: String,
    /// The organizer's address, where the event names one.
    pub organizer: Option<Address>,
    /// Whether the calendar's owner organises it: named as organizer, or nobody is and it stands in
    /// the owner's own calendar.
    pub organised_by_owner: bool,
    /// Every attendee of any component, the organizer left out, each address once.
    pub attendees: Vec<Attendee>,
    /// Master first, then exceptions in the order of the source.
    pub instances: Vec<Instance>,
    /// The event as the calendar holds it. Opaque above the connector.
    pub content: Vec<u8>,
}

impl Meeting {
    /// Number of people in the meeting, the organizer included.
    pub fn people(&self) -> usize {
        self.attendees.len() + 1
    }

    /// Whether some component lies in the future and is not cancelled.
    pub fn is_upcoming(&self) -> bool {
        self.instances.iter().any(|i| i.upcoming && !i.cancelled)
    }
}

/// How a video device that is not of the platform joins (Teams: cloud video interop).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoDevice {
    /// What the device dials (Teams: the tenant key, `contoso@video.example`).
    pub address: String,
    /// The number that it asks for.
    pub id: String,
}

/// Where a meeting is now held: what its new block and properties say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinInformation {
    /// The target platform.
    pub platform: Platform,
    /// The name people know the service by, shown in the block ("Jitsi Meet").
    pub display_name: String,
    /// The new join URL.
    pub join_url: String,
    /// Meeting ID to print; none where the link says it all.
    pub meeting_id: Option<String>,
    /// Passcode to print.
    pub passcode: Option<String>,
    /// Dial-in numbers.
    pub dial_in: Vec<DialIn>,
    /// PIN or conference ID for the telephone.
    pub conference_id: Option<String>,
    /// A page with the numbers of other places.
    #[serde(default)]
    pub numbers_url: Option<String>,
    /// How a room's video device joins.
    #[serde(default)]
    pub video: Option<VideoDevice>,
    /// The page on which the organizer sets the meeting's options.
    #[serde(default)]
    pub options_url: Option<String>,
    /// A page with help.
    pub help_url: Option<String>,
}

impl JoinInformation {
    /// A meeting of which nothing is known but its link.
    pub fn new(platform: Platform, display_name: impl Into<String>, join_url: impl Into<String>) -> Self {
        Self {
            platform,
            display_name: display_name.into(),
            join_url: join_url.into(),
            meeting_id: None,
            passcode: None,
            dial_in: Vec::new(),
            conference_id: None,
            numbers_url: None,
            video: None,
            options_url: None,
            help_url: None,
        }
    }
}

/// The block of one component is to be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// Which component.
    pub instance: InstanceId,
    /// What was recognised there, by its key; other meetings' blocks stay.
    pub key: String,
    /// Where it is held now.
    pub target: JoinInformation,
    /// Language of the new block (BCP 47 primary tag).
    pub language: String,
}

/// What to change in one meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// One for each component to change.
    pub replacements: Vec<Replacement>,
    /// The new DTSTAMP and LAST-MODIFIED of each changed component.
    pub stamp: Timestamp,
    /// Raise SEQUENCE, for clients that ignore an update without.
    pub raise_sequence: bool,
    /// What organizer and attendees are called now. An iCalendar event is renamed as a whole, because its
    /// components share one organizer; of an Exchange item only what lies ahead of `stamp`.
    pub identities: Arc<IdentityMap>,
}

/// The change of one part of an invite, for preview and history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartChange {
    /// Component.
    pub instance: InstanceId,
    /// Property name: `DESCRIPTION`, `LOCATION`, `X-ALT-DESC` …
    pub part: String,
    /// The whole decoded text before; empty where the property is new.
    pub before: String,
    /// The whole decoded text after; empty where the property was removed.
    pub after: String,
}

/// A meeting's content with its blocks replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// The new content; equal to the old where nothing was to change.
    pub content: Vec<u8>,
    /// What changed.
    pub changes: Vec<PartChange>,
}

/// Which attendees are told of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttendeeChoice {
    /// Every attendee.
    #[default]
    All,
    /// Those outside the organisation's domains.
    External,
    /// Nobody.
    None,
}
