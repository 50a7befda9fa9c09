//! Meetings read out of an iCalendar text.

use std::collections::HashMap;
use std::sync::Arc;

use calcard::icalendar::ICalendar;
use calcard::icalendar::dates::TimeOrDelta;
use jiff::Timestamp;
use mms_model::{
    Address, Attendee, EventId, Instance, InstanceId, Meeting, OnlineMeeting, Participation, User, Version,
};

use crate::ical::{Component, Document, Line, Text};
use crate::recognise::{BodyFormat, BodyPart, EventText, Findings, Recogniser};

/// Occurrences looked at to find one that has not ended.
const MAX_OCCURRENCES: usize = 4000;

/// Why a group of components is no meeting that can be worked on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Not iCalendar at all, or cut off.
    #[error("{0}")]
    Malformed(String),
    /// An event that cannot be told from others.
    #[error("the event \"{subject}\" has no UID: give it one, or import it into a calendar program again")]
    NoUid {
        /// Its subject.
        subject: String,
    },
}

/// The components of one UID: the master or single event, and its exceptions.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    uid: String,
    /// Indices into [`Document::components`].
    components: Vec<usize>,
}

/// The VEVENTs of a document by UID, in the order of their first component.
///
/// # Errors
/// Where the text is no iCalendar or is cut off; one error for each event without a UID.
fn groups(document: &Document<'_>) -> Result<Vec<Result<Group, ReadError>>, ReadError> {
    check_whole(document)?;
    let mut groups: Vec<Result<Group, ReadError>> = Vec::new();
    let mut by_uid: HashMap<String, usize> = HashMap::new();
    for (index, component) in document.components.iter().enumerate() {
        if component.name != "VEVENT" {
            continue;
        }
        match document.value(component, "UID").filter(|uid| !uid.is_empty()) {
            None => {
                let subject = document.value(component, "SUMMARY").unwrap_or_default();
                groups.push(Err(ReadError::NoUid { subject: subject.chars().take(80).collect() }));
            }
            Some(uid) => match by_uid.get(&uid).and_then(|at| groups.get_mut(*at)) {
                Some(Ok(group)) => group.components.push(index),
                _ => {
                    by_uid.insert(uid.clone(), groups.len());
                    groups.push(Ok(Group { uid, components: vec![index] }));
                }
            },
        }
    }
    Ok(groups)
}

fn check_whole(document: &Document<'_>) -> Result<(), ReadError> {
    let calendar = document.components.first().filter(|c| c.name == "VCALENDAR");
    let Some(calendar) = calendar else {
        return Err(ReadError::Malformed(
            "this is no iCalendar text: it does not begin with BEGIN:VCALENDAR".to_owned(),
        ));
    };
    if let Some(cut) = document.components.iter().find(|c| !c.complete) {
        return Err(ReadError::Malformed(format!(
            "the iCalendar text is cut off: BEGIN:{} has no END:{0}",
            cut.name
        )));
    }
    if memchr::memchr(0, document.bytes).is_some() {
        return Err(ReadError::Malformed(
            "the iCalendar text holds NUL bytes: the file is damaged".to_owned(),
        ));
    }
    debug_assert_eq!(calendar.depth, 0);
    Ok(())
}

/// Every meeting of an iCalendar text that holds the events of `owner`'s calendar. Ids and versions
/// are left empty for the connector to fill in; `content` is the whole text.
///
/// # Errors
/// Where the text is no iCalendar, is cut off or damaged; for single events where they have no UID.
pub fn meetings(
    bytes: &[u8],
    owner: &User,
    now: Timestamp,
    recogniser: &Recogniser,
) -> Result<Vec<Result<Meeting, ReadError>>, ReadError> {
    let document = Document::parse(bytes);
    let groups = groups(&document)?;
    Ok(groups
        .into_iter()
        .map(|group| group.map(|group| meeting(&document, &group, owner, now, recogniser)))
        .collect())
}

