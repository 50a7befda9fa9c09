//! Calendars and events of a mailbox, and changes of events.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::event::{Selection, etag, property_key};
use super::{Asked, Reply, bad, not_found, refusal};
use crate::item::{Id, Item, OCCURRENCES};
use crate::mailbox::{Changed, Recipient, Refusal, Role};
use crate::organisation::{Kind, TENANT, teams_block, teams_url};
use crate::state::Shared;

/// The mailbox's calendars: id, name, and whether it is the default one.
const CALENDARS: [(&str, &str, bool); 2] = [("AAMkC0", "Calendar", true), ("AAMkC1", "Projects", false)];

pub(super) fn answer(shared: &Shared, asked: &Asked, user: usize, rest: &[&str]) -> Reply {
    let outcome = match (asked.method.as_str(), rest) {
        ("GET", ["calendars"]) => Ok(calendars(shared, user)),
        ("GET", ["calendar"]) => Ok(Reply::ok(calendar(shared, user, 0))),
        ("GET", ["events"]) => list(shared, asked, user, None),
        ("GET", ["calendar", "events"]) => list(shared, asked, user, Some(0)),
        ("GET", ["calendars", id]) | ("GET", ["calendars", id, ..]) => match calendar_named(id) {
            None => Ok(not_found()),
            Some(number) => match rest.get(2..).unwrap_or_default() {
                [] => Ok(Reply::ok(calendar(shared, user, number))),
                ["events"] => list(shared, asked, user, Some(number)),
                ["calendarView"] => view(shared, asked, user, Some(number)),
                _ => Ok(unknown()),
            },
        },
        ("GET", ["calendarView"] | ["calendar", "calendarView"]) => view(shared, asked, user, Some(0)),
        ("GET", ["events", id]) => one(shared, asked, user, id),
        ("GET", ["events", id, "instances"]) => instances(shared, asked, user, id),
        ("PATCH", ["events", id]) => patch(shared, asked, user, id),
        _ => Ok(unknown()),
    };
    outcome.unwrap_or_else(|reply| reply)
}

fn unknown() -> Reply {
    refusal(400, "BadRequest", "The sandbox offers no such resource of a mailbox.")
}

fn calendar_named(id: &str) -> Option<usize> {
    CALENDARS.iter().position(|(known, ..)| *known == id)
}

fn calendars(shared: &Shared, user: usize) -> Reply {
    let all: Vec<Value> = (0..CALENDARS.len()).map(|number| calendar(shared, user, number)).collect();
    Reply::ok(json!({"value": all}))
}

fn calendar(shared: &Shared, user: usize, number: usize) -> Value {
    let (id, name, is_default) = CALENDARS.get(number).copied().unwrap_or_default();
    let organisation = &shared.organisation;
    json!({
        "id": id, "name": name, "isDefaultCalendar": is_default, "canEdit": true, "canShare": true,
        "owner": {"name": organisation.name(user), "address": organisation.address(user)},
        "allowedOnlineMeetingProviders": ["teamsForBusiness"], "defaultOnlineMeetingProvider": "teamsForBusiness",
    })
}

/// The numbers of a calendar's events; those of every calendar where none is named.
fn numbers(shared: &Shared, user: usize, calendar: Option<usize>) -> Vec<usize> {
    let organisation = &shared.organisation;
    let holds = |event: &usize| {
        let is_second = organisation.kind(user, *event) == Kind::SecondCalendar;
        calendar.is_none_or(|calendar| is_second == (calendar == 1))
    };
    (0..organisation.mailbox(user).len()).filter(holds).collect()
}

/// A page of items.
fn page<'s>(
    asked: &Asked,
    all: usize,
    items: impl Iterator<Item = Item<'s>>,
    most: usize,
) -> Result<Reply, Reply> {
    if asked.option("$filter").is_some() || asked.option("$orderby").is_some() {
        return Err(refusal(400, "ErrorInvalidUrlQuery", "The sandbox filters and sorts nothing."));
    }
    let selection = Selection::read(asked)?;
    let (skip, top) = asked.page(10, most)?;
    let value: Vec<Value> = items.skip(skip).take(top).map(|item| selection.show(&item)).collect();
    let mut body = json!({"value": value});
    if skip + top < all {
        body["@odata.nextLink"] = json!(asked.next_link(skip + top));
    }
    Ok(Reply::ok(body))
}

fn list(shared: &Shared, asked: &Asked, user: usize, calendar: Option<usize>) -> Result<Reply, Reply> {
    let all = numbers(shared, user, calendar);
    let items = all.iter().filter_map(|event| Item::read(&shared.organisation, Id::new(user, *event)));
    page(asked, all.len(), items, 1000)
}

