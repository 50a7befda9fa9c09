//! From a meeting to the change of it: plan, provision, rewrite. What a preview shows and a run writes.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use mms_model::port::{ProvisionRequest, Scheduling, UserCalendar};
use mms_model::{
    Address, AttendeeChoice, Code, ErrorKind, InstanceId, JoinInformation, Meeting, MeetingOutcome,
    MeetingRecord, MigrationType, OnlineMeeting, Platform, PortError, Recognition, Replacement, Rewrite,
    Rewritten, User, hex,
};
use sha2::{Digest as _, Sha256};

use crate::EngineSettings;
use crate::engine::Connectors;
use crate::plan::{Decision, Move, Rules, plan, too_many};

/// Provisioned meetings remembered at a time: copies of a block are near each other more often than not, and what
/// was forgotten is provisioned again under the same id.
const REMEMBERED: usize = 4096;

/// The remark on a meeting whose start no calendar can read: a link in the past is worth little, one in the future
/// much, so it moves.
const START_UNREADABLE: &str =
    "Its start cannot be read, so it counts as a meeting to come: correct the event's date.";

/// The remark on a meeting that has its link already, and whose people moved.
const ONLY_ADDRESSES: &str = "It has the right link; only addresses in it changed.";

/// What is to be done with a meeting, computed through.
pub(crate) enum Prepared {
    /// Nothing is written; the record says why.
    Settled(Box<MeetingRecord>),
    /// To be written.
    Change(Box<Change>),
}

/// A change that is ready to be journalled and written.
pub(crate) struct Change {
    pub(crate) meeting: Meeting,
    pub(crate) rewritten: Rewritten,
    /// The join URL of each rewritten component.
    pub(crate) targets: Vec<(InstanceId, String)>,
    pub(crate) record: MeetingRecord,
    /// Who is to be told, by whoever tells.
    pub(crate) tell: Vec<Address>,
}

/// What was provisioned by platform and external id, and for a meeting that ends when.
pub(crate) type Provisioned = HashMap<(Platform, String), (Option<Timestamp>, JoinInformation)>;

/// What preparing needs to know.
pub(crate) struct Preparation<'a> {
    pub(crate) connectors: &'a Connectors,
    pub(crate) settings: &'a EngineSettings,
    pub(crate) migration: &'a MigrationType,
    pub(crate) user: &'a User,
    pub(crate) calendar: &'a dyn UserCalendar,
    /// Ask platforms what they would answer; make nothing.
    pub(crate) preview: bool,
    pub(crate) provisioned: Mutex<Provisioned>,
}

/// The id under which the meeting that replaces `key` is provisioned: the same for the same old meeting, so that
/// copies follow their original.
pub fn external_id(tenant: &str, key: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(tenant.as_bytes());
    hash.update([0]);
    hash.update(key.as_bytes());
    hex(&hash.finalize())
}

/// An empty record of `meeting`.
pub(crate) fn record(meeting: &Meeting, outcome: MeetingOutcome, at: Timestamp) -> MeetingRecord {
    let old =
        meeting.instances.iter().filter(|i| i.upcoming && !i.cancelled).find_map(|i| match &i.recognition {
            Recognition::One(online) => Some(online),
            Recognition::Ambiguous(several) => several.first(),
            Recognition::None => None,
        });
    MeetingRecord {
        event: meeting.id.clone(),
        uid: meeting.uid.clone(),
        subject: meeting.subject.clone(),
        outcome,
        code: None,
        message: String::new(),
        platform: old.map(|o| o.platform.to_string()),
        old_url: old.and_then(|o| o.join_url.clone()),
        new_url: None,
        instances: Vec::new(),
        attendees_told: 0,
        at,
    }
}

/// What a failure makes of a meeting.
pub(crate) fn outcome_of(error: &PortError) -> MeetingOutcome {
    match error.kind {
        ErrorKind::Retry | ErrorKind::RetryAfter(_) | ErrorKind::Conflict => MeetingOutcome::WillRetry,
        ErrorKind::Gone => MeetingOutcome::Skipped,
        ErrorKind::Permanent | ErrorKind::Unauthorised => MeetingOutcome::Failed,
    }
}

/// `record` with the failure in it.
pub(crate) fn failed(mut record: MeetingRecord, error: &PortError) -> MeetingRecord {
    record.outcome = outcome_of(error);
    record.code = Some(error.code.name().to_owned());
    record.message.clone_from(&error.message);
    record
}

