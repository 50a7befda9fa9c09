//! Events as JSON: one, a list, or inside other JSON; of Microsoft Graph or of Google Calendar.

use serde_json::Value;

use super::{InputError, Item, google, graph};

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
        return Err(InputError::NoEvent {
            name: name.to_owned(),
            format: "Microsoft Graph or Google Calendar",
        });
    }
    Ok(items)
}

/// serde_json bounds the depth of what it reads, and with it this recursion.
fn collect(value: &Value, items: &mut Vec<Item>) {
    if items.len() >= MAX_EVENTS {
        return;
    }
    match value {
        Value::Object(object) if graph::is_event(object) => items.push(graph::event(object)),
        Value::Object(object) if google::is_event(object) => items.push(google::event(object)),
        Value::Object(object) => object.values().for_each(|value| collect(value, items)),
        Value::Array(values) => values.iter().for_each(|value| collect(value, items)),
        _ => {}
    }
}

/// A text property.
pub(super) fn string(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).map(str::to_owned)
}
