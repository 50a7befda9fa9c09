//! `mms demo`

use std::fs;
use std::path::{Path, PathBuf};

use mms_model::{
    Clock as _, MigrationRequest, MigrationType, Platform, SourceMeetingType, SystemClock, TargetMeetingType,
};

use super::history::{self, reason};
use super::migrate::{is_problem, migrate};
use super::status;
use crate::config;
use crate::context::Context;
use crate::demo::organisation::{Organisation, seed};
use crate::demo::post_box::PostBox;
use crate::diff;
use crate::failure::Failure;
use crate::output::{Format, Rows, Value, print_text};
use crate::wiring::{self, Installation};

/// Arguments of `mms demo`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The folder to work in, which must be new or empty [default: mms-demo in the system's temporary folder,
    /// made anew each time].
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

const PEOPLE: u32 = 25;
const MEETINGS_EACH: u32 = 14;
const SEED: u64 = 2018;

/// Failed meetings that are shown.
const SHOWN_PROBLEMS: usize = 6;

/// Makes an organisation, migrates it to Jitsi through the same engine and connectors as everything
/// else, and shows what came of it.
///
/// # Errors
/// The folder cannot be used. That some meetings of the demo cannot be migrated is part of it.
pub async fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let dir = folder(arguments.dir.as_deref())?;
    let shown = dir.display();
    let made =
        seed(&dir, SystemClock.now(), PEOPLE, MEETINGS_EACH, SEED).map_err(|error| unusable(&dir, &error))?;
    let post_box =
        PostBox::open().await.map_err(|error| Failure::failed(format!("no port is free: {error}")))?;
    let file = dir.join("mms.toml");
    let text = configuration(&post_box);
    fs::write(&file, &text).map_err(|error| unusable(&dir, &error))?;
    let before = fs::read_to_string(&made.showcase).map_err(|error| unusable(&made.showcase, &error))?;
    let kept = dir.join("before.ics");
    fs::write(&kept, &before).map_err(|error| unusable(&dir, &error))?;
    print_text(&format!(
        "{} people with {} meetings on Skype, Teams, Zoom, Webex and others\nnow have calendars in {shown}.\n\
         Their meetings move to Jitsi Meet; attendees are told by mail\n(to a mail server in this process).\n\n",
        made.people.len(),
        made.meetings,
    ))?;

    let installation = wiring::open(config::parse(&text, &file).map_err(Failure::usage)?).await?;
    let migration = MigrationType {
        source: SourceMeetingType::All,
        target: TargetMeetingType::Platform(Platform::JITSI),
    };
    let users = installation.directory.users().await?;
    let requests = migrate(&installation, users, &migration).await?;

    show_requests(context, &requests)?;
    show_problems(context, &installation, &requests).await?;
    show_mails(&requests, &post_box)?;
    show_invite(context, &made, &before, &kept)?;
    // The mail server of the demo ends with it, so what is left behind tells nobody.
    fs::write(&file, without_mail(&text)).map_err(|error| unusable(&dir, &error))?;
    let first = made.people.first().map_or("IDENTITY", |person| person.upn.as_str());
    print_text(&format!(
        "Go on in that folder:\n  cd {shown}\n  mms status --state failed\n  mms history {first}\n  \
         mms migrate --all --to Jitsi   # a second run: nothing is left to do\n  mms rollback {first}\n\
         Your own calendars: `mms config init`, then `mms doctor` and `mms preview`.\n"
    ))
}

/// A folder that holds nothing else.
fn folder(named: Option<&Path>) -> Result<PathBuf, Failure> {
    let dir = match named {
        Some(dir) => dir.to_owned(),
        None => {
            let dir = std::env::temp_dir().join("mms-demo");
            // Only what a demo left is made anew.
            if dir.join(MARK).is_file() {
                fs::remove_dir_all(&dir).map_err(|error| unusable(&dir, &error))?;
            }
            dir
        }
    };
    fs::create_dir_all(&dir).map_err(|error| unusable(&dir, &error))?;
    let mut entries = fs::read_dir(&dir).map_err(|error| unusable(&dir, &error))?;
    if entries.next().is_some() {
        return Err(Failure::failed(format!("{} is not empty: name a new folder with --dir", dir.display())));
    }
    fs::write(dir.join(MARK), "").map_err(|error| unusable(&dir, &error))?;
    dir.canonicalize().map_err(|error| unusable(&dir, &error))
}

const MARK: &str = ".mms-demo";

fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("{} cannot be used: {error}; name another folder with --dir", path.display()))
}

fn configuration(post_box: &PostBox) -> String {
    format!(
        "# Written by `mms demo`.\n[organisation]\ndomains = [\"contoso.example\"]\n\n\
         [directory]\nfile = \"directory.csv\"\n\n\
         [calendar.files]\nkind = \"ics\"\nroot = \"calendars\"\n\n\
         [platform.Jitsi]\nkind = \"jitsi\"\nurl = \"https://meet.contoso.example\"\n\n\
         [store]\npath = \"state/mms.db\"\n\n\
         [smtp]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\n",
        post_box.port()
    )
}

fn without_mail(configuration: &str) -> String {
    let kept = configuration.split("[smtp]").next().unwrap_or_default();
    format!("{kept}[engine]\nnotify = \"none\"\n")
}

fn show_requests(context: &Context, requests: &[MigrationRequest]) -> Result<(), Failure> {
    context.output.print(&status::summary_rows(&status::summarise(requests)), Format::Table, "")?;
    print_text("\n")?;
    if let Some(first) = requests.first() {
        context.output.print(&status::record_rows(std::slice::from_ref(first)), Format::List, "")?;
    }
    print_text("\n")
}

async fn show_problems(
    context: &Context,
    installation: &Installation,
    requests: &[MigrationRequest],
) -> Result<(), Failure> {
    let mut rows = Rows::new(&["UserPrincipalName", "Subject", "Outcome", "Message"]);
    for request in requests.iter().filter(|request| request.counts.failed > 0) {
        for record in history::meetings(installation.store.as_ref(), request.id).await? {
            if is_problem(&record) && rows.len() < SHOWN_PROBLEMS {
                rows.push(vec![
                    Value::text(request.user.upn.clone()),
                    Value::text(record.title()),
                    Value::text(record.outcome.name()),
                    Value::text(reason(&record)),
                ]);
            }
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    print_text("Meetings that stay, because a machine must not guess:\n\n")?;
    context.output.print(&rows, Format::List, "")?;
    print_text("\n")
}

fn show_mails(requests: &[MigrationRequest], post_box: &PostBox) -> Result<(), Failure> {
    let (mails, most) = post_box.taken();
    let invites: u64 = requests.iter().map(|request| request.counts.invites).sum();
    print_text(&format!(
        "{mails} mails told the attendees of {invites} meetings;\nthe most that one got for one meeting: {most}.\n\n"
    ))
}

fn show_invite(context: &Context, made: &Organisation, before: &str, kept: &Path) -> Result<(), Failure> {
    let after = fs::read_to_string(&made.showcase).map_err(|error| unusable(&made.showcase, &error))?;
    print_text(&format!(
        "One invite, before: {}\n           after:  {}\n\n{}\n",
        kept.display(),
        made.showcase.display(),
        diff::lines(&readable(before), &readable(&after), context.output.style())
    ))
}

/// An iCalendar text with its lines unfolded and the line breaks of its values shown as such.
fn readable(ics: &str) -> String {
    ics.replace("\r\n ", "").replace("\\n", "\n").replace("\\,", ",").replace("\\;", ";")
}
