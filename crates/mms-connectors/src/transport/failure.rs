use std::error::Error;
use std::time::Duration;

use url::Url;

/// Why no answer came, or none that may be used. Messages hold no secret: URLs are shown without
/// user info and query.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TransportError {
    /// Credentials would travel in the clear.
    #[error(
        "{url} is plain HTTP, which would send the password readable over the network: use https, or set allow_plaintext = true"
    )]
    Plaintext {
        /// The URL.
        url: String,
    },
    /// Neither http nor https.
    #[error("{url} is not an http or https URL")]
    NotHttp {
        /// The URL.
        url: String,
    },
    /// The URL is on another server than the one that the credentials are for.
    #[error(
        "{from} leads to another server, {to}; credentials are not sent there: if that server is right, configure its URL"
    )]
    ForeignServer {
        /// Where the reference was found.
        from: String,
        /// Where it leads.
        to: String,
    },
    /// Redirected more often than makes sense.
    #[error("{url} redirects in a circle")]
    RedirectLoop {
        /// The URL.
        url: String,
    },
    /// The host name is unknown.
    #[error("the host name of {url} cannot be resolved: check the URL and the DNS")]
    UnknownHost {
        /// The URL.
        url: String,
    },
    /// No connection comes up.
    #[error("no connection to {url}: {detail}")]
    Unreachable {
        /// The URL.
        url: String,
        /// What the network says.
        detail: String,
    },
    /// The certificate is not trusted, or TLS does not come up.
    #[error(
        "no trusted TLS connection to {url}: {detail}; if the server's certificate comes from a private authority, set ca_file to that authority's PEM file"
    )]
    Tls {
        /// The URL.
        url: String,
        /// What TLS says.
        detail: String,
    },
    /// No answer in time.
    #[error("{url} did not answer within {} seconds", .after.as_secs())]
    Timeout {
        /// The URL.
        url: String,
        /// How long was waited.
        after: Duration,
    },
    /// The connection broke before the answer was complete.
    #[error("{url} broke the connection off before its answer was complete: {detail}")]
    Interrupted {
        /// The URL.
        url: String,
        /// What the network says.
        detail: String,
    },
    /// The answer is larger than what is read.
    #[error("the answer of {url} is larger than {limit} bytes")]
    BodyTooLarge {
        /// The URL.
        url: String,
        /// The limit.
        limit: usize,
    },
    /// The server asked for a pause that is not over yet.
    #[error("{url} asked to wait; {} seconds are left", .wait.as_secs())]
    Paused {
        /// The URL.
        url: String,
        /// What is left of the pause.
        wait: Duration,
    },
    /// The client could not be set up.
    #[error("{0}")]
    Setup(String),
}

impl TransportError {
    /// Tells what kind of failure reqwest met at `url`.
    pub(super) fn of(error: reqwest::Error, url: &Url, timeout: Duration) -> Self {
        let detail = innermost(&error);
        let tls = url.scheme() == "https" && mentions_tls(&error);
        let url = place(url);
        if error.is_dns() {
            Self::UnknownHost { url }
        } else if error.is_timeout() {
            Self::Timeout { url, after: timeout }
        } else if error.is_connect() && tls {
            Self::Tls { url, detail }
        } else if error.is_connect() {
            Self::Unreachable { url, detail }
        } else {
            Self::Interrupted { url, detail }
        }
    }

    /// The connection to `url` broke.
    pub(super) fn interrupted(error: &(dyn Error + 'static), url: &Url) -> Self {
        Self::Interrupted { url: place(url), detail: innermost(error) }
    }

    /// Whether the connection broke, so that the same request may well work on a new one.
    pub(super) fn is_broken_connection(&self) -> bool {
        matches!(self, Self::Interrupted { .. })
    }

    /// Whether the server may have done what it was asked all the same.
    pub(crate) fn is_unclear(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::Interrupted { .. } | Self::BodyTooLarge { .. })
    }
}

/// A URL as it is shown in messages.
pub(crate) fn place(url: &Url) -> String {
    let mut shown = url.clone();
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_query(None);
    shown.set_fragment(None);
    shown.to_string()
}

/// The text of the innermost cause: the one that says something. What reqwest says itself is no reason.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut text = (!error.is::<reqwest::Error>()).then(|| error.to_string());
    let mut cause = error.source();
    while let Some(error) = cause {
        text = Some(error.to_string());
        cause = error.source();
    }
    text.unwrap_or_else(|| "no reason given".to_owned())
}

/// Whether some cause speaks of certificates or of TLS. reqwest has no question for it, and the
/// causes' types are those of crates that are not ours.
fn mentions_tls(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string().to_ascii_lowercase();
        if ["certificate", "tls", "handshake", "corrupt message"].iter().any(|word| text.contains(word)) {
            return true;
        }
        cause = error.source();
    }
    false
}