impl Preparation<'_> {
    /// Prepares one meeting; a failure is in the record, and a server's wish to be left alone beside it.
    pub(crate) async fn prepare(
        &self,
        meeting: Meeting,
        now: Timestamp,
    ) -> (Prepared, Option<std::time::Duration>) {
        let settled = |outcome, message: String| {
            let mut record = record(&meeting, outcome, now);
            record.message = message;
            (Prepared::Settled(Box::new(record)), None)
        };
        let rules = Rules {
            migration: self.migration,
            platforms: &self.connectors.platforms,
            max_attendees: self.settings.max_attendees,
        };
        let moves = match plan(&meeting, &rules) {
            Decision::Skip(reason) => return settled(MeetingOutcome::Skipped, reason.to_string()),
            Decision::AlreadyThere if self.settings.identities.is_empty() => {
                return settled(MeetingOutcome::AlreadyThere, String::new());
            }
            // Its people may have other addresses by now.
            Decision::AlreadyThere => Vec::new(),
            Decision::Fail(code, message) => {
                let error = PortError::permanent(code, message);
                return (
                    Prepared::Settled(Box::new(failed(
                        record(&meeting, MeetingOutcome::Failed, now),
                        &error,
                    ))),
                    None,
                );
            }
            Decision::Rewrite(moves) => moves,
        };
        match self.change(&meeting, &moves, now).await {
            Ok(None) => settled(MeetingOutcome::AlreadyThere, String::new()),
            Ok(Some((rewritten, targets, tell))) => {
                let mut record = record(&meeting, MeetingOutcome::Migrated, now);
                match moves.first() {
                    Some(first) => {
                        record.platform = Some(first.old.platform.to_string());
                        record.old_url.clone_from(&first.old.join_url);
                    }
                    None => record.message = ONLY_ADDRESSES.to_owned(),
                }
                record.new_url = targets.first().map(|(_, url)| url.clone());
                record.instances = targets.iter().map(|(instance, _)| instance.clone()).collect();
                if meeting.instances.iter().any(|i| i.start.is_none() && record.instances.contains(&i.id)) {
                    record.message = START_UNREADABLE.to_owned();
                }
                (Prepared::Change(Box::new(Change { meeting, rewritten, targets, record, tell })), None)
            }
            Err(error) => {
                let wait = match error.kind {
                    ErrorKind::RetryAfter(wait) => Some(wait),
                    _ => None,
                };
                let mut record = record(&meeting, MeetingOutcome::Failed, now);
                if let Some(first) = moves.first() {
                    record.platform = Some(first.old.platform.to_string());
                }
                (Prepared::Settled(Box::new(failed(record, &error))), wait)
            }
        }
    }

    async fn change(
        &self,
        meeting: &Meeting,
        moves: &[Move],
        now: Timestamp,
    ) -> Result<Option<(Rewritten, Vec<(InstanceId, String)>, Vec<Address>)>, PortError> {
        let tell = self.addressees(meeting);
        if !tell.is_empty()
            && self.calendar.scheduling() == Scheduling::Client
            && self.connectors.sender.is_none()
        {
            return Err(PortError::permanent(
                Code::MailNotConfigured,
                "the calendar does not send updates to attendees: configure [smtp], or set notify = \"none\"",
            ));
        }
        let mut replacements = Vec::with_capacity(moves.len());
        for step in moves {
            let language =
                step.old.language.clone().unwrap_or_else(|| self.settings.default_language.clone());
            let target = self.coordinates(meeting, step, &language).await?;
            let (instance, key) = (step.instance.clone(), step.old.key.clone());
            replacements.push(Replacement { instance, key, target, language });
        }
        let targets = if moves.is_empty() {
            join_urls(meeting)
        } else {
            replacements.iter().map(|r| (r.instance.clone(), r.target.join_url.clone())).collect()
        };
        let rewrite = Rewrite {
            replacements,
            stamp: now,
            raise_sequence: self.settings.raise_sequence,
            identities: Arc::clone(&self.settings.identities),
        };
        let rewritten = self.calendar.rewrite(meeting, &rewrite)?;
        if rewritten.changes.is_empty() || rewritten.content == meeting.content {
            // A refresh that finds the right coordinates; a move that changes nothing cannot have found its block.
            if moves.iter().all(|m| m.refresh) {
                return Ok(None);
            }
            return Err(PortError::permanent(
                Code::BlockNotReplaceable,
                "the meeting block was recognised but replacing it changes nothing: give the event its new link by hand",
            ));
        }
        if let Some(message) = too_many(meeting, self.settings.max_attendees) {
            return Err(PortError::permanent(Code::TooManyAttendees, message));
        }
        Ok(Some((rewritten, targets, tell)))
    }

    async fn coordinates(
        &self,
        meeting: &Meeting,
        step: &Move,
        language: &str,
    ) -> Result<JoinInformation, PortError> {
        let key = (step.platform.clone(), external_id(&self.settings.tenant, &step.old.key));
        // A copy that goes on for longer (the rest of a series that was split) is asked for again.
        let lives =
            |until: &Option<Timestamp>| until.is_none_or(|u| meeting.last_end.is_some_and(|end| end <= u));
        if let Some((_, known)) =
            self.remembered(|known| known.get(&key).filter(|(until, _)| lives(until)).cloned())
        {
            return Ok(known);
        }
        let candidates = || self.connectors.platforms.iter().filter(|p| p.platform() == step.platform);
        let platform =
            if step.refresh { candidates().find(|p| p.holds(&step.old)) } else { candidates().next() };
        let Some(platform) = platform else { return Err(not_configured(&step.platform)) };
        let answer = if step.refresh {
            platform.refresh(&step.old).await?
        } else {
            let request = self.provision_request(meeting, &step.instance, &step.old, &key.1, language);
            if self.preview {
                platform.preview(&request).await?
            } else {
                platform.provision(&request).await?
            }
        };
        self.remembered(|known| {
            if known.len() >= REMEMBERED {
                known.clear();
            }
            known.insert(key, (meeting.last_end, answer.clone()));
        });
        Ok(answer)
    }

    fn remembered<T>(&self, with: impl FnOnce(&mut Provisioned) -> T) -> T {
        with(&mut self.provisioned.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn provision_request(
        &self,
        meeting: &Meeting,
        instance: &InstanceId,
        old: &OnlineMeeting,
        external_id: &str,
        language: &str,
    ) -> ProvisionRequest {
        ProvisionRequest {
            external_id: external_id.to_owned(),
            old: old.clone(),
            subject: meeting.subject.clone(),
            organizer: meeting
                .organizer
                .as_ref()
                .map_or_else(|| self.user.primary_address(), |organizer| self.present(organizer)),
            start: meeting.instances.iter().find(|i| i.id == *instance).and_then(|i| i.start),
            last_end: meeting.last_end,
            language: language.to_owned(),
        }
    }

    /// Who is to be told: never the organizer, never who has no mail address, and nobody of an event
    /// that names no organizer, in whose name an update could be sent.
    pub(crate) fn addressees(&self, meeting: &Meeting) -> Vec<Address> {
        let Some(organizer) = &meeting.organizer else { return Vec::new() };
        let own = self.own_domains();
        let internal = |domain: &str| {
            if self.settings.internal_domains.is_empty() {
                own.contains(domain)
            } else {
                self.settings.internal_domains.iter().any(|d| d.eq_ignore_ascii_case(domain))
            }
        };
        let mut seen = HashSet::new();
        let attendees = meeting.attendees.iter().map(|attendee| &attendee.address);
        attendees
            .filter(|a| !self.user.owns(a) && organizer != *a)
            .map(|a| self.present(a))
            .filter(|a| {
                a.domain().is_some_and(|domain| match self.settings.notify {
                    AttendeeChoice::All => true,
                    AttendeeChoice::External => !internal(&domain),
                    AttendeeChoice::None => false,
                })
            })
            .filter(|a| seen.insert(a.clone()))
            .collect()
    }

    /// The domains of the user's addresses of now. Those of before a move between tenants are others' now.
    fn own_domains(&self) -> HashSet<String> {
        let present = self.user.addresses.iter().filter(|a| self.settings.identities.target(a).is_none());
        present.filter_map(Address::domain).collect()
    }

    /// The address under which somebody is reached now.
    fn present(&self, address: &Address) -> Address {
        self.settings.identities.target(address).unwrap_or_else(|| address.clone())
    }
}

/// The join URL of each component that has one meeting and lies ahead.
fn join_urls(meeting: &Meeting) -> Vec<(InstanceId, String)> {
    let ahead = meeting.instances.iter().filter(|i| i.upcoming && !i.cancelled);
    ahead
        .filter_map(|instance| match &instance.recognition {
            Recognition::One(online) => Some((instance.id.clone(), online.join_url.clone()?)),
            _ => None,
        })
        .collect()
}

/// The error of a target platform that is not there.
pub(crate) fn not_configured(platform: &Platform) -> PortError {
    PortError::permanent(
        Code::PlatformNotConfigured,
        format!(
            "the platform {platform} is not configured: add it as [platform.{}]",
            platform.name().to_lowercase()
        ),
    )
}
