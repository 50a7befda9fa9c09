//! What was found in events seen lately: an event is read when it is listed, and once more, with the same text, when
//! it is rewritten.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::{BodyFormat, EventText, Findings};

/// Events of which is known what they hold; of two generations, the older one goes when the newer one is full.
const GENERATION: usize = 256;
/// Findings with more places are not kept: memory stays bounded whatever an event holds.
const MAX_PLACES: usize = 16;

/// A hash of everything that recognition reads, so that two texts never pass for each other.
type Key = [u8; 32];

#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    newer: HashMap<Key, Arc<Findings>>,
    older: HashMap<Key, Arc<Findings>>,
}

impl Recent {
    /// What was found in `event` before, or what `find` finds now.
    pub(super) fn get_or(&self, event: &EventText<'_>, find: impl FnOnce() -> Findings) -> Arc<Findings> {
        let key = key(event);
        let known = {
            let generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            generations.newer.get(&key).or_else(|| generations.older.get(&key)).cloned()
        };
        known.unwrap_or_else(|| {
            let found = Arc::new(find());
            if found.blocks.len() + found.mentions.len() + found.location.len() <= MAX_PLACES {
                self.keep(key, &found);
            }
            found
        })
    }

    fn keep(&self, key: Key, found: &Arc<Findings>) {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if generations.newer.len() >= GENERATION {
            generations.older = std::mem::take(&mut generations.newer);
        }
        generations.newer.insert(key, Arc::clone(found));
    }
}

fn key(event: &EventText<'_>) -> Key {
    let mut hash = Sha256::new();
    let mut text = |kind: u8, text: &str| {
        hash.update([kind]);
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    for body in &event.bodies {
        text(if body.format == BodyFormat::Html { b'h' } else { b't' }, body.text);
    }
    if let Some(location) = event.location {
        text(b'l', location);
    }
    for (name, value) in &event.properties {
        text(b'n', name);
        text(b'v', value);
    }
    text(if event.scheduled { b's' } else { b'u' }, "");
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::super::{BodyPart, Recogniser, RecogniserOptions};
    use super::*;

    fn event(text: &str) -> EventText<'_> {
        let bodies = vec![BodyPart { format: BodyFormat::Text, text }];
        EventText { bodies, scheduled: true, ..EventText::default() }
    }

    #[test]
    fn the_same_event_is_read_once() {
        let recogniser = Recogniser::new(&RecogniserOptions::default()).unwrap();
        let (text, recent) = ("https://zoom.us/j/123456789", Recent::default());
        let first = recent.get_or(&event(text), || recogniser.event(&event(text)));
        let again = recent.get_or(&event(text), || unreachable!("it is known"));
        assert_eq!((&first, first.blocks.len()), (&again, 1));
        let other = recent.get_or(&event("lunch"), || recogniser.event(&event("lunch")));
        assert_ne!(first, other);
    }

    #[test]
    fn every_part_of_an_event_tells() {
        let html = EventText { bodies: vec![BodyPart { format: BodyFormat::Html, text: "a" }], ..event("") };
        let place = EventText { location: Some("a"), ..EventText::default() };
        let named = |name, value| EventText { properties: vec![(name, value)], ..EventText::default() };
        let alone = EventText { scheduled: false, ..event("a") };
        let events =
            [event("a"), event("b"), html, place, named("a", "b"), named("ab", ""), named("", "ab"), alone];
        let keys: std::collections::HashSet<Key> = events.iter().map(key).collect();
        assert_eq!(keys.len(), events.len());
    }

    #[test]
    fn only_so_many_are_kept() {
        let recent = Recent::default();
        let nothing = Recogniser::new(&RecogniserOptions::default()).unwrap().event(&event(""));
        for number in 0..4 * GENERATION {
            recent.get_or(&event(&number.to_string()), || nothing.clone());
        }
        let generations = recent.0.lock().unwrap();
        assert_eq!((generations.newer.len(), generations.older.len()), (GENERATION, GENERATION));
    }
}
