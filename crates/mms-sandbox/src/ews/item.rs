//! Calendar items as Exchange shows them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};

use super::answer::escaped;
use super::shape::{Extended, Shape};
use crate::mailbox::{Changed, Event};
use crate::organisation::{Blueprint, Kind, Organisation};

/// The occurrence of a series that was changed, counted from 0.
const EXCEPTION: i64 = 2;
/// Occurrences of a series.
const OCCURRENCES: i64 = 20;

/// What an item id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id {
    pub(super) user: usize,
    pub(super) event: usize,
    pub(super) is_exception: bool,
}

impl Id {
    pub(super) fn text(self) -> String {
        let kind = if self.is_exception { "x" } else { "e" };
        STANDARD.encode(format!("AAMkA:{}:{}:{kind}", self.user, self.event))
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text).ok()?;
        let text = std::str::from_utf8(&bytes).ok()?.strip_prefix("AAMkA:")?;
        let mut parts = text.split(':');
        let (user, event, kind) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { user: user.parse().ok()?, event: event.parse().ok()?, is_exception: kind == "x" })
    }
}

pub(super) fn change_key(version: u32) -> String {
    STANDARD.encode(format!("DwAAABYAAAA{version:08}"))
}

pub(super) fn version_of(change_key: &str) -> Option<u32> {
    let bytes = STANDARD.decode(change_key).ok()?;
    std::str::from_utf8(&bytes).ok()?.strip_prefix("DwAAABYAAAA")?.parse().ok()
}

/// An item: a single one, a master or an exception.
pub(super) struct Item<'o> {
    organisation: &'o Organisation,
    id: Id,
    was: Blueprint,
    version: u32,
    changed: Changed,
}

impl<'o> Item<'o> {
    /// The item with this id; none where there is none.
    pub(super) fn read(organisation: &'o Organisation, id: Id) -> Option<Self> {
        let Event { version, event, exception } = organisation.mailbox(id.user).event(id.event)?;
        let was = organisation.blueprint(id.user, id.event);
        if id.is_exception && was.kind != Kind::Series {
            return None;
        }
        let changed = if id.is_exception { exception } else { event };
        Some(Self { organisation, id, was, version, changed: changed.map(|c| *c).unwrap_or_default() })
    }

    pub(super) fn kind(&self) -> Kind {
        self.was.kind
    }

    pub(super) fn start(&self) -> Timestamp {
        if self.id.is_exception { later(self.was.start, EXCEPTION, 2) } else { self.was.start }
    }

    pub(super) fn end(&self) -> Timestamp {
        if self.id.is_exception { later(self.was.end, EXCEPTION, 2) } else { self.was.end }
    }

