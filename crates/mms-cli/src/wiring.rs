//! Which connector, which store: the one file that knows. Everything else sees ports.

pub mod audit;
pub mod diagnosis;
mod invites;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mms_connectors::calendar::caldav::CalDav;
use mms_connectors::calendar::ews::EwsCalendar;
use mms_connectors::calendar::graph::GraphCalendar;
use mms_connectors::calendar::ics_folder::IcsFolder;
use mms_connectors::directory::file::{FileDirectory, FileDirectorySettings, ImportErrors};
use mms_connectors::directory::former_addresses::FormerAddresses;
use mms_connectors::directory::graph::GraphDirectory;
use mms_connectors::directory::identity_map;
use mms_connectors::directory::ldap::LdapDirectory;
use mms_connectors::graph::GraphClients;
use mms_connectors::platform::jitsi::Jitsi;
use mms_connectors::platform::skype::Skype;
use mms_connectors::platform::teams::Teams;
use mms_connectors::platform::template::Template;
use mms_connectors::sender::smtp::SmtpSender;
use mms_engine::{Connectors, Engine, EngineError, EngineSettings, UnknownType};
use mms_invite::recognise::{CustomPlatform, Recogniser, RecogniserOptions};
use mms_invite::rewrite::Editor;
use mms_model::port::{
    Calendar, Directory, InvitationSender, MeetingPlatform, RequestStore, StoreError, TokenStore,
};
use mms_model::{
    Code, IdentityMap, MigrationType, Platform, PortError, RandomIds, SourceMeetingType, SystemClock,
    TargetMeetingType,
};
use mms_store::{Access, SqliteStore};

use crate::config::{self, CalendarKind, Config, DirectoryKind, PlatformKind};
use crate::failure::Failure;
use crate::nearest::nearest;

/// Everything that a command works with.
pub struct Installation {
    /// The configuration.
    pub config: Config,
    /// What does the work.
    pub engine: Engine,
    /// The users.
    pub directory: Arc<dyn Directory>,
    /// The store.
    pub store: Arc<dyn RequestStore>,
    /// Who may call the API.
    pub tokens: Arc<dyn TokenStore>,
}

/// The directory of the configuration.
///
/// # Errors
/// The file cannot be read, or something in it is wrong; with its line.
pub fn directory(config: &Config) -> Result<Arc<dyn Directory>, Failure> {
    let identities = identities(config)?;
    let directory = present_directory(config)?;
    Ok(if identities.is_empty() { directory } else { Arc::new(FormerAddresses::new(directory, identities)) })
}

/// Who got another address.
fn identities(config: &Config) -> Result<Arc<IdentityMap>, Failure> {
    let Some(path) = &config.organisation.identity_map else { return Ok(Arc::default()) };
    let map = identity_map::load(path).map_err(|errors| Failure::usage(first_of(&errors)))?;
    Ok(Arc::new(map))
}

/// The directory, which knows people by the addresses that they have now.
fn present_directory(config: &Config) -> Result<Arc<dyn Directory>, Failure> {
    Ok(match &config.directory {
        DirectoryKind::File(file) => Arc::new(file_directory(config, &file.file)?),
        DirectoryKind::Graph(settings) => {
            Arc::new(GraphDirectory::new(settings.as_ref().clone(), only_calendar(config))?)
        }
        DirectoryKind::Ldap(settings) => {
            Arc::new(LdapDirectory::new(settings.as_ref().clone(), only_calendar(config))?)
        }
    })
}

/// Where there is one calendar only, users need not name it.
fn only_calendar(config: &Config) -> Option<String> {
    let mut names = config.calendars.keys();
    match (names.next(), names.next()) {
        (Some(only), None) => Some(only.clone()),
        _ => None,
    }
}

/// The directory in the file `path`, with the lines of its users.
///
/// # Errors
/// As [`directory`].
pub fn file_directory(config: &Config, path: &Path) -> Result<FileDirectory, Failure> {
    if !path.exists() {
        let line =
            config::text_of(&config.path).ok().and_then(|text| config::line_of_section(&text, "directory"));
        return Err(Failure::usage(format!(
            "{}{}: [directory] the file {} is not there: make it, with the header upn,display_name,addresses,calendar,place \
             and a line for each user (docs/directory.md), or correct the path",
            config.path.display(),
            line.map(|line| format!(":{line}")).unwrap_or_default(),
            path.display()
        )));
    }
    let settings = FileDirectorySettings { path: path.to_owned(), default_calendar: only_calendar(config) };
    FileDirectory::load(&settings).map_err(|errors| Failure::usage(first_of(&errors)))
}

/// The first of the errors, and how many there are behind it.
fn first_of(errors: &ImportErrors) -> String {
    let text = errors.to_string();
    let first = text.lines().next().unwrap_or_default();
    match errors.total() {
        0 | 1 => first.to_owned(),
        total => format!("{first} (and {} more errors)", total - 1),
    }
}

