//! Where the events of an iCalendar file begin and end, by their bytes. Nothing is interpreted
//! beyond BEGIN, END, UID, TZID and the dates that tell a past event for sure.

use std::ops::Range;

/// Components nested deeper are no calendar.
const MAX_DEPTH: usize = 32;

/// A VEVENT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    /// From BEGIN:VEVENT to the end of the END:VEVENT line.
    pub(super) range: Range<usize>,
    /// Its UID, unfolded; none where it has none.
    pub(super) uid: Option<String>,
    /// Which VCALENDAR it stands in.
    pub(super) calendar: usize,
    /// The last day on which it can end, as `yyyymmdd`, in whatever zone; none where that cannot be
    /// told (it recurs, or a date does not read as one).
    pub(super) last_day: Option<u32>,
}

/// A VTIMEZONE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TimeZone {
    pub(super) range: Range<usize>,
    pub(super) tzid: Vec<u8>,
}

/// A VCALENDAR: the whole, and what stands in it besides events, zones and other components.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CalendarObject {
    /// The BEGIN:VCALENDAR line.
    pub(super) begin: Range<usize>,
    /// BEGIN:VCALENDAR and the properties, in pieces.
    pub(super) properties: Vec<Range<usize>>,
    pub(super) zones: Vec<TimeZone>,
    /// The END:VCALENDAR line.
    pub(super) end: Range<usize>,
}

/// What stands in a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) calendars: Vec<CalendarObject>,
    pub(super) events: Vec<Event>,
    /// VTODO, VJOURNAL and others.
    pub(super) others: usize,
}

/// Finds the components of `bytes`.
///
/// # Errors
/// Why it is no iCalendar, as the rest of a sentence that begins with the file.
pub(super) fn scan(bytes: &[u8]) -> Result<Layout, String> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err("is UTF-16; save it as UTF-8".to_owned());
    }
    if bytes.contains(&0) {
        return Err("holds NUL bytes, as a file does whose writing was broken off; restore it".to_owned());
    }
    if bytes.trim_ascii().is_empty() {
        return Err("is empty; restore or delete it".to_owned());
    }
    let mut scan = Scan::default();
    for line in Lines::of(bytes) {
        scan.line(bytes, line)?;
    }
    scan.finish()
}

#[derive(Default)]
struct Scan {
    layout: Layout,
    /// Names of the open components, in upper case.
    open: Vec<Vec<u8>>,
    event: OpenEvent,
    component_start: usize,
    zone: Option<Vec<u8>>,
}

/// What is known of the event that is open.
#[derive(Default)]
struct OpenEvent {
    uid: Option<String>,
    last_day: u32,
    uncertain: bool,
}

impl Scan {
    fn line(&mut self, bytes: &[u8], line: Range<usize>) -> Result<(), String> {
        let text = bytes.get(line.clone()).unwrap_or_default();
        let text = if line.start == 0 { text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text) } else { text };
        if let Some(name) = value_of(text, b"BEGIN") {
            return self.begin(name, line);
        }
        if let Some(name) = value_of(text, b"END") {
            return self.end(name, line);
        }
        match self.open.len() {
            0 => {}
            1 => self.property_of_calendar(line),
            2 => self.property(text),
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, name: &[u8], line: Range<usize>) -> Result<(), String> {
        let name = name.to_ascii_uppercase();
        match self.open.len() {
            0 if name != b"VCALENDAR" => {
                return Err(format!("begins with {}, not with VCALENDAR", String::from_utf8_lossy(&name)));
            }
            0 => {
                self.layout
                    .calendars
                    .push(CalendarObject { begin: line.clone(), ..CalendarObject::default() });
                self.property_of_calendar(line);
            }
            1 => {
                self.component_start = line.start;
                self.event = OpenEvent::default();
                self.zone = None;
            }
            depth if depth >= MAX_DEPTH => {
                return Err("nests components too deep to be a calendar".to_owned());
            }
            _ => {}
        }
        self.open.push(name);
        Ok(())
    }

