//! Recognition: which online meeting an event is, and where the event says so.
//!
//! Evidence counts in this order: properties that services set, the block in the body, LOCATION.
//! The join URL, ids and language are taken from the block where there is one, because that is what
//! attendees see. Links count by their exact host and path, never by words around them; a link in
//! prose is no meeting.

mod big_blue_button;
mod block;
mod field;
mod google_meet;
mod goto;
mod html;
mod jitsi;
mod label;
mod language;
mod line;
mod location;
mod merge;
mod others;
mod own;
mod property;
mod recent;
mod safelinks;
mod skype;
mod teams;
mod text;
mod url;
mod webex;
mod zoom;

use std::ops::Range;
use std::sync::Arc;

use mms_model::{OnlineMeeting, Platform, Recognition};
use regex::Regex;
use serde::{Deserialize, Serialize};

use block::Found;
use html::{Document, Place};
use label::Vocabulary;
use language::Votes;
use line::{LINK, Line, LineLink, OBJECT, Piece, Rule};
use merge::Source;
use recent::Recent;
pub(crate) use safelinks::percent_decode;
use url::{Hosts, Join, Link};

/// What recognition is told about an organisation.
#[derive(Debug, Clone, Default)]
pub struct RecogniserOptions {
    /// Hosts of Skype for Business simple URLs (`meet.example.com`).
    pub skype_hosts: Vec<String>,
    /// Hosts of the organisation's Jitsi Meet servers, with the port where it is not the usual one.
    pub jitsi_hosts: Vec<String>,
    /// Hosts of BigBlueButton front ends.
    pub big_blue_button_hosts: Vec<String>,
    /// Further platforms by the pattern of their join URLs.
    pub custom: Vec<CustomPlatform>,
}

/// A platform that is known by the pattern of its join URLs.
#[derive(Debug, Clone)]
pub struct CustomPlatform {
    /// Its name.
    pub platform: Platform,
    /// A regular expression for the whole join URL; the groups `id` and `passcode` are taken where named.
    pub join_url: String,
}

/// A pattern of a custom platform that is no regular expression.
#[derive(Debug, thiserror::Error)]
#[error(
    "the join URL pattern of {platform} is not a valid regular expression: {message}; correct it in the configuration"
)]
pub struct PatternError {
    /// The platform.
    pub platform: String,
    /// What the expression's parser says.
    pub message: String,
}

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BodyFormat {
    /// Plain text.
    Text,
    /// HTML.
    Html,
}

impl BodyFormat {
    /// The format of a DESCRIPTION, which is plain text by RFC 5545 but HTML from some services
    /// (Google Calendar).
    pub fn guess(text: &str) -> Self {
        const TAGS: &[&str] = &[
            "<html",
            "<body",
            "<div",
            "<p>",
            "<p ",
            "<br>",
            "<br/>",
            "<br />",
            "<a href",
            "<table",
            "<span",
            "<ul>",
            "</a>",
            "</p>",
            "</div>",
            "<!doctype",
        ];
        let mut end = text.len().min(64 * 1024);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let head = text.get(..end).unwrap_or_default();
        let html = memchr::memchr_iter(b'<', head.as_bytes()).any(|at| {
            let rest = head.as_bytes().get(at..).unwrap_or_default();
            TAGS.iter()
                .any(|tag| rest.get(..tag.len()).is_some_and(|t| t.eq_ignore_ascii_case(tag.as_bytes())))
        });
        if html { Self::Html } else { Self::Text }
    }
}

/// One body of an event, iCalendar escapes undone.
#[derive(Debug, Clone, Copy)]
pub struct BodyPart<'a> {
    /// How it is written.
    pub format: BodyFormat,
    /// The text.
    pub text: &'a str,
}

