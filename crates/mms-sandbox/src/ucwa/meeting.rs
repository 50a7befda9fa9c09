//! A user's own online meetings.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::{Method, header};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::application::not_allowed;
use super::{Asked, MEET, Reply, refusal};

/// Properties that take certain values: the name, what the list of eligible values is called, and the values.
pub(super) const ELIGIBLE: &[(&str, &str, &[&str])] = &[
    ("accessLevel", "accessLevels", &["Invited", "SameEnterprise", "Everyone", "Locked"]),
    ("automaticLeaderAssignment", "automaticLeaderAssignments", &["Disabled", "SameEnterprise"]),
    ("entryExitAnnouncement", "entryExitAnnouncements", &["Disabled"]),
    ("lobbyBypassForPhoneUsers", "lobbyBypassForPhoneUsersSettings", &["Disabled", "Enabled"]),
];
/// The value of the property that a PUT must carry back.
const CARRIED: &str = "please pass this in a PUT request";
/// A meeting whose expiration nobody says is kept for so long.
const DEFAULT_LIFE: SignedDuration = SignedDuration::from_hours(8);
const YEAR: SignedDuration = SignedDuration::from_hours(24 * 365);

#[derive(Default)]
pub(super) struct Meetings(Mutex<BTreeMap<(usize, String), Meeting>>);

#[derive(Clone)]
struct Meeting {
    /// What was set, and what it is where nothing was.
    properties: Value,
    conference: String,
    version: u64,
}

impl Meetings {
    fn locked(&self) -> MutexGuard<'_, BTreeMap<(usize, String), Meeting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every meeting, for tests.
    pub(super) fn all(&self) -> Vec<Value> {
        let one = |((user, id), meeting): (&(usize, String), &Meeting)| {
            let mut shown = meeting.properties.clone();
            shown["user"] = json!(user);
            shown["onlineMeetingId"] = json!(id);
            shown
        };
        self.locked().iter().map(one).collect()
    }
}

/// Answers what is asked of `myOnlineMeetings`.
pub(super) fn answer(asked: &Asked<'_>, rest: &[&str]) -> Result<Reply, Reply> {
    let mut all = asked.shared.ucwa.meetings.locked();
    let now = now();
    all.retain(|_, meeting| expiration(&meeting.properties).is_none_or(|at| at > now));
    match (asked.method, rest) {
        (&Method::GET, []) => Ok(Reply::ok(listing(asked, &all))),
        (&Method::POST, []) => {
            let properties = settable(asked, &asked.json()?)?;
            let number = asked.shared.ucwa.made.fetch_add(1, Ordering::Relaxed) + 1;
            let id = conference_id(asked.user, number);
            let conference = format!("{:07}", (hash(&id) % 9_000_000) + 1_000_000);
            let meeting = Meeting { properties, conference, version: number };
            let body = shown(asked, &id, &meeting);
            let etag = etag(&id, &meeting);
            all.insert((asked.user, id), meeting);
            Ok(Reply { status: 201, headers: Vec::new(), body }.with("ETag", etag))
        }
        (method, [id]) => one(asked, &mut all, method, id),
        _ => Err(not_allowed()),
    }
}

fn one(
    asked: &Asked<'_>,
    all: &mut BTreeMap<(usize, String), Meeting>,
    method: &Method,
    id: &str,
) -> Result<Reply, Reply> {
    let key = (asked.user, id.to_owned());
    let not_found = || refusal(404, "NotFound", "None", "The online meeting is not there.");
    let meeting = all.get_mut(&key).ok_or_else(not_found)?;
    match *method {
        Method::GET => {
            let tag = etag(id, meeting);
            if asked.header(header::IF_NONE_MATCH) == Some(tag.as_str()) {
                return Ok(Reply::empty(304).with("ETag", tag));
            }
            Ok(Reply::ok(shown(asked, id, meeting)).with("ETag", tag))
        }
        Method::PUT => {
            if fastrand::f64() < asked.shared.faults().answers_meanwhile {
                meeting.version += 1;
            }
            if asked.header(header::IF_MATCH) != Some(etag(id, meeting).as_str()) {
                return Err(refusal(
                    412,
                    "PreconditionFailed",
                    "None",
                    "The online meeting was changed meanwhile.",
                ));
            }
            let body = asked.json()?;
            // With which code the server refuses it is not known.
            if body[&guid(id)] != CARRIED {
                return Err(invalid("The request lacks the property that it was asked to pass."));
            }
            meeting.properties = settable(asked, &body)?;
            meeting.version += 1;
            Ok(Reply::ok(shown(asked, id, meeting)).with("ETag", etag(id, meeting)))
        }
        Method::DELETE => {
            all.remove(&key);
            Ok(Reply::empty(204))
        }
        _ => Err(not_allowed()),
    }
}

fn listing(asked: &Asked<'_>, all: &BTreeMap<(usize, String), Meeting>) -> Value {
    let own = all.iter().filter(|((user, _), _)| *user == asked.user);
    let short = asked.shared.faults().short_listings;
    let listed: Vec<Value> = own
        .map(|((_, id), meeting)| {
            let mut shown = shown(asked, id, meeting);
            if short && let Some(properties) = shown.as_object_mut() {
                properties.retain(|name, _| {
                    ["rel", "onlineMeetingId", "subject", "_links"].contains(&name.as_str())
                });
            }
            shown
        })
        .collect();
    json!({
        "rel": "myOnlineMeetings", "_links": {"self": {"href": asked.base}},
        "_embedded": {"myOnlineMeeting": listed},
    })
}

