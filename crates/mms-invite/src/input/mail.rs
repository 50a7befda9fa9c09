//! Mails: the calendar part of an invitation, and the bodies of mails that have none.

use mail_parser::{MessageParser, MimeHeaders, PartType};

use crate::recognise::BodyFormat;

use super::{InputError, Item, calendar};

/// Whether `bytes` begin with the headers of a mail.
pub(super) fn is_mail(bytes: &[u8]) -> bool {
    const TELLING: &[&str] = &[
        "received:",
        "return-path:",
        "message-id:",
        "mime-version:",
        "content-type:",
        "delivered-to:",
        "x-original-to:",
        "date:",
        "from:",
        "to:",
        "subject:",
    ];
    let head = bytes.get(..bytes.len().min(16 * 1024)).unwrap_or_default();
    let mut telling = 0;
    for (number, line) in head.split(|b| *b == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        let continued = line.starts_with(b" ") || line.starts_with(b"\t");
        let envelope = number == 0 && line.starts_with(b"From ");
        let name = line.iter().position(|b| *b == b':').and_then(|end| line.get(..=end)).unwrap_or_default();
        if !envelope && !continued && (name.is_empty() || !name.iter().all(|b| b.is_ascii_graphic())) {
            return false;
        }
        telling += usize::from(TELLING.iter().any(|t| name.eq_ignore_ascii_case(t.as_bytes())));
    }
    telling >= 2
}

/// The events of a mail: that of its calendar part together with the bodies beside it, which are
/// the same invite in other forms; several events, or the bodies alone.
pub(super) fn read(name: &str, bytes: &[u8]) -> Result<Vec<Item>, InputError> {
    let malformed = || InputError::Malformed {
        name: name.to_owned(),
        format: "a mail",
        message: "it has no headers; save the whole message".to_owned(),
    };
    let message = MessageParser::default().parse(bytes).ok_or_else(malformed)?;
    let mut events = Vec::new();
    let mut bodies = Vec::new();
    for part in &message.parts {
        let subtype =
            part.content_type().and_then(|kind| kind.subtype()).unwrap_or("plain").to_ascii_lowercase();
        match &part.body {
            PartType::Text(text) if subtype == "calendar" || calendar::is_calendar(text.trim_start()) => {
                events.extend(calendar::read(text));
            }
            PartType::Binary(raw) if matches!(subtype.as_str(), "ics" | "calendar") && events.is_empty() => {
                let text = super::encoding::decode(raw).unwrap_or_default();
                events.extend(calendar::read(&text));
            }
            PartType::Text(text) => {
                bodies.push(("text/plain".to_owned(), BodyFormat::Text, text.clone().into_owned()));
            }
            PartType::Html(html) => {
                bodies.push(("text/html".to_owned(), BodyFormat::Html, html.clone().into_owned()));
            }
            _ => {}
        }
    }
    for event in &mut events {
        for (part, _, _) in &mut event.bodies {
            part.insert_str(0, "text/calendar ");
        }
    }
    // What people read comes first; a quoted thread in it may speak of other meetings, and then the
    // calendar part alone decides.
    let mut combined = Item { bodies, subject: message.subject().map(str::to_owned), ..Item::default() };
    if let [event] = events.as_slice() {
        combined.bodies.extend(event.bodies.iter().cloned());
        combined.properties.clone_from(&event.properties);
        combined.location.clone_from(&event.location);
        combined.uid.clone_from(&event.uid);
        combined.combined = true;
        events.insert(0, combined);
    } else {
        events.push(combined);
    }
    Ok(events)
}
