//! Events of Graph (`event` resource type, v1.0) as components of an item. Everything in them is hostile: what is
//! missing or of another type is taken for absent, and only an event without an id is none.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use mms_invite::item::{
    Body, Component, Invitee, Item, Location, NamedProperty, OnlineMeeting, Properties, Recurrence, Role,
};
use mms_invite::recognise::BodyFormat;
use mms_model::{Address, Attendee, InstanceId, Participation};
use serde_json::Value;

use crate::calendar::exchange::{ID, JOIN_URL, SEEN, fingerprint};

/// What is read of an event.
pub(super) const FIELDS: &str = "id,iCalUId,type,seriesMasterId,originalStart,isOrganizer,organizer,isCancelled,\
    isDraft,isAllDay,start,end,recurrence,subject,body,location,locations,attendees,sensitivity,isOnlineMeeting,\
    onlineMeetingProvider,onlineMeeting,onlineMeetingUrl";
/// What is read of an event to see whether it is worth reading.
pub(super) const SLIM_FIELDS: &str = "id,type,start,end,isAllDay,recurrence,isCancelled,isOrganizer";
/// What is read of an occurrence to see whether it is an exception.
pub(super) const INSTANCE_FIELDS: &str = "id,type,start,end,isAllDay,originalStart,isCancelled";

/// The name of the event's ETag among [`Component::connector`].
pub(super) const ETAG: &str = "etag";
/// Of the mark of a change that the organizer has not sent yet.
pub(super) const DRAFT: &str = "draft";

/// `$expand` for the named properties.
pub(super) fn expand() -> String {
    let each: Vec<String> = NamedProperty::ALL.iter().map(|p| format!("id eq '{}'", p.graph_id())).collect();
    format!("singleValueExtendedProperties($filter={})", each.join(" or "))
}

/// `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `singleInstance`, and whatever is unknown.
    Single,
    /// `seriesMaster`.
    Master,
    /// `occurrence`.
    Occurrence,
    /// `exception`.
    Exception,
}

/// An event.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) kind: Kind,
    pub(super) uid: String,
    pub(super) is_organizer: Option<bool>,
    pub(super) organizer: Option<Address>,
    pub(super) recurrence: Recurrence,
    pub(super) component: Component,
}

/// What the listing shows of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) id: String,
    pub(super) is_series: bool,
    /// Whether it has ended for certain.
    pub(super) has_ended: bool,
    /// Whether the calendar's owner is said not to organise it.
    pub(super) is_foreign: bool,
    pub(super) is_cancelled: bool,
}

/// An occurrence of a series.
#[derive(Debug, Clone)]
pub(super) struct Instance {
    pub(super) id: String,
    pub(super) is_exception: bool,
    pub(super) end: Option<Timestamp>,
}

impl Event {
    /// Reads an event; none where it has no id.
    pub(super) fn read(mut json: Value) -> Option<Self> {
        let id = text(&json, "id").filter(|id| !id.is_empty())?.to_owned();
        let kind = kind(&json);
        let instance = match kind {
            Kind::Exception | Kind::Occurrence => InstanceId::Exception(original_start(&json, &id)),
            Kind::Single | Kind::Master => InstanceId::Master,
        };
        let organizer = address(&json["organizer"]["emailAddress"]);
        let mut component = Component::new(instance);
        component.subject = text(&json, "subject").unwrap_or_default().to_owned();
        component.body = body(&mut json["body"]);
        component.location = text(&json["location"], "displayName").unwrap_or_default().to_owned();
        component.locations = locations(&mut json["locations"]);
        component.properties = properties(&json["singleValueExtendedProperties"]);
        component.online_meeting = online_meeting(&json);
        component.attendees = attendees(&json["attendees"]);
        component.start = time(&json["start"]);
        component.end = end(&json);
        component.is_cancelled = json["isCancelled"] == true;
        component.sensitivity = text(&json, "sensitivity").map(str::to_owned);
        let seen = fingerprint(&component);
        let mut note = |name: &str, value: &str| {
            component.connector.insert(name.to_owned(), value.to_owned());
        };
        note(ID, &id);
        note(SEEN, &seen);
        if let Some(etag) = text(&json, "@odata.etag") {
            note(ETAG, etag);
        }
        if json["isDraft"] == true {
            note(DRAFT, "true");
        }
        if let Some(url) = component.online_meeting.join_url.clone() {
            component.connector.insert(JOIN_URL.to_owned(), url);
        }
        Some(Self {
            kind,
            uid: text(&json, "iCalUId").unwrap_or_default().to_owned(),
            is_organizer: json["isOrganizer"].as_bool(),
            organizer,
            recurrence: recurrence(&json, component.start, component.end),
            component,
        })
    }

