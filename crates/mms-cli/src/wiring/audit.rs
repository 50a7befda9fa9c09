//! What is wrong with a configuration and its directory taken together, found without a server: what each part alone
//! allows, but what would fail every meeting of somebody, or tell attendees twice.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use mms_connectors::calendar::caldav::SchedulingChoice;
use mms_connectors::calendar::ics_folder::IcsFolderSettings;
use mms_connectors::directory::file::FileDirectory;
use mms_model::{AttendeeChoice, User};

use crate::config::{CalendarKind, Config, line_of_section};
use crate::nearest::nearest;

/// One thing that is wrong, or most likely is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether something cannot work; else an administrator should look.
    pub is_error: bool,
    /// File and line.
    pub place: String,
    /// What is wrong there.
    pub message: String,
    /// What to do.
    pub advice: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.place, self.message, self.advice)
    }
}

/// Folders of .ics files that are not there. `text` is that of the configuration file, for the lines.
pub fn folders(config: &Config, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, kind) in &config.calendars {
        let CalendarKind::Ics(settings) = kind else { continue };
        if let Err(error) = std::fs::read_dir(&settings.root) {
            findings.push(Finding {
                is_error: true,
                place: section(config, text, &format!("calendar.{name}")),
                message: format!(
                    "[calendar.{name}] the folder {} cannot be read: {error}",
                    settings.root.display()
                ),
                advice: "make it, or correct root".to_owned(),
            });
        }
    }
    findings
}

/// Calendars whose updates only MMS sends, where attendees are to be told and no mail server is configured.
pub fn untold(config: &Config, text: &str) -> Vec<Finding> {
    if !needs_mail(config) {
        return Vec::new();
    }
    let tells_nobody = |kind: &CalendarKind| match kind {
        CalendarKind::Ics(_) => Some("files tell attendees nothing"),
        CalendarKind::CalDav(settings) if settings.scheduling == SchedulingChoice::Client => {
            Some("with scheduling = \"client\" the server tells attendees nothing")
        }
        CalendarKind::CalDav(_) | CalendarKind::Ews(_) | CalendarKind::Graph(_) => None,
    };
    let silent = config.calendars.iter().filter_map(|(name, kind)| Some((name, tells_nobody(kind)?)));
    silent
        .map(|(name, why)| Finding {
            is_error: true,
            place: section(config, text, &format!("calendar.{name}")),
            message: format!("[calendar.{name}] {why}, and no mail server is configured"),
            advice: MAIL_ADVICE.to_owned(),
        })
        .collect()
}

/// What to do where nobody would tell attendees.
pub const MAIL_ADVICE: &str =
    "add a section [smtp] (docs/smtp.md), or set notify = \"none\" in [engine] so that nobody is told";

/// Whether attendees are to be told, and MMS has no way to.
pub fn needs_mail(config: &Config) -> bool {
    config.smtp.is_none() && config.engine.notify != AttendeeChoice::None
}

/// Users who cannot be migrated as they are listed, and addresses of two users.
pub fn users(config: &Config, file: &Path, directory: &FileDirectory) -> Vec<Finding> {
    let file = file.display().to_string();
    if directory.is_empty() {
        return vec![Finding {
            is_error: true,
            place: file,
            message: "nobody is listed".to_owned(),
            advice: "add a line for each user (docs/directory.md)".to_owned(),
        }];
    }
    let mut findings = Vec::new();
    let mut owners: HashMap<String, (u64, &str)> = HashMap::new();
    for (line, user) in directory.lines() {
        let mut found = |is_error: bool, message: String, advice: String| {
            findings.push(Finding { is_error, place: format!("{file}:{line}"), message, advice });
        };
        calendar_of(config, user, &mut found);
        for address in names_of(user) {
            let (first, owner) = *owners.entry(address.clone()).or_insert((line, &user.upn));
            if owner != user.upn {
                let message =
                    format!("the address {address} of {} belongs to {owner} on line {first}, too", user.upn);
                let advice = "leave it with one of them: a meeting that both organise would move twice, and its \
                              attendees be told twice";
                found(false, message, advice.to_owned());
            }
        }
    }
    findings
}

/// Every address by which a user is known as an organizer, once.
fn names_of(user: &User) -> Vec<String> {
    let mut names: Vec<String> =
        user.addresses.iter().map(|address| address.as_str().to_lowercase()).collect();
    names.push(user.upn.to_lowercase());
    names.extend(user.sip.as_ref().map(|sip| sip.to_lowercase()));
    names.sort_unstable();
    names.dedup();
    names
}

fn calendar_of(config: &Config, user: &User, found: &mut impl FnMut(bool, String, String)) {
    let upn = &user.upn;
    let names = || config.calendars.keys().map(String::as_str);
    let Some(calendar) = &user.calendar else {
        let advice = format!("name one of {} in the column calendar", names().collect::<Vec<_>>().join(", "));
        return found(false, format!("{upn} has no calendar"), advice);
    };
    match config.calendars.get(&calendar.connector) {
        None => {
            let advice = match nearest(&calendar.connector, names()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("configured: {}", names().collect::<Vec<_>>().join(", ")),
            };
            found(
                true,
                format!("the calendar \"{}\" of {upn} is not configured", calendar.connector),
                advice,
            );
        }
        Some(CalendarKind::Ics(settings)) if settings.root.is_dir() => {
            let folder = settings.root.join(place(settings, user));
            if !folder.is_dir() {
                let message = format!("the folder {} of {upn} is not there", folder.display());
                found(false, message, "make it, or correct the user's place".to_owned());
            }
        }
        Some(_) => {}
    }
}

/// Where a user's folder is below the root, as the connector takes it.
pub fn place(settings: &IcsFolderSettings, user: &User) -> String {
    let named =
        user.calendar.as_ref().map(|calendar| calendar.place.trim()).filter(|place| !place.is_empty());
    named.map_or_else(|| settings.place.replace("{upn}", &user.upn), str::to_owned)
}

fn section(config: &Config, text: &str, name: &str) -> String {
    at(&config.path, line_of_section(text, name))
}

fn at(path: &Path, line: Option<usize>) -> String {
    line.map_or_else(|| path.display().to_string(), |line| format!("{}:{line}", path.display()))
}
