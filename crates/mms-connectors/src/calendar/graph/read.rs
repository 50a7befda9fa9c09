//! Reading events with what belongs to them, in batches.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use mms_invite::item::{Component, Item, Recurrence};
use mms_model::{Code, ErrorKind, EventId, Meeting, PortError, Version};
use serde_json::Value;

use super::event::{self, ETAG, Event, FIELDS, INSTANCE_FIELDS, Instance, Kind};
use super::user_calendar::GraphUserCalendar;
use crate::calendar::exchange::ID;
use crate::calendar::exchange_calendar::ReadMeeting;
use crate::graph::{GraphError, SubReply, SubRequest, path, query};

/// What every request for events asks for: ids that stay the same when an event moves, and the body as it is kept.
pub(super) const PREFER: &str = "IdType=\"ImmutableId\", outlook.body-content-type=\"html\"";
/// The most pages of one listing, against links that lead nowhere new.
const MOST_PAGES: usize = 10_000;

/// An event that is to be read.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) id: String,
    /// Whether it is a series master, where that is known.
    pub(super) is_series: Option<bool>,
}

/// What counts of a window's instances of a series; of its plain occurrences there may be very many.
struct Instances {
    /// The ids of the exceptions that are not over.
    exceptions: Vec<String>,
    /// Whether a plain occurrence is not over.
    plain_ahead: bool,
    until: Timestamp,
}

impl GraphUserCalendar {
    /// Reads events, each with its exceptions that end after `from`; in the order of `wanted`.
    pub(super) async fn meetings(&self, wanted: Vec<Wanted>, from: Timestamp) -> Vec<ReadMeeting> {
        let (mut events, mut instances) = self.read_first(&wanted, from).await;
        let unlisted: Vec<String> = wanted
            .iter()
            .filter(|w| !instances.contains_key(&w.id))
            .filter(|w| matches!(events.get(&w.id), Some(Ok(Some(e))) if e.kind == Kind::Master))
            .map(|w| w.id.clone())
            .collect();
        instances.extend(self.instances(unlisted, from).await);
        let exceptions: Vec<String> =
            instances.values().flatten().flat_map(|instances| &instances.exceptions).cloned().collect();
        let mut exceptions = self.events(exceptions).await;
        wanted
            .into_iter()
            .map(|Wanted { id, .. }| {
                let read = match events.remove(&id).unwrap_or(Ok(None)) {
                    Ok(Some(event)) => {
                        let instances = instances.remove(&id).transpose();
                        instances
                            .and_then(|i| assemble(event, i, &mut exceptions, from))
                            .map(|item| Some(self.meeting(&id, &item, from)))
                    }
                    Ok(None) => Ok(None),
                    Err(error) => Err(error),
                };
                (EventId(id), read)
            })
            .collect()
    }

    /// The meeting that an item is.
    pub(super) fn meeting(&self, id: &str, item: &Item, from: Timestamp) -> Meeting {
        let meeting = item.meeting(&self.owner, from, self.editor.recogniser());
        let etag = item.components.first().and_then(|c| c.connector.get(ETAG));
        Meeting { id: EventId(id.to_owned()), version: Version(etag.cloned().unwrap_or_default()), ..meeting }
    }

    /// The events, and with them the instances of those that are known to be series.
    async fn read_first(
        &self,
        wanted: &[Wanted],
        from: Timestamp,
    ) -> (HashMap<String, Result<Option<Event>, PortError>>, HashMap<String, Result<Instances, PortError>>)
    {
        let until = self.until(from);
        let series = || wanted.iter().filter(|w| w.is_series == Some(true));
        let requests = wanted
            .iter()
            .map(|w| self.event_request(&w.id))
            .chain(series().map(|w| self.instances_request(&w.id, from, until)))
            .collect();
        let mut replies = self.client.batch(requests, Some(&self.slots)).await;
        let listed = replies.split_off(wanted.len().min(replies.len()));
        let events =
            wanted.iter().zip(replies).map(|(w, reply)| (w.id.clone(), self.event(&w.id, reply))).collect();
        let mut instances = HashMap::new();
        for (w, reply) in series().zip(listed) {
            instances.insert(w.id.clone(), self.all_instances(&w.id, reply, from, until).await);
        }
        (events, instances)
    }

    /// Events by their ids.
    pub(super) async fn events(&self, ids: Vec<String>) -> HashMap<String, Result<Option<Event>, PortError>> {
        let requests = ids.iter().map(|id| self.event_request(id)).collect();
        let replies = self.client.batch(requests, Some(&self.slots)).await;
        ids.into_iter()
            .zip(replies)
            .map(|(id, reply)| {
                let event = self.event(&id, reply);
                (id, event)
            })
            .collect()
    }

    async fn instances(
        &self,
        ids: Vec<String>,
        from: Timestamp,
    ) -> HashMap<String, Result<Instances, PortError>> {
        let until = self.until(from);
        let requests = ids.iter().map(|id| self.instances_request(id, from, until)).collect();
        let replies = self.client.batch(requests, Some(&self.slots)).await;
        let mut found = HashMap::new();
        for (id, reply) in ids.into_iter().zip(replies) {
            let instances = self.all_instances(&id, reply, from, until).await;
            found.insert(id, instances);
        }
        found
    }

