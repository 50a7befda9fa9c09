//! Taking a change back out of an item that may have been edited since, field by field.

use std::ops::Range;

use mms_model::Rewritten;

use super::identity::restored;
use super::read_back::keys;
use super::rewrite::{note, seen};
use super::{Body, Component, Item, Location, Properties};
use crate::recognise::{BodyFormat, EventText, Recogniser, visible};
use crate::rewrite::splice;
use crate::undo::{UndoError, common};

/// Takes the change from `original` to `written` back out of `current`, keeping what was edited since. The
/// result says by [`Item::changes`] what to send.
///
/// People edit body and location, so there an edit inside of what is to be restored is an error. The named
/// properties are set by programs alone: they are restored as long as the item still is the meeting
/// that was written.
///
/// # Errors
/// [`UndoError`]; nothing is changed then.
pub fn undo(
    original: &[u8],
    written: &[u8],
    current: &[u8],
    recogniser: &Recogniser,
) -> Result<Rewritten, UndoError> {
    let (before, after) = (Item::from_bytes(original)?, Item::from_bytes(written)?);
    let now = Item::from_bytes(current)?;
    let mut restored = now.clone();
    let mut changes = Vec::new();
    for was in &before.components {
        let Some(became) = after.component(&was.instance).filter(|became| is_changed(was, became)) else {
            continue;
        };
        let is = restored
            .components
            .iter_mut()
            .find(|c| c.instance == was.instance)
            .ok_or_else(|| UndoError::NoSuchInstance(was.instance.clone()))?;
        let undone = Step { was, became, is, recogniser }.run()?;
        note(is, &undone, &mut changes);
        *is = undone;
    }
    if changes.is_empty() {
        return Ok(Rewritten { content: current.to_vec(), changes });
    }
    restored.mark(&now);
    Ok(Rewritten { content: restored.to_bytes(), changes })
}

/// Two changes of one item as one, each given by the content before and after it: components that the second one leaves
/// as they are get what the first one made of them. Content that is no item is the second one's.
pub fn joined(first: (&[u8], &[u8]), second: (&[u8], &[u8])) -> (Vec<u8>, Vec<u8>) {
    let items = || {
        let read = |content: &[u8]| Item::from_bytes(content).ok();
        Some((read(first.0)?, read(first.1)?, read(second.0)?, read(second.1)?))
    };
    let Some((first_was, first_became, mut was, mut became)) = items() else {
        return (second.0.to_vec(), second.1.to_vec());
    };
    for old in &first_was.components {
        let Some(new) = first_became.component(&old.instance).filter(|new| is_changed(old, new)) else {
            continue;
        };
        let place = |item: &Item| item.components.iter().position(|c| c.instance == old.instance);
        let (Some(before), Some(after)) = (place(&was), place(&became)) else { continue };
        if !is_changed(&was.components[before], &became.components[after]) {
            was.components[before] = old.clone();
            became.components[after] = new.clone();
        }
    }
    (was.to_bytes(), became.to_bytes())
}

fn is_changed(was: &Component, became: &Component) -> bool {
    was.body != became.body
        || was.location != became.location
        || was.locations != became.locations
        || was.properties != became.properties
        || was.invited() != became.invited()
}

/// The undoing of one component's change.
struct Step<'a> {
    was: &'a Component,
    became: &'a Component,
    is: &'a Component,
    recogniser: &'a Recogniser,
}

impl Step<'_> {
    fn run(&self) -> Result<Component, UndoError> {
        let edited = |property: &str| UndoError::Edited { property: property.to_owned() };
        if !self.is_same_meeting() {
            return Err(edited("the online meeting"));
        }
        let mut undone = self.is.clone();
        undone.body = self.body().ok_or_else(|| edited("the body"))?;
        undone.location = location(&self.was.location, &self.became.location, &self.is.location)
            .ok_or_else(|| edited("the location"))?;
        undone.locations = self.locations().ok_or_else(|| edited("the list of locations"))?;
        undone.properties = self.properties();
        undone.attendees = restored(&self.was.attendees, &self.became.attendees, &self.is.attendees);
        // Since the write the server may show the new meeting here of its own accord.
        undone.online_meeting.clone_from(&self.was.online_meeting);
        Ok(undone)
    }

    /// Whether the item still holds the meeting that was written, or already that of before. The server may
    /// still know of the other one beside it.
    fn is_same_meeting(&self) -> bool {
        let of = |component: &Component| component.find(self.recogniser).recognition.clone();
        let (was, became, is) = (of(self.was), of(self.became), of(self.is));
        let is = keys(&is);
        keys(&became).iter().chain(&keys(&was)).any(|key| is.contains(key))
    }

    fn properties(&self) -> Properties {
        let mut undone = self.is.properties.clone();
        let both = self.was.properties.keys().chain(self.became.properties.keys());
        for property in both.filter(|p| self.was.property(**p) != self.became.property(**p)) {
            match self.was.properties.get(property) {
                Some(value) => drop(undone.insert(*property, value.clone())),
                None => drop(undone.remove(property)),
            }
        }
        undone
    }

    fn locations(&self) -> Option<Vec<Location>> {
        let names = |locations: &[Location]| -> Vec<String> {
            locations.iter().map(|l| l.display_name.clone()).collect()
        };
        let (was, became, is) = (&self.was.locations, &self.became.locations, &self.is.locations);
        // The server fills in the other members.
        if was == became || names(is) == names(was) {
            return Some(is.clone());
        }
        if names(is) == names(became) {
            return Some(was.clone());
        }
        if was.len() != became.len() {
            return None;
        }
        let mut undone = is.clone();
        for (old, new) in was.iter().zip(became).filter(|(old, new)| old != new) {
            let mut places = undone.iter_mut().filter(|l| l.display_name == new.display_name);
            let (place, None) = (places.next()?, places.next()) else { return None };
            *place = old.clone();
        }
        Some(undone)
    }

    /// `None` where the change cannot be told from later edits.
    fn body(&self) -> Option<Option<Body>> {
        let (was, became, is) = (&self.was.body, &self.became.body, &self.is.body);
        if was == became || is == was {
            return Some(is.clone());
        }
        if is == became {
            return Some(was.clone());
        }
        let (Some(became), Some(is)) = (became, is) else { return None };
        let empty = Body { format: became.format, content: String::new() };
        let was = was.as_ref().unwrap_or(&empty);
        if was.format != became.format || is.format != became.format {
            return None;
        }
        let content = BodyStep { was, became, is, recogniser: self.recogniser }.run()?;
        Some(Some(Body { format: is.format, content }))
    }
}

