//! Events of Microsoft Graph as JSON: one, a list, or inside other JSON.

use serde_json::{Map, Value};

use crate::recognise::BodyFormat;

use super::{InputError, Item};

/// More events than this in one file are not read.
const MAX_EVENTS: usize = 10_000;

/// Whether `text` begins as a JSON object or a list of them; `[Meeting 1]` does not.
pub(super) fn is_json(text: &str) -> bool {
    let object =
        |text: &str| text.strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with(['"', '}']));
    object(text) || text.strip_prefix('[').is_some_and(|rest| object(rest.trim_start()))
}

pub(super) fn read(name: &str, text: &str) -> Result<Vec<Item>, InputError> {
    let value: Value = serde_json::from_str(text.trim_start_matches('\u{FEFF}')).map_err(|error| {
        InputError::Malformed { name: name.to_owned(), format: "JSON", message: error.to_string() }
    })?;
    let mut items = Vec::new();
    collect(&value, &mut items);
    if items.is_empty() {
        return Err(InputError::NoEvent { name: name.to_owned(), format: "Microsoft Graph" });
    }
    Ok(items)
}

/// serde_json bounds the depth of what it reads, and with it this recursion.
fn collect(value: &Value, items: &mut Vec<Item>) {
    if items.len() >= MAX_EVENTS {
        return;
    }
    match value {
        Value::Object(object) if is_event(object) => items.push(event(object)),
        Value::Object(object) => object.values().for_each(|value| collect(value, items)),
        Value::Array(values) => values.iter().for_each(|value| collect(value, items)),
        _ => {}
    }
}

fn is_event(object: &Map<String, Value>) -> bool {
    let body = object.get("body").is_some_and(|body| body.get("content").is_some());
    body || object.contains_key("onlineMeeting")
        || object.contains_key("bodyPreview") && object.contains_key("subject")
}

fn event(object: &Map<String, Value>) -> Item {
    let string = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let mut item = Item {
        subject: string(object.get("subject")),
        uid: string(object.get("iCalUId")),
        location: string(object.get("location").and_then(|l| l.get("displayName"))),
        ..Item::default()
    };
    if let Some(content) = string(object.get("body").and_then(|b| b.get("content"))) {
        let kind =
            object.get("body").and_then(|b| b.get("contentType")).and_then(Value::as_str).unwrap_or_default();
        let format =
            if kind.eq_ignore_ascii_case("html") { BodyFormat::Html } else { BodyFormat::guess(&content) };
        item.bodies.push(("body".to_owned(), format, content));
    } else if let Some(preview) = string(object.get("bodyPreview")) {
        item.bodies.push(("bodyPreview".to_owned(), BodyFormat::Text, preview));
    }
    item.properties
        .extend(string(object.get("onlineMeetingUrl")).map(|url| ("onlineMeetingUrl".to_owned(), url)));
    if let Some(meeting) = object.get("onlineMeeting") {
        for (key, name) in [
            ("joinUrl", "joinUrl"),
            ("conferenceId", "OnlineMeetingConferenceId"),
            ("tollNumber", "OnlineMeetingTollNumber"),
        ] {
            item.properties.extend(string(meeting.get(key)).map(|value| (name.to_owned(), value)));
        }
    }
    let extended = object.get("singleValueExtendedProperties").and_then(Value::as_array);
    for property in extended.into_iter().flatten() {
        let id = property.get("id").and_then(Value::as_str).unwrap_or_default();
        // "String {00020329-…} Name SkypeTeamsMeetingUrl"
        let name = id.split_once(" Name ").map(|(_, name)| name.trim().to_owned());
        item.properties.extend(name.zip(string(property.get("value"))));
    }
    item
}
