//! A mailbox: what became of its events. An event that nobody changed is but a number.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What an attendee is invited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Required,
    Optional,
    Resource,
}

impl Role {
    pub(crate) const ALL: [Self; 3] = [Self::Required, Self::Optional, Self::Resource];
}

/// Whom a client names as an attendee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recipient {
    pub(crate) name: String,
    pub(crate) address: String,
}

/// The changed parts of an event or of its exception; what is none is as it was.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changed {
    pub(crate) body: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) subject: Option<String>,
    /// Named properties that were set, and those that were deleted.
    pub(crate) properties: BTreeMap<String, Option<String>>,
    /// Whom a client invited, by what for; a list that is written is written whole.
    pub(crate) attendees: BTreeMap<Role, Vec<Recipient>>,
    /// Whether it is an online meeting of Teams.
    pub(crate) online: Option<bool>,
    /// Answers that came in later, which raise the version and nothing else.
    pub(crate) answers: u32,
}

impl Changed {
    /// Adds what another change says.
    pub(crate) fn take_over(&mut self, other: Self) {
        let Self { body, location, subject, properties, attendees, online, answers } = other;
        self.body = body.or(self.body.take());
        self.location = location.or(self.location.take());
        self.subject = subject.or(self.subject.take());
        self.properties.extend(properties);
        self.attendees.extend(attendees);
        self.online = online.or(self.online);
        self.answers += answers;
    }
}

/// One event as it stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Event {
    /// Counts every change; what change keys are made of.
    pub(crate) version: u32,
    pub(crate) event: Option<Box<Changed>>,
    /// The changed occurrence of a series.
    pub(crate) exception: Option<Box<Changed>>,
}

pub(crate) struct Mailbox(Mutex<Vec<Event>>, usize);

impl Mailbox {
    pub(crate) fn new(events: usize) -> Self {
        Self(Mutex::new(vec![Event::default(); events]), events)
    }

    pub(crate) fn len(&self) -> usize {
        self.1
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Event>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The event as it stands; none where there is none of this number.
    pub(crate) fn event(&self, number: usize) -> Option<Event> {
        self.locked().get(number).cloned()
    }

    /// How many changes there were in all.
    pub(crate) fn changes(&self) -> u32 {
        self.locked().iter().map(|event| event.version).sum()
    }

    /// Changes an event, or its exception, where its version is still the one named; returns the new version.
    pub(crate) fn change(
        &self,
        number: usize,
        exception: bool,
        version: u32,
        change: impl FnOnce(&mut Changed),
    ) -> Result<u32, Refusal> {
        let mut events = self.locked();
        let event = events.get_mut(number).ok_or(Refusal::NotFound)?;
        if event.version != version {
            return Err(Refusal::Conflict);
        }
        let part = if exception { &mut event.exception } else { &mut event.event };
        change(part.get_or_insert_default());
        event.version += 1;
        Ok(event.version)
    }

    /// An attendee's answer comes in.
    pub(crate) fn answer(&self, number: usize) {
        if let Some(event) = self.locked().get_mut(number) {
            event.version += 1;
            event.event.get_or_insert_default().answers += 1;
        }
    }

    /// Somebody changes the subject.
    pub(crate) fn edit(&self, number: usize) {
        if let Some(event) = self.locked().get_mut(number) {
            event.version += 1;
            event.event.get_or_insert_default().subject = Some("Changed by the organizer".to_owned());
        }
    }
}

/// Why a change was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotFound,
    Conflict,
}
