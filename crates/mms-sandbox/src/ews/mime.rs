//! The iCalendar text of an item, which Exchange hands out as its MIME content.
//!
//! As there, it is published (`METHOD:PUBLISH`) and therefore names the organizer and no attendees (RFC 5546, 3.2.1), and
//! the body is there as plain text alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::plain;
use crate::item::{Item, OCCURRENCES};

/// The one time zone of the sandbox.
pub(super) const ZONE: &str = "UTC";
/// Bytes of a line before it is folded (RFC 5545, 3.1).
const LINE: usize = 75;

/// Named properties that have a place in iCalendar (MS-OXCICAL).
const NAMED: [(&str, &str); 4] = [
    ("OnlineMeetingExternalLink", "X-MICROSOFT-ONLINEMEETINGEXTERNALLINK"),
    ("OnlineMeetingConfLink", "X-MICROSOFT-ONLINEMEETINGCONFLINK"),
    ("SkypeTeamsMeetingUrl", "X-MICROSOFT-SKYPETEAMSMEETINGURL"),
    ("SkypeTeamsProperties", "X-MICROSOFT-SKYPETEAMSPROPERTIES"),
];

/// The element with a text in it.
pub(super) fn element(text: &str) -> String {
    format!("<t:MimeContent CharacterSet=\"UTF-8\">{}</t:MimeContent>", STANDARD.encode(text))
}

/// The iCalendar text of an item; that of a series has its changed occurrence as well.
pub(super) fn calendar(item: &Item<'_>) -> String {
    let mut lines = Lines::calendar();
    lines.event(item);
    if let Some(exception) = item.exception().filter(|_| item.is_master()) {
        lines.event(&exception);
    }
    lines.end()
}

/// The same of an appointment that a client made.
pub(super) fn made(subject: &str, start: Timestamp, end: Timestamp) -> String {
    let mut lines = Lines::calendar();
    lines.raw("BEGIN:VEVENT");
    lines.text("SUMMARY;LANGUAGE=en-US", subject);
    lines.time("DTSTART", start);
    lines.time("DTEND", end);
    lines.raw("UID:made@sandbox");
    lines.raw(&format!("DTSTAMP:{}Z", start.strftime("%Y%m%dT%H%M%S")));
    lines.raw("END:VEVENT");
    lines.end()
}

/// Content lines.
struct Lines(String);

impl Lines {
    fn calendar() -> Self {
        let mut lines = Self(String::new());
        let head =
            ["BEGIN:VCALENDAR", "METHOD:PUBLISH", "PRODID:Microsoft Exchange Server 2010", "VERSION:2.0"];
        head.into_iter().for_each(|line| lines.raw(line));
        lines.raw("BEGIN:VTIMEZONE");
        lines.raw(&format!("TZID:{ZONE}"));
        for part in ["STANDARD", "DAYLIGHT"] {
            lines.raw(&format!("BEGIN:{part}"));
            let rules = ["DTSTART:16010101T000000", "TZOFFSETFROM:+0000", "TZOFFSETTO:+0000"];
            rules.into_iter().for_each(|line| lines.raw(line));
            lines.raw(&format!("END:{part}"));
        }
        lines.raw("END:VTIMEZONE");
        lines
    }

    fn end(mut self) -> String {
        self.raw("END:VCALENDAR");
        self.0
    }

