//! LOCATION: join URLs and the labels that providers write there, beside rooms and addresses.

use std::ops::Range;

use mms_model::Platform;

use super::label::Label;
use super::language::Votes;
use super::merge::{Origin, Source};
use super::url::Link;
use super::{Recogniser, safelinks, text};

/// What LOCATION says.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub sources: Vec<Source>,
    pub ranges: Vec<Range<usize>>,
    pub votes: Votes,
}

/// A longer LOCATION is a description in the wrong place; it is not searched for labels.
const MAX_LENGTH: usize = 8192;

pub(super) fn read(recogniser: &Recogniser, location: &str) -> Place {
    let mut place = Place::default();
    if location.len() > MAX_LENGTH {
        return place;
    }
    for link in text::written_links(location) {
        if let Some(source) = join(recogniser, &link.url) {
            place.sources.push(source);
            place.ranges.push(link.source);
        }
    }
    for part in parts(location) {
        let text = location.get(part.clone()).unwrap_or_default();
        if place.ranges.iter().any(|r| r.start < part.end && part.start < r.end) {
            continue;
        }
        if let Some(source) = without_scheme(recogniser, text) {
            place.sources.push(source);
            place.ranges.push(part);
        } else if is_provider_label(recogniser, text) {
            for hit in recogniser.vocabulary.find(text) {
                place.votes.add(recogniser.vocabulary.language(hit.language), hit.end - hit.start);
            }
            place.ranges.push(part);
        }
    }
    place.ranges.sort_by_key(|range| range.start);
    place
}

fn join(recogniser: &Recogniser, url: &str) -> Option<Source> {
    let url = safelinks::unwrap(url);
    let Some(Link::Join(join)) = recogniser.link(&url) else { return None };
    let mut source = Source::new(Origin::Location, join.platform);
    source.keys.push(join.key);
    source.link_id = join.id;
    source.passcode = join.passcode;
    source.url = Some(url.into_owned());
    Some(source)
}

/// `meet.google.com/abc-defg-hij`, as Google Calendar and people write it.
fn without_scheme(recogniser: &Recogniser, text: &str) -> Option<Source> {
    let plausible = text.contains('/') && text.contains('.') && !text.contains(' ') && !text.contains("://");
    if plausible { join(recogniser, &format!("https://{text}")) } else { None }
}

/// The parts between `;`, `,`, `|` and line breaks, without white space.
fn parts(location: &str) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut start = 0;
    for (at, c) in location.char_indices().chain([(location.len(), ';')]) {
        if !matches!(c, ';' | ',' | '|' | '\n' | '\r') {
            continue;
        }
        let part = location.get(start..at).unwrap_or_default();
        let lead = part.len() - part.trim_start().len();
        let length = part.trim().len();
        if length > 0 {
            out.push(start + lead..start + lead + length);
        }
        start = at + c.len_utf8();
    }
    out
}

/// Whether `text` is nothing but what a provider writes as the place of a meeting.
pub(super) fn is_provider_label(recogniser: &Recogniser, text: &str) -> bool {
    const NAMES: &[&str] = &[
        "zoom",
        "zoom meeting",
        "zoom call",
        "google meet",
        "google hangouts",
        "hangouts meet",
        "webex",
        "webex meeting",
        "cisco webex",
        "cisco webex meeting",
        "goto meeting",
        "gotomeeting",
        "jitsi",
        "jitsi meet",
        "jitsi meeting",
        "bigbluebutton",
        "amazon chime",
        "bluejeans",
        "teams",
        "ms teams",
        "teams meeting",
        "skype",
        "skype for business",
        "lync meeting",
        "whereby",
        "facetime",
    ];
    let text = text.trim();
    let lower = text.to_lowercase();
    if NAMES.contains(&lower.as_str()) || Platform::KNOWN.iter().any(|p| p.name().eq_ignore_ascii_case(text))
    {
        return true;
    }
    // "Online Meeting" alone may be a place that people named so; the products' titles may not.
    let product = ["teams", "skype", "lync"].iter().any(|word| lower.contains(word));
    product
        && recogniser
            .vocabulary
            .find(text)
            .first()
            .is_some_and(|hit| matches!(hit.label, Label::Title) && hit.start == 0 && hit.end == text.len())
}
