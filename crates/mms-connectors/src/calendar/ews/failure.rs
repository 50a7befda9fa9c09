//! What Exchange says when it does not do what it was asked, and what it means for the engine.

use std::time::Duration;

use mms_model::{Code, ErrorKind, PortError};

use super::xml::{Element, XmlError};
use crate::transport::{SignInError, TokenError, TransportError};

/// The wait that a busy server is granted where it does not say how long.
const DEFAULT_BACK_OFF: Duration = Duration::from_secs(60);

/// Why a request, or one item of it, came to nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum EwsError {
    /// No answer.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// No token to sign in with.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// No connection that is signed in.
    #[error(transparent)]
    SignIn(SignInError),
    /// An answer that is no SOAP, with its status.
    #[error("the server answered {status}{detail}")]
    Status {
        status: u16,
        /// What helps, with a colon in front.
        detail: String,
    },
    /// An answer that is not what the protocol says.
    #[error("the server's answer cannot be read: {0}")]
    Malformed(String),
    /// A SOAP fault, or the response message of one item.
    #[error("{code}: {text}")]
    Refused {
        /// `ResponseCode`.
        code: String,
        /// `MessageText`, in the server's words.
        text: String,
        /// `BackOffMilliseconds`.
        wait: Option<Duration>,
    },
}

impl From<XmlError> for EwsError {
    fn from(error: XmlError) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl From<SignInError> for EwsError {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Transport(error) => Self::Transport(error),
            error => Self::SignIn(error),
        }
    }
}

impl EwsError {
    /// Reads the code out of a response message or a fault's detail.
    pub(super) fn refused(element: &Element) -> Self {
        let code = element.find("ResponseCode").map(|code| code.text.trim()).filter(|code| !code.is_empty());
        let text = ["MessageText", "Message", "faultstring"]
            .iter()
            .find_map(|name| element.find(name))
            .map_or("", |text| text.text.trim());
        let wait = element.find("MessageXml").and_then(|xml| {
            let mut values =
                xml.all("Value").filter(|value| value.attribute("Name") == Some("BackOffMilliseconds"));
            let wait = values.next()?.text.trim().parse().ok().map(Duration::from_millis);
            // None at all is no answer to how long.
            wait.filter(|wait| !wait.is_zero())
        });
        Self::Refused { code: code.unwrap_or("ErrorUnknown").to_owned(), text: text.to_owned(), wait }
    }

