//! Values decoded, with the way back to the bytes that they were decoded from.

use std::ops::Range;

/// A decoded value and where it came from.
#[derive(Debug, Clone, Default)]
pub struct Text {
    /// The decoded value.
    pub decoded: String,
    /// From where on decoded and raw bytes correspond one to one, in order; the last stands at the end of both.
    stretches: Vec<Stretch>,
    /// Whether the raw bytes were no UTF-8 and were read as windows-1252.
    pub windows_1252: bool,
    /// Whether the value is escaped as TEXT.
    escaped: bool,
}

/// Where a stretch begins that was taken over as it is.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    decoded: u32,
    raw: u32,
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
        let (bytes, stretches) = unfold(raw);
        let (decoded, stretches, windows_1252) = match String::from_utf8(bytes) {
            Ok(decoded) => (decoded, stretches, false),
            Err(error) => {
                let (decoded, stretches) = read_windows_1252(error.as_bytes(), &stretches);
                (decoded, stretches, true)
            }
        };
        let (decoded, mut stretches) =
            if escaped { unescape(decoded, stretches) } else { (decoded, stretches) };
        stretches.push(Stretch { decoded: decoded.len() as u32, raw: raw.len() as u32 });
        Self { decoded, stretches, windows_1252, escaped }
    }

    /// The range of the raw value that a range of the decoded value came from.
    pub fn raw(&self, range: &Range<usize>) -> Option<Range<usize>> {
        let inside = range.start <= self.decoded.len() && range.end <= self.decoded.len();
        inside.then(|| raw_offset(&self.stretches, range.start)..raw_offset(&self.stretches, range.end))
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

/// Where the raw value holds what stands at an offset of the decoded one.
fn raw_offset(stretches: &[Stretch], at: usize) -> usize {
    let next = stretches.partition_point(|stretch| stretch.decoded as usize <= at);
    let stretch = next.checked_sub(1).and_then(|n| stretches.get(n));
    stretch.map_or(at, |stretch| stretch.raw as usize + (at - stretch.decoded as usize))
}

/// The bytes that are no folding. A line break that no blank follows is kept as a line break: it stands in
/// descriptions that were never folded.
fn unfold(raw: &[u8]) -> (Vec<u8>, Vec<Stretch>) {
    let mut kept = Vec::with_capacity(raw.len());
    let mut stretches = vec![Stretch { decoded: 0, raw: 0 }];
    let mut from = 0;
    for at in memchr::memchr2_iter(b'\r', b'\n', raw) {
        if at < from {
            continue;
        }
        let ending = match (raw.get(at), raw.get(at + 1)) {
            (Some(b'\r'), Some(b'\n')) => 2,
            (Some(b'\n'), _) => 1,
            _ => continue,
        };
        kept.extend_from_slice(raw.get(from..at).unwrap_or_default());
        let folded = matches!(raw.get(at + ending), Some(b' ' | b'\t'));
        if !folded {
            stretches.push(Stretch { decoded: kept.len() as u32, raw: at as u32 });
            kept.push(b'\n');
        }
        from = at + ending + usize::from(folded);
        stretches.push(Stretch { decoded: kept.len() as u32, raw: from as u32 });
    }
    kept.extend_from_slice(raw.get(from..).unwrap_or_default());
    (kept, stretches)
}

fn read_windows_1252(bytes: &[u8], stretches: &[Stretch]) -> (String, Vec<Stretch>) {
    let mut decoded = String::with_capacity(bytes.len() * 2);
    let mut out = Vec::with_capacity(bytes.len());
    for (at, byte) in bytes.iter().enumerate() {
        out.push(Stretch { decoded: decoded.len() as u32, raw: raw_offset(stretches, at) as u32 });
        decoded.push(windows_1252(*byte));
    }
    (decoded, out)
}

/// Undoes the escapes of TEXT; a backslash before anything else stands for itself.
fn unescape(text: String, stretches: Vec<Stretch>) -> (String, Vec<Stretch>) {
    let mut escapes = memchr::memchr_iter(b'\\', text.as_bytes()).peekable();
    if escapes.peek().is_none() {
        return (text, stretches);
    }
    let mut out =
        Unescaped { decoded: String::with_capacity(text.len()), stretches: Vec::new(), source: &stretches };
    let mut from = 0;
    for at in escapes {
        let meant = match text.as_bytes().get(at + 1) {
            _ if at < from => continue,
            Some(b'n' | b'N') => '\n',
            Some(next @ (b'\\' | b';' | b',' | b':' | b'"')) => char::from(*next),
            _ => continue,
        };
        out.take_over(&text, from..at);
        out.stretches
            .push(Stretch { decoded: out.decoded.len() as u32, raw: raw_offset(&stretches, at) as u32 });
        out.decoded.push(meant);
        from = at + 2;
    }
    out.take_over(&text, from..text.len());
    (out.decoded, out.stretches)
}

/// Text whose escapes are undone as far as it goes.
struct Unescaped<'a> {
    decoded: String,
    stretches: Vec<Stretch>,
    /// The stretches of the escaped text that lie ahead or were begun.
    source: &'a [Stretch],
}

impl Unescaped<'_> {
    fn take_over(&mut self, text: &str, range: Range<usize>) {
        let begun = self.source.partition_point(|stretch| stretch.decoded as usize <= range.start);
        let raw = raw_offset(self.source, range.start) as u32;
        self.stretches.push(Stretch { decoded: self.decoded.len() as u32, raw });
        for stretch in self.source.get(begun..).unwrap_or_default() {
            let Some(ahead) = (stretch.decoded as usize).checked_sub(range.start) else { continue };
            if stretch.decoded as usize >= range.end {
                break;
            }
            let decoded = (self.decoded.len() + ahead) as u32;
            self.stretches.push(Stretch { decoded, raw: stretch.raw });
        }
        self.decoded.push_str(text.get(range).unwrap_or_default());
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What stands behind the raw offset of a character decodes to that character and what follows.
        #[test]
        fn each_character_leads_back_to_its_bytes(raw in "([aü😀\\\\,;nN\"]|\r\n[ x]?|\n\t?|\r){0,40}") {
            let text = Text::unescaped(raw.as_bytes());
            for (at, _) in text.decoded.char_indices() {
                let source = text.raw(&(at..text.decoded.len())).unwrap();
                prop_assert_eq!(source.end, raw.len());
                prop_assert_eq!(&Text::unescaped(&raw.as_bytes()[source]).decoded, &text.decoded[at..]);
            }
            prop_assert_eq!(text.raw(&(0..text.decoded.len() + 1)), None);
        }

        #[test]
        fn what_was_escaped_comes_back(value in "[aü😀\\\\,;n\n\"]{0,40}") {
            let raw = escape(&value);
            prop_assert_eq!(Text::unescaped(raw.as_bytes()).decoded, value);
        }
    }

    #[test]
    fn bytes_that_are_no_utf8_are_windows_1252() {
        let text = Text::unescaped(b"\xdcber\\n\r\n \x80");
        assert!(text.windows_1252);
        assert_eq!(text.decoded, "Über\n€");
        assert_eq!(text.raw(&(6..9)), Some(9..10));
        assert_eq!(text.encode("€").as_deref(), Some(&b"\x80"[..]));
        assert_eq!(text.encode("日"), None);
    }
}
