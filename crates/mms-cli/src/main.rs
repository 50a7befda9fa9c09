//! `mms`, an open, self-hosted Meeting Migration Service.

// These panic where a pipe is closed; `output` has what does not.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod arguments;
mod cmdlet;
mod commands;
mod config;
mod context;
mod daemon;
mod dates;
mod diff;
mod failure;
mod logging;
mod nearest;
mod output;
mod progress;
mod users;
mod wiring;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use arguments::{Arguments, Command, Global};
use cmdlet::run::{Action, translate};
use context::Context;
use failure::{Exit, Failure};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let (global, command) = match arguments.command {
        Command::Cmdlet(words) => match cmdlet_line(arguments.global, &words) {
            Ok(Some((global, command, silent))) if silent => return ended(run(global, command), silent),
            Ok(Some((global, command, _))) => (global, command),
            Ok(None) => return ExitCode::SUCCESS,
            Err(failure) => return ended(Err(failure), false),
        },
        command => (arguments.global, command),
    };
    ended(run(global, command), false)
}

/// What a cmdlet line asks for; nothing where it was answered at once.
fn cmdlet_line(
    global: Global,
    words: &[std::ffi::OsString],
) -> Result<Option<(Global, Command, bool)>, Failure> {
    let natives = Arguments::command();
    let natives: Vec<&str> = natives.get_subcommands().map(clap::Command::get_name).collect();
    let translation = translate(global, words, &natives)?;
    match translation.action {
        Action::Print(text) => output::print_text(&text).map(|()| None),
        Action::Run(command, question) => {
            if let Some(question) = question {
                confirm(&question)?;
            }
            Ok(Some((translation.global, *command, translation.silent)))
        }
    }
}

/// Asks; goes on only after a yes.
fn confirm(question: &str) -> Result<(), Failure> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::usage("-Confirm asks on the terminal, and there is none: leave it out"));
    }
    output::tell_raw(&format!("{} [y/N] ", output::one_line(question)));
    let mut answer = String::new();
    stdin
        .read_line(&mut answer)
        .map_err(|error| Failure::failed(format!("the answer cannot be read: {error}")))?;
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes" | "a") {
        Ok(())
    } else {
        Err(Failure::failed("not confirmed: nothing was done"))
    }
}

/// A daemon works for many users at once; a command works for one after the other, and is spared the changes
/// of threads.
fn runtime(command: &Command) -> Result<tokio::runtime::Runtime, Failure> {
    let mut builder = match command {
        Command::Serve(_) | Command::Sandbox(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    builder
        .enable_all()
        // The allocator keeps what a thread freed for that thread: with as many as tokio takes by default, memory grows
        // with the calendar.
        .max_blocking_threads(4)
        .build()
        .map_err(|error| Failure::failed(format!("no threads can be started: {error}")))
}

fn run(global: Global, command: Command) -> Result<(), Failure> {
    logging::start(global.verbose, &command);
    let context = Context::new(global);
    match command {
        Command::Completions(arguments) => return commands::completions::run(&arguments),
        Command::Man(arguments) => return commands::man::run(&arguments),
        Command::Inspect(arguments) => return commands::inspect::run(&context, &arguments),
        _ => {}
    }
    let runtime = runtime(&command)?;
    // As a task: what wakes the future of `block_on` itself always goes by way of the kernel.
    let task = runtime.spawn(async move { command_run(&context, command).await });
    runtime.block_on(task).unwrap_or_else(|ended| match ended.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Err(Failure::failed("the command was stopped")),
    })
}

async fn command_run(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Migrate(arguments) => commands::migrate::run(context, &arguments).await,
        Command::Start(arguments) => commands::start::run(context, &arguments).await,
        Command::Status(arguments) => commands::status::run(context, &arguments).await,
        Command::History(arguments) => commands::history::run(context, &arguments).await,
        Command::Preview(arguments) => commands::preview::run(context, &arguments).await,
        Command::Rollback(arguments) => commands::rollback::run(context, &arguments).await,
        Command::Cancel(arguments) => commands::cancel::run(context, &arguments).await,
        Command::Backup(arguments) => commands::backup::run(context, &arguments).await,
        Command::Event(arguments) => commands::event::run(context, &arguments).await,
        Command::Audit(arguments) => commands::audit::run(context, &arguments).await,
        Command::Token(arguments) => commands::token::run(context, &arguments).await,
        Command::Config(arguments) => commands::config::run(context, &arguments).await,
        Command::Doctor(arguments) => commands::doctor::run(context, &arguments).await,
        Command::Serve(arguments) => commands::serve::run(context, &arguments).await,
        Command::Demo(arguments) => commands::demo::run(context, &arguments).await,
        Command::Sandbox(arguments) => commands::sandbox::run(&arguments).await,
        Command::Completions(_) | Command::Man(_) | Command::Inspect(_) | Command::Cmdlet(_) => Ok(()),
    }
}

/// The exit code, and for a failure its line.
fn ended(result: Result<(), Failure>, silent: bool) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !silent && !failure.message.is_empty() {
                output::tell(&format!("mms: {}", failure.message));
            }
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// clap's paragraphs in one line; help and version as they are.
fn usage(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    match error.kind() {
        DisplayHelp | DisplayVersion => {
            let _ = error.print();
            ExitCode::SUCCESS
        }
        DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            ExitCode::from(Exit::Usage as u8)
        }
        _ => {
            let text = error.render().to_string();
            let told: Vec<&str> = text
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
                .collect();
            let told = told.join(" ");
            output::tell(&format!("mms: {} (see --help)", told.trim_start_matches("error: ")));
            ExitCode::from(Exit::Usage as u8)
        }
    }
}
