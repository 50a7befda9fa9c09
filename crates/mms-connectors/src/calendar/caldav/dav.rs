//! The WebDAV and CalDAV requests that MMS sends.

use std::fmt::Write as _;

use jiff::Timestamp;
use mms_model::PortError;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderName};
use url::Url;

use super::failure::{no_answer, not_the_protocol, refused};
use super::multistatus::{self, Item};
use crate::transport::{Exchange, Reply, Session};

const XML: &str = "application/xml; charset=utf-8";
const DEPTH: HeaderName = HeaderName::from_static("depth");
/// The longest text in a listing, which holds no calendar data: an address, a tag.
const MAX_NAME: usize = 64 << 10;

/// Properties that tell who and where a principal is.
pub(super) const PRINCIPAL: &str = "<D:resourcetype/><D:current-user-principal/><D:principal-URL/><D:owner/>\
    <C:calendar-home-set/><C:calendar-user-address-set/><C:schedule-inbox-URL/><C:schedule-outbox-URL/>";

/// Properties that tell which calendars there are and what may be done with them.
pub(super) const CALENDAR: &str = "<D:resourcetype/><D:displayname/><D:owner/><D:current-user-privilege-set/>\
    <C:supported-calendar-component-set/>";

/// Which events a listing asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    /// Those with an occurrence that ends after the instant (RFC 4791 section 9.9).
    From(Timestamp),
    /// All.
    All,
}

fn exchange(method: &str, url: Url, depth: &str, body: String) -> Exchange {
    // The methods are literals of this file, all of them tokens.
    let method = Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET);
    Exchange::read(method, url).header(CONTENT_TYPE, XML).header(DEPTH, depth).body(body)
}

fn envelope(element: &str, content: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<{element} xmlns:D=\"DAV:\" \
         xmlns:C=\"urn:ietf:params:xml:ns:caldav\">{content}</{element}>"
    )
}

/// PROPFIND with depth 0 or 1. The outer error is that no answer came; the reply's status is not looked
/// at where it is not 207.
pub(super) async fn propfind(
    session: &Session,
    url: Url,
    depth: u8,
    properties: &str,
) -> Result<Propfind, PortError> {
    let what = format!("looking at {}", crate::transport::place(&url));
    let body = envelope("D:propfind", &format!("<D:prop>{properties}</D:prop>"));
    let reply =
        session.exchange(&exchange("PROPFIND", url, &depth.to_string(), body)).await.map_err(no_answer)?;
    if reply.status.as_u16() != 207 {
        return Ok(Propfind::Refused(refused(&what, &reply), reply));
    }
    let mut items = Vec::new();
    multistatus::read(reply.body.as_slice(), MAX_NAME, |item| items.push(item))
        .map_err(|e| not_the_protocol(&what, &e))?;
    Ok(Propfind::Found { at: reply.url, items })
}

/// What a PROPFIND found.
pub(super) enum Propfind {
    /// The answer of a resource that is there.
    Found {
        /// Where, redirects followed.
        at: Url,
        /// The resource itself and, with depth 1, its members.
        items: Vec<Item>,
    },
    /// The server refused, or there is nothing there.
    Refused(PortError, Reply),
}

/// Lists the names of a calendar's events, relative to the calendar where they lie in it. The answer is
/// read as it arrives: a large calendar costs its names, not its XML.
///
/// # Errors
/// [`ListError::Filter`] where another filter may work better.
pub(super) async fn list(
    session: &Session,
    calendar: &Url,
    filter: Filter,
) -> Result<Vec<String>, ListError> {
    let what = format!("listing the events of {}", crate::transport::place(calendar));
    let range = match filter {
        // Without an end Cyrus and DAViCal leave out what lies some years ahead.
        Filter::From(from) => {
            format!("<C:time-range start=\"{}\" end=\"21000101T000000Z\"/>", from.strftime("%Y%m%dT%H%M%SZ"))
        }
        Filter::All => String::new(),
    };
    let body = envelope(
        "C:calendar-query",
        &format!(
            "<D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name=\"VCALENDAR\">\
             <C:comp-filter name=\"VEVENT\">{range}</C:comp-filter></C:comp-filter></C:filter>"
        ),
    );
    let (reply, reader) = session
        .stream(&exchange("REPORT", calendar.clone(), "1", body))
        .await
        .map_err(|e| ListError::Failed(no_answer(e)))?;
    let Some(reader) = reader.filter(|_| reply.status.as_u16() == 207) else {
        let error = refused(&what, &reply);
        return Err(match reply.status.as_u16() {
            400 | 403 | 405 | 409 | 422 | 500 | 501 | 507 if filter != Filter::All => {
                ListError::Filter(error)
            }
            _ => ListError::Failed(error),
        });
    };
    let base = reply.url.clone();
    let parsed = tokio::task::spawn_blocking(move || {
        let mut names = Vec::new();
        multistatus::read(reader, MAX_NAME, |item| {
            // RFC 4791 section 7.8 gives deleted or hidden members a status of their own.
            if item.status.is_none_or(|status| status < 400) && !item.href.is_empty() {
                names.push(relative(&base, item.href));
            }
        })
        .map(|()| names)
    })
    .await
    .map_err(|e| ListError::Failed(PortError::retry(mms_model::Code::CalendarServerError, e.to_string())))?;
    parsed.map_err(|e| ListError::Failed(not_the_protocol(&what, &e)))
}

