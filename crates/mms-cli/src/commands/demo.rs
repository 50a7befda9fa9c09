//! `mms demo`

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use mms_engine::Previewed;
use mms_model::{
    MeetingOutcome, MigrationRequest, MigrationType, Platform, SourceMeetingType, TargetMeetingType, User,
};
use mms_sandbox::{Faults, Sandbox, Settings};
use serde_json::Value as Json;

use super::history::{self, reason};
use super::migrate::{is_problem, migrate};
use super::{preview, status};
use crate::config;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Format, Rows, Value, print_text};
use crate::wiring::{self, Installation, engine_failure};

/// Arguments of `mms demo`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The folder to work in, which must be new or empty [default: mms-demo in the system's temporary folder,
    /// made anew each time].
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

const PEOPLE: usize = 25;
const MEETINGS_EACH: usize = 14;
const SEED: u64 = 2018;

/// Failed meetings that are shown.
const SHOWN_PROBLEMS: usize = 6;

/// Makes an organisation on Exchange, half of it on a server and half of it in the cloud, moves its meetings to Teams
/// through the same engine and connectors as everything else, and shows what came of it.
///
/// # Errors
/// The folder cannot be used. That some meetings of the demo cannot be migrated is part of it.
pub async fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let dir = folder(arguments.dir.as_deref())?;
    let sandbox = organisation().await?;
    let installation = installation(&dir, &sandbox.description()).await?;
    let users = installation.directory.users().await?;
    let first =
        users.first().cloned().ok_or_else(|| Failure::failed("the organisation is empty".to_owned()))?;
    print_text(&format!(
        "{PEOPLE} people of Contoso have meetings on Skype for Business, Teams, Zoom and in\nanother tenant. 13 have \
         their mailbox on an Exchange server (EWS), 12 in Exchange\nOnline (Graph); both are made up, and run in this \
         process. All meetings move to Teams.\n\n"
    ))?;
    let migration = MigrationType {
        source: SourceMeetingType::All,
        target: TargetMeetingType::Platform(Platform::TEAMS),
    };
    show_invite(context, &installation, &first, &migration).await?;
    let requests = migrate(&installation, users, &migration).await?;
    show_problems(context, &installation, &requests).await?;
    show_mails(&sandbox.state(), &requests)?;
    print_text(&format!(
        "The organisation ends with the demo; its records stay:\n  cd {}\n  mms status --state failed\n  \
         mms history {2} --meetings\nAn organisation to try everything on: `mms sandbox` ({1}).\n\
         Your own calendars: `mms config init`, then `mms doctor` and `mms preview`.\n\n",
        dir.display(),
        "docs/ews.md",
        first.upn,
    ))?;
    show_requests(context, &requests)
}

/// Exchange, with the latency of a network and answers that come in while somebody else writes.
async fn organisation() -> Result<Sandbox, Failure> {
    let settings =
        Settings { users: PEOPLE, meetings: MEETINGS_EACH, seed: SEED, unusual: true, ..Settings::default() };
    let sandbox = Sandbox::start(&settings)
        .await
        .map_err(|error| Failure::failed(format!("no port is free: {error}")))?;
    sandbox.set_faults(Faults { latency_ms: 20, limits: true, answers_meanwhile: 0.1, ..Faults::default() });
    Ok(sandbox)
}

/// An installation of MMS for the organisation, in a folder of its own.
async fn installation(dir: &Path, organisation: &Json) -> Result<Installation, Failure> {
    let said = |pointer: &str| organisation.pointer(pointer).and_then(Json::as_str).unwrap_or_default();
    let secret = |name: &str, text: &str| write(&dir.join(name), text);
    secret("client-secret", said("/client/secret"))?;
    secret("ews-password", said("/account/password"))?;
    let mut users = "upn,display_name,addresses,calendar\n".to_owned();
    let people =
        organisation.pointer("/users").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    for (number, person) in people.iter().enumerate() {
        let (address, name) =
            (person["address"].as_str().unwrap_or_default(), person["name"].as_str().unwrap_or_default());
        let calendar = if number % 2 == 0 { "office" } else { "cloud" };
        users.push_str(&format!("{address},{name},{address},{calendar}\n"));
    }
    write(&dir.join("users.csv"), &users)?;
    let file = dir.join("mms.toml");
    let text = configuration(&said);
    write(&file, &text)?;
    wiring::open(config::parse(&text, &file).map_err(Failure::usage)?).await
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| unusable(path, &error))
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

fn configuration<'o>(said: &dyn Fn(&str) -> &'o str) -> String {
    let access = format!(
        "tenant = \"{}\"\nclient_id = \"{}\"\nsecret_file = \"client-secret\"\nurl = \"{2}\"\nauthority = \"{2}\"\n",
        said("/tenant"),
        said("/client/id"),
        said("/authority")
    );
    format!(
        "# Written by `mms demo`.\n[organisation]\ndomains = [\"{domain}\"]\n\n\
         [directory]\nfile = \"users.csv\"\n\n\
         [calendar.office]\nkind = \"ews\"\nurl = \"{ews}\"\n\
         auth = {{ type = \"basic\", user = '{account}', password_file = \"ews-password\" }}\n\n\
         [calendar.cloud]\nkind = \"graph\"\n{access}\n\
         [platform.Teams]\nkind = \"teams\"\n{access}\n\
         [recognise]\nhosts = {{ SfB = [\"meet.{domain}\"] }}\n\n\
         [store]\npath = \"state/mms.db\"\n",
        domain = said("/domain"),
        ews = said("/ews"),
        account = said("/account/user"),
    )
}

fn show_requests(context: &Context, requests: &[MigrationRequest]) -> Result<(), Failure> {
    if let Some(first) = requests.first() {
        context.output.print(&status::record_rows(std::slice::from_ref(first)), Format::List, "")?;
        print_text("\n")?;
    }
    context.output.print(&status::summary_rows(&status::summarise(requests)), Format::Table, "")
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

/// Whom Exchange told, by its own count.
fn show_mails(state: &Json, requests: &[MigrationRequest]) -> Result<(), Failure> {
    let mails = state["mails"].as_array().map(Vec::as_slice).unwrap_or_default();
    let counts = || mails.iter().filter_map(|mail| mail["count"].as_u64());
    let meetings: u64 = requests.iter().map(|request| request.counts.invites).sum();
    print_text(&format!(
        "{meetings} meetings moved. Exchange sent their attendees {} updates, and nobody got the same one\ntwice (the most: \
         {}), in {} requests of MMS.\n\n",
        counts().sum::<u64>(),
        counts().max().unwrap_or_default(),
        state["requestsInAll"]
    ))
}

/// One invite before it moves, and what will become of it.
async fn show_invite(
    context: &Context,
    installation: &Installation,
    user: &User,
    migration: &MigrationType,
) -> Result<(), Failure> {
    let mut shown: Option<Previewed> = None;
    let mut take = |one: Previewed| {
        let is_skype = one.record.platform.as_deref() == Some(Platform::SFB.name());
        if shown.is_none() && is_skype && one.record.outcome == MeetingOutcome::Migrated {
            shown = Some(one);
        }
    };
    installation.engine.preview(user, migration, &mut take).await.map_err(engine_failure)?;
    match shown {
        Some(one) => print_text(&preview::with_diff(&user.upn, &one, context.output.style())),
        None => Ok(()),
    }
}
