//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::{
    audit, backup, cancel, completions, config, demo, doctor, event, history, inspect, man, migrate, preview,
    rollback, sandbox, serve, start, status, token,
};
use crate::output::Format;

/// Moves the online meetings that already stand in people's calendars to another platform.
#[derive(Debug, Parser)]
#[command(
    name = "mms",
    version,
    max_term_width = 100,
    after_help = "Cmdlet lines of the original work as they stand: mms Get-CsMeetingMigrationStatus -SummaryOnly \
                  (`mms Get-CsMeetingMigrationStatus -?` shows the parameters).\n\
                  Exit codes: 0 done, 1 failed, 2 usage, 3 not found or ambiguous, 4 not allowed, 5 not reachable."
)]
pub struct Arguments {
    /// What all commands take.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Global {
    /// The configuration file [default: $MMS_CONFIG, ./mms.toml, /etc/mms/mms.toml].
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The format of what is printed; the default suits the rows.
    #[arg(short, long, global = true, value_enum, ignore_case = true, value_name = "FORMAT")]
    pub output: Option<Format>,
    /// Log more to stderr; twice for much more.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Migrates users' meetings now, without a daemon.
    Migrate(migrate::Arguments),
    /// Asks for users' meetings to be migrated by the daemon.
    Start(start::Arguments),
    /// Shows the status of migrations.
    Status(status::Arguments),
    /// Shows every state change and meeting outcome of a user's migrations.
    History(history::Arguments),
    /// Shows what a migration would do to each meeting, and does nothing.
    Preview(preview::Arguments),
    /// Takes a migration back.
    Rollback(rollback::Arguments),
    /// Cancels a migration that waits.
    Cancel(cancel::Arguments),
    /// Does what follows from something that happened to a user: a move, a policy, audio conferencing.
    Event(event::Arguments),
    /// Shows who did what.
    Audit(audit::Arguments),
    /// Copies the store to a file, while the daemon runs.
    Backup(backup::Arguments),
    /// Makes, lists or revokes tokens of the API.
    Token(token::Arguments),
    /// Checks, shows or writes the configuration.
    Config(config::Arguments),
    /// Shows which online meeting is recognised in a file.
    Inspect(inspect::Arguments),
    /// Checks the configuration against the real servers, step by step.
    Doctor(doctor::Arguments),
    /// Runs the daemon.
    Serve(serve::Arguments),
    /// Shows a migration of 25 made-up people from beginning to end.
    Demo(demo::Arguments),
    /// Serves a made-up organisation on Exchange to try MMS on, or any other client.
    Sandbox(sandbox::Arguments),
    /// Prints the completions of a shell.
    Completions(completions::Arguments),
    /// Prints the manual page.
    Man(man::Arguments),
    /// A cmdlet line, or an unknown command.
    #[command(external_subcommand)]
    Cmdlet(Vec<OsString>),
}
