//! The steps of `mms doctor`: what each part of the configuration says of itself when it is tried.

use std::path::Path;
use std::sync::Arc;

use mms_connectors::calendar::ics_folder::IcsFolderSettings;
use mms_connectors::calendar::{caldav, ews, graph};
use mms_connectors::diagnosis::DiagnosticStep;
use mms_connectors::directory::{graph as graph_directory, ldap};
use mms_connectors::graph::GraphClients;
use mms_connectors::platform::skype::Skype;
use mms_connectors::platform::teams::Teams;
use mms_connectors::sender::smtp::SmtpSender;
use mms_model::port::Scheduling;
use mms_model::{Address, Identity, Platform, SkypeHome, SystemClock, User};

use crate::config::{CalendarKind, Config, DirectoryKind, PlatformKind};
use crate::failure::Failure;
use crate::output::counted;
use crate::wiring::audit::{self, Finding};

/// Every step, under the name of what it is about.
///
/// # Errors
/// The named user is unknown.
pub async fn diagnose(
    config: &Config,
    identity: Option<&Identity>,
) -> Result<Vec<(String, DiagnosticStep)>, Failure> {
    let mut steps = vec![(
        "configuration".to_owned(),
        DiagnosticStep::passed("file", format!("{} is read", config.path.display())),
    )];
    let (users, found) = users(config, identity).await?;
    steps.extend(found.into_iter().map(|step| ("directory".to_owned(), step)));
    steps.push(("store".to_owned(), store(config).await));
    for (name, kind) in &config.calendars {
        let user =
            users.iter().find(|user| user.calendar.as_ref().is_some_and(|place| place.connector == *name));
        let mut found = calendar(kind, user).await;
        // What cannot be opened cannot be asked; folders need not be.
        let user = user.filter(|_| !found.iter().any(DiagnosticStep::is_failure));
        found.extend(untold(config, name, user).await);
        steps.extend(found.into_iter().map(|step| (format!("calendar.{name}"), step)));
    }
    let organizer = users.first().filter(|_| identity.is_some()).map(User::primary_address);
    steps.extend(platforms(config, organizer.as_ref()).await);
    steps.extend(smtp(config).await);
    Ok(steps)
}

/// Findings of the directory that are shown.
const MOST_FINDINGS: usize = 20;

const GIVE_A_CALENDAR: &str = "give the directory a calendar for this user (docs/directory.md)";