/// The store of the configuration, for a command; made where there is none yet.
///
/// # Errors
/// It cannot be opened.
pub async fn store(config: &Config) -> Result<Arc<dyn RequestStore>, Failure> {
    Ok(open_store(config, Access::Command).await?)
}

/// The same, and with it the store of the API's tokens.
///
/// # Errors
/// It cannot be opened.
pub async fn tokens(config: &Config) -> Result<(Arc<dyn RequestStore>, Arc<dyn TokenStore>), Failure> {
    let store = open_store(config, Access::Command).await?;
    Ok((Arc::clone(&store) as _, store))
}

/// Writes a copy of the store to a new file.
///
/// # Errors
/// There is no store, or the file cannot be written.
pub async fn back_up(config: &Config, to: &Path) -> Result<(), Failure> {
    let store = SqliteStore::open(&config.store_path(), Access::ReadOnly).await.map_err(store_failure)?;
    store.back_up(to).await.map_err(store_failure)
}

async fn open_store(config: &Config, access: Access) -> Result<Arc<SqliteStore>, Failure> {
    let path = config.store_path();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| {
            Failure::failed(format!(
                "the store's folder {} cannot be made: {error}; set [store] path to another place",
                folder.display()
            ))
        })?;
    }
    Ok(Arc::new(SqliteStore::open(&path, access).await.map_err(store_failure)?))
}

/// A failure of the store as the command's.
pub fn store_failure(error: StoreError) -> Failure {
    match error {
        StoreError::InUse(message) => Failure::not_allowed(message),
        error => Failure::failed(format!("{}: {error}", Code::StoreError)),
    }
}

/// Whether connectors and platforms can be made of the configuration.
///
/// # Errors
/// Which setting cannot work and why.
pub fn check(config: &Config) -> Result<(), Failure> {
    connectors(config)?;
    Ok(())
}

fn connectors(config: &Config) -> Result<Connectors, Failure> {
    let clients = GraphClients::default();
    let Targets { platforms, own_hosts, patterns } = targets(config, &clients)?;
    let editor = invites::editor(config, own_hosts, patterns)?;
    Ok(Connectors {
        calendars: calendars(config, &editor, &clients)?,
        platforms,
        directory: directory(config)?,
        sender: sender(config)?,
    })
}

/// The recogniser of the configuration, or where there is none, one that knows no own servers.
///
/// # Errors
/// The configuration is wrong.
pub fn recogniser(config: Option<&Config>) -> Result<Recogniser, Failure> {
    match config {
        Some(config) => {
            let Targets { own_hosts, patterns, .. } = targets(config, &GraphClients::default())?;
            invites::recogniser(config, own_hosts, patterns)
        }
        None => {
            Recogniser::new(&RecogniserOptions::default()).map_err(|error| Failure::failed(error.to_string()))
        }
    }
}

fn calendars(
    config: &Config,
    editor: &Arc<Editor>,
    clients: &GraphClients,
) -> Result<HashMap<String, Arc<dyn Calendar>>, Failure> {
    let mut calendars: HashMap<String, Arc<dyn Calendar>> = HashMap::new();
    for (name, kind) in &config.calendars {
        let wrong = |error: PortError| {
            Failure::usage(format!("{}: [calendar.{name}] {error}", config.path.display()))
        };
        let calendar: Arc<dyn Calendar> = match kind {
            CalendarKind::CalDav(settings) => {
                let invites = Arc::clone(editor);
                Arc::new(CalDav::new(settings.as_ref().clone(), invites).map_err(wrong)?)
            }
            CalendarKind::Ews(settings) => {
                Arc::new(EwsCalendar::new(settings, Arc::clone(editor)).map_err(wrong)?)
            }
            CalendarKind::Graph(settings) => {
                let invites = Arc::clone(editor);
                let graph = GraphCalendar::new(settings.as_ref().clone(), invites, clients).map_err(wrong)?;
                Arc::new(graph.with_spending(&beside_store(config, &format!("-recipients-{name}"))))
            }
            CalendarKind::Ics(settings) => {
                let invites = Arc::clone(editor);
                Arc::new(IcsFolder::new(settings.as_ref().clone(), invites))
            }
        };
        calendars.insert(name.clone(), calendar);
    }
    Ok(calendars)
}

/// The platforms of the configuration, and how their links are told.
#[derive(Default)]
struct Targets {
    platforms: Vec<Arc<dyn MeetingPlatform>>,
    own_hosts: Vec<(Platform, String)>,
    patterns: Vec<CustomPlatform>,
}

