//! The attributes that the directory knows, as Active Directory, Exchange and Skype for Business define them, and how
//! their values compare.

use super::name::Name;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    /// Compared without case.
    Text,
    Integer,
    Octets,
    /// A distinguished name.
    Name,
    /// The name of a class, which may also be called as it is called in filters: `person`.
    Category,
}

/// Every attribute, as it is spelled in answers.
const ATTRIBUTES: &[(&str, Syntax)] = &[
    ("cn", Syntax::Text),
    ("configurationNamingContext", Syntax::Name),
    ("dc", Syntax::Text),
    ("defaultNamingContext", Syntax::Name),
    ("displayName", Syntax::Text),
    ("distinguishedName", Syntax::Name),
    ("dnsHostName", Syntax::Text),
    ("dnsRoot", Syntax::Text),
    ("givenName", Syntax::Text),
    ("homeMDB", Syntax::Name),
    ("mail", Syntax::Text),
    ("msExchRecipientTypeDetails", Syntax::Integer),
    ("msExchRemoteRecipientType", Syntax::Integer),
    ("msRTCSIP-DeploymentLocator", Syntax::Text),
    ("msRTCSIP-PrimaryHomeServer", Syntax::Name),
    ("msRTCSIP-PrimaryUserAddress", Syntax::Text),
    ("msRTCSIP-UserEnabled", Syntax::Text),
    ("nCName", Syntax::Name),
    ("nETBIOSName", Syntax::Text),
    ("name", Syntax::Text),
    ("namingContexts", Syntax::Name),
    ("objectCategory", Syntax::Category),
    ("objectClass", Syntax::Text),
    ("objectGUID", Syntax::Octets),
    ("ou", Syntax::Text),
    ("proxyAddresses", Syntax::Text),
    ("rootDomainNamingContext", Syntax::Name),
    ("sAMAccountName", Syntax::Text),
    ("schemaNamingContext", Syntax::Name),
    ("sn", Syntax::Text),
    ("supportedControl", Syntax::Text),
    ("supportedLDAPVersion", Syntax::Integer),
    ("targetAddress", Syntax::Text),
    ("userAccountControl", Syntax::Integer),
    ("userPrincipalName", Syntax::Text),
];

/// How the values of an attribute compare; none where nobody knows it. Names compare without case.
pub(super) fn syntax(name: &str) -> Option<Syntax> {
    ATTRIBUTES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, syntax)| *syntax)
}

/// A value that a filter asks for, in every form that comparing needs.
#[derive(Debug)]
pub(super) struct Value<'b> {
    raw: &'b [u8],
    lower: Option<String>,
    name: Option<Name>,
}

impl<'b> Value<'b> {
    pub(super) fn new(raw: &'b [u8]) -> Self {
        let text = std::str::from_utf8(raw).ok();
        let name = text.filter(|text| text.contains('=')).and_then(Name::parse);
        Self { raw, lower: text.map(str::to_lowercase), name }
    }

    pub(super) fn raw(&self) -> &'b [u8] {
        self.raw
    }

    pub(super) fn lower(&self) -> Option<&str> {
        self.lower.as_deref()
    }

    pub(super) fn number(&self) -> Option<i64> {
        self.lower()?.parse().ok()
    }

    /// Whether it equals an entry's value; none where it is no value of the attribute.
    pub(super) fn equals(&self, syntax: Syntax, value: &[u8]) -> Option<bool> {
        let text = || std::str::from_utf8(value).ok();
        match syntax {
            Syntax::Octets => Some(value == self.raw),
            Syntax::Text => Some(text()?.to_lowercase() == self.lower()?),
            Syntax::Integer => Some(text()?.parse::<i64>().ok()? == self.number()?),
            Syntax::Name => Some(Name::parse(text()?)? == *self.name.as_ref()?),
            Syntax::Category => match &self.name {
                Some(name) => Some(Name::parse(text()?)? == *name),
                None => Some(Name::parse(text()?)?.first_value()? == self.lower()?),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_in_order_and_known_in_any_case() {
        assert!(ATTRIBUTES.is_sorted_by_key(|(name, _)| *name));
        assert_eq!(syntax("OBJECTguid"), Some(Syntax::Octets));
        assert_eq!(syntax("objectGUID;binary"), None);
    }
}