/// The users that are tried, and how the directory fares.
async fn users(
    config: &Config,
    identity: Option<&Identity>,
) -> Result<(Vec<User>, Vec<DiagnosticStep>), Failure> {
    let mut steps = match &config.directory {
        DirectoryKind::File(settings) => file_steps(config, &settings.file, identity.is_none()),
        DirectoryKind::Graph(settings) => {
            graph_directory::diagnose(settings, super::only_calendar(config).as_deref()).await
        }
        DirectoryKind::Ldap(settings) => {
            ldap::diagnose(settings, super::only_calendar(config).as_deref()).await
        }
    };
    if let Some(identity) = identity {
        let directory = super::directory(config)?;
        let user = directory.resolve(identity).await?;
        steps.push(match &user.calendar {
            Some(place) => {
                DiagnosticStep::passed("user", format!("{}, on [calendar.{}]", user.upn, place.connector))
            }
            None => DiagnosticStep::failed(
                "user",
                format!("{} has no calendar", user.upn),
                directory.why_no_calendar(&user).await.unwrap_or_else(|| GIVE_A_CALENDAR.to_owned()),
            ),
        });
        steps.extend(user.skype.as_ref().map(skype_home));
        return Ok((vec![user], steps));
    }
    // What is wrong with it stands in the steps.
    let users = match super::directory(config) {
        Ok(directory) => directory.users().await.unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    Ok((users, steps))
}

/// Where Skype for Business homes the user.
fn skype_home(home: &SkypeHome) -> DiagnosticStep {
    let detail = match home {
        SkypeHome::OnPremises { pool: Some(pool) } => format!("homed on premises, on {pool}"),
        SkypeHome::OnPremises { pool: None } => "homed on premises".to_owned(),
        SkypeHome::Online => "homed in the cloud".to_owned(),
    };
    DiagnosticStep::passed("Skype for Business", detail)
}

/// Whether the file of users can be read, and where `all` are looked at, what is wrong in it.
fn file_steps(config: &Config, file: &Path, all: bool) -> Vec<DiagnosticStep> {
    match super::file_directory(config, file) {
        Ok(directory) if all => {
            let findings = audit::users(config, file, &directory).into_iter().take(MOST_FINDINGS);
            let read = DiagnosticStep::passed("file", counted(directory.len(), "user"));
            std::iter::once(read).chain(findings.map(|finding| step("users", finding))).collect()
        }
        Ok(_) => Vec::new(),
        Err(failure) => {
            let advice = "mend the file that [directory] names; docs/directory.md describes it";
            vec![DiagnosticStep::failed("file", failure.message, advice)]
        }
    }
}

fn step(name: &str, finding: Finding) -> DiagnosticStep {
    let detail = format!("{}: {}", finding.place, finding.message);
    if finding.is_error {
        DiagnosticStep::failed(name, detail, finding.advice)
    } else {
        DiagnosticStep::warning(name, detail, finding.advice)
    }
}

/// A failed step where attendees are to be told and nobody would: the calendar does not, and there is no mail server.
async fn untold(config: &Config, name: &str, user: Option<&User>) -> Option<DiagnosticStep> {
    if !audit::needs_mail(config) {
        return None;
    }
    let is_silent = match (config.calendars.get(name)?, user) {
        (CalendarKind::Ics(_), _) => true,
        (CalendarKind::CalDav(_), None) | (CalendarKind::Ews(_) | CalendarKind::Graph(_), _) => false,
        // Whether a server tells attendees is known when a calendar is open.
        (CalendarKind::CalDav(_), Some(user)) => {
            let calendars = super::connectors(config).ok()?.calendars;
            calendars.get(name)?.open(user).await.ok()?.scheduling() == Scheduling::Client
        }
    };
    is_silent.then(|| {
        let detail =
            "attendees are to be told, this calendar does not tell them, and no mail server is configured";
        DiagnosticStep::failed("updates", detail, audit::MAIL_ADVICE)
    })
}

async fn store(config: &Config) -> DiagnosticStep {
    let shown = config.store_path().display().to_string();
    let advice = "set [store] path to a place that this account may write, on a local disk";
    match super::store(config).await {
        Ok(store) => match store.summary().await {
            Ok(_) => DiagnosticStep::passed("database", format!("{shown} can be used")),
            Err(error) => DiagnosticStep::failed("database", format!("{shown}: {error}"), advice),
        },
        Err(failure) => DiagnosticStep::failed("database", failure.message, advice),
    }
}

async fn calendar(kind: &CalendarKind, user: Option<&User>) -> Vec<DiagnosticStep> {
    match (kind, user) {
        (CalendarKind::CalDav(settings), Some(user)) => caldav::diagnose(settings, user).await,
        (CalendarKind::CalDav(_), None) => {
            vec![DiagnosticStep::skipped("server", "no user of the directory has a calendar here")]
        }
        (CalendarKind::Ews(settings), user) => ews::diagnose(settings, user).await,
        (CalendarKind::Graph(settings), user) => graph::diagnose(settings, user).await,
        (CalendarKind::Ics(settings), user) => folder(settings, user),
    }
}

/// The folder, and the one of a user in it.
fn folder(settings: &IcsFolderSettings, user: Option<&User>) -> Vec<DiagnosticStep> {
    let root = &settings.root;
    let mut steps = vec![readable("folder", root, "set root to the folder that holds the users' folders")];
    if steps.iter().any(DiagnosticStep::is_failure) {
        return steps;
    }
    match user {
        None => steps.push(DiagnosticStep::skipped("user", "no user of the directory has a calendar here")),
        Some(user) => {
            let advice = "correct the user's place in the directory; it is taken from the calendar's root";
            let folder = root.join(audit::place(settings, user));
            steps.push(readable("user's folder", &folder, advice));
            steps.push(writable(&folder));
        }
    }
    steps
}

fn readable(name: &str, folder: &Path, advice: &str) -> DiagnosticStep {
    match std::fs::read_dir(folder) {
        Ok(entries) => {
            DiagnosticStep::passed(name, format!("{}: {} entries", folder.display(), entries.count()))
        }
        Err(error) => {
            DiagnosticStep::failed(name, format!("{} cannot be read: {error}", folder.display()), advice)
        }
    }
}

/// Whether a file can be made there; it is taken away at once.
fn writable(folder: &Path) -> DiagnosticStep {
    let probe = folder.join(format!(".mms-doctor-{}", std::process::id()));
    let made = std::fs::File::create_new(&probe);
    let _ = std::fs::remove_file(&probe);
    match made {
        Ok(_) => DiagnosticStep::passed("writing", "files can be written"),
        Err(error) => DiagnosticStep::failed(
            "writing",
            format!("{} cannot be written: {error}", folder.display()),
            "run MMS as an account that may write there",
        ),
    }
}

async fn platforms(config: &Config, organizer: Option<&Address>) -> Vec<(String, DiagnosticStep)> {
    if config.platforms.is_empty() {
        let advice = "add a section [platform.NAME]; without one meetings can only be looked at";
        return vec![(
            "platform".to_owned(),
            DiagnosticStep::warning("settings", "none is configured", advice),
        )];
    }
    let step = match super::targets(config, &GraphClients::default()) {
        Ok(targets) => {
            let names: Vec<String> =
                targets.platforms.iter().map(|platform| platform.platform().to_string()).collect();
            DiagnosticStep::passed("settings", names.join(", "))
        }
        Err(failure) => DiagnosticStep::failed("settings", failure.message, "correct the platform's section"),
    };
    let mut steps = vec![("platform".to_owned(), step)];
    for (name, kind) in &config.platforms {
        let found = platform(name, kind, organizer).await;
        steps.extend(found.into_iter().map(|step| (format!("platform.{name}"), step)));
    }
    steps
}

/// What a platform says of itself when it is tried; one that cannot be set up was named already.
async fn platform(name: &Platform, kind: &PlatformKind, organizer: Option<&Address>) -> Vec<DiagnosticStep> {
    match kind {
        PlatformKind::Skype(settings) => {
            match Skype::new(name.name(), settings.as_ref().clone(), Arc::new(SystemClock)) {
                Ok(skype) => skype.diagnose(organizer).await,
                Err(_) => Vec::new(),
            }
        }
        PlatformKind::Teams(settings) => {
            match Teams::new(name.name(), settings.as_ref().clone(), &GraphClients::default()) {
                Ok(teams) => teams.diagnose().await,
                Err(_) => Vec::new(),
            }
        }
        PlatformKind::Jitsi(_) | PlatformKind::Template(_) => Vec::new(),
    }
}

async fn smtp(config: &Config) -> Vec<(String, DiagnosticStep)> {
    let steps = match &config.smtp {
        None => vec![DiagnosticStep::skipped("server", "[smtp] is not configured")],
        Some(settings) => match SmtpSender::new(settings.clone(), Arc::new(SystemClock)) {
            Ok(sender) => sender.diagnose().await,
            Err(error) => {
                vec![DiagnosticStep::failed("settings", error.to_string(), "correct the section [smtp]")]
            }
        },
    };
    steps.into_iter().map(|step| ("smtp".to_owned(), step)).collect()
}