/// The meeting of one group.
fn meeting(
    document: &Document<'_>,
    group: &Group,
    owner: &User,
    now: Timestamp,
    recogniser: &Recogniser,
) -> Meeting {
    let components: Vec<&Component> =
        group.components.iter().filter_map(|index| document.components.get(*index)).collect();
    let mut instances: Vec<Instance> = Vec::with_capacity(components.len());
    let spans = spans(document, &components, now);
    for (component, Span { upcoming, start, .. }) in components.iter().zip(&spans) {
        let upcoming = *upcoming;
        instances.push(Instance {
            id: instance_id(document, component),
            upcoming,
            cancelled: is_cancelled(document, component),
            start: *start,
            // What is over stays as it is, whatever it says.
            recognition: if upcoming {
                find(document, component, recogniser).1.recognition.clone()
            } else {
                mms_model::Recognition::None
            },
        });
    }
    instances.sort_by_key(|instance| instance.id != InstanceId::Master);
    let master = components
        .iter()
        .find(|c| instance_id(document, c) == InstanceId::Master)
        .or_else(|| components.first());
    let organizer = components
        .iter()
        .find_map(|c| document.property(c, "ORGANIZER"))
        .map(|line| Address::new(&line.value(document.bytes)))
        .filter(|address| !address.as_str().is_empty());
    Meeting {
        id: EventId(String::new()),
        version: Version(String::new()),
        uid: group.uid.clone(),
        subject: master
            .and_then(|c| document.property(c, "SUMMARY"))
            .map(|line| text_of(document, line).decoded)
            .unwrap_or_default(),
        organised_by_owner: organizer.as_ref().is_none_or(|address| owner.owns(address)),
        attendees: attendees(document, &components, organizer.as_ref()),
        organizer,
        // None is the greatest here: one component without an end is enough.
        last_end: spans.iter().map(|span| span.end).reduce(|a, b| Some(a?.max(b?))).flatten(),
        instances,
        content: document.bytes.to_vec(),
    }
}

/// Which component this is.
pub(crate) fn instance_id(document: &Document<'_>, component: &Component) -> InstanceId {
    match document.value(component, "RECURRENCE-ID") {
        Some(id) if !id.is_empty() => InstanceId::Exception(id),
        _ => InstanceId::Master,
    }
}

fn is_cancelled(document: &Document<'_>, component: &Component) -> bool {
    let cancelled = |value: Option<String>| value.is_some_and(|v| v.eq_ignore_ascii_case("CANCELLED"));
    let method_cancel = || {
        document
            .components
            .first()
            .and_then(|calendar| document.value(calendar, "METHOD"))
            .is_some_and(|method| method.eq_ignore_ascii_case("CANCEL"))
    };
    cancelled(document.value(component, "STATUS")) || method_cancel()
}

fn attendees(
    document: &Document<'_>,
    components: &[&Component],
    organizer: Option<&Address>,
) -> Vec<Attendee> {
    let mut seen = std::collections::HashSet::new();
    let mut attendees = Vec::new();
    for line in components.iter().flat_map(|c| document.own_lines(c)) {
        if !line.is(document.bytes, "ATTENDEE") {
            continue;
        }
        let address = Address::new(&line.value(document.bytes));
        if address.as_str().is_empty() || organizer == Some(&address) || !seen.insert(address.clone()) {
            continue;
        }
        attendees.push(Attendee {
            name: line.parameter(document.bytes, "CN"),
            participation: participation(line.parameter(document.bytes, "PARTSTAT").as_deref()),
            address,
        });
    }
    attendees
}

fn participation(value: Option<&str>) -> Participation {
    match value.map(str::to_ascii_uppercase).as_deref() {
        None | Some("NEEDS-ACTION") => Participation::NeedsAction,
        Some("ACCEPTED") => Participation::Accepted,
        Some("DECLINED") => Participation::Declined,
        Some("TENTATIVE") => Participation::Tentative,
        Some("DELEGATED") => Participation::Delegated,
        Some(_) => Participation::Other,
    }
}

/// A text of a component that the recogniser looks at.
pub(crate) struct Source<'d> {
    pub line: &'d Line,
    pub text: Text,
}

