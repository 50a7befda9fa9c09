use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use mms_model::{Clock, SystemClock};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Client, Method, StatusCode, redirect};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use super::lanes::{FRESH, HOLD};
use super::{
    BodyReader, Credentials, SecretText, TransportError, TransportSettings, place, retry_after, tls,
};

/// How often a request is sent again on a new connection after a broken one.
pub(super) const RECONNECTS: u32 = 2;
/// The pause before the first of those; it doubles.
pub(super) const RECONNECT_PAUSE: Duration = Duration::from_millis(100);
/// How many redirects are followed.
const REDIRECTS: u32 = 5;
/// The most memory, in bytes, that is set aside for a body because its header says so.
const MOST_AT_ONCE: usize = 16 << 20;
/// How long a streamed listing may take in all, however steadily its bytes drip.
const STREAM_TIMEOUT: Duration = Duration::from_secs(3600);

/// The way to one server, shared by all its users.
pub struct Transport {
    client: Client,
    /// Keeps no connection: for requests after a kept one turned out to be closed. Rarely needed, and made then.
    fresh_client: OnceLock<Client>,
    settings: TransportSettings,
    slots: Arc<Semaphore>,
    paused_until: Mutex<Option<Instant>>,
    /// What is known of the name and password that calls are signed in with.
    basic: tokio::sync::Mutex<Option<(Basic, Standing)>>,
}

/// A name, its password, and the URL that they are for.
#[derive(PartialEq)]
struct Basic {
    url: Url,
    user: String,
    password: SecretText,
}

enum Standing {
    Good(Instant),
    /// With the headers of the answer.
    Refused(Instant, HeaderMap),
}

impl Transport {
    /// Sets the client up.
    ///
    /// # Errors
    /// [`TransportError::Setup`] where the CA file cannot be used.
    pub fn new(settings: TransportSettings) -> Result<Self, TransportError> {
        let client = build_client(&settings, usize::MAX)?;
        let slots = Arc::new(Semaphore::new(settings.concurrency.max(1)));
        let (fresh_client, paused_until) = (OnceLock::new(), Mutex::new(None));
        let basic = tokio::sync::Mutex::new(None);
        Ok(Self { client, fresh_client, settings, slots, paused_until, basic })
    }

    /// The client for requests on connections of their own.
    fn fresh_client(&self) -> &Client {
        // The settings served for the other one; if the CA file is gone since, that one serves.
        self.fresh_client
            .get_or_init(|| build_client(&self.settings, 0).unwrap_or_else(|_| self.client.clone()))
    }

    /// How to talk to the server.
    pub fn settings(&self) -> &TransportSettings {
        &self.settings
    }

    /// What is left of a pause that the server asked for.
    fn pause(&self) -> Option<Duration> {
        let until = *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.and_then(|until| until.checked_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }

    /// Obeys a `Retry-After`: later requests, of every user, fail until then without being sent.
    fn note_pause(&self, status: StatusCode, headers: &HeaderMap) {
        if !self.settings.shared_pause
            || !matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
        {
            return;
        }
        if let Some(until) =
            retry_after(headers, SystemClock.now()).and_then(|wait| Instant::now().checked_add(wait))
        {
            let mut paused = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
            *paused = Some(paused.map_or(until, |earlier| earlier.max(until)));
        }
    }
}

fn build_client(settings: &TransportSettings, kept: usize) -> Result<Client, TransportError> {
    let mut tls = tls::client_config(settings.ca_file.as_deref())
        .map_err(|(key, problem)| TransportError::Setup(format!("{key} {problem}")))?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("mms/", env!("CARGO_PKG_VERSION")))
        // Redirects are followed here, where it is known which servers may see credentials.
        .redirect(redirect::Policy::none())
        .connect_timeout(settings.connect_timeout)
        .read_timeout(settings.request_timeout)
        .pool_idle_timeout(Duration::from_secs(30))
        .pool_max_idle_per_host(kept)
        .http1_max_headers(200)
        .build()
        .map_err(|e| TransportError::Setup(format!("the HTTP client cannot be set up: {e}")))
}

