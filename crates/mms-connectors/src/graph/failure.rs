//! What a failure of Graph means for the engine.

use std::time::Duration;

use mms_model::{Clock as _, Code, ErrorKind, PortError, SystemClock};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::transport::{TokenError, TransportError, retry_after};

/// The longest text of the server that a message quotes.
const QUOTED: usize = 300;
/// How deep inner errors are followed.
const DEPTH: usize = 8;

/// What Graph says of an error: `{"error":{"code","message","innerError"}}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fault {
    /// `code` and the codes of the inner errors, the outermost first.
    pub codes: Vec<String>,
    /// `message`, cut short. Shown, never branched on.
    pub message: String,
}

impl Fault {
    /// Reads an error body; anything else says nothing.
    pub fn read(body: &Value) -> Self {
        let Some(mut error) = body.get("error") else { return Self::default() };
        let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
        let message: String = message.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut fault = Self { codes: Vec::new(), message: message.chars().take(QUOTED).collect() };
        for _ in 0..DEPTH {
            let code = error.get("code").and_then(Value::as_str).filter(|code| !code.is_empty());
            fault.codes.extend(code.map(|code| code.chars().take(80).collect()));
            // Both spellings occur.
            match error.get("innerError").or_else(|| error.get("innererror")) {
                Some(inner) => error = inner,
                None => break,
            }
        }
        fault
    }

    /// Whether some code is this one.
    pub fn is(&self, code: &str) -> bool {
        self.codes.iter().any(|c| c.eq_ignore_ascii_case(code))
    }

    fn said(&self) -> String {
        match (self.codes.as_slice(), self.message.as_str()) {
            ([], "") => String::new(),
            ([], message) => format!(" ({message})"),
            (codes, "") => format!(" ({})", codes.join(", ")),
            (codes, message) => format!(" ({}: {message})", codes.join(", ")),
        }
    }
}

/// Why a request to Graph brought nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum GraphError {
    /// No complete answer came.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// No token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// An answer with an error status.
    #[error("Graph answered {status}{said}", said = .fault.said())]
    Answer {
        /// HTTP status.
        status: u16,
        /// What it says.
        fault: Fault,
        /// How long it asks to wait.
        wait: Option<Duration>,
    },
    /// An answer that is not the protocol.
    #[error("Graph answered what cannot be read: {0}")]
    Malformed(String),
}

/// For whom a failure is: the codes differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// A calendar.
    Calendar,
    /// A meeting platform.
    Platform,
    /// The directory of users.
    Directory,
}

impl GraphError {
    pub(crate) fn answer(status: u16, headers: &HeaderMap, body: &Value) -> Self {
        // None at all, as of a date that has passed, is no answer to how long.
        let wait = retry_after(headers, SystemClock.now()).filter(|wait| !wait.is_zero());
        Self::Answer { status, fault: Fault::read(body), wait }
    }

    /// Whether the write may have happened all the same: only reading back tells.
    pub fn is_unclear(&self) -> bool {
        match self {
            Self::Transport(error) => error.is_unclear(),
            Self::Answer { status, .. } => matches!(status, 500 | 502 | 504 | 408),
            Self::Malformed(_) => true,
            Self::Token(_) => false,
        }
    }

    /// How long the server asks to wait.
    pub fn wait(&self) -> Option<Duration> {
        match self {
            Self::Answer { wait, .. } => *wait,
            _ => None,
        }
    }

    /// The status of an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Answer { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// What the engine is to do; `what` is what was asked ("reading the calendar of a@b").
    pub fn into_port(self, side: Side, what: &str) -> PortError {
        let message = format!("{what}: {self}");
        let (kind, code, advice) = match &self {
            Self::Transport(error) => (transport_kind(error), side.unreachable(), String::new()),
            Self::Token(error) if error.is_passing() => (ErrorKind::Retry, side.unreachable(), String::new()),
            Self::Token(_) => (ErrorKind::Unauthorised, side.denied(), String::new()),
            Self::Malformed(_) => (ErrorKind::Retry, side.failed(), String::new()),
            Self::Answer { status, fault, wait } => side.answered(*status, fault, *wait),
        };
        PortError::new(kind, code, format!("{message}{advice}"))
    }
}

fn transport_kind(error: &TransportError) -> ErrorKind {
    match error {
        TransportError::Plaintext { .. }
        | TransportError::NotHttp { .. }
        | TransportError::ForeignServer { .. }
        | TransportError::RedirectLoop { .. }
        | TransportError::BodyTooLarge { .. }
        | TransportError::Setup(_) => ErrorKind::Permanent,
        TransportError::Paused { wait, .. } => ErrorKind::RetryAfter(*wait),
        _ => ErrorKind::Retry,
    }
}

impl Side {
    fn unreachable(self) -> Code {
        match self {
            Self::Calendar => Code::CalendarUnreachable,
            Self::Platform => Code::PlatformError,
            Self::Directory => Code::DirectoryError,
        }
    }

    fn denied(self) -> Code {
        match self {
            Self::Calendar => Code::CalendarAccessDenied,
            Self::Platform => Code::PlatformError,
            Self::Directory => Code::DirectoryError,
        }
    }

