//! Reading `DAV:multistatus` (RFC 4918 section 13) as it streams in: by namespace, not by prefix,
//! without entities, with bounds on depth and on the length of each text.

use std::io::BufRead;

use quick_xml::NsReader;
use quick_xml::events::{BytesRef, Event};
use quick_xml::name::{Namespace, ResolveResult};

/// Elements nest no deeper than this in any answer that means something.
const MAX_DEPTH: usize = 64;

/// What is not a multistatus.
#[derive(Debug, thiserror::Error)]
pub enum MultistatusError {
    /// Not well-formed, or cut off.
    #[error("the XML is broken: {0}")]
    Malformed(String),
    /// Well-formed, but something else (a login page, an error document).
    #[error("the answer is not a DAV multistatus but <{0}>")]
    OtherRoot(String),
    /// A document type or an entity, which no server needs and which can be made to explode.
    #[error("the XML holds {0}, which is refused")]
    Refused(&'static str),
    /// Nested too deep, or a text too long.
    #[error("the XML is {0}")]
    TooLarge(&'static str),
}

impl From<quick_xml::Error> for MultistatusError {
    fn from(error: quick_xml::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// What a resource is, from `DAV:resourcetype`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResourceType {
    /// A collection.
    pub collection: bool,
    /// A calendar.
    pub calendar: bool,
    /// A scheduling inbox. Not an outbox: SOGo marks people's own calendars as that too.
    pub inbox: bool,
    /// A subscription to a calendar elsewhere, or one that another person shares with the user.
    pub foreign: bool,
    /// A principal.
    pub principal: bool,
}

/// The properties that MMS asks for; those that the server knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Properties {
    /// `DAV:resourcetype`.
    pub resource_type: ResourceType,
    /// `DAV:displayname`.
    pub display_name: Option<String>,
    /// `DAV:getetag`, with its quotes.
    pub etag: Option<String>,
    /// `CALDAV:schedule-tag`, with its quotes.
    pub schedule_tag: Option<String>,
    /// `CALDAV:calendar-data`.
    pub calendar_data: Option<String>,
    /// `DAV:current-user-principal`.
    pub current_user_principal: Option<String>,
    /// `DAV:principal-URL`.
    pub principal_url: Option<String>,
    /// `DAV:owner`.
    pub owner: Option<String>,
    /// `CALDAV:calendar-home-set`.
    pub calendar_homes: Vec<String>,
    /// `CALDAV:calendar-user-address-set`.
    pub addresses: Vec<String>,
    /// `CALDAV:schedule-inbox-URL`.
    pub schedule_inbox: Option<String>,
    /// `CALDAV:schedule-outbox-URL`.
    pub schedule_outbox: Option<String>,
    /// `CALDAV:supported-calendar-component-set`; none where the server does not say.
    pub components: Option<Vec<String>>,
    /// `DAV:current-user-privilege-set` by local names; none where the server does not say.
    pub privileges: Option<Vec<String>>,
}

/// One `DAV:response`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Item {
    /// Its first `DAV:href`.
    pub href: String,
    /// Its own status, where it has one.
    pub status: Option<u16>,
    /// Local name of the precondition in its `DAV:error`.
    pub error: Option<String>,
    /// Properties of the propstats with a success status.
    pub properties: Properties,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vocabulary {
    Dav,
    CalDav,
    Other,
}

#[derive(Debug)]
struct Element {
    vocabulary: Vocabulary,
    name: String,
}

impl Element {
    fn is(&self, vocabulary: Vocabulary, name: &str) -> bool {
        self.vocabulary == vocabulary && self.name == name
    }
}

/// Reads a multistatus and hands each response over as soon as it is complete.
///
/// `max_text` bounds each text, in bytes.
///
/// # Errors
/// At the first thing that is no multistatus; what was handed over before stands.
pub fn read(
    source: impl BufRead,
    max_text: usize,
    mut on_item: impl FnMut(Item),
) -> Result<(), MultistatusError> {
    let mut reader = NsReader::from_reader(source);
    reader.config_mut().expand_empty_elements = true;
    let mut parse = Parse { max_text, ..Parse::default() };
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        let (namespace, event) = reader.read_resolved_event_into(&mut buffer)?;
        match event {
            Event::Start(start) => {
                let vocabulary = match namespace {
                    ResolveResult::Bound(Namespace("DAV:")) => Vocabulary::Dav,
                    ResolveResult::Bound(Namespace("urn:ietf:params:xml:ns:caldav")) => Vocabulary::CalDav,
                    _ => Vocabulary::Other,
                };
                let element = Element { vocabulary, name: start.local_name().as_ref().to_owned() };
                let component = if element.is(Vocabulary::CalDav, "comp") {
                    start
                        .try_get_attribute("name")
                        .map_err(|e| MultistatusError::Malformed(e.to_string()))?
                        .map(|a| a.value.into_owned())
                } else {
                    None
                };
                parse.start(element, component)?;
            }
            Event::End(_) => {
                if let Some(item) = parse.end() {
                    on_item(item);
                }
            }
            Event::Text(text) => parse.text(&text.into_inner())?,
            Event::CData(text) => parse.text(&text.into_inner())?,
            Event::GeneralRef(reference) => parse.reference(&reference)?,
            Event::DocType(_) => return Err(MultistatusError::Refused("a document type")),
            Event::Eof => return parse.finish(),
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
}

#[derive(Debug, Default)]
struct Parse {
    max_text: usize,
    open: Vec<Element>,
    text: String,
    item: Item,
    found: Properties,
    propstat_status: Option<u16>,
    complete: bool,
}

impl Parse {
    fn start(&mut self, element: Element, component: Option<String>) -> Result<(), MultistatusError> {
        if self.open.is_empty() && !element.is(Vocabulary::Dav, "multistatus") {
            return Err(MultistatusError::OtherRoot(element.name.chars().take(60).collect()));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(MultistatusError::TooLarge("nested too deep"));
        }
        self.text.clear();
        match (element.vocabulary, element.name.as_str()) {
            (Vocabulary::Dav, "response") if self.open.len() == 1 => self.item = Item::default(),
            (Vocabulary::Dav, "propstat") => {
                self.found = Properties::default();
                self.propstat_status = None;
            }
            (Vocabulary::CalDav, "supported-calendar-component-set") => {
                self.found.components.get_or_insert_default();
            }
            (Vocabulary::Dav, "current-user-privilege-set") => {
                self.found.privileges.get_or_insert_default();
            }
            _ => self.start_within(&element, component),
        }
        self.open.push(element);
        Ok(())
    }

    /// An element whose very presence below its parent says something.
    fn start_within(&mut self, element: &Element, component: Option<String>) {
        let Some(parent) = self.open.last() else { return };
        if parent.is(Vocabulary::Dav, "resourcetype") {
            let kind = &mut self.found.resource_type;
            match (element.vocabulary, element.name.as_str()) {
                (Vocabulary::Dav, "collection") => kind.collection = true,
                (Vocabulary::Dav, "principal") => kind.principal = true,
                (Vocabulary::CalDav, "calendar") => kind.calendar = true,
                (Vocabulary::CalDav, "schedule-inbox") => kind.inbox = true,
                // "shared" marks what is shared with the user; "shared-owner" what the user shares.
                (_, "subscribed" | "shared" | "deleted-calendar") => kind.foreign = true,
                _ => {}
            }
        } else if parent.is(Vocabulary::Dav, "privilege") {
            self.found.privileges.get_or_insert_default().push(element.name.clone());
        } else if parent.is(Vocabulary::Dav, "error") {
            self.item.error.get_or_insert_with(|| element.name.clone());
        } else if let Some(name) = component
            && parent.is(Vocabulary::CalDav, "supported-calendar-component-set")
        {
            self.found.components.get_or_insert_default().push(name);
        }
    }

    fn text(&mut self, text: &str) -> Result<(), MultistatusError> {
        if self.text.len() + text.len() > self.max_text {
            return Err(MultistatusError::TooLarge("too long in one text"));
        }
        self.text.push_str(text);
        Ok(())
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), MultistatusError> {
        let character = match reference.resolve_char_ref()? {
            Some(character) => character,
            None => match reference.borrow().into_inner().as_ref() {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                _ => return Err(MultistatusError::Refused("an entity")),
            },
        };
        self.text(character.encode_utf8(&mut [0; 4]))
    }

    /// Closes the innermost element; returns the item that it completes.
    fn end(&mut self) -> Option<Item> {
        let element = self.open.pop()?;
        let text = std::mem::take(&mut self.text);
        match (element.vocabulary, element.name.as_str()) {
            (Vocabulary::Dav, "multistatus") => self.complete = true,
            (Vocabulary::Dav, "response") if self.open.len() == 1 => {
                return Some(std::mem::take(&mut self.item));
            }
            (Vocabulary::Dav, "propstat") => {
                let found = std::mem::take(&mut self.found);
                if self.propstat_status.is_none_or(|status| (200..300).contains(&status)) {
                    self.item.properties.absorb(found);
                }
            }
            (Vocabulary::Dav, "status") => self.status(&text),
            (Vocabulary::Dav, "href") => self.href(text.trim()),
            (Vocabulary::Dav, "getetag") => self.found.etag = non_empty(text),
            (Vocabulary::Dav, "displayname") => self.found.display_name = non_empty(text),
            (Vocabulary::CalDav, "schedule-tag") => self.found.schedule_tag = non_empty(text),
            (Vocabulary::CalDav, "calendar-data") => self.found.calendar_data = Some(text),
            _ => {}
        }
        None
    }

    fn status(&mut self, line: &str) {
        let status = line.split_ascii_whitespace().nth(1).and_then(|code| code.parse().ok());
        match self.open.last() {
            Some(parent) if parent.is(Vocabulary::Dav, "propstat") => self.propstat_status = status,
            Some(parent) if parent.is(Vocabulary::Dav, "response") => self.item.status = status,
            _ => {}
        }
    }

    fn href(&mut self, href: &str) {
        let Some(parent) = self.open.last() else { return };
        let href = href.to_owned();
        match (parent.vocabulary, parent.name.as_str()) {
            (Vocabulary::Dav, "response") if self.item.href.is_empty() => self.item.href = href,
            (Vocabulary::Dav, "current-user-principal") => {
                self.found.current_user_principal = non_empty(href);
            }
            (Vocabulary::Dav, "principal-URL") => self.found.principal_url = non_empty(href),
            (Vocabulary::Dav, "owner") => self.found.owner = non_empty(href),
            (Vocabulary::CalDav, "calendar-home-set") => self.found.calendar_homes.extend(non_empty(href)),
            (Vocabulary::CalDav, "calendar-user-address-set") => {
                self.found.addresses.extend(non_empty(href));
            }
            (Vocabulary::CalDav, "schedule-inbox-URL") => self.found.schedule_inbox = non_empty(href),
            (Vocabulary::CalDav, "schedule-outbox-URL") => self.found.schedule_outbox = non_empty(href),
            _ => {}
        }
    }

    fn finish(self) -> Result<(), MultistatusError> {
        if self.complete && self.open.is_empty() {
            Ok(())
        } else {
            Err(MultistatusError::Malformed("it ends before the multistatus does".to_owned()))
        }
    }
}

impl Properties {
    /// Takes over what a further propstat found.
    fn absorb(&mut self, other: Self) {
        let kind = &mut self.resource_type;
        kind.collection |= other.resource_type.collection;
        kind.calendar |= other.resource_type.calendar;
        kind.inbox |= other.resource_type.inbox;
        kind.foreign |= other.resource_type.foreign;
        kind.principal |= other.resource_type.principal;
        fn fill<T>(mine: &mut Option<T>, theirs: Option<T>) {
            if theirs.is_some() {
                *mine = theirs;
            }
        }
        fill(&mut self.display_name, other.display_name);
        fill(&mut self.etag, other.etag);
        fill(&mut self.schedule_tag, other.schedule_tag);
        fill(&mut self.calendar_data, other.calendar_data);
        fill(&mut self.current_user_principal, other.current_user_principal);
        fill(&mut self.principal_url, other.principal_url);
        fill(&mut self.owner, other.owner);
        fill(&mut self.schedule_inbox, other.schedule_inbox);
        fill(&mut self.schedule_outbox, other.schedule_outbox);
        fill(&mut self.components, other.components);
        fill(&mut self.privileges, other.privileges);
        self.calendar_homes.extend(other.calendar_homes);
        self.addresses.extend(other.addresses);
    }
}

fn non_empty(text: String) -> Option<String> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        None
    } else if trimmed.len() == text.len() {
        Some(text)
    } else {
        Some(trimmed.to_owned())
    }
}

/// The precondition that a `DAV:error` body names (RFC 4918 section 16), by its local name.
pub fn precondition(body: &[u8]) -> Option<String> {
    let mut reader = NsReader::from_reader(body);
    reader.config_mut().expand_empty_elements = true;
    let mut buffer = Vec::new();
    let mut inside = false;
    loop {
        buffer.clear();
        match reader.read_resolved_event_into(&mut buffer).ok()? {
            (ResolveResult::Bound(Namespace("DAV:")), Event::Start(start))
                if !inside && start.local_name().as_ref() == "error" =>
            {
                inside = true;
            }
            (_, Event::Start(start)) => {
                return inside.then(|| start.local_name().as_ref().chars().take(80).collect());
            }
            (_, Event::Eof | Event::End(_) | Event::DocType(_)) => return None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn items(xml: &str) -> Result<Vec<Item>, MultistatusError> {
        let mut items = Vec::new();
        read(xml.as_bytes(), 1 << 20, |item| items.push(item)).map(|()| items)
    }

    fn wrap(inner: &str) -> String {
        format!(
            r#"<?xml version="1.0"?><d:multistatus xmlns:d="DAV:" xmlns:cal="urn:ietf:params:xml:ns:caldav">{inner}</d:multistatus>"#
        )
    }

    #[test]
    fn prefixes_do_not_matter() {
        let cyrus = r#"<D:multistatus xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:response><D:href>/a</D:href><D:propstat><D:prop><D:getetag>"1"</D:getetag><C:schedule-tag>"2"</C:schedule-tag></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>"#;
        let radicale = r#"<multistatus xmlns="DAV:" xmlns:X="urn:ietf:params:xml:ns:caldav"><response><href>/a</href><propstat><prop><getetag>"1"</getetag><X:schedule-tag>"2"</X:schedule-tag></prop><status>HTTP/1.1 200 OK</status></propstat></response></multistatus>"#;
        // Xandikos writes the status before the properties.
        let xandikos = r#"<ns0:multistatus xmlns:ns0="DAV:" xmlns:ns1="urn:ietf:params:xml:ns:caldav"><ns0:response><ns0:href>/a</ns0:href><ns0:propstat><ns0:status>HTTP/1.1 200 OK</ns0:status><ns0:prop><ns0:getetag>"1"</ns0:getetag><ns1:schedule-tag>"2"</ns1:schedule-tag></ns0:prop></ns0:propstat></ns0:response></ns0:multistatus>"#;
        let read = items(cyrus).unwrap();
        assert_eq!(read[0].href, "/a");
        assert_eq!(read[0].properties.etag.as_deref(), Some("\"1\""));
        assert_eq!(read[0].properties.schedule_tag.as_deref(), Some("\"2\""));
        assert_eq!(items(radicale).unwrap(), read);
        assert_eq!(items(xandikos).unwrap(), read);
        let foreign = r#"<multistatus xmlns="DAV:"><response><href>/a</href><propstat><prop><getetag xmlns="other">"1"</getetag></prop></propstat></response></multistatus>"#;
        assert_eq!(items(foreign).unwrap()[0].properties.etag, None, "the namespace does");
    }

    #[test]
    fn what_the_server_does_not_know_is_not_taken() {
        let xml = wrap(
            r#"<d:response><d:href>/c/</d:href><d:propstat><d:prop><d:resourcetype><d:collection/><cal:calendar/></d:resourcetype><cal:supported-calendar-component-set><cal:comp name="VTODO"/></cal:supported-calendar-component-set></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat><d:propstat><d:prop><d:current-user-privilege-set/><d:owner/></d:prop><d:status>HTTP/1.1 404 Not Found</d:status></d:propstat></d:response>"#,
        );
        let properties = items(&xml).unwrap().remove(0).properties;
        assert!(properties.resource_type.calendar && properties.resource_type.collection);
        assert_eq!(properties.components.as_deref(), Some(&["VTODO".to_owned()][..]));
        assert_eq!(properties.privileges, None, "404 is not the same as no privilege");
    }

    #[test]
    fn calendar_data_keeps_every_character() {
        let xml = wrap(
            "<d:response><d:href>/a</d:href><d:propstat><d:prop><cal:calendar-data>A&#13;\nB &amp;&lt;<![CDATA[<x>]]>\u{e9}\r\n</cal:calendar-data></d:prop></d:propstat></d:response>",
        );
        let data = items(&xml).unwrap().remove(0).properties.calendar_data.unwrap();
        assert_eq!(data, "A\r\nB &<<x>\u{e9}\r\n");
    }

    #[test]
    fn a_member_may_be_refused_on_its_own() {
        let xml = wrap(
            "<d:response><d:href>/a</d:href><d:status>HTTP/1.1 404 Not Found</d:status><d:error><cal:valid-x/></d:error></d:response>",
        );
        let item = items(&xml).unwrap().remove(0);
        assert_eq!((item.status, item.error.as_deref()), (Some(404), Some("valid-x")));
    }

    #[test]
    fn what_can_explode_is_refused() {
        let doctype = format!("<!DOCTYPE m [<!ENTITY a \"aaaa\">]>{}", wrap("&a;"));
        assert!(matches!(items(&doctype), Err(MultistatusError::Refused(_))));
        assert!(matches!(items(&wrap("&unknown;")), Err(MultistatusError::Refused(_))));
        assert!(matches!(items(&wrap(&"<d:x>".repeat(100_000))), Err(MultistatusError::TooLarge(_))));
        let long = wrap(&format!("<d:x>{}</d:x>", "y".repeat(2 << 20)));
        assert!(matches!(items(&long), Err(MultistatusError::TooLarge(_))));
    }

    #[test]
    fn what_is_torn_or_something_else_is_an_error() {
        let whole = wrap("<d:response><d:href>/a</d:href></d:response>");
        for end in 1..whole.len() {
            assert!(items(&whole[..end]).is_err(), "cut at {end}");
        }
        assert!(
            matches!(items("<html><body/></html>"), Err(MultistatusError::OtherRoot(name)) if name == "html")
        );
        assert!(items("").is_err());
        assert!(items("no XML at all").is_err());
        assert!(read(&b"<d:multistatus xmlns:d=\"DAV:\">\xff\xfe</d:multistatus>"[..], 99, |_| {}).is_err());
    }

    #[test]
    fn preconditions_are_named() {
        let body = br#"<?xml version="1.0"?><error xmlns="DAV:"><x:valid-calendar-data xmlns:x="urn:ietf:params:xml:ns:caldav"/></error>"#;
        assert_eq!(precondition(body).as_deref(), Some("valid-calendar-data"));
        for other in [&b"<html><valid/></html>"[..], b"", b"oops", b"<error xmlns='DAV:'/>"] {
            assert_eq!(precondition(other), None);
        }
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = read(bytes.as_slice(), 100, |_| {});
            precondition(&bytes);
        }

        #[test]
        fn hostile_elements_never_panic(parts in prop::collection::vec(
            prop::sample::select(vec![
                "<d:response>", "</d:response>", "<d:href>", "</d:href>", "/a", "<d:propstat>", "</d:propstat>",
                "<d:prop>", "</d:prop>", "<d:status>", "</d:status>", "HTTP/1.1 200 OK", "<cal:calendar-data>",
                "</cal:calendar-data>", "<![CDATA[", "]]>", "<!--", "-->", "&amp;", "&#0;", "&#x110000;", "<d:privilege>",
                "<d:error>", "</d:error>", "<cal:comp name=", "<cal:comp name='VEVENT'/>", "'", "<?", "?>", "</d:multistatus>",
            ]), 0..40))
        {
            let _ = items(&wrap(&parts.concat()));
        }

        #[test]
        fn what_is_written_is_read(href in "[a-z/%&<>\"' é]{1,40}", data in "[ -~éß\\n]{0,200}") {
            let xml = wrap(&format!(
                "<d:response><d:href>{}</d:href><d:propstat><d:prop><cal:calendar-data>{}</cal:calendar-data></d:prop></d:propstat></d:response>",
                quick_xml::escape::escape(&href), quick_xml::escape::escape(&data)
            ));
            let item = items(&xml).unwrap().remove(0);
            prop_assert_eq!(item.href, href.trim());
            prop_assert_eq!(item.properties.calendar_data.unwrap_or_default(), data);
        }
    }
}
