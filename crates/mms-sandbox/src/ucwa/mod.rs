//! Skype for Business Server: discovery, web tickets, and the online meetings of UCWA 2.0.
//!
//! A user acts as himself and as nobody else. Tickets and applications are of one pool: who was moved to another finds
//! the old one gone and has to be discovered again.

mod application;
mod meeting;
mod ticket;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::organisation::DOMAIN;
use crate::state::Shared;
use application::Applications;
use meeting::Meetings;
use ticket::Tickets;

/// Where join links of this server lead.
pub(crate) const MEET: &str = "https://meet2.contoso.example";
/// Where somebody signs in whom the organisation moved to the cloud.
const CLOUD: &str = "https://webdir.online.lync.com/autodiscover/autodiscoverservice.svc/root/oauth/user";
const ROOT: &str = "/autodiscover/autodiscoverservice.svc/root";
/// Below the root.
const USER: &str = "oauth/user";

/// What the server keeps.
#[derive(Default)]
pub(crate) struct Ucwa {
    tickets: Tickets,
    applications: Applications,
    meetings: Meetings,
    made: AtomicU64,
}

impl Ucwa {
    /// How many applications and meetings there are.
    pub(crate) fn report(&self) -> Value {
        json!({"applications": self.applications.len(), "meetings": self.meetings.all()})
    }
}

/// One request that is let in.
struct Asked<'a> {
    shared: &'a Shared,
    user: usize,
    /// The application's path.
    base: String,
    method: &'a Method,
    headers: &'a HeaderMap,
    body: &'a [u8],
}

impl Asked<'_> {
    fn json(&self) -> Result<Value, Reply> {
        match serde_json::from_slice(self.body) {
            Ok(json @ Value::Object(_)) => Ok(json),
            _ => Err(refusal(400, "BadRequest", "DeserializationFailure", "The request cannot be read.")),
        }
    }

    fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// An answer before it is sent.
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Value,
}

impl Reply {
    fn ok(body: Value) -> Self {
        Self { status: 200, headers: Vec::new(), body }
    }

    fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Value::Null }
    }

    fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// A refusal as UCWA writes it.
fn refusal(status: u16, code: &str, subcode: &str, message: &str) -> Reply {
    Reply { status, headers: Vec::new(), body: json!({"code": code, "subcode": subcode, "message": message}) }
}

/// What the first line says of it; `base` is where this server is.
pub(crate) fn describe(shared: &Shared, base: &str) -> Value {
    let organisation = &shared.organisation;
    let users: Vec<Value> = (0..organisation.users())
        .map(|user| {
            let (address, password) = (organisation.address(user), organisation.own_password(user));
            json!({"address": address, "user": address, "password": password})
        })
        .collect();
    json!({
        "discover": format!("{base}{ROOT}"), "token": format!("{base}/WebTicket/oauthtoken"),
        "meet": MEET, "domain": DOMAIN, "users": users,
    })
}

/// Answers one request.
pub(crate) async fn serve(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let faults = shared.faults();
    tokio::time::sleep(Duration::from_millis(faults.latency_ms)).await;
    let path = uri.path().to_ascii_lowercase();
    shared.count_request(&format!("ucwa {method} {}", kind(&path)));
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let base = format!("{}://{host}", shared.scheme());
    let broken = fastrand::f64() < faults.broken;
    let changes = method != Method::GET && path.contains("/ucwa/");
    if broken && changes {
        return half("{\"rel\": \"myOnlineMeeting\"}");
    }
    let lost = changes && fastrand::f64() < faults.lost_answers;
    let reply = if path != "/" && path != ROOT && fastrand::f64() < faults.busy {
        let wait = faults.back_off_ms.div_ceil(1000).to_string();
        refusal(503, "ServiceUnavailable", "None", "The service is busy.").with("Retry-After", wait)
    } else {
        answer(&shared, &base, &method, &uri, &headers, &body).unwrap_or_else(|refused| refused)
    };
    if reply.status >= 400 {
        let word = |name: &str| reply.body[name].as_str().unwrap_or_default().to_owned();
        shared.count_refusal(&format!(
            "{} {}{} {}",
            reply.status,
            word("code"),
            word("error"),
            word("subcode")
        ));
    }
    let text = if reply.body.is_null() { String::new() } else { reply.body.to_string() };
    if broken || lost { half(&text) } else { response(reply, text) }
}

