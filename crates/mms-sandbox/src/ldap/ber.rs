//! BER as LDAP restricts it (RFC 4511 section 5.1): tags of one byte, definite lengths, strings in one piece.

/// What cannot be read as BER, or not as what should stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// Universal tags.
const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The bits of a tag that are all set where it goes on in the next byte; LDAP has no such tags.
const LONG_TAG: u8 = 0x1f;

/// The size of the element at the start of `bytes`, header included; none where its header has not come in whole.
pub(super) fn size(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    Ok(header(bytes)?.map(|(header, body)| header + body))
}

/// The sizes of an element's header and body.
fn header(bytes: &[u8]) -> Result<Option<(usize, usize)>, Malformed> {
    let [tag, first, rest @ ..] = bytes else { return Ok(None) };
    if tag & LONG_TAG == LONG_TAG {
        return Err(Malformed);
    }
    match usize::from(*first) {
        short @ 0..=0x7f => Ok(Some((2, short))),
        // 0x80 is the indefinite form; no message is so long that more than four bytes tell its length.
        long @ 0x81..=0x84 => Ok(rest.get(..long - 0x80).map(|length| {
            let body = length.iter().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
            (2 + length.len(), body)
        })),
        _ => Err(Malformed),
    }
}

/// Elements one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next element: its tag and its body.
    pub(super) fn element(&mut self) -> Result<(u8, &'b [u8]), Malformed> {
        let (header, body) = header(self.0)?.ok_or(Malformed)?;
        let tag = *self.0.first().ok_or(Malformed)?;
        let (whole, rest) = self.0.split_at_checked(header + body).ok_or(Malformed)?;
        self.0 = rest;
        Ok((tag, whole.get(header..).ok_or(Malformed)?))
    }

    /// The body of the next element, which has this tag.
    pub(super) fn expect(&mut self, wanted: u8) -> Result<&'b [u8], Malformed> {
        let (tag, body) = self.element()?;
        if tag == wanted { Ok(body) } else { Err(Malformed) }
    }

    /// The body of the next element, if it has this tag.
    pub(super) fn optional(&mut self, wanted: u8) -> Result<Option<&'b [u8]>, Malformed> {
        if self.0.first() == Some(&wanted) { self.expect(wanted).map(Some) } else { Ok(None) }
    }

    /// A sequence, to read on in.
    pub(super) fn sequence(&mut self) -> Result<Reader<'b>, Malformed> {
        self.expect(SEQUENCE).map(Reader)
    }

    pub(super) fn octets(&mut self) -> Result<&'b [u8], Malformed> {
        self.expect(OCTETS)
    }

    pub(super) fn text(&mut self) -> Result<&'b str, Malformed> {
        text(self.octets()?)
    }

    pub(super) fn integer(&mut self) -> Result<i64, Malformed> {
        number(self.expect(INTEGER)?)
    }

    pub(super) fn enumerated(&mut self) -> Result<i64, Malformed> {
        number(self.expect(ENUMERATED)?)
    }

    pub(super) fn boolean(&mut self) -> Result<bool, Malformed> {
        truth(self.expect(BOOLEAN)?)
    }

    /// A boolean that is false where it is left out.
    pub(super) fn flag(&mut self) -> Result<bool, Malformed> {
        self.optional(BOOLEAN)?.map_or(Ok(false), truth)
    }

    /// Everything has been read.
    pub(super) fn end(&self) -> Result<(), Malformed> {
        if self.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

pub(super) fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed)
}

/// The value of a boolean.
pub(super) fn truth(body: &[u8]) -> Result<bool, Malformed> {
    if let [byte] = body { Ok(*byte != 0) } else { Err(Malformed) }
}

/// Two's complement in at most eight bytes.
fn number(body: &[u8]) -> Result<i64, Malformed> {
    let first = body.first().filter(|_| body.len() <= 8).ok_or(Malformed)?;
    let sign = if first & 0x80 == 0 { 0 } else { -1 };
    Ok(body.iter().fold(sign, |sum, byte| sum << 8 | i64::from(*byte)))
}

/// An element whose body is made of `parts`.
pub(super) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body: usize = parts.iter().map(|part| part.len()).sum();
    let mut bytes = Vec::with_capacity(body + 6);
    bytes.push(tag);
    match u8::try_from(body) {
        Ok(short @ 0..0x80) => bytes.push(short),
        _ => {
            let length = (body as u64).to_be_bytes();
            let significant = &length[length.iter().take_while(|byte| **byte == 0).count()..];
            bytes.push(0x80 | significant.len() as u8);
            bytes.extend_from_slice(significant);
        }
    }
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes
}

pub(super) fn octets(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    element(OCTETS, &[bytes.as_ref()])
}

pub(super) fn integer(number: i64) -> Vec<u8> {
    numeric(INTEGER, number)
}

pub(super) fn enumerated(number: i64) -> Vec<u8> {
    numeric(ENUMERATED, number)
}

fn numeric(tag: u8, number: i64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    // As few bytes as keep the sign.
    let spare = bytes.windows(2).take_while(|pair| match pair {
        [0x00, next] => next & 0x80 == 0,
        [0xff, next] => next & 0x80 != 0,
        _ => false,
    });
    element(tag, &[&bytes[spare.count()..]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        for number in [0, 1, 127, 128, 255, 256, -1, -128, -129, i64::from(i32::MAX), i64::MAX, i64::MIN] {
            assert_eq!(Reader::new(&integer(number)).integer(), Ok(number));
        }
        assert_eq!(integer(128), [2, 2, 0, 128]);
        assert_eq!(integer(-128), [2, 1, 0x80]);
        for wrong in [&[2, 0][..], &[2, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1], &[4, 1, 1], &[2, 2, 1], &[2]] {
            assert_eq!(Reader::new(wrong).integer(), Err(Malformed), "{wrong:?}");
        }
    }

    #[test]
    fn lengths_take_every_definite_form() {
        for length in [0, 127, 128, 255, 256, 65_535, 65_536] {
            let written = octets(vec![7; length]);
            assert_eq!(size(&written), Ok(Some(written.len())));
            assert_eq!(Reader::new(&written).octets().map(<[u8]>::len), Ok(length));
        }
        // As Windows and OpenLDAP write them: more bytes than are needed.
        assert_eq!(Reader::new(&[4, 0x84, 0, 0, 0, 1, b'x']).octets(), Ok(&b"x"[..]));
        assert_eq!(size(&[0x30, 0x84, 0, 0]), Ok(None));
        assert_eq!(size(&[0x30, 0x80]), Err(Malformed), "the indefinite form");
        assert_eq!(size(&[0x30, 0x85, 0, 0, 0, 0, 1]), Err(Malformed));
        assert_eq!(size(&[0x3f, 1, 0]), Err(Malformed), "a long tag");
    }

    #[test]
    fn what_is_cut_off_is_malformed() {
        let whole = element(SEQUENCE, &[&octets("abc"), &integer(5)]);
        for end in 0..whole.len() {
            assert_eq!(Reader::new(&whole[..end]).sequence().map(|_| ()), Err(Malformed), "{end}");
        }
        let mut inside = Reader::new(&whole).sequence().unwrap();
        assert_eq!((inside.text(), inside.end()), (Ok("abc"), Err(Malformed)));
        assert_eq!((inside.integer(), inside.end()), (Ok(5), Ok(())));
        assert_eq!(Reader::new(&octets([0xff])).text(), Err(Malformed));
    }
}
