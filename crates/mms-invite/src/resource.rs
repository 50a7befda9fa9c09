//! One meeting out of a file that holds many, and back.

use crate::event::Group;
use crate::ical::{Component, Document, Edits};

/// The meeting of `group` as an iCalendar text of its own: the calendar's properties, its time zones
/// and the group's components, byte for byte. A document that holds nothing else comes back whole.
pub fn extract(document: &Document<'_>, group: &Group) -> Vec<u8> {
    let events = document.named("VEVENT").count();
    if events == group.components.len() {
        return document.bytes.to_vec();
    }
    let Some(calendar) = document.components.first() else { return document.bytes.to_vec() };
    let mut content = Vec::new();
    let mut push = |range: std::ops::Range<usize>| {
        content.extend_from_slice(document.bytes.get(range).unwrap_or_default());
        if !content.ends_with(b"\n") {
            content.extend_from_slice(crate::ical::line_ending(document.bytes).as_bytes());
        }
    };
    let (first, last) = (calendar.lines.start, calendar.lines.end.saturating_sub(1));
    if let Some(begin) = document.lines.get(first) {
        push(begin.raw.clone());
    }
    for line in document.own_lines(calendar) {
        push(line.raw.clone());
    }
    for zone in document.named("VTIMEZONE") {
        push(document.raw(zone));
    }
    for component in components(document, group) {
        push(document.raw(component));
    }
    if let Some(end) = document.lines.get(last) {
        push(end.raw.clone());
    }
    content
}

/// Puts a meeting that [`extract`] gave and that was then rewritten back in its place. Every byte
/// outside its components stays. None where `new` does not hold the same components.
pub fn put_back(document: &Document<'_>, group: &Group, new: &[u8], edits: &mut Edits) -> Option<()> {
    let rewritten = Document::parse(new);
    let events: Vec<&Component> = rewritten.named("VEVENT").collect();
    if events.len() != group.components.len() {
        return None;
    }
    for (old, event) in components(document, group).zip(events) {
        let (was, is) = (document.raw(old), rewritten.raw(event));
        let (was_bytes, is_bytes) = (document.bytes.get(was.clone())?, new.get(is)?);
        if was_bytes != is_bytes {
            edits.replace(was, is_bytes);
        }
    }
    Some(())
}

fn components<'d>(document: &'d Document<'_>, group: &'d Group) -> impl Iterator<Item = &'d Component> {
    group.components.iter().filter_map(|index| document.components.get(*index))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::groups;

    const FILE: &[u8] = b"BEGIN:VCALENDAR\nX-WR-CALNAME:Mine\nBEGIN:VTIMEZONE\nTZID:A\nEND:VTIMEZONE\n\
        BEGIN:VEVENT\nUID:1\nSUMMARY:a\nEND:VEVENT\nBEGIN:VTODO\nUID:t\nEND:VTODO\nBEGIN:VEVENT\nUID:2\nSUMMARY:b\nEND:VEVENT\n\
        BEGIN:VEVENT\nUID:1\nRECURRENCE-ID:20260101\nSUMMARY:c\nEND:VEVENT\nEND:VCALENDAR\n";

    #[test]
    fn a_meeting_comes_out_alone_and_goes_back_alone() {
        let document = Document::parse(FILE);
        let groups: Vec<Group> = groups(&document).unwrap().into_iter().map(Result::unwrap).collect();
        assert_eq!(groups.iter().map(|g| g.components.len()).collect::<Vec<_>>(), [2, 1]);
        let one = extract(&document, &groups[0]);
        assert_eq!(
            String::from_utf8_lossy(&one),
            "BEGIN:VCALENDAR\nX-WR-CALNAME:Mine\nBEGIN:VTIMEZONE\nTZID:A\nEND:VTIMEZONE\nBEGIN:VEVENT\nUID:1\nSUMMARY:a\nEND:VEVENT\n\
             BEGIN:VEVENT\nUID:1\nRECURRENCE-ID:20260101\nSUMMARY:c\nEND:VEVENT\nEND:VCALENDAR\n"
        );
        let changed = String::from_utf8(one).unwrap().replace("SUMMARY:c", "SUMMARY:changed");
        let mut edits = Edits::default();
        put_back(&document, &groups[0], changed.as_bytes(), &mut edits).unwrap();
        let expected = String::from_utf8_lossy(FILE).replace("SUMMARY:c", "SUMMARY:changed");
        assert_eq!(String::from_utf8_lossy(&edits.apply(FILE)), expected);
    }

    #[test]
    fn what_lost_a_component_does_not_go_back() {
        let document = Document::parse(FILE);
        let group = groups(&document).unwrap().remove(0).unwrap();
        assert!(
            put_back(&document, &group, b"BEGIN:VCALENDAR\nEND:VCALENDAR\n", &mut Edits::default()).is_none()
        );
    }
}