    pub(super) fn attendees(&self) -> impl Iterator<Item = String> + '_ {
        self.was.attendees.iter().map(|(user, _)| self.organisation.address(*user))
    }

    fn organizer(&self) -> usize {
        if self.was.kind == Kind::Attending {
            (self.id.user + 1) % self.organisation.users()
        } else {
            self.id.user
        }
    }

    fn body(&self) -> &str {
        self.changed.body.as_deref().unwrap_or(&self.was.body)
    }

    /// A named property's value.
    fn property(&self, name: &str) -> Option<&str> {
        match self.changed.properties.get(name) {
            Some(changed) => changed.as_deref(),
            None => {
                self.was.properties.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
            }
        }
    }

    fn id_element(&self) -> String {
        format!("<t:ItemId Id=\"{}\" ChangeKey=\"{}\"/>", self.id.text(), change_key(self.version))
    }

    /// The item with the fields that were asked for; `full` is GetItem, which alone shows bodies and attendees.
    pub(super) fn xml(&self, shape: &Shape<'_>, full: bool) -> String {
        let mut xml = format!("<t:CalendarItem>{}", self.id_element());
        for field in ORDER.iter().filter(|field| shape.fields.contains(field)) {
            xml.push_str(&self.field(field, full).unwrap_or_default());
        }
        // Extended properties stand behind the body and before the calendar's own fields.
        let place = xml.find("<t:UID>").or_else(|| xml.find("<t:Start>")).unwrap_or(xml.len());
        let extended: String = shape.extended.iter().filter_map(|property| self.extended(property)).collect();
        xml.insert_str(place, &extended);
        xml + "</t:CalendarItem>"
    }

    fn extended(&self, property: &Extended) -> Option<String> {
        let value = self.property(&property.key)?;
        let uri = &property.uri;
        Some(format!("<t:ExtendedProperty>{uri}<t:Value>{}</t:Value></t:ExtendedProperty>", escaped(value)))
    }

    fn field(&self, field: &str, full: bool) -> Option<String> {
        let element = |name: &str, value: &str| Some(format!("<t:{name}>{}</t:{name}>", escaped(value)));
        let is_series = self.was.kind == Kind::Series;
        match field {
            "item:Subject" => {
                element("Subject", self.changed.subject.as_deref().unwrap_or(&self.was.subject))
            }
            "item:ItemClass" => element("ItemClass", "IPM.Appointment"),
            "item:Sensitivity" => {
                element("Sensitivity", if self.was.confidential { "Confidential" } else { "Normal" })
            }
            "item:Body" if full => {
                Some(format!("<t:Body BodyType=\"HTML\">{}</t:Body>", escaped(self.body())))
            }
            "calendar:UID" => element("UID", &self.was.uid),
            "calendar:RecurrenceId" if self.id.is_exception => {
                element("RecurrenceId", &later(self.was.start, EXCEPTION, 0).to_string())
            }
            "calendar:Start" => element("Start", &self.start().to_string()),
            "calendar:End" => element("End", &self.end().to_string()),
            "calendar:IsAllDayEvent" => element("IsAllDayEvent", "false"),
            "calendar:Location" => {
                let location = self.changed.location.as_deref().unwrap_or(&self.was.location);
                if location.is_empty() { None } else { element("Location", location) }
            }
            "calendar:IsMeeting" => element("IsMeeting", &(!self.was.attendees.is_empty()).to_string()),
            "calendar:IsCancelled" => element("IsCancelled", "false"),
            "calendar:IsRecurring" => element("IsRecurring", &self.id.is_exception.to_string()),
            "calendar:CalendarItemType" => element(
                "CalendarItemType",
                match (self.id.is_exception, is_series) {
                    (true, _) => "Exception",
                    (false, true) => "RecurringMaster",
                    (false, false) => "Single",
                },
            ),
            "calendar:MyResponseType" => element(
                "MyResponseType",
                match self.was.kind {
                    Kind::Attending => "Accept",
                    Kind::Plain => "Unknown",
                    _ => "Organizer",
                },
            ),
            "calendar:Organizer" => {
                Some(format!("<t:Organizer>{}</t:Organizer>", self.person(self.organizer())))
            }
            "calendar:RequiredAttendees" if full && !self.was.attendees.is_empty() => {
                let attendee = |(user, answer): &(usize, &str)| {
                    format!(
                        "<t:Attendee>{}<t:ResponseType>{answer}</t:ResponseType></t:Attendee>",
                        self.person(*user)
                    )
                };
                let all: String = self.was.attendees.iter().map(attendee).collect();
                Some(format!("<t:RequiredAttendees>{all}</t:RequiredAttendees>"))
            }
            "calendar:Recurrence" if full && is_series && !self.id.is_exception => Some(format!(
                "<t:Recurrence><t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Monday</t:DaysOfWeek>\
                 </t:WeeklyRecurrence><t:NumberedRecurrence><t:StartDate>{}</t:StartDate>\
                 <t:NumberOfOccurrences>{OCCURRENCES}</t:NumberOfOccurrences></t:NumberedRecurrence></t:Recurrence>",
                self.was.start.strftime("%Y-%m-%d%:z")
            )),
            "calendar:LastOccurrence" if full && is_series && !self.id.is_exception => {
                let (start, end) =
                    (later(self.was.start, OCCURRENCES - 1, 0), later(self.was.end, OCCURRENCES - 1, 0));
                let id = self.id_element();
                Some(format!(
                    "<t:LastOccurrence>{id}<t:Start>{start}</t:Start><t:End>{end}</t:End></t:LastOccurrence>"
                ))
            }
            "calendar:ModifiedOccurrences" if full && is_series && !self.id.is_exception => {
                let exception = Id { is_exception: true, ..self.id };
                let item = Self::read(self.organisation, exception)?;
                Some(format!(
                    "<t:ModifiedOccurrences><t:Occurrence>{}<t:Start>{}</t:Start><t:End>{}</t:End>\
                     <t:OriginalStart>{}</t:OriginalStart></t:Occurrence></t:ModifiedOccurrences>",
                    item.id_element(),
                    item.start(),
                    item.end(),
                    later(self.was.start, EXCEPTION, 0)
                ))
            }
            "calendar:JoinOnlineMeetingUrl" if full => {
                let url = self
                    .property("SkypeTeamsMeetingUrl")
                    .or_else(|| self.property("OnlineMeetingExternalLink"));
                element("JoinOnlineMeetingUrl", url?)
            }
            _ => None,
        }
    }

    fn person(&self, user: usize) -> String {
        format!(
            "<t:Mailbox><t:Name>{}</t:Name><t:EmailAddress>{}</t:EmailAddress><t:RoutingType>SMTP</t:RoutingType>\
             <t:MailboxType>Mailbox</t:MailboxType></t:Mailbox>",
            escaped(&self.organisation.name(user)),
            self.organisation.address(user)
        )
    }
}

/// So many weeks and hours later.
fn later(at: Timestamp, weeks: i64, hours: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_hours(weeks * 168 + hours)).unwrap_or(at)
}

/// The fields of an item in the order of the schema; no other may be asked for.
pub(super) const ORDER: &[&str] = &[
    "item:ItemClass",
    "item:Subject",
    "item:Sensitivity",
    "item:Body",
    "calendar:UID",
    "calendar:RecurrenceId",
    "calendar:Start",
    "calendar:End",
    "calendar:IsAllDayEvent",
    "calendar:Location",
    "calendar:IsMeeting",
    "calendar:IsCancelled",
    "calendar:IsRecurring",
    "calendar:CalendarItemType",
    "calendar:MyResponseType",
    "calendar:Organizer",
    "calendar:RequiredAttendees",
    "calendar:OptionalAttendees",
    "calendar:Resources",
    "calendar:Recurrence",
    "calendar:LastOccurrence",
    "calendar:ModifiedOccurrences",
    "calendar:JoinOnlineMeetingUrl",
];
