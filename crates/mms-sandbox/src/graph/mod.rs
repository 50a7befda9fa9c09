//! Microsoft Graph v1.0: tokens, users, calendars, events, online meetings and `$batch`.

mod batch;
mod event;
mod events;
mod limits;
mod meetings;
mod token;
mod users;

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

pub(crate) use limits::Limits;
pub(crate) use meetings::Meetings;
pub(crate) use token::{Tokens, issue};

use crate::state::Shared;

/// The application that may act for every user.
pub(crate) const CLIENT: &str = "7e0b1a4c-6c0d-4b53-9d2e-3a0f5d7a1c01";
/// Its secret.
pub(crate) const SECRET: &str = "sandbox~secret";

/// One request, by itself or in a batch.
pub(crate) struct Asked {
    method: String,
    /// The path's segments behind `/v1.0`, decoded.
    path: Vec<String>,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Value,
    /// `http://host` of this server, for links to further pages.
    base: String,
}

impl Asked {
    fn new(method: &str, url: &str, headers: Vec<(String, String)>, body: Value, base: &str) -> Self {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let decoded =
            |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(&value.replace('+', " ")))
        });
        Self {
            method: method.to_ascii_uppercase(),
            path: path.split('/').filter(|segment| !segment.is_empty()).map(decoded).collect(),
            query: pairs.collect(),
            headers,
            body,
            base: base.to_owned(),
        }
    }

    fn option(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// `$top` and `$skip`: where a page begins and how long it is.
    fn page(&self, default: usize, most: usize) -> Result<(usize, usize), Reply> {
        let number = |name: &str, default: usize| match self.option(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| bad(&format!("Invalid value '{text}' for {name}"))),
        };
        let top = number("$top", default)?;
        if top == 0 || top > most {
            return Err(bad(&format!("The value of $top must be between 1 and {most}")));
        }
        Ok((number("$skip", 0)?, top))
    }

    /// The link to the page behind `skip`.
    fn next_link(&self, skip: usize) -> String {
        let encoded = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
        };
        let path: Vec<String> = self.path.iter().map(|segment| encoded(segment)).collect();
        let kept = self.query.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("$skip"));
        let query: String = kept.map(|(name, value)| format!("{name}={}&", encoded(value))).collect();
        format!("{}/v1.0/{}?{query}$skip={skip}", self.base, path.join("/"))
    }
}

/// An answer, by itself or in a batch.
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Value,
}

impl Reply {
    fn ok(body: Value) -> Self {
        Self { status: 200, headers: Vec::new(), body }
    }
}

/// A refusal with Graph's error body.
fn refusal(status: u16, code: &str, message: &str) -> Reply {
    let inner = json!({"date": "2026-11-23T10:00:00", "request-id": uuid::Uuid::new_v4(), "client-request-id": uuid::Uuid::new_v4()});
    let body = json!({"error": {"code": code, "message": message, "innerError": inner}});
    Reply { status, headers: Vec::new(), body }
}

fn bad(message: &str) -> Reply {
    refusal(400, "RequestBroker--ParseUri", message)
}

fn not_found() -> Reply {
    refusal(404, "ErrorItemNotFound", "The specified object was not found in the store.")
}

/// Answers one HTTP request.
pub(crate) async fn serve(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let url = uri.path_and_query().map_or("", |url| url.as_str());
    let url = url.strip_prefix("/v1.0").unwrap_or(url);
    let is_batch = url.split('?').next() == Some("/$batch");
    shared.count_request(if is_batch { "$batch" } else { method.as_str() });
    let faults = shared.faults();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let base = format!("{}://{host}", shared.scheme());
    let named = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let asked_with: Vec<(String, String)> = headers.iter().map(named).collect();
    let bearer = asked_with.iter().find(|(name, _)| name == "authorization").map(|(_, value)| value.as_str());
    let json = if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&body) };
    let broken = fastrand::f64() < faults.broken;
    if broken && method != Method::GET && !is_batch {
        return half(b"{\"error\": {}}");
    }
    let reply = if !shared.tokens.is_good(bearer) {
        refusal(401, "InvalidAuthenticationToken", "Access token is missing, expired or not yet valid.")
    } else if fastrand::f64() < faults.busy {
        busy(faults.back_off_ms)
    } else {
        match json {
            Err(_) => refusal(400, "BadRequest", "Unable to read JSON request payload."),
            Ok(json) if is_batch => batch::answer_batch(&shared, &json, &base).await,
            Ok(json) => answer(&shared, &Asked::new(method.as_str(), url, asked_with, json, &base)).await,
        }
    };
    if reply.status >= 400 {
        shared.count_refusal(&format!(
            "{} {}",
            reply.status,
            reply.body["error"]["code"].as_str().unwrap_or_default()
        ));
    }
    let lost = method == Method::PATCH && fastrand::f64() < faults.lost_answers;
    response(reply, broken || lost)
}

fn busy(wait_ms: u64) -> Reply {
    let mut reply = refusal(429, "TooManyRequests", "Too many requests.");
    reply.headers.push(("Retry-After", wait_ms.div_ceil(1000).to_string()));
    reply
}

fn response(reply: Reply, is_half: bool) -> Response {
    let text = if reply.body.is_null() { String::new() } else { reply.body.to_string() };
    if is_half {
        return half(text.as_bytes());
    }
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, text).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    for (name, value) in reply.headers {
        if let (Ok(name), Ok(value)) = (header::HeaderName::from_bytes(name.as_bytes()), value.parse()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Half of an answer, and then the connection breaks.
fn half(text: &[u8]) -> Response {
    let mut response = Body::from(text.get(..text.len() / 2).unwrap_or_default().to_vec()).into_response();
    response.headers_mut().insert(header::CONTENT_LENGTH, text.len().into());
    response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    response
}

/// Answers one request, with the limits of the mailbox that it is about.
async fn answer(shared: &Shared, asked: &Asked) -> Reply {
    let faults = shared.faults();
    let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
    let (user, rest) = match path.as_slice() {
        ["users"] => return users::list(shared, asked),
        ["users", user] => return users::one(shared, asked, user),
        ["users", user, rest @ ..] => (*user, rest),
        _ => return refusal(400, "BadRequest", "Resource not found for the segment."),
    };
    if rest.first() == Some(&"onlineMeetings") {
        return meetings::answer(shared, asked, user, rest);
    }
    let Some(user) = users::find(shared, user).filter(|user| !shared.has_vanished(*user)) else {
        return refusal(404, "ErrorInvalidUser", &format!("The requested user '{user}' is invalid."));
    };
    let slot = if faults.limits { shared.limits.take(user).map(Some) } else { Ok(None) };
    let _slot = match slot {
        Ok(slot) => slot,
        Err(over) => {
            let text = format!("Application is over its {over} limit.");
            let mut reply = refusal(429, "ApplicationThrottled", &text);
            reply.headers.push(("Retry-After", "1".to_owned()));
            return reply;
        }
    };
    tokio::time::sleep(Duration::from_millis(faults.latency_ms)).await;
    if faults.impersonation_denied {
        return refusal(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.");
    }
    events::answer(shared, asked, user, rest)
}