    fn event(&mut self, item: &Item<'_>) {
        self.raw("BEGIN:VEVENT");
        if !item.attendees().is_empty() {
            let (name, address) =
                (item.organisation.name(item.organizer()), item.organisation.address(item.organizer()));
            self.raw(&format!("ORGANIZER;CN={}:mailto:{address}", parameter(&name)));
        }
        self.text("DESCRIPTION;LANGUAGE=en-US", &plain::text(item.body()));
        if item.is_master() {
            let day = item.was.start.strftime("%a").to_string().to_uppercase();
            let day = day.get(..2).unwrap_or("MO");
            self.raw(&format!("RRULE:FREQ=WEEKLY;COUNT={OCCURRENCES};INTERVAL=1;BYDAY={day};WKST=SU"));
        }
        self.raw(&format!("UID:{}", item.was.uid));
        if item.id.occurrence.is_some() {
            self.time("RECURRENCE-ID", item.original_start());
        }
        self.text("SUMMARY;LANGUAGE=en-US", item.subject());
        self.time("DTSTART", item.start());
        self.time("DTEND", item.end());
        self.raw(if item.was.confidential { "CLASS:CONFIDENTIAL" } else { "CLASS:PUBLIC" });
        self.raw("PRIORITY:5");
        self.raw(&format!("DTSTAMP:{}Z", item.modified().strftime("%Y%m%dT%H%M%S")));
        ["TRANSP:OPAQUE", "STATUS:CONFIRMED", "SEQUENCE:0"].into_iter().for_each(|line| self.raw(line));
        self.text("LOCATION;LANGUAGE=en-US", item.location());
        self.microsoft(item);
        self.raw("END:VEVENT");
    }

    fn microsoft(&mut self, item: &Item<'_>) {
        let instance = match item.id.occurrence {
            None => u8::from(item.is_master()),
            Some(_) if item.id.is_exception() => 3,
            Some(_) => 2,
        };
        self.raw("X-MICROSOFT-CDO-APPT-SEQUENCE:0");
        self.raw("X-MICROSOFT-CDO-BUSYSTATUS:BUSY");
        self.raw("X-MICROSOFT-CDO-INTENDEDSTATUS:BUSY");
        self.raw("X-MICROSOFT-CDO-ALLDAYEVENT:FALSE");
        self.raw("X-MICROSOFT-CDO-IMPORTANCE:1");
        self.raw(&format!("X-MICROSOFT-CDO-INSTTYPE:{instance}"));
        self.raw("X-MICROSOFT-DISALLOW-COUNTER:FALSE");
        for (property, name) in NAMED {
            if let Some(value) = item.property(property) {
                self.text(name, value);
            }
        }
    }

    fn time(&mut self, name: &str, at: Timestamp) {
        self.raw(&format!("{name};TZID={ZONE}:{}", at.strftime("%Y%m%dT%H%M%S")));
    }

    /// A line whose value is TEXT.
    fn text(&mut self, name: &str, value: &str) {
        let mut line = format!("{name}:");
        for c in value.replace("\r\n", "\n").chars() {
            match c {
                '\\' | ';' | ',' => line.extend(['\\', c]),
                '\n' => line.push_str("\\n"),
                c if c.is_control() && c != '\t' => {}
                c => line.push(c),
            }
        }
        self.raw(&line);
    }

    /// A line as it is, folded.
    fn raw(&mut self, line: &str) {
        let mut room = LINE;
        for c in line.chars() {
            if c.len_utf8() > room {
                self.0.push_str("\r\n ");
                room = LINE - 1;
            }
            room -= c.len_utf8();
            self.0.push(c);
        }
        self.0.push_str("\r\n");
    }
}

/// A parameter's value, in quotes where it needs them.
fn parameter(value: &str) -> String {
    let value: String = value.chars().filter(|c| *c != '"' && !c.is_control()).collect();
    if value.contains([',', ';', ':']) { format!("\"{value}\"") } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_folded_between_characters_and_texts_are_escaped() {
        let mut lines = Lines(String::new());
        lines.text("X", &format!("a;b,c\\d\r\ne\u{1}{}", "ü".repeat(80)));
        for line in lines.0.split("\r\n") {
            assert!(line.len() <= LINE, "{line}");
        }
        let whole = lines.0.replace("\r\n ", "");
        assert_eq!(whole, format!("X:a\\;b\\,c\\\\d\\ne{}\r\n", "ü".repeat(80)));
    }

    #[test]
    fn parameters_are_quoted_where_needed() {
        assert_eq!(parameter("Ann \"A\" Bee"), "Ann A Bee");
        assert_eq!(parameter("Bee, Ann"), "\"Bee, Ann\"");
    }
}
