//! What a server made of a write: read from what it holds now, beside what was written.
//!
//! Servers rewrite what they store. SOGo raises SEQUENCE and resets answers, Cyrus and DAViCal add
//! SCHEDULE-STATUS, others fold and order anew. Only what bears on people is compared.

use std::collections::{BTreeMap, BTreeSet};

use mms_invite::ical::{Document, Line, Text};

/// Properties whose text people see or click; compared without regard to white space.
const VISIBLE: &[&str] =
    &["SUMMARY", "DESCRIPTION", "X-ALT-DESC", "STYLED-DESCRIPTION", "LOCATION", "URL", "CONFERENCE"];

/// What differs between what was written and what is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Differences {
    /// Components that are missing.
    pub missing: Vec<String>,
    /// Visible properties whose text is another.
    pub text: Vec<String>,
    /// Attendees whose answer was taken back to NEEDS-ACTION.
    pub reset: Vec<String>,
    /// SEQUENCE before and after, where the server raised it.
    pub sequence: Option<(u64, u64)>,
    /// Attendees to whom the server did not deliver, with its status code.
    pub undelivered: Vec<(String, String)>,
    /// Attendees that the server told, or let it be assumed.
    pub told: u32,
}

/// Compares. `is_owner` tells the organizer's own addresses, which are never told; `server_tells` whether the
/// server itself tells an attendee with this SCHEDULE-AGENT (RFC 6638 section 7.1).
pub(super) fn compare(
    written: &[u8],
    stored: &[u8],
    is_owner: impl Fn(&str) -> bool,
    server_tells: impl Fn(&str) -> bool,
) -> Differences {
    let (written, stored) = (components(written), components(stored));
    let mut found = Differences::default();
    for (id, before) in &written {
        let Some(after) = stored.get(id) else {
            found.missing.push(if id.is_empty() {
                "the event".to_owned()
            } else {
                format!("the exception {id}")
            });
            continue;
        };
        for name in VISIBLE {
            if before.texts(name) != after.texts(name) && !found.text.iter().any(|n| n == name) {
                found.text.push((*name).to_owned());
            }
        }
        for (name, link) in &after.vendor_links {
            if !before.vendor_links.contains(&(name.clone(), link.clone())) && !found.text.contains(name) {
                found.text.push(name.clone());
            }
        }
        for (address, attendee) in &before.attendees {
            let now = after.attendees.get(address).map_or("", |a| a.answer.as_str());
            let lost = !attendee.is_unanswered() && (now.is_empty() || now == "NEEDS-ACTION");
            if lost && !is_owner(address) && !found.reset.contains(address) {
                found.reset.push(address.clone());
            }
        }
        if after.sequence > before.sequence && found.sequence.is_none() {
            found.sequence = Some((before.sequence, after.sequence));
        }
    }
    found.count_deliveries(&written, &stored, is_owner, server_tells);
    found
}

impl Differences {
    fn count_deliveries(
        &mut self,
        written: &BTreeMap<String, Component>,
        stored: &BTreeMap<String, Component>,
        is_owner: impl Fn(&str) -> bool,
        server_tells: impl Fn(&str) -> bool,
    ) {
        let scheduled: BTreeSet<&str> = written
            .values()
            .flat_map(|c| c.attendees.iter().filter(move |(a, _)| c.organizer.as_ref() != Some(*a)))
            .filter(|(address, attendee)| server_tells(&attendee.agent) && !is_owner(address))
            .map(|(address, _)| address.as_str())
            .collect();
        for address in scheduled {
            let failure = stored
                .values()
                .filter_map(|c| c.attendees.get(address))
                .filter_map(|a| a.status.as_deref())
                .find(|status| is_failure(status));
            match failure {
                Some(status) => self.undelivered.push((address.to_owned(), status.to_owned())),
                None => self.told += 1,
            }
        }
    }
}

/// Whether a SCHEDULE-STATUS (RFC 6638 section 7.3: codes by REQUEST-STATUS, several with commas, the
/// last one newest) tells of a failure: 3.x, 4.x and 5.x do.
fn is_failure(status: &str) -> bool {
    status.rsplit(',').next().is_some_and(|code| code.trim_start().starts_with(['3', '4', '5']))
}

/// One VEVENT.
#[derive(Debug, Default)]
struct Component {
    visible: Vec<(String, String)>,
    vendor_links: BTreeSet<(String, String)>,
    attendees: BTreeMap<String, Attendance>,
    organizer: Option<String>,
    sequence: u64,
}

