//! The sections of the configuration, as they are written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mms_model::{AttendeeChoice, Platform};
use serde::{Deserialize, Serialize};

use super::{Duration, SecretSource, locate};

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Config {
    /// The file that it was read from.
    #[serde(skip)]
    pub path: PathBuf,
    /// The folder that relative paths are taken from.
    #[serde(skip)]
    pub base: PathBuf,
    /// `[organisation]`
    pub organisation: Organisation,
    /// `[directory]`
    pub directory: Directory,
    /// `[calendar.NAME]`
    #[serde(rename = "calendar")]
    pub calendars: BTreeMap<String, CalendarKind>,
    /// `[platform.NAME]`
    #[serde(rename = "platform")]
    pub platforms: BTreeMap<Platform, PlatformKind>,
    /// `[smtp]`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smtp: Option<Smtp>,
    /// `[engine]`
    pub engine: Engine,
    /// `[retention]`
    pub retention: Retention,
    /// `[store]`
    pub store: Store,
    /// `[admin]`
    pub admin: Admin,
    /// `[templates]`
    pub templates: Templates,
    /// `[recognise]`
    pub recognise: Recognise,
}

/// Who belongs to the organisation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Organisation {
    /// Mail domains of the organisation; attendees elsewhere are external.
    pub domains: Vec<String>,
}

/// The users.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// A `.toml` or `.csv` file of users.
    pub file: PathBuf,
}

/// `[calendar.NAME]`, by its `kind`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum CalendarKind {
    /// `kind = "caldav"`
    CalDav(Box<CalDavCalendar>),
    /// `kind = "ics"`
    Ics(IcsCalendar),
}

/// A CalDAV server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalDavCalendar {
    /// The server's address; the calendars of a user are discovered from it.
    pub url: String,
    /// Login name; `{upn}`, `{local}` stand for the user's. None signs in with a token or not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// File with the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Environment variable with the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_env: Option<String>,
    /// File with a bearer token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// Environment variable with a bearer token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_env: Option<String>,
    /// PEM file of a private certificate authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Allow credentials over plain HTTP to another machine.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// Requests to the server at any time.
    #[serde(default = "default_connections")]
    pub connections: usize,
    /// How long one exchange may take.
    #[serde(default = "default_timeout")]
    pub timeout: Duration,
    /// Who tells the attendees.
    #[serde(default)]
    pub scheduling: Scheduling,
}

/// Who tells the attendees of a CalDAV calendar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheduling {
    /// As the server says of itself (RFC 6638).
    #[default]
    Auto,
    /// The server.
    Server,
    /// MMS, by mail.
    Client,
}

/// Folders of .ics files.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IcsCalendar {
    /// The folder in which each user's folder lies.
    pub root: PathBuf,
}

/// `[platform.NAME]`, by its `kind`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum PlatformKind {
    /// `kind = "jitsi"`
    Jitsi(Box<JitsiPlatform>),
    /// `kind = "template"`
    Template(Box<TemplatePlatform>),
}

/// A Jitsi Meet server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JitsiPlatform {
    /// The server, such as `https://meet.example.org`.
    pub url: String,
    /// The name in the invites.
    #[serde(default = "default_jitsi_name")]
    pub display_name: String,
    /// Signs join links, where the server asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt: Option<JitsiJwt>,
}

/// Signed join links.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JitsiJwt {
    /// The server's application id.
    pub app_id: String,
    /// File with the shared secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// Environment variable with the shared secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_env: Option<String>,
}

/// A platform whose join links follow a pattern.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplatePlatform {
    /// The pattern of the join links.
    pub join_url: String,
    /// The name in the invites.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// The mail server, for calendars that do not tell attendees themselves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    /// Host name.
    pub host: String,
    /// Port; 465 with `tls`, 587 with `starttls`, 25 with `none` where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// How the connection is protected.
    #[serde(default)]
    pub security: SmtpSecurity,
    /// Login name, where the server asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// File with the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Environment variable with the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_env: Option<String>,
    /// Envelope and `Sender` address; the organizer stands in `From`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpSecurity {
    /// TLS from the first byte.
    Tls,
    /// TLS after STARTTLS.
    #[default]
    StartTls,
    /// None: for a server on this machine.
    None,
}

/// How migrations run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Engine {
    /// How long a request waits for settings to settle.
    pub grace_period: Duration,
    /// Meetings with more people than that, the organizer included, fail; 0 for no limit.
    pub max_attendees: usize,
    /// Who is told: `all`, `external` or `none`.
    pub notify: AttendeeChoice,
    /// Raise SEQUENCE, for clients that ignore an update without.
    pub raise_sequence: bool,
    /// Users at a time in `mms serve`.
    pub workers: usize,
    /// How long a worker's claim holds without a sign of life.
    pub lease: Duration,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            grace_period: Duration::seconds(90 * 60),
            max_attendees: 250,
            notify: AttendeeChoice::All,
            raise_sequence: false,
            workers: 4,
            lease: Duration::seconds(5 * 60),
        }
    }
}

