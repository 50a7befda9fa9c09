//! Text in the encodings that event files come in.

use std::borrow::Cow;

use encoding_rs::{UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// The text of `bytes`: UTF-8 or UTF-16 by byte order mark, UTF-16 by its NUL bytes, UTF-8 where
/// it is valid, else Windows-1252 (which holds Latin-1). None for what is no text.
pub(super) fn decode(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let text = if let Some((encoding, mark)) = encoding_rs::Encoding::for_bom(bytes) {
        encoding.decode_without_bom_handling(bytes.get(mark..)?).0
    } else if let Some(encoding) = wide(bytes) {
        encoding.decode_without_bom_handling(bytes).0
    } else {
        match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            // A file cut off within a character is still UTF-8.
            Err(error) if error.error_len().is_none() => UTF_8.decode_without_bom_handling(bytes).0,
            // RFC 5545 §3.1: lines may be folded within a character.
            Err(_) => match unfolded(bytes).map(String::from_utf8) {
                Some(Ok(text)) => Cow::Owned(text),
                _ => WINDOWS_1252.decode_without_bom_handling(bytes).0,
            },
        }
    };
    let controls = text.bytes().filter(|b| *b < 9).count();
    if controls > 16 && controls > text.len() / 32 {
        return None;
    }
    Some(if memchr::memchr(0, text.as_bytes()).is_some() {
        Cow::Owned(text.replace('\0', " "))
    } else {
        text
    })
}

/// The bytes of a calendar with its lines unfolded; none for what is no calendar.
fn unfolded(bytes: &[u8]) -> Option<Vec<u8>> {
    let start = bytes.trim_ascii_start();
    if !start.get(..15)?.eq_ignore_ascii_case(b"BEGIN:VCALENDAR") {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
        let (line, behind) = rest.split_at(at);
        out.extend_from_slice(line);
        let ending = if behind.starts_with(b"\r\n") { 2 } else { 1 };
        let (ending, behind) = behind.split_at(ending);
        rest = match behind {
            [b' ' | b'\t', folded @ ..] => folded,
            _ => {
                out.extend_from_slice(ending);
                behind
            }
        };
    }
    out.extend_from_slice(rest);
    Some(out)
}

/// UTF-16 without a mark: in text of European languages every second byte is NUL.
fn wide(bytes: &[u8]) -> Option<&'static encoding_rs::Encoding> {
    let head = bytes.get(..bytes.len().min(512) & !1).filter(|head| head.len() >= 8)?;
    let nul = |offset: usize| head.iter().skip(offset).step_by(2).filter(|b| **b == 0).count();
    let (even, odd, half) = (nul(0), nul(1), head.len() / 2);
    match () {
        () if odd * 10 > half * 8 && even * 10 < half => Some(UTF_16LE),
        () if even * 10 > half * 8 && odd * 10 < half => Some(UTF_16BE),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_encodings_apart() {
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        assert_eq!(decode("\u{FEFF}Über".as_bytes()).unwrap(), "Über");
        assert_eq!(decode(b"\xDCber").unwrap(), "Über");
        assert_eq!(decode(&wide("\u{FEFF}Über")).unwrap(), "Über");
        assert_eq!(decode(&wide("BEGIN:VCALENDAR")).unwrap(), "BEGIN:VCALENDAR");
        assert_eq!(decode(&[0xC3]).unwrap(), "\u{FFFD}");
        let folded = b"BEGIN:VCALENDAR\r\nDESCRIPTION:Gr\xC3\r\n \xBCn\r\nEND:VCALENDAR\r\n";
        assert_eq!(decode(folded).unwrap(), "BEGIN:VCALENDAR\r\nDESCRIPTION:Gr\u{fc}n\r\nEND:VCALENDAR\r\n");
        let latin = b"BEGIN:VCALENDAR\r\nDESCRIPTION:Gr\xFCn\r\n";
        assert_eq!(decode(latin).unwrap(), "BEGIN:VCALENDAR\r\nDESCRIPTION:Gr\u{fc}n\r\n");
        assert_eq!(decode(b"a\0b").unwrap(), "a b");
        assert!(decode(&[1; 1000]).is_none());
    }
}
