//! One connection, on which requests follow each other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderValue, USER_AGENT};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::{SignInError, end_point};
use crate::transport::{Exchange, Reply, TransportError, TransportSettings, place};

/// A connection to the server.
pub(super) struct Lane {
    sender: SendRequest<Full<Bytes>>,
    binding: Option<Vec<u8>>,
    used: Instant,
    timeout: Duration,
    max_body: usize,
}

/// Why a lane brought no answer.
pub(super) enum Broken {
    /// It was closed before; nothing was sent.
    Unsent(TransportError),
    /// The request may have arrived.
    Sent(TransportError),
}

impl Broken {
    pub(super) fn into_error(self) -> SignInError {
        match self {
            Self::Unsent(error) => SignInError::Unsent(error),
            Self::Sent(error) => SignInError::Transport(error),
        }
    }

    pub(super) fn into_transport(self) -> TransportError {
        match self {
            Self::Unsent(error) | Self::Sent(error) => error,
        }
    }
}

impl Lane {
    /// Connects to the server of `url`; with TLS where `tls` is there.
    pub(super) async fn connect(
        settings: &TransportSettings,
        tls: Option<&Arc<ClientConfig>>,
        url: &Url,
    ) -> Result<Self, TransportError> {
        let after = settings.connect_timeout;
        let (sender, binding) = tokio::time::timeout(after, open(tls, url))
            .await
            .map_err(|_| TransportError::Timeout { url: place(url), after })??;
        let (timeout, max_body) = (settings.request_timeout, settings.max_body);
        Ok(Self { sender, binding, used: Instant::now(), timeout, max_body })
    }

    /// What binds a sign-in to this connection's TLS; none without TLS.
    pub(super) fn binding(&self) -> Option<&[u8]> {
        self.binding.as_deref()
    }

    pub(super) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// For how long no request was sent.
    pub(super) fn unused_for(&self) -> Duration {
        self.used.elapsed()
    }

    /// Sends a request and reads the whole answer. After an error the lane is of no more use.
    pub(super) async fn send(
        &mut self,
        exchange: &Exchange,
        authorization: Option<HeaderValue>,
    ) -> Result<Reply, Broken> {
        let (url, after) = (&exchange.url, self.timeout);
        let timed_out = || Broken::Sent(TransportError::Timeout { url: place(url), after });
        let reply = tokio::time::timeout(after, self.round(exchange, authorization)).await;
        self.used = Instant::now();
        reply.unwrap_or_else(|_| Err(timed_out()))
    }

    async fn round(
        &mut self,
        exchange: &Exchange,
        authorization: Option<HeaderValue>,
    ) -> Result<Reply, Broken> {
        let url = &exchange.url;
        let interrupted = |error: &hyper::Error| TransportError::interrupted(error, url);
        let request = request(exchange, authorization).map_err(Broken::Unsent)?;
        self.sender.ready().await.map_err(|error| Broken::Unsent(interrupted(&error)))?;
        let response = self.sender.try_send_request(request).await.map_err(|mut error| {
            let was_sent = error.take_message().is_none();
            let error = interrupted(error.error());
            if was_sent { Broken::Sent(error) } else { Broken::Unsent(error) }
        })?;
        let (head, body) = response.into_parts();
        let body = read(body, self.max_body, url).await.map_err(Broken::Sent)?;
        Ok(Reply { status: head.status, headers: head.headers, url: url.clone(), body })
    }
}

fn request(
    exchange: &Exchange,
    authorization: Option<HeaderValue>,
) -> Result<hyper::Request<Full<Bytes>>, TransportError> {
    let url = &exchange.url;
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let mut host = url.host_str().unwrap_or_default().to_owned();
    if let Some(port) = url.port() {
        host = format!("{host}:{port}");
    }
    let mut request = hyper::Request::builder()
        .method(exchange.method.clone())
        .uri(target)
        .header(HOST, host)
        // Also where it is zero: IIS takes no POST without.
        .header(CONTENT_LENGTH, exchange.body.len())
        .header(USER_AGENT, concat!("mms/", env!("CARGO_PKG_VERSION")));
    for (name, value) in &exchange.headers {
        request = request.header(name, value);
    }
    if let Some(value) = authorization {
        request = request.header(AUTHORIZATION, value);
    }
    request
        .body(Full::new(exchange.body.clone()))
        .map_err(|error| TransportError::Setup(format!("{} cannot be asked for: {error}", place(url))))
}

async fn read(mut body: Incoming, limit: usize, url: &Url) -> Result<Vec<u8>, TransportError> {
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| TransportError::interrupted(&error, url))?;
        let Some(bytes) = frame.data_ref() else { continue };
        if whole.len() + bytes.len() > limit {
            return Err(TransportError::BodyTooLarge { url: place(url), limit });
        }
        whole.extend_from_slice(bytes);
    }
    Ok(whole)
}

type Opened = (SendRequest<Full<Bytes>>, Option<Vec<u8>>);

async fn open(tls: Option<&Arc<ClientConfig>>, url: &Url) -> Result<Opened, TransportError> {
    let shown = || place(url);
    let (host, port) = match (url.host(), url.port_or_known_default()) {
        (Some(host), Some(port)) => (host, port),
        _ => return Err(TransportError::NotHttp { url: shown() }),
    };
    let stream = match host {
        Host::Domain(name) => {
            let found = tokio::net::lookup_host((name, port)).await;
            let addresses: Vec<_> =
                found.map_err(|_| TransportError::UnknownHost { url: shown() })?.collect();
            TcpStream::connect(addresses.as_slice()).await
        }
        Host::Ipv4(address) => TcpStream::connect((address, port)).await,
        Host::Ipv6(address) => TcpStream::connect((address, port)).await,
    };
    let stream =
        stream.map_err(|error| TransportError::Unreachable { url: shown(), detail: error.to_string() })?;
    // Small messages of a sign-in are not to wait for each other.
    let _ = stream.set_nodelay(true);
    let Some(config) = tls else { return Ok((speak(stream, url).await?, None)) };
    let failed = |detail: String| TransportError::Tls { url: shown(), detail };
    let name = match host {
        Host::Domain(name) => {
            ServerName::try_from(name.to_owned()).map_err(|error| failed(error.to_string()))?
        }
        Host::Ipv4(address) => ServerName::IpAddress(std::net::IpAddr::from(address).into()),
        Host::Ipv6(address) => ServerName::IpAddress(std::net::IpAddr::from(address).into()),
    };
    let stream = TlsConnector::from(Arc::clone(config))
        .connect(name, stream)
        .await
        .map_err(|error| failed(error.to_string()))?;
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let binding = certificates.first().map(|certificate| end_point::binding(certificate));
    Ok((speak(stream, url).await?, binding))
}

/// Speaks HTTP on a connection, for as long as its lane is there.
async fn speak<S>(stream: S, url: &Url) -> Result<SendRequest<Full<Bytes>>, TransportError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .max_headers(200)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| TransportError::interrupted(&error, url))?;
    tokio::spawn(async move {
        // What ends it is told to the request that it happens to.
        let _ = connection.await;
    });
    Ok(sender)
}