    fn until(&self, from: Timestamp) -> Timestamp {
        let days = i64::from(self.horizon_days);
        from.checked_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX)
    }

    fn event_request(&self, id: &str) -> SubRequest {
        let expand = event::expand();
        let path = format!("{}{}", self.root, path(["events", id]));
        let url = query(&path, [("$select", FIELDS), ("$expand", expand.as_str())]);
        SubRequest::get(url).header("Prefer", PREFER)
    }

    fn instances_request(&self, id: &str, from: Timestamp, until: Timestamp) -> SubRequest {
        let path = format!("{}{}", self.root, path(["events", id, "instances"]));
        let (from, until) = (from.to_string(), until.to_string());
        let url = query(
            &path,
            [
                ("startDateTime", from.as_str()),
                ("endDateTime", until.as_str()),
                ("$select", INSTANCE_FIELDS),
                ("$top", "1000"),
            ],
        );
        SubRequest::get(url).header("Prefer", PREFER)
    }

    fn event(&self, id: &str, reply: Result<SubReply, GraphError>) -> Result<Option<Event>, PortError> {
        match reply {
            Ok(reply) => {
                let unreadable = |what: &str| {
                    let what = format!(
                        "Graph's answer for the event {id} in the mailbox {} is {what}",
                        self.mailbox
                    );
                    PortError::permanent(Code::UnreadableEvent, what)
                };
                let event = Event::read(reply.body).ok_or_else(|| unreadable("no event"))?;
                // An immutable id is answered as it was asked for.
                match event.component.connector.get(ID) {
                    Some(read) if read == id => Ok(Some(event)),
                    _ => Err(unreadable("another event")),
                }
            }
            Err(error) if matches!(error.status(), Some(404 | 410)) => Ok(None),
            Err(error) => Err(self.failure(error, "reading an event")),
        }
    }

    /// The instances of the first page of which `reply` is, and of the pages behind it.
    async fn all_instances(
        &self,
        id: &str,
        reply: Result<SubReply, GraphError>,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Instances, PortError> {
        let mut instances = Instances { exceptions: Vec::new(), plain_ahead: false, until };
        let page = match reply {
            Ok(reply) => reply.body,
            // Gone since; that shows in the event itself.
            Err(error) if matches!(error.status(), Some(404 | 410)) => return Ok(instances),
            Err(error) => return Err(self.failure(error, &format!("reading the instances of {id}"))),
        };
        self.each(page, |entry| match Instance::read(entry) {
            Some(instance) if instance.end.is_some_and(|end| end <= from) => {}
            Some(instance) if instance.is_exception => instances.exceptions.push(instance.id),
            Some(_) => instances.plain_ahead = true,
            None => {}
        })
        .await?;
        Ok(instances)
    }

    /// A page of a listing.
    pub(super) async fn page(&self, path: &str) -> Result<Value, PortError> {
        let prefer = [(reqwest::header::HeaderName::from_static("prefer"), PREFER)];
        let page = self.client.get(path, &prefer, Some(&self.slots)).await;
        page.map_err(|error| self.failure(error, "listing events"))
    }

    /// The first pages of listings, asked for together.
    pub(super) async fn first_pages(&self, paths: Vec<String>) -> Vec<Result<Value, PortError>> {
        let requests = paths.into_iter().map(|path| SubRequest::get(path).header("Prefer", PREFER)).collect();
        let replies = self.client.batch(requests, Some(&self.slots)).await;
        let page = |reply: Result<SubReply, GraphError>| {
            reply.map(|reply| reply.body).map_err(|error| self.failure(error, "listing events"))
        };
        replies.into_iter().map(page).collect()
    }

    /// Every entry of a listing whose first page was read, handed over as it comes.
    pub(super) async fn each(&self, first: Value, mut take: impl FnMut(&Value)) -> Result<(), PortError> {
        let mut seen = HashSet::new();
        let mut page = first;
        loop {
            let Some(values) = page.get("value").and_then(Value::as_array) else {
                return Err(self.failure(
                    GraphError::Malformed("a listing without \"value\"".to_owned()),
                    "listing events",
                ));
            };
            values.iter().for_each(&mut take);
            let Some(path) = next_link(&page) else { return Ok(()) };
            page = self.page(&path).await?;
            if !seen.insert(path) || seen.len() > MOST_PAGES {
                return Err(PortError::new(
                    ErrorKind::Permanent,
                    Code::CalendarServerError,
                    format!("the listing of the mailbox {} goes round in a circle", self.mailbox),
                ));
            }
        }
    }
}

fn next_link(page: &Value) -> Option<String> {
    page.get("@odata.nextLink").and_then(Value::as_str).map(str::to_owned)
}

/// An item of an event, with its exceptions.
fn assemble(
    mut event: Event,
    instances: Option<Instances>,
    read: &mut HashMap<String, Result<Option<Event>, PortError>>,
    from: Timestamp,
) -> Result<Item, PortError> {
    let Some(Instances { exceptions: ids, plain_ahead, until }) = instances else {
        return Ok(event.into_item(Vec::new()));
    };
    let mut exceptions: Vec<Component> = Vec::new();
    for id in &ids {
        match read.remove(id) {
            Some(Ok(Some(exception))) if exception.kind == Kind::Exception => {
                exceptions.push(exception.component);
            }
            // Gone or back in line since, or over.
            Some(Ok(_)) | None => {}
            Some(Err(error)) => return Err(error),
        }
    }
    // The master speaks for its plain occurrences; where none is left, it is over.
    if let Recurrence::Series { last_end: Some(last) } = event.recurrence
        && last <= until
        && !plain_ahead
    {
        event.recurrence = Recurrence::Series { last_end: Some(from.min(last)) };
    }
    Ok(event.into_item(exceptions))
}
