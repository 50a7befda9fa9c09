//! XML as Exchange writes it, read into a tree of local names, and written.
//!
//! Names are compared without their namespace: answers differ in prefixes, and some programs between client and server
//! write the namespaces as the samples in the documents have them, with `https:`. A page of items is in memory at a
//! time, never a mailbox.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

/// Elements nest no deeper than this in any answer that means something.
const MAX_DEPTH: usize = 64;
/// Elements in one answer, which take some tens of megabytes. A listing of a thousand entries has some ten thousand, and
/// five hundred items with a hundred attendees each have four hundred thousand; more come in smaller parts.
const MAX_ELEMENTS: usize = 500_000;

/// What is no XML that is read here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum XmlError {
    /// Not well-formed, or cut off.
    #[error("the XML is broken: {0}")]
    Malformed(String),
    /// A document type or an entity of its own, which Exchange never sends and which can be made to explode.
    #[error("the XML holds {0}, which is refused")]
    Refused(&'static str),
    /// Nested too deep, or too many elements.
    #[error("the XML is {0}")]
    TooLarge(&'static str),
}

/// An element.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Element {
    /// Its local name.
    pub name: Cow<'static, str>,
    /// Its text, that of its children left out.
    pub text: String,
    pub children: Vec<Element>,
    attributes: Vec<(Cow<'static, str>, String)>,
}

/// The names of which an answer with many items is full: they need no memory of their own. In the order of their lengths.
const NAMES: [&str; 45] = [
    "Id",
    "End",
    "UID",
    "Body",
    "Name",
    "Count",
    "Items",
    "Start",
    "Value",
    "ItemId",
    "Mailbox",
    "Subject",
    "Version",
    "Attendee",
    "BodyType",
    "Location",
    "TimeZone",
    "ChangeKey",
    "ItemClass",
    "Organizer",
    "PropertyId",
    "IsCancelled",
    "MailboxType",
    "RoutingType",
    "Sensitivity",
    "CalendarItem",
    "EmailAddress",
    "PropertyName",
    "PropertyType",
    "ResponseCode",
    "ResponseType",
    "IsAllDayEvent",
    "PropertySetId",
    "ResponseClass",
    "MyResponseType",
    "ConflictResults",
    "CalendarItemType",
    "ExtendedFieldURI",
    "ExtendedProperty",
    "LastModifiedTime",
    "RequiredAttendees",
    "JoinOnlineMeetingUrl",
    "GetItemResponseMessage",
    "UpdateItemResponseMessage",
    "DistinguishedPropertySetId",
];

fn known(name: &str) -> Cow<'static, str> {
    // By length first: few of the names have to be compared then.
    match NAMES.binary_search_by_key(&(name.len(), name), |known| (known.len(), known)) {
        Ok(place) => {
            NAMES.get(place).map_or_else(|| Cow::Owned(name.to_owned()), |name| Cow::Borrowed(*name))
        }
        Err(_) => Cow::Owned(name.to_owned()),
    }
}

impl Element {
    /// Reads a document; returns its root.
    ///
    /// # Errors
    /// [`XmlError`].
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, XmlError> {
        let text = std::str::from_utf8(bytes).map_err(|e| XmlError::Malformed(e.to_string()))?;
        let mut reader = Reader::from_str(text);
        let mut open: Vec<Self> = Vec::new();
        let mut elements = 0;
        loop {
            let event = reader.read_event().map_err(|e| XmlError::Malformed(e.to_string()))?;
            let closed = match event {
                Event::Start(start) => {
                    if open.len() >= MAX_DEPTH {
                        return Err(XmlError::TooLarge("nested too deep"));
                    }
                    elements += 1;
                    open.push(Self::begin(&start)?);
                    None
                }
                Event::Empty(start) => {
                    elements += 1;
                    Some(Self::begin(&start)?)
                }
                Event::End(_) => open.pop(),
                Event::Text(text) => {
                    append(&mut open, &text.into_inner());
                    None
                }
                Event::CData(text) => {
                    append(&mut open, &text.into_inner());
                    None
                }
                Event::GeneralRef(reference) => {
                    append(&mut open, character(&reference)?.encode_utf8(&mut [0; 4]));
                    None
                }
                Event::DocType(_) => return Err(XmlError::Refused("a document type")),
                Event::Eof => return Err(XmlError::Malformed("it ends too early".to_owned())),
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => None,
            };
            if elements > MAX_ELEMENTS {
                return Err(XmlError::TooLarge("too long"));
            }
            if let Some(element) = closed {
                match open.last_mut() {
                    Some(parent) => parent.children.push(element),
                    None => return Ok(element),
                }
            }
        }
    }

    fn begin(start: &BytesStart<'_>) -> Result<Self, XmlError> {
        let name = known(start.local_name().as_ref());
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|e| XmlError::Malformed(e.to_string()))?;
            let key = known(attribute.key.local_name().as_ref());
            let value = quick_xml::escape::unescape(&attribute.value);
            let value = value.map_or_else(|_| attribute.value.clone().into_owned(), Cow::into_owned);
            attributes.push((key, value));
        }
        Ok(Self { name, attributes, ..Self::default() })
    }

    /// The first child of this name.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Takes the first child of this name out.
    pub(super) fn take(&mut self, name: &str) -> Option<Self> {
        let place = self.children.iter().position(|child| child.name == name)?;
        Some(self.children.swap_remove(place))
    }

    /// The children of this name.
    pub(super) fn all<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of the first child of this name, where there is any.
    pub(super) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim()).filter(|text| !text.is_empty())
    }

    /// An attribute.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first element of this name in the tree, this one included.
    pub(super) fn find(&self, name: &str) -> Option<&Self> {
        if self.name == name {
            return Some(self);
        }
        self.children.iter().find_map(|child| child.find(name))
    }
}

