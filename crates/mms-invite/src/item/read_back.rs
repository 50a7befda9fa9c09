//! Whether an item that was read back after a write says what was written.

use mms_model::{Address, InstanceId, Recognition};

use super::{Component, Field, Item};
use crate::recognise::{Recogniser, visible};

/// What became of a write. Exchange rewrites the HTML that it is given (adds a head, renames ids and
/// classes, wraps lines), so bytes say nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadBack {
    /// The meeting is there, and people see what was written.
    Same,
    /// The meeting is there, but the server shows something else around it: it added a block of its own,
    /// or somebody edited the item meanwhile.
    OtherText {
        /// The first component that differs.
        instance: InstanceId,
    },
    /// The meeting is there, but not every attendee under the address that was written.
    OtherAttendees {
        /// The first component that differs.
        instance: InstanceId,
        /// Who is missing in it.
        missing: Vec<Address>,
    },
    /// The item does not show the meeting that was written to it.
    OtherMeeting {
        /// The first component that differs.
        instance: InstanceId,
        /// What is recognised there instead.
        found: String,
    },
}

/// Compares the components of `written` that were to be written with what `read` holds of them.
pub fn read_back(written: &Item, read: &Item, recogniser: &Recogniser) -> ReadBack {
    let mut other = None;
    for component in written.components.iter().filter(|c| !c.pending.is_empty()) {
        let instance = || component.instance.clone();
        let Some(now) = read.component(&component.instance) else {
            return ReadBack::OtherMeeting {
                instance: instance(),
                found: "the component is gone".to_owned(),
            };
        };
        let missing = missing(component, now, read.organizer.as_ref());
        if other.is_none() && !missing.is_empty() {
            other = Some(ReadBack::OtherAttendees { instance: instance(), missing });
        }
        if shows_the_same(component, now) {
            continue;
        }
        let (wanted, found) = (component.find(recogniser), now.find(recogniser));
        if keys(&wanted.recognition) != keys(&found.recognition) {
            return ReadBack::OtherMeeting { instance: instance(), found: named(&found.recognition) };
        }
        if other.is_none() && (shown(component) != shown(now) || component.location != now.location) {
            other = Some(ReadBack::OtherText { instance: instance() });
        }
    }
    other.unwrap_or(ReadBack::Same)
}

/// Attendees who were written and are not there, the organizer left out: not every server lists that one.
fn missing(written: &Component, now: &Component, organizer: Option<&Address>) -> Vec<Address> {
    if !written.pending.contains(&Field::Attendees) {
        return Vec::new();
    }
    let there = now.invited();
    let missing = |address: &&Address| !there.contains(address) && organizer != Some(*address);
    written.invited().into_iter().filter(missing).cloned().collect()
}

/// Whether a server gave back what it was given, so that there is nothing to recognise.
fn shows_the_same(written: &Component, now: &Component) -> bool {
    written.body == now.body
        && written.location == now.location
        && written.online_meeting == now.online_meeting
        && written.properties == now.properties
}

pub(super) fn keys(recognition: &Recognition) -> Vec<&str> {
    match recognition {
        Recognition::None => Vec::new(),
        Recognition::One(meeting) => vec![meeting.key.as_str()],
        Recognition::Ambiguous(all) => all.iter().map(|m| m.key.as_str()).collect(),
    }
}

fn named(recognition: &Recognition) -> String {
    match recognition {
        Recognition::None => "no meeting".to_owned(),
        Recognition::One(meeting) => meeting.join_url.clone().unwrap_or_else(|| meeting.key.clone()),
        Recognition::Ambiguous(_) => keys(recognition).join(" and "),
    }
}

fn shown(component: &Component) -> String {
    component.body.as_ref().map(|body| visible(body.part())).unwrap_or_default()
}
