//! Signing in to a user's home pool, and requests to it.
//!
//! Discovery leads from a name in DNS over links to the pool's `applications`. Every web service on the way gives out its own
//! ticket for name and password; a ticket goes to the server that it is from and to no other.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_MATCH};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::account::Account;
use super::challenge::Challenge;
use super::failure::{UcwaError, one_line};
use super::meeting::{link, written};
use super::phone::Telephone;
use super::schedule::Listed;
use super::settings::Checked;
use super::trust::Trust;
use crate::transport::{Credentials, Exchange, Reply, SecretText, Session, Transport, TransportError, place};

/// How many links discovery follows.
const HOPS: usize = 8;
/// A ticket is renewed when this much of its life is left, so that none expires on its way.
const TICKET_MARGIN: Duration = Duration::from_secs(5 * 60);
/// The life of a ticket whose answer does not say it.
const TICKET_LIFE: Duration = Duration::from_secs(30 * 60);
/// For how long a password that was refused is not tried again: directories lock accounts out.
const REFUSED_FOR: Duration = Duration::from_secs(30 * 60);

/// What is known of a user's sign-in.
#[derive(Default)]
pub(super) struct SignedIn {
    /// By the origin of the server that gave it out.
    tickets: HashMap<String, Ticket>,
    /// The web ticket service that the last ticket came from.
    issuer: Option<Url>,
    /// The home pool's `applications`.
    pub(super) home: Option<Url>,
    pub(super) application: Option<Application>,
    /// Descriptions of meetings by their ids, where lists do not have them.
    pub(super) descriptions: HashMap<String, String>,
    refused: Option<Refusal>,
}

impl SignedIn {
    /// Forgets where the user was: discovery is to tell again.
    pub(super) fn leave(&mut self) {
        self.home = None;
        self.application = None;
    }

    /// Whether a password was refused so lately that it is not to be tried again.
    pub(super) fn is_refused(&self) -> bool {
        self.refused.as_ref().is_some_and(|refusal| refusal.at.elapsed() < REFUSED_FOR)
    }

    pub(super) fn refuse(&mut self, password: SecretText, error: UcwaError) {
        self.refused = Some(Refusal { password, at: Instant::now(), error });
    }
}

struct Ticket {
    token: SecretText,
    renew_at: Instant,
}

struct Refusal {
    password: SecretText,
    at: Instant,
    error: UcwaError,
}

/// An application of ours on the home pool, and what it told.
pub(super) struct Application {
    pub(super) own: Url,
    pub(super) meetings: Url,
    eligible: Option<Url>,
    phone: Option<Url>,
    /// The user's meetings.
    pub(super) listed: Option<Listed>,
    telephone: Option<Telephone>,
    values: Option<Value>,
}

/// One request.
pub(super) struct Call {
    method: Method,
    url: Url,
    body: Option<Value>,
    if_match: Option<String>,
}

impl Call {
    pub(super) fn new(method: Method, url: Url) -> Self {
        Self { method, url, body: None, if_match: None }
    }

    pub(super) fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    pub(super) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    pub(super) fn if_match(mut self, etag: Option<String>) -> Self {
        self.if_match = etag;
        self
    }
}

/// A successful answer.
pub(super) struct Answer {
    pub(super) url: Url,
    pub(super) etag: Option<String>,
    pub(super) body: Value,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    expires_in: Value,
}

#[derive(Deserialize, Default)]
struct NotGranted {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

/// The way to a deployment's pools.
pub(super) struct Client {
    transport: Arc<Transport>,
    pub(super) trust: Trust,
    discover_url: Option<Url>,
}

impl Client {
    pub(super) fn new(checked: &Checked) -> Result<Self, TransportError> {
        Ok(Self {
            transport: Arc::new(Transport::new(checked.transport.clone())?),
            trust: checked.trust.clone(),
            discover_url: checked.discover_url.clone(),
        })
    }

