//! Filters (RFC 4511 section 4.5.1.7) and what fits them. What a filter asks of an attribute that nobody knows is neither
//! true nor false.

use super::ber::{self, Malformed, Reader};
use super::entry::Entry;
use super::schema::{Syntax, Value, syntax};

/// How deep filters may lie in one another.
const DEEPEST: usize = 32;
/// How many parts a filter may have, values of substrings included.
const MOST_PARTS: usize = 1024;

/// Bits of a number that must all be set (LDAP_MATCHING_RULE_BIT_AND, MS-ADTS section 3.1.1.3.4.4).
const BIT_AND: &str = "1.2.840.113556.1.4.803";
/// … of which one must be set.
const BIT_OR: &str = "1.2.840.113556.1.4.804";

#[derive(Debug)]
pub(super) enum Filter<'b> {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Present(&'b str),
    Compared(Attribute<'b>, Comparison, Value<'b>),
    Substrings(Attribute<'b>, Pattern),
    /// A rule that is not known here.
    Undefined,
}

/// An attribute by its name; none where nobody knows it.
type Attribute<'b> = Option<(&'b str, Syntax)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    AtLeast,
    AtMost,
    AllBits,
    AnyBit,
}

/// Parts of a text in lower case.
#[derive(Debug, Default)]
pub(super) struct Pattern {
    start: Option<String>,
    middle: Vec<String>,
    end: Option<String>,
}

impl<'b> Filter<'b> {
    /// The filter in an element.
    pub(super) fn read(tag: u8, body: &'b [u8]) -> Result<Self, Malformed> {
        read(tag, body, DEEPEST, &mut 0)
    }

    /// Whether an entry fits; none where the filter says nothing of it.
    pub(super) fn fits(&self, entry: &Entry) -> Option<bool> {
        match self {
            Self::And(parts) => all(parts, entry),
            Self::Or(parts) => any(parts, entry),
            Self::Not(part) => part.fits(entry).map(|fits| !fits),
            Self::Present(name) => syntax(name).map(|_| !entry.values(name).is_empty()),
            Self::Compared(attribute, comparison, wanted) => {
                let (name, syntax) = (*attribute)?;
                let mut undefined = false;
                let fits = entry.values(name).iter().any(|value| {
                    let fits = compare(syntax, *comparison, value, wanted);
                    undefined |= fits.is_none();
                    fits == Some(true)
                });
                if undefined { None } else { Some(fits) }
            }
            Self::Substrings(attribute, pattern) => {
                let (name, syntax) = (*attribute)?;
                let fits = |value: &Vec<u8>| pattern.fits(&String::from_utf8_lossy(value).to_lowercase());
                (syntax == Syntax::Text).then(|| entry.values(name).iter().any(fits))
            }
            Self::Undefined => None,
        }
    }
}

fn all(parts: &[Filter<'_>], entry: &Entry) -> Option<bool> {
    let mut fits = Some(true);
    for part in parts {
        match part.fits(entry) {
            Some(false) => return Some(false),
            None => fits = None,
            Some(true) => {}
        }
    }
    fits
}

fn any(parts: &[Filter<'_>], entry: &Entry) -> Option<bool> {
    let mut fits = Some(false);
    for part in parts {
        match part.fits(entry) {
            Some(true) => return Some(true),
            None => fits = None,
            Some(false) => {}
        }
    }
    fits
}

fn compare(syntax: Syntax, comparison: Comparison, value: &[u8], wanted: &Value<'_>) -> Option<bool> {
    let numbers = || Some((std::str::from_utf8(value).ok()?.parse::<i64>().ok()?, wanted.number()?));
    match (comparison, syntax) {
        (Comparison::Equal, _) => wanted.equals(syntax, value),
        (Comparison::AtLeast, Syntax::Integer) => numbers().map(|(value, wanted)| value >= wanted),
        (Comparison::AtMost, Syntax::Integer) => numbers().map(|(value, wanted)| value <= wanted),
        (Comparison::AllBits, Syntax::Integer) => numbers().map(|(value, wanted)| value & wanted == wanted),
        (Comparison::AnyBit, Syntax::Integer) => numbers().map(|(value, wanted)| value & wanted != 0),
        (Comparison::AtLeast | Comparison::AtMost, Syntax::Text) => {
            let value = std::str::from_utf8(value).ok()?.to_lowercase();
            let wanted = wanted.lower()?;
            Some(if comparison == Comparison::AtLeast { *value >= *wanted } else { *value <= *wanted })
        }
        _ => None,
    }
}

impl Pattern {
    fn fits(&self, value: &str) -> bool {
        let Some(mut rest) = value.strip_prefix(self.start.as_deref().unwrap_or_default()) else {
            return false;
        };
        for part in &self.middle {
            match rest.split_once(part.as_str()) {
                Some((_, behind)) => rest = behind,
                None => return false,
            }
        }
        rest.ends_with(self.end.as_deref().unwrap_or_default())
    }
}

fn read<'b>(tag: u8, body: &'b [u8], deepest: usize, parts: &mut usize) -> Result<Filter<'b>, Malformed> {
    *parts += 1;
    let deeper = deepest.checked_sub(1).filter(|_| *parts <= MOST_PARTS).ok_or(Malformed)?;
    let mut inside = Reader::new(body);
    let list = |parts: &mut usize| {
        let mut inside = Reader::new(body);
        let mut list = Vec::new();
        while !inside.is_empty() {
            let (tag, body) = inside.element()?;
            list.push(read(tag, body, deeper, parts)?);
        }
        Ok(list)
    };
    let filter = match tag {
        0xa0 => return list(parts).map(Filter::And),
        0xa1 => return list(parts).map(Filter::Or),
        0xa2 => {
            let (tag, body) = inside.element()?;
            Filter::Not(Box::new(read(tag, body, deeper, parts)?))
        }
        // Active Directory takes "nearly equal" for "equal".
        0xa3 | 0xa8 => compared(&mut inside, Comparison::Equal)?,
        0xa4 => return substrings(inside, parts),
        0xa5 => compared(&mut inside, Comparison::AtLeast)?,
        0xa6 => compared(&mut inside, Comparison::AtMost)?,
        0x87 => return ber::text(body).map(Filter::Present),
        0xa9 => extensible(&mut inside)?,
        _ => return Err(Malformed),
    };
    inside.end()?;
    Ok(filter)
}

