//! A small Graph for tests: one mailbox, tokens, `$batch`, ETags, and faults on demand. As Exchange does, it keeps the
//! versions of exceptions in step with their master's, and takes an event offline whose body loses its block.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::{Map, Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// The link of the old meetings.
pub const SFB: &str = "https://meet.contoso.example/alice/P1O2I3U4";
/// The link of the new ones.
pub const TEAMS: &str = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_T1dOZXh0%40thread.v2/0?context=%7b%22Tid%22%3a%2211111111-2222-3333-4444-555555555555%22%2c%22Oid%22%3a%2266666666-7777-8888-9999-000000000000%22%7d";
const USER: &str = "/users/alice@contoso.example";

/// A meeting on Skype for Business.
pub fn event(id: &str) -> Value {
    let dots = ".".repeat(137);
    let body = format!(
        "<html><body><p>Agenda: öäü</p><p>{dots}</p><p><a href=\"{SFB}\">Join Skype Meeting</a></p>\
         <p>Trouble Joining? <a href=\"{SFB}?sl=1\">Try Skype Web App</a></p><p>[!OC([1033])!]</p><p>{dots}</p>\
         <p>Bye</p></body></html>"
    );
    json!({
        "id": id, "iCalUId": format!("uid-{id}"), "type": "singleInstance", "subject": id, "isOrganizer": true,
        "organizer": {"emailAddress": {"name": "Alice", "address": "alice@contoso.example"}},
        "start": {"dateTime": "2026-12-01T09:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": "2026-12-01T10:00:00.0000000", "timeZone": "UTC"},
        "body": {"contentType": "html", "content": body},
        "location": {"displayName": "Room 7; Skype Meeting"}, "locations": [],
        "attendees": [
            {"emailAddress": {"address": "bob@contoso.example"}, "status": {"response": "accepted"}},
            {"emailAddress": {"address": "carol@fabrikam.example"}, "status": {"response": "none"}},
        ],
        "singleValueExtendedProperties": [
            {"id": "String {00020329-0000-0000-C000-000000000046} Name OnlineMeetingExternalLink", "value": SFB},
        ],
    })
}

/// A weekly series of it, from 2026-11-03 on.
pub fn series(id: &str) -> Value {
    let mut series = event(id);
    series["type"] = json!("seriesMaster");
    series["start"]["dateTime"] = json!("2026-11-03T09:00:00.0000000");
    series["end"]["dateTime"] = json!("2026-11-03T10:00:00.0000000");
    series["recurrence"] = json!({
        "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["tuesday"]},
        "range": {"type": "noEnd", "startDate": "2026-11-03", "endDate": "0001-01-01"},
    });
    series
}

/// An exception of `master` on that day of December 2026.
pub fn exception(master: &str, id: &str, day: u8) -> Value {
    let mut exception = event(id);
    exception["type"] = json!("exception");
    exception["seriesMasterId"] = json!(master);
    exception["originalStart"] = json!(format!("2026-12-{day:02}T09:00:00Z"));
    exception["start"]["dateTime"] = json!(format!("2026-12-{day:02}T11:00:00.0000000"));
    exception["end"]["dateTime"] = json!(format!("2026-12-{day:02}T12:00:00.0000000"));
    exception
}

struct Fault {
    method: &'static str,
    path: String,
    status: u16,
    headers: Value,
    code: String,
    /// The request is carried out all the same.
    carried_out: bool,
}

#[derive(Default)]
struct State {
    events: BTreeMap<String, Value>,
    versions: HashMap<String, u64>,
    occurrences: HashMap<String, Vec<Value>>,
    calendars: Value,
    faults: Vec<Fault>,
    truncated: Option<String>,
    circle: bool,
    keeps_meetings: bool,
    tokens: u64,
    valid_from: u64,
    requests: u64,
    patches: Vec<Value>,
    listed: Vec<String>,
    signed_with: Option<String>,
}

