//! Online meetings of Teams.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::{Asked, Reply, refusal};
use crate::organisation::{Kind, TENANT, teams_url};
use crate::state::Shared;

/// The meetings that were made, by user and external id.
#[derive(Default)]
pub(crate) struct Meetings(Mutex<HashMap<(usize, String), Value>>);

pub(super) fn answer(shared: &Shared, asked: &Asked, user: &str, rest: &[&str]) -> Reply {
    // No other name of a user is taken here.
    let Some(user) = shared.organisation.find_object(user) else {
        return refusal(404, "UnknownError", "The user was not found: the path takes an object id.");
    };
    if shared.faults().no_access_policy {
        let text = format!(
            "App {} is not authorized to Create meeting on behalf of user {}",
            super::CLIENT,
            shared.organisation.object_id(user)
        );
        return refusal(403, "Unauthorized", &text);
    }
    let mut all = shared.meetings.0.lock().unwrap_or_else(PoisonError::into_inner);
    match (asked.method.as_str(), rest) {
        ("POST", ["onlineMeetings", "createOrGet"]) => {
            let Some(external) = asked.body["externalId"].as_str().filter(|id| !id.is_empty()) else {
                return refusal(400, "InvalidArgument", "ExternalId is required.");
            };
            if asked.body["startDateTime"].is_null() && !asked.body["endDateTime"].is_null() {
                return refusal(
                    400,
                    "InvalidArgument",
                    "StartDateTime is required where EndDateTime is given.",
                );
            }
            let key = (user, external.to_owned());
            if let Some(known) = all.get(&key) {
                return Reply::ok(known.clone());
            }
            let code = format!("M{:016X}{user:04X}", hash(external));
            let mut made = meeting(shared, user, &teams_url(&code, TENANT, user), &asked.body);
            made["externalId"] = json!(external);
            all.insert(key, made.clone());
            Reply { status: 201, headers: Vec::new(), body: made }
        }
        ("GET", ["onlineMeetings"]) => {
            let filter = asked.option("$filter").unwrap_or_default();
            let url = filter.strip_prefix("JoinWebUrl eq '").and_then(|url| url.strip_suffix('\''));
            let Some(url) = url else {
                return refusal(400, "InvalidArgument", "The filter JoinWebUrl eq '…' is required.");
            };
            let of_user = |((owner, _), meeting): &(&(usize, String), &Value)| {
                *owner == user && meeting["joinWebUrl"] == url
            };
            let mut found: Vec<Value> =
                all.iter().filter(of_user).map(|(_, meeting)| meeting.clone()).collect();
            if found.is_empty() && is_of_a_calendar(shared, user, url) {
                found.push(meeting(shared, user, url, &Value::Null));
            }
            Reply::ok(json!({"value": found}))
        }
        _ => refusal(400, "BadRequest", "The sandbox offers createOrGet and a look-up by JoinWebUrl."),
    }
}

fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Whether the user's calendar held the meeting when the organisation was made.
fn is_of_a_calendar(shared: &Shared, user: usize, url: &str) -> bool {
    let organisation = &shared.organisation;
    let holds = |event: usize| {
        organisation.kind(user, event) == Kind::Teams
            && organisation.blueprint(user, event).properties.iter().any(|(_, value)| value == url)
    };
    (0..organisation.mailbox(user).len()).any(holds)
}

/// An online meeting with these coordinates; `said` is what its maker said of it.
fn meeting(shared: &Shared, user: usize, url: &str, said: &Value) -> Value {
    let hash = hash(url);
    let number = hash % 1_000_000_000_000;
    let text = |name: &str| said[name].clone();
    let html = format!(
        "<div><span>Microsoft Teams meeting</span><br><a href=\"{url}\">Join the meeting now</a></div>"
    );
    // Encoded as a form is.
    let html = percent_encoding::utf8_percent_encode(&html, percent_encoding::NON_ALPHANUMERIC).to_string();
    json!({
        "id": format!("MSp{hash:016X}"), "joinWebUrl": url, "externalId": null, "subject": text("subject"),
        "startDateTime": text("startDateTime"), "endDateTime": text("endDateTime"),
        "chatInfo": {"threadId": format!("19:meeting_{hash:016X}@thread.v2"), "messageId": "0", "replyChainMessageId": null},
        "participants": {"organizer": {
            "upn": shared.organisation.address(user), "role": "presenter",
            "identity": {"user": {"id": shared.organisation.object_id(user)}},
        }},
        "joinMeetingIdSettings": {
            "isPasscodeRequired": true, "joinMeetingId": number.to_string(), "passcode": format!("p{:05}", hash % 100_000),
        },
        "audioConferencing": {
            "conferenceId": (hash % 1_000_000_000).to_string(), "tollNumber": "+1 425-555-0143",
            "tollFreeNumber": null, "dialinUrl": "https://dialin.teams.microsoft.com/x",
        },
        "videoTeleconferenceId": (hash % 10_000_000_000).to_string(),
        "joinInformation": {
            "contentType": "html",
            "content": format!("data:text/html,{}", html.replace("%20", "+")),
        },
    })
}
