//! New addresses of organizer and attendees in an iCalendar event.

use std::collections::HashSet;

use mms_model::{Address, IdentityMap, PartChange};

use super::instance_id;
use crate::ical::{Component, Document, Edits, Line, outside_quotes};

/// Parameters that hold a calendar address, or several, each in quotes (RFC 5545 sections 3.2.4, 3.2.5, 3.2.11
/// and 3.2.18; RFC 7986 section 6.2).
const PARAMETERS: &[&str] = &["DELEGATED-FROM", "DELEGATED-TO", "MEMBER", "SENT-BY", "EMAIL"];

/// Gives organizer and attendees of a component the addresses that they have now. Name, role, answer and every
/// other parameter stay. An attendee who is then listed twice is listed once.
pub(super) fn rename(
    document: &Document<'_>,
    component: &Component,
    identities: &IdentityMap,
    edits: &mut Edits,
) -> Vec<PartChange> {
    let mut changes = Vec::new();
    let is = |line: &Line, name: &str| line.is(document.bytes, name);
    let attendees = || document.own_lines(component).filter(|line| is(line, "ATTENDEE"));
    let address = |line: &Line| Address::new(&line.value(document.bytes));
    let stay = attendees().map(address).filter(|address| identities.target(address).is_none());
    let mut listed: HashSet<Address> = stay.collect();
    for line in document.own_lines(component).filter(|line| is(line, "ATTENDEE") || is(line, "ORGANIZER")) {
        let before = line.value(document.bytes).into_owned();
        let target = identities.target(&Address::new(&before));
        let twice = is(line, "ATTENDEE") && target.as_ref().is_some_and(|t| !listed.insert(t.clone()));
        let mut note = |after: String| {
            changes.push(PartChange {
                instance: instance_id(document, component),
                part: line.name(document.bytes).to_ascii_uppercase(),
                before: before.clone(),
                after,
            });
        };
        if twice {
            edits.replace(line.raw.clone(), Vec::new());
            note(String::new());
            continue;
        }
        let head = line.head(document.bytes);
        let renamed = parameters(&head, identities);
        let after = target.map_or_else(|| before.clone(), |target| with_scheme(&before, &target));
        // A head that is no UTF-8 was not read exactly, and so is not written.
        let exact = std::str::from_utf8(document.bytes.get(line.raw.clone()).unwrap_or_default()).is_ok();
        if exact && renamed != head {
            let range = line.name.end..line.value.end;
            edits.replace_in_line(document.bytes, range, format!("{renamed}{after}").as_bytes());
            note(after);
        } else if after != before {
            edits.replace_in_line(document.bytes, line.value.clone(), after.as_bytes());
            note(after);
        }
    }
    changes
}

/// `target` with the scheme that `before` has, as it is written there.
fn with_scheme(before: &str, target: &Address) -> String {
    let start = before.len() - before.trim_start().len();
    let scheme = before.get(start..start + 7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
    format!("{}{target}", scheme.unwrap_or_default())
}

/// The parameters (`;…:`, unfolded) with each address in them renamed.
fn parameters(head: &str, identities: &IdentityMap) -> String {
    let mut renamed = String::with_capacity(head.len());
    for (index, parameter) in split(head, ';').into_iter().enumerate() {
        if index > 0 {
            renamed.push(';');
        }
        match parameter.split_once('=') {
            Some((name, values)) if PARAMETERS.iter().any(|known| known.eq_ignore_ascii_case(name)) => {
                let (values, colon) = values.strip_suffix(':').map_or((values, ""), |v| (v, ":"));
                let values: Vec<String> =
                    split(values, ',').into_iter().map(|value| one(value, identities)).collect();
                renamed.push_str(&format!("{name}={}{colon}", values.join(",")));
            }
            _ => renamed.push_str(parameter),
        }
    }
    renamed
}

/// One address of a parameter, with or without quotes.
fn one(value: &str, identities: &IdentityMap) -> String {
    let bare = value.trim_matches('"');
    match identities.target(&Address::new(bare)) {
        Some(target) if bare.len() < value.len() => format!("\"{}\"", with_scheme(bare, &target)),
        Some(target) => with_scheme(bare, &target),
        None => value.to_owned(),
    }
}

/// The parts of `text` between separators that stand outside of quotes.
fn split(mut text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    while let Some((part, rest)) = outside_quotes(text, separator).map(|at| text.split_at(at)) {
        parts.push(part);
        text = &rest[separator.len_utf8()..];
    }
    parts.push(text);
    parts
}