    /// The response code, where there is one.
    pub(super) fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }

    /// How long a busy server wants to be left alone.
    pub(super) fn busy(&self) -> Option<Duration> {
        match self {
            Self::Refused { code, wait, .. } if is_busy(code) => Some(wait.unwrap_or(DEFAULT_BACK_OFF)),
            Self::Status { status: 429 | 503, .. } => Some(DEFAULT_BACK_OFF),
            _ => None,
        }
    }

    /// Whether a write may have been taken although this came of it.
    pub(super) fn is_unclear(&self) -> bool {
        match self {
            Self::Transport(error) => error.is_unclear(),
            // A server that does not prove itself has been sent the request all the same.
            Self::Malformed(_) | Self::SignIn(SignInError::Unusable { .. }) => true,
            Self::Status { status, .. } => *status >= 500 && *status != 503,
            Self::Token(_) | Self::SignIn(_) | Self::Refused { .. } => false,
        }
    }

    /// The failure as the engine knows it; `what` is what was tried ("reading the calendar of a@x").
    pub(super) fn into_port(self, what: &str) -> PortError {
        let (kind, code, advice) = self.meaning();
        let advice = match (self.busy(), advice) {
            (Some(wait), _) => format!("; it goes on after {} seconds", wait.as_secs().max(1)),
            (None, "") => String::new(),
            (None, advice) => format!(": {advice}"),
        };
        PortError::new(kind, code, format!("{what}: {self}{advice}"))
    }

    fn meaning(&self) -> (ErrorKind, Code, &'static str) {
        use ErrorKind::{Conflict, Gone, Permanent, Retry, RetryAfter, Unauthorised};
        if let Some(wait) = self.busy() {
            return (RetryAfter(wait), Code::CalendarThrottled, "");
        }
        match self {
            Self::Transport(error)
            | Self::SignIn(SignInError::Transport(error) | SignInError::Unsent(error)) => {
                let (kind, code) = unanswered(error);
                (kind, code, "")
            }
            Self::SignIn(SignInError::Unusable { .. }) => (Retry, Code::CalendarServerError, ""),
            Self::SignIn(SignInError::NoController { .. }) => (Retry, Code::CalendarUnreachable, ""),
            Self::SignIn(_) => (Unauthorised, Code::CalendarAccessDenied, ""),
            Self::Token(error) if error.is_passing() => (Retry, Code::CalendarUnreachable, ""),
            Self::Token(_) => (Unauthorised, Code::CalendarAccessDenied, ""),
            Self::Status { status: 401 | 403, .. } => (Unauthorised, Code::CalendarAccessDenied, ""),
            Self::Status { status, .. } if *status >= 500 => (Retry, Code::CalendarServerError, ""),
            Self::Status { .. } => (Permanent, Code::CalendarServerError, ""),
            Self::Malformed(_) => {
                (Retry, Code::CalendarServerError, "see whether url leads to Exchange itself")
            }
            Self::Refused { code, .. } => match code.as_str() {
                "ErrorTimeoutExpired"
                | "ErrorMailboxStoreUnavailable"
                | "ErrorInternalServerTransientError"
                | "ErrorInternalServerError"
                | "ErrorMailboxMoveInProgress"
                | "ErrorMailboxFailover"
                | "ErrorADUnavailable"
                | "ErrorConnectionFailed" => (Retry, Code::CalendarServerError, ""),
                "ErrorIrresolvableConflict"
                | "ErrorStaleObject"
                | "ErrorChangeKeyRequiredForWriteOperations" => {
                    (Conflict, Code::EventConflict, "the event changed since it was read")
                }
                "ErrorItemNotFound" | "ErrorCalendarOccurrenceIsDeletedFromRecurrence" => {
                    (Gone, Code::EventGone, "")
                }
                "ErrorNonExistentMailbox"
                | "ErrorMissingEmailAddress"
                | "ErrorNoRespondingCASInDestinationSite" => (
                    Permanent,
                    Code::CalendarNotFound,
                    "check the user's place in the directory: it is the primary address of a mailbox on this Exchange",
                ),
                "ErrorFolderNotFound" => (Gone, Code::CalendarNotFound, ""),
                "ErrorImpersonateUserDenied" | "ErrorImpersonationDenied" | "ErrorImpersonationFailed" => (
                    Unauthorised,
                    Code::CalendarAccessDenied,
                    "let the account act for users: New-ManagementRoleAssignment -Name MMS -Role ApplicationImpersonation -User ACCOUNT",
                ),
                "ErrorAccessDenied" | "ErrorAccountDisabled" | "ErrorMailboxLogonDenied" => (
                    Unauthorised,
                    Code::CalendarAccessDenied,
                    "see whether the account may act for this user, and whether the mailbox is enabled for EWS (Get-CASMailbox)",
                ),
                "ErrorQuotaExceeded" => (Retry, Code::StorageFull, "the mailbox is full"),
                "ErrorSendAsDenied" => (Permanent, Code::UpdateNotDelivered, ""),
                "ErrorInvalidServerVersion" | "ErrorIncorrectSchemaVersion" | "ErrorSchemaValidation" => (
                    Permanent,
                    Code::CalendarServerError,
                    "set server_version to the version of the server (Exchange2013_SP1, Exchange2016)",
                ),
                _ => (Permanent, Code::CalendarServerError, ""),
            },
        }
    }
}

