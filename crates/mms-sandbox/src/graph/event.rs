//! Events as Graph shows them.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Asked, Reply, bad};
use crate::item::{Item, OCCURRENCES};
use crate::mailbox::{Recipient, Role};
use crate::organisation::Kind;

/// The properties of an event (resource type `event`, v1.0).
const PROPERTIES: &[&str] = &[
    "allowNewTimeProposals",
    "attendees",
    "body",
    "bodyPreview",
    "categories",
    "changeKey",
    "createdDateTime",
    "end",
    "hasAttachments",
    "hideAttendees",
    "iCalUId",
    "id",
    "importance",
    "isAllDay",
    "isCancelled",
    "isDraft",
    "isOnlineMeeting",
    "isOrganizer",
    "isReminderOn",
    "lastModifiedDateTime",
    "location",
    "locations",
    "onlineMeeting",
    "onlineMeetingProvider",
    "onlineMeetingUrl",
    "organizer",
    "originalEndTimeZone",
    "originalStart",
    "originalStartTimeZone",
    "recurrence",
    "reminderMinutesBeforeStart",
    "responseRequested",
    "responseStatus",
    "sensitivity",
    "seriesMasterId",
    "showAs",
    "start",
    "subject",
    "transactionId",
    "type",
    "webLink",
];

/// What a request wants to see of events.
pub(super) struct Selection<'a> {
    properties: Vec<&'a str>,
    /// Keys of named properties, and the ids under which they were asked for.
    extended: Vec<(String, &'a str)>,
}

impl<'a> Selection<'a> {
    /// # Errors
    /// A property that events do not have, or an `$expand` that Graph would not take.
    pub(super) fn read(asked: &'a Asked) -> Result<Self, Reply> {
        let properties: Vec<&str> = match asked.option("$select") {
            None => PROPERTIES.to_vec(),
            Some(select) => select.split(',').map(str::trim).collect(),
        };
        if let Some(unknown) = properties.iter().find(|name| !PROPERTIES.contains(name)) {
            return Err(bad(&format!(
                "Could not find a property named '{unknown}' on type 'microsoft.graph.event'."
            )));
        }
        let mut extended = Vec::new();
        if let Some(expand) = asked.option("$expand") {
            let filter = expand
                .strip_prefix("singleValueExtendedProperties($filter=")
                .and_then(|rest| rest.strip_suffix(')'))
                .ok_or_else(|| bad("Parsing OData Select and Expand failed."))?;
            for clause in filter.split(" or ") {
                let id = clause.trim().strip_prefix("id eq '").and_then(|rest| rest.strip_suffix('\''));
                let Some((id, key)) = id.and_then(|id| Some((id, property_key(id)?))) else {
                    return Err(bad("Invalid filter clause in $expand."));
                };
                extended.push((key, id));
            }
        }
        Ok(Self { properties, extended })
    }

    pub(super) fn show(&self, item: &Item<'_>) -> Value {
        let mut shown = Map::new();
        shown.insert("@odata.etag".to_owned(), json!(etag(item.version)));
        for name in &self.properties {
            shown.insert((*name).to_owned(), property(item, name));
        }
        let extended: Vec<Value> = self
            .extended
            .iter()
            .filter_map(|(key, id)| Some(json!({"id": id, "value": item.property(key)?})))
            .collect();
        // Graph leaves the list out where it is empty.
        if !extended.is_empty() {
            shown.insert("singleValueExtendedProperties".to_owned(), json!(extended));
        }
        Value::Object(shown)
    }
}

/// The sandbox's key of a named property: `String {GUID} Name X`, `Boolean {GUID} Id 0x8240`.
pub(super) fn property_key(id: &str) -> Option<String> {
    let mut words = id.split(' ');
    let (_, set, kind, name) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let set = match set.trim_matches(['{', '}']).to_ascii_lowercase().as_str() {
        "00020329-0000-0000-c000-000000000046" => "PublicStrings",
        "00062002-0000-0000-c000-000000000046" => "Appointment",
        _ => set,
    };
    let name = match kind.to_ascii_lowercase().as_str() {
        "name" => name.to_owned(),
        "id" => u32::from_str_radix(name.trim_start_matches("0x"), 16).ok()?.to_string(),
        _ => return None,
    };
    Some(if set == "PublicStrings" { name } else { format!("{set}/{name}") })
}

pub(super) fn etag(version: u32) -> String {
    format!("W/\"DwAAABYAAAA{version:08}\"")
}