/// How long things are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Originals of changed events, for rollback.
    pub originals: Duration,
    /// Requests that ended, and their history.
    pub history: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self { originals: Duration::seconds(30 * 86_400), history: Duration::seconds(365 * 86_400) }
    }
}

/// The store.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// The SQLite file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
}

/// The daemon's admin API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Its Unix socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
}

/// The administrator's own meeting blocks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Templates {
    /// The folder of templates that replace the built-in ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<PathBuf>,
}

/// What recognising is to know beside what it knows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recognise {
    /// Own servers of a platform, by its name.
    pub hosts: BTreeMap<Platform, Vec<String>>,
}

fn default_connections() -> usize {
    4
}

fn default_timeout() -> Duration {
    Duration::seconds(60)
}

fn default_jitsi_name() -> String {
    "Jitsi Meet".to_owned()
}

impl Config {
    /// An empty configuration of the file `path`, whose relative paths are taken from `base`.
    pub fn new(path: PathBuf, base: PathBuf) -> Self {
        Self {
            path,
            base,
            organisation: Organisation::default(),
            directory: Directory::default(),
            calendars: BTreeMap::new(),
            platforms: BTreeMap::new(),
            smtp: None,
            engine: Engine::default(),
            retention: Retention::default(),
            store: Store::default(),
            admin: Admin::default(),
            templates: Templates::default(),
            recognise: Recognise::default(),
        }
    }

    /// A path of the configuration, taken from its folder.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.base.join(path)
    }

    /// The SQLite file.
    pub fn store_path(&self) -> PathBuf {
        self.store.path.as_deref().map_or_else(locate::default_store, |path| self.resolve(path))
    }

    /// The socket of the admin API.
    pub fn socket_path(&self) -> PathBuf {
        match self.admin.socket.as_deref() {
            Some(path) => self.resolve(path),
            None => locate::default_socket(&self.store_path()),
        }
    }

    /// Every secret that the configuration names, with the section and key it is for.
    ///
    /// # Errors
    /// The section, and that a secret has two sources.
    pub fn secrets(&self) -> Result<Vec<(String, SecretSource)>, (String, String)> {
        let mut secrets = Vec::new();
        let mut add = |section: &str, key: &str, file: &Option<PathBuf>, env: &Option<String>| {
            let source = SecretSource::of(key, file.as_deref(), env.as_deref(), &self.base)
                .map_err(|message| (section.to_owned(), message))?;
            secrets.extend(source.map(|source| (format!("{section}.{key}"), source)));
            Ok::<(), (String, String)>(())
        };
        for (name, calendar) in &self.calendars {
            if let CalendarKind::CalDav(caldav) = calendar {
                let section = format!("calendar.{name}");
                add(&section, "password", &caldav.password_file, &caldav.password_env)?;
                add(&section, "token", &caldav.token_file, &caldav.token_env)?;
            }
        }
        for (name, platform) in &self.platforms {
            if let PlatformKind::Jitsi(jitsi) = platform
                && let Some(jwt) = &jitsi.jwt
            {
                add(&format!("platform.{name}.jwt"), "secret", &jwt.secret_file, &jwt.secret_env)?;
            }
        }
        if let Some(smtp) = &self.smtp {
            add("smtp", "password", &smtp.password_file, &smtp.password_env)?;
        }
        Ok(secrets)
    }

    /// What serde cannot check: the section and what is wrong there.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), (String, String)> {
        self.secrets()?;
        let wrong = |section: &str, message: &str| Err((section.to_owned(), message.to_owned()));
        if self.calendars.is_empty() {
            return wrong(
                "",
                "no calendar is configured: add a section [calendar.NAME] with kind = \"caldav\" or \"ics\"",
            );
        }
        for (name, calendar) in &self.calendars {
            if let CalendarKind::CalDav(caldav) = calendar {
                let section = format!("calendar.{name}");
                check_url(&section, "url", &caldav.url)?;
                if caldav.connections == 0 {
                    return wrong(&section, "\"connections\" must be at least 1");
                }
            }
        }
        for (name, platform) in &self.platforms {
            let section = format!("platform.{name}");
            match platform {
                PlatformKind::Jitsi(jitsi) => check_url(&section, "url", &jitsi.url)?,
                PlatformKind::Template(template) => check_url(&section, "join_url", &template.join_url)?,
            }
        }
        if self.engine.workers == 0 {
            return wrong("engine", "\"workers\" must be at least 1");
        }
        if self.engine.lease.get().as_secs() < 10 {
            return wrong("engine", "\"lease\" must be at least 10s");
        }
        Ok(())
    }
}

fn check_url(section: &str, key: &str, url: &str) -> Result<(), (String, String)> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let message = match rest {
        None => format!("\"{key}\" must start with https:// or http://"),
        Some(rest) if rest.split('/').next().is_some_and(|authority| authority.contains('@')) => {
            format!("\"{key}\" holds credentials: take them out, and use username and password_file")
        }
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("\"{key}\" names no host"),
        Some(_) => return Ok(()),
    };
    Err((section.to_owned(), message))
}