    /// The item of a single event, or of a master with its exceptions.
    pub(super) fn into_item(self, exceptions: Vec<Component>) -> Item {
        let mut components = vec![self.component];
        for exception in exceptions {
            // A second one with the same original start cannot be: the first counts.
            if components.iter().all(|c| c.instance != exception.instance) {
                components.push(exception);
            }
        }
        Item {
            uid: self.uid,
            organizer: self.organizer,
            is_organizer: self.is_organizer,
            recurrence: self.recurrence,
            components,
        }
    }
}

impl Listed {
    /// Reads an entry of the listing; none where it has no id.
    pub(super) fn read(json: &Value, from: Timestamp) -> Option<Self> {
        let (start, end) = (time(&json["start"]), end(json));
        let ends = match recurrence(json, start, end) {
            Recurrence::Single => end,
            Recurrence::Series { last_end } => last_end,
        };
        Some(Self {
            id: text(json, "id").filter(|id| !id.is_empty())?.to_owned(),
            is_series: kind(json) == Kind::Master,
            has_ended: ends.is_some_and(|end| end <= from),
            is_foreign: json["isOrganizer"] == false,
            is_cancelled: json["isCancelled"] == true,
        })
    }
}

impl Instance {
    /// Reads an occurrence; none where it has no id.
    pub(super) fn read(json: &Value) -> Option<Self> {
        Some(Self {
            id: text(json, "id").filter(|id| !id.is_empty())?.to_owned(),
            is_exception: kind(json) == Kind::Exception,
            end: end(json),
        })
    }
}

fn text<'a>(json: &'a Value, name: &str) -> Option<&'a str> {
    json.get(name).and_then(Value::as_str)
}

fn kind(json: &Value) -> Kind {
    match text(json, "type") {
        Some("seriesMaster") => Kind::Master,
        Some("occurrence") => Kind::Occurrence,
        Some("exception") => Kind::Exception,
        _ => Kind::Single,
    }
}

/// The place of an exception in its series: its original start, in UTC.
fn original_start(json: &Value, id: &str) -> String {
    let original = text(json, "originalStart").and_then(|t| t.parse::<Timestamp>().ok());
    // One that does not say it is known by its id, which stays the same as well.
    original.map_or_else(|| id.to_owned(), |at| at.to_string())
}

fn body(json: &mut Value) -> Option<Body> {
    let format = match text(json, "contentType") {
        Some(kind) if kind.eq_ignore_ascii_case("text") => BodyFormat::Text,
        _ => BodyFormat::Html,
    };
    match json.get_mut("content").map(Value::take) {
        Some(Value::String(content)) => Some(Body { format, content }),
        _ => None,
    }
}

/// Every entry, for the list is written whole: one without a name, or with null for it, has an empty one.
fn locations(json: &mut Value) -> Vec<Location> {
    let Value::Array(all) = json.take() else { return Vec::new() };
    let location = |location| {
        let Value::Object(mut other) = location else { return None };
        let display_name = match other.remove("displayName") {
            Some(Value::String(name)) => name,
            _ => String::new(),
        };
        Some(Location { display_name, other: other.into_iter().collect() })
    };
    all.into_iter().filter_map(location).collect()
}

fn properties(json: &Value) -> Properties {
    json.as_array()
        .into_iter()
        .flatten()
        .filter_map(|property| {
            let named = NamedProperty::from_graph_id(text(property, "id")?)?;
            Some((named, text(property, "value")?.to_owned()))
        })
        .collect()
}

