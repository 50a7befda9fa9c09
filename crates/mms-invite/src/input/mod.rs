//! Files that may hold an event: what `mms inspect` reads. The format is told by the content; the
//! name only decides where the content does not.

mod calendar;
mod encoding;
mod exchange;
mod google;
mod graph;
mod json;
mod mail;

use mms_model::{OnlineMeeting, Recognition};
use serde::Serialize;

use crate::recognise::{BodyFormat, BodyPart, EventText, Findings, Recogniser};

/// Files larger than this are refused (bytes).
pub const MAX_SIZE: usize = 64 * 1024 * 1024;

/// What one file holds. Serialises to the fields of `mms inspect -o json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inspected {
    /// Name of the file.
    pub file: String,
    /// The platform; none where there is no online meeting.
    pub platform: Option<String>,
    /// The join URL.
    pub join_url: Option<String>,
    /// Meeting or conference id as printed.
    pub meeting_id: Option<String>,
    /// Passcode as printed.
    pub passcode: Option<String>,
    /// Whether it can be joined by telephone.
    pub has_dial_in: bool,
    /// BCP 47 primary tag of the block.
    pub language: Option<String>,
    /// Where the meeting blocks are.
    pub blocks: Vec<BlockPlace>,
    /// Subject of the event, for display.
    #[serde(skip)]
    pub subject: Option<String>,
    /// UID of the event, for display.
    #[serde(skip)]
    pub uid: Option<String>,
    /// Every meeting, where it cannot be told which one the event is.
    #[serde(skip)]
    pub ambiguous: Vec<OnlineMeeting>,
}

/// A meeting block in a part of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BlockPlace {
    /// The part: a property (`DESCRIPTION`), a body (`body`) or a MIME type (`text/html`).
    pub part: String,
    /// First byte in the decoded text of the part.
    pub start: usize,
    /// The byte behind the block.
    pub end: usize,
}

/// A file that could not be read as an event.
#[derive(Debug, Clone, thiserror::Error)]
pub enum InputError {
    /// Larger than [`MAX_SIZE`].
    #[error("{name} has {size} bytes; files of more than {MAX_SIZE} are not inspected: split it")]
    TooLarge {
        /// Name of the file.
        name: String,
        /// Its size in bytes.
        size: usize,
    },
    /// No text in any encoding.
    #[error("{name} is not a text file: give an .ics, .eml, .html, .txt or JSON or XML event file")]
    Binary {
        /// Name of the file.
        name: String,
    },
    /// Broken or cut off.
    #[error("{name} could not be read as {format}: {message}")]
    Malformed {
        /// Name of the file.
        name: String,
        /// What it was taken for.
        format: &'static str,
        /// What is wrong, and where.
        message: String,
    },
    /// Well-formed, but holds no event.
    #[error("{name} holds no {format} event: export the event itself")]
    NoEvent {
        /// Name of the file.
        name: String,
        /// What it was taken for.
        format: &'static str,
    },
}

/// An event as a file holds it.
#[derive(Debug, Default)]
struct Item {
    /// Name, format and text of each body.
    bodies: Vec<(String, BodyFormat, String)>,
    location: Option<String>,
    properties: Vec<(String, String)>,
    subject: Option<String>,
    uid: Option<String>,
    /// Put together from the parts of a mail, which may hold more than the invite.
    combined: bool,
}

impl Item {
    fn recognise(&self, recogniser: &Recogniser) -> Findings {
        recogniser.event(&EventText {
            bodies: self.bodies.iter().map(|(_, format, text)| BodyPart { format: *format, text }).collect(),
            location: self.location.as_deref(),
            properties: self.properties.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            scheduled: self.uid.is_some(),
        })
    }
}

/// Recognises the meeting in a file. A file with several events gives one answer: that of the
/// first event with a meeting.
///
/// # Errors
/// The file is too large, no text, broken beyond reading, or holds no event.
pub fn inspect(name: &str, bytes: &[u8], recogniser: &Recogniser) -> Result<Vec<Inspected>, InputError> {
    if bytes.len() > MAX_SIZE {
        return Err(InputError::TooLarge { name: name.to_owned(), size: bytes.len() });
    }
    let items = read(name, bytes)?;
    let mut answer = None;
    for item in items {
        let findings = item.recognise(recogniser);
        let meets = findings.recognition != Recognition::None;
        let certain = meets && !(item.combined && matches!(findings.recognition, Recognition::Ambiguous(_)));
        if meets || answer.is_none() {
            answer = Some(conclude(name, &item, findings));
        }
        if certain {
            break;
        }
    }
    let nothing = || conclude(name, &Item::default(), Item::default().recognise(recogniser));
    Ok(vec![answer.unwrap_or_else(nothing)])
}

fn read(name: &str, bytes: &[u8]) -> Result<Vec<Item>, InputError> {
    // A mail declares the encodings of its parts itself.
    if mail::is_mail(bytes) {
        return mail::read(name, bytes);
    }
    let text = encoding::decode(bytes).ok_or_else(|| InputError::Binary { name: name.to_owned() })?;
    let start = text.trim_start();
    if calendar::is_calendar(start) {
        return Ok(calendar::read(&text));
    }
    if name_says(name, &["json"]) || json::is_json(start) {
        return json::read(name, &text);
    }
    if exchange::is_item(start) {
        return exchange::read(name, &text);
    }
    let html = name_says(name, &["html", "htm"]) || BodyFormat::guess(&text) == BodyFormat::Html;
    let format = if html { BodyFormat::Html } else { BodyFormat::Text };
    Ok(vec![Item { bodies: vec![("body".to_owned(), format, text.into_owned())], ..Item::default() }])
}

fn name_says(name: &str, extensions: &[&str]) -> bool {
    name.rsplit_once('.').is_some_and(|(_, end)| extensions.iter().any(|e| end.eq_ignore_ascii_case(e)))
}

fn conclude(name: &str, item: &Item, findings: Findings) -> Inspected {
    let (meeting, ambiguous) = match findings.recognition {
        Recognition::None => (None, Vec::new()),
        Recognition::One(meeting) => (Some(meeting), Vec::new()),
        Recognition::Ambiguous(meetings) => (meetings.first().cloned(), meetings),
    };
    let part = |body: usize| item.bodies.get(body).map_or_else(String::new, |(name, _, _)| name.clone());
    let place = |block: crate::recognise::Block| BlockPlace {
        part: part(block.body),
        start: block.range.start,
        end: block.range.end,
    };
    let meeting = meeting.as_ref();
    Inspected {
        file: name.to_owned(),
        platform: meeting.map(|m| m.platform.name().to_owned()),
        join_url: meeting.and_then(|m| m.join_url.clone()),
        meeting_id: meeting.and_then(|m| m.meeting_id.clone()),
        passcode: meeting.and_then(|m| m.passcode.clone()),
        has_dial_in: meeting.is_some_and(|m| m.has_dial_in),
        language: meeting.and_then(|m| m.language.clone()),
        blocks: findings.blocks.into_iter().map(place).collect(),
        subject: item.subject.clone(),
        uid: item.uid.clone(),
        ambiguous,
    }
}