/// What it means that no answer came.
fn unanswered(error: &TransportError) -> (ErrorKind, Code) {
    match error {
        TransportError::Plaintext { .. }
        | TransportError::NotHttp { .. }
        | TransportError::ForeignServer { .. }
        | TransportError::Setup(_) => (ErrorKind::Permanent, Code::CalendarUnreachable),
        TransportError::RedirectLoop { .. } => (ErrorKind::Permanent, Code::CalendarServerError),
        TransportError::BodyTooLarge { .. } => (ErrorKind::Permanent, Code::UnreadableEvent),
        TransportError::Paused { wait, .. } => (ErrorKind::RetryAfter(*wait), Code::CalendarThrottled),
        _ => (ErrorKind::Retry, Code::CalendarUnreachable),
    }
}

fn is_busy(code: &str) -> bool {
    matches!(
        code,
        "ErrorServerBusy"
            | "ErrorExceededConnectionCount"
            | "ErrorExceededFindCountLimit"
            | "ErrorTooManyObjectsOpened"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &str, more: &str) -> EwsError {
        let xml = format!(
            "<m:R><m:MessageText>words</m:MessageText><m:ResponseCode>{code}</m:ResponseCode>{more}</m:R>"
        );
        EwsError::refused(&Element::parse(xml.as_bytes()).unwrap())
    }

    #[test]
    fn a_busy_server_is_left_alone_as_long_as_it_says() {
        let busy = refused(
            "ErrorServerBusy",
            "<m:MessageXml><t:Value Name=\"BackOffMilliseconds\">297749</t:Value></m:MessageXml>",
        );
        assert_eq!(busy.busy(), Some(Duration::from_millis(297_749)));
        let port = busy.into_port("reading");
        assert!(port.message.ends_with("; it goes on after 297 seconds"), "{}", port.message);
        assert_eq!(
            (port.kind, port.code),
            (ErrorKind::RetryAfter(Duration::from_millis(297_749)), Code::CalendarThrottled)
        );
        assert_eq!(refused("ErrorServerBusy", "").busy(), Some(DEFAULT_BACK_OFF));
        let none = "<m:MessageXml><t:Value Name=\"BackOffMilliseconds\">0</t:Value></m:MessageXml>";
        assert_eq!(refused("ErrorServerBusy", none).busy(), Some(DEFAULT_BACK_OFF));
    }

    #[test]
    fn each_code_has_its_meaning() {
        for (code, kind, ours) in [
            ("ErrorIrresolvableConflict", ErrorKind::Conflict, Code::EventConflict),
            ("ErrorItemNotFound", ErrorKind::Gone, Code::EventGone),
            ("ErrorMailboxStoreUnavailable", ErrorKind::Retry, Code::CalendarServerError),
            ("ErrorNonExistentMailbox", ErrorKind::Permanent, Code::CalendarNotFound),
            ("ErrorOfTomorrow", ErrorKind::Permanent, Code::CalendarServerError),
        ] {
            let error = refused(code, "").into_port("reading");
            assert_eq!((error.kind, error.code), (kind, ours), "{code}");
            assert!(error.message.contains(code) && error.message.contains("words"), "{}", error.message);
        }
        let denied = refused("ErrorImpersonateUserDenied", "").into_port("opening");
        assert!(denied.message.contains("New-ManagementRoleAssignment"), "{}", denied.message);
    }

    #[test]
    fn a_write_without_an_answer_is_unclear() {
        assert!(EwsError::Malformed("cut off".to_owned()).is_unclear());
        assert!(EwsError::Status { status: 502, detail: String::new() }.is_unclear());
        assert!(!EwsError::Status { status: 401, detail: String::new() }.is_unclear());
        assert!(!refused("ErrorServerBusy", "").is_unclear());
        let interrupted = || TransportError::Interrupted { url: String::new(), detail: String::new() };
        assert!(EwsError::from(SignInError::Transport(interrupted())).is_unclear());
        assert!(!EwsError::from(SignInError::Unsent(interrupted())).is_unclear());
        let unusable = SignInError::Unusable { url: String::new(), detail: String::new() };
        assert!(EwsError::from(unusable).is_unclear());
    }
}