/// What recognition reads of an event.
#[derive(Debug, Clone, Default)]
pub struct EventText<'a> {
    /// DESCRIPTION, X-ALT-DESC, STYLED-DESCRIPTION; or the body of an item.
    pub bodies: Vec<BodyPart<'a>>,
    /// LOCATION.
    pub location: Option<&'a str>,
    /// Other properties by upper-case iCalendar name, or MAPI or Graph name.
    pub properties: Vec<(&'a str, &'a str)>,
    /// It is an event of a calendar, and no mail or page that may only speak of one: a join link alone on its
    /// line is its meeting, where it is the only one.
    pub scheduled: bool,
}

/// A place in a body that is a meeting block, or a piece of one: in HTML a block may be spread over elements that
/// also hold other text; then each piece is a `Block` of the same meeting and body, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Which body.
    pub body: usize,
    /// Bytes of the body's text to be replaced.
    pub range: Range<usize>,
    /// In HTML: what a new block needs before it, the end of the paragraph whose first words stay.
    pub close: String,
    /// In HTML: what a new block needs behind it, the begin of a paragraph for the last words.
    pub open: String,
    /// The meeting it is the block of.
    pub meeting: OnlineMeeting,
}

/// A link to the meeting outside its blocks ("as ever at https://…"): its words stay, and it leads elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// Which body.
    pub body: usize,
    /// Bytes that spell the join URL.
    pub range: Range<usize>,
    /// Whether the spelling of one before goes on here (in HTML over several elements).
    pub continues: bool,
}

/// What recognition found in an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// The meeting.
    pub recognition: Recognition,
    /// Its blocks, by body and place.
    pub blocks: Vec<Block>,
    /// Links to it outside of them, by body and place.
    pub mentions: Vec<Mention>,
    /// Ranges in LOCATION that name the meeting: a join URL, a provider's label. Never a room.
    pub location: Vec<Range<usize>>,
    /// Properties that name the meeting, by their place in [`EventText::properties`].
    pub properties: Vec<usize>,
}

/// Recognises online meetings. Compiled once; share it.
#[derive(Debug)]
pub struct Recogniser {
    hosts: Hosts,
    custom: Vec<(Platform, Regex)>,
    vocabulary: Vocabulary,
    recent: Recent,
}

/// Patterns of administrators are bounded so that a configuration cannot eat the memory.
const PATTERN_SIZE: usize = 1 << 20;

impl Recogniser {
    /// Compiles the recogniser.
    ///
    /// # Errors
    /// A pattern of a custom platform is no valid regular expression.
    pub fn new(options: &RecogniserOptions) -> Result<Self, PatternError> {
        let custom = options.custom.iter().map(|custom| {
            let pattern = format!("^(?:{})$", custom.join_url);
            let regex = regex::RegexBuilder::new(&pattern).size_limit(PATTERN_SIZE).build();
            regex.map(|regex| (custom.platform.clone(), regex)).map_err(|error| PatternError {
                platform: custom.platform.name().to_owned(),
                message: error.to_string(),
            })
        });
        let lower = |hosts: &[String]| hosts.iter().map(|h| h.trim().to_ascii_lowercase()).collect();
        let vocabulary = Vocabulary::new().map_err(|error| PatternError {
            platform: "the built-in labels".to_owned(),
            message: error.to_string(),
        })?;
        Ok(Self {
            hosts: Hosts {
                skype: lower(&options.skype_hosts),
                jitsi: lower(&options.jitsi_hosts),
                big_blue_button: lower(&options.big_blue_button_hosts),
            },
            custom: custom.collect::<Result<_, _>>()?,
            vocabulary,
            recent: Recent::default(),
        })
    }

    /// The meeting that a join URL joins; wrappers of mail scanners are taken off.
    pub fn url(&self, url: &str) -> Option<OnlineMeeting> {
        let unwrapped = safelinks::unwrap(url.trim());
        match self.link(&unwrapped)? {
            Link::Join(join) => Some(OnlineMeeting {
                platform: join.platform,
                join_url: Some(unwrapped.into_owned()),
                meeting_id: join.id,
                passcode: join.passcode,
                has_dial_in: false,
                language: None,
                key: join.key,
            }),
            _ => None,
        }
    }