/// The undoing of a body's change.
struct BodyStep<'a> {
    was: &'a Body,
    became: &'a Body,
    is: &'a Body,
    recogniser: &'a Recogniser,
}

impl BodyStep<'_> {
    fn run(&self) -> Option<String> {
        let written = self.blocks(self.became);
        let (changed, old) = self.changed(&written)?;
        let new = self.became.content.get(changed.clone())?;
        if let Some(at) = only(&self.is.content, new) {
            return Some(splice::apply(&self.is.content, &[(at..at + new.len(), old.to_owned())]));
        }
        self.in_other_markup(&written, &changed, old).or_else(|| {
            // The server rewrote the markup, and nobody edited anything.
            let same = visible(self.is.part()) == visible(self.became.part())
                && (self.is.format == BodyFormat::Text
                    || formatting(&self.is.content) == formatting(&self.became.content));
            same.then(|| self.was.content.clone())
        })
    }

    fn blocks(&self, body: &Body) -> Vec<Range<usize>> {
        let event = EventText { bodies: vec![body.part()], ..EventText::default() };
        self.recogniser.event(&event).blocks.into_iter().map(|block| block.range).collect()
    }

    /// The bytes that the change wrote, whole blocks of them, and what stood in their place.
    fn changed(&self, written: &[Range<usize>]) -> Option<(Range<usize>, &str)> {
        let (was, became) = (&self.was.content, &self.became.content);
        let (head, tail) = common(was, became);
        let hunk = head..became.len() - tail;
        let touched = written.iter().filter(|block| block.start <= hunk.end && hunk.start <= block.end);
        let (start, end) =
            touched.fold((hunk.start, hunk.end), |(start, end), b| (start.min(b.start), end.max(b.end)));
        let old = was.get(start..was.len().checked_sub(became.len() - end)?)?;
        Some((start..end, old))
    }

    /// Replaces the block in a body whose markup the server rewrote, where it still shows the same.
    fn in_other_markup(&self, written: &[Range<usize>], changed: &Range<usize>, old: &str) -> Option<String> {
        let block = written.iter().find(|block| *block == changed)?;
        let wanted = seen(self.became, block)?;
        let now = self.blocks(self.is);
        let mut same = now.iter().filter(|range| seen(self.is, range).as_ref() == Some(&wanted));
        let (range, None) = (same.next()?, same.next()) else { return None };
        Some(splice::apply(&self.is.content, &[(range.clone(), old.to_owned())]))
    }
}

/// Where `new` stands in `text`, if it does so once.
fn only(text: &str, new: &str) -> Option<usize> {
    let at = memchr::memmem::find(text.as_bytes(), new.as_bytes()).filter(|_| !new.trim().is_empty())?;
    let rest = text.as_bytes().get(at + 1..).unwrap_or_default();
    memchr::memmem::find(rest, new.as_bytes()).is_none().then_some(at)
}

/// The elements that change how text looks, in order. What a server adds to a document is not among them.
fn formatting(html: &str) -> Vec<String> {
    const NAMES: &[&str] = &[
        "b", "i", "u", "s", "strong", "em", "font", "ul", "ol", "li", "table", "tr", "td", "img", "h1", "h2",
        "h3",
    ];
    let starts = memchr::memchr_iter(b'<', html.as_bytes()).filter_map(|at| html.get(at + 1..));
    starts
        .filter_map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len()).min(8);
            let name = rest.get(..end)?.to_ascii_lowercase();
            NAMES.contains(&name.as_str()).then_some(name)
        })
        .collect()
}

/// The location without the change, which is of whole parts between separators.
fn location(was: &str, became: &str, is: &str) -> Option<String> {
    if was == became || is == was {
        return Some(is.to_owned());
    }
    if is == became {
        return Some(was.to_owned());
    }
    let (head, tail) = common(was, became);
    let separator = |c: char| matches!(c, ';' | ',' | '|' | '\n' | '\r');
    let start = became.get(..head)?.rfind(separator).map_or(0, |at| at + 1);
    let end = became.len() - tail;
    let end = became.get(end..)?.find(separator).map_or(became.len(), |at| end + at);
    let old = was.get(start..was.len().checked_sub(became.len() - end)?)?;
    let new = became.get(start..end)?;
    let parts = |text: &str| text.split(separator).filter(|part| *part == new).count();
    let at = only(is, new).filter(|_| parts(is) == 1 || new.contains(separator))?;
    Some(splice::apply(is, &[(at..at + new.len(), old.to_owned())]))
}