/// The server.
pub struct GraphServer {
    server: MockServer,
    state: Arc<Mutex<State>>,
}

struct Answerer(Arc<Mutex<State>>);

impl GraphServer {
    pub async fn start(events: impl IntoIterator<Item = Value>) -> Self {
        let events = events.into_iter().map(|e| (e["id"].as_str().unwrap().to_owned(), e)).collect();
        let calendars = json!([{"id": "C1", "isDefaultCalendar": true, "canEdit": true}]);
        let state = Arc::new(Mutex::new(State { events, calendars, ..State::default() }));
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(Answerer(Arc::clone(&state))).mount(&server).await;
        Self { server, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn settings(&self, more: &str) -> String {
        let url = self.server.uri();
        format!("tenant = 'contoso.example'\nclient_id = 'app'\nurl = '{url}'\nauthority = '{url}'\n{more}")
    }

    pub fn event(&self, id: &str) -> Value {
        self.state().events[id].clone()
    }

    pub fn requests(&self) -> u64 {
        self.state().requests
    }

    pub fn tokens(&self) -> u64 {
        self.state().tokens
    }

    pub fn patches(&self) -> Vec<Value> {
        self.state().patches.clone()
    }

    pub fn listed(&self) -> Vec<String> {
        self.state().listed.clone()
    }

    pub fn signed_with(&self) -> Option<String> {
        self.state().signed_with.clone()
    }

    pub fn expire_tokens(&self) {
        let mut state = self.state();
        state.valid_from = state.tokens + 1;
    }

    pub fn keep_online_meetings(&self) {
        self.state().keeps_meetings = true;
    }

    pub fn calendars(&self, calendars: &Value) {
        self.state().calendars = calendars.clone();
    }

    /// The plain occurrences of a series, by their days of December 2026.
    pub fn occurrences(&self, master: &str, days: &[u8]) {
        let all = days.iter().map(|day| occurrence(*day)).collect();
        self.state().occurrences.insert(master.to_owned(), all);
    }

    pub fn edit(&self, id: &str, edit: impl FnOnce(&mut Value)) {
        let mut state = self.state();
        edit(state.events.get_mut(id).unwrap());
        state.touch(id);
    }

    /// The next request to a path with this end fails.
    pub fn fail(&self, method: &'static str, path: &str, status: u16, headers: Value, code: &str) {
        let (path, code) = (path.to_owned(), code.to_owned());
        self.state().faults.push(Fault { method, path, status, headers, code, carried_out: false });
    }

    /// The next request to a path with this end is carried out, and its answer lost.
    pub fn lose(&self, method: &'static str, path: &str) {
        let (path, code) = (path.to_owned(), "gatewayTimeout".to_owned());
        let headers = json!({});
        self.state().faults.push(Fault { method, path, status: 504, headers, code, carried_out: true });
    }

    /// Every page of instances leads to itself.
    pub fn go_round(&self) {
        self.state().circle = true;
    }

    /// The next answer to a path with this end is cut off in the middle.
    pub fn truncate(&self, path: &str) {
        self.state().truncated = Some(path.to_owned());
    }
}

fn occurrence(day: u8) -> Value {
    json!({
        "id": format!("O{day}"), "type": "occurrence",
        "start": {"dateTime": format!("2026-12-{day:02}T09:00:00"), "timeZone": "UTC"},
        "end": {"dateTime": format!("2026-12-{day:02}T10:00:00"), "timeZone": "UTC"},
    })
}

impl Respond for Answerer {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut state = self.0.lock().unwrap();
        let path = request.url.path().to_owned();
        state.requests += 1;
        let (status, headers, body) = state.answer(request, &path);
        let mut text = serde_json::to_vec(&body).unwrap();
        if state.truncated.take_if(|end| path.ends_with(end.as_str())).is_some() {
            text.truncate(text.len() / 2);
        }
        let mut reply = ResponseTemplate::new(status).set_body_raw(text, "application/json");
        for (name, value) in headers.as_object().into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            reply = reply.insert_header(name.as_str(), value.as_str());
        }
        reply
    }
}

