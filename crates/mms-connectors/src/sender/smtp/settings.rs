//! Settings of the mail server.

use std::path::PathBuf;

use mms_model::Address;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// How the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// Begins in plain text and must go over to TLS (submission, port 587).
    #[default]
    StartTls,
    /// TLS from the first byte (port 465).
    Implicit,
    /// No TLS (port 25): for a server on this machine.
    None,
}

/// Whose name stands in `From`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FromPolicy {
    /// The organizer's (RFC 6047 §2.4). The mail server must be allowed to send for their domain.
    #[default]
    Organizer,
    /// `sender`, with the organizer in `Reply-To`: where the organizer's domain is not ours to
    /// send for (DMARC).
    Sender,
}

/// Settings of the mail server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpSettings {
    /// Host name or address.
    pub host: String,
    /// Port; by default 587, 465 or 25 after `tls`.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection is encrypted.
    #[serde(default)]
    pub tls: TlsMode,
    /// Allows `tls = "none"` to another machine. Invites and the password travel readable then.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// A PEM file with certificate authorities to trust besides the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// User name to sign in with.
    #[serde(default)]
    pub user: Option<String>,
    /// Password.
    #[serde(default)]
    pub password: Option<SecretString>,
    /// A file that holds the password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// The address that bounces go to (`MAIL FROM`); by default the address in `Sender` or `From`.
    #[serde(default)]
    pub envelope_from: Option<Address>,
    /// The address that stands in `Sender`: a mailbox of the service, where mail servers want to
    /// know who really sent it.
    #[serde(default)]
    pub sender: Option<Address>,
    /// Whose name stands in `From`.
    #[serde(default)]
    pub from: FromPolicy,
    /// The name to greet the server with.
    #[serde(default = "default_helo_name")]
    pub helo_name: String,
    /// Seconds to wait for a connection and for each answer.
    #[serde(default = "default_timeout_seconds")]
    pub timeout_seconds: u64,
    /// How many mails one connection carries.
    #[serde(default = "default_messages_per_connection")]
    pub messages_per_connection: usize,
    /// How many connections are kept open between mails.
    #[serde(default = "default_idle_connections")]
    pub idle_connections: usize,
    /// At most so many mails a minute; 0 for no limit.
    #[serde(default)]
    pub messages_per_minute: u32,
}

fn default_helo_name() -> String {
    "localhost".to_owned()
}

fn default_timeout_seconds() -> u64 {
    60
}

fn default_messages_per_connection() -> usize {
    100
}

fn default_idle_connections() -> usize {
    4
}

/// A setting of the mail server cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("smtp: {setting}: {problem}")]
pub struct SmtpConfigurationError {
    /// The setting.
    pub setting: &'static str,
    /// What is wrong with it and what to do.
    pub problem: String,
}

impl SmtpConfigurationError {
    pub(super) fn new(setting: &'static str, problem: impl Into<String>) -> Self {
        Self { setting, problem: problem.into() }
    }
}

impl SmtpSettings {
    /// Settings of an unencrypted server on this machine, everything else by default.
    pub fn local(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port: Some(port),
            tls: TlsMode::None,
            allow_plaintext: false,
            ca_file: None,
            user: None,
            password: None,
            password_file: None,
            envelope_from: None,
            sender: None,
            from: FromPolicy::default(),
            helo_name: default_helo_name(),
            timeout_seconds: default_timeout_seconds(),
            messages_per_connection: default_messages_per_connection(),
            idle_connections: default_idle_connections(),
            messages_per_minute: 0,
        }
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            TlsMode::StartTls => 587,
            TlsMode::Implicit => 465,
            TlsMode::None => 25,
        })
    }

    pub(super) fn check(&self) -> Result<(), SmtpConfigurationError> {
        let refuse = |setting, problem: &str| Err(SmtpConfigurationError::new(setting, problem));
        let unsound = |text: &str| text.is_empty() || !text.chars().all(|c| c.is_ascii_graphic());
        if unsound(&self.host) {
            return refuse("host", "give the mail server's host name or address");
        }
        if unsound(&self.helo_name) {
            return refuse("helo_name", "give this machine's host name");
        }
        if self.tls == TlsMode::None && !self.allow_plaintext && !is_loopback(&self.host) {
            return refuse(
                "tls",
                "\"none\" sends invites readable over the network; use \"starttls\" or \"implicit\", or set allow_plaintext = true",
            );
        }
        if self.password.is_some() && self.password_file.is_some() {
            return refuse("password", "give password or password_file, not both");
        }
        if self.user.is_none() && (self.password.is_some() || self.password_file.is_some()) {
            return refuse("user", "a password is given but no user");
        }
        if self.from == FromPolicy::Sender && self.sender.is_none() {
            return refuse("sender", "from = \"sender\" needs the sender's address");
        }
        if self.timeout_seconds == 0 {
            return refuse("timeout_seconds", "must be at least 1");
        }
        Ok(())
    }

    /// User name and password, where there are any.
    pub(super) fn credentials(&self) -> Result<Option<(String, SecretString)>, SmtpConfigurationError> {
        let Some(user) = &self.user else { return Ok(None) };
        let password = match (&self.password, &self.password_file) {
            (Some(password), _) => password.clone(),
            (None, Some(file)) => {
                let text = std::fs::read_to_string(file).map_err(|error| {
                    let problem = format!("{} cannot be read: {error}", file.display());
                    SmtpConfigurationError::new("password_file", problem)
                })?;
                SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned())
            }
            (None, None) => {
                return Err(SmtpConfigurationError::new("password", "a user is given but no password"));
            }
        };
        if password.expose_secret().is_empty() {
            return Err(SmtpConfigurationError::new("password", "is empty"));
        }
        Ok(Some((user.clone(), password)))
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
