//! Web tickets: a user's name and password for a token that is good for a while, on one pool.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, Method, header};
use serde_json::json;

use super::{Reply, pool_name, refusal};
use crate::state::Shared;

/// For how many seconds a ticket is good: the default of the web services, eight hours.
const LIFE: u64 = 8 * 3600;

#[derive(Default)]
pub(super) struct Tickets(Mutex<HashMap<String, Ticket>>);

struct Ticket {
    user: usize,
    pool: String,
    until: Instant,
}

impl Tickets {
    fn locked(&self) -> MutexGuard<'_, HashMap<String, Ticket>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose ticket a request to `pool` carries; none where it carries none that is good there.
pub(super) fn holder(shared: &Shared, headers: &HeaderMap, pool: &str) -> Option<usize> {
    let token = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
    let tickets = shared.ucwa.tickets.locked();
    let ticket = tickets.get(token).filter(|ticket| Instant::now() < ticket.until)?;
    (ticket.pool == pool).then_some(ticket.user)
}

/// Answers `POST /WebTicket/oauthtoken`.
pub(super) fn issue(
    shared: &Shared,
    method: &Method,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Reply, Reply> {
    if method != Method::POST {
        return Err(refusal(405, "MethodNotAllowed", "None", "Tickets are asked for with POST."));
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(refused("invalid_request", "The request is no form."));
    }
    let form = form(body);
    let given = |name: &str| form.get(name).map_or("", String::as_str);
    match given("grant_type") {
        "password" => {}
        "urn:microsoft.rtc:windows" => {
            return Err(Reply::empty(401).with("WWW-Authenticate", "Negotiate".to_owned()));
        }
        _ => return Err(refused("unsupported_grant_type", "The grant is not supported.")),
    }
    let user = user(shared, given("username"))
        .filter(|user| !shared.has_vanished(*user))
        .filter(|user| shared.organisation.own_password(*user) == given("password"));
    let Some(user) = user else {
        return Err(refused("invalid_grant", "The user name or the password is wrong."));
    };
    let seconds = shared.faults().token_seconds.unwrap_or(LIFE);
    let token = format!("cwt=AAEB{}", uuid::Uuid::new_v4().simple());
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut tickets = shared.ucwa.tickets.locked();
    tickets.retain(|_, ticket| Instant::now() < ticket.until);
    tickets.insert(token.clone(), Ticket { user, pool: pool_name(shared), until });
    Ok(Reply::ok(json!({
        "access_token": token, "token_type": "Bearer", "expires_in": seconds,
        "ms_rtc_identityscope": "local",
    })))
}

fn refused(error: &str, description: &str) -> Reply {
    Reply {
        status: 400,
        headers: Vec::new(),
        body: json!({"error": error, "error_description": description}),
    }
}

/// A user by UPN or by `CONTOSO\name`.
fn user(shared: &Shared, name: &str) -> Option<usize> {
    let organisation = &shared.organisation;
    organisation.find(name).or_else(|| {
        let (domain, local) = name.split_once('\\')?;
        let address = format!("{local}@{}", crate::organisation::DOMAIN);
        organisation.find(&address).filter(|_| domain.eq_ignore_ascii_case("contoso"))
    })
}

fn form(body: &[u8]) -> HashMap<String, String> {
    let text = String::from_utf8_lossy(body);
    let decoded = |part: &str| {
        let spaced = part.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}
