//! Logs on stderr. A message reads alone and carries fields with dots in their names; mail addresses
//! and subjects are personal data and are never logged: requests are named by CorrelationId.

use std::io::IsTerminal as _;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::arguments::Command;

/// Environment variable with a filter (`mms_engine=debug`) that replaces what `-v` says.
const VARIABLE: &str = "MMS_LOG";

/// The form of the daemon's logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogForm {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging: the daemon from `info`, other commands only where `-v` asks for it.
pub fn start(verbose: u8, command: &Command) {
    let (form, base) = match command {
        Command::Serve(arguments) => (arguments.log, 1),
        _ => (LogForm::Text, 0),
    };
    let level = match base + verbose {
        0 if std::env::var_os(VARIABLE).is_none() => return,
        0 => "off",
        1 => "warn,mms=info,mms_engine=info,mms_server=info,mms_store=info,mms_connectors=info",
        _ => "info,mms=debug,mms_engine=debug,mms_server=debug,mms_store=debug,mms_connectors=debug",
    };
    let mut filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(level));
    // It would log the messages of a sign-in, and keys.
    if let Ok(silent) = "sspi=off".parse() {
        filter = filter.add_directive(silent);
    }
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // What it says of a log that cannot be written it would print to the same closed pipe, and panic.
        .log_internal_errors(false);
    // A second start fails only in tests, where the first one serves as well.
    let _ = match form {
        LogForm::Json => builder.json().try_init(),
        LogForm::Text => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
}