/// The texts of a component by what they are to the recogniser.
#[derive(Default)]
pub(crate) struct Sources<'d> {
    pub bodies: Vec<(BodyFormat, Source<'d>)>,
    pub location: Option<Source<'d>>,
    pub properties: Vec<(String, Source<'d>)>,
}

/// What stands in a component, and what the recogniser finds in it.
pub(crate) fn find<'d>(
    document: &'d Document<'_>,
    component: &'d Component,
    recogniser: &Recogniser,
) -> (Sources<'d>, Arc<Findings>) {
    let mut sources = Sources::default();
    for line in document.own_lines(component) {
        let name = line.name(document.bytes).to_ascii_uppercase();
        let source = || Source { line, text: text_of(document, line) };
        match name.as_str() {
            "DESCRIPTION" | "X-ALT-DESC" | "STYLED-DESCRIPTION" => {
                let source = source();
                let html = line
                    .parameter(document.bytes, "FMTTYPE")
                    .is_some_and(|t| t.eq_ignore_ascii_case("text/html"));
                let format = if html { BodyFormat::Html } else { BodyFormat::guess(&source.text.decoded) };
                sources.bodies.push((format, source));
            }
            "LOCATION" if sources.location.is_none() => sources.location = Some(source()),
            "URL" | "CONFERENCE" => sources.properties.push((name, source())),
            _ if name.starts_with("X-") => sources.properties.push((name, source())),
            _ => {}
        }
    }
    let findings = recogniser.event_again(&EventText {
        bodies: sources
            .bodies
            .iter()
            .map(|(format, source)| BodyPart { format: *format, text: &source.text.decoded })
            .collect(),
        location: sources.location.as_ref().map(|source| source.text.decoded.as_str()),
        properties: sources
            .properties
            .iter()
            .map(|(name, source)| (name.as_str(), source.text.decoded.as_str()))
            .collect(),
        scheduled: true,
    });
    (sources, findings)
}

