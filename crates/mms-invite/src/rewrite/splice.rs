//! The pieces of a body or a LOCATION that change, and what they become.

use std::ops::Range;

use mms_model::{JoinInformation, Replacement};

use crate::recognise::{Block, BodyFormat, Mention};
use crate::render::{TemplateError, Templates};

/// Bytes of a text, and what comes in their place.
pub(crate) type Splice = (Range<usize>, String);

/// The text with its splices done, which are in order and do not overlap.
pub(crate) fn apply(text: &str, splices: &[Splice]) -> String {
    let mut after = String::with_capacity(text.len() + 512);
    let mut at = 0;
    for (range, new) in splices {
        after.push_str(text.get(at..range.start).unwrap_or_default());
        after.push_str(new);
        at = range.end;
    }
    after.push_str(text.get(at..).unwrap_or_default());
    after
}

/// The new block in place of the first of `blocks`; the others are pieces or repetitions of the old one
/// and go.
pub(crate) fn blocks<'a>(
    text: &str,
    format: BodyFormat,
    blocks: impl Iterator<Item = &'a Block>,
    replacement: &Replacement,
    templates: &Templates,
) -> Result<Vec<Splice>, TemplateError> {
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut splices = Vec::new();
    for Block { range, close, open, .. } in blocks {
        let Some(old) = text.get(range.clone()) else { continue };
        let new = if splices.is_empty() {
            let block = templates.render(format, &replacement.target, &replacement.language)?;
            let block = within_blank_lines(&block.replace('\n', line_end), old);
            match format {
                BodyFormat::Text => on_its_own_lines(text, range, block, line_end),
                BodyFormat::Html => format!("{close}{block}{open}"),
            }
        } else {
            format!("{close}{open}")
        };
        splices.push((range.clone(), new));
    }
    Ok(splices)
}

/// The new link in place of each of `mentions`.
pub(crate) fn mentions<'a>(
    format: BodyFormat,
    mentions: impl Iterator<Item = &'a Mention>,
    target: &JoinInformation,
) -> Vec<Splice> {
    let url = match format {
        BodyFormat::Text => target.join_url.clone(),
        BodyFormat::Html => target
            .join_url
            .replace('&', "&amp;")
            .replace('"', "&quot;")
            .replace('<', "&lt;")
            .replace('>', "&gt;"),
    };
    mentions
        .map(|mention| (mention.range.clone(), if mention.continues { String::new() } else { url.clone() }))
        .collect()
}

/// The new block, with the blank lines around it that the old one took in.
fn within_blank_lines(block: &str, old: &str) -> String {
    let leading = &old[..old.len() - old.trim_start().len()];
    let leading = &leading[..leading.rfind('\n').map_or(0, |n| n + 1)];
    let trailing = &old[old.trim_end().len()..];
    format!("{leading}{block}{trailing}")
}

/// Behind or before words on the same line ("My room is at …") its frame would be none.
fn on_its_own_lines(text: &str, range: &Range<usize>, block: String, line_end: &str) -> String {
    let before = text.get(..range.start).unwrap_or_default().rsplit('\n').next().unwrap_or_default();
    let behind = text.get(range.end..).unwrap_or_default().split('\n').next().unwrap_or_default();
    let lead = if before.trim().is_empty() || block.starts_with(['\r', '\n']) { "" } else { line_end };
    let trail = if behind.trim().is_empty() || block.ends_with('\n') { "" } else { line_end };
    format!("{lead}{block}{trail}")
}

/// What becomes of the places in LOCATION that name the meeting: a link becomes the link, a label the
/// label. Where no block tells how to join, the first label becomes the link.
pub(crate) fn location(
    text: &str,
    places: &[Range<usize>],
    has_block: bool,
    target: &JoinInformation,
) -> Vec<Splice> {
    let is_link = |old: &str| old.contains("://");
    let linked = places.iter().any(|place| text.get(place.clone()).is_some_and(is_link));
    let mut link_due = linked || !has_block;
    let mut splices = Vec::new();
    for place in places {
        let Some(old) = text.get(place.clone()) else { continue };
        let new = if link_due && (is_link(old) || !linked) {
            link_due = false;
            target.join_url.as_str()
        } else if is_link(old) {
            ""
        } else {
            target.display_name.as_str()
        };
        splices.push((place.clone(), new.to_owned()));
    }
    splices
}
