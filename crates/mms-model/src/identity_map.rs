//! Who is who after a move between tenants: old address → new address.

use std::collections::HashMap;

use crate::Address;

/// One line of an identity map: an address and its successor, or two domains, each with `@` in front
/// (`*@` says the same).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityMapRow {
    /// The address or domain of before.
    pub source: String,
    /// The address or domain of now. The same as `source` says that it stays, whatever a domain's row says.
    pub target: String,
}

/// The addresses of people, rooms and groups before and after a move between tenants.
///
/// Applying it twice does what applying it once does: a target that is itself a source is refused.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdentityMap {
    /// By address in lower case.
    addresses: HashMap<String, Address>,
    /// By domain in lower case.
    domains: HashMap<String, String>,
    /// The keys of `addresses` by the address in lower case that they become, sorted.
    address_sources: HashMap<String, Vec<String>>,
    /// The keys of `domains` by the domain that they become, sorted.
    domain_sources: HashMap<String, Vec<String>>,
}

/// Why a row cannot be in a map.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityMapError {
    /// Neither an address nor a domain.
    #[error("\"{0}\" is neither a mail address nor a domain (@contoso.com)")]
    NotAnAddress(String),
    /// An address on one side, a domain on the other.
    #[error("a domain can only become a domain, and an address an address: \"{0}\", \"{1}\"")]
    Unlike(String, String),
    /// The source stands in two rows.
    #[error("\"{0}\" stands in the map twice")]
    Twice(String),
    /// The target is the source of another row, so that a second migration would change it again.
    #[error(
        "\"{target}\" is a target and, by another row, becomes \"{further}\": name the last address directly"
    )]
    Chain {
        /// The address in the middle.
        target: String,
        /// What the other row makes of it.
        further: String,
    },
}

/// A side of a row.
enum Name {
    Address(Address),
    Domain(String),
}

impl Name {
    fn read(text: &str) -> Result<Self, IdentityMapError> {
        let text = text.trim();
        let error = || IdentityMapError::NotAnAddress(text.to_owned());
        if let Some(domain) = text.strip_prefix('@').or_else(|| text.strip_prefix("*@")) {
            return if is_domain(domain) {
                Ok(Self::Domain(domain.to_ascii_lowercase()))
            } else {
                Err(error())
            };
        }
        let address = Address::new(text);
        match address.as_str().rsplit_once('@') {
            Some((local, domain)) if is_local(local) && is_domain(domain) => Ok(Self::Address(address)),
            _ => Err(error()),
        }
    }
}

/// What goes into an address unquoted (RFC 5322 section 3.4.1, RFC 6531 letters included).
fn is_local(text: &str) -> bool {
    let refused = |c: char| c.is_whitespace() || c.is_control() || r#"()<>[]:;@\,""#.contains(c);
    !text.is_empty() && text != "*" && !text.contains(refused)
}

fn is_domain(text: &str) -> bool {
    is_local(text) && !text.contains('*') && !text.starts_with('.') && !text.ends_with('.')
}

impl IdentityMap {
    /// A map of `rows`.
    ///
    /// # Errors
    /// The index of the first row that cannot stand, and why.
    pub fn new(rows: &[IdentityMapRow]) -> Result<Self, (usize, IdentityMapError)> {
        let mut map = Self::default();
        for (index, row) in rows.iter().enumerate() {
            map.add(row).map_err(|error| (index, error))?;
        }
        let leaving = map.leaving();
        for (index, row) in rows.iter().enumerate() {
            map.ends_here(row, &leaving).map_err(|error| (index, error))?;
        }
        map.address_sources = inverted(map.addresses.iter().map(|(source, target)| (source, key(target))));
        map.domain_sources = inverted(map.domains.iter().map(|(source, target)| (source, target.clone())));
        Ok(map)
    }

