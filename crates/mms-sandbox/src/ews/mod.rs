//! Exchange Web Services: sign-in, impersonation, faults, and the operations.

mod account;
mod answer;
mod caller;
mod folder;
mod item;
mod made;
mod mime;
mod operations;
mod plain;
mod property;
mod restriction;
mod search;
mod shape;
mod sign_in;

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use roxmltree::{Document, Node};

use crate::faults::Faults;
use crate::ntlm::Connection;
use crate::state::Shared;
use caller::Caller;
pub(crate) use made::Made;

/// What a request is refused with as a whole.
struct Fault {
    code: &'static str,
    text: String,
    back_off: Option<u64>,
}

impl Fault {
    fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), back_off: None }
    }
}

/// Where the service is; as on Windows, the case of its letters does not matter.
pub(crate) const PATH: &str = "/EWS/Exchange.asmx";

/// Answers a request for the service in other letters than [`PATH`], and refuses others.
pub(crate) async fn serve_in_any_case(
    State(shared): State<Arc<Shared>>,
    connection: ConnectInfo<Connection>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match method {
        _ if !uri.path().eq_ignore_ascii_case(PATH) => StatusCode::NOT_FOUND.into_response(),
        Method::POST => serve(State(shared), connection, headers, body).await,
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

/// Answers one request.
pub(crate) async fn serve(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let faults = shared.faults();
    tokio::time::sleep(Duration::from_millis(faults.latency_ms)).await;
    let caller = match Caller::user(&shared.organisation, &headers).filter(|_| !faults.no_basic) {
        Some(user) => user,
        None => match sign_in::turn_away(&shared, &faults, &connection, &headers) {
            Some(response) => return response,
            None => Caller::Service,
        },
    };
    let mut response = answer(&shared, &faults, caller, &body);
    if faults.no_keep_alive {
        response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    }
    response
}

/// Answers a request of who signed in.
fn answer(shared: &Shared, faults: &Faults, caller: Caller, body: &[u8]) -> Response {
    let Some(request) = std::str::from_utf8(body).ok().and_then(|text| Document::parse(text).ok()) else {
        return (StatusCode::BAD_REQUEST, "no XML").into_response();
    };
    let operation = operation(&request);
    let name = operation.map_or("unknown", |operation| operation.tag_name().name()).to_owned();
    shared.count_request(&name);
    let broken = fastrand::f64() < faults.broken;
    let lost = name == "UpdateItem" && fastrand::f64() < faults.lost_answers;
    if broken && name == "UpdateItem" {
        return half("<s:Envelope><s:Body>");
    }
    let answer = match operation {
        _ if fastrand::f64() < faults.busy => {
            let text = "The server cannot service this request right now. Try again later.";
            Err(Fault { back_off: Some(faults.back_off_ms), ..Fault::new("ErrorServerBusy", text) })
        }
        Some(operation) => match mailbox(shared, caller, &request) {
            Ok(user) => operations::answer(shared, user, operation),
            Err(fault) => Err(fault),
        },
        None => Err(Fault::new("ErrorInvalidRequest", "The request is invalid.")),
    };
    match answer {
        Ok(xml) if broken || lost => half(&answer::envelope(&xml)),
        Ok(xml) => xml_response(StatusCode::OK, answer::envelope(&xml)),
        Err(fault) => {
            shared.count_refusal(fault.code);
            xml_response(
                StatusCode::INTERNAL_SERVER_ERROR,
                answer::fault(fault.code, &fault.text, fault.back_off),
            )
        }
    }
}

fn xml_response(status: StatusCode, xml: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/xml; charset=utf-8")], xml).into_response()
}

/// Half of an answer, and then the connection breaks.
fn half(xml: &str) -> Response {
    let mut response = Body::from(xml.get(..xml.len() / 2).unwrap_or_default().to_owned()).into_response();
    // More is announced than comes, upon which the connection is closed.
    response.headers_mut().insert(header::CONTENT_LENGTH, xml.len().into());
    response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    response
}

fn child<'a, 'd>(node: Node<'a, 'd>, name: &str) -> Option<Node<'a, 'd>> {
    node.children().find(|child| child.tag_name().name() == name)
}

fn operation<'a, 'd>(request: &'a Document<'d>) -> Option<Node<'a, 'd>> {
    child(request.root_element(), "Body")?.children().find(Node::is_element)
}

/// Whose mailbox a request is about: the one that is impersonated, or the caller's own.
fn mailbox(shared: &Shared, caller: Caller, request: &Document<'_>) -> Result<usize, Fault> {
    let header = child(request.root_element(), "Header");
    let version = header.and_then(|header| child(header, "RequestServerVersion"));
    let known = ["Exchange2007", "Exchange2010", "Exchange2013", "Exchange2015", "Exchange2016"];
    if let Some(version) = version.and_then(|v| v.attribute("Version"))
        && !known.iter().any(|known| version.starts_with(known))
    {
        return Err(Fault::new("ErrorInvalidServerVersion", "The specified server version is invalid."));
    }
    let sid =
        header.and_then(|header| child(header, "ExchangeImpersonation")?.descendants().find(|n| n.is_text()));
    let Some(address) = sid.and_then(|text| text.text()).map(str::trim) else {
        return Ok(caller.mailbox());
    };
    let faults = shared.faults();
    if faults.impersonation_denied || !caller.may_impersonate() {
        let text = "The account does not have permission to impersonate the requested user.";
        return Err(Fault::new("ErrorImpersonateUserDenied", text));
    }
    let gone = faults.vanished.is_some_and(|vanished| vanished.eq_ignore_ascii_case(address));
    shared.organisation.find(address).filter(|_| !gone).ok_or_else(|| {
        Fault::new("ErrorNonExistentMailbox", "The SMTP address has no mailbox associated with it.")
    })
}