fn append(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

/// The character of `&…;`. Exchange writes what XML 1.0 cannot hold as a reference, too; it is shown as what it is: lost.
fn character(reference: &BytesRef<'_>) -> Result<char, XmlError> {
    if reference.is_char_ref() {
        return Ok(reference.resolve_char_ref().ok().flatten().unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    match reference.as_ref() {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        _ => Err(XmlError::Refused("an entity")),
    }
}

/// Text for the inside of an element or an attribute: markup escaped, and left out what no XML 1.0 may hold (section
/// 2.2), for which Exchange would refuse the whole request.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut kept = 0;
    for (at, byte) in text.bytes().enumerate() {
        let (length, instead) = match byte {
            b'&' => (1, "&amp;"),
            b'<' => (1, "&lt;"),
            b'>' => (1, "&gt;"),
            b'"' => (1, "&quot;"),
            // A bare one would be read as a line feed (section 2.11).
            b'\r' => (1, "&#13;"),
            b'\t' | b'\n' => continue,
            0..0x20 => (1, ""),
            // U+FFFE and U+FFFF, the only others that XML cannot hold.
            0xEF if text
                .as_bytes()
                .get(at + 1..at + 3)
                .is_some_and(|rest| matches!(rest, [0xBF, 0xBE | 0xBF])) =>
            {
                (3, "")
            }
            _ => continue,
        };
        if kept == 0 {
            out.reserve(text.len() + text.len() / 8);
        }
        out.push_str(text.get(kept..at).unwrap_or_default());
        out.push_str(instead);
        kept = at + length;
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(kept..).unwrap_or_default());
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_known_names_can_be_looked_up() {
        assert!(NAMES.is_sorted_by_key(|name| (name.len(), *name)));
        assert!(matches!(known("ItemId"), Cow::Borrowed("ItemId")));
        assert_eq!(known("Other"), "Other");
    }

    #[test]
    fn a_document_becomes_a_tree_whatever_its_prefixes() {
        let root = Element::parse(
            b"<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"x\"><s:Body a:Kind='1 &amp; 2'>one<t:Item/> two &lt;&#38;&#x41;<![CDATA[<b>]]></s:Body></s:Envelope>",
        )
        .unwrap();
        let body = root.child("Body").unwrap();
        assert_eq!((body.text.as_str(), body.attribute("Kind")), ("one two <&A<b>", Some("1 & 2")));
        assert!(body.child("Item").is_some() && root.find("Item").is_some());
    }

    #[test]
    fn what_is_broken_or_dangerous_is_an_error() {
        for (xml, part) in [
            ("<a><b></a>", "broken"),
            ("<a><b>", "ends too early"),
            ("", "ends too early"),
            ("<!DOCTYPE a [<!ENTITY x \"y\">]><a/>", "document type"),
            ("<a>&x;</a>", "entity"),
        ] {
            let error = Element::parse(xml.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part), "{xml}: {error}");
        }
        let deep = "<a>".repeat(100);
        assert_eq!(Element::parse(deep.as_bytes()), Err(XmlError::TooLarge("nested too deep")));
    }

    #[test]
    fn an_answer_holds_as_many_elements_as_a_page_needs_and_no_more() {
        let entry = "<t:CalendarItem><t:ItemId Id=\"A\" ChangeKey=\"K\"/><t:Start/><t:End/><t:IsAllDayEvent/>\
                     <t:IsCancelled/><t:CalendarItemType/><t:MyResponseType/></t:CalendarItem>";
        let listing = Element::parse(format!("<t:Items>{}</t:Items>", entry.repeat(1000)).as_bytes());
        assert_eq!(listing.unwrap().children.len(), 1000);
        let attendee = "<t:Attendee><t:Mailbox><t:Name/><t:EmailAddress/><t:RoutingType/><t:MailboxType/></t:Mailbox>\
                        <t:ResponseType/></t:Attendee>";
        let page = format!("<m:Items>{}</m:Items>", attendee.repeat(500 * 100));
        assert_eq!(Element::parse(page.as_bytes()).unwrap().children.len(), 50_000);
        let full = format!("<a>{}</a>", "<a/>".repeat(500_000));
        assert_eq!(Element::parse(full.as_bytes()), Err(XmlError::TooLarge("too long")));
    }

    #[test]
    fn lost_characters_do_not_lose_the_answer() {
        assert_eq!(Element::parse(b"<a>x&#x1;y&#0;</a>").unwrap().text, "x\u{1}y\u{FFFD}");
        assert_eq!(escaped("a\0\u{1}b\r\n<\u{FFFE}>"), "ab&#13;\n&lt;&gt;");
    }

    proptest! {
        #[test]
        fn reading_survives_anything(bytes in prop::collection::vec(any::<u8>(), 0..300), xml in "[<>/a-c&;!\\[\\]\"'= #x1]{0,200}") {
            let _ = Element::parse(&bytes);
            let _ = Element::parse(xml.as_bytes());
        }

        #[test]
        fn what_was_written_reads_the_same(text in "\\PC{0,60}[\r\n\t]{0,3}\\PC{0,10}") {
            let kept: String = text.chars().filter(|c| !matches!(c, '\u{FFFE}' | '\u{FFFF}')).collect();
            let root = Element::parse(format!("<a>{}</a>", escaped(&text)).as_bytes()).unwrap();
            prop_assert_eq!(root.text, kept);
        }
    }
}
