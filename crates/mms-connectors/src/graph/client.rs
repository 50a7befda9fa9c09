use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderName};
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};
use url::Url;

use super::batch::{self, SubReply, SubRequest};
use super::pace::{Leave, Pace};
use super::{Fault, GraphAccess, GraphError};
use crate::transport::{
    Credentials, Exchange, Patience, Reply, SecretText, Session, TokenSource, Transport, TransportError,
};

/// What Exchange Online takes at a time of one application for one mailbox. A batch runs as many of its requests.
const PER_MAILBOX: u32 = 4;
/// What a path segment may hold as it is: `@` of names and `=` of ids beside what is unreserved.
const SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'@').remove(b'=');
/// The same for the value of a query option.
const QUERY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b',').remove(b'$');

/// The clients of an installation: calendars, platforms and directories with the same access to the same tenant share
/// one, and with it the token and the pace that the tenant allows.
#[derive(Default)]
pub struct GraphClients(Mutex<Vec<(GraphAccess, Arc<GraphClient>)>>);

impl GraphClients {
    /// The client for `access`.
    ///
    /// # Errors
    /// The CA file cannot be used.
    pub fn of(&self, access: &GraphAccess) -> Result<Arc<GraphClient>, TransportError> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = clients.iter().find(|(known, _)| known == access) {
            return Ok(Arc::clone(client));
        }
        let client = Arc::new(GraphClient::new(access)?);
        clients.push((access.clone(), Arc::clone(&client)));
        Ok(client)
    }
}

/// One application's way to one tenant, shared by all who go there.
pub struct GraphClient {
    transport: Arc<Transport>,
    base: Url,
    tokens: TokenSource,
    pace: Arc<Pace>,
    mailboxes: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// The slots of one mailbox.
#[derive(Clone)]
pub struct Mailbox(Arc<Semaphore>);

impl Mailbox {
    async fn enter(&self, requests: usize) -> Option<SemaphorePermit<'_>> {
        let slots = u32::try_from(requests).unwrap_or(PER_MAILBOX).clamp(1, PER_MAILBOX);
        self.0.acquire_many(slots).await.ok()
    }
}

impl GraphClient {
    /// The way to a tenant; nothing is sent yet.
    ///
    /// # Errors
    /// The CA file cannot be used.
    pub fn new(access: &GraphAccess) -> Result<Self, TransportError> {
        let transport = Arc::new(Transport::new(access.transport.clone())?);
        let tokens = TokenSource::new(
            Arc::clone(&transport),
            access.token_url.clone(),
            &access.client_id,
            &access.scope,
            access.proof.clone(),
        );
        Ok(Self {
            pace: Pace::new(access.transport.concurrency),
            base: access.base.clone(),
            mailboxes: Mutex::new(HashMap::new()),
            transport,
            tokens,
        })
    }

