//! Values decoded, with the way back to the bytes that they were decoded from.

use std::ops::Range;

/// A decoded value and where each of its bytes came from.
#[derive(Debug, Clone, Default)]
pub struct Text {
    /// The decoded value.
    pub decoded: String,
    /// For each byte of `decoded` the offset in the raw value at which its character starts; one more
    /// at the end.
    offsets: Vec<u32>,
    /// Whether the raw bytes were no UTF-8 and were read as windows-1252.
    pub windows_1252: bool,
    /// Whether the value is escaped as TEXT.
    escaped: bool,
}

impl Text {
    /// Unfolds a value without undoing escapes (URI, X- properties with a value type of their own).
    pub fn plain(raw: &[u8]) -> Self {
        Self::decode(raw, false)
    }

    /// Unfolds and unescapes a TEXT value (RFC 5545 section 3.3.11).
    pub fn unescaped(raw: &[u8]) -> Self {
        Self::decode(raw, true)
    }

    fn decode(raw: &[u8], escaped: bool) -> Self {
        let unfolded = unfolded(raw);
        let bytes: Vec<u8> = unfolded.iter().map(|(_, b)| *b).collect();
        let at = |n: usize| unfolded.get(n).map_or(raw.len(), |(offset, _)| *offset as usize);
        let mut text = Self { escaped, ..Self::default() };
        match std::str::from_utf8(&bytes) {
            Ok(valid) => text.fill(valid.char_indices().map(|(n, c)| (at(n), c)), raw.len()),
            Err(_) => {
                text.windows_1252 = true;
                text.fill(bytes.iter().enumerate().map(|(n, b)| (at(n), windows_1252(*b))), raw.len());
            }
        }
        text
    }

    fn fill(&mut self, characters: impl Iterator<Item = (usize, char)>, end: usize) {
        let mut characters = characters.peekable();
        while let Some((at, c)) = characters.next() {
            let c = match (self.escaped, c, characters.peek().map(|(_, next)| *next)) {
                (true, '\\', Some('n' | 'N')) => '\n',
                (true, '\\', Some(next @ ('\\' | ';' | ',' | ':' | '"'))) => next,
                _ => {
                    self.push(at, c);
                    continue;
                }
            };
            characters.next();
            self.push(at, c);
        }
        self.offsets.push(end as u32);
    }

    fn push(&mut self, at: usize, c: char) {
        self.decoded.push(c);
        self.offsets.extend(std::iter::repeat_n(at as u32, c.len_utf8()));
    }

    /// The range of the raw value that a range of the decoded value came from.
    pub fn raw(&self, range: &Range<usize>) -> Option<Range<usize>> {
        Some(*self.offsets.get(range.start)? as usize..*self.offsets.get(range.end)? as usize)
    }

    /// Encodes new text the way this value is encoded; none where the value is windows-1252 and the
    /// text holds what that cannot say.
    pub fn encode(&self, text: &str) -> Option<Vec<u8>> {
        let text = if self.escaped { escape(text) } else { text.to_owned() };
        if !self.windows_1252 {
            return Some(text.into_bytes());
        }
        text.chars().map(|c| (0..=255).find(|b| windows_1252(*b) == c)).collect()
    }
}

/// Escapes a TEXT value.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            ';' => escaped.push_str("\\;"),
            ',' => escaped.push_str("\\,"),
            '\n' => escaped.push_str("\\n"),
            '\r' => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// The bytes that are no folding, with their offsets. A line break that no blank follows is kept as
/// a line break: it stands in descriptions that were never folded.
fn unfolded(raw: &[u8]) -> Vec<(u32, u8)> {
    let mut kept = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some(byte) = raw.get(at) {
        let ending = match (byte, raw.get(at + 1)) {
            (b'\r', Some(b'\n')) => 2,
            (b'\n', _) => 1,
            _ => 0,
        };
        if ending == 0 {
            kept.push((at as u32, *byte));
            at += 1;
        } else if matches!(raw.get(at + ending), Some(b' ' | b'\t')) {
            at += ending + 1;
        } else {
            kept.push((at as u32, b'\n'));
            at += ending;
        }
    }
    kept
}

fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
        '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => HIGH[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}
