//! Calendar items of Exchange, as its web services (EWS) and Microsoft Graph show them: what iCalendar
//! text is to a CalDAV server.
//!
//! An [`Item`] is a whole meeting: the single item, or the series master with its exceptions, each a
//! [`Component`]. A connector fills it from what it read; [`Item::to_bytes`] is the meeting's
//! `content`. [`crate::rewrite::Editor::rewrite_item`] and [`undo()`] make new content from it, and
//! [`Item::changes`] tells the connector which fields to send: never start, end or recurrence, because
//! Exchange takes those for a rescheduling, and attendees only where one of them got another address.

mod change;
mod identity;
mod property;
mod read_back;
mod rewrite;
mod teams;
mod undo;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use mms_model::{Address, Attendee, EventId, Instance, InstanceId, Meeting, Recognition, User, Version};
use serde::{Deserialize, Serialize};

use crate::recognise::{BodyFormat, BodyPart, EventText, Findings, Recogniser};

pub use change::{Changes, Field, diff};
pub use identity::{Invitee, Role};
pub(crate) use property::graph_name;
pub use property::{NamedProperty, Properties, PropertyKey, PropertySet, PropertyType};
pub use read_back::{ReadBack, read_back};
pub use teams::meeting_options_url;
pub use undo::{joined, undo};

/// A meeting of an Exchange calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// `UID`, `iCalUId` of the master.
    pub uid: String,
    /// The organizer, where the item names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organizer: Option<Address>,
    /// What the server says: `isOrganizer`, or whether `MyResponseType` is `Organizer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_organizer: Option<bool>,
    /// Whether it recurs.
    #[serde(default)]
    pub recurrence: Recurrence,
    /// The master or single item first, then the exceptions.
    pub components: Vec<Component>,
}

/// How a meeting recurs, as far as it matters whether something of it lies ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Recurrence {
    /// Not at all.
    #[default]
    Single,
    /// In a series.
    Series {
        /// When its last occurrence ends; none where it has no end, or where that is not known.
        last_end: Option<Timestamp>,
    },
}

/// One item: a single one, a series master or an exception.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// Which: an exception by its original start, in UTC as RFC 3339 writes it, because that stays when
    /// the exception moves.
    pub instance: InstanceId,
    /// What the connector needs to write it: ids, change key, ETag. Nobody else looks at it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub connector: BTreeMap<String, String>,
    /// Subject.
    #[serde(default)]
    pub subject: String,
    /// Body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    /// Location as text (`Location`; `location.displayName`).
    #[serde(default)]
    pub location: String,
    /// Graph's `locations`. Where there are any they are written whole and `location` is not: Graph keeps the
    /// two in step, and drops every entry when `location` is written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locations: Vec<Location>,
    /// Named properties that speak of an online meeting.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: Properties,
    /// What the server itself says of the online meeting.
    #[serde(default, skip_serializing_if = "OnlineMeeting::is_empty")]
    pub online_meeting: OnlineMeeting,
    /// Attendees as the server lists them, where the organizer may be among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attendees: Vec<Invitee>,
    /// Start (of a master: of the series).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// End (of a master: of its first occurrence).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Timestamp>,
    /// Cancelled.
    #[serde(default)]
    pub is_cancelled: bool,
    /// `normal`, `personal`, `private`, `confidential`, in any case; kept for display. Confidential
    /// meetings are migrated as any other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<String>,
    /// The fields in which this content differs from what the calendar held; filled by `rewrite_item` and
    /// `undo` so that an update made later, from the journal, still sends no others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<Field>,
}

/// The body of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// How it is written.
    pub format: BodyFormat,
    /// The text, exactly as it was read.
    pub content: String,
}

/// An entry of Graph's `locations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// `displayName`.
    #[serde(rename = "displayName", default)]
    pub display_name: String,
    /// Every other member (`locationType`, `address`, `uniqueId` …), as it was read.
    #[serde(flatten)]
    pub other: BTreeMap<String, serde_json::Value>,
}

/// What the server derives or keeps of an online meeting and no client can set (Graph's `onlineMeeting`,
/// `onlineMeetingUrl`; `JoinOnlineMeetingUrl` in EWS). In content to be written it says nothing of a
/// meeting that moves: only reading back tells.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OnlineMeeting {
    /// `isOnlineMeeting`. In Graph it is one-way: once true, only taking the block out of the body ends it.
    #[serde(default)]
    pub is_online: bool,
    /// `onlineMeetingProvider`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// `onlineMeeting.joinUrl`, else `onlineMeetingUrl`; `JoinOnlineMeetingUrl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join_url: Option<String>,
    /// `onlineMeeting.conferenceId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conference_id: Option<String>,
    /// `onlineMeeting.tollNumber`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toll_number: Option<String>,
}

impl OnlineMeeting {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Content that is no item.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ItemError {
    /// Not the JSON of an item.
    #[error("the stored content is no Exchange calendar item: {0}")]
    Malformed(String),
    /// Nothing in it.
    #[error("the stored calendar item has no components")]
    Empty,
    /// Two components with the same place in the series.
    #[error("the calendar item has two components {0:?}: read it again")]
    Twice(InstanceId),
}

impl Item {
    /// The content of the meeting, as canonical JSON: equal items give equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let bodies = self.components.iter().filter_map(|c| c.body.as_ref()).map(|body| body.content.len());
        let mut bytes = Vec::with_capacity(bodies.map(|body| body + body / 8 + 2048).sum());
        match serde_json::to_writer(&mut bytes, self) {
            Ok(()) => bytes,
            Err(error) => unreachable!("an item is plain data: {error}"),
        }
    }