/// Meetings of Teams have `onlineMeeting.joinUrl`, those of Skype for Business `onlineMeetingUrl`.
fn online_meeting(json: &Value) -> OnlineMeeting {
    let said = |name| text(&json["onlineMeeting"], name).filter(|t| !t.is_empty()).map(str::to_owned);
    let url = || text(json, "onlineMeetingUrl").filter(|t| !t.is_empty()).map(str::to_owned);
    let provider = text(json, "onlineMeetingProvider").filter(|provider| *provider != "unknown");
    OnlineMeeting {
        is_online: json["isOnlineMeeting"] == true,
        provider: provider.map(str::to_owned),
        join_url: said("joinUrl").or_else(url),
        conference_id: said("conferenceId"),
        toll_number: said("tollNumber"),
    }
}

fn address(json: &Value) -> Option<Address> {
    text(json, "address").map(str::trim).filter(|address| !address.is_empty()).map(Address::new)
}

/// What an attendee's `type` says. A value that is not known counts as the first.
pub(super) const TYPES: [(Role, &str); 3] =
    [(Role::Required, "required"), (Role::Optional, "optional"), (Role::Resource, "resource")];

fn attendees(json: &Value) -> Vec<Invitee> {
    json.as_array().into_iter().flatten().map(invitee).collect()
}

fn invitee(json: &Value) -> Invitee {
    let attendee = Attendee {
        address: address(&json["emailAddress"]).unwrap_or_else(|| Address::new("")),
        name: text(&json["emailAddress"], "name").map(str::to_owned),
        participation: match text(&json["status"], "response") {
            Some("accepted") => Participation::Accepted,
            Some("declined") => Participation::Declined,
            Some("tentativelyAccepted") => Participation::Tentative,
            Some("none" | "notResponded") | None => Participation::NeedsAction,
            Some(_) => Participation::Other,
        },
    };
    let kind = text(json, "type");
    let role = TYPES.iter().find(|(_, name)| Some(*name) == kind).map(|(role, _)| *role).unwrap_or_default();
    let routing = (!attendee.address.as_str().contains('@')).then(|| "EX".to_owned());
    Invitee { attendee, role, routing, fixed: false }
}

/// A `dateTimeTimeZone`. Without a `Prefer` for time zones Graph writes UTC; a zone that is not known here makes no
/// time.
fn time(json: &Value) -> Option<Timestamp> {
    let at = text(json, "dateTime")?;
    if let Ok(at) = at.parse::<Timestamp>() {
        return Some(at);
    }
    let zone = match text(json, "timeZone") {
        None | Some("" | "UTC" | "tzone://Microsoft/Utc") => TimeZone::UTC,
        Some(name) => TimeZone::get(name).ok()?,
    };
    at.parse::<DateTime>().ok()?.to_zoned(zone).ok().map(|at| at.timestamp())
}

/// When an event ends for everybody: whole days are shown as if they were UTC's, and end half a day later in the west.
fn end(json: &Value) -> Option<Timestamp> {
    let end = time(&json["end"])?;
    let in_the_west = || end.checked_add(SignedDuration::from_hours(12)).unwrap_or(end);
    Some(if json["isAllDay"] == true { in_the_west() } else { end })
}

/// How an event recurs. The end of a series is that of its last occurrence, or later, never earlier: an ended
/// series costs a look, one that is taken for ended keeps a dead link.
fn recurrence(json: &Value, start: Option<Timestamp>, end: Option<Timestamp>) -> Recurrence {
    if kind(json) != Kind::Master {
        return Recurrence::Single;
    }
    let recurrence = &json["recurrence"];
    let range = &recurrence["range"];
    let last_end = || {
        let (start, end) = (start?, end?);
        let days = match text(range, "type")? {
            "endDate" => {
                let date = |name| text(range, name)?.parse::<Date>().ok();
                (date("endDate")? - date("startDate")?).get_days().into()
            }
            "numbered" => days_of(&recurrence["pattern"], range["numberOfOccurrences"].as_i64()?)?,
            _ => return None,
        };
        // Daylight saving, and that the dates are local while the times are UTC.
        let slack = Span::new().hours(26);
        let last = end.checked_add(SignedDuration::from_hours(days.checked_mul(24)?)).ok()?;
        Some(last.max(start)).and_then(|last| last.checked_add(slack).ok())
    };
    Recurrence::Series { last_end: last_end() }
}