    async fn send(&self, call: &Call, credentials: Credentials) -> Result<Reply, UcwaError> {
        let session = Session::new(Arc::clone(&self.transport), call.url.clone(), credentials)?;
        let mut exchange =
            Exchange::read(call.method.clone(), call.url.clone()).header(ACCEPT, "application/json");
        // What is deleted twice is gone all the same.
        exchange.repeatable = matches!(call.method, Method::GET | Method::DELETE);
        if let Some(etag) = &call.if_match {
            exchange = exchange.header(IF_MATCH, etag);
        }
        if let Some(body) = &call.body {
            exchange = exchange.header(CONTENT_TYPE, "application/json").body(written(body));
        }
        Ok(session.exchange(&exchange).await?)
    }

    /// Sends a request with the ticket for its server, fetched where there is none that is good.
    pub(super) async fn ask(
        &self,
        state: &mut SignedIn,
        account: &Account,
        call: Call,
    ) -> Result<Answer, UcwaError> {
        let origin = call.url.origin().ascii_serialization();
        let held = state.tickets.get(&origin).filter(|ticket| Instant::now() < ticket.renew_at);
        let credentials =
            held.map_or(Credentials::Anonymous, |ticket| Credentials::Bearer(ticket.token.clone()));
        let reply = self.send(&call, credentials).await?;
        if reply.status.as_u16() != 401 {
            return answer(reply);
        }
        state.tickets.remove(&origin);
        let ticket = self.ticket(state, account, &reply).await?;
        let credentials = Credentials::Bearer(ticket.token.clone());
        state.tickets.insert(origin, ticket);
        answer(self.send(&call, credentials).await?)
    }

    /// A ticket from where a challenge says, for the account's password.
    async fn ticket(
        &self,
        state: &mut SignedIn,
        account: &Account,
        challenged: &Reply,
    ) -> Result<Ticket, UcwaError> {
        let at = place(&challenged.url);
        let Some(challenge) = Challenge::read(&challenged.headers) else {
            return Err(UcwaError::Malformed(format!(
                "{at} wants a sign-in and names no web ticket service (no MsRtcOAuth challenge)"
            )));
        };
        if !challenge.grants.is_empty() && challenge.grants.iter().all(|grant| grant != "password") {
            let offered = one_line(&challenge.grants.join(", "));
            return Err(UcwaError::NoPasswordGrant { url: at, offered });
        }
        let url = self.trust.admit(&challenged.url, &challenge.href)?;
        let password = account.password()?;
        if let Some(refusal) = &state.refused
            && refusal.password.expose() == password.expose()
            && refusal.at.elapsed() < REFUSED_FOR
        {
            return Err(refusal.error.clone());
        }
        state.issuer = Some(url.clone());
        let outcome = self.granted(account, &password, &url).await;
        if let Err(error @ UcwaError::Refused { .. }) = &outcome {
            state.refuse(password, error.clone());
        }
        outcome
    }

    async fn granted(
        &self,
        account: &Account,
        password: &SecretText,
        url: &Url,
    ) -> Result<Ticket, UcwaError> {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "password")
            .append_pair("username", &account.user)
            .append_pair("password", password.expose())
            .finish();
        let session = Session::new(Arc::clone(&self.transport), url.clone(), Credentials::Anonymous)?;
        let mut request = Exchange::read(Method::POST, url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(form);
        // A password that is counted as wrong twice locks an account sooner.
        request.repeatable = false;
        let asked = Instant::now();
        let reply = session.exchange(&request).await?;
        if !reply.status.is_success() {
            return Err(refusal(account, url, &reply));
        }
        let malformed = || UcwaError::Malformed(format!("{} answered what is no ticket", place(url)));
        let granted: Granted = serde_json::from_slice(&reply.body).map_err(|_| malformed())?;
        if granted.access_token.is_empty() || granted.access_token.chars().any(|c| !c.is_ascii_graphic()) {
            return Err(malformed());
        }
        let life = life(&granted.expires_in);
        Ok(Ticket {
            token: SecretText::new(granted.access_token),
            // A ticket that lives no longer than the margin is used for half its life.
            renew_at: asked + life.checked_sub(TICKET_MARGIN).unwrap_or(Duration::ZERO).max(life / 2),
        })
    }

