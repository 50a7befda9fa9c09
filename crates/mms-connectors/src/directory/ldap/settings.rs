//! Settings of an LDAP directory.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use crate::transport::{SecretText, read_secret_file};

/// Settings of an LDAP directory.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LdapDirectorySettings {
    /// `ldaps://dc1.example.org`, or `ldap://` with `start_tls`; a global catalog is at port 3269.
    pub url: String,
    /// Goes over to TLS on an `ldap://` connection before anything else is said.
    #[serde(default)]
    pub start_tls: bool,
    /// Allows `ldap://` to another machine without TLS. The password and all that is read travel readable then.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// A PEM file with certificate authorities to trust besides the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Where users are looked for: `DC=example,DC=org`.
    pub base: String,
    /// The account to sign in with: a distinguished name, or in Active Directory a user principal name.
    pub user: String,
    /// Its password.
    #[serde(default)]
    pub password: Option<SecretText>,
    /// A file whose first line is the password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Which entries are users (RFC 4515).
    #[serde(default = "default_filter")]
    pub filter: String,
    /// Entries in one answer; Active Directory gives at most 1000.
    #[serde(default = "default_page_size")]
    pub page_size: u16,
    /// Seconds to wait for a connection and for each answer.
    #[serde(default = "default_timeout_seconds")]
    pub timeout_seconds: u64,
    /// The calendar (`[calendar.NAME]`) of mailboxes on Exchange servers of one's own.
    #[serde(default)]
    pub calendar_on_premises: Option<String>,
    /// The calendar of mailboxes in Exchange Online.
    #[serde(default)]
    pub calendar_online: Option<String>,
    /// The calendar of users without an Exchange mailbox; by default the only one there is.
    #[serde(default)]
    pub calendar: Option<String>,
    /// The attribute that says where a user's calendar is, as the connector understands it; where it is not given,
    /// the connector goes by the user principal name.
    #[serde(default)]
    pub place_attribute: Option<String>,
}

fn default_filter() -> String {
    "(&(objectCategory=person)(objectClass=user))".to_owned()
}

fn default_page_size() -> u16 {
    500
}

fn default_timeout_seconds() -> u64 {
    30
}

impl LdapDirectorySettings {
    /// The server's address, where everything fits together.
    ///
    /// # Errors
    /// The key that is wrong, what is wrong with it and what to do.
    pub fn server(&self) -> Result<Url, (&'static str, String)> {
        let wrong = |key, problem: &str| Err((key, problem.to_owned()));
        let Ok(url) = Url::parse(&self.url) else {
            return wrong("url", "is no URL: write ldaps://dc1.example.org");
        };
        let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
            return wrong("url", "names no host: write ldaps://dc1.example.org");
        };
        if !url.username().is_empty() || url.password().is_some() {
            return wrong("url", "holds credentials: take them out, and use user and password_file");
        }
        let here = host == "localhost"
            || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        match url.scheme() {
            "ldaps" if self.start_tls => {
                return wrong(
                    "start_tls",
                    "goes with ldap://; with ldaps:// everything is encrypted already",
                );
            }
            "ldap" if !self.start_tls && !self.allow_plaintext && !here => {
                return wrong(
                    "url",
                    "would send the password readable: write ldaps://, or set start_tls = true (or, on a network that you trust, allow_plaintext = true)",
                );
            }
            "ldap" | "ldaps" => {}
            _ => return wrong("url", "must start with ldaps:// or ldap://"),
        }
        if self.base.trim().is_empty() {
            return wrong("base", "is empty: write DC=example,DC=org");
        }
        if ldap3::parse_filter(&self.filter).is_err() {
            return wrong(
                "filter",
                "is no LDAP filter (RFC 4515): write (&(objectClass=user)(mail=*)), for example",
            );
        }
        if !(1..=1000).contains(&self.page_size) {
            return wrong("page_size", "must be from 1 to 1000");
        }
        if self.timeout_seconds == 0 {
            return wrong("timeout_seconds", "must be at least 1");
        }
        if self.user.trim().is_empty() {
            return wrong("user", "is empty: without a name servers answer to nobody, or to everybody");
        }
        if self.password.is_some() == self.password_file.is_some() {
            return wrong("password_file", "give either password_file or password_env");
        }
        Ok(url)
    }

    /// The password. An empty one would be no sign-in at all (RFC 4513 section 5.1.2).
    pub(super) fn password(&self) -> Result<SecretString, (&'static str, String)> {
        match (&self.password, &self.password_file) {
            (Some(password), _) => Ok(password.expose().to_owned().into()),
            (None, Some(file)) => read_secret_file(file)
                .map(|secret| secret.expose().to_owned().into())
                .map_err(|error| ("password_file", format!("{} cannot be read: {error}", file.display()))),
            (None, None) => Err(("password_file", "is missing".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(settings: &str) -> Result<String, &'static str> {
        let whole = format!("base = \"DC=x\"\nuser = \"u\"\npassword_file = \"p\"\n{settings}");
        let settings: LdapDirectorySettings = toml::from_str(&whole).unwrap();
        settings.server().map(|url| url.to_string()).map_err(|(key, _)| key)
    }

    #[test]
    fn a_password_is_never_sent_readable_by_mistake() {
        assert_eq!(server("url = \"ldap://dc1.x.test\""), Err("url"));
        assert!(server("url = \"ldap://dc1.x.test\"\nallow_plaintext = true").is_ok());
        assert!(server("url = \"ldap://dc1.x.test\"\nstart_tls = true").is_ok());
        assert!(server("url = \"ldap://[::1]:389\"").is_ok());
        assert!(server("url = \"ldaps://dc1.x.test:3269\"").is_ok());
    }

    #[test]
    fn what_cannot_work_is_named() {
        for (settings, key) in [
            ("url = \"dc1\"", "url"),
            ("url = \"https://dc1\"", "url"),
            ("url = \"ldaps://u:p@dc1\"", "url"),
            ("url = \"ldaps://dc1\"\nstart_tls = true", "start_tls"),
            ("url = \"ldaps://dc1\"\nfilter = \"(cn=\"", "filter"),
            ("url = \"ldaps://dc1\"\npage_size = 0", "page_size"),
            ("url = \"ldaps://dc1\"\ntimeout_seconds = 0", "timeout_seconds"),
            ("url = \"ldaps://dc1\"\npassword = \"x\"", "password_file"),
        ] {
            assert_eq!(server(settings), Err(key), "{settings}");
        }
    }
}