    /// The slots of a mailbox, the same for all who ask.
    pub fn mailbox(&self, user: &str) -> Mailbox {
        let mut mailboxes = self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner);
        if mailboxes.len() >= 1024 {
            mailboxes.retain(|_, slots| slots.strong_count() > 0);
        }
        let key = user.to_lowercase();
        if let Some(slots) = mailboxes.get(&key).and_then(Weak::upgrade) {
            return Mailbox(slots);
        }
        let slots = Arc::new(Semaphore::new(PER_MAILBOX as usize));
        mailboxes.insert(key, Arc::downgrade(&slots));
        Mailbox(slots)
    }

    /// A token as a server is shown it, for a diagnosis.
    ///
    /// # Errors
    /// There is none.
    pub async fn token(&self) -> Result<SecretText, GraphError> {
        Ok(self.tokens.token().await?)
    }

    /// Where the service is.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Reads JSON; `path` is relative to the service's root (see [`path()`]), or a link that it sent.
    ///
    /// # Errors
    /// Anything but success.
    pub async fn get(
        &self,
        path: &str,
        headers: &[(HeaderName, &str)],
        mailbox: Option<&Mailbox>,
    ) -> Result<Value, GraphError> {
        let mut request = Exchange::read(Method::GET, self.url(path)?).header(ACCEPT, "application/json");
        for (name, value) in headers {
            request = request.header(name.clone(), value);
        }
        let _slot = slot(mailbox, 1).await;
        let reply = self.send(&request).await?;
        serde_json::from_slice(&reply.body).map_err(|e| GraphError::Malformed(e.to_string()))
    }

    fn url(&self, path: &str) -> Result<Url, GraphError> {
        let text = path.trim_start_matches('/');
        // The session keeps the token from other servers, wherever a link leads.
        self.base.join(text).map_err(|e| GraphError::Malformed(format!("a link that is no URL: {e}")))
    }

    /// Sends requests in batches; the answers are in their order, each a success or its own failure.
    /// What was throttled is sent again, as long as the pauses are short.
    pub async fn batch(
        &self,
        requests: Vec<SubRequest>,
        mailbox: Option<&Mailbox>,
    ) -> Vec<Result<SubReply, GraphError>> {
        let mut results: Vec<Option<Result<SubReply, GraphError>>> = requests.iter().map(|_| None).collect();
        let mut waiting: Vec<(usize, SubRequest)> = requests.into_iter().enumerate().collect();
        let mut most = batch::MOST;
        let mut patience = Patience::new();
        let mut renewed = false;
        while !waiting.is_empty() {
            let count = batch::next_chunk(&waiting).min(most);
            let chunk: Vec<_> = waiting.drain(..count).collect();
            let (replies, token) = match self.batch_once(&chunk, mailbox).await {
                Ok(answered) => answered,
                // Too much in one answer: fewer at a time come through.
                Err(GraphError::Transport(TransportError::BodyTooLarge { .. }))
                    if count > 1 && chunk.iter().all(|(_, request)| request.is_read()) =>
                {
                    most = count / 2;
                    waiting.splice(0..0, chunk);
                    continue;
                }
                Err(error) => {
                    // A single answer that is too large is that request's trouble; all else is everybody's.
                    let alone = matches!(&error, GraphError::Transport(TransportError::BodyTooLarge { .. }));
                    let hit =
                        if alone { chunk } else { chunk.into_iter().chain(waiting.drain(..)).collect() };
                    for (place, _) in hit {
                        settle(&mut results, place, Err(error.clone()));
                    }
                    continue;
                }
            };
            let (mut throttled, mut unauthorised, mut longest) = (Vec::new(), Vec::new(), None);
            for ((place, request), reply) in chunk.into_iter().zip(replies) {
                match weigh(reply) {
                    Err(error @ GraphError::Answer { status: 429 | 503, .. }) => {
                        let wait = error.wait();
                        longest = longest.max(wait);
                        settle(&mut results, place, Err(error));
                        throttled.push((place, request, wait));
                    }
                    // The token ran out on the way.
                    Err(GraphError::Answer { status: 401, .. }) if !renewed => {
                        unauthorised.push((place, request))
                    }
                    outcome => settle(&mut results, place, outcome),
                }
            }
            if !unauthorised.is_empty() {
                self.tokens.refused(&token).await;
                renewed = true;
                waiting.splice(0..0, unauthorised);
            }
            // Some are asked to wait longer than is worth waiting here; the others go on.
            let is_short = |wait: Option<Duration>| wait.is_none_or(|wait| wait <= patience.left());
            let long = throttled.iter().any(|(_, _, wait)| !is_short(*wait));
            throttled.retain(|(_, _, wait)| is_short(*wait));
            let wait = throttled.iter().map(|(_, _, wait)| *wait).max().flatten();
            if !throttled.is_empty() && patience.wait(wait).await {
                waiting.splice(0..0, throttled.into_iter().map(|(place, request, _)| (place, request)));
            } else if long || !throttled.is_empty() {
                // What has not been sent would meet the same.
                let error = GraphError::Answer { status: 429, fault: Fault::default(), wait: longest };
                for (place, _) in waiting.drain(..) {
                    settle(&mut results, place, Err(error.clone()));
                }
            }
        }
        results
            .into_iter()
            .map(|result| result.unwrap_or_else(|| Err(GraphError::Malformed("no answer".to_owned()))))
            .collect()
    }

    async fn batch_once(
        &self,
        chunk: &[(usize, SubRequest)],
        mailbox: Option<&Mailbox>,
    ) -> Result<(Vec<Option<SubReply>>, SecretText), GraphError> {
        let mut request = Exchange::read(Method::POST, self.url("$batch")?)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .body(batch::write(chunk));
        request.repeatable = chunk.iter().all(|(_, sub)| sub.is_read());
        let _slot = slot(mailbox, chunk.len()).await;
        let (reply, token, leave) = self.send_for(&request).await?;
        let replies = batch::read(&reply.body, chunk.len()).map_err(GraphError::Malformed)?;
        let is_throttled = |reply: &SubReply| matches!(reply.status, 429 | 503);
        if replies.iter().flatten().any(is_throttled) {
            leave.throttled()
        } else {
            leave.answered()
        }
        Ok((replies, token))
    }

    /// Sends JSON that may be sent twice (`createOrGet`).
    ///
    /// # Errors
    /// Anything but success.
    pub async fn post(
        &self,
        path: &str,
        headers: &[(HeaderName, &str)],
        body: &Value,
    ) -> Result<Value, GraphError> {
        let mut request = Exchange::read(Method::POST, self.url(path)?)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .body(serde_json::to_vec(body).unwrap_or_default());
        for (name, value) in headers {
            request = request.header(name.clone(), value);
        }
        let reply = self.send(&request).await?;
        serde_json::from_slice(&reply.body).map_err(|e| GraphError::Malformed(e.to_string()))
    }

    async fn send(&self, request: &Exchange) -> Result<Reply, GraphError> {
        let (reply, _, leave) = self.send_for(request).await?;
        leave.answered();
        Ok(reply)
    }

    /// Sends a request, again after a short throttling and with a new token after a refused one.
    async fn send_for(&self, request: &Exchange) -> Result<(Reply, SecretText, Leave), GraphError> {
        let mut patience = Patience::new();
        let mut renewed = false;
        loop {
            let leave = self.pace.leave().await;
            let token = self.tokens.token().await?;
            let credentials = Credentials::Bearer(token.clone());
            let session = Session::new(Arc::clone(&self.transport), self.base.clone(), credentials)?;
            let reply = session.exchange(request).await?;
            if reply.status.is_success() {
                return Ok((reply, token, leave));
            }
            let body = serde_json::from_slice(&reply.body).unwrap_or_default();
            let error = GraphError::answer(reply.status.as_u16(), &reply.headers, &body);
            match &error {
                GraphError::Answer { status: 401, .. } if !renewed => {
                    self.tokens.refused(&token).await;
                    renewed = true;
                }
                GraphError::Answer { status: 429 | 503, wait, .. } => {
                    leave.throttled();
                    drop(leave);
                    if !patience.wait(*wait).await {
                        return Err(error);
                    }
                }
                _ => return Err(error),
            }
        }
    }
}

