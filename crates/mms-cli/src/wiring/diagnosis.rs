//! The steps of `mms doctor`: what each part of the configuration says of itself when it is tried.

use std::path::Path;

use mms_connectors::calendar::caldav;
use mms_connectors::diagnosis::DiagnosticStep;
use mms_connectors::sender::smtp::SmtpSender;
use mms_model::{Identity, SystemClock, User};

use crate::config::{CalendarKind, Config};
use crate::failure::Failure;

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
    let users = match users(config, identity).await {
        Ok(users) => {
            steps.push((
                "directory".to_owned(),
                DiagnosticStep::passed("file", format!("{} users", users.len())),
            ));
            users
        }
        Err(failure) if identity.is_some() => return Err(failure),
        Err(failure) => {
            let advice = "mend the file that [directory] names; docs/directory.md describes it";
            steps.push(("directory".to_owned(), DiagnosticStep::failed("file", failure.message, advice)));
            Vec::new()
        }
    };
    steps.push(("store".to_owned(), store(config).await));
    for (name, kind) in &config.calendars {
        let user =
            users.iter().find(|user| user.calendar.as_ref().is_some_and(|place| place.connector == *name));
        let found = calendar(kind, user).await;
        steps.extend(found.into_iter().map(|step| (format!("calendar.{name}"), step)));
    }
    for user in users.iter().filter(|user| !has_calendar(config, user)).take(1) {
        let detail = format!("{} has none of the configured calendars", user.upn);
        let advice = "name a configured calendar in the directory, or leave the user out";
        steps.push(("directory".to_owned(), DiagnosticStep::warning("calendars", detail, advice)));
    }
    steps.extend(platforms(config));
    steps.extend(smtp(config).await);
    Ok(steps)
}

async fn users(config: &Config, identity: Option<&Identity>) -> Result<Vec<User>, Failure> {
    let directory = super::directory(config)?;
    Ok(match identity {
        Some(identity) => vec![directory.resolve(identity).await?],
        None => directory.users().await?,
    })
}

fn has_calendar(config: &Config, user: &User) -> bool {
    user.calendar.as_ref().is_some_and(|place| config.calendars.contains_key(&place.connector))
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
        (CalendarKind::Ics(settings), user) => folder(&settings.root, user),
    }
}

/// The folder, and the one of a user in it.
fn folder(root: &Path, user: Option<&User>) -> Vec<DiagnosticStep> {
    let mut steps = vec![readable("folder", root, "set root to the folder that holds the users' folders")];
    if steps.iter().any(DiagnosticStep::is_failure) {
        return steps;
    }
    match user.and_then(|user| Some((user, user.calendar.as_ref()?))) {
        None => steps.push(DiagnosticStep::skipped("user", "no user of the directory has a calendar here")),
        Some((user, calendar)) => {
            let place = if calendar.place.is_empty() { user.upn.as_str() } else { calendar.place.as_str() };
            let advice = "correct the user's place in the directory; it is taken from the calendar's root";
            let folder = root.join(place);
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

fn platforms(config: &Config) -> Vec<(String, DiagnosticStep)> {
    if config.platforms.is_empty() {
        let advice = "add a section [platform.NAME]; without one meetings can only be looked at";
        return vec![(
            "platform".to_owned(),
            DiagnosticStep::warning("settings", "none is configured", advice),
        )];
    }
    let step = match super::targets(config) {
        Ok(targets) => {
            let names: Vec<String> =
                targets.platforms.iter().map(|platform| platform.platform().to_string()).collect();
            DiagnosticStep::passed("settings", names.join(", "))
        }
        Err(failure) => DiagnosticStep::failed("settings", failure.message, "correct the platform's section"),
    };
    vec![("platform".to_owned(), step)]
}

async fn smtp(config: &Config) -> Vec<(String, DiagnosticStep)> {
    let steps = match &config.smtp {
        None => vec![DiagnosticStep::skipped(
            "server",
            "[smtp] is not configured: calendars must tell attendees themselves",
        )],
        Some(settings) => match SmtpSender::new(settings.clone(), std::sync::Arc::new(SystemClock)) {
            Ok(sender) => sender.diagnose().await,
            Err(error) => {
                vec![DiagnosticStep::failed("settings", error.to_string(), "correct the section [smtp]")]
            }
        },
    };
    steps.into_iter().map(|step| ("smtp".to_owned(), step)).collect()
}
