//! Applications, and what is below one of them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::{Value, json};

use super::meeting::{self, ELIGIBLE};
use super::{Asked, Reply, refusal};

/// An application that was not used for so long is gone.
const IDLE: Duration = Duration::from_secs(15 * 60);
/// The longest value of an application's properties.
const LONGEST: usize = 100;

/// What is below `onlineMeetings`, and where: the names in paths are not those of the relations.
const PLACES: &[(&str, &str)] = &[
    ("myOnlineMeetings", "myOnlineMeetings"),
    ("onlineMeetingDefaultValues", "defaultValues"),
    ("onlineMeetingEligibleValues", "eligibleValues"),
    ("onlineMeetingInvitationCustomization", "customInvitation"),
    ("onlineMeetingPolicies", "policies"),
    ("phoneDialInInformation", "phoneDialInInformation"),
];

#[derive(Default)]
pub(super) struct Applications(Mutex<HashMap<String, Application>>);

struct Application {
    user: usize,
    used: Instant,
}

impl Applications {
    fn locked(&self) -> MutexGuard<'_, HashMap<String, Application>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn len(&self) -> usize {
        self.locked().len()
    }

    /// Whether it is this user's and still there; it counts as used then.
    fn touch(&self, id: &str, user: usize) -> bool {
        let mut all = self.locked();
        all.retain(|_, application| application.used.elapsed() < IDLE);
        let found = all.get_mut(id).filter(|application| application.user == user);
        found.map(|application| application.used = Instant::now()).is_some()
    }
}

/// Answers what stands below `applications`.
pub(super) fn answer(asked: Asked<'_>, rest: &[&str]) -> Result<Reply, Reply> {
    let applications = &asked.shared.ucwa.applications;
    let (id, below) = match rest {
        [] if asked.method == Method::POST => return create(&asked),
        [] => return Err(not_allowed()),
        [id, below @ ..] => (*id, below),
    };
    if !applications.touch(id, asked.user) {
        return Err(refusal(404, "NotFound", "ApplicationNotFound", "The application is not there."));
    }
    let own = format!("{}/{id}", asked.base);
    match below {
        [] if asked.method == Method::GET => Ok(Reply::ok(resource(&own))),
        [] if asked.method == Method::DELETE => {
            applications.locked().remove(id);
            Ok(Reply::empty(204))
        }
        ["onlineMeetings", "myOnlineMeetings", rest @ ..] => {
            let base = format!("{own}/onlineMeetings/myOnlineMeetings");
            meeting::answer(&Asked { base, ..asked }, rest)
        }
        ["onlineMeetings", name] if asked.method == Method::GET => values(&own, name),
        _ => Err(not_allowed()),
    }
}

pub(super) fn not_allowed() -> Reply {
    refusal(405, "MethodNotAllowed", "None", "The resource does not take this method.")
}

fn create(asked: &Asked<'_>) -> Result<Reply, Reply> {
    let body = asked.json()?;
    for name in ["userAgent", "endpointId", "culture"] {
        let sound =
            body[name].as_str().is_some_and(|text| !text.is_empty() && text.chars().count() <= LONGEST);
        if !sound {
            let message = format!("{name} is required and has at most {LONGEST} characters.");
            return Err(refusal(400, "BadRequest", "ParameterValidationFailure", &message));
        }
    }
    let id = uuid::Uuid::new_v4().simple().to_string();
    let own = format!("{}/{id}", asked.base);
    let application = Application { user: asked.user, used: Instant::now() };
    asked.shared.ucwa.applications.locked().insert(id, application);
    let mut body_of = resource(&own);
    for name in ["userAgent", "endpointId", "culture"] {
        body_of[name] = body[name].clone();
    }
    Ok(Reply { status: 201, headers: Vec::new(), body: body_of })
}

fn resource(own: &str) -> Value {
    let meetings = format!("{own}/onlineMeetings");
    let mut links: serde_json::Map<String, Value> = PLACES
        .iter()
        .map(|(rel, place)| ((*rel).to_owned(), json!({"href": format!("{meetings}/{place}")})))
        .collect();
    links.insert("self".to_owned(), json!({"href": meetings}));
    json!({
        "rel": "application",
        "_links": {"self": {"href": own}},
        "_embedded": {"onlineMeetings": {"rel": "onlineMeetings", "_links": links}},
    })
}

/// What holds for every meeting of the user.
fn values(own: &str, place: &str) -> Result<Reply, Reply> {
    let links = json!({"self": {"href": format!("{own}/onlineMeetings/{place}")}});
    let rel = PLACES.iter().find(|(_, known)| *known == place).map_or("", |(rel, _)| rel);
    let mut body = match rel {
        "onlineMeetingEligibleValues" => ELIGIBLE
            .iter()
            .map(|(_, listed, values)| ((*listed).to_owned(), json!(values)))
            .collect::<serde_json::Map<String, Value>>()
            .into(),
        "onlineMeetingDefaultValues" => json!({
            "accessLevel": "SameEnterprise", "automaticLeaderAssignment": "SameEnterprise",
            "entryExitAnnouncement": "Disabled", "lobbyBypassForPhoneUsers": "Disabled",
            "phoneUserAdmission": "Enabled", "participantsWarningThreshold": 10,
        }),
        "phoneDialInInformation" => phone(own),
        "onlineMeetingInvitationCustomization" => json!({
            "enterpriseHelpUrl": "https://help.contoso.example/meetings", "invitationFooterText": "",
        }),
        "onlineMeetingPolicies" => json!({
            "entryExitAnnouncement": "Disabled", "externalUserMeetingRecording": "Disabled",
            "meetingRecording": "Disabled", "meetingSize": 250, "phoneUserAdmission": "Enabled",
        }),
        _ => return Err(refusal(404, "NotFound", "None", "There is no such resource.")),
    };
    body["rel"] = json!(rel);
    body["_links"] = links;
    Ok(Reply::ok(body))
}

fn phone(own: &str) -> Value {
    let region = |name: &str, number: &str, languages: &[&str]| {
        let link = json!({"self": {"href": format!("{own}/onlineMeetings/phoneDialInInformation/{name}")}});
        json!({"rel": "dialInRegion", "name": name, "number": number, "languages": languages, "_links": link})
    };
    json!({
        "conferenceId": "5550000", "defaultRegion": "Berlin",
        "externalDirectoryUri": "https://dialin.contoso.example", "internalDirectoryUri": "https://dialin.contoso.example",
        "isAudioConferenceProviderEnabled": false, "participantPassCode": "", "tollNumber": "", "tollFreeNumbers": [],
        "_embedded": {"dialInRegion": [
            region("Redmond", "tel:+14255550142", &["en-US", "fr-FR"]),
            region("Berlin", "tel:+49305550142", &["de-DE"]),
        ]},
    })
}