/// The texts of a component's alarms that speak of the meeting with the given key and join URL, and what of
/// them does. Alarms never say which meeting an event is: they are often out of date.
pub(crate) fn alarms<'d>(
    document: &'d Document<'_>,
    component: &'d Component,
    recogniser: &Recogniser,
    meeting: &OnlineMeeting,
) -> Vec<((BodyFormat, Source<'d>), Findings)> {
    let url = meeting.join_url.as_deref().unwrap_or_default();
    document
        .inside(component, "VALARM")
        .flat_map(|alarm| document.own_lines(alarm))
        .filter(|line| line.is(document.bytes, "DESCRIPTION"))
        .filter_map(|line| {
            let source = Source { line, text: text_of(document, line) };
            let text = source.text.decoded.as_str();
            let format = BodyFormat::guess(text);
            let mut findings = recogniser.event(&EventText {
                bodies: vec![BodyPart { format, text }],
                properties: vec![("URL", url)],
                ..EventText::default()
            });
            findings.blocks.retain(|block| block.meeting.key == meeting.key);
            let speaks = !findings.blocks.is_empty() || !findings.mentions.is_empty();
            speaks.then_some(((format, source), findings))
        })
        .collect()
}

/// The decoded value of a line. URIs are not escaped; everything else that we look at is TEXT, or an
/// X- property that Exchange escapes as TEXT.
fn text_of(document: &Document<'_>, line: &Line) -> Text {
    let raw = document.bytes.get(line.value.clone()).unwrap_or_default();
    if line.is(document.bytes, "URL") || line.is(document.bytes, "CONFERENCE") {
        Text::plain(raw)
    } else {
        Text::unescaped(raw)
    }
}

/// When a component is.
#[derive(Clone, Copy)]
struct Span {
    /// Whether an occurrence has not ended yet.
    upcoming: bool,
    /// When it (a series: its first occurrence) starts.
    start: Option<Timestamp>,
    /// When it (a series: its last occurrence) ends; none where it does not, or nobody can tell.
    end: Option<Timestamp>,
}

/// When each component is, and whether it has ended by `now`.
///
/// A series without an end is upcoming. One that cannot be read (a rule that is none, an unknown
/// date) is taken as upcoming, too: a link in the past is worth little, one in the future much.
fn spans(document: &Document<'_>, components: &[&Component], now: Timestamp) -> Vec<Span> {
    let recurring = |component: &Component| {
        document.property(component, "RRULE").is_some() || document.property(component, "RDATE").is_some()
    };
    let and_future = |component: &Component| {
        let id = document.property(component, "RECURRENCE-ID");
        let range = id.and_then(|line| line.parameter(document.bytes, "RANGE"));
        // This one and all that follow, so as long as the series goes on.
        range.is_some_and(|range| range.eq_ignore_ascii_case("THISANDFUTURE"))
    };
    let span = |component: &&Component| {
        let single = single(document, component, now);
        if recurring(component) {
            series(document, components, component, single, now)
        } else if and_future(component) {
            Span { upcoming: true, end: None, ..single }
        } else {
            single
        }
    };
    components.iter().map(span).collect()
}

fn endless(document: &Document<'_>, component: &Component) -> bool {
    document.own_lines(component).filter(|line| line.is(document.bytes, "RRULE")).any(|line| {
        let rule = line.value(document.bytes).to_ascii_uppercase();
        !rule.contains("COUNT=") && !rule.contains("UNTIL=")
    })
}

/// A component, taken without its recurrence.
fn single(document: &Document<'_>, component: &Component, now: Timestamp) -> Span {
    match expand(document, &[component], true, 1).first() {
        Some((start, end)) => Span {
            upcoming: *end > now.as_second(),
            start: Some(timestamp(*start)),
            end: Some(timestamp(*end)),
        },
        None => Span { upcoming: true, start: None, end: None },
    }
}

/// A series whose first occurrence is `first`. Occurrences in whose place there are exceptions do not make it upcoming.
fn series(
    document: &Document<'_>,
    components: &[&Component],
    master: &Component,
    first: Span,
    now: Timestamp,
) -> Span {
    let unending = Span { upcoming: true, end: None, ..first };
    if endless(document, master) {
        return unending;
    }
    let expanded = expand(document, components, false, MAX_OCCURRENCES);
    if expanded.is_empty() || expanded.len() >= MAX_OCCURRENCES {
        return unending;
    }
    let exceptions: Vec<Occurrence> = components
        .iter()
        .filter(|c| **c != master)
        .filter_map(|c| expand(document, &[c], true, 1).pop())
        .collect();
    let ahead = |(_, end): &Occurrence| *end > now.as_second();
    let mut own = expanded.iter().filter(|event| !exceptions.contains(event));
    Span {
        upcoming: first.upcoming || own.any(ahead),
        end: expanded.iter().map(|(_, end)| timestamp(*end)).max(),
        ..first
    }
}

/// Start and end of an occurrence, in seconds since the epoch.
type Occurrence = (i64, i64);

/// Expands components by way of calcard, which knows VTIMEZONE and the names of Windows.
fn expand(
    document: &Document<'_>,
    components: &[&Component],
    without_recurrence: bool,
    limit: usize,
) -> Vec<Occurrence> {
    const TIMES: [&str; 9] =
        ["DTSTART", "DTEND", "DURATION", "RECURRENCE-ID", "SEQUENCE", "RRULE", "RDATE", "EXDATE", "UID"];
    let mut small = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n".to_vec();
    for zone in document.named("VTIMEZONE") {
        small.extend_from_slice(document.bytes.get(document.raw(zone)).unwrap_or_default());
    }
    for component in components {
        small.extend_from_slice(b"BEGIN:VEVENT\r\n");
        for line in document.own_lines(component) {
            let name = line.name(document.bytes);
            let recurrence =
                ["RRULE", "RDATE", "EXDATE", "RECURRENCE-ID"].iter().any(|n| n.eq_ignore_ascii_case(name));
            if TIMES.iter().any(|n| n.eq_ignore_ascii_case(name)) && !(without_recurrence && recurrence) {
                small.extend_from_slice(document.bytes.get(line.raw.clone()).unwrap_or_default());
                if !small.ends_with(b"\n") {
                    small.extend_from_slice(b"\r\n");
                }
            }
        }
        small.extend_from_slice(b"END:VEVENT\r\n");
    }
    small.extend_from_slice(b"END:VCALENDAR\r\n");
    let Ok(text) = String::from_utf8(small) else { return Vec::new() };
    let Ok(calendar) = ICalendar::parse(&text) else { return Vec::new() };
    let expanded = calendar.expand_dates(calcard::common::timezone::Tz::UTC, limit);
    expanded
        .events
        .iter()
        .map(|event| {
            let start = event.start.timestamp();
            let end = match &event.end {
                TimeOrDelta::Time(end) => end.timestamp(),
                TimeOrDelta::Delta(length) => start.saturating_add(length.num_seconds()),
            };
            (start, end)
        })
        .collect()
}

fn timestamp(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX })
}
