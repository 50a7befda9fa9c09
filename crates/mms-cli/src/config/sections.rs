//! The sections of the configuration, as they are written.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use mms_connectors::calendar::caldav::CalDavSettings;
use mms_connectors::calendar::ews::EwsSettings;
use mms_connectors::calendar::graph::GraphCalendarSettings;
use mms_connectors::calendar::ics_folder::IcsFolderSettings;
use mms_connectors::directory::graph::GraphDirectorySettings;
use mms_connectors::directory::ldap::LdapDirectorySettings;
use mms_connectors::platform::jitsi::JitsiSettings;
use mms_connectors::platform::skype::SkypeSettings;
use mms_connectors::platform::teams::TeamsSettings;
use mms_connectors::platform::template::TemplateSettings;
use mms_connectors::sender::smtp::SmtpSettings;
use mms_model::{AttendeeChoice, Platform};
use serde::{Deserialize, Serialize};

use super::{Duration, locate};
use crate::nearest::nearest;

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file that it was read from.
    pub path: PathBuf,
    /// `[organisation]`
    pub organisation: Organisation,
    /// `[directory]`
    pub directory: DirectoryKind,
    /// `[calendar.NAME]`
    pub calendars: BTreeMap<String, CalendarKind>,
    /// `[platform.NAME]`
    pub platforms: BTreeMap<Platform, PlatformKind>,
    /// `[smtp]`
    pub smtp: Option<SmtpSettings>,
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
    /// Old and new addresses of people, rooms and groups that moved between tenants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_map: Option<PathBuf>,
}

/// `[directory]`, by its `kind`: where the users are listed.
#[derive(Debug, Clone)]
pub enum DirectoryKind {
    /// `kind = "file"`, or no kind: a `.toml` or `.csv` file.
    File(FileDirectory),
    /// `kind = "graph"`: the users of a tenant.
    Graph(Box<GraphDirectorySettings>),
    /// `kind = "ldap"`: Active Directory.
    Ldap(Box<LdapDirectorySettings>),
}

/// A file of users.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileDirectory {
    /// A `.toml` or `.csv` file of users.
    pub file: PathBuf,
}

/// `[calendar.NAME]`, by its `kind`.
#[derive(Debug, Clone)]
pub enum CalendarKind {
    /// `kind = "caldav"`: a CalDAV server.
    CalDav(Box<CalDavSettings>),
    /// `kind = "ews"`: mailboxes on Exchange servers.
    Ews(Box<EwsSettings>),
    /// `kind = "graph"`: mailboxes in Exchange Online.
    Graph(Box<GraphCalendarSettings>),
    /// `kind = "ics"`: folders of .ics files.
    Ics(Box<IcsFolderSettings>),
}

/// `[platform.NAME]`, by its `kind`.
#[derive(Debug, Clone)]
pub enum PlatformKind {
    /// `kind = "jitsi"`: a Jitsi Meet server.
    Jitsi(Box<JitsiSettings>),
    /// `kind = "skype"`: Skype for Business Server.
    Skype(Box<SkypeSettings>),
    /// `kind = "teams"`: Microsoft Teams.
    Teams(Box<TeamsSettings>),
    /// `kind = "template"`: a platform whose join links follow a pattern.
    Template(Box<TemplateSettings>),
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
    /// An address and port of this machine for the API, for bearers of tokens; not at all without.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "address")]
    pub listen: Option<SocketAddr>,
}

fn address<'d, D: serde::Deserializer<'d>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map(Some).map_err(|_| {
        serde::de::Error::custom(format!(
            "\"listen\": \"{text}\" is not an IP address and a port, as in \"127.0.0.1:8480\""
        ))
    })
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

impl Config {
    /// An empty configuration of the file `path`.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            organisation: Organisation::default(),
            directory: DirectoryKind::File(FileDirectory::default()),
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

    /// The folder that relative paths are taken from: the file's.
    pub fn base(&self) -> &Path {
        self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// The SQLite file.
    pub fn store_path(&self) -> PathBuf {
        self.store.path.clone().unwrap_or_else(locate::default_store)
    }

    /// The folder in which MMS keeps what it makes for itself: that of the store.
    pub fn state_dir(&self) -> PathBuf {
        self.store_path().parent().map(Path::to_owned).unwrap_or_default()
    }

    /// The socket of the admin API.
    pub fn socket_path(&self) -> PathBuf {
        self.admin.socket.clone().unwrap_or_else(|| locate::default_socket(&self.store_path()))
    }

    /// What is wrong with a key whose value names a calendar that is not configured.
    fn no_such_calendar(&self, key: &str, name: &str) -> String {
        match nearest(name, self.calendars.keys().map(String::as_str)) {
            Some(near) => format!("\"{key}\": there is no [calendar.{name}]: did you mean \"{near}\"?"),
            None => format!("\"{key}\": there is no [calendar.{name}]: correct the name, or add the section"),
        }
    }

    /// What serde cannot check: the section and what is wrong there.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), (String, String)> {
        let wrong = |section: &str, message: &str| Err((section.to_owned(), message.to_owned()));
        if self.admin.listen.is_some_and(|address| !address.ip().is_loopback()) {
            return wrong(
                "admin",
                "\"listen\" must be an address of this machine alone, as in \"127.0.0.1:8480\": the API speaks plain HTTP; put \
                 a reverse proxy with TLS before it",
            );
        }
        if self.calendars.is_empty() {
            return wrong(
                "",
                "no calendar is configured: add a section [calendar.NAME] with kind = \"caldav\", \"ews\", \"graph\" or \"ics\"",
            );
        }
        for (name, calendar) in &self.calendars {
            let section = format!("calendar.{name}");
            match calendar {
                CalendarKind::CalDav(caldav) => check_url(&section, "url", &caldav.url)?,
                CalendarKind::Ews(ews) => {
                    ews.endpoint().map_err(|(key, problem)| (section, format!("\"{key}\": {problem}")))?;
                }
                CalendarKind::Graph(graph) => {
                    graph.access().map_err(|(key, problem)| (section, format!("\"{key}\": {problem}")))?;
                }
                CalendarKind::Ics(_) => {}
            }
        }
        let problem = |(key, problem)| ("directory".to_owned(), format!("\"{key}\": {problem}"));
        let named = match &self.directory {
            DirectoryKind::File(_) => Vec::new(),
            DirectoryKind::Graph(graph) => {
                graph.access().map_err(problem)?;
                vec![("calendar_online", &graph.calendar_online), ("calendar", &graph.calendar)]
            }
            DirectoryKind::Ldap(ldap) => {
                ldap.server().map_err(problem)?;
                vec![
                    ("calendar_on_premises", &ldap.calendar_on_premises),
                    ("calendar_online", &ldap.calendar_online),
                    ("calendar", &ldap.calendar),
                ]
            }
        };
        for (key, name) in named {
            if let Some(name) = name.as_ref().filter(|name| !self.calendars.contains_key(*name)) {
                return Err(("directory".to_owned(), self.no_such_calendar(key, name)));
            }
        }
        for (name, platform) in &self.platforms {
            let section = format!("platform.{name}");
            match platform {
                PlatformKind::Jitsi(jitsi) => check_url(&section, "url", &jitsi.url)?,
                PlatformKind::Skype(skype) => {
                    skype.check().map_err(|(key, problem)| (section, format!("\"{key}\": {problem}")))?;
                }
                PlatformKind::Teams(teams) => {
                    teams.access().map_err(|(key, problem)| (section, format!("\"{key}\": {problem}")))?;
                }
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