async fn slot(mailbox: Option<&Mailbox>, requests: usize) -> Option<SemaphorePermit<'_>> {
    match mailbox {
        Some(mailbox) => mailbox.enter(requests).await,
        None => None,
    }
}

fn settle(
    results: &mut [Option<Result<SubReply, GraphError>>],
    place: usize,
    outcome: Result<SubReply, GraphError>,
) {
    if let Some(result) = results.get_mut(place) {
        *result = Some(outcome);
    }
}

fn weigh(reply: Option<SubReply>) -> Result<SubReply, GraphError> {
    match reply {
        None => Err(GraphError::Malformed("a request of a batch was not answered".to_owned())),
        Some(reply) if (200..300).contains(&reply.status) => Ok(reply),
        Some(reply) => Err(GraphError::answer(reply.status, &reply.headers, &reply.body)),
    }
}

/// A path of these segments, with a leading `/`.
pub fn path<'a>(segments: impl IntoIterator<Item = &'a str>) -> String {
    let mut path = String::new();
    for segment in segments {
        path.push('/');
        path.extend(utf8_percent_encode(segment, SEGMENT));
    }
    path
}

/// `path` with query options.
pub fn query<'a>(path: &str, options: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = path.to_owned();
    for (at, (name, value)) in options.into_iter().enumerate() {
        text.push(if at == 0 { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        text.extend(utf8_percent_encode(value, QUERY));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_queries_are_escaped() {
        assert_eq!(path(["users", "a@b.example", "events", "AA+/="]), "/users/a@b.example/events/AA%2B%2F=");
        assert_eq!(
            query("/me", [("$select", "id,start"), ("$filter", "a eq 'b c'")]),
            "/me?$select=id,start&$filter=a%20eq%20%27b%20c%27"
        );
    }

    #[tokio::test]
    async fn a_batch_takes_every_slot_of_a_mailbox_and_single_requests_share_them() {
        let mailbox = Mailbox(Arc::new(Semaphore::new(PER_MAILBOX as usize)));
        let singles = [mailbox.enter(1).await, mailbox.enter(1).await, mailbox.enter(2).await];
        assert_eq!(mailbox.0.available_permits(), 0);
        drop(singles);
        let batch = mailbox.enter(20).await;
        assert_eq!(mailbox.0.available_permits(), 0);
        drop(batch);
        assert_eq!(mailbox.0.available_permits(), 4);
    }
}