    fn end(&mut self, name: &[u8], line: Range<usize>) -> Result<(), String> {
        let name = name.to_ascii_uppercase();
        let Some(open) = self.open.pop() else {
            return Err(format!("has an END:{} without its BEGIN", String::from_utf8_lossy(&name)));
        };
        if open != name {
            let (open, name) = (String::from_utf8_lossy(&open), String::from_utf8_lossy(&name));
            return Err(format!("has an END:{name} where the END:{open} is due"));
        }
        match (self.open.len(), open.as_slice()) {
            (0, _) => {
                if let Some(calendar) = self.layout.calendars.last_mut() {
                    calendar.end = line;
                }
            }
            (1, b"VEVENT") => {
                let event = std::mem::take(&mut self.event);
                let certain = !event.uncertain && event.last_day > 0;
                self.layout.events.push(Event {
                    range: self.component_start..line.end,
                    uid: event.uid,
                    calendar: self.layout.calendars.len().saturating_sub(1),
                    last_day: certain.then_some(event.last_day),
                });
            }
            (1, b"VTIMEZONE") => {
                let zone = TimeZone {
                    range: self.component_start..line.end,
                    tzid: self.zone.take().unwrap_or_default(),
                };
                if let Some(calendar) = self.layout.calendars.last_mut() {
                    calendar.zones.push(zone);
                }
            }
            (1, _) => self.layout.others += 1,
            _ => {}
        }
        Ok(())
    }

    fn property_of_calendar(&mut self, line: Range<usize>) {
        let Some(calendar) = self.layout.calendars.last_mut() else { return };
        match calendar.properties.last_mut() {
            Some(last) if last.end == line.start => last.end = line.end,
            _ => calendar.properties.push(line),
        }
    }

    /// A property of a VEVENT or VTIMEZONE.
    fn property(&mut self, line: &[u8]) {
        let name_end = line.iter().position(|b| matches!(b, b':' | b';')).unwrap_or(line.len());
        let name = line.get(..name_end).unwrap_or_default();
        let is = |wanted: &[u8]| name.eq_ignore_ascii_case(wanted);
        match self.open.last().map(Vec::as_slice) {
            Some(b"VEVENT") if is(b"UID") => {
                // The first one counts, as it does for other readers.
                let uid =
                    value(line).map(|value| String::from_utf8_lossy(&unfolded(value)).trim().to_owned());
                if self.event.uid.is_none() {
                    self.event.uid = uid.filter(|uid| !uid.is_empty());
                }
            }
            Some(b"VEVENT") if is(b"DTSTART") || is(b"DTEND") || is(b"RECURRENCE-ID") => match day(line) {
                Some(day) => self.event.last_day = self.event.last_day.max(day),
                None => self.event.uncertain = true,
            },
            Some(b"VEVENT") if is(b"RRULE") || is(b"RDATE") || is(b"DURATION") => self.event.uncertain = true,
            Some(b"VTIMEZONE") if is(b"TZID") => self.zone = value(line).map(unfolded),
            // A name that is folded hides what it is.
            Some(b"VEVENT") if name_end == line.len() || name.contains(&b'\n') => self.event.uncertain = true,
            _ => {}
        }
    }

    fn finish(self) -> Result<Layout, String> {
        if let Some(open) = self.open.last() {
            return Err(format!("is cut off inside {}; restore it", String::from_utf8_lossy(open)));
        }
        if self.layout.calendars.is_empty() {
            return Err("is no iCalendar: it has no BEGIN:VCALENDAR".to_owned());
        }
        Ok(self.layout)
    }
}

/// The value of a line `NAME:value` without parameters, blanks around it off.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = line.split_at_checked(name.len())?;
    let value = rest.strip_prefix(b":")?;
    head.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

/// What follows on the first colon outside quotes.
fn value(line: &[u8]) -> Option<&[u8]> {
    let mut quoted = false;
    let colon = line.iter().position(|&b| {
        quoted ^= b == b'"';
        b == b':' && !quoted
    })?;
    line.get(colon + 1..)
}

/// The day of a date or date-time value.
fn day(line: &[u8]) -> Option<u32> {
    let digits = unfolded(value(line)?);
    let digits = digits.get(..8)?;
    let day: u32 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    // From the year 1900 to 2500: whatever is no date of this era is not certain to be past.
    (19_000_101..=25_000_000).contains(&day).then_some(day)
}

/// A value without its folds and its line end (RFC 5545 §3.1).
fn unfolded(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut bytes = value.iter().peekable();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\n' => {
                bytes.next_if(|b| matches!(b, b' ' | b'\t'));
            }
            b'\r' if bytes.peek().is_none_or(|&&next| next == b'\n') => {}
            other => out.push(other),
        }
    }
    out
}

/// Content lines with their folds and line ends.
struct Lines<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Lines<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }
}