    /// The same as [`Recogniser::event`], for an event that may have been read lately.
    pub(crate) fn event_again(&self, event: &EventText<'_>) -> Arc<Findings> {
        self.recent.get_or(event, || self.event(event))
    }

    /// Recognises the meeting of an event.
    pub fn event(&self, event: &EventText<'_>) -> Findings {
        let mut sources: Vec<Source> = Vec::new();
        let mut named = Vec::new();
        for (index, (name, value)) in event.properties.iter().enumerate() {
            if property::read(self, name, value, &mut sources) {
                named.push(index);
            }
        }
        let bodies: Vec<Body> = event.bodies.iter().map(|part| self.body(part)).collect();
        for (body, read) in bodies.iter().enumerate() {
            sources.extend(
                read.found.iter().enumerate().map(|(place, found)| Source::block(found, body, place)),
            );
        }
        let location = event.location.map(|text| location::read(self, text)).unwrap_or_default();
        sources.extend(location.sources);
        let mut merged = merge::merge(sources, location.votes, event.scheduled);
        if merged.iter().any(|merged| merged.meeting.language.is_none()) {
            let prose = language_of_prose(event);
            for merged in &mut merged {
                merged.meeting.language = merged.meeting.language.take().or_else(|| prose.clone());
            }
        }
        let mut blocks = Vec::new();
        for meeting in &merged {
            for &(body, place) in &meeting.blocks {
                let (Some(read), Some(part)) = (bodies.get(body), event.bodies.get(body)) else { continue };
                for Place { range, close, open } in read.places(part.text, place) {
                    blocks.push(Block { body, range, close, open, meeting: meeting.meeting.clone() });
                }
            }
        }
        blocks.sort_by_key(|block| (block.body, block.range.start));
        // Ranges hold something and never overlap, whatever elements a broken document claims to have.
        let mut end = (0, 0);
        blocks.retain(|block| {
            let apart = (block.body != end.0 || block.range.start >= end.1) && !block.range.is_empty();
            if apart {
                end = (block.body, block.range.end);
            }
            apart
        });
        let mut mentions = Vec::new();
        if let [only] = merged.as_slice() {
            for (body, (read, part)) in bodies.iter().zip(&event.bodies).enumerate() {
                mentions.extend(read.mentions(body, part, &only.keys, &blocks));
            }
        }
        let mut meetings: Vec<OnlineMeeting> = merged.into_iter().map(|merged| merged.meeting).collect();
        let none = meetings.is_empty();
        let recognition = match meetings.pop() {
            None => Recognition::None,
            Some(meeting) if meetings.is_empty() => Recognition::One(meeting),
            Some(meeting) => {
                meetings.push(meeting);
                Recognition::Ambiguous(meetings)
            }
        };
        Findings {
            recognition,
            blocks,
            mentions,
            location: if none { Vec::new() } else { location.ranges },
            properties: if none { Vec::new() } else { named },
        }
    }

    /// What an unwrapped link is.
    fn link(&self, url: &str) -> Option<Link> {
        for (platform, pattern) in &self.custom {
            if let Some(groups) = pattern.captures(url) {
                let group = |name| groups.name(name).map(|m| m.as_str().to_owned());
                let plain = url.split(['?', '#']).next().unwrap_or(url);
                let key = format!("{}:{plain}", platform.name().to_ascii_lowercase());
                let mut join = Join::new(platform.clone(), key, group("id").as_deref());
                join.passcode = group("passcode");
                return Some(Link::Join(join));
            }
        }
        url::classify(url, &self.hosts)
    }

