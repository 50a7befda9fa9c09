//! Calendar items of Exchange (`t:CalendarItem`) as components of an item. Everything in them is hostile: what is missing
//! or of another type is taken for absent, and only an item without an id is none.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use mms_invite::item::{Body, Component, Invitee, Item, NamedProperty, Recurrence, Role};
use mms_invite::recognise::BodyFormat;
use mms_model::{Address, Attendee, InstanceId, Participation};

use super::request::ItemId;
use super::xml::Element;
use crate::calendar::exchange::{ID, JOIN_URL, SEEN, fingerprint};

/// The name of the item's change key among [`Component::connector`].
pub(super) const CHANGE_KEY: &str = "changeKey";

/// `calendar:CalendarItemType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `Single`, and whatever is unknown.
    Single,
    /// `RecurringMaster`.
    Master,
    /// `Occurrence`.
    Occurrence,
    /// `Exception`.
    Exception,
}

/// What the listing shows of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub id: String,
    /// Whether it has ended for certain; of a series that is not known yet.
    pub has_ended: bool,
    /// Whether the mailbox's owner is said not to organise it.
    pub is_foreign: bool,
    pub is_cancelled: bool,
}

/// A calendar item.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub kind: Kind,
    pub uid: String,
    pub is_organizer: Option<bool>,
    pub organizer: Option<Address>,
    pub recurrence: Recurrence,
    /// The exceptions of a series.
    pub modified: Vec<Modified>,
    pub component: Component,
}

/// An exception of a series, as its master names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Modified {
    pub id: String,
    pub end: Option<Timestamp>,
    /// Its place in the series, in UTC.
    pub original_start: String,
}

impl Listed {
    /// Reads an entry of FindItem; none where it has no id.
    pub(super) fn read(item: &Element, from: Timestamp) -> Option<Self> {
        let is_series = kind(item) == Kind::Master;
        Some(Self {
            id: item_id(item)?.id,
            has_ended: !is_series && end(item).is_some_and(|end| end <= from),
            is_foreign: is_organizer(item) == Some(false),
            is_cancelled: !is_series && is_true(item, "IsCancelled"),
        })
    }
}

impl Event {
    /// Reads a calendar item; none where it has no id.
    pub(super) fn read(item: &Element) -> Option<Self> {
        let id = item_id(item)?;
        let kind = kind(item);
        let instance = match kind {
            Kind::Exception | Kind::Occurrence => {
                let original = item.text_of("RecurrenceId").and_then(|at| at.parse::<Timestamp>().ok());
                InstanceId::Exception(original.map_or_else(|| id.id.clone(), |at| at.to_string()))
            }
            Kind::Single | Kind::Master => InstanceId::Master,
        };
        let organizer = item.child("Organizer").and_then(|organizer| address(organizer.child("Mailbox")?));
        let mut component = Component::new(instance);
        component.subject = text(item, "Subject");
        component.body = item.child("Body").map(body);
        component.location = text(item, "Location");
        component.properties = item
            .all("ExtendedProperty")
            .filter_map(|property| Some((named(property)?, text(property, "Value"))))
            .collect();
        component.online_meeting.join_url = item.text_of("JoinOnlineMeetingUrl").map(str::to_owned);
        component.online_meeting.is_online = component.online_meeting.join_url.is_some();
        component.attendees = attendees(item);
        component.start = time(item, "Start");
        component.end = end(item);
        component.is_cancelled = is_true(item, "IsCancelled");
        component.sensitivity = item.text_of("Sensitivity").map(str::to_owned);
        let seen = fingerprint(&component);
        for (name, value) in [(ID, id.id), (CHANGE_KEY, id.change_key), (SEEN, seen)] {
            component.connector.insert(name.to_owned(), value);
        }
        if let Some(url) = component.online_meeting.join_url.clone() {
            component.connector.insert(JOIN_URL.to_owned(), url);
        }
        Some(Self {
            kind,
            uid: text(item, "UID"),
            is_organizer: is_organizer(item),
            organizer,
            recurrence: recurrence(item, kind),
            modified: modified(item),
            component,
        })
    }

