//! What a failure of UCWA means for the engine.

use std::time::Duration;

use mms_model::{Clock as _, Code, ErrorKind, PortError, SystemClock};
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::transport::{TransportError, retry_after};

/// The longest text of the server that a message quotes.
const QUOTED: usize = 300;

/// What UCWA says of an error: `{"code","subcode","message"}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) subcode: String,
    /// All three, on one line and cut short. Shown, never branched on.
    said: String,
}

impl Fault {
    /// Reads an error body; anything else says nothing.
    fn read(body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text =
            |name: &str| body.get(name).and_then(Value::as_str).map(one_line).filter(|t| !t.is_empty());
        let parts = [text("code"), text("subcode").filter(|subcode| subcode != "None"), text("message")];
        let said: Vec<String> = parts.into_iter().flatten().collect();
        let said = if said.is_empty() { String::new() } else { format!(" ({})", said.join(": ")) };
        Self { subcode: text("subcode").unwrap_or_default(), said }
    }
}

/// A server's text as a message may quote it.
pub(super) fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().take(QUOTED).collect()
}

/// Why a request to a pool brought nothing. Messages hold no secret.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum UcwaError {
    /// No complete answer came.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A link leads to a server that is not the deployment's.
    #[error(
        "{from} leads to {to}, which is below no SIP domain; nothing is sent there: if that server is right, add it to trusted_hosts"
    )]
    Untrusted { from: String, to: String },
    /// A link would have passwords and tickets travel readable.
    #[error(
        "{from} leads to {to}, which is not https; nothing is sent there: correct the URLs of the web services"
    )]
    NotByTls { from: String, to: String },
    /// An answer with an error status.
    #[error("{url} answered {status}{said}", said = .fault.said)]
    Answer {
        url: String,
        status: u16,
        fault: Fault,
        /// How long it asks to wait.
        wait: Option<Duration>,
    },
    /// An answer that is not the protocol.
    #[error("{0}")]
    Malformed(String),
    /// The web service takes no password.
    #[error(
        "{url} takes no password (it offers {offered}): see Get-CsWebServiceConfiguration and Get-CsAuthConfig, and docs/skype.md"
    )]
    NoPasswordGrant { url: String, offered: String },
    /// The web service refused name and password.
    #[error(
        "{url} refused the name {user} and its password{said}; it is not tried again until the password is another: {advice}"
    )]
    Refused { url: String, user: String, said: String, advice: String },
    /// A password cannot be had.
    #[error("{0}")]
    NoPassword(String),
    /// No server answered discovery.
    #[error("no pool was found: {0}; check the DNS records of the SIP domain, or set discover_url")]
    NotDiscovered(String),
    /// A setting has a value that the user's policies do not allow.
    #[error(
        "{setting} = \"{value}\" is not among what the policies of {user} allow ({eligible}): change the setting, or the policy (Get-CsConferencingPolicy)"
    )]
    NotEligible { setting: &'static str, value: String, user: String, eligible: String },
    /// The meeting kept changing.
    #[error("the online meeting {0} was changed each time before it could be written")]
    KeptChanging(String),
    /// A list without descriptions is too long to ask for each.
    #[error(
        "the pool lists {short} online meetings of {user} without saying which are of MMS, and no more than {most} are asked one by one: delete those that the user needs no more in Outlook, or let another account make them (credentials_file, delegate)"
    )]
    TooManyShort { user: String, short: usize, most: usize },
    /// The pool made a join link that the configuration does not count as its own.
    #[error(
        "the pool's join link {0} is below none of meet_urls: add its Meet simple URL there (Get-CsSimpleUrlConfiguration)"
    )]
    ForeignJoinUrl(String),
    /// The meeting that is to be refreshed is not there.
    #[error(
        "Skype for Business Server does not know the meeting {0} any more: give its event a new meeting by hand, or in Outlook"
    )]
    Unknown(String),
}

impl UcwaError {
    pub(super) fn answer(url: String, status: u16, headers: &HeaderMap, body: &[u8]) -> Self {
        Self::Answer { url, status, fault: Fault::read(body), wait: retry_after(headers, SystemClock.now()) }
    }

    /// The status of an answer.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Answer { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the application, or the user's whole pool, is gone from where it was: discovery tells where it is now.
    pub(super) fn is_moved(&self) -> bool {
        matches!(self.status(), Some(404 | 410))
    }