    fn body(&self, part: &BodyPart<'_>) -> Body {
        // Most events hold no meeting: no link and no address of a video system, no meeting.
        if !could_hold_meeting(part.text) {
            return Body { document: None, lines: Vec::new(), found: Vec::new(), commented: Vec::new() };
        }
        match part.format {
            BodyFormat::Text => {
                let mut lines = text::lines(part.text);
                let found = self.blocks(&mut lines);
                Body { document: None, lines, found, commented: Vec::new() }
            }
            BodyFormat::Html => {
                let mut document = html::scan(part.text);
                let mut lines = document.take_lines();
                let found = self.blocks(&mut lines);
                document.set_lines(lines);
                Body {
                    document: Some(document),
                    lines: Vec::new(),
                    found,
                    commented: self.commented(part.text),
                }
            }
        }
    }

    /// The join links in conditional comments, by the bytes of their targets: Outlook shows what stands there.
    fn commented(&self, html: &str) -> Vec<(Range<usize>, String)> {
        let targets = html::conditional_targets(html).into_iter();
        let join = |target: Range<usize>| {
            let url = html::decode(html.get(target.clone())?).into_owned();
            match self.link(&safelinks::unwrap(url.trim()))? {
                Link::Join(join) => Some((target, join.key)),
                _ => None,
            }
        };
        targets.filter_map(join).collect()
    }

    fn blocks(&self, lines: &mut [Line]) -> Vec<Found> {
        for line in &mut *lines {
            line.describe(&self.vocabulary);
            for link in &mut line.links {
                link.url = safelinks::unwrap(&link.url).into_owned();
                link.link = self.link(&link.url);
                if link.link.is_none()
                    && let Some(spelled) = link.spelled.take_if(|_| safelinks::is_opaque(&link.url))
                {
                    link.url = safelinks::unwrap(&spelled).into_owned();
                    link.link = self.link(&link.url);
                }
            }
        }
        block::find(lines, &self.vocabulary)
    }
}

/// A body that was read.
struct Body {
    document: Option<Document>,
    lines: Vec<Line>,
    found: Vec<Found>,
    /// Join links that only Outlook shows: the bytes of the target, and the meeting's key.
    commented: Vec<(Range<usize>, String)>,
}

impl Body {
    /// The places of a block: one, but where people's own words stand in its midst or in the same element
    /// as half of it, several.
    fn places(&self, text: &str, place: usize) -> Vec<Place> {
        let Some(found) = self.found.get(place) else { return Vec::new() };
        let lines = self.document.as_ref().map_or(self.lines.as_slice(), Document::lines);
        let runs = runs(lines, found);
        match &self.document {
            Some(document) => in_elements(text, document, &runs),
            None => runs.iter().filter_map(|run| in_text(run)).collect(),
        }
    }
}

/// What people see of a body, without white space, and where its links lead: the same however a mail
/// program or server writes it.
pub(crate) fn visible(part: BodyPart<'_>) -> String {
    let lines = match part.format {
        BodyFormat::Text => text::lines(part.text),
        BodyFormat::Html => html::scan(part.text).take_lines(),
    };
    let mut seen = String::with_capacity(part.text.len() / 2);
    for line in lines {
        seen.extend(line.text.chars().filter(|c| !line::is_space(*c)));
        for link in line.links {
            seen.push('<');
            seen.push_str(&safelinks::unwrap(&link.url));
            seen.push('>');
        }
    }
    seen
}

