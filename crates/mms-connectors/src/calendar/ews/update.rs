//! Writing: conditional updates of many items with one request, in rounds (masters first, then the first exception of
//! each series, then the second …, because Exchange keeps the exceptions of a series in its master), and reading back.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use mms_invite::item::{Changes, Component, Item};
use mms_model::port::{Update, Updated};
use mms_model::{AttendeeChoice, Code, InstanceId, PortError};

use super::client::Kind as Request;
use super::event::{CHANGE_KEY, Event};
use super::failure::EwsError;
use super::read::{Events, is_gone};
use super::request::{self, ItemId, Send};
use super::user_calendar::EwsUserCalendar;
use crate::calendar::exchange::{self, ID, SEEN, Written, conflict, subject};

/// One update on its way.
struct Job {
    update: Update,
    item: Item,
    changes: Vec<Changes>,
    /// The change key that the next write of a component carries, where it is no longer the one that was read.
    change_keys: HashMap<InstanceId, String>,
    told: u32,
    state: State,
}

enum State {
    /// Writes are to come, or all were taken.
    Going,
    /// A write may have been taken or not.
    Unclear(PortError),
    Failed(PortError),
}

impl EwsUserCalendar {
    pub(super) async fn update(&self, updates: Vec<Update>) -> Vec<Result<Updated, PortError>> {
        let mut jobs: Vec<Job> = updates.into_iter().map(|update| self.job(update)).collect();
        let rounds = jobs.iter().map(|job| job.changes.len()).max().unwrap_or(0);
        for round in 0..rounds {
            // The write of a master changes its exceptions' change keys.
            if round > 0 {
                let all = due(&jobs, round);
                self.freshen(&mut jobs, round, all).await;
            }
            let all = due(&jobs, round);
            let changed = self.apply(&mut jobs, round, all).await;
            let same = self.freshen(&mut jobs, round, changed).await;
            for place in self.apply(&mut jobs, round, same).await {
                if let Some(job) = jobs.get_mut(place) {
                    job.state = State::Failed(conflict(&job.item, "kept changing while it was written"));
                }
            }
        }
        self.read_back(jobs).await
    }

    fn job(&self, update: Update) -> Job {
        let mut job = Job {
            item: exchange::no_item(),
            update,
            changes: Vec::new(),
            change_keys: HashMap::new(),
            told: 0,
            state: State::Going,
        };
        match Item::from_bytes(&job.update.content) {
            Ok(item) => {
                job.changes = item.changes();
                job.item = item;
                match self.permit(&job) {
                    Ok(told) => job.told = told,
                    Err(error) => job.state = State::Failed(error),
                }
            }
            Err(error) => {
                job.state = State::Failed(PortError::permanent(Code::UnreadableEvent, error.to_string()));
            }
        }
        job
    }

    /// Refuses what cannot be written as it was asked, before anything is; returns how many people are told.
    fn permit(&self, job: &Job) -> Result<u32, PortError> {
        let written = job.changes.iter().filter_map(|change| job.item.component(&change.instance));
        let mut told = HashSet::new();
        for component in written {
            if !component.connector.contains_key(ID)
                || component.connector.get(CHANGE_KEY).is_none_or(String::is_empty)
            {
                return Err(PortError::permanent(
                    Code::CalendarServerError,
                    format!(
                        "Exchange gave no change key of \"{}\", so that it cannot be written without the risk of losing an edit",
                        subject(&job.item)
                    ),
                ));
            }
            told.extend(self.others(component));
        }
        match job.update.notify {
            AttendeeChoice::All => Ok(u32::try_from(told.len()).unwrap_or(u32::MAX)),
            AttendeeChoice::External if !told.is_empty() => Err(PortError::permanent(
                Code::AttendeeChoiceNotPossible,
                format!(
                    "Exchange tells all attendees or none, and {} would be told of \"{}\": choose to tell all attendees, or none",
                    told.len(),
                    subject(&job.item)
                ),
            )),
            AttendeeChoice::External | AttendeeChoice::None => Ok(0),
        }
    }

    /// Attendees but for the owner.
    fn others<'a>(&'a self, component: &'a Component) -> impl Iterator<Item = &'a mms_model::Address> {
        component
            .attendees
            .iter()
            .filter(|invitee| invitee.routing.is_none())
            .map(|invitee| &invitee.attendee.address)
            .filter(|address| !self.owner.owns(address))
    }

    /// Whom a change of a component is sent to.
    fn send(&self, job: &Job, instance: &InstanceId) -> Send {
        let has_others = job.item.component(instance).is_some_and(|c| self.others(c).next().is_some());
        if has_others && job.update.notify == AttendeeChoice::All { Send::ToAll } else { Send::ToNone }
    }

    /// Writes the `round`th change of these jobs; returns those whose change key is another.
    async fn apply(&self, jobs: &mut [Job], round: usize, places: Vec<usize>) -> Vec<usize> {
        let mut changed = Vec::new();
        for send in [Send::ToAll, Send::ToNone] {
            let of_kind = |place: &&usize| {
                let job = jobs.get(**place);
                job.and_then(|job| Some(self.send(job, &job.changes.get(round)?.instance))) == Some(send)
            };
            let group: Vec<usize> = places.iter().filter(of_kind).copied().collect();
            for batch in group.chunks(self.page_size.max(1)) {
                changed.extend(self.apply_batch(jobs, round, send, batch).await);
            }
        }
        changed
    }