/// What a path is counted as.
fn kind(path: &str) -> &'static str {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    match segments.as_slice() {
        [.., "oauthtoken"] => "token",
        [.., "user"] => "user",
        [.., "applications"] | [.., "applications", _] => "application",
        [.., "myonlinemeetings", _] => "meeting",
        [.., "myonlinemeetings"] => "meetings",
        [.., "onlinemeetings", _] => "values",
        _ => "root",
    }
}

fn answer(
    shared: &Shared,
    base: &str,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Reply, Reply> {
    let path = uri.path();
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let accepts = |kind: &str| {
        headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains(kind))
    };
    if method == Method::GET && !accepts("json") && !accepts("*/*") {
        return Err(refusal(406, "NotAcceptable", "None", "The sandbox answers in JSON only."));
    }
    if path == "/" || path.eq_ignore_ascii_case(ROOT) {
        let user = json!({"href": format!("{base}{ROOT}/{USER}")});
        let own = json!({"href": format!("{base}{ROOT}")});
        return Ok(Reply::ok(json!({"_links": {"self": own, "user": user}})));
    }
    if path.eq_ignore_ascii_case("/WebTicket/oauthtoken") {
        return ticket::issue(shared, method, headers, body);
    }
    let current = pool_name(shared);
    let pool = match segments.as_slice() {
        ["ucwa", pool, ..] => *pool,
        _ => current.as_str(),
    };
    let user = ticket::holder(shared, headers, pool).ok_or_else(|| challenge(base))?;
    if path.eq_ignore_ascii_case(&format!("{ROOT}/{USER}")) {
        return user_resource(shared, base, user);
    }
    let ["ucwa", _, "v1", "applications", rest @ ..] = segments.as_slice() else {
        return Err(refusal(404, "NotFound", "None", "There is no such resource."));
    };
    if pool != current {
        let message = "Cannot redirect since there is no back up pool configured.";
        return Err(refusal(410, "Gone", "CannotRedirect", message));
    }
    let base = format!("/ucwa/{pool}/v1/applications");
    application::answer(Asked { shared, user, base, method, headers, body }, rest)
}

/// The pool that users are homed on.
fn pool_name(shared: &Shared) -> String {
    format!("pool{}", shared.faults().pool)
}

fn user_resource(shared: &Shared, base: &str, user: usize) -> Result<Reply, Reply> {
    let own = json!({"href": format!("{base}{ROOT}/{USER}")});
    let online = shared.faults().homed_online;
    if online.is_some_and(|address| shared.organisation.find(&address) == Some(user)) {
        return Ok(Reply::ok(json!({"_links": {"self": own, "redirect": {"href": CLOUD}}})));
    }
    let applications = format!("{base}/ucwa/{}/v1/applications", pool_name(shared));
    Ok(Reply::ok(json!({"_links": {"self": own, "applications": {"href": applications}}})))
}

/// What who has no ticket is told.
fn challenge(base: &str) -> Reply {
    let grants = "urn:microsoft.rtc:windows,urn:microsoft.rtc:anonmeeting,password";
    let hint = format!(
        "Bearer trusted_issuers=\"\", client_id=\"00000004-0000-0ff1-ce00-000000000000\", \
         MsRtcOAuth href=\"{base}/WebTicket/oauthtoken\",grant_type=\"{grants}\""
    );
    Reply::empty(401).with("WWW-Authenticate", hint)
}

fn response(reply: Reply, text: String) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, text).into_response();
    let json = header::HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    for (name, value) in reply.headers {
        if let (Ok(name), Ok(value)) = (header::HeaderName::from_bytes(name.as_bytes()), value.parse()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Half of an answer, and then the connection breaks.
fn half(text: &str) -> Response {
    let mut response = Body::from(text.get(..text.len() / 2).unwrap_or_default().to_owned()).into_response();
    response.headers_mut().insert(header::CONTENT_LENGTH, text.len().max(1).into());
    response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    response
}