/// A request.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Verb.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// Headers besides `Authorization`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Body, which a repetition does not copy.
    pub body: Bytes,
    /// Whether it may be sent again after a broken connection, and redirected: reads only. A write
    /// that broke may have arrived; only reading back tells.
    pub repeatable: bool,
    /// Whether it needs a connection of its own.
    pub fresh: bool,
}

impl Exchange {
    /// A read without headers and body.
    pub fn read(method: Method, url: Url) -> Self {
        Self { method, url, headers: Vec::new(), body: Bytes::new(), repeatable: true, fresh: false }
    }

    /// Adds a header; one whose value no header can hold is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Where it came from, redirects followed.
    pub url: Url,
    /// Body, complete; empty for a streamed reply.
    pub body: Vec<u8>,
}

impl Reply {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// One user's way to a server. Requests go to the server of its base URL and nowhere else.
#[derive(Clone)]
pub struct Session {
    transport: Arc<Transport>,
    base: Url,
    credentials: Credentials,
}

impl Session {
    /// A session at the server of `base`.
    ///
    /// # Errors
    /// [`TransportError::Plaintext`], [`TransportError::NotHttp`].
    pub fn new(
        transport: Arc<Transport>,
        base: Url,
        credentials: Credentials,
    ) -> Result<Self, TransportError> {
        transport.settings.check(&base)?;
        Ok(Self { transport, base, credentials })
    }

    /// The URL that the session was made for.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Who signs in.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// How to talk to the server.
    pub fn settings(&self) -> &TransportSettings {
        &self.transport.settings
    }

    /// Resolves a reference that a server sent at `at`.
    ///
    /// # Errors
    /// [`TransportError::ForeignServer`] where it leads elsewhere.
    pub fn resolve(&self, at: &Url, reference: &str) -> Result<Url, TransportError> {
        let url = at
            .join(reference)
            .map_err(|_| TransportError::NotHttp { url: place(at) })
            .map(without_user_info)?;
        self.permit(at, url)
    }

    /// Lets a URL pass that is on the session's server: same scheme, host and port, or the same host
    /// by TLS.
    fn permit(&self, from: &Url, to: Url) -> Result<Url, TransportError> {
        let same_host = self.base.host() == to.host();
        let same_port = self.base.scheme() == to.scheme()
            && self.base.port_or_known_default() == to.port_or_known_default();
        let upgraded = self.base.scheme() == "http" && to.scheme() == "https";
        if same_host && (same_port || upgraded) {
            Ok(to)
        } else {
            Err(TransportError::ForeignServer { from: place(from), to: place(&to) })
        }
    }

