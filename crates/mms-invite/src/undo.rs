//! Taking a change back out of an event that may have been edited since.

use jiff::Timestamp;
use mms_model::{InstanceId, PartChange, Rewritten};

use crate::event::instance_id;
use crate::ical::{Component, Document, Edits, Line, Text};
use crate::item::ItemError;
use crate::rewrite::utc;

/// Why a change cannot be taken back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UndoError {
    /// A component of then is no longer there, or none was there then.
    #[error("the event was taken apart since its migration: the component {0:?} is gone")]
    NoSuchInstance(InstanceId),
    /// The very text to restore was edited.
    #[error("{property} was edited since the migration inside what a rollback restores: mend it by hand")]
    Edited {
        /// Which property.
        property: String,
    },
    /// The content is no item of an Exchange calendar.
    #[error(transparent)]
    Item(#[from] ItemError),
}

/// Takes the change from `original` to `written` back out of `current`: each content line that the
/// change touched is restored if it still is what was written, or at least holds the new text
/// unchanged in one place; everything edited elsewhere since stays. With a `stamp`, DTSTAMP and LAST-MODIFIED of
/// the changed components are renewed, so that attendees' clients take the update; without one the
/// original's are restored.
///
/// # Errors
/// [`UndoError`]; nothing is changed then.
pub fn undo(
    original: &[u8],
    written: &[u8],
    current: &[u8],
    stamp: Option<Timestamp>,
) -> Result<Rewritten, UndoError> {
    let (before, after, now) =
        (Document::parse(original), Document::parse(written), Document::parse(current));
    let mut edits = Edits::default();
    let mut changes = Vec::new();
    for was in before.named("VEVENT") {
        let id = instance_id(&before, was);
        let Some(became) = find(&after, &id) else { continue };
        let differences = differences((&before, was), (&after, became));
        if differences.iter().all(|d| d.is_stamp()) {
            continue;
        }
        let is = find(&now, &id).ok_or_else(|| UndoError::NoSuchInstance(id.clone()))?;
        for difference in differences {
            if difference.is_stamp() && stamp.is_some() {
                continue;
            }
            revert(&difference, (&now, is), &id, &mut edits, &mut changes)?;
        }
        revert_alarms([(&before, was), (&after, became), (&now, is)], &id, &mut edits, &mut changes);
        if let Some(stamp) = stamp {
            renew(&now, is, &utc(stamp), &mut edits);
        }
    }
    Ok(Rewritten { content: edits.apply(current), changes })
}

fn find<'d>(document: &'d Document<'_>, id: &InstanceId) -> Option<&'d Component> {
    document.named("VEVENT").find(|c| instance_id(document, c) == *id)
}

/// A property that the change touched: its line before and after, and which of its name it was.
struct Difference {
    name: String,
    nth: usize,
    before: Option<Vec<u8>>,
    after: Option<Vec<u8>>,
    /// The lines behind it as the change left them, where it was removed.
    followers: Vec<Vec<u8>>,
}

impl Difference {
    fn inserted(name: String, raw: &[u8]) -> Self {
        Self { name, nth: 0, before: None, after: Some(raw.to_vec()), followers: Vec::new() }
    }

    fn is_stamp(&self) -> bool {
        matches!(self.name.as_str(), "DTSTAMP" | "LAST-MODIFIED")
    }
}

type Place<'a, 'd> = (&'a Document<'d>, &'a Component);

fn lines_of<'a>((document, component): Place<'a, '_>) -> Vec<(&'a Line, Vec<u8>)> {
    document
        .own_lines(component)
        .map(|line| (line, document.bytes.get(line.raw.clone()).unwrap_or_default().to_vec()))
        .collect()
}

