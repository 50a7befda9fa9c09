//! Edits as replacements of byte ranges.

use std::ops::Range;

use super::line_ending;

/// Octets of a content line before it must be folded, without the line ending (RFC 5545 section 3.1).
const WIDTH: usize = 75;

/// Replacements of ranges of one input, applied together.
#[derive(Debug, Default)]
pub struct Edits {
    replacements: Vec<(Range<usize>, Vec<u8>)>,
}

impl Edits {
    /// Whether nothing is to be changed.
    pub fn is_empty(&self) -> bool {
        self.replacements.is_empty()
    }

    /// Replaces `range` by `bytes` as they are.
    pub fn replace(&mut self, range: Range<usize>, bytes: impl Into<Vec<u8>>) {
        self.replacements.push((range, bytes.into()));
    }

    /// Replaces `range`, which lies inside a content line of `input`, by `value`, folding what is new.
    /// Bytes of the line outside the range stay as they are, but for a fold put where the new text
    /// meets what follows, if the physical line would grow over 75 octets.
    pub fn replace_in_line(&mut self, input: &[u8], range: Range<usize>, value: &[u8]) {
        let before = input.get(..range.start).unwrap_or_default();
        let after = input.get(range.end..).unwrap_or_default();
        let ending = line_ending(input);
        let column = before.len() - memchr::memrchr(b'\n', before).map_or(0, |n| n + 1);
        let (mut folded, column) = fold(value, column, ending);
        let rest = memchr::memchr2(b'\r', b'\n', after).unwrap_or(after.len());
        if rest > 0 && column + rest > WIDTH && column > 1 {
            folded.extend_from_slice(ending.as_bytes());
            folded.push(b' ');
        }
        self.replace(range, folded);
    }

    /// Inserts a content line before the byte `at`, which starts a line.
    pub fn insert_line(&mut self, input: &[u8], at: usize, line: &[u8]) {
        let ending = line_ending(input);
        let (mut folded, _) = fold(line, 0, ending);
        folded.extend_from_slice(ending.as_bytes());
        self.replace(at..at, folded);
    }

    /// The input with the replacements made. Overlapping ones are dropped but for the first.
    pub fn apply(mut self, input: &[u8]) -> Vec<u8> {
        self.replacements.sort_by_key(|(range, _)| (range.start, range.end));
        let mut output = Vec::with_capacity(input.len() + 512);
        let mut at = 0;
        for (range, bytes) in self.replacements {
            if range.start < at || range.end > input.len() {
                continue;
            }
            output.extend_from_slice(&input[at..range.start]);
            output.extend_from_slice(&bytes);
            at = range.end;
        }
        output.extend_from_slice(&input[at..]);
        output
    }
}

/// Folds `value`, the first octet of which stands in `column`; returns the column behind its end.
/// Never splits a character.
fn fold(value: &[u8], mut column: usize, ending: &str) -> (Vec<u8>, usize) {
    let mut folded = Vec::with_capacity(value.len() + value.len() / 32);
    let mut at = 0;
    while let Some(first) = value.get(at) {
        let length = match first {
            0xf0..=0xff => 4,
            0xe0..=0xef => 3,
            0xc0..=0xdf => 2,
            _ => 1,
        }
        .min(value.len() - at);
        if column + length > WIDTH {
            folded.extend_from_slice(ending.as_bytes());
            folded.push(b' ');
            column = 1;
        }
        folded.extend_from_slice(&value[at..at + length]);
        column += length;
        at += length;
    }
    (folded, column)
}