    fn failed(self) -> Code {
        match self {
            Self::Calendar => Code::CalendarServerError,
            Self::Platform => Code::PlatformError,
            Self::Directory => Code::DirectoryError,
        }
    }

    fn answered(self, status: u16, fault: &Fault, wait: Option<Duration>) -> (ErrorKind, Code, String) {
        let (kind, code, advice) = match status {
            429 | 503 | 509 => {
                let kind = wait.map_or(ErrorKind::Retry, ErrorKind::RetryAfter);
                let code = if self == Self::Calendar { Code::CalendarThrottled } else { self.failed() };
                return (kind, code, wait.map_or_else(String::new, waiting));
            }
            // The mailbox is on-premises, or has no licence: Graph has no calendar of it.
            _ if fault.is("MailboxNotEnabledForRESTAPI") || fault.is("MailboxNotSupportedForRESTAPI") => (
                ErrorKind::Permanent,
                Code::CalendarNotFound,
                ": the mailbox is not in Exchange Online; serve this user by a calendar of kind \"ews\"",
            ),
            401 => (
                ErrorKind::Unauthorised,
                self.denied(),
                ": check the application's permissions and that an administrator consented to them",
            ),
            403 => (ErrorKind::Unauthorised, self.denied(), self.permission()),
            404 | 410 if self == Self::Calendar => (
                ErrorKind::Gone,
                Code::CalendarNotFound,
                match fault.is("ErrorInvalidUser") || fault.is("Request_ResourceNotFound") {
                    true => {
                        ": check the user's place in the directory: it is the UPN or the object ID of a user of this tenant"
                    }
                    false => "",
                },
            ),
            404 | 410 => (ErrorKind::Gone, self.failed(), ""),
            409 | 412 => (ErrorKind::Conflict, Code::EventConflict, ""),
            408 | 423 | 500.. => (ErrorKind::Retry, self.failed(), ""),
            _ => (ErrorKind::Permanent, self.failed(), ""),
        };
        (kind, code, advice.to_owned())
    }

    fn permission(self) -> &'static str {
        match self {
            Self::Calendar => {
                ": the application needs the permission Calendars.ReadWrite, for this mailbox too where access is scoped (docs/graph.md)"
            }
            Self::Directory => ": the application needs the permission User.Read.All (docs/directory.md)",
            Self::Platform => {
                ": the application needs the permissions OnlineMeetings.ReadWrite.All and User.Read.All (docs/teams.md)"
            }
        }
    }
}

fn waiting(wait: Duration) -> String {
    format!("; it asks to wait {} seconds", wait.as_secs())
}

/// The headers of a sub-response as of a response.
pub(super) fn header_map(headers: Option<&Value>) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers.and_then(Value::as_object).into_iter().flatten() {
        // Retry-After is written as a number, too.
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(text)) {
            map.insert(name, value);
        }
    }
    map
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(status: u16, body: &Value) -> PortError {
        GraphError::answer(status, &HeaderMap::new(), body).into_port(Side::Calendar, "reading")
    }

    #[test]
    fn codes_are_read_in_both_spellings_and_at_every_depth() {
        let body = json!({"error": {"code": "a", "message": "x\r\n y", "innerError":
            {"code": "b", "innererror": {"code": "MailboxNotEnabledForRESTAPI", "request-id": "1"}}}});
        let fault = Fault::read(&body);
        assert_eq!(fault.codes, ["a", "b", "MailboxNotEnabledForRESTAPI"]);
        assert_eq!(fault.message, "x y");
        assert_eq!(of(404, &body).code, Code::CalendarNotFound);
        assert_eq!(Fault::read(&json!("nonsense")), Fault::default());
        let mut deep = json!({"code": "x"});
        for _ in 0..100 {
            deep = json!({"code": "x", "innerError": deep});
        }
        assert_eq!(Fault::read(&json!({"error": deep})).codes.len(), DEPTH);
    }

    #[test]
    fn each_status_has_its_meaning() {
        let none = json!({});
        for (status, kind, code) in [
            (400, ErrorKind::Permanent, Code::CalendarServerError),
            (401, ErrorKind::Unauthorised, Code::CalendarAccessDenied),
            (403, ErrorKind::Unauthorised, Code::CalendarAccessDenied),
            (404, ErrorKind::Gone, Code::CalendarNotFound),
            (409, ErrorKind::Conflict, Code::EventConflict),
            (412, ErrorKind::Conflict, Code::EventConflict),
            (429, ErrorKind::Retry, Code::CalendarThrottled),
            (500, ErrorKind::Retry, Code::CalendarServerError),
            (504, ErrorKind::Retry, Code::CalendarServerError),
        ] {
            let error = of(status, &none);
            assert_eq!((error.kind, error.code), (kind, code), "{status}");
            assert!(error.message.contains(&status.to_string()));
        }
    }

    #[test]
    fn a_wait_is_told_however_the_header_is_written() {
        for headers in [json!({"Retry-After": 7}), json!({"retry-after": "7"})] {
            let error = GraphError::answer(429, &header_map(Some(&headers)), &json!({}));
            let error = error.into_port(Side::Platform, "making");
            assert_eq!(error.kind, ErrorKind::RetryAfter(Duration::from_secs(7)));
            assert_eq!(error.code, Code::PlatformError);
        }
    }
}