    /// The item of a single event, or of a master with its exceptions.
    pub(super) fn into_item(self, exceptions: Vec<Component>) -> Item {
        let mut components = vec![self.component];
        for exception in exceptions {
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

/// The item's id and change key.
pub(super) fn item_id(item: &Element) -> Option<ItemId> {
    let id = item.child("ItemId")?;
    Some(ItemId {
        id: id.attribute("Id").filter(|id| !id.is_empty())?.to_owned(),
        change_key: id.attribute("ChangeKey").unwrap_or_default().to_owned(),
    })
}

fn kind(item: &Element) -> Kind {
    match item.text_of("CalendarItemType") {
        Some("RecurringMaster") => Kind::Master,
        Some("Occurrence") => Kind::Occurrence,
        Some("Exception") => Kind::Exception,
        _ => Kind::Single,
    }
}

/// Text as it stands; blanks at its ends may be people's own.
fn text(element: &Element, name: &str) -> String {
    element.child(name).map(|child| child.text.clone()).unwrap_or_default()
}

fn is_true(element: &Element, name: &str) -> bool {
    matches!(element.text_of(name), Some("true" | "1"))
}

/// `MyResponseType` of an organizer's copy is `Organizer`; of an appointment without attendees it is unknown.
fn is_organizer(item: &Element) -> Option<bool> {
    match item.text_of("MyResponseType")? {
        "Organizer" => Some(true),
        "Accept" | "Decline" | "Tentative" | "NoResponseReceived" => Some(false),
        _ => None,
    }
}

fn body(body: &Element) -> Body {
    let format = match body.attribute("BodyType") {
        Some(kind) if kind.eq_ignore_ascii_case("text") => BodyFormat::Text,
        _ => BodyFormat::Html,
    };
    Body { format, content: body.text.clone() }
}

/// The property that an `ExtendedProperty` holds.
fn named(property: &Element) -> Option<NamedProperty> {
    let uri = property.child("ExtendedFieldURI")?;
    let set = uri.attribute("DistinguishedPropertySetId").or_else(|| uri.attribute("PropertySetId"))?;
    NamedProperty::find(set, uri.attribute("PropertyName").or_else(|| uri.attribute("PropertyId"))?)
}

fn address(mailbox: &Element) -> Option<Address> {
    // A mailbox of this Exchange that left it is known by its X.500 name alone, to which nobody compares.
    mailbox.text_of("EmailAddress").filter(|address| address.contains('@')).map(Address::new)
}

/// The lists of attendees, with the elements that they stand in.
pub(super) const LISTS: [(Role, &str); 3] = [
    (Role::Required, "RequiredAttendees"),
    (Role::Optional, "OptionalAttendees"),
    (Role::Resource, "Resources"),
];

fn attendees(item: &Element) -> Vec<Invitee> {
    LISTS.into_iter().filter_map(|(role, list)| Some((role, item.child(list)?))).flat_map(of_list).collect()
}

/// A list is written whole. Somebody without an address, or a distribution list of the organizer's own, could not be
/// written back, so a list with one of them is never written.
fn of_list((role, list): (Role, &Element)) -> Vec<Invitee> {
    let is_plain = |attendee: &Element| {
        let mailbox = attendee.child("Mailbox");
        mailbox.is_some_and(|m| m.text_of("EmailAddress").is_some() && m.child("ItemId").is_none())
    };
    let fixed = !list.all("Attendee").all(is_plain);
    let invitees = list.all("Attendee").filter_map(|attendee| invitee(attendee, role));
    invitees.map(|invitee| Invitee { fixed, ..invitee }).collect()
}

fn invitee(attendee: &Element, role: Role) -> Option<Invitee> {
    let mailbox = attendee.child("Mailbox")?;
    let attendee = Attendee {
        address: Address::new(mailbox.text_of("EmailAddress")?),
        name: mailbox.text_of("Name").map(str::to_owned),
        participation: match attendee.text_of("ResponseType") {
            Some("Accept") => Participation::Accepted,
            Some("Decline") => Participation::Declined,
            Some("Tentative") => Participation::Tentative,
            Some("Unknown" | "NoResponseReceived") | None => Participation::NeedsAction,
            Some(_) => Participation::Other,
        },
    };
    let routing = mailbox.text_of("RoutingType").filter(|routing| *routing != "SMTP").map(str::to_owned);
    // A mailbox of this Exchange that left it is known by its X.500 name alone, to which nobody compares.
    let routing = routing.or_else(|| (!attendee.address.as_str().contains('@')).then(|| "EX".to_owned()));
    Some(Invitee { attendee, role, routing, fixed: false })
}

fn time(element: &Element, name: &str) -> Option<Timestamp> {
    let text = element.text_of(name)?;
    // Some versions leave the zone out, which then is that of TimeZoneContext.
    text.parse().ok().or_else(|| format!("{text}Z").parse().ok())
}

/// When an item ends for everybody: whole days are the zone's of the mailbox, and end half a day later in the west.
fn end(item: &Element) -> Option<Timestamp> {
    let end = time(item, "End")?;
    let in_the_west = || end.checked_add(SignedDuration::from_hours(12)).unwrap_or(end);
    Some(if is_true(item, "IsAllDayEvent") { in_the_west() } else { end })
}

/// How an item recurs: a series without an end goes on, one with an end ends with its last occurrence, which Exchange
/// names. Where it does not, the end is that of its last day, or unknown.
fn recurrence(item: &Element, kind: Kind) -> Recurrence {
    if kind != Kind::Master {
        return Recurrence::Single;
    }
    let rule = item.child("Recurrence");
    let endless = rule.is_some_and(|rule| rule.child("NoEndRecurrence").is_some());
    let last = || item.child("LastOccurrence").and_then(|last| time(last, "End"));
    let last_day = || {
        let end = rule?.child("EndDateRecurrence")?.text_of("EndDate")?;
        let date: Date = end.get(..10)?.parse().ok()?;
        let day = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
        // The day is local, and an occurrence may run beyond midnight.
        day.checked_add(SignedDuration::from_hours(72)).ok()
    };
    Recurrence::Series { last_end: if endless { None } else { last().or_else(last_day) } }
}

fn modified(item: &Element) -> Vec<Modified> {
    let Some(list) = item.child("ModifiedOccurrences") else { return Vec::new() };
    list.all("Occurrence")
        .filter_map(|occurrence| {
            let id = item_id(occurrence)?.id;
            let original = time(occurrence, "OriginalStart");
            Some(Modified {
                original_start: original.map_or_else(|| id.clone(), |at| at.to_string()),
                end: time(occurrence, "End"),
                id,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn item(inside: &str) -> Element {
        Element::parse(
            format!("<t:CalendarItem><t:ItemId Id=\"A\" ChangeKey=\"K\"/>{inside}</t:CalendarItem>")
                .as_bytes(),
        )
        .unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_list_with_somebody_who_could_not_be_written_back_is_fixed() {
        let list = |more: &str| {
            let xml = format!(
                "<CalendarItem><RequiredAttendees><Attendee><Mailbox><EmailAddress>b@x.test</EmailAddress></Mailbox></Attendee>\
                 <Attendee><Mailbox><Name>C</Name>{more}</Mailbox></Attendee></RequiredAttendees><OptionalAttendees><Attendee>\
                 <Mailbox><EmailAddress>o@x.test</EmailAddress></Mailbox></Attendee></OptionalAttendees></CalendarItem>"
            );
            attendees(&Element::parse(xml.as_bytes()).unwrap())
        };
        for more in [
            "",
            "<EmailAddress>my@x.test</EmailAddress><MailboxType>PrivateDL</MailboxType><ItemId Id=\"A\"/>",
        ] {
            let found = list(more);
            assert!(found[0].fixed, "{more}");
            assert!(!found.last().unwrap().fixed, "the other list can be written");
        }
        assert!(list("<EmailAddress>c@x.test</EmailAddress>").iter().all(|invitee| !invitee.fixed));
    }

    #[test]
    fn an_item_becomes_a_component() {
        let event = Event::read(&item(
            "<t:Subject>Budget</t:Subject><t:Sensitivity>Confidential</t:Sensitivity><t:Body BodyType=\"HTML\">&lt;p&gt;x&lt;/p&gt;</t:Body>\
             <t:ExtendedProperty><t:ExtendedFieldURI PropertySetId=\"00020329-0000-0000-c000-000000000046\" PropertyName=\"OnlineMeetingExternalLink\" PropertyType=\"String\"/>\
             <t:Value>https://meet.x.test/a/B</t:Value></t:ExtendedProperty>\
             <t:UID>U</t:UID><t:Start>2026-12-01T09:00:00Z</t:Start><t:End>2026-12-01T10:00:00Z</t:End><t:Location>Room 7</t:Location>\
             <t:MyResponseType>Organizer</t:MyResponseType><t:Organizer><t:Mailbox><t:EmailAddress>a@x.test</t:EmailAddress></t:Mailbox></t:Organizer>\
             <t:RequiredAttendees><t:Attendee><t:Mailbox><t:Name>Bob</t:Name><t:EmailAddress>b@x.test</t:EmailAddress></t:Mailbox><t:ResponseType>Accept</t:ResponseType></t:Attendee>\
             <t:Attendee><t:Mailbox><t:EmailAddress>/o=x/cn=gone</t:EmailAddress></t:Mailbox></t:Attendee></t:RequiredAttendees>",
        ))
        .unwrap();
        let component = &event.component;
        assert_eq!((event.uid.as_str(), event.is_organizer, event.kind), ("U", Some(true), Kind::Single));
        assert_eq!(component.body.as_ref().unwrap().content, "<p>x</p>");
        assert_eq!(
            component.property(NamedProperty::OnlineMeetingExternalLink),
            Some("https://meet.x.test/a/B")
        );
        assert_eq!(
            (component.location.as_str(), component.sensitivity.as_deref()),
            ("Room 7", Some("Confidential"))
        );
        let [bob, gone] = component.attendees.as_slice() else { panic!("{:?}", component.attendees) };
        assert_eq!((bob.attendee.participation, bob.routing.as_deref()), (Participation::Accepted, None));
        assert_eq!(gone.routing.as_deref(), Some("EX"), "kept, but nobody whom a mail reaches");
        assert!(!bob.fixed && !gone.fixed);
        assert_eq!(component.connector.get(CHANGE_KEY).map(String::as_str), Some("K"));
    }

    #[test]
    fn a_series_ends_with_its_last_occurrence() {
        let end = |inside: &str| {
            let item = item(&format!("<t:CalendarItemType>RecurringMaster</t:CalendarItemType>{inside}"));
            match Event::read(&item).unwrap().recurrence {
                Recurrence::Series { last_end } => last_end,
                Recurrence::Single => panic!("a master is a series"),
            }
        };
        let last = "<t:LastOccurrence><t:End>2026-12-01T10:00:00Z</t:End></t:LastOccurrence>";
        assert_eq!(end(last), Some(at("2026-12-01T10:00:00Z")));
        assert_eq!(end(&format!("<t:Recurrence><t:NoEndRecurrence/></t:Recurrence>{last}")), None);
        let by_day = "<t:Recurrence><t:EndDateRecurrence><t:EndDate>2026-12-01Z</t:EndDate></t:EndDateRecurrence></t:Recurrence>";
        assert_eq!(end(by_day), Some(at("2026-12-04T00:00:00Z")));
        assert_eq!(end(""), None, "what is not known goes on");
    }

    #[test]
    fn only_what_is_over_for_certain_is_passed_over() {
        let from = at("2026-11-23T00:00:00Z");
        let ended = |inside: &str| Listed::read(&item(inside), from).unwrap().has_ended;
        assert!(ended("<t:End>2026-11-22T10:00:00Z</t:End>"));
        assert!(!ended("<t:End>2026-11-22T20:00:00Z</t:End><t:IsAllDayEvent>true</t:IsAllDayEvent>"));
        assert!(!ended(
            "<t:End>2020-01-01T10:00:00Z</t:End><t:CalendarItemType>RecurringMaster</t:CalendarItemType>"
        ));
        assert!(!ended("<t:End>soon</t:End>") && !ended(""));
        assert!(ended("<t:End>2026-11-22T10:00:00</t:End>"), "without a zone it is UTC");
    }

    #[test]
    fn exceptions_are_known_by_their_original_start() {
        let event = Event::read(&item(
            "<t:ModifiedOccurrences><t:Occurrence><t:ItemId Id=\"E\"/><t:End>2026-12-02T10:00:00Z</t:End>\
             <t:OriginalStart>2026-12-01T09:00:00+01:00</t:OriginalStart></t:Occurrence><t:Occurrence/></t:ModifiedOccurrences>",
        ))
        .unwrap();
        assert_eq!(
            event.modified,
            [Modified {
                id: "E".into(),
                end: Some(at("2026-12-02T10:00:00Z")),
                original_start: "2026-12-01T08:00:00Z".into()
            }]
        );
    }

    proptest! {
        #[test]
        fn reading_survives_any_item(xml in "(<t:(End|Start|Body|Recurrence|ItemId|Organizer|UID)>[0-9TZ:-]{0,20}</t:(End|Start|Body|Recurrence|ItemId|Organizer|UID)>){0,5}") {
            if let Ok(element) = Element::parse(format!("<a><ItemId Id=\"1\"/>{xml}</a>").as_bytes()) {
                let _ = Event::read(&element);
                let _ = Listed::read(&element, Timestamp::UNIX_EPOCH);
            }
        }
    }
}
