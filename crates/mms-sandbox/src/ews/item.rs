//! Calendar items as EWS shows them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::answer::escaped;
use super::mime;
use super::shape::{Extended, Shape};
use crate::item::{Item, OCCURRENCES, later};
use crate::mailbox::{Recipient, Role};

pub(super) fn change_key(version: u32) -> String {
    STANDARD.encode(format!("DwAAABYAAAA{version:08}"))
}

pub(super) fn version_of(change_key: &str) -> Option<u32> {
    let bytes = STANDARD.decode(change_key).ok()?;
    std::str::from_utf8(&bytes).ok()?.strip_prefix("DwAAABYAAAA")?.parse().ok()
}

impl Item<'_> {
    fn id_element(&self) -> String {
        format!("<t:ItemId Id=\"{}\" ChangeKey=\"{}\"/>", self.id.text(), change_key(self.version))
    }

    /// The item with the fields that were asked for; `full` is GetItem, which alone shows bodies and attendees.
    pub(super) fn element(&self, shape: &Shape<'_>, full: bool) -> String {
        let mut xml = "<t:CalendarItem>".to_owned();
        if full && shape.has_mime {
            xml.push_str(&mime::element(&mime::calendar(self)));
        }
        xml.push_str(&self.id_element());
        for field in ORDER {
            if *field == BEHIND_EXTENDED {
                shape.extended.iter().for_each(|Extended { key, uri }| {
                    if let Some(value) = self.extended(key) {
                        let value = escaped(&value.to_string());
                        let property = format!(
                            "<t:ExtendedProperty>{uri}<t:Value>{value}</t:Value></t:ExtendedProperty>"
                        );
                        xml.push_str(&property);
                    }
                });
            }
            if shape.fields.contains(field) {
                xml.push_str(&self.field(field, full).unwrap_or_default());
            }
        }
        xml + "</t:CalendarItem>"
    }

    fn field(&self, field: &str, full: bool) -> Option<String> {
        let element = |name: &str, value: &str| Some(format!("<t:{name}>{}</t:{name}>", escaped(value)));
        match field {
            "item:Subject" => element("Subject", self.subject()),
            "item:ItemClass" => element("ItemClass", "IPM.Appointment"),
            "item:Sensitivity" => {
                element("Sensitivity", if self.was.confidential { "Confidential" } else { "Normal" })
            }
            "item:Body" if full => {
                Some(format!("<t:Body BodyType=\"HTML\">{}</t:Body>", escaped(self.body())))
            }
            "item:DateTimeCreated" => element("DateTimeCreated", &self.created().to_string()),
            "item:ReminderIsSet" => element("ReminderIsSet", "false"),
            "item:LastModifiedTime" => element("LastModifiedTime", &self.modified().to_string()),
            "calendar:UID" => element("UID", &self.was.uid),
            "calendar:DateTimeStamp" => element("DateTimeStamp", &self.modified().to_string()),
            "calendar:OriginalStart" if self.id.occurrence.is_some() => {
                element("OriginalStart", &self.original_start().to_string())
            }
            "calendar:LegacyFreeBusyStatus" => element("LegacyFreeBusyStatus", "Busy"),
            "calendar:RecurrenceId" if self.id.occurrence.is_some() => {
                element("RecurrenceId", &self.original_start().to_string())
            }
            "calendar:Start" => element("Start", &self.start().to_string()),
            "calendar:End" => element("End", &self.end().to_string()),
            "calendar:IsAllDayEvent" => element("IsAllDayEvent", "false"),
            "calendar:Location" => {
                if self.location().is_empty() {
                    None
                } else {
                    element("Location", self.location())
                }
            }
            "calendar:IsMeeting" => element("IsMeeting", &(!self.attendees().is_empty()).to_string()),
            "calendar:IsCancelled" => element("IsCancelled", "false"),
            "calendar:IsRecurring" => element("IsRecurring", &self.id.occurrence.is_some().to_string()),
            "calendar:CalendarItemType" => element(
                "CalendarItemType",
                match self.id.occurrence {
                    Some(_) if self.id.is_exception() => "Exception",
                    Some(_) => "Occurrence",
                    None if self.is_master() => "RecurringMaster",
                    None => "Single",
                },
            ),
            "calendar:MyResponseType" => element("MyResponseType", self.my_response()),
            "calendar:Organizer" => {
                Some(format!("<t:Organizer>{}</t:Organizer>", self.person(self.organizer())))
            }
            "calendar:RequiredAttendees" if full => self.list("RequiredAttendees", Role::Required),
            "calendar:OptionalAttendees" if full => self.list("OptionalAttendees", Role::Optional),
            "calendar:Resources" if full => self.list("Resources", Role::Resource),
            "calendar:Recurrence" if full && self.is_master() => Some(format!(
                "<t:Recurrence><t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>{}</t:DaysOfWeek>\
                 </t:WeeklyRecurrence><t:NumberedRecurrence><t:StartDate>{}</t:StartDate>\
                 <t:NumberOfOccurrences>{OCCURRENCES}</t:NumberOfOccurrences></t:NumberedRecurrence></t:Recurrence>",
                self.was.start.strftime("%A"),
                self.was.start.strftime("%Y-%m-%d%:z")
            )),
            "calendar:LastOccurrence" if full && self.is_master() => {
                let (start, end) =
                    (later(self.was.start, OCCURRENCES - 1, 0), later(self.was.end, OCCURRENCES - 1, 0));
                let id = self.id_element();
                Some(format!(
                    "<t:LastOccurrence>{id}<t:Start>{start}</t:Start><t:End>{end}</t:End></t:LastOccurrence>"
                ))
            }
            "calendar:ModifiedOccurrences" if full && self.is_master() => {
                let item = self.exception()?;
                Some(format!(
                    "<t:ModifiedOccurrences><t:Occurrence>{}<t:Start>{}</t:Start><t:End>{}</t:End>\
                     <t:OriginalStart>{}</t:OriginalStart></t:Occurrence></t:ModifiedOccurrences>",
                    item.id_element(),
                    item.start(),
                    item.end(),
                    item.original_start()
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
        let (name, address) = (self.organisation.name(user), self.organisation.address(user));
        mailbox(&Recipient { name, address })
    }

    fn list(&self, element: &str, role: Role) -> Option<String> {
        let invited = self.invited(role);
        let attendee = |(recipient, answer): &(Recipient, &str)| {
            let mailbox = mailbox(recipient);
            format!("<t:Attendee>{mailbox}<t:ResponseType>{answer}</t:ResponseType></t:Attendee>")
        };
        let all: String = invited.iter().map(attendee).collect();
        (!all.is_empty()).then(|| format!("<t:{element}>{all}</t:{element}>"))
    }
}

fn mailbox(Recipient { name, address }: &Recipient) -> String {
    format!(
        "<t:Mailbox><t:Name>{}</t:Name><t:EmailAddress>{}</t:EmailAddress><t:RoutingType>SMTP</t:RoutingType>\
         <t:MailboxType>Mailbox</t:MailboxType></t:Mailbox>",
        escaped(name),
        escaped(address)
    )
}

/// Extended properties stand right before this field.
const BEHIND_EXTENDED: &str = "item:LastModifiedTime";

/// The fields of an item in the order of the schema; no other may be asked for.
pub(super) const ORDER: &[&str] = &[
    "item:ItemClass",
    "item:Subject",
    "item:Sensitivity",
    "item:Body",
    "item:DateTimeCreated",
    "item:ReminderIsSet",
    BEHIND_EXTENDED,
    "calendar:UID",
    "calendar:RecurrenceId",
    "calendar:DateTimeStamp",
    "calendar:Start",
    "calendar:End",
    "calendar:OriginalStart",
    "calendar:IsAllDayEvent",
    "calendar:LegacyFreeBusyStatus",
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
