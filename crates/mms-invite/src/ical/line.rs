//! Content lines (RFC 5545 section 3.1).

use std::borrow::Cow;
use std::ops::Range;

/// Properties and delimiters whose names are written in any case; other names count as the start of
/// a line only in capitals or with `X-` before them, so that "Passcode: 1" in an unfolded
/// description does not.
const NAMES: &[&str] = &[
    "BEGIN",
    "END",
    "ACTION",
    "ATTACH",
    "ATTENDEE",
    "CALSCALE",
    "CATEGORIES",
    "CLASS",
    "COLOR",
    "COMMENT",
    "COMPLETED",
    "CONFERENCE",
    "CONTACT",
    "CREATED",
    "DESCRIPTION",
    "DTEND",
    "DTSTAMP",
    "DTSTART",
    "DUE",
    "DURATION",
    "EXDATE",
    "EXRULE",
    "FREEBUSY",
    "GEO",
    "IMAGE",
    "LAST-MODIFIED",
    "LOCATION",
    "METHOD",
    "NAME",
    "ORGANIZER",
    "PERCENT-COMPLETE",
    "PRIORITY",
    "PRODID",
    "RDATE",
    "RECURRENCE-ID",
    "REFRESH-INTERVAL",
    "RELATED-TO",
    "REPEAT",
    "REQUEST-STATUS",
    "RESOURCES",
    "RRULE",
    "SEQUENCE",
    "SOURCE",
    "STATUS",
    "STRUCTURED-DATA",
    "STYLED-DESCRIPTION",
    "SUMMARY",
    "TRANSP",
    "TRIGGER",
    "TZID",
    "TZNAME",
    "TZOFFSETFROM",
    "TZOFFSETTO",
    "TZURL",
    "UID",
    "URL",
    "VERSION",
];

/// One content line: its physical lines, line endings included, as a range of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The whole line.
    pub raw: Range<usize>,
    /// The name.
    pub name: Range<usize>,
    /// What stands behind the colon, without the last line ending; folds are still in it.
    pub value: Range<usize>,
}

impl Line {
    /// The name as written.
    pub fn name<'a>(&self, bytes: &'a [u8]) -> &'a str {
        bytes.get(self.name.clone()).and_then(|n| std::str::from_utf8(n).ok()).unwrap_or_default()
    }

    /// Whether this is the property `name`, in any case.
    pub fn is(&self, bytes: &[u8], name: &str) -> bool {
        bytes.get(self.name.clone()).is_some_and(|n| n.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// The value, unfolded but not unescaped.
    pub fn value<'a>(&self, bytes: &'a [u8]) -> Cow<'a, str> {
        unfold(bytes.get(self.value.clone()).unwrap_or_default())
    }

    /// What stands between name and value, unfolded: the parameters and the colon.
    pub fn head<'a>(&self, bytes: &'a [u8]) -> Cow<'a, str> {
        unfold(bytes.get(self.name.end..self.value.start).unwrap_or_default())
    }

    /// The value of a parameter, without its quotes.
    pub fn parameter(&self, bytes: &[u8], name: &str) -> Option<String> {
        let head = self.head(bytes);
        let mut rest = head.trim_end_matches(':');
        while let Some(stripped) = rest.strip_prefix(';') {
            let end = outside_quotes(stripped, ';').unwrap_or(stripped.len());
            let (parameter, tail) = stripped.split_at(end);
            if let Some((key, value)) = parameter.split_once('=')
                && key.eq_ignore_ascii_case(name)
            {
                return Some(value.trim_matches('"').to_owned());
            }
            rest = tail;
        }
        None
    }
}

/// Splits the input into content lines. Text that precedes the first one belongs to none.
pub fn lines(bytes: &[u8]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut at = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    while at < bytes.len() {
        let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |n| at + n + 1);
        match name_of(&bytes[at..end]) {
            Some(length) => {
                lines.push(Line { raw: at..end, name: at..at + length, value: end..end });
            }
            None => {
                if let Some(last) = lines.last_mut() {
                    last.raw.end = end;
                }
            }
        }
        at = end;
    }
    for line in &mut lines {
        let raw = &bytes[line.raw.clone()];
        let end = line.raw.start + raw.trim_ascii_end_of_line().len();
        let start = value_start(bytes, line.name.end, end);
        line.value = start.min(end)..end;
    }
    lines
}

trait TrimEndOfLine {
    fn trim_ascii_end_of_line(&self) -> &[u8];
}

impl TrimEndOfLine for [u8] {
    fn trim_ascii_end_of_line(&self) -> &[u8] {
        let line = self.strip_suffix(b"\n").unwrap_or(self);
        line.strip_suffix(b"\r").unwrap_or(line)
    }
}

/// Length of the property name that starts a content line; none where the physical line continues
/// the one before.
fn name_of(physical: &[u8]) -> Option<usize> {
    let length = physical.iter().position(|b| !(b.is_ascii_alphanumeric() || *b == b'-'))?;
    if length == 0 || !matches!(physical.get(length), Some(b':' | b';')) {
        // A name alone may be folded before its colon; only the long-winded do so, with ";" or ":" first
        // on the next line, and BEGIN and END never.
        return None;
    }
    let name = physical.get(..length)?;
    let starts = (name.len() > 2
        && name.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'-'))
        || name.get(..2).is_some_and(|x| x.eq_ignore_ascii_case(b"X-"))
        || NAMES.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
    starts.then_some(length)
}

/// Where the value starts: behind the first colon outside quotes.
fn value_start(bytes: &[u8], from: usize, end: usize) -> usize {
    let mut quoted = false;
    for (offset, byte) in bytes.get(from..end).unwrap_or_default().iter().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b':' if !quoted => return from + offset + 1,
            _ => {}
        }
    }
    // An unbalanced quote swallowed the colon: take the first one.
    bytes.get(from..end).and_then(|b| memchr::memchr(b':', b)).map_or(end, |n| from + n + 1)
}

/// Where `wanted` stands first outside of quotes.
pub(crate) fn outside_quotes(text: &str, wanted: char) -> Option<usize> {
    let mut quoted = false;
    text.char_indices().find_map(|(at, c)| {
        if c == '"' {
            quoted = !quoted;
        }
        (c == wanted && !quoted).then_some(at)
    })
}

/// Takes the folds out. Bytes that are no UTF-8 are read as windows-1252.
fn unfold(raw: &[u8]) -> Cow<'_, str> {
    if memchr::memchr(b'\n', raw).is_none()
        && let Ok(text) = std::str::from_utf8(raw)
    {
        return Cow::Borrowed(text);
    }
    Cow::Owned(super::text::Text::plain(raw).decoded)
}
