//! iTIP messages (RFC 5546) made from what a calendar stores.

use crate::ical::{Document, Edits};

/// Why there is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ItipError {
    /// Not iCalendar.
    #[error("the event is no iCalendar text")]
    NotCalendar,
    /// Nobody invites.
    #[error("the event names no organizer, so no update can be sent in anybody's name")]
    NoOrganizer,
}

/// The REQUEST that tells attendees of an event: the event as stored, with METHOD, and without the
/// parameters that are between a client and its server (RFC 6638 section 7) and what is not of the event.
///
/// # Errors
/// [`ItipError`].
pub fn request(content: &[u8]) -> Result<Vec<u8>, ItipError> {
    let document = Document::parse(content);
    let calendar =
        document.components.first().filter(|c| c.name == "VCALENDAR").ok_or(ItipError::NotCalendar)?;
    if !document.named("VEVENT").any(|event| document.property(event, "ORGANIZER").is_some()) {
        return Err(ItipError::NoOrganizer);
    }
    let mut edits = Edits::default();
    // A byte order mark is for files; in a mail some clients refuse it.
    if content.starts_with(b"\xef\xbb\xbf") {
        edits.replace(0..3, Vec::new());
    }
    match document.property(calendar, "METHOD") {
        Some(line) => edits.replace_in_line(content, line.value.clone(), b"REQUEST"),
        None => {
            if let Some(begin) = document.lines.get(calendar.lines.start) {
                edits.insert_line(content, begin.raw.end, b"METHOD:REQUEST");
            }
        }
    }
    for component in &document.components {
        let foreign = component.depth == 1 && !matches!(component.name.as_str(), "VEVENT" | "VTIMEZONE");
        // Alarms are the organizer's own.
        if foreign || component.name == "VALARM" {
            edits.replace(document.raw(component), Vec::new());
        } else if component.name == "VEVENT" {
            for line in document.own_lines(component) {
                if line.is(content, "ATTENDEE") || line.is(content, "ORGANIZER") {
                    strip_schedule_parameters(content, line.name.end..line.value.start, &mut edits);
                }
            }
        }
    }
    Ok(edits.apply(content))
}

/// Removes SCHEDULE-AGENT, SCHEDULE-STATUS and SCHEDULE-FORCE-SEND from a line's parameters. Where one is
/// folded in its middle, its bytes go with the fold.
fn strip_schedule_parameters(content: &[u8], head: std::ops::Range<usize>, edits: &mut Edits) {
    let Some(raw) = content.get(head.clone()) else { return };
    let kept: Vec<(usize, u8)> = unfold(raw);
    let mut quoted = false;
    let mut starts: Vec<usize> = Vec::new();
    for (index, (_, byte)) in kept.iter().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b';' | b':' if !quoted => starts.push(index),
            _ => {}
        }
    }
    for pair in starts.windows(2) {
        let [from, to] = pair else { continue };
        let name: Vec<u8> =
            kept.iter().skip(from + 1).take(to - from - 1).map(|(_, b)| b.to_ascii_uppercase()).collect();
        if name.starts_with(b"SCHEDULE-")
            && let (Some((start, _)), Some((end, _))) = (kept.get(*from), kept.get(*to))
        {
            edits.replace(head.start + start..head.start + end, Vec::new());
        }
    }
}

fn unfold(raw: &[u8]) -> Vec<(usize, u8)> {
    let mut kept = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some(byte) = raw.get(at) {
        let rest = raw.get(at..).unwrap_or_default();
        if rest.starts_with(b"\r\n ") || rest.starts_with(b"\r\n\t") {
            at += 3;
        } else if rest.starts_with(b"\n ") || rest.starts_with(b"\n\t") {
            at += 2;
        } else {
            kept.push((at, *byte));
            at += 1;
        }
    }
    kept
}