fn window(asked: &Asked) -> Result<(jiff::Timestamp, jiff::Timestamp), Reply> {
    let time = |name: &str| {
        let text = asked.option(name).unwrap_or_default();
        // A time without an offset is UTC.
        text.parse().or_else(|_| format!("{text}Z").parse()).map_err(|_| {
            refusal(400, "ErrorInvalidParameter", &format!("This request requires a time window: {name}."))
        })
    };
    Ok((time("startDateTime")?, time("endDateTime")?))
}

/// Single events and the occurrences of series in a window; no masters.
fn view(shared: &Shared, asked: &Asked, user: usize, calendar: Option<usize>) -> Result<Reply, Reply> {
    let (from, until) = window(asked)?;
    let mut items = Vec::new();
    for event in numbers(shared, user, calendar) {
        let Some(item) = Item::read(&shared.organisation, Id::new(user, event)) else { continue };
        if item.is_master() {
            items.extend((0..OCCURRENCES).filter_map(|number| item.occurrence(number)));
        } else {
            items.push(item);
        }
    }
    items.retain(|item| item.start() < until && item.end() > from);
    page(asked, items.len(), items.into_iter(), 1000)
}

fn instances(shared: &Shared, asked: &Asked, user: usize, id: &str) -> Result<Reply, Reply> {
    let master = named(shared, user, id)?;
    if !master.is_master() {
        return Err(refusal(
            400,
            "ErrorInvalidRequest",
            "Expand series can only be performed against a series.",
        ));
    }
    let (from, until) = window(asked)?;
    let mut items: Vec<Item<'_>> = (0..OCCURRENCES).filter_map(|number| master.occurrence(number)).collect();
    items.retain(|item| item.start() < until && item.end() > from);
    page(asked, items.len(), items.into_iter(), 1000)
}

fn named<'s>(shared: &'s Shared, user: usize, id: &str) -> Result<Item<'s>, Reply> {
    let Some(id) = Id::parse(id) else {
        return Err(refusal(400, "ErrorInvalidIdMalformed", "Id is malformed."));
    };
    let item = Some(id).filter(|id| id.user == user).and_then(|id| Item::read(&shared.organisation, id));
    item.ok_or_else(not_found)
}

fn one(shared: &Shared, asked: &Asked, user: usize, id: &str) -> Result<Reply, Reply> {
    let item = named(shared, user, id)?;
    Ok(Reply::ok(Selection::read(asked)?.show(&item)))
}

fn patch(shared: &Shared, asked: &Asked, user: usize, id: &str) -> Result<Reply, Reply> {
    let item = named(shared, user, id)?;
    if item.id.occurrence.is_some() && !item.id.is_exception() {
        return Err(refusal(501, "NotSupported", "The sandbox makes no exceptions beside the ones it has."));
    }
    let mut changed = changes(&asked.body)?;
    online_state(&item, &asked.body, &mut changed);
    let mailbox = shared.organisation.mailbox(user);
    if fastrand::f64() < shared.faults().answers_meanwhile {
        mailbox.answer(item.id.event);
    }
    let now = mailbox.event(item.id.event).map_or(0, |event| event.version);
    let version = match asked.header("If-Match") {
        Some("*") | None => now,
        Some(stated) if stated == etag(now) => now,
        Some(_) => return Err(conflict()),
    };
    mailbox
        .change(item.id.event, item.id.is_exception(), version, |event| event.take_over(changed))
        .map_err(|refused| match refused {
            Refusal::NotFound => not_found(),
            Refusal::Conflict => conflict(),
        })?;
    tell(shared, &item);
    uninvite(shared, &item);
    one(shared, asked, user, id)
}

fn conflict() -> Reply {
    let text = "The send or update operation could not be performed because the change key passed in the request does \
                not match the current change key for the item.";
    refusal(412, "ErrorIrresolvableConflict", text)
}

/// Who was invited before a write and is not any more gets a cancellation.
fn uninvite(shared: &Shared, before: &Item<'_>) {
    let Some(now) = Item::read(&shared.organisation, before.id) else { return };
    let now = now.attendees();
    let gone = before.attendees().into_iter().filter(|address| !now.contains(address));
    shared.mail(&format!("{} cancelled", before.id.text()), gone);
}

/// Every attendee is mailed, whether one wants it or not; with a master, for each changed occurrence as well.
fn tell(shared: &Shared, item: &Item<'_>) {
    if item.kind() == Kind::Attending {
        return;
    }
    let attendees = |item: &Item<'_>| {
        Item::read(&shared.organisation, item.id).map(|now| now.attendees()).unwrap_or_default()
    };
    shared.mail(&item.id.text(), attendees(item));
    if let Some(exception) = item.exception().filter(|_| item.is_master()) {
        shared.mail(&format!("{} with its master", exception.id.text()), attendees(&exception));
    }
}

