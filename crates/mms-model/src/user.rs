//! Users and the identities by which an administrator names them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A mail address without `mailto:`, compared without case.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Address(String);

impl Address {
    /// Takes an address with or without `mailto:` (any case) and surrounding blanks.
    pub fn new(text: &str) -> Self {
        let text = text.trim();
        let bare = match text.get(..7) {
            Some(scheme) if scheme.eq_ignore_ascii_case("mailto:") => &text[7..],
            _ => text,
        };
        Self(bare.to_owned())
    }

    /// The address as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part behind the last `@`, in lower case.
    pub fn domain(&self) -> Option<String> {
        self.0.rsplit_once('@').map(|(_, domain)| domain.to_ascii_lowercase())
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Address {}

impl std::hash::Hash for Address {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.to_ascii_lowercase().hash(state);
    }
}

impl From<String> for Address {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Where a user's calendar is: the name of a configured calendar connector and what finds the
/// user's calendars there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarLocation {
    /// The connector's name in the configuration (`[calendar.NAME]`).
    pub connector: String,
    /// Connector-specific: a folder for .ics files, a URL or a login name for CalDAV. Empty where
    /// the connector finds the user by UPN.
    pub place: String,
}

/// Where Skype for Business homes a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SkypeHome {
    /// On a server of the organisation's own.
    OnPremises {
        /// The distinguished name of the pool, where the directory has it.
        pool: Option<String>,
    },
    /// In the cloud.
    Online,
}

/// A person whose meetings are migrated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Stable object id.
    pub id: Uuid,
    /// User principal name.
    pub upn: String,
    /// SIP address without `sip:`.
    pub sip: Option<String>,
    /// `domain\logon`.
    pub logon: Option<String>,
    /// Display name.
    pub display_name: Option<String>,
    /// Distinguished name (RFC 4514).
    pub distinguished_name: Option<String>,
    /// Every mail address, the primary one first.
    pub addresses: Vec<Address>,
    /// Where the calendar is; none where no connector serves this user.
    pub calendar: Option<CalendarLocation>,
    /// Where Skype for Business homes them; none where they are not enabled for it, or the directory does not say.
    #[serde(default)]
    pub skype: Option<SkypeHome>,
}

impl User {
    /// Whether `address` is one of the user's, aliases and UPN included.
    pub fn owns(&self, address: &Address) -> bool {
        self.addresses.contains(address)
            || address.as_str().eq_ignore_ascii_case(&self.upn)
            || self.sip.as_deref().is_some_and(|sip| address.as_str().eq_ignore_ascii_case(sip))
    }

    /// The address that updates are sent from.
    pub fn primary_address(&self) -> Address {
        self.addresses.first().cloned().unwrap_or_else(|| Address::new(&self.upn))
    }
}

/// How an administrator names a user: the six forms of `-Identity`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// RFC 4514 distinguished name.
    DistinguishedName(String),
    /// Object id.
    ObjectId(Uuid),
    /// SIP address, without `sip:`.
    Sip(String),
    /// `domain\logon`.
    Logon(String),
    /// User principal name; falls back to SIP address and mail address.
    UserPrincipalName(String),
    /// Display name.
    DisplayName(String),
}

/// The error of an empty identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the identity is empty: give a SIP address, UPN, domain\\logon, display name, distinguished name or object id"
)]
pub struct EmptyIdentity;

impl FromStr for Identity {
    type Err = EmptyIdentity;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.is_empty() {
            return Err(EmptyIdentity);
        }
        let upper = text.to_ascii_uppercase();
        if upper.contains("DC=")
            && text.contains('=')
            && (upper.starts_with("CN=") || upper.starts_with("UID=") || upper.starts_with("OU="))
        {
            return Ok(Self::DistinguishedName(text.to_owned()));
        }
        if let Ok(id) = Uuid::parse_str(text) {
            return Ok(Self::ObjectId(id));
        }
        if text.get(..4).is_some_and(|s| s.eq_ignore_ascii_case("sip:")) {
            return Ok(Self::Sip(text[4..].to_owned()));
        }
        if text.matches('\\').count() == 1 {
            return Ok(Self::Logon(text.to_owned()));
        }
        if text.contains('@') && !text.contains(' ') {
            return Ok(Self::UserPrincipalName(text.to_owned()));
        }
        Ok(Self::DisplayName(text.to_owned()))
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DistinguishedName(s)
            | Self::Logon(s)
            | Self::UserPrincipalName(s)
            | Self::DisplayName(s) => f.write_str(s),
            Self::Sip(s) => write!(f, "sip:{s}"),
            Self::ObjectId(id) => id.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_compare_without_case_and_scheme() {
        assert_eq!(Address::new("MAILTO:Alice@Example.test"), Address::new("alice@example.TEST"));
        assert_eq!(Address::new("a@Example.Test").domain().as_deref(), Some("example.test"));
    }

    #[test]
    fn every_form_of_identity_is_told_apart() {
        let parse = |s: &str| s.parse::<Identity>().unwrap();
        assert_eq!(parse("SIP:a@b.c"), Identity::Sip("a@b.c".into()));
        assert_eq!(parse("a@b.c"), Identity::UserPrincipalName("a@b.c".into()));
        assert_eq!(parse("litwareinc\\kenmyer"), Identity::Logon("litwareinc\\kenmyer".into()));
        assert_eq!(parse("Ken Myer"), Identity::DisplayName("Ken Myer".into()));
        assert!(matches!(parse("CN=Ken Myer,OU=x,DC=litwareinc,DC=com"), Identity::DistinguishedName(_)));
        assert!(matches!(parse("27c6ee67-c71d-4386-bf84-ebfdc7c3a171"), Identity::ObjectId(_)));
        assert_eq!("  ".parse::<Identity>(), Err(EmptyIdentity));
    }
}