    async fn apply_batch(&self, jobs: &mut [Job], round: usize, send: Send, places: &[usize]) -> Vec<usize> {
        let targets: Vec<(usize, ItemId)> =
            places.iter().filter_map(|place| Some((*place, jobs.get(*place)?.target(round)?))).collect();
        let changes =
            targets.iter().filter_map(|(place, id)| Some((id, jobs.get(*place)?.changes.get(round)?)));
        let operation = request::update_items(send, changes);
        let answer = self.client.call(&self.mailbox, Request::Write, &operation).await;
        let mut changed = Vec::new();
        let mut messages = answer.map(Vec::into_iter);
        for (place, _) in targets {
            let outcome = match &mut messages {
                Ok(messages) => messages
                    .next()
                    .unwrap_or_else(|| Err(EwsError::Malformed("a write is missing in it".to_owned())))
                    .map(drop),
                Err(error) => Err(error.clone()),
            };
            let (Err(error), Some(job)) = (outcome, jobs.get_mut(place)) else { continue };
            if matches!(error.code(), Some("ErrorIrresolvableConflict" | "ErrorStaleObject")) {
                changed.push(place);
            } else if is_gone(&error) {
                job.state = State::Failed(exchange::gone(&job.item));
            } else {
                let unclear = error.is_unclear();
                let error = self.failure(error, &format!("writing \"{}\"", subject(&job.item)));
                job.state = if unclear { State::Unclear(error) } else { State::Failed(error) };
            }
        }
        changed
    }

    /// Reads the `round`th component of jobs again, and takes over its change key where it is still what was read but
    /// for answers; else the job is a conflict. Returns those that may be written.
    async fn freshen(&self, jobs: &mut [Job], round: usize, places: Vec<usize>) -> Vec<usize> {
        let ids: Vec<String> =
            places.iter().filter_map(|place| Some(jobs.get(*place)?.target(round)?.id)).collect();
        let mut found = self.events(ids).await;
        let mut same = Vec::new();
        for place in places {
            let Some(job) = jobs.get_mut(place) else { continue };
            let (Some(target), Some(change)) = (job.target(round), job.changes.get(round)) else { continue };
            let instance = change.instance.clone();
            match found.remove(&target.id) {
                Some(Ok(Some(Event { component: now, .. }))) => {
                    let was = job.item.component(&instance);
                    let unedited = was.is_some_and(|was| was.connector.get(SEEN) == now.connector.get(SEEN));
                    match now.connector.get(CHANGE_KEY) {
                        Some(key) if unedited => {
                            job.change_keys.insert(instance, key.clone());
                            same.push(place);
                        }
                        _ => job.state = State::Failed(conflict(&job.item, "changed since it was read")),
                    }
                }
                Some(Ok(None)) | None => job.state = State::Failed(exchange::gone(&job.item)),
                Some(Err(error)) => job.state = State::Failed(error),
            }
        }
        same
    }

    async fn read_back(&self, jobs: Vec<Job>) -> Vec<Result<Updated, PortError>> {
        let wrote = |job: &&Job| !matches!(job.state, State::Failed(_));
        let ids = jobs.iter().filter(wrote).flat_map(Job::ids).collect();
        let mut found = self.events(ids).await;
        jobs.into_iter().map(|job| self.weigh(job, &mut found)).collect()
    }

    /// Weighs a write against what was read back of it.
    fn weigh(&self, job: Job, found: &mut Events) -> Result<Updated, PortError> {
        let ids = job.ids();
        let Job { item, update, told, state, .. } = job;
        let unclear = match state {
            State::Going => None,
            State::Unclear(error) => Some(error),
            State::Failed(error) => return Err(error),
        };
        let found = |id: &str| Some(found.remove(id)?.map(|event| event.map(|event| event.component)));
        let meeting = |id: &str, read: &Item| self.meeting(id, read, Timestamp::UNIX_EPOCH);
        Written { item, update, ids, told, unclear }.weigh(
            found,
            CHANGE_KEY,
            meeting,
            self.editor.recogniser(),
        )
    }
}

impl Job {
    /// What the `round`th write goes to.
    fn target(&self, round: usize) -> Option<ItemId> {
        let instance = &self.changes.get(round)?.instance;
        let component = self.item.component(instance)?;
        let change_key = self.change_keys.get(instance).or_else(|| component.connector.get(CHANGE_KEY))?;
        Some(ItemId { id: component.connector.get(ID)?.clone(), change_key: change_key.clone() })
    }

    fn ids(&self) -> Vec<String> {
        (0..self.changes.len()).filter_map(|round| Some(self.target(round)?.id)).collect()
    }
}

/// The jobs with a `round`th change that are still going.
fn due(jobs: &[Job], round: usize) -> Vec<usize> {
    let going = |job: &Job| matches!(job.state, State::Going) && round < job.changes.len();
    (0..jobs.len()).filter(|place| jobs.get(*place).is_some_and(going)).collect()
}