/// Why a listing failed.
#[derive(Debug)]
pub(super) enum ListError {
    /// The server does not take the filter.
    Filter(PortError),
    /// For good.
    Failed(PortError),
}

/// Shortens an href to the part behind the calendar's path; a mailbox's worth of them is held.
fn relative(base: &Url, href: String) -> String {
    match href.strip_prefix(base.path()) {
        // A name with a colon would be taken for a URL with a scheme.
        Some(name) if !name.is_empty() && !name.contains(':') && !name.starts_with('/') => name.to_owned(),
        _ => href,
    }
}

/// Reads some events with their tags in one request (RFC 4791 section 7.9).
///
/// # Errors
/// Where the request as a whole failed.
pub(super) async fn multiget(
    session: &Session,
    calendar: &Url,
    events: &[Url],
    max_event: usize,
) -> Result<Vec<Item>, MultigetError> {
    let mut content = "<D:prop><D:getetag/><C:schedule-tag/><C:calendar-data/></D:prop>".to_owned();
    for event in events {
        let _ = write!(content, "<D:href>{}</D:href>", quick_xml::escape::escape(event.path()));
    }
    let body = envelope("C:calendar-multiget", &content);
    let reply = session
        .exchange(&exchange("REPORT", calendar.clone(), "1", body))
        .await
        .map_err(MultigetError::NoAnswer)?;
    if reply.status.as_u16() != 207 {
        return Err(MultigetError::Refused(Box::new(reply)));
    }
    let mut items = Vec::with_capacity(events.len());
    multistatus::read(reply.body.as_slice(), max_event, |item| items.push(item)).map_err(|error| {
        tracing::debug!(%error, "a multiget answer cannot be read");
        MultigetError::Unreadable
    })?;
    Ok(items)
}

/// Why a multiget failed.
#[derive(Debug)]
pub(super) enum MultigetError {
    /// No complete answer.
    NoAnswer(crate::transport::TransportError),
    /// An error status.
    Refused(Box<Reply>),
    /// Not a multistatus; one event with broken bytes is enough.
    Unreadable,
}

/// What a server says of itself.
#[derive(Debug, Clone, Default)]
pub(super) struct ServerAnswer {
    /// Compliance classes of the `DAV` header (RFC 4918 section 10.1), in lower case.
    pub classes: Vec<String>,
    /// Whether it is DAViCal, which puts its version into every answer.
    pub is_davical: bool,
}

/// Asks a server what it is.
///
/// # Errors
/// Where no answer came; one that refuses OPTIONS says nothing of itself.
pub(super) async fn options(session: &Session, url: Url) -> Result<ServerAnswer, PortError> {
    let reply = session.exchange(&Exchange::read(Method::OPTIONS, url)).await.map_err(no_answer)?;
    let is_davical = reply.headers.contains_key("x-davical-version")
        || reply.header("server").is_some_and(|server| server.contains("DAViCal"));
    if !reply.status.is_success() {
        return Ok(ServerAnswer { classes: Vec::new(), is_davical });
    }
    let classes = reply
        .headers
        .get_all("dav")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|class| class.trim().to_ascii_lowercase())
        .filter(|class| !class.is_empty())
        .collect();
    Ok(ServerAnswer { classes, is_davical })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shortened_only_where_they_resolve_to_the_same() {
        let base = Url::parse("https://d/cal/alice/work/").unwrap();
        for href in
            ["/cal/alice/work/1.ics", "/cal/alice/work/a:b.ics", "/other/1.ics", "https://d/cal/alice/work/x"]
        {
            let short = relative(&base, href.to_owned());
            assert_eq!(base.join(&short).unwrap(), base.join(href).unwrap(), "{href} became {short}");
        }
        assert_eq!(relative(&base, "/cal/alice/work/1.ics".into()), "1.ics");
    }
}
