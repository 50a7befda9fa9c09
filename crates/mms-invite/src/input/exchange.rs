//! Calendar items of Exchange Web Services as XML, by local names: samples mix the namespaces.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::recognise::BodyFormat;

use super::{InputError, Item};

pub(super) fn is_item(text: &str) -> bool {
    let mut end = text.len().min(4096);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let head = text.get(..end).unwrap_or_default();
    let markup = head.starts_with("<?xml") || head.contains("Envelope") || head.contains("CalendarItem");
    head.starts_with('<') && markup && (text.contains("CalendarItem") || text.contains("MeetingRequest"))
}

/// More items than this in one file are not read.
const MAX_ITEMS: usize = 10_000;

/// What is being read.
#[derive(Default)]
struct State {
    item: Option<Item>,
    text: String,
    html: bool,
    property: Option<String>,
}

pub(super) fn read(name: &str, text: &str) -> Result<Vec<Item>, InputError> {
    let mut reader = Reader::from_str(text);
    let mut items = Vec::new();
    let mut state = State::default();
    loop {
        let event = reader.read_event().map_err(|error| InputError::Malformed {
            name: name.to_owned(),
            format: "XML",
            message: format!("{error} at byte {}", reader.error_position()),
        })?;
        match event {
            Event::Start(tag) => state.open(&tag),
            Event::Empty(tag) => state.open(&tag),
            Event::Text(piece) => state.text.push_str(&piece),
            Event::CData(piece) => state.text.push_str(&piece),
            Event::GeneralRef(entity) => {
                let entity = format!("&{};", &*entity);
                state.text.push_str(&quick_xml::escape::unescape(&entity).unwrap_or_default());
            }
            Event::End(tag) => items.extend(state.close(tag.local_name().as_ref())),
            Event::Eof => break,
            _ => {}
        }
        if items.len() >= MAX_ITEMS {
            break;
        }
    }
    // A file cut off in an item still shows what it had.
    items.extend(state.item.take());
    if items.is_empty() {
        return Err(InputError::NoEvent { name: name.to_owned(), format: "Exchange" });
    }
    Ok(items)
}

impl State {
    fn open(&mut self, tag: &BytesStart<'_>) {
        self.text.clear();
        let attribute = |name: &str| {
            let found = tag.attributes().flatten().find(|a| a.key.as_ref() == name);
            found.map(|a| a.value.into_owned())
        };
        match tag.local_name().as_ref() {
            "CalendarItem" | "MeetingRequest" => self.item = Some(Item::default()),
            "Body" => self.html = attribute("BodyType").is_some_and(|kind| kind.eq_ignore_ascii_case("html")),
            "ExtendedFieldURI" => self.property = attribute("PropertyName"),
            _ => {}
        }
    }

    fn close(&mut self, name: &str) -> Option<Item> {
        let text = std::mem::take(&mut self.text);
        let item = self.item.as_mut()?;
        match name {
            "CalendarItem" | "MeetingRequest" => return self.item.take(),
            "Subject" => item.subject = Some(text),
            "UID" => item.uid = Some(text),
            "Location" => item.location = Some(text),
            "JoinOnlineMeetingUrl" => item.properties.push(("OnlineMeetingUrl".to_owned(), text)),
            "Value" => item.properties.extend(self.property.take().map(|name| (name, text))),
            "Body" | "TextBody" => {
                let format = if self.html && name == "Body" { BodyFormat::Html } else { BodyFormat::Text };
                item.bodies.push(("body".to_owned(), format, text));
            }
            _ => {}
        }
        None
    }
}
