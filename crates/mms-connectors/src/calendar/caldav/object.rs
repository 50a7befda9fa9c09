//! One calendar object resource: reading it and writing it on condition.

use std::time::Duration;

use mms_model::{Code, ErrorKind, PortError};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderName, IF_MATCH};
use reqwest::{Method, StatusCode};
use url::Url;

use super::failure::{no_answer, refused};
use super::version::{Condition, Tags};
use crate::transport::{Exchange, Reply, Session, TransportError, place};

const IF_SCHEDULE_TAG_MATCH: HeaderName = HeaderName::from_static("if-schedule-tag-match");

/// How long a locked event is waited for, try after try, in milliseconds.
const LOCKED_PAUSES: [u64; 7] = [20, 40, 80, 160, 320, 640, 1280];

/// An event as the server holds it.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    /// Where.
    pub url: Url,
    /// Its tags.
    pub tags: Tags,
    /// Its iCalendar text.
    pub content: Vec<u8>,
}

/// Reads an event; `None` where it is gone.
pub(super) async fn get(session: &Session, url: &Url) -> Result<Option<Stored>, PortError> {
    // Uncompressed: servers that compress mark the ETag ("…-gzip"), and then no write matches it.
    let request = Exchange::read(Method::GET, url.clone()).header(ACCEPT_ENCODING, "identity");
    let reply = session.exchange(&request).await.map_err(|e| match e {
        TransportError::BodyTooLarge { .. } => PortError::permanent(Code::UnreadableEvent, e.to_string()),
        other => no_answer(other),
    })?;
    match reply.status.as_u16() {
        404 | 410 => Ok(None),
        200 => {
            let tags = tags_of(&reply);
            Ok(Some(Stored { url: url.clone(), tags, content: with_crlf(reply.body) }))
        }
        _ => Err(refused(&format!("reading the event {}", place(url)), &reply)),
    }
}

/// How a conditional write went.
#[derive(Debug)]
pub(super) enum Put {
    /// The server took it; its tags where it says them.
    Taken(Tags),
    /// The connection broke or nothing came back: it may have been taken or not.
    Unknown(TransportError),
}

/// Writes an event on condition that it is still the one that was read; `fresh` on a connection of its own.
///
/// # Errors
/// `Conflict` where it is not, `Gone` where it is no longer there, and what the server refuses.
pub(super) async fn put(
    session: &Session,
    url: &Url,
    condition: &Condition,
    content: Vec<u8>,
    fresh: bool,
) -> Result<Put, PortError> {
    let (name, value) = match condition {
        Condition::ETag(tag) => (IF_MATCH, tag),
        Condition::ScheduleTag(tag) => (IF_SCHEDULE_TAG_MATCH, tag),
    };
    let mut request = Exchange::read(Method::PUT, url.clone())
        .header(CONTENT_TYPE, "text/calendar; charset=utf-8")
        .header(name.clone(), value)
        .body(content);
    request.repeatable = false;
    request.fresh = fresh;
    // A tag that no header can hold would leave the write without its condition.
    if !request.headers.iter().any(|(header, _)| *header == name) {
        return Err(PortError::permanent(
            Code::CalendarServerError,
            format!("{} has a version tag that cannot be sent back; it is not written", place(url)),
        ));
    }
    let reply = match unlocked(session, &request).await {
        Ok(reply) => reply,
        Err(e @ (TransportError::Timeout { .. } | TransportError::Interrupted { .. })) => {
            return Ok(Put::Unknown(e));
        }
        // The server has spoken; only its words were too many.
        Err(e @ TransportError::BodyTooLarge { .. }) => return Ok(Put::Unknown(e)),
        Err(e) => return Err(no_answer(e)),
    };
    if reply.status.is_success() {
        return Ok(Put::Taken(tags_of(&reply)));
    }
    let what = format!("writing the event {}", place(url));
    let error = refused(&what, &reply);
    Err(match error.kind {
        ErrorKind::Gone => PortError::new(ErrorKind::Gone, Code::EventGone, error.message),
        _ => error,
    })
}

/// The answer to a write, sent again while the server answers that somebody else has it locked. Xandikos locks
/// a whole calendar for each write (423), so that our own concurrent writes lock each other out for moments.
async fn unlocked(session: &Session, request: &Exchange) -> Result<Reply, TransportError> {
    let mut pauses = LOCKED_PAUSES.into_iter();
    loop {
        let reply = session.exchange(request).await?;
        match pauses.next() {
            Some(pause) if reply.status == StatusCode::LOCKED => {
                // Unequal pauses, so that those who wait do not come back all at once.
                tokio::time::sleep(Duration::from_millis(fastrand::u64(pause / 2..pause * 2))).await;
            }
            _ => return Ok(reply),
        }
    }
}

fn tags_of(reply: &Reply) -> Tags {
    Tags {
        etag: reply.header("etag").map(str::to_owned),
        schedule_tag: reply.header("schedule-tag").map(str::to_owned),
    }
}

/// Gives text its line ends back: XML may turn CR LF into LF (XML 1.0 section 2.11), while iCalendar is
/// CR LF (RFC 5545 section 3.1). Text that holds a CR is left as it is.
pub(super) fn with_crlf(text: Vec<u8>) -> Vec<u8> {
    if text.contains(&b'\r') {
        return text;
    }
    let mut out = Vec::with_capacity(text.len() + text.len() / 40);
    for byte in text {
        if byte == b'\n' {
            out.push(b'\r');
        }
        out.push(byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_lost_in_xml_come_back() {
        assert_eq!(with_crlf(b"A\nB\n".to_vec()), b"A\r\nB\r\n");
        assert_eq!(with_crlf(b"A\r\nB\n".to_vec()), b"A\r\nB\n", "what the server holds is kept");
        assert_eq!(with_crlf(Vec::new()), b"");
    }
}