fn property(item: &Item<'_>, name: &str) -> Value {
    let organisation = item.organisation;
    let person =
        |user: usize| json!({"name": organisation.name(user), "address": organisation.address(user)});
    match name {
        "id" => json!(item.id.url_safe()),
        "changeKey" => json!(format!("DwAAABYAAAA{:08}", item.version)),
        "iCalUId" => json!(item.was.uid),
        "type" => json!(match item.id.occurrence {
            Some(_) if item.id.is_exception() => "exception",
            Some(_) => "occurrence",
            None if item.is_master() => "seriesMaster",
            None => "singleInstance",
        }),
        "seriesMasterId" => match item.id.occurrence {
            Some(_) => json!(crate::item::Id::new(item.id.user, item.id.event).url_safe()),
            None => Value::Null,
        },
        "originalStart" if item.id.occurrence.is_some() => json!(item.original_start().to_string()),
        "subject" => json!(item.subject()),
        "bodyPreview" => json!(""),
        "body" => json!({"contentType": "html", "content": item.body()}),
        "start" => time(item.start()),
        "end" => time(item.end()),
        "location" => json!({
            "displayName": item.location(), "locationType": "default", "uniqueId": item.location(),
            "uniqueIdType": "private",
        }),
        "locations" if item.location().is_empty() => json!([]),
        "locations" => json!([{"displayName": item.location(), "locationType": "default"}]),
        "isOrganizer" => json!(item.kind() != Kind::Attending),
        "organizer" => json!({"emailAddress": person(item.organizer())}),
        "attendees" => Role::ALL
            .into_iter()
            .zip(["required", "optional", "resource"])
            .flat_map(|(role, kind)| {
                item.invited(role).into_iter().map(move |invited| attendee(kind, &invited))
            })
            .collect(),
        "isCancelled" | "isDraft" | "isAllDay" | "hasAttachments" | "hideAttendees" => json!(false),
        "sensitivity" => json!(if item.was.confidential { "confidential" } else { "normal" }),
        "isOnlineMeeting" => json!(item.is_online()),
        "onlineMeetingProvider" => json!(if item.is_online() { "teamsForBusiness" } else { "unknown" }),
        "onlineMeeting" if item.is_online() => json!({"joinUrl": item.property("SkypeTeamsMeetingUrl")}),
        // What Skype for Business stamps; Teams does not.
        "onlineMeetingUrl" => json!(item.property("OnlineMeetingExternalLink")),
        "recurrence" if item.is_master() => {
            let day = item.was.start.strftime("%Y-%m-%d").to_string();
            json!({
                "pattern": {"type": "weekly", "interval": 1, "month": 0, "dayOfMonth": 0, "firstDayOfWeek": "sunday",
                            "index": "first", "daysOfWeek": [item.was.start.strftime("%A").to_string().to_lowercase()]},
                "range": {"type": "numbered", "startDate": day, "endDate": "0001-01-01", "recurrenceTimeZone": "UTC",
                          "numberOfOccurrences": OCCURRENCES},
            })
        }
        "showAs" => json!("busy"),
        "importance" => json!("normal"),
        "categories" => json!([]),
        "responseStatus" => {
            json!({"response": if item.kind() == Kind::Attending { "accepted" } else { "organizer" },
                   "time": "0001-01-01T00:00:00Z"})
        }
        "createdDateTime" | "lastModifiedDateTime" => json!("2026-11-01T08:00:00Z"),
        "originalStartTimeZone" | "originalEndTimeZone" => json!("UTC"),
        "isReminderOn" | "responseRequested" | "allowNewTimeProposals" => json!(true),
        "reminderMinutesBeforeStart" => json!(15),
        _ => Value::Null,
    }
}

fn time(at: Timestamp) -> Value {
    json!({"dateTime": at.strftime("%Y-%m-%dT%H:%M:%S.0000000").to_string(), "timeZone": "UTC"})
}

fn attendee(kind: &str, (recipient, answer): &(Recipient, &str)) -> Value {
    let response = match *answer {
        "Accept" => "accepted",
        "Tentative" => "tentativelyAccepted",
        "Decline" => "declined",
        _ => "none",
    };
    json!({
        "type": kind, "status": {"response": response, "time": "0001-01-01T00:00:00Z"},
        "emailAddress": {"name": recipient.name, "address": recipient.address},
    })
}