    /// The first resource of discovery: of the server that is configured, else of the first of the two names that DNS
    /// has for a SIP domain.
    pub(super) async fn root(&self, sip_domain: &str) -> Result<Answer, UcwaError> {
        if let Some(url) = &self.discover_url {
            return answer(self.send(&Call::get(url.clone()), Credentials::Anonymous).await?);
        }
        let mut tried = Vec::new();
        for name in ["lyncdiscoverinternal", "lyncdiscover"] {
            let Ok(url) = Url::parse(&format!("https://{name}.{sip_domain}/")) else { continue };
            match self.send(&Call::get(url), Credentials::Anonymous).await.and_then(answer) {
                Ok(root) => return Ok(root),
                Err(error) => tried.push(error.to_string()),
            }
        }
        Err(UcwaError::NotDiscovered(tried.join("; ")))
    }

    /// Where the user's home pool takes applications.
    pub(super) async fn home(&self, state: &mut SignedIn, account: &Account) -> Result<Url, UcwaError> {
        if let Some(home) = &state.home {
            return Ok(home.clone());
        }
        let mut at = self.root(&account.sip_domain).await?;
        for _ in 0..HOPS {
            if let Some(href) = link(&at.body, "applications") {
                let home = self.trust.admit(&at.url, href)?;
                state.home = Some(home.clone());
                return Ok(home);
            }
            let next = link(&at.body, "redirect").or_else(|| link(&at.body, "user")).ok_or_else(|| {
                UcwaError::Malformed(format!(
                    "{} leads to no pool: is it Skype for Business Server?",
                    place(&at.url)
                ))
            })?;
            let next = self.trust.admit(&at.url, next)?;
            at = match self.ask(state, account, Call::get(next.clone())).await {
                Err(error) if error.status() == Some(401) => match at_issuer(next, state.issuer.as_ref()) {
                    Some(elsewhere) => self.ask(state, account, Call::get(elsewhere)).await?,
                    None => return Err(error),
                },
                outcome => outcome?,
            };
        }
        Err(UcwaError::Malformed(format!("{} leads on and on and to no pool", place(&at.url))))
    }

    /// The application that requests go through, made where there is none.
    pub(super) async fn application<'s>(
        &self,
        state: &'s mut SignedIn,
        account: &Account,
    ) -> Result<&'s mut Application, UcwaError> {
        let application = match state.application.take() {
            Some(application) => application,
            None => self.register(state, account).await?,
        };
        Ok(state.application.insert(application))
    }

    async fn register(&self, state: &mut SignedIn, account: &Account) -> Result<Application, UcwaError> {
        let home = self.home(state, account).await?;
        let body = json!({
            "userAgent": concat!("MMS/", env!("CARGO_PKG_VERSION")),
            // One that no other application of the user has.
            "endpointId": uuid::Uuid::new_v4().to_string(),
            "culture": "en-US",
        });
        let made = self.ask(state, account, Call::new(Method::POST, home).body(body)).await?;
        let meetings = made.body.get("_embedded").and_then(|all| all.get("onlineMeetings"));
        let linked = |rel: &str| meetings.and_then(|meetings| link(meetings, rel));
        let admitted = |href: &str| self.trust.admit(&made.url, href);
        let missing = |what: &str| {
            UcwaError::Malformed(format!("{} made an application without {what}", place(&made.url)))
        };
        Ok(Application {
            own: admitted(link(&made.body, "self").ok_or_else(|| missing("a link to itself"))?)?,
            meetings: admitted(linked("myOnlineMeetings").ok_or_else(|| missing("online meetings"))?)?,
            eligible: linked("onlineMeetingEligibleValues").map(admitted).transpose()?,
            phone: linked("phoneDialInInformation").map(admitted).transpose()?,
            listed: None,
            telephone: None,
            values: None,
        })
    }

    /// Gives the application up. One that stays ends by itself after a while.
    pub(super) async fn end(&self, state: &mut SignedIn, account: &Account) {
        let Some(application) = state.application.take() else { return };
        let call = Call::new(Method::DELETE, application.own);
        if let Err(error) = self.ask(state, account, call).await {
            tracing::debug!(%error, "the application was not deleted");
        }
    }

    /// The values that the user's policies allow; nothing where the server does not say.
    pub(super) async fn eligible(&self, state: &mut SignedIn, account: &Account) -> Result<Value, UcwaError> {
        let application = self.application(state, account).await?;
        let values = match (&application.values, application.eligible.clone()) {
            (Some(values), _) => values.clone(),
            (None, None) => Value::Null,
            (None, Some(url)) => self.ask(state, account, Call::get(url)).await?.body,
        };
        self.application(state, account).await?.values = Some(values.clone());
        Ok(values)
    }

    /// How the user's meetings are joined by telephone; not at all where the server has no dial-in conferencing.
    pub(super) async fn telephone(
        &self,
        state: &mut SignedIn,
        account: &Account,
    ) -> Result<Telephone, UcwaError> {
        let application = self.application(state, account).await?;
        let telephone = match (&application.telephone, application.phone.clone()) {
            (Some(telephone), _) => telephone.clone(),
            (None, None) => Telephone::default(),
            (None, Some(url)) => match self.ask(state, account, Call::get(url)).await {
                Ok(answer) => Telephone::read(&answer.body),
                Err(error) if matches!(error.status(), Some(403 | 404 | 409)) => Telephone::default(),
                Err(error) => return Err(error),
            },
        };
        self.application(state, account).await?.telephone = Some(telephone.clone());
        Ok(telephone)
    }
}