impl Iterator for Lines<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let start = self.position;
        if start >= self.bytes.len() {
            return None;
        }
        let mut end = start;
        loop {
            let rest = self.bytes.get(end..).unwrap_or_default();
            end = memchr::memchr(b'\n', rest).map_or(self.bytes.len(), |line_feed| end + line_feed + 1);
            if !matches!(self.bytes.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        self.position = end;
        Some(start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VTIMEZONE\r\nTZID:Here\r\nEND:VTIMEZONE\r\n\
        BEGIN:VEVENT\r\nUID:a\r\n b\r\nDTSTART;TZID=\"x:y\":20200101T100000\r\nDTEND:20200102T100000Z\r\n\
        BEGIN:VALARM\r\nUID:alarm\r\nEND:VALARM\r\nEND:VEVENT\r\nX-LATE:1\r\n\
        BEGIN:VEVENT\r\nUID:c\r\nDTSTART:20200101\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\n\
        BEGIN:VTODO\r\nUID:t\r\nEND:VTODO\r\nEND:VCALENDAR\r\n";

    #[test]
    fn events_zones_and_properties_are_found() {
        let layout = scan(TWO.as_bytes()).unwrap();
        let uids: Vec<_> = layout.events.iter().map(|e| e.uid.clone().unwrap()).collect();
        assert_eq!(uids, ["ab", "c"]);
        assert_eq!(layout.events[0].last_day, Some(20200102));
        assert_eq!(layout.events[1].last_day, None);
        assert_eq!(layout.others, 1);
        let calendar = &layout.calendars[0];
        assert_eq!(calendar.zones[0].tzid, b"Here");
        assert_eq!(&TWO[calendar.properties[0].clone()], "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n");
        assert_eq!(&TWO[calendar.properties[1].clone()], "X-LATE:1\r\n");
        assert_eq!(&TWO[calendar.end.clone()], "END:VCALENDAR\r\n");
        assert!(TWO[layout.events[0].range.clone()].starts_with("BEGIN:VEVENT"));
        assert!(TWO[layout.events[0].range.clone()].ends_with("END:VEVENT\r\n"));
    }

    #[test]
    fn what_is_no_calendar_says_why() {
        for (text, expected) in [
            ("", "empty"),
            (" \r\n", "empty"),
            ("hello", "no BEGIN:VCALENDAR"),
            ("BEGIN:VCARD\nEND:VCARD\n", "VCARD"),
            ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\n", "cut off inside VEVENT"),
            ("BEGIN:VCALENDAR\nEND:VEVENT\n", "END:VEVENT where the END:VCALENDAR is due"),
            ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR\n", "END:VCALENDAR where the END:VEVENT is due"),
            ("BEGIN:VCALENDAR\nEND:VCALENDAR\nEND:VEVENT\n", "END:VEVENT without its BEGIN"),
            ("BEGIN:VCALENDAR\nX:\0\nEND:VCALENDAR\n", "NUL"),
        ] {
            let why = scan(text.as_bytes()).unwrap_err();
            assert!(why.contains(expected), "{text:?}: {why}");
        }
        assert!(scan(b"\xFF\xFEB\0").unwrap_err().contains("UTF-16"));
        let deep = format!("BEGIN:VCALENDAR\n{}", "BEGIN:X\n".repeat(100_000));
        assert!(scan(deep.as_bytes()).unwrap_err().contains("too deep"));
    }

    #[test]
    fn a_past_event_is_certain_only_where_nothing_can_move_it() {
        let last_day = |body: &str| {
            let text = format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\n{body}END:VEVENT\nEND:VCALENDAR\n");
            scan(text.as_bytes()).unwrap().events[0].last_day
        };
        assert_eq!(last_day("DTSTART:20200101T000000Z\n"), Some(20200101));
        assert_eq!(last_day("dtstart:2020\n 0101\n"), Some(20200101));
        for uncertain in [
            "",
            "DTSTART:20200101\nDURATION:P9999D\n",
            "DTSTART:20200101\nRDATE:20300101\n",
            "DTSTART:20200101\nRR\n ULE:FREQ=DAILY\n",
            "DTSTART:20200101\nDTEND:soon\n",
            "DTSTART:00000000\n",
            "DTSTART:20200101\nDTEND:99999999\n",
            "DTST\n ART:20300101\nDTEND:20200101\n",
        ] {
            assert_eq!(last_day(uncertain), None, "{uncertain:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn hostile_bytes_never_panic_and_ranges_lie_inside(
            text in "(BEGIN:|END:|VCALENDAR|VEVENT|VTIMEZONE|UID:|DTSTART|;|:|\"|\r|\n|\r\n |é|x){0,80}"
        ) {
            let text = format!("BEGIN:VCALENDAR\n{text}\nEND:VCALENDAR\n");
            if let Ok(layout) = scan(text.as_bytes()) {
                for event in &layout.events {
                    proptest::prop_assert!(text.as_bytes().get(event.range.clone()).is_some());
                }
            }
        }
    }
}
