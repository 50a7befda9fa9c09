//! Distinguished names (RFC 4514) as they compare: without case, and without blanks around their parts.

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Name {
    /// Attribute and value of each part in lower case, the entry's own part first.
    parts: Vec<(String, String)>,
}

impl Name {
    /// The empty name is that of the root.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (part, behind) = first_part(rest)?;
            let (attribute, value) = part.split_once('=')?;
            let (attribute, value) = (attribute.trim(), unescaped(value.trim_start())?);
            if attribute.is_empty() || value.is_empty() {
                return None;
            }
            parts.push((attribute.to_ascii_lowercase(), value.to_lowercase()));
            rest = match behind {
                Some(behind) if behind.trim().is_empty() => return None,
                Some(behind) => behind,
                None => "",
            };
        }
        Some(Self { parts })
    }

    pub(super) fn is_root(&self) -> bool {
        self.parts.is_empty()
    }

    /// The value of the entry's own part, in lower case.
    pub(super) fn first_value(&self) -> Option<&str> {
        self.parts.first().map(|(_, value)| value.as_str())
    }

    /// Whether this is `above`, or lies somewhere below it.
    pub(super) fn is_within(&self, above: &Self) -> bool {
        self.parts.ends_with(&above.parts)
    }

    /// Whether this lies right below `above`.
    pub(super) fn is_child_of(&self, above: &Self) -> bool {
        self.parts.len() == above.parts.len() + 1 && self.is_within(above)
    }
}

/// The text before the first comma that stands for itself, and what is behind the comma.
fn first_part(text: &str) -> Option<(&str, Option<&str>)> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b',' | b';' if !escaped => return Some((text.get(..at)?, text.get(at + 1..))),
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    Some((text, None))
}

/// A value without its escapes (RFC 4514 section 2.4): `\,` or `\2c`.
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    // Blanks at the end belong to the value where they are escaped.
    let mut kept = 0;
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            kept = if byte == b' ' { kept } else { bytes.len() };
            continue;
        }
        let first = rest.next()?;
        let hex = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(match hex(first) {
            Some(high) => high << 4 | hex(rest.next()?)?,
            None => first,
        });
        kept = bytes.len();
    }
    bytes.truncate(kept);
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn names_compare_however_they_are_written() {
        assert_eq!(name("CN=Adler\\, Anna , ou = Staff"), name("cn=adler\\2c anna,OU=staff"));
        assert_eq!(name("CN=Chlo\\C3\\A9"), name("cn=chloé"));
        assert_ne!(name("CN=a\\ "), name("CN=a "));
        for wrong in ["a", "=a", "CN=", "CN=a,", "CN=a,,DC=b", "CN=a\\", "CN=\\f", "CN=\\ff"] {
            assert_eq!(Name::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names_lie_within_one_another() {
        let (domain, staff) = (name("DC=contoso,DC=example"), name("OU=Staff,DC=contoso,DC=example"));
        assert!(staff.is_child_of(&domain) && staff.is_within(&domain) && domain.is_within(&domain));
        assert!(!domain.is_child_of(&domain) && !domain.is_within(&staff));
        assert!(!name("DC=xcontoso,DC=example").is_within(&domain));
        assert!(staff.is_within(&Name::default()) && name("").is_root());
    }
}
