//! What a failure of the protocol means for the engine.

use mms_model::{Clock, Code, ErrorKind, PortError, SystemClock};
use reqwest::StatusCode;

use super::multistatus::{MultistatusError, precondition};
use crate::transport::{Reply, TransportError, retry_after};

/// The kind and code of a transport failure.
pub(super) fn no_answer(error: TransportError) -> PortError {
    let message = error.to_string();
    let (kind, code) = match error {
        TransportError::Plaintext { .. }
        | TransportError::NotHttp { .. }
        | TransportError::ForeignServer { .. }
        | TransportError::Setup(_) => (ErrorKind::Permanent, Code::CalendarUnreachable),
        TransportError::RedirectLoop { .. } => (ErrorKind::Permanent, Code::CalendarServerError),
        // A private certificate does not become trusted by waiting, but an administrator may mend
        // it within the day over which retries are spread.
        TransportError::UnknownHost { .. }
        | TransportError::Unreachable { .. }
        | TransportError::Tls { .. }
        | TransportError::Timeout { .. }
        | TransportError::Interrupted { .. } => (ErrorKind::Retry, Code::CalendarUnreachable),
        TransportError::BodyTooLarge { .. } => (ErrorKind::Permanent, Code::CalendarServerError),
        TransportError::Paused { wait, .. } => (ErrorKind::RetryAfter(wait), Code::CalendarThrottled),
    };
    PortError::new(kind, code, message)
}

/// What an answer with an error status means; `what` is what was asked ("reading the calendar /x/").
pub(super) fn refused(what: &str, reply: &Reply) -> PortError {
    let status = reply.status;
    let reason = match precondition(&reply.body) {
        Some(precondition) => format!("{status}, {precondition}"),
        None => status.to_string(),
    };
    let message =
        |advice: &str| format!("{what}: {} answered {reason}{advice}", crate::transport::place(&reply.url));
    if let Some(wait) = retry_after(&reply.headers, SystemClock.now())
        && matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
    {
        let asked = format!("; it asks to wait {} seconds", wait.as_secs());
        return PortError::new(ErrorKind::RetryAfter(wait), Code::CalendarThrottled, message(&asked));
    }
    let (kind, code, advice) = match status {
        StatusCode::UNAUTHORIZED => (
            ErrorKind::Unauthorised,
            Code::CalendarAccessDenied,
            ": check the user name and password of the CalDAV connector",
        ),
        // With a precondition the server minds what was written, not who writes.
        StatusCode::FORBIDDEN | StatusCode::CONFLICT if names_content(&reply.body) => (
            ErrorKind::Permanent,
            Code::CalendarServerError,
            ": the server does not take this event as it is",
        ),
        StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => (
            ErrorKind::Unauthorised,
            Code::CalendarAccessDenied,
            ": the account may not do this; grant it the right to read and write the calendar",
        ),
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            (ErrorKind::Gone, Code::CalendarNotFound, ": there is nothing at this address")
        }
        StatusCode::PRECONDITION_FAILED => {
            (ErrorKind::Conflict, Code::EventConflict, ": the event changed since it was read")
        }
        StatusCode::TOO_MANY_REQUESTS => (ErrorKind::Retry, Code::CalendarThrottled, ""),
        StatusCode::LOCKED => (ErrorKind::Retry, Code::CalendarServerError, ": the event is locked"),
        StatusCode::INSUFFICIENT_STORAGE => (
            ErrorKind::Retry,
            Code::StorageFull,
            ": the server has no room left; free space or raise the quota",
        ),
        status if status.is_server_error() => (ErrorKind::Retry, Code::CalendarServerError, ""),
        status if status.is_redirection() => {
            (ErrorKind::Permanent, Code::CalendarServerError, ": configure the URL that it redirects to")
        }
        _ => (ErrorKind::Permanent, Code::CalendarServerError, ": is this a CalDAV URL?"),
    };
    PortError::new(kind, code, message(advice))
}

/// Whether an error body names a precondition on what was sent (RFC 4791 section 5.3.2.1, RFC 6638
/// section 3.2.4), and not one on privileges.
fn names_content(body: &[u8]) -> bool {
    precondition(body).is_some_and(|name| {
        matches!(
            name.as_str(),
            "valid-calendar-data"
                | "valid-calendar-object-resource"
                | "supported-calendar-data"
                | "supported-calendar-component"
                | "no-uid-conflict"
                | "max-resource-size"
                | "min-date-time"
                | "max-date-time"
                | "max-instances"
                | "max-attendees-per-instance"
                | "allowed-organizer-scheduling-object-change"
                | "allowed-attendee-scheduling-object-change"
                | "same-organizer-in-all-components"
                | "unique-scheduling-object-resource"
        )
    })
}

/// An answer that is not the protocol.
pub(super) fn not_the_protocol(what: &str, error: &MultistatusError) -> PortError {
    let (kind, advice) = match error {
        // A torn or garbled answer may come right; another document will not.
        MultistatusError::Malformed(_) => (ErrorKind::Retry, ""),
        MultistatusError::OtherRoot(_) => (ErrorKind::Permanent, "; is this a CalDAV URL?"),
        MultistatusError::Refused(_) | MultistatusError::TooLarge(_) => (ErrorKind::Permanent, ""),
    };
    PortError::new(kind, Code::CalendarServerError, format!("{what}: {error}{advice}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
    use url::Url;

    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            url: Url::parse("https://dav.example.test/c/1.ics?secret=1").unwrap(),
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn each_status_has_its_meaning() {
        let cases = [
            (401, ErrorKind::Unauthorised, Code::CalendarAccessDenied),
            (403, ErrorKind::Unauthorised, Code::CalendarAccessDenied),
            (404, ErrorKind::Gone, Code::CalendarNotFound),
            (410, ErrorKind::Gone, Code::CalendarNotFound),
            (412, ErrorKind::Conflict, Code::EventConflict),
            (423, ErrorKind::Retry, Code::CalendarServerError),
            (429, ErrorKind::Retry, Code::CalendarThrottled),
            (500, ErrorKind::Retry, Code::CalendarServerError),
            (503, ErrorKind::Retry, Code::CalendarServerError),
            (507, ErrorKind::Retry, Code::StorageFull),
            (302, ErrorKind::Permanent, Code::CalendarServerError),
            (400, ErrorKind::Permanent, Code::CalendarServerError),
        ];
        for (status, kind, code) in cases {
            let error = refused("writing", &reply(status, ""));
            assert_eq!((error.kind, error.code), (kind, code), "{status}");
            assert!(error.message.contains(&status.to_string()) && !error.message.contains("secret"));
        }
    }

    #[test]
    fn a_pause_is_told() {
        let mut throttled = reply(503, "");
        throttled.headers.insert(RETRY_AFTER, HeaderValue::from_static("90"));
        assert_eq!(refused("reading", &throttled).kind, ErrorKind::RetryAfter(Duration::from_secs(90)));
    }

    #[test]
    fn a_refused_content_is_no_matter_of_rights() {
        let body = r#"<D:error xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><C:allowed-organizer-scheduling-object-change/></D:error>"#;
        let error = refused("writing", &reply(403, body));
        assert_eq!(error.kind, ErrorKind::Permanent);
        assert!(error.message.contains("allowed-organizer-scheduling-object-change"));
        let body = r#"<error xmlns="DAV:"><need-privileges/></error>"#;
        assert_eq!(refused("writing", &reply(403, body)).kind, ErrorKind::Unauthorised);
    }
}