impl Body {
    /// The links outside of `blocks` that join the meeting with one of `keys`.
    fn mentions(&self, body: usize, part: &BodyPart<'_>, keys: &[String], blocks: &[Block]) -> Vec<Mention> {
        let lines = self.document.as_ref().map_or(self.lines.as_slice(), Document::lines);
        let mut mentions: Vec<Mention> = Vec::new();
        for line in lines {
            let joins =
                |link: &&LineLink| matches!(&link.link, Some(Link::Join(join)) if keys.contains(&join.key));
            for link in line.links.iter().filter(joins) {
                let targets = link.targets.iter().map(|range| (range.clone(), false));
                mentions.extend(targets.chain(spelled(line, link, part)).map(|(range, continues)| Mention {
                    body,
                    range,
                    continues,
                }));
            }
        }
        let commented = self.commented.iter().filter(|(_, key)| keys.contains(key));
        mentions.extend(commented.map(|(range, _)| Mention { body, range: range.clone(), continues: false }));
        mentions.sort_by_key(|mention| mention.range.start);
        let mut end = 0;
        mentions.retain(|mention| {
            let taken = blocks.iter().any(|b| {
                b.body == body && b.range.start < mention.range.end && mention.range.start < b.range.end
            });
            let apart = mention.range.start >= end && !taken;
            if apart {
                end = mention.range.end;
            }
            apart
        });
        mentions
    }
}

/// Where the visible text of a link spells its target.
fn spelled(line: &Line, link: &LineLink, part: &BodyPart<'_>) -> Vec<(Range<usize>, bool)> {
    let mut places: Vec<(Range<usize>, bool)> = Vec::new();
    let text = line.text.get(link.at..link.end).unwrap_or_default();
    for (at, mark) in text.match_indices(LINK) {
        let (start, end) = (link.at + at, link.at + at + mark.len());
        let mut first = true;
        for piece in &line.pieces {
            let shows = piece.text.start < end && start < piece.text.end;
            let goes_on = piece.text.is_empty() && piece.text.start == end && part.format == BodyFormat::Html;
            if !shows && (first || !goes_on) {
                continue;
            }
            let mut range = piece.source.clone();
            let old = part.text.get(range.clone()).unwrap_or_default();
            if old.starts_with('<') && old.ends_with('>') {
                range = range.start + 1..range.end - 1;
            }
            places.push((range, !first));
            first = false;
        }
    }
    places
}

/// A piece of a line that is the block's.
struct OwnPiece {
    line: usize,
    piece: Piece,
    /// The last visible byte before it and the first behind it.
    edges: (usize, usize),
}

/// What is the block's between two of people's own words, or before the first and behind the last.
fn runs(lines: &[Line], found: &Found) -> Vec<Vec<OwnPiece>> {
    let mut runs: Vec<Vec<OwnPiece>> = Vec::new();
    let mut run = Vec::new();
    let mut kept = found.kept.iter().peekable();
    for index in found.first..=found.last {
        let Some(line) = lines.get(index) else { break };
        let mut start = 0;
        while let Some((_, range)) = kept.next_if(|(line, _)| *line == index) {
            collect(line, index, start..range.start, &mut run);
            runs.push(std::mem::take(&mut run));
            start = range.end;
        }
        collect(line, index, start..line.text.len(), &mut run);
    }
    runs.push(run);
    // A rule or a bullet between words that stay stays as well.
    runs.retain(|run| run.iter().any(|own| says_something(lines, own)));
    runs
}

fn says_something(lines: &[Line], own: &OwnPiece) -> bool {
    let Some(line) = lines.get(own.line) else { return false };
    let text = line.text.get(own.piece.text.clone()).unwrap_or_default();
    text.contains(|c: char| c.is_alphanumeric() || matches!(c, LINK | OBJECT))
        || own.piece.text.is_empty()
        || line.marker.is_some()
        || line.rule.is_some_and(|rule| rule != Rule::Inner)
}

/// The pieces of a line between `range`, white space at its ends aside.
fn collect(line: &Line, index: usize, range: Range<usize>, run: &mut Vec<OwnPiece>) {
    let text = line.text.get(range.clone()).unwrap_or_default();
    let start = range.start + text.len() - text.trim_start().len();
    let end = start.max(range.start + text.trim_end().len());
    let (whole_start, whole_end) = (range.start == 0, range.end == line.text.len());
    for piece in &line.pieces {
        let inside = if piece.text.is_empty() {
            (piece.text.start > start || whole_start) && (piece.text.start < end || whole_end)
        } else {
            piece.text.start < end && start < piece.text.end
        };
        if !inside {
            continue;
        }
        let clipped = piece.clip(start, end);
        let edges = (line.seen_before(clipped.text.start), line.seen_after(clipped.text.end));
        run.push(OwnPiece {
            line: index,
            piece: clipped,
            edges: (edges.0.unwrap_or(0), edges.1.unwrap_or(usize::MAX)),
        });
    }
}