#[derive(Debug, Default)]
struct Attendance {
    answer: String,
    status: Option<String>,
    /// SCHEDULE-AGENT in capitals; SERVER where there is none.
    agent: String,
}

impl Attendance {
    fn is_unanswered(&self) -> bool {
        self.answer.is_empty() || self.answer == "NEEDS-ACTION"
    }
}

impl Component {
    fn texts(&self, name: &str) -> BTreeSet<&str> {
        self.visible.iter().filter(|(n, _)| n == name).map(|(_, text)| text.as_str()).collect()
    }

    fn take(&mut self, bytes: &[u8], line: &Line) {
        let name = line.name(bytes).to_ascii_uppercase();
        match name.as_str() {
            "ATTENDEE" => {
                let agent = line.parameter(bytes, "SCHEDULE-AGENT").filter(|agent| !agent.is_empty());
                self.attendees.insert(
                    bare_address(&line.value(bytes)),
                    Attendance {
                        answer: line.parameter(bytes, "PARTSTAT").unwrap_or_default().to_ascii_uppercase(),
                        status: line.parameter(bytes, "SCHEDULE-STATUS"),
                        agent: agent.map_or_else(|| "SERVER".to_owned(), |agent| agent.to_ascii_uppercase()),
                    },
                );
            }
            "ORGANIZER" => self.organizer = Some(bare_address(&line.value(bytes))),
            "SEQUENCE" => self.sequence = line.value(bytes).trim().parse().unwrap_or(0),
            visible if VISIBLE.contains(&visible) => {
                let text = plain(bytes.get(line.value.clone()).unwrap_or_default());
                self.visible.push((name, text));
            }
            vendor if is_vendor_link(vendor) => {
                let link = plain(bytes.get(line.value.clone()).unwrap_or_default());
                if !link.is_empty() {
                    self.vendor_links.insert((name, link));
                }
            }
            _ => {}
        }
    }
}

fn bare_address(value: &str) -> String {
    mms_model::Address::new(value).as_str().to_ascii_lowercase()
}

