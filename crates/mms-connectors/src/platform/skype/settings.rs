//! `[platform.SfB]` with `kind = "skype"`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::trust::Trust;
use crate::transport::{SecretText, TransportSettings};

/// The largest answer that is read; a user's list of meetings is the largest there is.
const LARGEST_ANSWER: usize = 16 << 20;

/// `[platform.SfB]` with `kind = "skype"`: Skype for Business Server, by UCWA 2.0.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkypeSettings {
    /// The SIP domains, the default one first (`Get-CsSipDomain`). Pools are looked for, and trusted, below them.
    pub sip_domains: Vec<String>,
    /// The Meet simple URLs that this deployment's join links begin with (`Get-CsSimpleUrlConfiguration`).
    pub meet_urls: Vec<String>,
    /// Where discovery begins; `https://lyncdiscoverinternal.DOMAIN/` and `https://lyncdiscover.DOMAIN/` where it is absent.
    #[serde(default)]
    pub discover_url: Option<String>,
    /// Names of servers, or domains of them, that may see passwords although they are below no SIP domain.
    #[serde(default)]
    pub trusted_hosts: Vec<String>,
    /// A CSV file with each organizer's own name and password.
    #[serde(default)]
    pub credentials_file: Option<PathBuf>,
    /// An account that schedules for those who are not in that file.
    #[serde(default)]
    pub delegate: Option<DelegateSettings>,
    /// Who gets past the lobby; what the server does by itself where it is absent.
    #[serde(default)]
    pub access_level: Option<AccessLevel>,
    /// Whether who calls in gets past the lobby; likewise.
    #[serde(default)]
    pub lobby_bypass_for_phone_users: Option<bool>,
    /// Who is made a presenter on joining; likewise.
    #[serde(default)]
    pub automatic_leader_assignment: Option<LeaderAssignment>,
    /// The name people know the service by.
    #[serde(default = "default_display_name")]
    pub display_name: String,
    /// A page with help.
    #[serde(default)]
    pub help_url: Option<String>,
    /// PEM file with certificate authorities to trust beside those of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Seconds that a connection may take to come up.
    #[serde(default = "default_connect_timeout")]
    pub connect_timeout: u64,
    /// Seconds that one request may take.
    #[serde(default = "default_timeout")]
    pub timeout: u64,
    /// The most requests on their way at any time.
    #[serde(default = "default_concurrency")]
    pub concurrency: usize,
}

/// An account in whose name meetings are scheduled.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DelegateSettings {
    /// Its name, `DOMAIN\name` or a UPN.
    pub user: String,
    /// Its password; or `password_file`.
    #[serde(default)]
    pub password: Option<SecretText>,
    /// A file whose first line is the password; read for each sign-in.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
}

/// Who gets past the lobby.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum AccessLevel {
    /// As UCWA documents it.
    None,
    /// Everybody of the organisation.
    SameEnterprise,
    /// The organizer and the presenters that are set.
    Locked,
    /// Who is invited.
    Invited,
    /// Everybody who has the link.
    Everyone,
}

impl AccessLevel {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::SameEnterprise => "SameEnterprise",
            Self::Locked => "Locked",
            Self::Invited => "Invited",
            Self::Everyone => "Everyone",
        }
    }
}

/// Who is made a presenter on joining.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum LeaderAssignment {
    /// Nobody.
    Disabled,
    /// Everybody of the organisation.
    SameEnterprise,
    /// Everybody.
    Everyone,
}

impl LeaderAssignment {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Disabled => "Disabled",
            Self::SameEnterprise => "SameEnterprise",
            Self::Everyone => "Everyone",
        }
    }
}

fn default_display_name() -> String {
    "Skype Meeting".to_owned()
}

fn default_connect_timeout() -> u64 {
    10
}

fn default_timeout() -> u64 {
    60
}

fn default_concurrency() -> usize {
    8
}

/// What the settings come to.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    pub(super) meet_urls: Vec<Url>,
    pub(super) discover_url: Option<Url>,
    pub(super) trust: Trust,
    pub(super) transport: TransportSettings,
}

