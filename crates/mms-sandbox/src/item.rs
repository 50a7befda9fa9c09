//! Calendar items as they stand: single ones, masters, and occurrences of series.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use jiff::{SignedDuration, Timestamp};

use crate::mailbox::{Changed, Event, Recipient, Role};
use crate::organisation::{Blueprint, Kind, Organisation};

/// The occurrence of a series that was changed, counted from 0.
const EXCEPTION: i64 = 2;
/// Occurrences of a series.
pub(crate) const OCCURRENCES: i64 = 20;

/// What an item's id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id {
    pub(crate) user: usize,
    pub(crate) event: usize,
    /// The number of an occurrence, from 0.
    pub(crate) occurrence: Option<i64>,
}

impl Id {
    pub(crate) fn new(user: usize, event: usize) -> Self {
        Self { user, event, occurrence: None }
    }

    fn plain(self) -> String {
        let occurrence = self.occurrence.map_or_else(|| "e".to_owned(), |number| number.to_string());
        format!("AAMkA:{}:{}:{occurrence}", self.user, self.event)
    }

    /// As EWS writes it.
    pub(crate) fn text(self) -> String {
        STANDARD.encode(self.plain())
    }

    /// As Graph writes it, fit for a URL.
    pub(crate) fn url_safe(self) -> String {
        URL_SAFE.encode(self.plain())
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()?;
        let mut parts = std::str::from_utf8(&bytes).ok()?.strip_prefix("AAMkA:")?.split(':');
        let (user, event, occurrence) = (parts.next()?, parts.next()?, parts.next()?);
        let occurrence = if occurrence == "e" { None } else { Some(occurrence.parse().ok()?) };
        Some(Self { user: user.parse().ok()?, event: event.parse().ok()?, occurrence })
    }

    /// Whether it names the changed occurrence.
    pub(crate) fn is_exception(self) -> bool {
        self.occurrence == Some(EXCEPTION)
    }
}

/// A single item, a master, an exception or a plain occurrence.
pub(crate) struct Item<'o> {
    pub(crate) organisation: &'o Organisation,
    pub(crate) id: Id,
    pub(crate) was: Blueprint,
    pub(crate) version: u32,
    pub(crate) changed: Changed,
}

impl<'o> Item<'o> {
    /// The item with this id; none where there is none.
    pub(crate) fn read(organisation: &'o Organisation, id: Id) -> Option<Self> {
        let Event { version, event, exception } = organisation.mailbox(id.user).event(id.event)?;
        let was = organisation.blueprint(id.user, id.event);
        if id.occurrence.is_some_and(|number| was.kind != Kind::Series || !(0..OCCURRENCES).contains(&number))
        {
            return None;
        }
        let changed = if id.is_exception() { exception } else { event };
        Some(Self { organisation, id, was, version, changed: changed.map(|c| *c).unwrap_or_default() })
    }

    pub(crate) fn kind(&self) -> Kind {
        self.was.kind
    }

    /// Whether it is a series' master.
    pub(crate) fn is_master(&self) -> bool {
        self.was.kind == Kind::Series && self.id.occurrence.is_none()
    }

    /// The changed occurrence of this series.
    pub(crate) fn exception(&self) -> Option<Self> {
        self.occurrence(EXCEPTION)
    }

    pub(crate) fn occurrence(&self, number: i64) -> Option<Self> {
        Self::read(self.organisation, Id { occurrence: Some(number), ..self.id })
    }

    pub(crate) fn start(&self) -> Timestamp {
        self.moved(self.was.start)
    }

    pub(crate) fn end(&self) -> Timestamp {
        self.moved(self.was.end)
    }

    /// The exception was moved by two hours.
    fn moved(&self, at: Timestamp) -> Timestamp {
        later(at, self.id.occurrence.unwrap_or(0), if self.id.is_exception() { 2 } else { 0 })
    }

    /// From when to when an occurrence of this series is.
    pub(crate) fn span_of(&self, number: i64) -> (Timestamp, Timestamp) {
        let hours = if number == EXCEPTION { 2 } else { 0 };
        (later(self.was.start, number, hours), later(self.was.end, number, hours))
    }

    pub(crate) fn created(&self) -> Timestamp {
        modified(self.id.event, 0)
    }

    pub(crate) fn modified(&self) -> Timestamp {
        modified(self.id.event, self.version)
    }

    /// When the occurrence was to be.
    pub(crate) fn original_start(&self) -> Timestamp {
        later(self.was.start, self.id.occurrence.unwrap_or(0), 0)
    }

    /// Who is invited for `role`, and what each answered; a client cannot say the latter, and who stays keeps it.
    pub(crate) fn invited(&self, role: Role) -> Vec<(Recipient, &'static str)> {
        let first = || -> Vec<(Recipient, &'static str)> {
            let recipient = |user: usize| Recipient {
                name: self.organisation.name(user),
                address: self.organisation.address(user),
            };
            self.was.attendees.iter().map(|(user, answer)| (recipient(*user), *answer)).collect()
        };
        match self.changed.attendees.get(&role) {
            None if role == Role::Required => first(),
            None => Vec::new(),
            Some(written) => {
                let first = first();
                let answer = |recipient: &Recipient| {
                    let same =
                        first.iter().find(|(was, _)| was.address.eq_ignore_ascii_case(&recipient.address));
                    same.map_or("Unknown", |(_, answer)| *answer)
                };
                written.iter().map(|recipient| (recipient.clone(), answer(recipient))).collect()
            }
        }
    }

    /// The addresses of all that are invited.
    pub(crate) fn attendees(&self) -> Vec<String> {
        Role::ALL
            .into_iter()
            .flat_map(|role| self.invited(role))
            .map(|(recipient, _)| recipient.address)
            .collect()
    }

    pub(crate) fn organizer(&self) -> usize {
        if self.was.kind == Kind::Attending {
            (self.id.user + 1) % self.organisation.users()
        } else {
            self.id.user
        }
    }

    pub(crate) fn subject(&self) -> &str {
        self.changed.subject.as_deref().unwrap_or(&self.was.subject)
    }

    pub(crate) fn body(&self) -> &str {
        self.changed.body.as_deref().unwrap_or(&self.was.body)
    }

    pub(crate) fn location(&self) -> &str {
        self.changed.location.as_deref().unwrap_or(&self.was.location)
    }

    /// Whether Exchange Online takes it for an online meeting of Teams.
    pub(crate) fn is_online(&self) -> bool {
        self.changed.online.unwrap_or(matches!(self.was.kind, Kind::Teams | Kind::OtherTenant))
    }

    /// A named property's value.
    pub(crate) fn property(&self, name: &str) -> Option<&str> {
        match self.changed.properties.get(name) {
            Some(changed) => changed.as_deref(),
            None => {
                self.was.properties.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
            }
        }
    }
}

/// When the event of this number had been changed so many times. The sandbox has no clock: each change takes a second.
pub(crate) fn modified(number: usize, changes: u32) -> Timestamp {
    let first: Timestamp = "2029-10-01T08:00:00Z".parse().unwrap_or(Timestamp::UNIX_EPOCH);
    let seconds = i64::try_from(number).unwrap_or(0) + i64::from(changes);
    first.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(first)
}

/// So many weeks and hours later.
pub(crate) fn later(at: Timestamp, weeks: i64, hours: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_hours(weeks * 168 + hours)).unwrap_or(at)
}