/// TEXT unescaped, white space collapsed: how a server escapes and folds is its own affair.
fn plain(raw: &[u8]) -> String {
    Text::unescaped(raw).decoded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The whole VEVENTs by RECURRENCE-ID; the master's is empty.
fn components(content: &[u8]) -> BTreeMap<String, Component> {
    let document = Document::parse(content);
    let whole = document.named("VEVENT").filter(|component| component.complete);
    whole
        .map(|event| {
            let mut component = Component::default();
            // Alarms and the like within the event have texts of their own.
            document.own_lines(event).for_each(|line| component.take(content, line));
            (document.value(event, "RECURRENCE-ID").unwrap_or_default(), component)
        })
        .collect()
}

/// Whether an X- property, in capitals, holds a vendor's meeting link.
fn is_vendor_link(name: &str) -> bool {
    name.starts_with("X-MICROSOFT-SKYPETEAMS")
        || name.starts_with("X-MICROSOFT-ONLINEMEETING")
        || name.starts_with("X-MICROSOFT-SCHEDULINGSERVICE")
        || name == "X-MICROSOFT-CONFERENCETELURI"
        || name == "X-GOOGLE-CONFERENCE"
}

/// The X- properties of vendors' meeting links in an event, each with its value: what DAViCal leaves as
/// it was in attendees' copies.
pub(super) fn vendor_links(content: &[u8]) -> BTreeSet<(String, String)> {
    let document = Document::parse(content);
    let named = document.lines.iter().map(|line| (line.name(content).to_ascii_uppercase(), line));
    named
        .filter(|(name, _)| is_vendor_link(name))
        .map(|(name, line)| (name, line.value(content).into_owned()))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(body: &str) -> Vec<u8> {
        format!("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\n{body}END:VEVENT\r\nEND:VCALENDAR\r\n")
            .into_bytes()
    }

    const WRITTEN: &str = "SEQUENCE:0\r\nORGANIZER:mailto:alice@x\r\nDESCRIPTION:Join https://new/1\\nBye\r\n\
        ATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@x\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:Bob@x\r\n\
        ATTENDEE:mailto:carol@x\r\n";

    fn by_standard(agent: &str) -> bool {
        agent == "SERVER"
    }

    fn against(stored: &str) -> Differences {
        compare(&event(WRITTEN), &event(stored), |a| a == "alice@x", by_standard)
    }

    #[test]
    fn what_a_server_may_do_makes_no_difference() {
        let stored = "DESCRIPTION;LANGUAGE=en:Join \r\n https://new/1\\NBye\r\nATTENDEE;SCHEDULE-STATUS=1.1:MAILTO:carol@x\r\n\
            ATTENDEE;SCHEDULE-STATUS=\"1.0,1.2\";PARTSTAT=accepted;CN=\"a:b;c\":mailto:bob@x\r\nORGANIZER:mailto:alice@x\r\n";
        assert_eq!(against(stored), Differences { told: 2, ..Differences::default() });
    }

    #[test]
    fn reset_answers_and_a_raised_sequence_are_seen() {
        let stored =
            WRITTEN.replace("SEQUENCE:0", "SEQUENCE:1").replace("PARTSTAT=ACCEPTED", "PARTSTAT=NEEDS-ACTION");
        let found = against(&stored);
        assert_eq!(found.reset, ["bob@x"], "the organizer's own answer is nobody's loss");
        assert_eq!(found.sequence, Some((0, 1)));
    }

    #[test]
    fn refused_deliveries_are_seen() {
        let stored =
            WRITTEN.replace("ATTENDEE:mailto:carol", "ATTENDEE;SCHEDULE-STATUS=\"1.0,3.8\":mailto:carol");
        let found = against(&stored);
        assert_eq!(
            found.undelivered,
            [("carol@x".to_owned(), "3.8".to_owned())].map(|(a, _)| (a, "1.0,3.8".to_owned()))
        );
        assert_eq!(found.told, 1);
    }

    #[test]
    fn a_text_that_did_not_stay_is_seen() {
        assert_eq!(against(&WRITTEN.replace("new/1", "old/1")).text, ["DESCRIPTION"]);
        assert_eq!(
            compare(&event(WRITTEN), b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", |_| false, by_standard).missing,
            ["the event"]
        );
    }

    #[test]
    fn a_vendors_link_that_came_back_is_seen_and_one_that_went_is_not() {
        let link = |value: &str| format!("{WRITTEN}X-GOOGLE-CONFERENCE:{value}\r\n");
        assert_eq!(against(&link("https://old/1")).text, ["X-GOOGLE-CONFERENCE"]);
        let written = event(&link("https://new/1"));
        assert!(compare(&written, &event(WRITTEN), |_| false, by_standard).text.is_empty());
    }

    #[test]
    fn attendees_whom_the_server_is_not_to_tell_are_not_counted() {
        let written = WRITTEN.replace("ATTENDEE:mailto:carol", "ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:carol");
        let told = |server_tells: fn(&str) -> bool| {
            compare(&event(&written), &event(&written), |a| a == "alice@x", server_tells).told
        };
        assert_eq!(told(by_standard), 1);
        assert_eq!(told(|_| true), 2, "but on a server that does not mind");
    }

    #[test]
    fn an_alarm_is_not_the_event() {
        let with_alarm = format!("{WRITTEN}BEGIN:VALARM\r\nDESCRIPTION:ring\r\nEND:VALARM\r\n");
        assert!(against(&with_alarm).text.is_empty());
    }

    #[test]
    fn vendors_links_are_found() {
        let links = vendor_links(&event(
            "X-MICROSOFT-SKYPETEAMSMEETINGURL:https://t/1\r\nX-FOO:1\r\nX-GOOGLE-CONFERENCE:\r\n",
        ));
        assert_eq!(links.len(), 1);
    }

    proptest! {
        #[test]
        fn comparing_survives_anything(a in prop::collection::vec(any::<u8>(), 0..400), b in "[A-Z:;=\"\\\\\r\n ]{0,300}") {
            compare(&a, b.as_bytes(), |_| false, by_standard);
            compare(b.as_bytes(), &a, |_| true, by_standard);
            vendor_links(b.as_bytes());
        }

        #[test]
        fn nothing_differs_from_itself(body in "[A-Za-z:;=\"\\\\\r\n ]{0,300}") {
            let found = compare(body.as_bytes(), body.as_bytes(), |_| false, by_standard);
            prop_assert_eq!(Differences { told: 0, undelivered: vec![], ..found }, Differences::default());
        }
    }
}