/// No more days than lie between the first and the last of `count` occurrences.
fn days_of(pattern: &Value, count: i64) -> Option<i64> {
    let interval = pattern["interval"].as_i64().filter(|i| *i > 0).unwrap_or(1);
    let step = match text(pattern, "type")? {
        "daily" => 1,
        "weekly" => 7,
        "absoluteMonthly" | "relativeMonthly" => 31,
        "absoluteYearly" | "relativeYearly" => 366,
        _ => return None,
    };
    // With several days in a week this is more than enough.
    count.checked_mul(interval)?.checked_mul(step)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn master(range: &Value, pattern: &Value) -> Value {
        json!({
            "id": "M", "type": "seriesMaster",
            "start": {"dateTime": "2026-01-05T09:00:00.0000000", "timeZone": "UTC"},
            "end": {"dateTime": "2026-01-05T10:00:00.0000000", "timeZone": "UTC"},
            "recurrence": {"pattern": pattern, "range": range},
        })
    }

    #[test]
    fn an_event_becomes_a_component() {
        let mut json = json!({
            "@odata.etag": "W/\"1\"", "id": "A", "iCalUId": "U", "type": "singleInstance", "isOrganizer": true,
            "organizer": {"emailAddress": {"name": "Alice", "address": "alice@contoso.example"}},
            "subject": "Budget", "body": {"contentType": "html", "content": "<p>x</p>"},
            "location": {"displayName": "Room 7"}, "locations": [{"displayName": "Room 7", "uniqueId": "r"}],
            "start": {"dateTime": "2026-12-01T09:00:00.0000000", "timeZone": "UTC"},
            "end": {"dateTime": "2026-12-01T10:00:00", "timeZone": "Europe/Berlin"},
            "onlineMeetingUrl": "https://meet.contoso.example/alice/P1O2I3U4",
            "onlineMeetingProvider": "unknown", "isOnlineMeeting": true,
            "attendees": [
                {"emailAddress": {"address": "bob@fabrikam.example"}, "status": {"response": "accepted"}},
                {"emailAddress": {"address": "Alice@contoso.example"}, "status": {"response": "organizer"}},
                {"emailAddress": {"name": "nobody"}},
            ],
        });
        json["singleValueExtendedProperties"] = json!([
            {"id": NamedProperty::OnlineMeetingExternalLink.graph_id(), "value": "https://x"},
            {"id": "String {00020329-0000-0000-C000-000000000046} Name Other", "value": "y"},
        ]);
        let event = Event::read(json).unwrap();
        assert_eq!((event.kind, event.uid.as_str(), event.is_organizer), (Kind::Single, "U", Some(true)));
        let component = &event.component;
        assert_eq!(component.attendees.len(), 3, "a list is written whole, so it is read whole");
        assert_eq!(component.attendees[2].routing.as_deref(), Some("EX"), "nobody whom a mail reaches");
        assert_eq!(component.attendees[0].attendee.participation, Participation::Accepted);
        assert_eq!(component.end, Some(at("2026-12-01T09:00:00Z")));
        assert_eq!(component.properties.len(), 1);
        assert_eq!(component.online_meeting.provider, None);
        assert!(component.online_meeting.join_url.as_deref().unwrap().contains("P1O2I3U4"));
        assert_eq!(component.connector[ETAG], "W/\"1\"");
        let mut edited = component.clone();
        assert_eq!(fingerprint(&edited), component.connector[SEEN]);
        edited.location.push('!');
        assert_ne!(fingerprint(&edited), component.connector[SEEN]);
    }

    #[test]
    fn a_series_ends_no_earlier_than_its_last_occurrence() {
        let weekly = json!({"type": "weekly", "interval": 2, "daysOfWeek": ["monday"]});
        let ended = |range: Value, pattern: &Value, now: &str| {
            Listed::read(&master(&range, pattern), at(now)).unwrap().has_ended
        };
        let dated = json!({"type": "endDate", "startDate": "2026-01-05", "endDate": "2026-03-30"});
        assert!(!ended(dated.clone(), &weekly, "2026-03-30T09:59:00Z"));
        assert!(ended(dated, &weekly, "2026-04-02T09:00:00Z"));
        let numbered = json!({"type": "numbered", "startDate": "2026-01-05", "numberOfOccurrences": 3});
        assert!(!ended(numbered.clone(), &weekly, "2026-02-02T09:59:00Z"));
        assert!(ended(numbered, &weekly, "2026-04-02T09:00:00Z"));
        for range in [
            json!({"type": "noEnd"}),
            json!({"type": "soon"}),
            json!(null),
            json!({"type": "numbered", "numberOfOccurrences": i64::MAX}),
            json!({"type": "endDate", "startDate": "x", "endDate": "0001-01-01"}),
        ] {
            assert!(!ended(range, &weekly, "2099-01-01T00:00:00Z"));
        }
    }

    #[test]
    fn a_whole_day_is_over_when_it_is_over_in_the_west() {
        let mut json = json!({"id": "A", "isAllDay": true, "end": {"dateTime": "2026-12-02T00:00:00", "timeZone": "UTC"}});
        let ended = |json: &Value, now: &str| Listed::read(json, at(now)).unwrap().has_ended;
        assert!(!ended(&json, "2026-12-02T08:00:00Z"));
        assert!(ended(&json, "2026-12-02T12:00:00Z"));
        json["isAllDay"] = json!(false);
        assert!(ended(&json, "2026-12-02T08:00:00Z"));
    }

    #[test]
    fn an_exception_stands_at_its_original_start() {
        let json = json!({"id": "E", "type": "exception", "originalStart": "2026-12-08T10:00:00+01:00"});
        let event = Event::read(json).unwrap();
        assert_eq!(event.component.instance, InstanceId::Exception("2026-12-08T09:00:00Z".to_owned()));
        let json = json!({"id": "E", "type": "exception", "originalStart": 5});
        assert_eq!(Event::read(json).unwrap().component.instance, InstanceId::Exception("E".to_owned()));
    }

    #[test]
    fn bodies_of_any_size_are_taken_as_they_are() {
        let content = "x".repeat(5 << 20);
        let json = json!({"id": "A", "body": {"contentType": "Text", "content": content}});
        let body = Event::read(json).unwrap().component.body.unwrap();
        assert_eq!((body.format, body.content.len()), (BodyFormat::Text, 5 << 20));
        for broken in [json!({}), json!([]), json!({"id": ""}), json!({"id": 5}), json!(null), json!("x")] {
            assert!(Event::read(broken).is_none());
        }
    }

    /// JSON with the names of an event, and values of any type.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
            prop_oneof![
                Just("seriesMaster"),
                Just("exception"),
                Just("numbered"),
                Just("endDate"),
                Just("weekly"),
                Just("2026-01-05"),
                Just("-9999-01-01"),
                Just("9999-12-31T23:59:59.9999999"),
                Just("UTC")
            ]
            .prop_map(Value::from),
        ];
        let name = prop_oneof![
            Just("id"),
            Just("type"),
            Just("body"),
            Just("content"),
            Just("contentType"),
            Just("start"),
            Just("end"),
            Just("dateTime"),
            Just("timeZone"),
            Just("recurrence"),
            Just("range"),
            Just("pattern"),
            Just("interval"),
            Just("numberOfOccurrences"),
            Just("startDate"),
            Just("endDate"),
            Just("attendees"),
            Just("emailAddress"),
            Just("address"),
            Just("locations"),
            Just("displayName"),
            Just("organizer"),
            Just("originalStart"),
            Just("singleValueExtendedProperties"),
            Just("value"),
            Just("onlineMeeting"),
            Just("status"),
        ];
        leaf.prop_recursive(4, 64, 8, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((name.clone(), inner), 0..8).prop_map(|members| {
                    Value::Object(members.into_iter().map(|(n, v)| (n.to_owned(), v)).collect())
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_event_is_too_odd_to_read(mut json in any_json()) {
            if let Some(object) = json.as_object_mut() {
                object.insert("id".to_owned(), Value::from("A"));
                prop_assert!(Listed::read(&json, Timestamp::UNIX_EPOCH).is_some());
                prop_assert!(Instance::read(&json).is_some());
                let event = Event::read(json).unwrap();
                let item = event.into_item(Vec::new());
                prop_assert_eq!(&Item::from_bytes(&item.to_bytes()).unwrap(), &item);
            }
        }
    }
}