/// A run in plain text.
fn in_text(run: &[OwnPiece]) -> Option<Place> {
    let range = run.first()?.piece.source.start..run.last()?.piece.source.end;
    Some(Place { range, close: String::new(), open: String::new() })
}

/// Whole elements, as few ranges as take no other text along.
fn in_elements(html: &str, document: &Document, runs: &[Vec<OwnPiece>]) -> Vec<Place> {
    // Each attempt costs time; a block that needs more is hostile.
    const MAX_ATTEMPTS: usize = 2000;
    let mut places: Vec<Place> = Vec::new();
    let mut attempts = 0;
    for run in runs {
        let mut first = 0;
        while let Some(from) = run.get(first).filter(|_| attempts < MAX_ATTEMPTS) {
            let line = run.iter().skip(first).take_while(|own| own.line == from.line).count();
            // To the end of a line first, and only within the line piece by piece.
            let ends = (first..run.len()).rev().filter(|last| {
                *last < first + line
                    || run
                        .get(last + 1)
                        .is_none_or(|next| run.get(*last).is_some_and(|own| own.line != next.line))
            });
            let whole = ends.take(MAX_ATTEMPTS - attempts).find_map(|last| {
                attempts += 1;
                let to = run.get(last)?;
                let edges = edges(document, from, to);
                Some((last, document.widen(&from.piece, &to.piece, edges)?, edges))
            });
            match whole {
                Some((last, found, edges)) => {
                    // Only the first place takes the new block.
                    places.push(if places.is_empty() {
                        document.part(html, found, edges)
                    } else {
                        Place { range: found.0, close: String::new(), open: String::new() }
                    });
                    first = last + 1;
                }
                None => first += 1,
            }
        }
    }
    for place in &mut places {
        place.range = html::with_conditions(html, place.range.clone());
    }
    places
}

fn edges(document: &Document, from: &OwnPiece, to: &OwnPiece) -> (usize, usize) {
    let before = if from.edges.0 > 0 { from.edges.0 } else { document.edges(from.line).0 };
    let after = if to.edges.1 < usize::MAX { to.edges.1 } else { document.edges(to.line).1 };
    (before, after)
}

/// What language people wrote in, where the service's words do not tell.
fn language_of_prose(event: &EventText<'_>) -> Option<String> {
    // More text than this tells no more.
    const MAX_LINES: usize = 200;
    let mut votes = Votes::default();
    for part in &event.bodies {
        let lines = match part.format {
            BodyFormat::Text => text::lines(part.text),
            BodyFormat::Html => html::scan(part.text).take_lines(),
        };
        lines.iter().take(MAX_LINES).for_each(|line| votes.read_prose(&line.text));
    }
    votes.clear_winner()
}

fn could_hold_meeting(text: &str) -> bool {
    let bytes = text.as_bytes();
    memchr::memmem::find(bytes, b"://").is_some()
        || memchr::memmem::find(bytes, b"Teams").is_some()
        || memchr::memmem::find(bytes, b"Skype").is_some()
        || memchr::memmem::find(bytes, b"!OC(").is_some()
        || memchr::memmem::find(bytes, b"lync.webex.com").is_some()
        // A link whose colon or slashes are written as entities; one that Google prints without its scheme.
        || ["&#58;", "&#x3a", "&#X3A", "&#x3A", "&#47;", "&#x2f", "&#x2F", "&colon", "&sol", "meet.google.com/"]
            .iter()
            .any(|written| memchr::memmem::find(bytes, written.as_bytes()).is_some())
}
