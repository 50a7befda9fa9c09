//! Making meetings: those that are asked for at the same time in one batch.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mms_model::port::ProvisionRequest;
use mms_model::{Address, Clock as _, Code, ErrorKind, PortError, SystemClock};
use reqwest::Method;
use reqwest::header::HeaderName;
use serde_json::{Value, json};
use tokio::sync::{OnceCell, oneshot};

use super::join::Made;
use crate::graph::{GraphClient, GraphError, Side, SubRequest, path, query};

/// How long a request waits for others to go with it.
const GATHERING: Duration = Duration::from_millis(5);
/// Organizers whose object ids are remembered.
const REMEMBERED: usize = 100_000;

/// Makes meetings for an application.
pub(super) struct Provisioner {
    client: Arc<GraphClient>,
    client_id: String,
    organizers: Mutex<HashMap<Address, Arc<OnceCell<String>>>>,
    queue: Arc<Mutex<Vec<Waiting>>>,
}

/// A request that waits for its batch.
struct Waiting {
    request: SubRequest,
    answer: oneshot::Sender<Result<Value, GraphError>>,
}

impl Provisioner {
    pub(super) fn new(client: Arc<GraphClient>, client_id: String) -> Self {
        Self {
            client,
            client_id,
            organizers: Mutex::new(HashMap::new()),
            queue: Arc::new(Mutex::new(Vec::new())),
        }
    }

    /// Makes a meeting, or gets the one with the same external id.
    pub(super) async fn provision(&self, request: &ProvisionRequest) -> Result<Made, PortError> {
        let organizer = self.object_id(&request.organizer).await?;
        let sub = SubRequest {
            method: Method::POST,
            body: Some(body(request, SystemClock.now())),
            ..SubRequest::get(path(["users", &organizer, "onlineMeetings", "createOrGet"]))
        };
        let what = format!("making a Teams meeting for {}", request.organizer);
        let made = self
            .send(sub.header("Accept-Language", plain(&request.language)))
            .await
            .map_err(|error| failure(error, &what, request.organizer.as_str(), &self.client_id))?;
        Made::read(&made).map_err(|problem| GraphError::Malformed(problem).into_port(Side::Platform, &what))
    }

    async fn send(&self, request: SubRequest) -> Result<Value, GraphError> {
        let (answer, answered) = oneshot::channel();
        let is_first = {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.push(Waiting { request, answer });
            queue.len() == 1
        };
        if is_first {
            // A task of its own: whoever asked first may give up while the others still wait.
            let (client, queue) = (Arc::clone(&self.client), Arc::clone(&self.queue));
            tokio::spawn(async move {
                tokio::time::sleep(GATHERING).await;
                let waiting = std::mem::take(&mut *queue.lock().unwrap_or_else(PoisonError::into_inner));
                let (requests, answers): (Vec<_>, Vec<_>) =
                    waiting.into_iter().map(|w| (w.request, w.answer)).unzip();
                let replies = client.batch(requests, None).await;
                for (answer, reply) in answers.into_iter().zip(replies) {
                    // Nobody may be waiting any more.
                    let _ = answer.send(reply.map(|reply| reply.body));
                }
            });
        }
        answered.await.unwrap_or_else(|_| Err(GraphError::Malformed("the batch was given up".to_owned())))
    }

    /// The organizer's object id: `onlineMeetings` takes no other name of a user. Those who ask for the same one at the
    /// same time wait for one answer.
    pub(super) async fn object_id(&self, organizer: &Address) -> Result<String, PortError> {
        let known = {
            let mut organizers = self.organizers.lock().unwrap_or_else(PoisonError::into_inner);
            if organizers.len() >= REMEMBERED {
                organizers.clear();
            }
            Arc::clone(organizers.entry(organizer.clone()).or_default())
        };
        let id = known.get_or_try_init(|| async {
            let what = format!("looking up the organizer {organizer}");
            let id = self.look_up(organizer).await.map_err(|error| error.into_port(Side::Platform, &what))?;
            id.ok_or_else(|| {
                PortError::permanent(
                    Code::PlatformError,
                    format!("{what}: the tenant has no user with this address; a Teams meeting needs one"),
                )
            })
        });
        id.await.cloned()
    }

    async fn look_up(&self, organizer: &Address) -> Result<Option<String>, GraphError> {
        let user = query(&path(["users", organizer.as_str()]), [("$select", "id")]);
        match self.client.get(&user, &[], None).await {
            Ok(user) => return Ok(guid(&user)),
            Err(error) if matches!(error.status(), Some(400 | 404)) => {}
            Err(error) => return Err(error),
        }
        // The address may be another than the UPN. That this filter takes advanced queries is not confirmed; without
        // them the header does no harm.
        let filter = format!("proxyAddresses/any(p:p eq 'smtp:{}')", organizer.as_str().replace('\'', "''"));
        let users = query("/users", [("$filter", filter.as_str()), ("$select", "id"), ("$count", "true")]);
        let headers = [(HeaderName::from_static("consistencylevel"), "eventual")];
        let found = self.client.get(&users, &headers, None).await?;
        match found.get("value").and_then(Value::as_array).map(Vec::as_slice) {
            Some([only]) => Ok(guid(only)),
            _ => Ok(None),
        }
    }
}