    /// By domain, the first address below it that becomes another, and which.
    fn leaving(&self) -> HashMap<String, (String, Address)> {
        let mut leaving: HashMap<String, (String, Address)> = HashMap::new();
        for (source, target) in &self.addresses {
            let Some(domain) = domain_of(source).filter(|_| key(target) != *source) else { continue };
            match leaving.get_mut(domain) {
                Some(first) if first.0 <= *source => {}
                Some(first) => *first = (source.clone(), target.clone()),
                None => drop(leaving.insert(domain.to_owned(), (source.clone(), target.clone()))),
            }
        }
        leaving
    }

    fn add(&mut self, row: &IdentityMapRow) -> Result<(), IdentityMapError> {
        let known = match (Name::read(&row.source)?, Name::read(&row.target)?) {
            (Name::Address(source), Name::Address(target)) => {
                self.addresses.insert(key(&source), target).is_some()
            }
            (Name::Domain(source), Name::Domain(target)) => self.domains.insert(source, target).is_some(),
            _ => return Err(IdentityMapError::Unlike(row.source.clone(), row.target.clone())),
        };
        if known { Err(IdentityMapError::Twice(row.source.trim().to_owned())) } else { Ok(()) }
    }

    /// Refuses a row whose target is mapped again.
    fn ends_here(
        &self,
        row: &IdentityMapRow,
        leaving: &HashMap<String, (String, Address)>,
    ) -> Result<(), IdentityMapError> {
        let chain =
            |target: &str, further: String| IdentityMapError::Chain { target: target.to_owned(), further };
        match Name::read(&row.target)? {
            Name::Address(target) => match self.target(&target) {
                Some(further) => Err(chain(target.as_str(), further.to_string())),
                None => Ok(()),
            },
            Name::Domain(target) => {
                if let Some(further) = self.domains.get(&target).filter(|further| **further != target) {
                    return Err(chain(&format!("@{target}"), format!("@{further}")));
                }
                let further = leaving.get(&target);
                further.map_or(Ok(()), |(source, further)| Err(chain(source, further.to_string())))
            }
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.domains.is_empty()
    }

    /// What `address` is called now; none where it stays.
    pub fn target(&self, address: &Address) -> Option<Address> {
        let source = key(address);
        let target = match self.addresses.get(&source) {
            Some(target) => target.clone(),
            None => {
                let (local, domain) = address.as_str().rsplit_once('@')?;
                let domain = self.domains.get(&domain.to_ascii_lowercase())?;
                Address::new(&format!("{local}@{domain}"))
            }
        };
        (target != *address).then_some(target)
    }

    /// What `address` was called before, each former address once.
    pub fn sources(&self, address: &Address) -> Vec<Address> {
        let named = self.address_sources.get(&key(address)).into_iter().flatten();
        let mut sources: Vec<Address> = named.map(|source| Address::new(source)).collect();
        if let Some((local, domain)) = address.as_str().rsplit_once('@') {
            let domains = self.domain_sources.get(&domain.to_ascii_lowercase()).into_iter().flatten();
            sources.extend(domains.map(|source| Address::new(&format!("{local}@{source}"))));
        }
        sources.retain(|source| self.target(source).as_ref() == Some(address));
        sources.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        sources.dedup();
        sources
    }
}

fn key(address: &Address) -> String {
    address.as_str().to_ascii_lowercase()
}

/// Pairs of source and target by their targets.
fn inverted<'s>(pairs: impl Iterator<Item = (&'s String, String)>) -> HashMap<String, Vec<String>> {
    let mut by_target: HashMap<String, Vec<String>> = HashMap::new();
    for (source, target) in pairs {
        by_target.entry(target).or_default().push(source.clone());
    }
    by_target.values_mut().for_each(|sources| sources.sort_unstable());
    by_target
}

