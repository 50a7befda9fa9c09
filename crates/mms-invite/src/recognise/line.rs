//! A body as lines: what people see, where it stands in the source, and its links.

use std::ops::Range;

use super::label::{Hit, Label, Vocabulary};
use super::url::Link;

/// Stands in a line's text where a link was written out.
pub(super) const LINK: char = '\u{E000}';
/// Stands in a line's text for an image or another object.
pub(super) const OBJECT: char = '\u{FFFC}';

/// Links beyond these in one line are passed over: no invite has so many, and each costs time.
pub(super) const MAX_LINKS: usize = 64;

/// A link in a line.
#[derive(Debug, Clone)]
pub(super) struct LineLink {
    /// The target, wrappers taken off.
    pub url: String,
    /// Byte in the line's text at which it begins.
    pub at: usize,
    /// Byte in the line's text at which it ends (the visible text of an HTML link).
    pub end: usize,
    /// What it is.
    pub link: Option<Link>,
    /// Marked as the join link of a block that MMS wrote.
    pub marked: bool,
    /// In HTML: the link that the visible text spells, whatever the target is.
    pub spelled: Option<String>,
    /// In HTML: bytes of the source that hold the target (`href`, and the `originalsrc` beside it).
    pub targets: Vec<Range<usize>>,
}

/// Where a run of a line's text stands in the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// Bytes in the line's text; none for what shows no text (`<tel:…>` behind a number).
    pub text: Range<usize>,
    /// Bytes in the source: as many as in the text, byte for byte, or one thing that cannot be divided (an
    /// entity, a link).
    pub source: Range<usize>,
    /// In HTML: the innermost element.
    pub element: usize,
}

impl Piece {
    /// The part of the piece that lies in the line's text from `start` to `end`; all of it where it cannot
    /// be divided.
    pub(super) fn clip(&self, start: usize, end: usize) -> Self {
        if self.text.len() != self.source.len() || start <= self.text.start && self.text.end <= end {
            return self.clone();
        }
        let text = self.text.start.max(start)..self.text.end.min(end).max(self.text.start.max(start));
        let source = self.source.start + (text.start - self.text.start);
        Self { source: source..source + text.len(), text, element: self.element }
    }
}

/// What bounds a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// 60 equals signs: MMS.
    Mms,
    /// 70 or more underscores: Teams.
    Underscores,
    /// Dots (or, in 2010, dashes): Skype for Business.
    Dots,
    /// `-::~:~::-`: Google Meet.
    Meet,
    /// Box drawing lines and `~==~`: Zoom's add-ons.
    Zoom,
    /// A rule inside a block.
    Inner,
}

/// A line as people see it.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    /// Text with white space collapsed and written-out links replaced by [`LINK`].
    pub text: String,
    /// Bytes of the visible content in the source.
    pub source: Range<usize>,
    /// Links in order.
    pub links: Vec<LineLink>,
    /// A `tel:` link.
    pub telephone: bool,
    /// Where the text stands in the source, in order.
    pub pieces: Vec<Piece>,
    /// Platform that the surrounding element names (blocks of MMS).
    pub platform: Option<String>,
    /// Labels, filled in by [`Line::describe`].
    pub labels: Vec<Hit>,
    /// What it bounds.
    pub rule: Option<Rule>,
    /// LCID of a `[!OC([1033])!]` marker.
    pub marker: Option<u32>,
    /// No visible text.
    pub blank: bool,
}

impl Line {
    /// Appends a character that the source spells in `length` bytes from `at` on.
    pub(super) fn push(&mut self, c: char, at: usize, length: usize, element: usize) {
        self.push_run(c.encode_utf8(&mut [0; 4]), at, length, element);
    }

    /// Appends characters that the source spells in `length` bytes from `at` on.
    pub(super) fn push_run(&mut self, run: &str, at: usize, length: usize, element: usize) {
        let start = self.text.len();
        self.text.push_str(run);
        let end = self.text.len();
        match self.pieces.last_mut() {
            Some(last)
                if last.element == element
                    && last.source.end == at
                    && end - start == length
                    && !last.text.is_empty()
                    && last.text.len() == last.source.len() =>
            {
                last.text.end = end;
                last.source.end = at + length;
            }
            _ => self.pieces.push(Piece { text: start..end, source: at..at + length, element }),
        }
    }

