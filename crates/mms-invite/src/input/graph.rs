//! Events of Microsoft Graph.

use serde_json::{Map, Value};

use crate::item::graph_name;
use crate::recognise::BodyFormat;

use super::Item;
use super::json::string;

pub(super) fn is_event(object: &Map<String, Value>) -> bool {
    let body = object.get("body").is_some_and(|body| body.get("content").is_some());
    body || object.contains_key("onlineMeeting")
        || object.contains_key("bodyPreview") && object.contains_key("subject")
}

pub(super) fn event(object: &Map<String, Value>) -> Item {
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
        let name = graph_name(id).map(str::to_owned);
        item.properties.extend(name.zip(string(property.get("value"))));
    }
    item
}
