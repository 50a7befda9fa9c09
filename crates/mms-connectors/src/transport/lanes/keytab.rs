//! The keys in a keytab file, in MIT's format, which ktpass and ktutil write.

use picky_krb::crypto::CipherSuite;
use zeroize::Zeroizing;

/// Keys of one account.
const MOST_ENTRIES: usize = 1000;

/// A key and what it is for.
pub(super) struct Key {
    pub(super) suite: CipherSuite,
    pub(super) bytes: Zeroizing<Vec<u8>>,
}

/// The newest key of `name@realm`; of several kinds the strongest. None where there is none that can be used.
pub(super) fn newest_key(file: &[u8], name: &str, realm: &str) -> Option<Key> {
    let mut rest = file.strip_prefix(&[5, 2])?;
    let mut best: Option<(u32, u16, Zeroizing<Vec<u8>>)> = None;
    for _ in 0..MOST_ENTRIES {
        let Some(size) = take(&mut rest, 4).map(|size| i32::from_be_bytes(array(size))) else { break };
        let Ok(length) = usize::try_from(size.unsigned_abs()) else { break };
        let Some(entry) = take(&mut rest, length) else { break };
        // A negative size is a hole.
        let Some(entry) = Some(entry).filter(|_| size > 0).and_then(Entry::parse) else { continue };
        let is_wanted = entry.realm.eq_ignore_ascii_case(realm.as_bytes())
            && entry.components.join(&b'/').eq_ignore_ascii_case(name.as_bytes());
        let is_better =
            best.as_ref().is_none_or(|(version, kind, _)| (entry.version, entry.kind) > (*version, *kind));
        if is_wanted && is_better && CipherSuite::try_from(usize::from(entry.kind)).is_ok() {
            best = Some((entry.version, entry.kind, Zeroizing::new(entry.key.to_vec())));
        }
    }
    let (_, kind, bytes) = best?;
    CipherSuite::try_from(usize::from(kind)).ok().map(|suite| Key { suite, bytes })
}

struct Entry<'a> {
    realm: &'a [u8],
    components: Vec<&'a [u8]>,
    version: u32,
    kind: u16,
    key: &'a [u8],
}

impl<'a> Entry<'a> {
    fn parse(mut rest: &'a [u8]) -> Option<Self> {
        let count = number(&mut rest)?;
        let realm = counted(&mut rest)?;
        let components = (0..count).map(|_| counted(&mut rest)).collect::<Option<Vec<_>>>()?;
        // The type of the name, and when it was written.
        take(&mut rest, 8)?;
        let short = u32::from(*take(&mut rest, 1)?.first()?);
        let kind = number(&mut rest)?;
        let key = counted(&mut rest)?;
        let long = take(&mut rest, 4).map(|version| u32::from_be_bytes(array(version)));
        let version = long.filter(|version| *version != 0).unwrap_or(short);
        Some(Self { realm, components, version, kind, key })
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn number(rest: &mut &[u8]) -> Option<u16> {
    take(rest, 2).map(|bytes| u16::from_be_bytes(array(bytes)))
}

fn counted<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = number(rest)?;
    take(rest, usize::from(length))
}

/// The bytes as an array; those that are missing are zero.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    for (to, from) in array.iter_mut().zip(bytes) {
        *to = *from;
    }
    array
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Vec<u8> {
        [&u16::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat()
    }

    fn entry(name: &str, version: u8, kind: u16, key: &[u8]) -> Vec<u8> {
        let mut entry = vec![0, 1];
        entry.extend([text("EXAMPLE.ORG"), text(name)].concat());
        entry.extend([0, 0, 0, 1, 0, 0, 0, 0, version]);
        entry.extend(kind.to_be_bytes());
        entry.extend(u16::try_from(key.len()).unwrap().to_be_bytes());
        entry.extend(key);
        [&i32::try_from(entry.len()).unwrap().to_be_bytes()[..], &entry].concat()
    }

    fn keytab() -> Vec<u8> {
        let hole = [&(-3i32).to_be_bytes()[..], &[9; 3]].concat();
        [
            vec![5, 2],
            entry("mms", 2, 17, &[1; 16]),
            hole,
            entry("mms", 2, 18, &[2; 32]),
            entry("mms", 1, 18, &[3; 32]),
            // RC4.
            entry("mms", 3, 23, &[4; 16]),
            entry("other", 9, 18, &[5; 32]),
        ]
        .concat()
    }

    #[test]
    fn the_newest_and_strongest_key_that_can_be_used_is_taken() {
        let key = newest_key(&keytab(), "MMS", "example.org").unwrap();
        assert_eq!((key.bytes.as_slice(), key.suite), (&[2; 32][..], CipherSuite::Aes256CtsHmacSha196));
        assert!(newest_key(&keytab(), "mms", "OTHER.ORG").is_none());
        assert!(newest_key(b"\x05\x01", "mms", "EXAMPLE.ORG").is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_looked_into(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0..250usize) {
            let whole = [&keytab()[..cut.min(keytab().len())], &bytes[..]].concat();
            let _ = newest_key(&whole, "mms", "EXAMPLE.ORG");
        }
    }
}