/// The lines of a component that the change touched. Our changes keep the order of lines and remove,
/// insert or rewrite single ones, so lines are matched by name and, within a name, in order.
fn differences(before: Place<'_, '_>, after: Place<'_, '_>) -> Vec<Difference> {
    let (old, new) = (lines_of(before), lines_of(after));
    let name_of = |line: &Line, place: Place<'_, '_>| line.name(place.0.bytes).to_ascii_uppercase();
    let mut differences = Vec::new();
    let mut removed = Vec::new();
    // What each old line became.
    let mut became: Vec<Option<&Vec<u8>>> = Vec::with_capacity(old.len());
    let mut at = 0;
    for (index, (line, raw)) in old.iter().enumerate() {
        let name = name_of(line, before);
        let later = old.iter().skip(index).map(|(l, _)| l);
        while let Some((inserted, text)) = new.get(at)
            && !later.clone().any(|l| inserted.is(after.0.bytes, l.name(before.0.bytes)))
        {
            differences.push(Difference::inserted(name_of(inserted, after), text));
            at += 1;
        }
        let kept = new.get(at).filter(|(candidate, text)| {
            text == raw
                || (candidate.is(after.0.bytes, &name)
                    && !old.iter().skip(index + 1).any(|(_, other)| other == text))
        });
        match kept {
            Some((_, text)) => {
                if text != raw {
                    let nth = new.iter().take(at).filter(|(l, _)| l.is(after.0.bytes, &name)).count();
                    differences.push(Difference {
                        name,
                        nth,
                        before: Some(raw.clone()),
                        after: Some(text.clone()),
                        followers: Vec::new(),
                    });
                }
                became.push(Some(text));
                at += 1;
            }
            None => {
                removed.push((index, name, raw));
                became.push(None);
            }
        }
    }
    for (inserted, text) in new.iter().skip(at) {
        differences.push(Difference::inserted(name_of(inserted, after), text));
    }
    differences.extend(removed.into_iter().map(|(index, name, raw)| Difference {
        name,
        nth: 0,
        before: Some(raw.clone()),
        after: None,
        followers: became.iter().skip(index + 1).flatten().map(|raw| (*raw).clone()).collect(),
    }));
    differences
}

fn revert(
    difference: &Difference,
    (document, component): Place<'_, '_>,
    id: &InstanceId,
    edits: &mut Edits,
    changes: &mut Vec<PartChange>,
) -> Result<(), UndoError> {
    let raw_of = |line: &Line| document.bytes.get(line.raw.clone()).unwrap_or_default();
    let edited = || UndoError::Edited { property: difference.name.clone() };
    let mut change = |before: String, after: String| {
        changes.push(PartChange { instance: id.clone(), part: difference.name.clone(), before, after });
    };
    match (&difference.before, &difference.after) {
        (Some(before), None) => {
            // Removed: put it back, unless something like it was put there since.
            if document.own_lines(component).any(|line| raw_of(line) == before.as_slice()) {
                return Ok(());
            }
            let at = restore_at(difference, (document, component));
            edits.replace(at..at, before.clone());
            change(String::new(), decoded(before));
        }
        (None, Some(after)) => {
            let line = document
                .own_lines(component)
                .find(|line| raw_of(line) == after.as_slice())
                .ok_or_else(edited)?;
            edits.replace(line.raw.clone(), Vec::new());
            change(decoded(after), String::new());
        }
        (Some(before), Some(after)) => {
            let same = document.own_lines(component).find(|line| raw_of(line) == after.as_slice());
            if let Some(line) = same {
                edits.replace(line.raw.clone(), before.clone());
                change(decoded(after), decoded(before));
            } else {
                let line = document
                    .own_lines(component)
                    .filter(|line| line.is(document.bytes, &difference.name))
                    .nth(difference.nth)
                    .ok_or_else(edited)?;
                let (from, to) =
                    merge(raw_of(line), before, after, document, line, edits).ok_or_else(edited)?;
                change(from, to);
            }
        }
        (None, None) => {}
    }
    Ok(())
}