fn attribute(name: &str) -> Attribute<'_> {
    syntax(name).map(|syntax| (name, syntax))
}

fn compared<'b>(inside: &mut Reader<'b>, comparison: Comparison) -> Result<Filter<'b>, Malformed> {
    let (name, value) = (inside.text()?, inside.octets()?);
    Ok(Filter::Compared(attribute(name), comparison, Value::new(value)))
}

fn substrings<'b>(mut inside: Reader<'b>, parts: &mut usize) -> Result<Filter<'b>, Malformed> {
    let name = inside.text()?;
    let mut list = inside.sequence()?;
    inside.end()?;
    let mut pattern = Pattern::default();
    let mut count = 0;
    while !list.is_empty() {
        count += 1;
        let (tag, body) = list.element()?;
        let text = String::from_utf8_lossy(body).to_lowercase();
        match tag {
            0x80 if count == 1 => pattern.start = Some(text),
            0x81 => pattern.middle.push(text),
            0x82 if list.is_empty() => pattern.end = Some(text),
            _ => return Err(Malformed),
        }
    }
    *parts += count;
    if count == 0 || *parts > MOST_PARTS {
        Err(Malformed)
    } else {
        Ok(Filter::Substrings(attribute(name), pattern))
    }
}

fn extensible<'b>(inside: &mut Reader<'b>) -> Result<Filter<'b>, Malformed> {
    let rule = inside.optional(0x81)?.map(ber::text).transpose()?;
    let name = inside.optional(0x82)?.map(ber::text).transpose()?;
    let value = inside.expect(0x83)?;
    inside.optional(0x84)?.map(ber::truth).transpose()?;
    let comparison = match rule {
        Some(BIT_AND) => Comparison::AllBits,
        Some(BIT_OR) => Comparison::AnyBit,
        _ => return Ok(Filter::Undefined),
    };
    Ok(match name {
        Some(name) => Filter::Compared(attribute(name), comparison, Value::new(value)),
        None => Filter::Undefined,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let mut entry = Entry::new("CN=Chloé Adler,OU=Staff,DC=contoso,DC=example");
        entry.set("displayName", "Chloé Adler").set("userAccountControl", "514").set("objectGUID", [1, 2]);
        entry.add("proxyAddresses", ["SMTP:chloe@contoso.example", "smtp:c@contoso.example"]);
        entry.set("objectCategory", "CN=Person,CN=Schema,CN=Configuration,DC=contoso,DC=example");
        entry
    }

    fn equal(name: &str, value: impl AsRef<[u8]>) -> Vec<u8> {
        ber::element(0xa3, &[&ber::octets(name), &ber::octets(value)])
    }

    fn order(tag: u8, name: &str, value: &str) -> Vec<u8> {
        ber::element(tag, &[&ber::octets(name), &ber::octets(value)])
    }

    fn parts(name: &str, parts: &[(u8, &str)]) -> Vec<u8> {
        let parts: Vec<u8> =
            parts.iter().flat_map(|(tag, text)| ber::element(*tag, &[text.as_bytes()])).collect();
        ber::element(0xa4, &[&ber::octets(name), &ber::element(ber::SEQUENCE, &[&parts])])
    }

    fn bits(rule: &str, name: &str, value: &str) -> Vec<u8> {
        let parts =
            [(0x81, rule), (0x82, name), (0x83, value)].map(|(t, p)| ber::element(t, &[p.as_bytes()]));
        ber::element(0xa9, &[&parts.concat()])
    }

    fn parsed(filter: &[u8]) -> Result<Filter<'_>, Malformed> {
        let (tag, body) = Reader::new(filter).element()?;
        Filter::read(tag, body)
    }

    fn fits(filter: &[u8]) -> Option<bool> {
        parsed(filter).unwrap().fits(&entry())
    }

    #[test]
    fn values_compare_as_their_attribute_says() {
        assert_eq!(fits(&equal("DISPLAYNAME", "CHLOÉ adler")), Some(true));
        assert_eq!(fits(&equal("displayName", "Chloé")), Some(false));
        assert_eq!(fits(&equal("proxyAddresses", "SMTP:C@contoso.example")), Some(true));
        assert_eq!(fits(&equal("objectGUID", [1, 2])), Some(true));
        assert_eq!(fits(&equal("objectGUID", [1, 2, 3])), Some(false));
        assert_eq!(fits(&equal("userAccountControl", "0514")), Some(true));
        assert_eq!(fits(&equal("userAccountControl", "many")), None);
        assert_eq!(fits(&equal("objectCategory", "person")), Some(true));
        assert_eq!(
            fits(&equal("objectCategory", "cn=person, CN=Schema,CN=Configuration,DC=contoso,dc=example")),
            Some(true)
        );
        assert_eq!(fits(&equal("mail", "a@b")), Some(false), "the entry has none");
        assert_eq!(fits(&equal("noSuchAttribute", "x")), None);
        assert_eq!(fits(&ber::element(0x87, &[b"mail"])), Some(false));
        assert_eq!(fits(&ber::element(0x87, &[b"displayname"])), Some(true));
    }

    #[test]
    fn numbers_and_texts_have_an_order_and_numbers_have_bits() {
        let control = "userAccountControl";
        assert_eq!(fits(&order(0xa5, control, "99")), Some(true), "not as texts");
        assert_eq!(fits(&order(0xa6, control, "514")), Some(true));
        assert_eq!(fits(&order(0xa6, control, "513")), Some(false));
        assert_eq!(fits(&order(0xa5, "displayName", "b")), Some(true));
        assert_eq!(fits(&order(0xa5, "objectGUID", "b")), None);
        assert_eq!(fits(&bits(BIT_AND, control, "2")), Some(true));
        assert_eq!(fits(&bits(BIT_AND, control, "3")), Some(false));
        assert_eq!(fits(&bits(BIT_OR, control, "3")), Some(true));
        assert_eq!(fits(&bits("1.2.3", control, "3")), None);
    }

    #[test]
    fn substrings_keep_their_order_and_do_not_overlap() {
        let name = "displayName";
        assert_eq!(fits(&parts(name, &[(0x80, "CHL"), (0x82, "ler")])), Some(true));
        assert_eq!(fits(&parts(name, &[(0x81, "adl"), (0x81, "ler")])), Some(false), "l is there once");
        assert_eq!(fits(&parts(name, &[(0x81, "é "), (0x81, "dl")])), Some(true));
        assert_eq!(fits(&parts(name, &[(0x80, "chloé adler"), (0x82, "r")])), Some(false));
        assert_eq!(fits(&parts("objectGUID", &[(0x80, "x")])), None);
        for wrong in [&[][..], &[(0x82, "a"), (0x81, "b")], &[(0x81, "a"), (0x80, "b")], &[(0x83, "a")]] {
            assert!(parsed(&parts(name, wrong)).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_undefined_stays_so_unless_the_rest_tells() {
        let (yes, no, undefined) =
            (equal("displayName", "Chloé Adler"), equal("displayName", "x"), equal("what", "x"));
        let both = |tag: u8, a: &[u8], b: &[u8]| fits(&ber::element(tag, &[a, b]));
        assert_eq!(both(0xa0, &yes, &undefined), None);
        assert_eq!(both(0xa0, &no, &undefined), Some(false));
        assert_eq!(both(0xa1, &yes, &undefined), Some(true));
        assert_eq!(both(0xa1, &no, &undefined), None);
        assert_eq!(fits(&ber::element(0xa2, &[&undefined])), None);
        assert_eq!(fits(&ber::element(0xa2, &[&no])), Some(true));
        assert_eq!(fits(&[0xa0, 0]), Some(true), "the absolute true filter (RFC 4526)");
        assert_eq!(fits(&[0xa1, 0]), Some(false));
    }

    #[test]
    fn filters_that_are_too_deep_or_too_long_are_refused() {
        let mut deep = equal("cn", "x");
        for _ in 0..DEEPEST {
            deep = ber::element(0xa2, &[&deep]);
        }
        assert!(parsed(&deep).is_err());
        let long: Vec<u8> = std::iter::repeat_n(equal("cn", "x"), MOST_PARTS).flatten().collect();
        assert!(parsed(&ber::element(0xa1, &[&long])).is_err());
        assert!(parsed(&ber::element(0xa2, &[&equal("cn", "x"), &equal("cn", "y")])).is_err());
    }
}
