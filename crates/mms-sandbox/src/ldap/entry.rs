//! An entry: its name and its attributes.

/// An entry as it is made for one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    attributes: Vec<(&'static str, Vec<Vec<u8>>)>,
}

impl Entry {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), attributes: Vec::new() }
    }

    /// Gives an attribute one value.
    pub(super) fn set(&mut self, attribute: &'static str, value: impl AsRef<[u8]>) -> &mut Self {
        self.add(attribute, [value])
    }

    /// Gives an attribute several values.
    pub(super) fn add<V: AsRef<[u8]>>(
        &mut self,
        attribute: &'static str,
        values: impl IntoIterator<Item = V>,
    ) -> &mut Self {
        let values = values.into_iter().map(|value| value.as_ref().to_vec()).collect();
        self.attributes.push((attribute, values));
        self
    }

    /// The values of an attribute, whose name is written in any case.
    pub(super) fn values(&self, attribute: &str) -> &[Vec<u8>] {
        let found = self.attributes.iter().find(|(known, _)| known.eq_ignore_ascii_case(attribute));
        found.map_or(&[], |(_, values)| values)
    }

    /// The attributes that a search asks for: all where it names none, none where it names `1.1` alone.
    pub(super) fn selected<'e>(
        &'e self,
        wanted: &'e [&str],
        types_only: bool,
    ) -> impl Iterator<Item = (&'e str, &'e [Vec<u8>])> {
        let all = wanted.is_empty() || wanted.contains(&"*");
        self.attributes
            .iter()
            .filter(move |(known, _)| all || wanted.iter().any(|name| known.eq_ignore_ascii_case(name)))
            .map(move |(known, values)| (*known, if types_only { &[] } else { values.as_slice() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_gets_what_it_asks_for() {
        let mut entry = Entry::new("CN=a");
        entry.set("cn", "a").add("proxyAddresses", ["x", "y"]);
        let names = |wanted: &[&str]| -> Vec<String> {
            entry.selected(wanted, false).map(|(name, _)| name.to_owned()).collect()
        };
        assert_eq!(names(&[]), ["cn", "proxyAddresses"]);
        assert_eq!(names(&["mail", "*"]), ["cn", "proxyAddresses"]);
        assert_eq!(names(&["CN", "mail"]), ["cn"]);
        assert!(names(&["1.1"]).is_empty());
        assert!(entry.selected(&[], true).all(|(_, values)| values.is_empty()));
        assert_eq!(entry.values("PROXYADDRESSES").len(), 2);
    }
}