    /// Notes that `source` belongs here without showing any text.
    pub(super) fn push_hidden(&mut self, source: Range<usize>, element: usize) {
        let at = self.text.len();
        self.pieces.push(Piece { text: at..at, source, element });
    }

    /// Fills in what follows from the text.
    pub(super) fn describe(&mut self, vocabulary: &Vocabulary) {
        self.blank = self.text.trim().is_empty() && self.links.is_empty();
        if self.blank {
            return;
        }
        self.rule = rule(self.text.trim());
        self.marker = marker(&self.text);
        // No line that a service writes is longer; labels in a paragraph are prose.
        if self.text.len() <= 2000 {
            self.labels = vocabulary.find(&self.text);
        }
    }

    /// Where the last visible character before byte `at` of the text ends in the source.
    pub(super) fn seen_before(&self, at: usize) -> Option<usize> {
        let end = self.text.get(..at)?.trim_end().len();
        let piece = self.pieces.iter().rfind(|piece| piece.text.start < end)?;
        Some(piece.clip(0, end).source.end)
    }

    /// Where the first visible character from byte `at` of the text on begins in the source.
    pub(super) fn seen_after(&self, at: usize) -> Option<usize> {
        let rest = self.text.get(at..)?;
        let start = at + rest.len() - rest.trim_start().len();
        let piece = self.pieces.iter().find(|piece| piece.text.end > start)?;
        Some(piece.clip(start, usize::MAX).source.start)
    }

    /// Letters and digits that no label and no known link accounts for.
    pub(super) fn residue(&self) -> usize {
        let covered = |at: usize| {
            self.labels.iter().any(|hit| hit.start <= at && at < hit.end)
                || self.links.iter().any(|l| l.link.is_some() && l.at <= at && at < l.end)
        };
        self.text.char_indices().take(400).filter(|(at, c)| c.is_alphanumeric() && !covered(*at)).count()
    }

    /// The first label, where the line begins with it (bullets and the like aside).
    pub(super) fn leading(&self) -> Option<&Hit> {
        let first = self.labels.first()?;
        let lead = self.text.get(..first.start)?;
        let bullets = !lead.chars().any(char::is_alphanumeric)
            || lead.chars().filter(|c| c.is_alphanumeric()).count() <= 2;
        bullets.then_some(first)
    }

    /// Whether it has a label of kind `label`.
    pub(super) fn has(&self, label: Label) -> bool {
        self.labels.iter().any(|hit| hit.label == label)
    }
}

fn rule(text: &str) -> Option<Rule> {
    let first = text.chars().next()?;
    let run = text.chars().take_while(|c| *c == first).count();
    let whole = run == text.chars().count();
    match first {
        '=' if whole && run == 60 => Some(Rule::Mms),
        '_' if whole && run >= 70 => Some(Rule::Underscores),
        '_' if whole && (20..70).contains(&run) => Some(Rule::Inner),
        '.' | '-' if whole && run >= 40 => Some(Rule::Dots),
        '─' if whole && run >= 5 => Some(Rule::Zoom),
        '~' if text.len() >= 10 && text.ends_with('~') && text.chars().all(|c| matches!(c, '~' | '=')) => {
            Some(Rule::Zoom)
        }
        '-' if text.len() >= 14
            && text.starts_with("-::~")
            && text.ends_with(":-")
            && text.chars().all(|c| matches!(c, '-' | ':' | '~')) =>
        {
            Some(Rule::Meet)
        }
        _ => None,
    }
}

/// The LCID in `[!OC([1033])!]`; a value with a letter or a leading zero is hexadecimal.
fn marker(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("!OC([")?;
    let (digits, _) = rest.split_once("])!")?;
    if digits.len() != 4 {
        return None;
    }
    let hexadecimal = digits.starts_with('0') || digits.bytes().any(|b| b.is_ascii_alphabetic());
    u32::from_str_radix(digits, if hexadecimal { 16 } else { 10 }).ok()
}

/// White space as mail programs mean it.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{A0}' | '\u{200B}' | '\u{200C}' | '\u{FEFF}' | '\u{AD}')
}