fn domain_of(address: &str) -> Option<&str> {
    address.rsplit_once('@').map(|(_, domain)| domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(rows: &[(&str, &str)]) -> Result<IdentityMap, (usize, IdentityMapError)> {
        let row = |(source, target): &(&str, &str)| IdentityMapRow {
            source: (*source).to_owned(),
            target: (*target).to_owned(),
        };
        IdentityMap::new(&rows.iter().map(row).collect::<Vec<_>>())
    }

    fn target(map: &IdentityMap, address: &str) -> Option<String> {
        map.target(&Address::new(address)).map(|target| target.to_string())
    }

    #[test]
    fn addresses_go_before_domains() {
        let map = map(&[
            ("Ann@old.example", "anna@new.example"),
            ("@OLD.example", "*@new.example"),
            ("desk@old.example", "desk@old.example"),
        ])
        .unwrap();
        assert_eq!(target(&map, "ann@OLD.example").as_deref(), Some("anna@new.example"));
        assert_eq!(target(&map, "Bob@old.example").as_deref(), Some("Bob@new.example"));
        assert_eq!(target(&map, "desk@old.example"), None, "an exception to the domain's row");
        assert_eq!(target(&map, "bob@sub.old.example"), None);
        assert_eq!(target(&map, "bob@new.example"), None);
        assert_eq!(target(&map, "no address"), None);
    }

    #[test]
    fn former_addresses_are_found() {
        let map = map(&[
            ("ann@old.example", "anna@new.example"),
            ("a.smith@older.example", "ANNA@new.example"),
            ("@old.example", "@new.example"),
        ])
        .unwrap();
        let sources = |address: &str| -> Vec<String> {
            map.sources(&Address::new(address)).iter().map(ToString::to_string).collect()
        };
        assert_eq!(
            sources("Anna@new.example"),
            ["Anna@old.example", "a.smith@older.example", "ann@old.example"]
        );
        assert_eq!(sources("ann@new.example"), Vec::<String>::new(), "ann@old.example became somebody else");
        assert_eq!(sources("bob@new.example"), ["bob@old.example"]);
    }

    /// Whoever looks through all rows for each address, or through all addresses for each domain, takes minutes here.
    #[test]
    fn large_maps_are_looked_up_and_not_searched() {
        let people = (0..190_000).map(|n| (format!("p{n}@old.example"), format!("person{n}@new.example")));
        let domains = (0..10_000).map(|n| (format!("@d{n}.old.example"), format!("@d{n}.new.example")));
        let rows: Vec<IdentityMapRow> =
            people.chain(domains).map(|(source, target)| IdentityMapRow { source, target }).collect();
        let map = IdentityMap::new(&rows).unwrap();
        for n in 0..10_000 {
            let person = map.sources(&Address::new(&format!("Person{n}@New.example")));
            assert_eq!(person, [Address::new(&format!("p{n}@old.example"))]);
            let below = map.sources(&Address::new(&format!("bob@D{n}.new.example")));
            assert_eq!(below, [Address::new(&format!("bob@d{n}.old.example"))]);
        }
    }

    #[test]
    fn a_target_is_no_source() {
        for rows in [
            vec![("a@old.example", "b@old.example"), ("b@old.example", "c@old.example")],
            vec![("a@old.example", "b@mid.example"), ("@mid.example", "@new.example")],
            vec![("@old.example", "@mid.example"), ("@mid.example", "@new.example")],
            vec![("@old.example", "@new.example"), ("bob@new.example", "rob@new.example")],
        ] {
            let (row, error) = map(&rows).unwrap_err();
            assert!(matches!(error, IdentityMapError::Chain { .. }), "{rows:?}: {error}");
            assert_eq!(row, 0);
        }
    }

    #[test]
    fn rows_that_cannot_stand_are_refused() {
        let error = |source: &str, target: &str| map(&[(source, target)]).unwrap_err().1;
        for bad in
            ["", "bob", "bob@", "@", "*@", "a b@x.example", "a@x.example\r\nATTENDEE:b", "\"a\"@x.example"]
        {
            assert!(matches!(error(bad, "a@b.example"), IdentityMapError::NotAnAddress(_)), "{bad}");
            assert!(matches!(error("a@b.example", bad), IdentityMapError::NotAnAddress(_)), "{bad}");
        }
        assert!(matches!(error("@a.example", "b@c.example"), IdentityMapError::Unlike(..)));
        let twice = map(&[("a@x.example", "b@y.example"), ("A@x.example", "b@y.example")]);
        assert_eq!(twice, Err((1, IdentityMapError::Twice("A@x.example".to_owned()))));
    }
}