/// Puts the lines of alarms back that still are as the change left them. Clients and servers move, silence and
/// drop alarms as they please, so one that is gone or different is no reason to refuse.
fn revert_alarms(
    [before, after, now]: [Place<'_, '_>; 3],
    id: &InstanceId,
    edits: &mut Edits,
    changes: &mut Vec<PartChange>,
) {
    let alarms = |(document, component): Place<'_, '_>| -> Vec<(String, Vec<u8>, usize)> {
        let lines = document.inside(component, "VALARM").flat_map(|alarm| document.own_lines(alarm));
        lines
            .map(|line| {
                let raw = document.bytes.get(line.raw.clone()).unwrap_or_default();
                (line.name(document.bytes).to_ascii_uppercase(), raw.to_vec(), line.raw.start)
            })
            .collect()
    };
    let (was, became) = (alarms(before), alarms(after));
    if was.len() != became.len() {
        return;
    }
    let is = alarms(now);
    let mut taken = 0;
    for ((name, old, _), (_, new, _)) in was.iter().zip(&became).filter(|((_, a, _), (_, b, _))| a != b) {
        let Some(place) = is.iter().skip(taken).position(|(_, raw, _)| raw == new) else { continue };
        taken += place + 1;
        if let Some((_, raw, at)) = is.get(taken - 1) {
            edits.replace(*at..at + raw.len(), old.clone());
            changes.push(PartChange {
                instance: id.clone(),
                part: name.clone(),
                before: decoded(new),
                after: decoded(old),
            });
        }
    }
}

/// Where a removed line goes back: before the line that followed it, or before END.
fn restore_at(difference: &Difference, (document, component): Place<'_, '_>) -> usize {
    let follower = difference.followers.iter().find_map(|raw| {
        document.own_lines(component).find(|line| document.bytes.get(line.raw.clone()) == Some(raw))
    });
    match follower {
        Some(line) => line.raw.start,
        None => component
            .lines
            .end
            .checked_sub(1)
            .and_then(|end| document.lines.get(end))
            .map_or(document.bytes.len(), |end| end.raw.start),
    }
}

/// The line was edited since around what we changed: puts the old text of the change back in place of
/// the new one, where that stands there exactly once.
fn merge(
    current: &[u8],
    before: &[u8],
    after: &[u8],
    document: &Document<'_>,
    line: &Line,
    edits: &mut Edits,
) -> Option<(String, String)> {
    let (was, became) = (decoded(before), decoded(after));
    let (head, tail) = common(&was, &became);
    let old = was.get(head..was.len() - tail)?;
    let new = became.get(head..became.len() - tail)?;
    if new.is_empty() {
        return None;
    }
    let offset = line.value.start - line.raw.start;
    let text = Text::unescaped(current.get(offset..offset + line.value.len())?);
    let at = text.decoded.find(new)?;
    if text.decoded.get(at + 1..).is_some_and(|rest| rest.contains(new)) {
        return None;
    }
    let raw = text.raw(&(at..at + new.len()))?;
    let encoded = text.encode(old)?;
    edits.replace_in_line(document.bytes, line.value.start + raw.start..line.value.start + raw.end, &encoded);
    let restored = format!("{}{old}{}", text.decoded.get(..at)?, text.decoded.get(at + new.len()..)?);
    Some((text.decoded, restored))
}

/// Lengths of the common beginning and end, on character boundaries.
pub(crate) fn common(a: &str, b: &str) -> (usize, usize) {
    let head: usize = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).map(|(c, _)| c.len_utf8()).sum();
    let limit = a.len().min(b.len()) - head;
    let mut tail = 0;
    for (x, y) in a.chars().rev().zip(b.chars().rev()) {
        if x != y || tail + x.len_utf8() > limit {
            break;
        }
        tail += x.len_utf8();
    }
    (head, tail)
}

/// The decoded value of a raw content line.
fn decoded(raw: &[u8]) -> String {
    let document = Document::parse(raw);
    let value = document.lines.first().map(|line| line.value.clone()).unwrap_or_default();
    Text::unescaped(raw.get(value).unwrap_or_default()).decoded
}

fn renew(document: &Document<'_>, component: &Component, stamp: &str, edits: &mut Edits) {
    for line in document.own_lines(component) {
        if line.is(document.bytes, "DTSTAMP") || line.is(document.bytes, "LAST-MODIFIED") {
            edits.replace_in_line(document.bytes, line.value.clone(), stamp.as_bytes());
        }
    }
}