    /// Reads what [`Item::to_bytes`] wrote.
    ///
    /// # Errors
    /// Other content, or components that cannot be told apart.
    pub fn from_bytes(content: &[u8]) -> Result<Self, ItemError> {
        let item: Self =
            serde_json::from_slice(content).map_err(|error| ItemError::Malformed(error.to_string()))?;
        if item.components.is_empty() {
            return Err(ItemError::Empty);
        }
        let mut seen = std::collections::HashSet::new();
        match item.components.iter().find(|c| !seen.insert(&c.instance)) {
            Some(twice) => Err(ItemError::Twice(twice.instance.clone())),
            None => Ok(item),
        }
    }

    /// The component with this place in the series.
    pub fn component(&self, instance: &InstanceId) -> Option<&Component> {
        self.components.iter().find(|c| c.instance == *instance)
    }

    /// The meeting that the item is, for `owner`'s calendar. What has ended by `from` is over. Id and version are
    /// left empty for the connector to fill in.
    pub fn meeting(&self, owner: &User, from: Timestamp, recogniser: &Recogniser) -> Meeting {
        let mut instances: Vec<Instance> = self
            .components
            .iter()
            .map(|component| {
                let upcoming = self.is_upcoming(component, from);
                Instance {
                    id: component.instance.clone(),
                    upcoming,
                    cancelled: component.is_cancelled,
                    start: component.start,
                    // What is over stays as it is, whatever it says.
                    recognition: if upcoming {
                        component.find(recogniser).recognition.clone()
                    } else {
                        Recognition::None
                    },
                }
            })
            .collect();
        instances.sort_by_key(|instance| instance.id != InstanceId::Master);
        let master = self.component(&InstanceId::Master).or_else(|| self.components.first());
        let named = || self.organizer.as_ref().is_none_or(|address| owner.owns(address));
        Meeting {
            id: EventId(String::new()),
            version: Version(String::new()),
            uid: self.uid.clone(),
            subject: master.map(|c| c.subject.clone()).unwrap_or_default(),
            organizer: self.organizer.clone(),
            organised_by_owner: self.is_organizer.unwrap_or_else(named),
            attendees: self.attendees(),
            // None is the greatest here: one component without an end is enough.
            last_end: self.components.iter().map(|c| self.end(c)).reduce(|a, b| Some(a?.max(b?))).flatten(),
            instances,
            content: self.to_bytes(),
        }
    }

    /// What cannot be read counts as upcoming: a link in the past is worth little, one in the future much.
    fn is_upcoming(&self, component: &Component, from: Timestamp) -> bool {
        self.end(component).is_none_or(|end| end > from)
    }

    /// When a component ends; of a master, its last occurrence.
    fn end(&self, component: &Component) -> Option<Timestamp> {
        match (&component.instance, self.recurrence) {
            (InstanceId::Master, Recurrence::Series { last_end }) => last_end,
            _ => component.end,
        }
    }

    fn attendees(&self) -> Vec<Attendee> {
        let mut seen = std::collections::HashSet::new();
        let all = self.components.iter().flat_map(|c| &c.attendees);
        let mailed = all.filter(|invitee| invitee.routing.is_none()).map(|invitee| &invitee.attendee);
        mailed
            .filter(|a| {
                !a.address.as_str().is_empty()
                    && self.organizer.as_ref() != Some(&a.address)
                    && seen.insert(&a.address)
            })
            .cloned()
            .collect()
    }
}

impl Component {
    /// A component in which nothing is known but its place.
    pub fn new(instance: InstanceId) -> Self {
        Self {
            instance,
            connector: BTreeMap::new(),
            subject: String::new(),
            body: None,
            location: String::new(),
            locations: Vec::new(),
            properties: Properties::new(),
            online_meeting: OnlineMeeting::default(),
            attendees: Vec::new(),
            start: None,
            end: None,
            is_cancelled: false,
            sensitivity: None,
            pending: Vec::new(),
        }
    }

    /// The property's value; an empty one is none.
    pub fn property(&self, property: NamedProperty) -> Option<&str> {
        self.properties.get(&property).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// What the recogniser finds in the component. [`Findings::properties`] counts the named properties in
    /// their order, and behind them what the server says.
    fn find(&self, recogniser: &Recogniser) -> Arc<Findings> {
        let online = &self.online_meeting;
        let told = [
            ("joinUrl", &online.join_url),
            (NamedProperty::OnlineMeetingConferenceId.name(), &online.conference_id),
            (NamedProperty::OnlineMeetingTollNumber.name(), &online.toll_number),
        ];
        let named = self.properties.iter().map(|(property, value)| (property.name(), value.as_str()));
        let told = told.iter().filter_map(|(name, value)| value.as_deref().map(|value| (*name, value)));
        recogniser.event_again(&EventText {
            bodies: self.body.iter().map(Body::part).collect(),
            location: Some(self.location.as_str()).filter(|location| !location.is_empty()),
            properties: named.chain(told).collect(),
            scheduled: true,
        })
    }

    /// Whether the recogniser found that this property speaks of the meeting.
    fn names(&self, findings: &Findings, property: NamedProperty) -> bool {
        let index = self.properties.keys().position(|p| *p == property);
        index.is_some_and(|index| findings.properties.contains(&index))
    }
}

impl Body {
    fn part(&self) -> BodyPart<'_> {
        BodyPart { format: self.format, text: &self.content }
    }
}
