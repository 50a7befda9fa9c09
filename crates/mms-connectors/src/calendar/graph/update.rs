//! Writing: conditional PATCHes in batches, in rounds (masters first, then the first exception of each series, then
//! the second …, because Exchange keeps the exceptions of a series in its master), and reading back.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use mms_invite::item::{Changes, Component, Invitee, Item, PropertyType};
use mms_invite::recognise::BodyFormat;
use mms_model::port::{Update, Updated};
use mms_model::{
    Address, Attendee, AttendeeChoice, Clock as _, Code, ErrorKind, InstanceId, PortError, SystemClock,
};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::event::{DRAFT, ETAG, Event, TYPES};
use super::read::PREFER;
use super::user_calendar::GraphUserCalendar;
use crate::calendar::exchange::{self, ID, SEEN, Written, conflict, subject};
use crate::graph::{GraphError, SubRequest, path};

/// One update on its way.
struct Job {
    update: Update,
    item: Item,
    changes: Vec<Changes>,
    /// The ETag that the next write of a component carries, where it is no longer the one that was read.
    etags: HashMap<InstanceId, String>,
    told: u32,
    /// What of the day's budget it took.
    spent: u32,
    /// How many recipients the writes have that were taken.
    mailed: u32,
    state: State,
}

enum State {
    /// Writes are to come, or all were taken.
    Going,
    /// A write may have been taken or not.
    Unclear(PortError),
    Failed(PortError),
}

/// What a write of one component came to.
enum Outcome {
    Taken,
    /// The event has another version than the one that was read.
    Changed(GraphError),
    Failed(GraphError),
}