type Answer = (u16, Value, Value);

fn error(status: u16, code: &str) -> Answer {
    (
        status,
        json!({}),
        json!({"error": {"code": code, "message": "as told", "innerError": {"request-id": "1"}}}),
    )
}

impl State {
    fn answer(&mut self, request: &Request, path: &str) -> Answer {
        if path.ends_with("/oauth2/v2.0/token") {
            return self.token(&request.body);
        }
        let bearer = request.headers.get("authorization").and_then(|h| h.to_str().ok()).unwrap_or_default();
        let number = bearer.rsplit('.').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        if !bearer.starts_with("Bearer ") || number < self.valid_from {
            return error(401, "InvalidAuthenticationToken");
        }
        if path == "/v1.0/$batch" {
            let asked: Value = serde_json::from_slice(&request.body).unwrap();
            let asked = asked["requests"].as_array().unwrap();
            assert!(asked.len() <= 20, "Graph takes 20 at most");
            // In another order than they were asked in.
            let responses: Vec<Value> = asked
                .iter()
                .rev()
                .map(|sub| {
                    let (status, headers, body) = self.single(
                        sub["method"].as_str().unwrap(),
                        sub["url"].as_str().unwrap(),
                        &sub["headers"],
                        &sub["body"],
                    );
                    json!({"id": sub["id"], "status": status, "headers": headers, "body": body})
                })
                .collect();
            return (200, json!({}), json!({"responses": responses}));
        }
        let url = path.strip_prefix("/v1.0").unwrap();
        self.single(request.method.as_str(), url, &Value::Null, &Value::Null)
    }

