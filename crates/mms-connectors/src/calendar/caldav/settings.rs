use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::transport::{SecretText, TransportSettings};

/// `[calendar.NAME]` with `type = "caldav"`: the calendars of a CalDAV server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalDavSettings {
    /// The server's URL (its well-known address is tried), a principal's URL or a calendar home's URL.
    ///
    /// `{user}` stands for the login name (the user's `place` in the directory, or else the
    /// UPN's part before the `@`), `{upn}` for the UPN, `{local}` for the UPN's part before the `@`,
    /// `{domain}` for that behind it. With a placeholder the URL must lead to the user's own
    /// principal or calendar home. A user whose `place` is itself a URL or a path is found there.
    pub url: String,

    /// How to sign in.
    pub auth: Auth,

    /// Who sends updates to attendees.
    #[serde(default)]
    pub scheduling: SchedulingChoice,

    /// PEM file with certificate authorities to trust beside those of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,

    /// Let passwords travel over plain HTTP to another machine. Never needed on this machine.
    #[serde(default)]
    pub allow_plaintext: bool,

    /// Seconds that a connection may take to come up.
    #[serde(default = "default_connect_timeout")]
    pub connect_timeout: u64,

    /// Seconds that one request may take.
    #[serde(default = "default_timeout")]
    pub timeout: u64,

    /// Events that are read with one request.
    #[serde(default = "default_page_size")]
    pub page_size: usize,

    /// Which events are listed.
    #[serde(default)]
    pub listing: Listing,

    /// Requests on their way to the server at any time, over all users.
    #[serde(default = "default_concurrency")]
    pub concurrency: usize,
}

/// Which events of a calendar are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Listing {
    /// All; those that are over are told apart here. What a server leaves out by mistake would keep a dead link, and
    /// several do: SOGo single events, Cyrus and DAViCal events far ahead where the range has no end.
    #[default]
    All,
    /// Those that the server says end in the future (RFC 4791 section 7.8): less to read, where it says so rightly.
    TimeRange,
}

fn default_connect_timeout() -> u64 {
    10
}

fn default_timeout() -> u64 {
    60
}

fn default_page_size() -> usize {
    100
}

fn default_concurrency() -> usize {
    4
}

/// How requests are signed in. Login names take the placeholders of [`CalDavSettings::url`], so that
/// servers with a master user (`{user}*admin`) need no more than `basic`.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Auth {
    /// No sign-in.
    None,
    /// A name and password (HTTP Basic).
    Basic {
        /// Login name.
        user: String,
        /// The password; or `password_file`.
        password: Option<SecretText>,
        /// A file whose first line is the password.
        password_file: Option<PathBuf>,
    },
    /// A bearer token.
    Bearer {
        /// The token; or `token_file`.
        token: Option<SecretText>,
        /// A file whose first line is the token; read anew for each user, so that it may be renewed.
        token_file: Option<PathBuf>,
    },
    /// Each user's own name and password, from a TOML file: `["UPN"] user = "…" password = "…"` or
    /// `token = "…"`; `user` may be left out where it is the login name.
    PerUser {
        /// The file.
        credentials_file: PathBuf,
    },
    /// One account that may read and write everybody's calendars. The URL must hold a placeholder,
    /// or each user's `place` must be a URL: the account's own calendars are never taken for the user's.
    AdminProxy {
        /// Login name.
        user: String,
        /// The password; or `password_file`.
        password: Option<SecretText>,
        /// A file whose first line is the password.
        password_file: Option<PathBuf>,
    },
}

/// Who sends updates to attendees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SchedulingChoice {
    /// The server where it says so (`calendar-auto-schedule` and a scheduling outbox, RFC 6638) and is
    /// not known to say so without doing it; otherwise MMS, by mail.
    #[default]
    Auto,
    /// The server, whatever it says of itself.
    Server,
    /// MMS, by mail, whatever the server says. On a server that does send updates attendees are then
    /// told twice.
    Client,
}

impl CalDavSettings {
    /// The transport's share of the settings.
    pub fn transport(&self) -> TransportSettings {
        TransportSettings {
            ca_file: self.ca_file.clone(),
            allow_plaintext: self.allow_plaintext,
            connect_timeout: Duration::from_secs(self.connect_timeout.max(1)),
            request_timeout: Duration::from_secs(self.timeout.max(1)),
            concurrency: self.concurrency.max(1),
            ..TransportSettings::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<CalDavSettings, String> {
        toml::from_str(text).map_err(|e| e.to_string())
    }

    #[test]
    fn defaults_are_sensible() {
        let settings = parse(
            "url = 'https://dav.example.test'\nauth = { type = 'basic', user = 'a', password = 'secret' }",
        )
        .unwrap();
        assert_eq!((settings.page_size, settings.concurrency, settings.timeout), (100, 4, 60));
        assert_eq!(settings.scheduling, SchedulingChoice::Auto);
        assert!(!settings.allow_plaintext);
        assert!(!format!("{settings:?}").contains("secret"));
    }

    #[test]
    fn every_way_to_sign_in_is_read() {
        for auth in [
            "{ type = 'none' }",
            "{ type = 'bearer', token_file = '/run/token' }",
            "{ type = 'per-user', credentials_file = 'users.toml' }",
            "{ type = 'admin-proxy', user = 'cyrus', password_file = '/run/pw' }",
        ] {
            parse(&format!("url = 'https://x'\nauth = {auth}")).unwrap();
        }
    }

    #[test]
    fn a_misspelt_key_is_an_error() {
        let error = parse("url = 'https://x'\nauth = { type = 'none' }\npagesize = 5").unwrap_err();
        assert!(error.contains("pagesize"), "{error}");
        assert!(parse("url = 'https://x'\nauth = { type = 'basic', usr = 'a' }").is_err());
    }
}
