//! `mms config check|show|init|path|tenant|dial-in`

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use mms_engine::Switch;
use mms_model::{Clock as _, SystemClock};

use crate::config::{self, DirectoryKind, example::EXAMPLE, locate, show};
use crate::context::{Context, administrator};
use crate::failure::Failure;
use crate::output::{Format, Rows, Value, counted, print_text, tell};
use crate::wiring::{self, audit, audit::Finding};

/// Arguments of `mms config`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Checks the file, the secrets it names and the directory, without a connection to any server.
    Check,
    /// Shows the configuration in effect, defaults included. Secrets are shown as where they come from.
    Show,
    /// Writes a commented example.
    Init {
        /// Where to.
        #[arg(default_value = locate::LOCAL, value_name = "FILE")]
        file: PathBuf,
    },
    /// Prints the path of the file that is used.
    Path,
    /// Shows or changes whether migrations are enabled.
    Tenant {
        /// Enable or disable migrations.
        #[arg(long, value_name = "BOOLEAN")]
        meeting_migration_enabled: Option<bool>,
    },
    /// Shows or changes the tenant's dial-in settings.
    DialIn {
        /// Whether a change of a user's audio conferencing refreshes their meetings.
        #[arg(long, value_name = "BOOLEAN")]
        automatically_migrate_user_meetings: Option<bool>,
    },
}

/// Does it.
///
/// # Errors
/// As the action says.
pub async fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.action {
        Action::Check => check(context),
        Action::Show => show_effective(context),
        Action::Init { file } => init(file),
        Action::Path => path(context),
        Action::Tenant { meeting_migration_enabled } => {
            switch(
                context,
                Switch::MeetingMigration,
                &["Identity", "MeetingMigrationEnabled"],
                *meeting_migration_enabled,
            )
            .await
        }
        Action::DialIn { automatically_migrate_user_meetings: on } => {
            switch(
                context,
                Switch::AutomaticMigration,
                &["Identity", "AutomaticallyMigrateUserMeetings"],
                *on,
            )
            .await
        }
    }
}

fn check(context: &Context) -> Result<(), Failure> {
    let config = context.config()?;
    let text = config::text_of(&config.path)?;
    for (key, file) in show::named_files(&text, config.base()) {
        std::fs::File::open(&file).map_err(|error| {
            let (path, file) = (config.path.display(), file.display());
            Failure::usage(format!(
                "{path}: {key}: {file} cannot be read: {error}; check the path and who may read it"
            ))
        })?;
    }
    let (users, listed) = match &config.directory {
        DirectoryKind::File(settings) => {
            let directory = wiring::file_directory(&config, &settings.file)?;
            (counted(directory.len(), "user"), audit::users(&config, &settings.file, &directory))
        }
        DirectoryKind::Graph(_) => ("a tenant's users".to_owned(), Vec::new()),
        DirectoryKind::Ldap(_) => ("a directory server".to_owned(), Vec::new()),
    };
    wiring::check(&config)?;
    let mut findings = audit::folders(&config, &text);
    findings.extend(audit::untold(&config, &text));
    findings.extend(listed);
    if context.output.format().is_some() {
        print_findings(context, &findings)?;
    }
    report(&findings)?;
    if context.output.format().is_some() {
        return Ok(());
    }
    print_text(&format!(
        "{} is good: {}, {}, {}. `mms doctor` tries it against the servers.\n",
        config.path.display(),
        users,
        counted(config.calendars.len(), "calendar"),
        counted(config.platforms.len(), "platform")
    ))
}

fn print_findings(context: &Context, findings: &[Finding]) -> Result<(), Failure> {
    let mut rows = Rows::new(&["Severity", "Message"]);
    for finding in findings {
        let severity = if finding.is_error { "Error" } else { "Warning" };
        rows.push(vec![Value::text(severity), Value::text(finding.to_string())]);
    }
    context.output.print(&rows, Format::List, "nothing is wrong with the configuration")
}

/// Findings of a kind that are printed; behind them their number.
const SHOWN: usize = 20;

/// Prints warnings, then errors.
fn report(findings: &[Finding]) -> Result<(), Failure> {
    let (errors, warnings): (Vec<&Finding>, Vec<&Finding>) = findings.iter().partition(|f| f.is_error);
    for finding in warnings.iter().take(SHOWN) {
        tell(&format!("mms: warning: {finding}"));
    }
    if warnings.len() > SHOWN {
        tell(&format!("mms: warning: and {} more warnings", warnings.len() - SHOWN));
    }
    match errors.as_slice() {
        [] => Ok(()),
        [one] => Err(Failure::usage(one.to_string())),
        several => {
            for finding in several.iter().take(SHOWN) {
                tell(&format!("mms: {finding}"));
            }
            Err(Failure::usage(format!("{} errors: mend them, then run this again", several.len())))
        }
    }
}

fn show_effective(context: &Context) -> Result<(), Failure> {
    let config = context.config()?;
    let failed =
        |error: String| Failure::failed(format!("{} cannot be shown: {error}", config.path.display()));
    let settings = show::effective(&config::text_of(&config.path)?, &config).map_err(failed)?;
    if context.output.format().is_none() {
        let text = toml::to_string_pretty(&settings).map_err(|error| failed(error.to_string()))?;
        return print_text(&format!("# {}\n{text}", config.path.display()));
    }
    let mut rows = Rows::new(&["Setting", "Value"]);
    for (name, value) in show::settings(&settings) {
        rows.push(vec![Value::text(name), Value::from(value)]);
    }
    context.output.print(&rows, Format::List, "")
}

fn path(context: &Context) -> Result<(), Failure> {
    let path = locate::locate(context.named_config())?;
    let path = std::path::absolute(&path).unwrap_or(path).display().to_string();
    if context.output.format().is_none() {
        return print_text(&format!("{path}\n"));
    }
    let mut rows = Rows::new(&["Path"]);
    rows.push(vec![Value::text(path)]);
    context.output.print(&rows, Format::List, "")
}

fn init(file: &Path) -> Result<(), Failure> {
    let shown = file.display();
    let mut new = std::fs::File::create_new(file).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::failed(format!("{shown} exists already and is left as it is: name another file"))
        }
        _ => Failure::failed(format!("{shown} cannot be written: {error}")),
    })?;
    new.write_all(EXAMPLE.as_bytes())
        .map_err(|error| Failure::failed(format!("{shown} cannot be written: {error}")))?;
    print_text(&format!("{shown} is written: edit it, then run `mms config check` and `mms doctor`\n"))
}

/// Shows a switch of the tenant's, or changes it.
async fn switch(
    context: &Context,
    switch: Switch,
    columns: &'static [&'static str],
    on: Option<bool>,
) -> Result<(), Failure> {
    let store = wiring::store(&context.config()?).await?;
    if let Some(on) = on {
        let by = administrator();
        let changed = switch.set(store.as_ref(), on, &by, SystemClock.now());
        return changed.await.map_err(wiring::store_failure);
    }
    let is_on = switch.is_on(store.as_ref()).await.map_err(wiring::store_failure)?;
    let mut rows = Rows::new(columns);
    rows.push(vec![Value::text("Global"), Value::Boolean(is_on)]);
    context.output.print(&rows, Format::List, "")
}