/// The same resource on the server of the web ticket service. Where that is another server than the one that asked for a
/// ticket, the ticket may be good there only; a client that is in use does so (unconfirmed).
fn at_issuer(mut resource: Url, issuer: Option<&Url>) -> Option<Url> {
    let issuer = issuer.filter(|issuer| issuer.origin() != resource.origin())?;
    resource.set_scheme(issuer.scheme()).ok()?;
    resource.set_host(issuer.host_str()).ok()?;
    resource.set_port(issuer.port()).ok()?;
    Some(resource)
}

/// What is in a reply, where it is a success.
fn answer(reply: Reply) -> Result<Answer, UcwaError> {
    let url = place(&reply.url);
    if !reply.status.is_success() {
        return Err(UcwaError::answer(url, reply.status.as_u16(), &reply.headers, &reply.body));
    }
    let body: Value = if reply.body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&reply.body)
            .map_err(|_| UcwaError::Malformed(format!("{url} answered what is no JSON")))?
    };
    let header = reply.headers.get(ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
    // The resource says it, too; there without the quotes that a header wants.
    let etag =
        header.or_else(|| body.get("etag")?.as_str().map(|etag| format!("\"{}\"", etag.trim_matches('"'))));
    Ok(Answer { url: reply.url, etag, body })
}

/// What a web ticket service means that gives no ticket.
fn refusal(account: &Account, url: &Url, reply: &Reply) -> UcwaError {
    let status = reply.status.as_u16();
    let said: NotGranted = serde_json::from_slice(&reply.body).unwrap_or_default();
    if !(matches!(status, 401 | 403) || (status == 400 && said.error == "invalid_grant")) {
        return UcwaError::answer(place(url), status, &reply.headers, &reply.body);
    }
    let words = one_line(&format!("{} {}", said.error, said.error_description));
    let said = if words.is_empty() { String::new() } else { format!(" ({words})") };
    UcwaError::Refused { url: place(url), user: account.user.clone(), said, advice: account.advice.clone() }
}

/// `expires_in`, in seconds; some servers write it as text.
fn life(expires_in: &Value) -> Duration {
    let seconds = expires_in.as_u64().or_else(|| expires_in.as_str()?.trim().parse().ok());
    seconds.map_or(TICKET_LIFE, |s| Duration::from_secs(s.min(24 * 3600)))
}