impl SkypeSettings {
    /// Whether the settings can work.
    ///
    /// # Errors
    /// The key that cannot, and why.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        self.checked().map(drop)
    }

    pub(super) fn checked(&self) -> Result<Checked, (&'static str, String)> {
        let transport = TransportSettings {
            ca_file: self.ca_file.clone(),
            connect_timeout: Duration::from_secs(self.connect_timeout.max(1)),
            request_timeout: Duration::from_secs(self.timeout.max(1)),
            concurrency: self.concurrency.max(1),
            max_body: LARGEST_ANSWER,
            shared_pause: false,
            ..TransportSettings::default()
        };
        let sip_domains = hosts("sip_domains", &self.sip_domains)?;
        if sip_domains.is_empty() {
            return Err(("sip_domains", "name the SIP domains (Get-CsSipDomain)".to_owned()));
        }
        let discover_url = self.discover_url.as_deref().map(|url| server("discover_url", url)).transpose()?;
        if let Some(url) = &discover_url {
            transport.check(url).map_err(|_| {
                let problem = format!("\"{url}\" must start with https://, because passwords go there");
                ("discover_url", problem)
            })?;
        }
        let mut domains = sip_domains;
        domains.extend(hosts("trusted_hosts", &self.trusted_hosts)?);
        let own = discover_url.as_ref().and_then(Url::host_str).map(str::to_ascii_lowercase);
        if let Some(delegate) = &self.delegate {
            delegate.check()?;
        }
        Ok(Checked {
            meet_urls: self.meet_urls()?,
            trust: Trust::new(domains, own, transport.clone()),
            discover_url,
            transport,
        })
    }

    fn meet_urls(&self) -> Result<Vec<Url>, (&'static str, String)> {
        if self.meet_urls.is_empty() {
            let problem =
                "name the Meet simple URLs, \"https://meet.contoso.com\" (Get-CsSimpleUrlConfiguration)";
            return Err(("meet_urls", problem.to_owned()));
        }
        let read = |text: &String| {
            let url = server("meet_urls", text)?;
            let is_plain = url.scheme() == "https" && url.query().is_none();
            is_plain
                .then_some(url)
                .ok_or_else(|| ("meet_urls", format!("\"{text}\" must start with https://")))
        };
        self.meet_urls.iter().map(read).collect()
    }
}

impl DelegateSettings {
    fn check(&self) -> Result<(), (&'static str, String)> {
        match (&self.password, &self.password_file) {
            (Some(_), None) | (None, Some(_)) if !self.user.trim().is_empty() => Ok(()),
            _ => Err(("delegate", "give it a user, and a password_file (or password_env)".to_owned())),
        }
    }
}

fn server(key: &'static str, text: &str) -> Result<Url, (&'static str, String)> {
    let wrong = |why: &str| (key, format!("\"{text}\" {why}"));
    let url = Url::parse(text).map_err(|e| wrong(&format!("is no URL: {e}")))?;
    let is_bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let is_server = url.host().is_some() && matches!(url.scheme(), "https" | "http");
    (is_bare && is_server).then_some(url).ok_or_else(|| (key, "must be the address of a server".to_owned()))
}

/// Names of hosts in lower case, without a point at either end.
fn hosts(key: &'static str, listed: &[String]) -> Result<Vec<String>, (&'static str, String)> {
    let read = |text: &String| {
        let name = text.trim().trim_matches('.').to_ascii_lowercase();
        let is_name = name.contains('.')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
            && !name.contains("..");
        is_name.then_some(name).ok_or_else(|| (key, format!("\"{text}\" is no name of a domain or server")))
    };
    listed.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "sip_domains = ['contoso.com']\nmeet_urls = ['https://meet.contoso.com']\n";

    fn problem(text: &str) -> String {
        match toml::from_str::<SkypeSettings>(text) {
            Err(error) => error.to_string(),
            Ok(settings) => settings.check().map_err(|(key, why)| format!("{key}: {why}")).unwrap_err(),
        }
    }

    #[test]
    fn two_keys_are_enough() {
        let settings: SkypeSettings = toml::from_str(BASE).unwrap();
        assert!(settings.check().is_ok());
        assert_eq!(settings.display_name, "Skype Meeting");
    }

    #[test]
    fn what_cannot_work_is_named() {
        let meet = "meet_urls = ['https://meet.contoso.com']\n";
        for (text, named) in [
            (format!("sip_domains = []\n{meet}"), "Get-CsSipDomain"),
            (format!("sip_domains = ['com']\n{meet}"), "sip_domains"),
            (format!("sip_domains = ['con/toso.com']\n{meet}"), "sip_domains"),
            ("sip_domains = ['contoso.com']\nmeet_urls = []".to_owned(), "Get-CsSimpleUrlConfiguration"),
            ("sip_domains = ['contoso.com']\nmeet_urls = ['http://m.c.com']".to_owned(), "https"),
            (format!("{BASE}discover_url = 'http://lyncdiscover.contoso.com/'"), "discover_url"),
            (format!("{BASE}discover_url = 'https://a:b@c.com/'"), "discover_url"),
            (format!("{BASE}trusted_hosts = ['*.contoso.com']"), "trusted_hosts"),
            (format!("{BASE}delegate = {{ user = 'x' }}"), "password_file"),
            (format!("{BASE}access_level = 'Anybody'"), "Anybody"),
            (format!("{BASE}acess_level = 'Everyone'"), "acess_level"),
        ] {
            assert!(problem(&text).contains(named), "{text}: {}", problem(&text));
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let text = format!("{BASE}delegate = {{ user = 'CONTOSO\\mms', password = 'hush' }}");
        let settings: SkypeSettings = toml::from_str(&text).unwrap();
        assert!(settings.check().is_ok());
        assert!(!format!("{settings:?}").contains("hush"));
    }
}