fn etag(id: &str, meeting: &Meeting) -> String {
    format!("\"{}\"", hash(&format!("{id}{}", meeting.version)) % 10_000_000_000)
}

/// A meeting as the server shows it.
fn shown(asked: &Asked<'_>, id: &str, meeting: &Meeting) -> Value {
    let address = asked.shared.organisation.address(asked.user);
    let local = address.split('@').next().unwrap_or_default();
    let mut body = meeting.properties.clone();
    let own = format!("{}/{id}", asked.base);
    let focus = format!("sip:{address};gruu;opaque=app:conf:focus:id:{id}");
    let known = json!({
        "rel": "myOnlineMeeting", "onlineMeetingId": id, "onlineMeetingRel": "myOnlineMeetings",
        "joinUrl": format!("{MEET}/{local}/{id}"), "conferenceId": meeting.conference,
        "organizerUri": format!("sip:{address}"), "onlineMeetingUri": focus,
        "legacyOnlineMeetingUri": format!("conf:{focus}?conversation-id={}", hash(id)),
        "etag": etag(id, meeting).trim_matches('"'),
        "_links": {"self": {"href": own}, "onlineMeetingExtensions": {"href": format!("{own}/onlineMeetingExtensions")}},
    });
    if let (Some(body), Value::Object(known)) = (body.as_object_mut(), known) {
        body.extend(known);
        body.insert(guid(id), json!(CARRIED));
    }
    body
}

/// The properties that a request sets, each of them: what it does not name is what it is by default.
fn settable(asked: &Asked<'_>, body: &Value) -> Result<Value, Reply> {
    let mut set = json!({"accessLevel": "SameEnterprise", "automaticLeaderAssignment": "SameEnterprise",
        "entryExitAnnouncement": "Disabled", "lobbyBypassForPhoneUsers": "Disabled"});
    for (name, _, values) in ELIGIBLE {
        if !body[*name].is_null() {
            set[*name] = one_of(body, name, values)?;
        }
    }
    set["phoneUserAdmission"] = match &body["phoneUserAdmission"] {
        Value::Null => json!("Enabled"),
        _ => one_of(body, "phoneUserAdmission", &["Disabled", "Enabled"])?,
    };
    for name in ["subject", "description"] {
        set[name] = match &body[name] {
            Value::Null => json!(""),
            Value::String(text) => json!(text),
            _ => return Err(invalid(&format!("{name} is text."))),
        };
    }
    for name in ["attendees", "leaders"] {
        set[name] = members(asked, body, name)?;
    }
    set["expirationTime"] = json!(format!("/Date({})/", expires(body)?.as_millisecond()));
    Ok(set)
}

fn invalid(message: &str) -> Reply {
    refusal(400, "BadRequest", "ParameterValidationFailure", message)
}

fn one_of(body: &Value, name: &str, values: &[&str]) -> Result<Value, Reply> {
    let text = body[name].as_str().filter(|text| values.contains(text));
    text.map(|text| json!(text)).ok_or_else(|| invalid(&format!("{name} takes {}.", values.join(", "))))
}

/// People of the organisation, by their SIP URIs.
fn members(asked: &Asked<'_>, body: &Value, name: &str) -> Result<Value, Reply> {
    let Some(listed) = body[name].as_array() else {
        return if body[name].is_null() {
            Ok(json!([]))
        } else {
            Err(invalid(&format!("{name} is a list.")))
        };
    };
    let is_internal = |uri: &Value| {
        let address = uri.as_str().and_then(|uri| uri.strip_prefix("sip:"));
        address.is_some_and(|address| asked.shared.organisation.find(address).is_some())
    };
    match listed.iter().find(|uri| !is_internal(uri)) {
        Some(stranger) => Err(invalid(&format!("{name}: {stranger} is nobody of the organization."))),
        None => Ok(json!(listed)),
    }
}

fn expires(body: &Value) -> Result<Timestamp, Reply> {
    let now = now();
    let Value::String(_) = &body["expirationTime"] else {
        return match &body["expirationTime"] {
            Value::Null => Ok(now.saturating_add(DEFAULT_LIFE).unwrap_or(now)),
            _ => Err(invalid("expirationTime is a date.")),
        };
    };
    let at = expiration(body).ok_or_else(|| invalid("expirationTime cannot be read."))?;
    let earliest = now.saturating_sub(YEAR).unwrap_or(now);
    let latest = now.saturating_add(YEAR * 10).unwrap_or(now);
    let sound = at >= earliest && at <= latest;
    sound.then_some(at).ok_or_else(|| invalid("expirationTime is from a year ago to ten years from now."))
}

/// A date, as `/Date(milliseconds)/` or as ISO 8601 writes it.
fn expiration(body: &Value) -> Option<Timestamp> {
    let text = body["expirationTime"].as_str()?;
    match text.strip_prefix("/Date(").and_then(|rest| rest.strip_suffix(")/")) {
        Some(milliseconds) => Timestamp::from_millisecond(milliseconds.parse().ok()?).ok(),
        None => text.parse().ok(),
    }
}

/// The sandbox takes the time from nobody.
#[allow(clippy::disallowed_methods)]
fn now() -> Timestamp {
    Timestamp::now()
}

/// The name of the property that a PUT must carry back.
fn guid(id: &str) -> String {
    uuid::Uuid::from_u64_pair(hash(id), hash(&format!("{id}{id}"))).to_string()
}

fn conference_id(user: usize, number: u64) -> String {
    let mut random = fastrand::Rng::with_seed(hash(&format!("{user}:{number}")));
    let letter = |_| char::from(random.choice(*b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789").unwrap_or(b'A'));
    (0..8).map(letter).collect()
}

fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
