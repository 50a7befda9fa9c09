//! Events of the Google Calendar API.

use serde_json::{Map, Value};

use crate::recognise::BodyFormat;

use super::Item;
use super::json::string;

pub(super) fn is_event(object: &Map<String, Value>) -> bool {
    let kind = object.get("kind").and_then(Value::as_str) == Some("calendar#event");
    let text = object.get("description").is_some_and(Value::is_string);
    kind || object.contains_key("hangoutLink")
        || object.contains_key("conferenceData")
        || text && object.contains_key("summary") && object.contains_key("start")
}

pub(super) fn event(object: &Map<String, Value>) -> Item {
    let mut item = Item {
        subject: string(object.get("summary")),
        uid: string(object.get("iCalUID")),
        location: string(object.get("location")),
        ..Item::default()
    };
    if let Some(description) = string(object.get("description")) {
        item.bodies.push(("description".to_owned(), BodyFormat::guess(&description), description));
    }
    item.properties.extend(string(object.get("hangoutLink")).map(|url| ("hangoutLink".to_owned(), url)));
    let points =
        object.get("conferenceData").and_then(|data| data.get("entryPoints")).and_then(Value::as_array);
    for point in points.into_iter().flatten() {
        item.properties.extend(string(point.get("uri")).map(|uri| ("CONFERENCE".to_owned(), uri)));
    }
    item
}