    /// Sends a request and reads the whole answer. A read whose connection breaks, as a kept-alive one
    /// does that the server closed meanwhile, is sent again.
    ///
    /// # Errors
    /// Where no complete answer came; an answer with an error status is a reply.
    pub async fn exchange(&self, exchange: &Exchange) -> Result<Reply, TransportError> {
        let mut pause = RECONNECT_PAUSE;
        for _ in 0..RECONNECTS {
            match self.attempt(exchange).await {
                Err(error) if exchange.repeatable && error.is_broken_connection() => {
                    tracing::debug!(%error, "sending the request again");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                outcome => return outcome,
            }
        }
        self.attempt(&Exchange { fresh: true, ..exchange.clone() }).await
    }

    /// Directories lock an account after a few wrong passwords, and at a service that all calls of all users go to
    /// (POST), one account signs all of them in. Until that has worked, one call is sent at a time; after a refusal, the
    /// same answer is given for a while without asking. Other requests are for one user's own place each.
    async fn attempt(&self, exchange: &Exchange) -> Result<Reply, TransportError> {
        let (Credentials::Basic { user, password }, &Method::POST) = (&self.credentials, &exchange.method)
        else {
            return self.ask(exchange).await;
        };
        let url = exchange.url.clone();
        let account = Basic { url: url.clone(), user: user.clone(), password: password.clone() };
        let after = self.settings().request_timeout;
        let mut known = tokio::time::timeout(after, self.transport.basic.lock())
            .await
            .map_err(|_| TransportError::Timeout { url: place(&url), after })?;
        match known.as_ref().filter(|(of, _)| *of == account) {
            Some((_, Standing::Refused(at, headers))) if at.elapsed() < HOLD => {
                tracing::debug!(user, url = place(&url), "not signing in: it was refused before");
                let (status, headers) = (StatusCode::UNAUTHORIZED, headers.clone());
                return Ok(Reply { status, headers, url, body: Vec::new() });
            }
            Some((_, Standing::Good(at))) if at.elapsed() < FRESH => {
                drop(known);
                let reply = self.ask(exchange).await?;
                if reply.status == StatusCode::UNAUTHORIZED {
                    let refused = Standing::Refused(Instant::now(), reply.headers.clone());
                    *self.transport.basic.lock().await = Some((account, refused));
                }
                return Ok(reply);
            }
            _ => {}
        }
        let reply = self.ask(exchange).await?;
        if reply.status == StatusCode::UNAUTHORIZED {
            *known = Some((account, Standing::Refused(Instant::now(), reply.headers.clone())));
        } else if reply.status.is_success() || reply.status == StatusCode::INTERNAL_SERVER_ERROR {
            // Faults of SOAP come with 500.
            *known = Some((account, Standing::Good(Instant::now())));
        }
        Ok(reply)
    }

    async fn ask(&self, exchange: &Exchange) -> Result<Reply, TransportError> {
        let timeout = self.settings().request_timeout;
        let (response, _slot) = self.send(exchange, timeout).await?;
        let limit = self.settings().max_body;
        let (status, headers, url) = (response.status(), response.headers().clone(), response.url().clone());
        let body = read_body(response, limit, timeout).await?;
        Ok(Reply { status, headers, url, body })
    }

    /// Sends a request and hands a successful answer's body over while it arrives; the body of another
    /// answer is read whole. A stream may be longer than `max_body`.
    ///
    /// # Errors
    /// As for [`Session::exchange`]; later failures come out of the reader.
    pub async fn stream(&self, exchange: &Exchange) -> Result<(Reply, Option<BodyReader>), TransportError> {
        let mut pause = RECONNECT_PAUSE;
        let mut tries = 0;
        let (mut response, slot) = loop {
            match self.send(exchange, STREAM_TIMEOUT).await {
                Err(error) if error.is_broken_connection() && tries < RECONNECTS => {
                    tries += 1;
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                outcome => break outcome?,
            }
        };
        let mut reply = Reply {
            status: response.status(),
            headers: response.headers().clone(),
            url: response.url().clone(),
            body: Vec::new(),
        };
        let timeout = self.settings().request_timeout;
        if !reply.status.is_success() {
            reply.body = read_body(response, self.settings().max_body, timeout).await?;
            return Ok((reply, None));
        }
        let (feed, reader) = BodyReader::channel();
        let url = reply.url.clone();
        tokio::spawn(async move {
            let _slot = slot;
            loop {
                let chunk = match response.chunk().await {
                    Ok(None) => return,
                    Ok(Some(bytes)) => Ok(bytes.to_vec()),
                    Err(e) => Err(io::Error::other(TransportError::of(e, &url, timeout))),
                };
                let ended = chunk.is_err();
                // A parser that has seen enough hangs up.
                if feed.send(chunk).await.is_err() || ended {
                    return;
                }
            }
        });
        Ok((reply, Some(reader)))
    }

    /// Sends a request, following redirects within the server.
    async fn send(
        &self,
        exchange: &Exchange,
        timeout: Duration,
    ) -> Result<(reqwest::Response, OwnedSemaphorePermit), TransportError> {
        let slot = Arc::clone(&self.transport.slots)
            .acquire_owned()
            .await
            .map_err(|_| TransportError::Setup("the HTTP client is shut down".to_owned()))?;
        let mut url = self.permit(&self.base, exchange.url.clone())?;
        for _ in 0..=REDIRECTS {
            if let Some(wait) = self.transport.pause() {
                return Err(TransportError::Paused { url: place(&url), wait });
            }
            let response = self.send_once(exchange, &url, timeout).await?;
            self.transport.note_pause(response.status(), response.headers());
            match redirect_target(&response) {
                Some(target) if exchange.repeatable => url = self.resolve(&url, &target)?,
                _ => return Ok((response, slot)),
            }
        }
        Err(TransportError::RedirectLoop { url: place(&exchange.url) })
    }

    async fn send_once(
        &self,
        exchange: &Exchange,
        url: &Url,
        timeout: Duration,
    ) -> Result<reqwest::Response, TransportError> {
        let client = if exchange.fresh { self.transport.fresh_client() } else { &self.transport.client };
        let mut request = client.request(exchange.method.clone(), url.clone()).timeout(timeout);
        for (name, value) in &exchange.headers {
            request = request.header(name, value);
        }
        if let Some(value) = self.credentials.header() {
            request = request.header(AUTHORIZATION, value);
        }
        if !exchange.body.is_empty() {
            request = request.body(exchange.body.clone());
        }
        let waited = self.settings().request_timeout;
        request.send().await.map_err(|e| TransportError::of(e, url, waited))
    }
}

fn without_user_info(mut url: Url) -> Url {
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

fn redirect_target(response: &reqwest::Response) -> Option<String> {
    matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308)
        .then(|| response.headers().get(LOCATION)?.to_str().ok().map(str::to_owned))
        .flatten()
}

async fn read_body(
    mut response: reqwest::Response,
    limit: usize,
    timeout: Duration,
) -> Result<Vec<u8>, TransportError> {
    let url = response.url().clone();
    let announced =
        response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
    let mut body = Vec::with_capacity(announced.min(limit).min(MOST_AT_ONCE));
    while let Some(chunk) = response.chunk().await.map_err(|e| TransportError::of(e, &url, timeout))? {
        if body.len() + chunk.len() > limit {
            return Err(TransportError::BodyTooLarge { url: place(&url), limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(base: &str) -> Session {
        let transport = Arc::new(Transport::new(TransportSettings::default()).unwrap());
        Session::new(transport, Url::parse(base).unwrap(), Credentials::Anonymous).unwrap()
    }

    #[test]
    fn references_stay_on_the_server() {
        let session = session("https://dav.example.test/base/");
        let at = Url::parse("https://dav.example.test/base/x/").unwrap();
        let resolve = |r: &str| session.resolve(&at, r).map(String::from);
        assert_eq!(resolve("/cal/").unwrap(), "https://dav.example.test/cal/");
        assert_eq!(resolve("y.ics").unwrap(), "https://dav.example.test/base/x/y.ics");
        assert_eq!(resolve("https://eve:pw@dav.example.test/z").unwrap(), "https://dav.example.test/z");
        for foreign in [
            "https://evil.example/",
            "//evil.example/x",
            "http://dav.example.test/",
            "https://dav.example.test:8443/",
            "ftp://dav.example.test/",
        ] {
            assert!(matches!(resolve(foreign), Err(TransportError::ForeignServer { .. })), "{foreign}");
        }
    }

    #[test]
    fn plain_http_may_be_upgraded_but_not_the_other_way() {
        let session = session("http://localhost:8080/");
        let at = session.base().clone();
        assert!(session.resolve(&at, "https://localhost/").is_ok());
        assert!(session.resolve(&at, "http://localhost:9090/").is_err());
    }

    #[test]
    fn a_bad_ca_file_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let settings =
            TransportSettings { ca_file: Some(file.path().to_owned()), ..TransportSettings::default() };
        let error = Transport::new(settings).err().unwrap().to_string();
        assert!(error.contains("ca_file") && error.contains("no certificate"), "{error}");
    }
}
