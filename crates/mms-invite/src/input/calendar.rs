//! iCalendar, read leniently: files that no strict reader takes (descriptions that were never folded,
//! bare line ends, lines cut off) still say which meeting they are.

use std::borrow::Cow;

use crate::recognise::BodyFormat;

use super::Item;

pub(super) fn is_calendar(text: &str) -> bool {
    const BEGIN: &[&str] = &["BEGIN:VCALENDAR", "BEGIN:VEVENT"];
    BEGIN.iter().any(|begin| text.get(..begin.len()).is_some_and(|start| start.eq_ignore_ascii_case(begin)))
}

/// The events of a file, in its order.
pub(super) fn read(text: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let mut item: Option<Item> = None;
    // Alarms have descriptions of their own.
    let mut nested = 0usize;
    for line in content_lines(text) {
        let Some((name, parameters, value)) = split(&line) else { continue };
        match (name.as_str(), value.trim().to_ascii_uppercase().as_str()) {
            ("BEGIN", "VEVENT") => items.extend(item.replace(Item::default())),
            ("END", "VEVENT") => {
                nested = 0;
                items.extend(item.take());
            }
            ("BEGIN", _) if item.is_some() => nested += 1,
            ("END", _) if item.is_some() => nested = nested.saturating_sub(1),
            _ if nested == 0 => {
                if let Some(item) = &mut item {
                    put(item, name, parameters, value);
                }
            }
            _ => {}
        }
    }
    items.extend(item);
    items
}

fn put(item: &mut Item, name: String, parameters: &str, value: &str) {
    let text = unescape(value).into_owned();
    match name.as_str() {
        "DESCRIPTION" | "COMMENT" => {
            let format = BodyFormat::guess(&text);
            item.bodies.push((name, format, text));
        }
        "X-ALT-DESC" | "STYLED-DESCRIPTION" => {
            let html = parameters.to_ascii_lowercase().contains("text/html");
            let format = if html { BodyFormat::Html } else { BodyFormat::guess(&text) };
            item.bodies.push((name, format, text));
        }
        "LOCATION" => item.location = Some(text),
        "SUMMARY" => item.subject = Some(text),
        "UID" => item.uid = Some(text),
        "URL" | "CONFERENCE" => item.properties.push((name, text)),
        _ if name.starts_with("X-") => item.properties.push((name, text)),
        _ => {}
    }
}

/// Unfolded lines. A line that does not begin with a property is the continuation of one whose
/// line breaks were never escaped.
fn content_lines(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        match (out.last_mut(), line.strip_prefix([' ', '\t'])) {
            (Some(last), Some(rest)) => last.push_str(rest),
            (Some(last), None) if !begins_property(line) => {
                last.push_str("\\n");
                last.push_str(line);
            }
            _ => out.push(line.to_owned()),
        }
    }
    out
}

/// Names of RFC 5545, 7986 and 9073; anything else before a colon is text (`https:`, `Passcode:`).
const NAMES: &[&str] = &[
    "BEGIN",
    "END",
    "ATTACH",
    "CATEGORIES",
    "CLASS",
    "COMMENT",
    "DESCRIPTION",
    "GEO",
    "LOCATION",
    "PERCENT-COMPLETE",
    "PRIORITY",
    "RESOURCES",
    "STATUS",
    "SUMMARY",
    "COMPLETED",
    "DTEND",
    "DUE",
    "DTSTART",
    "DURATION",
    "FREEBUSY",
    "TRANSP",
    "TZID",
    "TZNAME",
    "TZOFFSETFROM",
    "TZOFFSETTO",
    "TZURL",
    "ATTENDEE",
    "CONTACT",
    "ORGANIZER",
    "RECURRENCE-ID",
    "RELATED-TO",
    "URL",
    "UID",
    "EXDATE",
    "EXRULE",
    "RDATE",
    "RRULE",
    "ACTION",
    "REPEAT",
    "TRIGGER",
    "CREATED",
    "DTSTAMP",
    "LAST-MODIFIED",
    "SEQUENCE",
    "REQUEST-STATUS",
    "METHOD",
    "PRODID",
    "VERSION",
    "CALSCALE",
    "NAME",
    "COLOR",
    "IMAGE",
    "CONFERENCE",
    "SOURCE",
    "REFRESH-INTERVAL",
    "STYLED-DESCRIPTION",
    "STRUCTURED-DATA",
    "LOCATION-TYPE",
    "PARTICIPANT-TYPE",
    "RESOURCE-TYPE",
    "CALENDAR-ADDRESS",
    "ACKNOWLEDGED",
    "PROXIMITY",
    "LINK",
];

fn begins_property(line: &str) -> bool {
    let end = line.find([':', ';']).unwrap_or(0);
    let name = line.get(..end).unwrap_or_default();
    let vendor = name.get(..2).is_some_and(|x| x.eq_ignore_ascii_case("X-"));
    let word = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    word && !name.is_empty() && (vendor || NAMES.iter().any(|known| known.eq_ignore_ascii_case(name)))
}

/// Name in upper case, parameters and value.
fn split(line: &str) -> Option<(String, &str, &str)> {
    let mut quoted = false;
    let colon = line.bytes().position(|byte| {
        quoted ^= byte == b'"';
        byte == b':' && !quoted
    });
    // A quote that never closes hides the colon: take the first one.
    let colon = colon.or_else(|| line.find(':'))?;
    let (head, value) = (line.get(..colon)?, line.get(colon + 1..)?);
    let (name, parameters) = head.split_once(';').unwrap_or((head, ""));
    Some((name.trim().to_ascii_uppercase(), parameters, value))
}

/// TEXT with its escapes undone (RFC 5545, 3.3.11).
fn unescape(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => match characters.next() {
                Some('n' | 'N') => out.push('\n'),
                Some(escaped @ ('\\' | ';' | ',' | ':' | '"')) => out.push(escaped),
                Some(other) => out.extend(['\\', other]),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_broken_files() {
        let items = read(
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDESCRIPTION:\nHi\n\nPasscode: x\nhttps://zoom.us\n /j/1\nSUMMARY:A\\, b\nBEGIN:VALARM\nDESCRIPTION:no\nEND:VALARM",
        );
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].bodies.len(), 1);
        assert_eq!(items[0].bodies[0].2, "\nHi\n\nPasscode: x\nhttps://zoom.us/j/1");
        assert_eq!(items[0].subject.as_deref(), Some("A, b"));
    }
}