fn guid(user: &Value) -> Option<String> {
    let id = user.get("id")?.as_str()?;
    uuid::Uuid::try_parse(id).ok().map(|_| id.to_owned())
}

/// What is asked for. A meeting that ended already would soon expire, and the end needs a start.
fn body(request: &ProvisionRequest, now: Timestamp) -> Value {
    let start = request.start.map_or(now, |start| start.max(now));
    let hour = |at: Timestamp| at.checked_add(SignedDuration::from_hours(1)).unwrap_or(at);
    let end = request.last_end.map_or(hour(start), |end| end.max(hour(start)));
    let seconds = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({
        "externalId": request.external_id,
        "subject": request.subject,
        "startDateTime": seconds(start),
        "endDateTime": seconds(end),
    })
}

/// A language as a header may hold it.
fn plain(language: &str) -> String {
    let plain: String =
        language.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(35).collect();
    if plain.is_empty() { "en".to_owned() } else { plain }
}

/// What a failure at Teams means.
pub(super) fn failure(error: GraphError, what: &str, user: &str, client_id: &str) -> PortError {
    if lacks_policy(&error) {
        return PortError::new(
            ErrorKind::Permanent,
            Code::ApplicationAccessPolicyMissing,
            format!(
                "{what}: {error}: no application access policy lets the application {client_id} make meetings for {user}; \
                 run New-CsApplicationAccessPolicy -Identity MMS-policy -AppIds \"{client_id}\" and \
                 Grant-CsApplicationAccessPolicy -PolicyName MMS-policy -Identity \"{user}\" (or -Global) in Teams PowerShell, \
                 and wait up to 30 minutes"
            ),
        );
    }
    error.into_port(Side::Platform, what)
}

/// Whether an application access policy is missing. Graph has no code of its own for it: the code is `Unauthorized` or
/// `Forbidden` as for a missing permission, and only the message tells (unconfirmed beyond the documented one,
/// "App … is not authorized to Create meeting on behalf of user …").
fn lacks_policy(error: &GraphError) -> bool {
    let GraphError::Answer { status: 401 | 403 | 404, fault, .. } = error else { return false };
    let message = fault.message.to_ascii_lowercase();
    message.contains("application access policy")
        || message.contains("not authorized") && message.contains("on behalf of")
}

#[cfg(test)]
mod tests {
    use mms_model::{OnlineMeeting, Platform};
    use reqwest::header::HeaderMap;

    use super::*;

    fn request(start: Option<&str>, last_end: Option<&str>) -> ProvisionRequest {
        ProvisionRequest {
            external_id: "e".to_owned(),
            old: OnlineMeeting {
                platform: Platform::SFB,
                join_url: None,
                meeting_id: None,
                passcode: None,
                has_dial_in: false,
                language: None,
                key: String::new(),
            },
            subject: "Budget".to_owned(),
            organizer: Address::new("a@b"),
            start: start.map(|t| t.parse().unwrap()),
            last_end: last_end.map(|t| t.parse().unwrap()),
            language: "de".to_owned(),
        }
    }

    #[test]
    fn the_meeting_lies_ahead_and_ends_after_it_starts() {
        let now = "2026-11-23T10:00:00.5Z".parse().unwrap();
        let times = |start, end| {
            let body = body(&request(start, end), now);
            (
                body["startDateTime"].as_str().unwrap().to_owned(),
                body["endDateTime"].as_str().unwrap().to_owned(),
            )
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            times(Some("2026-12-01T09:00:00Z"), Some("2027-12-01T10:00:00Z")),
            pair("2026-12-01T09:00:00Z", "2027-12-01T10:00:00Z")
        );
        let soon = pair("2026-11-23T10:00:00Z", "2026-11-23T11:00:00Z");
        assert_eq!(times(Some("2020-01-01T09:00:00Z"), Some("2020-01-01T10:00:00Z")), soon);
        assert_eq!(times(None, None), soon);
    }

    #[test]
    fn a_missing_policy_names_the_cmdlets() {
        let answer = |message: &str| {
            let body = json!({"error": {"code": "Unauthorized", "message": message}});
            let error = GraphError::answer(403, &HeaderMap::new(), &body);
            failure(error, "making", "alice@contoso.example", "app-1")
        };
        let error = answer("App 1 is not authorized to Create meeting on behalf of user 2");
        assert_eq!((error.kind, error.code), (ErrorKind::Permanent, Code::ApplicationAccessPolicyMissing));
        for word in ["New-CsApplicationAccessPolicy", "Grant-CsApplicationAccessPolicy", "app-1"] {
            assert!(error.message.contains(word), "{}", error.message);
        }
        assert_eq!(answer("Insufficient privileges").code, Code::PlatformError);
    }
}