fn targets(config: &Config, clients: &GraphClients) -> Result<Targets, Failure> {
    let state_dir = config.state_dir();
    let mut targets = Targets::default();
    for (name, kind) in &config.platforms {
        let wrong = |error| Failure::usage(format!("{}: {error}", config.path.display()));
        let platform: Arc<dyn MeetingPlatform> = match kind {
            PlatformKind::Jitsi(settings) => {
                targets.own_hosts.push((Platform::JITSI, authority(&settings.url)));
                let clock = Arc::new(SystemClock);
                Arc::new(
                    Jitsi::new(name.name(), settings.as_ref().clone(), &state_dir, clock).map_err(wrong)?,
                )
            }
            PlatformKind::Skype(settings) => {
                let hosts = settings.meet_urls.iter().map(|url| (Platform::SFB, authority(url)));
                targets.own_hosts.extend(hosts);
                let clock = Arc::new(SystemClock);
                Arc::new(Skype::new(name.name(), settings.as_ref().clone(), clock).map_err(wrong)?)
            }
            PlatformKind::Teams(settings) => {
                Arc::new(Teams::new(name.name(), settings.as_ref().clone(), clients).map_err(wrong)?)
            }
            PlatformKind::Template(settings) => {
                let template =
                    Template::new(name.name(), settings.as_ref().clone(), &state_dir).map_err(wrong)?;
                let join_url = template.pattern().as_str().to_owned();
                targets.patterns.push(CustomPlatform { platform: name.clone(), join_url });
                Arc::new(template)
            }
        };
        if platform.platform() != *name {
            let (path, is) = (config.path.display(), platform.platform());
            return Err(Failure::usage(format!(
                "{path}: [platform.{name}] is the platform {is}: name it [platform.{is}]"
            )));
        }
        targets.platforms.push(platform);
    }
    Ok(targets)
}

/// Host and port of a URL that the configuration's check let pass.
fn authority(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default().to_ascii_lowercase()
}

fn sender(config: &Config) -> Result<Option<Arc<dyn InvitationSender>>, Failure> {
    let Some(settings) = &config.smtp else { return Ok(None) };
    let sender = SmtpSender::new(settings.clone(), Arc::new(SystemClock))
        .map_err(|error| Failure::usage(format!("{}: [smtp] {error}", config.path.display())))?;
    Ok(Some(Arc::new(sender.with_ledger(&beside_store(config, "-mails")))))
}

/// A file whose name is the store's with `suffix` behind it.
fn beside_store(config: &Config, suffix: &str) -> PathBuf {
    let mut path = config.store_path().into_os_string();
    path.push(suffix);
    path.into()
}

/// Everything that a command works with.
///
/// # Errors
/// The configuration cannot work, or the store cannot be opened.
pub async fn open(config: Config) -> Result<Installation, Failure> {
    open_with(config, Access::Command).await
}

/// The same for the daemon, which has the store's workers to itself.
///
/// # Errors
/// As [`open`]; or another daemon has the store.
pub async fn open_for_daemon(config: Config) -> Result<Installation, Failure> {
    open_with(config, Access::Daemon).await
}

async fn open_with(config: Config, access: Access) -> Result<Installation, Failure> {
    let connectors = connectors(&config)?;
    let store = open_store(&config, access).await?;
    let directory = Arc::clone(&connectors.directory);
    let engine = Engine::new(
        Arc::clone(&store) as _,
        connectors,
        settings(&config)?,
        Arc::new(SystemClock),
        Arc::new(RandomIds),
    );
    Ok(Installation { config, engine, directory, tokens: Arc::clone(&store) as _, store })
}

fn settings(config: &Config) -> Result<EngineSettings, Failure> {
    Ok(EngineSettings {
        grace: config.engine.grace_period.get(),
        max_attendees: config.engine.max_attendees,
        notify: config.engine.notify,
        raise_sequence: config.engine.raise_sequence,
        workers: config.engine.workers,
        lease: config.engine.lease.get(),
        retention_originals: config.retention.originals.get(),
        retention_history: config.retention.history.get(),
        internal_domains: config
            .organisation
            .domains
            .iter()
            .map(|domain| domain.to_ascii_lowercase())
            .collect(),
        identities: identities(config)?,
        ..EngineSettings::default()
    })
}

impl Installation {
    /// The migration from `source` to `target`, its platforms spelled as they are configured.
    ///
    /// # Errors
    /// Meetings cannot be there, or cannot go there; names what can be asked for.
    pub fn migration(
        &self,
        source: &SourceMeetingType,
        target: &TargetMeetingType,
    ) -> Result<MigrationType, Failure> {
        self.engine.migration(source.clone(), target.clone()).map_err(|error| {
            Failure::usage(match &error {
                UnknownType::Source { name, known } => {
                    match nearest(name, known.iter().map(String::as_str)) {
                        Some(near) => format!("{error} (did you mean {near}?)"),
                        None => error.to_string(),
                    }
                }
                UnknownType::Target { name, .. } => {
                    format!("{error}: add a section [platform.{name}] to {}", self.config.path.display())
                }
            })
        })
    }
}

/// A failure of the engine as the command's.
pub fn engine_failure(error: EngineError) -> Failure {
    match error {
        EngineError::Store(error) => store_failure(error),
        EngineError::Port(error) => error.into(),
        error @ EngineError::Unknown(_) => Failure::usage(error.to_string()),
        error @ EngineError::Disabled => Failure::not_allowed(error.to_string()),
        error @ EngineError::NoSuchRequest(_) => Failure::not_found(error.to_string()),
        error @ EngineError::NotAvailable(..) => Failure::failed(error.to_string()),
    }
}