    fn token(&mut self, form: &[u8]) -> Answer {
        let form: HashMap<String, String> = url::form_urlencoded::parse(form).into_owned().collect();
        assert_eq!(form["grant_type"], "client_credentials");
        assert_eq!(form["scope"], "https://graph.microsoft.com/.default");
        if let Some(assertion) = form.get("client_assertion") {
            let key = include_bytes!("../fixtures/entra/public.pem");
            let header = jsonwebtoken::decode_header(assertion).unwrap();
            let mut validation = Validation::new(header.alg);
            validation.set_audience(&[audience(assertion)]);
            let key = DecodingKey::from_rsa_pem(key).unwrap();
            let claims = jsonwebtoken::decode::<Value>(assertion, &key, &validation).unwrap().claims;
            assert!(claims["aud"].as_str().unwrap().ends_with("/contoso.example/oauth2/v2.0/token"));
            assert_eq!((&claims["iss"], &claims["sub"]), (&json!("app"), &json!("app")));
            assert_eq!(header.x5t_s256.unwrap().len(), 43);
            self.signed_with = Some(format!("{:?}", header.alg));
        } else if form["client_secret"] == "wr0ng" {
            let description =
                "AADSTS7000215: Invalid client secret provided. Trace ID: 1\r\nCorrelation ID: 2";
            return (401, json!({}), json!({"error": "invalid_client", "error_description": description}));
        }
        self.tokens += 1;
        let claims = URL_SAFE_NO_PAD.encode(r#"{"roles":["Calendars.ReadWrite"]}"#);
        let token = format!("e30.{claims}.{}", self.tokens);
        (200, json!({}), json!({"token_type": "Bearer", "expires_in": 3599, "access_token": token}))
    }

    fn single(&mut self, method: &str, url: &str, headers: &Value, body: &Value) -> Answer {
        let path = url.split('?').next().unwrap().to_owned();
        let fault = self.faults.iter().position(|f| f.method == method && path.ends_with(&f.path));
        if let Some(fault) = fault.map(|at| self.faults.remove(at)) {
            if fault.carried_out {
                self.carry_out(method, &path, headers, body);
            }
            let (status, _, body) = error(fault.status, &fault.code);
            return (status, fault.headers, body);
        }
        self.carry_out(method, &path, headers, body)
    }

    fn carry_out(&mut self, method: &str, path: &str, headers: &Value, body: &Value) -> Answer {
        let path = path.strip_prefix(USER).unwrap_or_else(|| panic!("{path}"));
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match (method, segments.as_slice()) {
            ("GET", ["calendars"]) => (200, json!({}), json!({"value": self.calendars})),
            ("GET", ["calendars", calendar, "events"]) => {
                self.listed.push((*calendar).to_owned());
                let listed = |e: &&Value| *calendar == "C1" && e["type"] != "exception";
                let all: Vec<Value> = self.events.values().filter(listed).cloned().collect();
                (200, json!({}), json!({"value": all}))
            }
            ("GET", ["events", id]) => match self.events.get(*id) {
                Some(event) => (200, json!({}), self.shown(event)),
                None => error(404, "ErrorItemNotFound"),
            },
            ("GET", ["events", id, "instances"]) => {
                let exceptions = self.events.values().filter(|e| e["seriesMasterId"] == *id).cloned();
                let plain = self.occurrences.get(*id).cloned();
                let plain = plain.unwrap_or_else(|| vec![occurrence(1), occurrence(22)]);
                let all: Vec<Value> = exceptions.chain(plain).collect();
                let mut page = json!({"value": all});
                if self.circle {
                    page["@odata.nextLink"] = json!(format!("{USER}/events/{id}/instances?$skip=1"));
                }
                (200, json!({}), page)
            }
            ("PATCH", ["events", id]) => self.patch(id, headers, body),
            other => panic!("not asked for in these tests: {other:?}"),
        }
    }

    fn etag(&self, event: &Value) -> String {
        let id = event["id"].as_str().unwrap();
        let master = event["seriesMasterId"].as_str().unwrap_or(id);
        format!("W/\"{}\"", self.versions.get(master).unwrap_or(&0))
    }

    fn shown(&self, event: &Value) -> Value {
        let mut shown = event.clone();
        shown["@odata.etag"] = json!(self.etag(event));
        shown
    }

    /// A write to any event of a series changes the version of all.
    fn touch(&mut self, id: &str) {
        let master = self.events[id]["seriesMasterId"].as_str().unwrap_or(id).to_owned();
        *self.versions.entry(master).or_default() += 1;
    }

    fn patch(&mut self, id: &str, headers: &Value, body: &Value) -> Answer {
        let Some(event) = self.events.get(id) else { return error(404, "ErrorItemNotFound") };
        assert_eq!(headers["Content-Type"], "application/json");
        if headers["If-Match"] != json!(self.etag(event)) {
            return error(412, "ErrorIrresolvableConflict");
        }
        self.patches.push(body.clone());
        let keeps = self.keeps_meetings;
        let event = self.events.get_mut(id).unwrap();
        for (name, value) in body.as_object().unwrap_or(&Map::new()) {
            match name.as_str() {
                "singleValueExtendedProperties" => set_properties(&mut event[name], value),
                "body" | "location" | "locations" => event[name] = value.clone(),
                other => panic!("{other} is never to be written"),
            }
        }
        if !keeps && !event["body"]["content"].as_str().unwrap().contains(SFB) {
            event["isOnlineMeeting"] = json!(false);
            event["onlineMeetingUrl"] = Value::Null;
        }
        let event = event.clone();
        self.touch(id);
        (200, json!({}), self.shown(&event))
    }
}

/// The audience that an assertion names, without a look at its signature.
fn audience(assertion: &str) -> String {
    let payload = URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    claims["aud"].as_str().unwrap().to_owned()
}

fn set_properties(all: &mut Value, new: &Value) {
    let all = all.as_array_mut().unwrap();
    for property in new.as_array().unwrap() {
        all.retain(|p| p["id"] != property["id"]);
        all.push(property.clone());
    }
}