/// What a PATCH sets.
fn changes(body: &Value) -> Result<Changed, Reply> {
    let mut changed = Changed::default();
    let Some(members) = body.as_object() else {
        return Err(refusal(400, "RequestBodyRead", "The request body is no object."));
    };
    for (name, value) in members {
        match name.as_str() {
            annotation if annotation.starts_with('@') => {}
            "subject" => changed.subject = value.as_str().map(str::to_owned),
            "body" => changed.body = value["content"].as_str().map(str::to_owned),
            "location" => {
                changed.location = Some(value["displayName"].as_str().unwrap_or_default().to_owned())
            }
            // The first one is the event's location.
            "locations" => {
                let first = value[0]["displayName"].as_str().unwrap_or_default().to_owned();
                changed.location.get_or_insert(first);
            }
            "isOnlineMeeting" | "onlineMeetingProvider" => {}
            "singleValueExtendedProperties" => {
                for property in value.as_array().into_iter().flatten() {
                    let key = property["id"].as_str().and_then(property_key);
                    let key = key.ok_or_else(|| bad("The id of an extended property is malformed."))?;
                    changed.properties.insert(key, property["value"].as_str().map(str::to_owned));
                }
            }
            "id" | "iCalUId" | "type" | "seriesMasterId" | "isOrganizer" | "organizer" | "changeKey"
            | "onlineMeeting" | "onlineMeetingUrl" | "webLink" | "bodyPreview" | "originalStart" => {
                let text = format!("The property '{name}' is read-only and cannot be set.");
                return Err(refusal(400, "ErrorInvalidPropertySet", &text));
            }
            "attendees" => changed.attendees = attendees(value)?,
            "start" | "end" | "recurrence" | "sensitivity" | "showAs" | "categories" | "importance" => {
                return Err(refusal(
                    501,
                    "NotSupported",
                    &format!("The sandbox does not let '{name}' be changed."),
                ));
            }
            _ => {
                let text = format!("The property '{name}' does not exist on type 'microsoft.graph.event'.");
                return Err(refusal(400, "RequestBodyRead", &text));
            }
        }
    }
    Ok(changed)
}

/// The attendees that a PATCH names: all that there are to be.
fn attendees(value: &Value) -> Result<BTreeMap<Role, Vec<Recipient>>, Reply> {
    let mut lists: BTreeMap<Role, Vec<Recipient>> = Role::ALL.map(|role| (role, Vec::new())).into();
    let entries = value.as_array().ok_or_else(|| bad("attendees is no collection."))?;
    for entry in entries {
        let role = match entry["type"].as_str() {
            None | Some("required") => Role::Required,
            Some("optional") => Role::Optional,
            Some("resource") => Role::Resource,
            Some(other) => return Err(bad(&format!("The value '{other}' is no attendeeType."))),
        };
        let text = |name: &str| entry["emailAddress"][name].as_str().unwrap_or_default().to_owned();
        let recipient = Recipient { name: text("name"), address: text("address") };
        if recipient.address.is_empty() && recipient.name.is_empty() {
            return Err(refusal(400, "ErrorInvalidRecipients", "At least one recipient isn't valid."));
        }
        lists.entry(role).or_default().push(recipient);
    }
    Ok(lists)
}

/// What becomes of an event's being an online meeting. A body without the meeting's blob takes it offline. `isOnlineMeeting`
/// makes a new meeting where there is none; once there is one, it cannot be set to false, which is passed over.
fn online_state(item: &Item<'_>, body: &Value, changed: &mut Changed) {
    let url = item.property("SkypeTeamsMeetingUrl").unwrap_or_default();
    let keeps_blob = changed.body.as_ref().is_none_or(|body| body.contains(&url.replace('&', "&amp;")));
    let is_online = item.is_online() && keeps_blob;
    if item.is_online() && !keeps_blob {
        changed.online = Some(false);
        // Exchange clears its own property, unless the same request sets another.
        changed.properties.entry("SkypeTeamsMeetingUrl".to_owned()).or_insert(None);
    }
    if body["isOnlineMeeting"] == true && !is_online {
        let code = format!("G{:06}{:03}", item.id.user, item.id.event);
        let url = teams_url(&code, TENANT, item.id.user);
        let text = changed.body.take().unwrap_or_else(|| item.body().to_owned());
        let end = text.rfind("</body>").unwrap_or(text.len());
        let (before, after) = text.split_at(end);
        changed.body = Some(format!("{before}{}{after}", teams_block(&url)));
        changed.properties.insert("SkypeTeamsMeetingUrl".to_owned(), Some(url));
        changed.online = Some(true);
    }
}