impl GraphUserCalendar {
    pub(super) async fn update(&self, updates: Vec<Update>) -> Vec<Result<Updated, PortError>> {
        let mut jobs: Vec<Job> = updates.into_iter().map(|update| self.job(update)).collect();
        let rounds = jobs.iter().map(|job| job.changes.len()).max().unwrap_or(0);
        for round in 0..rounds {
            if round > 0 && self.exceptions_follow.load(Ordering::Relaxed) {
                self.freshen(&mut jobs, round, None).await;
            }
            let changed = self.patch(&mut jobs, round, None).await;
            if changed.is_empty() {
                continue;
            }
            let changed = self.freshen(&mut jobs, round, Some(changed)).await;
            if round > 0 && !changed.is_empty() {
                self.exceptions_follow.store(true, Ordering::Relaxed);
            }
            for place in self.patch(&mut jobs, round, Some(changed)).await {
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
            etags: HashMap::new(),
            told: 0,
            spent: 0,
            mailed: 0,
            state: State::Going,
        };
        match Item::from_bytes(&job.update.content) {
            Ok(item) => {
                job.changes = item.changes();
                job.item = item;
                let (told, mailed) = self.recipients(&job);
                job.told = told;
                match self.permit(&job, mailed) {
                    Ok(()) => job.spent = mailed,
                    Err(error) => job.state = State::Failed(error),
                }
            }
            Err(error) => {
                job.state = State::Failed(PortError::permanent(Code::UnreadableEvent, error.to_string()));
            }
        }
        job
    }

    /// Who is mailed when a component is written.
    fn mailed<'c>(&'c self, component: &'c Component) -> impl Iterator<Item = &'c Address> {
        let invitees = component.attendees.iter().filter(|invitee| invitee.routing.is_none());
        invitees.map(|invitee| &invitee.attendee.address).filter(|address| !self.owner.owns(address))
    }

    /// How many people hear of it, and how many recipients its mails have: Exchange mails once for each component that
    /// is written.
    fn recipients(&self, job: &Job) -> (u32, u32) {
        let written = job.changes.iter().filter_map(|c| job.item.component(&c.instance));
        let mailed: Vec<_> = written.flat_map(|component| self.mailed(component)).collect();
        let count = |all: usize| u32::try_from(all).unwrap_or(u32::MAX);
        let people: HashSet<_> = mailed.iter().collect();
        (count(people.len()), count(mailed.len()))
    }

    /// Refuses what cannot be written as it was asked, before anything is.
    fn permit(&self, job: &Job, mailed: u32) -> Result<(), PortError> {
        let subject = subject(&job.item);
        if job.update.notify != AttendeeChoice::All && job.told > 0 {
            return Err(PortError::permanent(
                Code::AttendeeChoiceNotPossible,
                format!(
                    "Exchange Online mails every attendee when an event is changed by Graph and cannot leave some out, and \
                     {} would be told of \"{subject}\": choose to tell all attendees",
                    job.told
                ),
            ));
        }
        for change in &job.changes {
            let Some(component) = job.item.component(&change.instance) else { continue };
            if !component.connector.contains_key(ID) || !component.connector.contains_key(ETAG) {
                return Err(PortError::permanent(
                    Code::CalendarServerError,
                    format!(
                        "Graph gave no version (ETag) of \"{subject}\", so that it cannot be written without the risk of \
                         losing an edit"
                    ),
                ));
            }
            if component.connector.contains_key(DRAFT) {
                return Err(PortError::permanent(
                    Code::UnsentChanges,
                    format!(
                        "the organizer changed \"{subject}\" and has not sent the change yet; an update would send it: let \
                         the organizer send or discard it, and migrate again"
                    ),
                ));
            }
        }
        let now = SystemClock.now();
        self.budget.spend(&self.mailbox, mailed, now).map_err(|wait| {
            PortError::new(
                ErrorKind::RetryAfter(wait),
                Code::RecipientBudget,
                format!(
                    "with \"{subject}\" more than {} attendees would be told within 24 hours in the name of {}, which is more \
                     than recipients_per_day allows; it goes on {}",
                    self.budget.per_day(),
                    self.mailbox,
                    now.checked_add(jiff::SignedDuration::try_from(wait).unwrap_or_default())
                        .unwrap_or(now)
                        .strftime("%Y-%m-%d %H:%M UTC")
                ),
            )
        })
    }

    /// Writes the `round`th change of each job, or of those named; returns those whose version is another.
    async fn patch(&self, jobs: &mut [Job], round: usize, only: Option<Vec<usize>>) -> Vec<usize> {
        let due = due(jobs, round, only.as_deref());
        let requests = due
            .iter()
            .filter_map(|place| {
                let job = jobs.get(*place)?;
                self.patch_request(job, job.changes.get(round)?)
            })
            .collect();
        let replies = self.client.batch(requests, Some(&self.slots)).await;
        let mut changed = Vec::new();
        for (place, reply) in due.into_iter().zip(replies) {
            let Some(job) = jobs.get_mut(place) else { continue };
            match outcome(reply) {
                Outcome::Taken => {
                    let written = job.changes.get(round).and_then(|c| job.item.component(&c.instance));
                    let mailed = written.map_or(0, |component| self.mailed(component).count());
                    job.mailed = job.mailed.saturating_add(u32::try_from(mailed).unwrap_or(u32::MAX));
                }
                Outcome::Changed(error) => {
                    tracing::debug!(subject = subject(&job.item), %error, "another version");
                    changed.push(place);
                }
                Outcome::Failed(error) => {
                    let (unclear, gone) = (error.is_unclear(), matches!(error.status(), Some(404 | 410)));
                    let mut error = self.failure(error, &format!("writing \"{}\"", subject(&job.item)));
                    if gone {
                        error.code = Code::EventGone;
                    }
                    job.state = if unclear { State::Unclear(error) } else { State::Failed(error) };
                }
            }
        }
        changed
    }

    fn patch_request(&self, job: &Job, change: &Changes) -> Option<SubRequest> {
        let component = job.item.component(&change.instance)?;
        let etag = job.etags.get(&change.instance).or_else(|| component.connector.get(ETAG))?;
        let url = format!("{}{}", self.root, path(["events", component.connector.get(ID)?]));
        let request =
            SubRequest { method: Method::PATCH, body: Some(members(change)), ..SubRequest::get(url) };
        Some(request.header("If-Match", etag).header("Prefer", PREFER))
    }

    /// Reads the `round`th component of jobs again, and takes over its version where it is still what was read but for
    /// answers; else the job is a conflict. Returns those that may be written.
    async fn freshen(&self, jobs: &mut [Job], round: usize, only: Option<Vec<usize>>) -> Vec<usize> {
        let due = due(jobs, round, only.as_deref());
        let ids: Vec<String> = due.iter().filter_map(|place| jobs.get(*place)?.id(round)).collect();
        let mut found = self.events(ids).await;
        let mut same = Vec::new();
        for place in due {
            let Some(job) = jobs.get_mut(place) else { continue };
            let (Some(id), Some(change)) = (job.id(round), job.changes.get(round)) else { continue };
            let instance = change.instance.clone();
            let written = job.item.component(&instance);
            match found.remove(&id) {
                Some(Ok(Some(Event { component: now, .. }))) => {
                    let unedited =
                        written.is_some_and(|was| was.connector.get(SEEN) == now.connector.get(SEEN));
                    match now.connector.get(ETAG) {
                        Some(etag) if unedited && !now.connector.contains_key(DRAFT) => {
                            job.etags.insert(instance, etag.clone());
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
        let wrote = |job: &Job| !matches!(job.state, State::Failed(_));
        let ids = jobs.iter().filter(|job| wrote(job)).flat_map(Job::ids).collect();
        let mut found = self.events(ids).await;
        jobs.into_iter().map(|job| self.weigh(job, &mut found)).collect()
    }

    /// Weighs a write against what was read back of it.
    fn weigh(
        &self,
        job: Job,
        found: &mut HashMap<String, Result<Option<Event>, PortError>>,
    ) -> Result<Updated, PortError> {
        let ids = job.ids();
        let Job { item, update, told, spent, mailed, state, .. } = job;
        let unclear = match state {
            State::Going => None,
            State::Unclear(error) => Some(error),
            State::Failed(error) => {
                // What was not written told nobody.
                self.budget.refund(&self.mailbox, spent.saturating_sub(mailed), SystemClock.now());
                return Err(error);
            }
        };
        let found = |id: &str| Some(found.remove(id)?.map(|event| event.map(|event| event.component)));
        let meeting = |id: &str, read: &Item| self.meeting(id, read, Timestamp::UNIX_EPOCH);
        Written { item, update, ids, told, unclear }.weigh(found, ETAG, meeting, self.editor.recogniser())
    }
}

impl Job {
    fn id(&self, round: usize) -> Option<String> {
        self.item.component(&self.changes.get(round)?.instance)?.connector.get(ID).cloned()
    }

    fn ids(&self) -> Vec<String> {
        (0..self.changes.len()).filter_map(|round| self.id(round)).collect()
    }
}

/// The jobs with a `round`th change that are still going, or those of them in `only`.
fn due(jobs: &[Job], round: usize, only: Option<&[usize]>) -> Vec<usize> {
    let is_due = |place: &usize| {
        jobs.get(*place).is_some_and(|job| matches!(job.state, State::Going) && round < job.changes.len())
    };
    match only {
        Some(only) => only.iter().copied().filter(is_due).collect(),
        None => (0..jobs.len()).filter(is_due).collect(),
    }
}

fn outcome<T>(reply: Result<T, GraphError>) -> Outcome {
    match reply {
        Ok(_) => Outcome::Taken,
        // 409 and 412 come with ErrorIrresolvableConflict, at times for no reason that shows.
        Err(error @ GraphError::Answer { status: 409 | 412, .. }) => Outcome::Changed(error),
        Err(error) => Outcome::Failed(error),
    }
}

/// An entry of `attendees`. Its `status` is not for a client to set: Graph keeps that of an address that it knows.
fn attendee(invitee: &Invitee) -> Value {
    let kind = TYPES.iter().find(|(role, _)| *role == invitee.role).map_or("required", |(_, kind)| kind);
    let Attendee { address, name, .. } = &invitee.attendee;
    let mut mailbox = Map::new();
    if !address.as_str().is_empty() {
        mailbox.insert("address".to_owned(), json!(address.as_str()));
    }
    if let Some(name) = name {
        mailbox.insert("name".to_owned(), json!(name));
    }
    json!({"type": kind, "emailAddress": mailbox})
}

/// The members of a PATCH. Only what changed: any other member may set off a rescheduling.
fn members(change: &Changes) -> Value {
    let mut members = Map::new();
    if let Some(body) = &change.body {
        let kind = match body.format {
            BodyFormat::Html => "html",
            BodyFormat::Text => "text",
        };
        members.insert("body".to_owned(), json!({"contentType": kind, "content": body.content}));
    }
    // Written alone, `location` drops every entry of `locations`.
    match (&change.locations, &change.location) {
        (Some(locations), _) => drop(members.insert("locations".to_owned(), json!(locations))),
        (None, Some(location)) => {
            members.insert("location".to_owned(), json!({"displayName": location}));
        }
        (None, None) => {}
    }
    if let Some(attendees) = &change.attendees {
        members.insert("attendees".to_owned(), attendees.iter().map(attendee).collect());
    }
    // Graph cannot delete a property, only empty it.
    let emptied = change.delete.iter().map(|property| {
        let empty = if property.kind() == PropertyType::Boolean { "false" } else { "" };
        (*property, empty)
    });
    let properties: Vec<Value> = change
        .set
        .iter()
        .map(|(property, value)| (*property, value.as_str()))
        .chain(emptied)
        .map(|(property, value)| json!({"id": property.graph_id(), "value": value}))
        .collect();
    if !properties.is_empty() {
        members.insert("singleValueExtendedProperties".to_owned(), Value::Array(properties));
    }
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use mms_invite::item::{Body, Location, NamedProperty};

    use super::*;

    fn nothing() -> Changes {
        Changes {
            instance: InstanceId::Master,
            body: None,
            location: None,
            locations: None,
            attendees: None,
            set: Vec::new(),
            delete: Vec::new(),
            changes_online_meeting: true,
        }
    }

    #[test]
    fn only_what_changed_is_sent_and_never_the_online_meeting() {
        assert_eq!(members(&nothing()), json!({}));
        let changes = Changes {
            body: Some(Body { format: BodyFormat::Text, content: "x".to_owned() }),
            location: Some("Room".to_owned()),
            set: vec![(NamedProperty::SkypeTeamsMeetingUrl, "https://t".to_owned())],
            delete: vec![NamedProperty::UcInband, NamedProperty::ConferencingCheck],
            ..nothing()
        };
        assert_eq!(
            members(&changes),
            json!({
                "body": {"contentType": "text", "content": "x"},
                "location": {"displayName": "Room"},
                "singleValueExtendedProperties": [
                    {"id": NamedProperty::SkypeTeamsMeetingUrl.graph_id(), "value": "https://t"},
                    {"id": NamedProperty::UcInband.graph_id(), "value": ""},
                    {"id": NamedProperty::ConferencingCheck.graph_id(), "value": "false"},
                ],
            })
        );
    }

    #[test]
    fn locations_are_written_whole_and_the_text_not_beside_them() {
        let room = Location {
            display_name: "Room 7".to_owned(),
            other: [("locationUri".to_owned(), json!("room7@contoso.example"))].into(),
        };
        let changes =
            Changes { location: Some("Room 7".to_owned()), locations: Some(vec![room]), ..nothing() };
        let entry = json!({"displayName": "Room 7", "locationUri": "room7@contoso.example"});
        assert_eq!(members(&changes), json!({"locations": [entry]}));
    }
}