    /// Whether the server cannot be reached, as one that was switched off.
    pub(super) fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Self::Transport(
                TransportError::UnknownHost { .. }
                    | TransportError::Unreachable { .. }
                    | TransportError::Tls { .. }
                    | TransportError::Timeout { .. }
            )
        )
    }

    /// Whether the write may have happened all the same: only reading back tells.
    pub(super) fn is_unclear(&self) -> bool {
        match self {
            Self::Transport(error) => error.is_unclear(),
            Self::Answer { status, .. } => matches!(status, 408 | 500 | 502 | 504),
            Self::Malformed(_) => true,
            _ => false,
        }
    }

    /// The failure as the engine knows it; `what` is what was tried ("making a Skype meeting for a@x").
    pub(super) fn into_port(self, what: &str) -> PortError {
        PortError::new(self.kind(), Code::PlatformError, format!("{what}: {self}"))
    }

    fn kind(&self) -> ErrorKind {
        use ErrorKind::{Permanent, Retry, RetryAfter, Unauthorised};
        match self {
            Self::Transport(error) => match error {
                TransportError::Plaintext { .. }
                | TransportError::NotHttp { .. }
                | TransportError::ForeignServer { .. }
                | TransportError::RedirectLoop { .. }
                | TransportError::Setup(_) => Permanent,
                TransportError::Paused { wait, .. } => RetryAfter(*wait),
                _ => Retry,
            },
            Self::Answer { wait: Some(wait), status: 429 | 503, .. } => RetryAfter(*wait),
            Self::Answer { fault, status: 409, .. } if fault.subcode == "TooManyOnlineMeetings" => Permanent,
            Self::Answer { status, .. } => match status {
                401 | 403 => Unauthorised,
                404 | 408 | 409 | 410 | 412 | 429 | 500.. => Retry,
                _ => Permanent,
            },
            Self::Refused { .. } | Self::NoPassword(_) => Unauthorised,
            Self::Malformed(_) | Self::NotDiscovered(_) | Self::KeptChanging(_) => Retry,
            Self::Untrusted { .. }
            | Self::NotByTls { .. }
            | Self::NoPasswordGrant { .. }
            | Self::NotEligible { .. }
            | Self::TooManyShort { .. }
            | Self::ForeignJoinUrl(_)
            | Self::Unknown(_) => Permanent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> UcwaError {
        UcwaError::answer("https://pool/x".to_owned(), status, &HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn each_status_has_its_meaning() {
        for (status, kind) in [
            (400, ErrorKind::Permanent),
            (401, ErrorKind::Unauthorised),
            (403, ErrorKind::Unauthorised),
            (404, ErrorKind::Retry),
            (409, ErrorKind::Retry),
            (410, ErrorKind::Retry),
            (429, ErrorKind::Retry),
            (500, ErrorKind::Retry),
            (503, ErrorKind::Retry),
        ] {
            let error = of(status, "").into_port("making");
            assert_eq!((error.kind, error.code), (kind, Code::PlatformError), "{status}");
            assert!(error.message.contains(&status.to_string()));
        }
        let full = r#"{"code":"Conflict","subcode":"TooManyOnlineMeetings","message":"x"}"#;
        assert_eq!(of(409, full).into_port("making").kind, ErrorKind::Permanent);
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "7".parse().unwrap());
        let busy = UcwaError::answer("https://pool/x".to_owned(), 503, &headers, b"");
        assert_eq!(busy.into_port("making").kind, ErrorKind::RetryAfter(Duration::from_secs(7)));
    }

    #[test]
    fn what_the_server_says_is_quoted_on_one_line_and_cut() {
        let body =
            format!(r#"{{"code":"Gone","subcode":"CannotRedirect","message":"a\r\nb {}"}}"#, "x".repeat(900));
        let said = of(410, &body).to_string();
        assert!(said.starts_with("https://pool/x answered 410 (Gone: CannotRedirect: a b xxx"), "{said}");
        assert!(said.len() < 400 && !said.contains('\n'));
        assert_eq!(of(500, "<html>").to_string(), "https://pool/x answered 500");
        assert_eq!(of(500, "[[[").to_string(), "https://pool/x answered 500");
    }
}
