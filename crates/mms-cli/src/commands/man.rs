//! `mms man`: the manual, made from the same definitions that read the command line.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, ValueEnum};

use crate::cmdlet::{help, table};
use crate::failure::Failure;
use crate::output::print_text;

/// Arguments of `mms man`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Write the pages of all commands into this folder instead: mms.1, mms-status.1 …
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// The form of what is printed.
    #[arg(long, value_enum, default_value_t = Form::Roff, conflicts_with = "dir")]
    pub form: Form,
}

/// Forms of the manual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For man(1).
    Roff,
    /// docs/cli.md.
    Markdown,
}

/// Prints or writes the manual.
///
/// # Errors
/// Writing failed.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let command = complete();
    match (&arguments.dir, arguments.form) {
        (Some(dir), _) => write_pages(&command, dir),
        (None, Form::Roff) => print_text(&page(command)?),
        (None, Form::Markdown) => print_text(&markdown(&command)),
    }
}

fn complete() -> clap::Command {
    let mut command = crate::arguments::Arguments::command().disable_help_subcommand(true);
    command.build();
    command
}

fn page(command: clap::Command) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    clap_mangen::Man::new(command).render(&mut bytes).map_err(|e| Failure::output(&e))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn write_pages(command: &clap::Command, dir: &Path) -> Result<(), Failure> {
    let failed =
        |e: std::io::Error| Failure::failed(format!("the folder {} cannot be written: {e}", dir.display()));
    std::fs::create_dir_all(dir).map_err(failed)?;
    std::fs::write(dir.join("mms.1"), page(command.clone())?).map_err(failed)?;
    for sub in command.get_subcommands() {
        let path = dir.join(format!("mms-{}.1", sub.get_name()));
        std::fs::write(path, page(sub.clone())?).map_err(failed)?;
    }
    Ok(())
}

/// The whole reference: every command and option, every cmdlet and parameter.
pub fn markdown(command: &clap::Command) -> String {
    let mut text = String::from(
        "# Command line\n\n<!-- Written by `mms man --form markdown`; a test keeps it equal. -->\n\n\
         Exit codes: 0 done; 1 the operation failed; 2 usage; 3 not found or ambiguous; 4 not allowed; 5 not reachable.\n\
         Errors are one line on stderr. Where nothing is found there are no rows, a line on stderr, and exit 0.\n\n\
         ## Options of every command\n\n",
    );
    for option in command.get_arguments().filter(|a| a.is_global_set()) {
        describe(&mut text, option);
    }
    text.push_str("\n## Commands\n\n");
    for sub in command.get_subcommands() {
        section(&mut text, sub, &format!("mms {}", sub.get_name()));
    }
    text.push_str(
        "## Cmdlets\n\nNames go without case, unambiguous prefixes suffice, `-Name:value` and `-Name value` are one. In a Unix shell quote\n\
         `'$true'` and `'$false'`, or write `true` and `false`. `-o FORMAT` and `--config FILE` are taken as everywhere.\n\n",
    );
    text.push_str(&help::markdown(table::CMDLETS));
    let common: Vec<String> = table::COMMON.iter().map(|p| format!("`-{}`", p.name)).collect();
    let _ = writeln!(text, "Common parameters: {}.", common.join(", "));
    text
}

fn section(text: &mut String, command: &clap::Command, name: &str) {
    let _ = write!(text, "### `{name}`\n\n");
    if let Some(about) = command.get_long_about().or(command.get_about()) {
        let _ = write!(text, "{about}\n\n");
    }
    let nested: Vec<_> = command.get_subcommands().collect();
    if nested.is_empty() {
        let usage = command.clone().render_usage().to_string();
        let _ = write!(text, "```\n{}\n```\n\n", usage.trim_start_matches("Usage: "));
    }
    let mut any = false;
    for argument in command.get_arguments().filter(|a| !a.is_global_set() && a.get_id() != "help") {
        describe(text, argument);
        any = true;
    }
    if any {
        text.push('\n');
    }
    for sub in nested {
        section(text, sub, &format!("{name} {}", sub.get_name()));
    }
}

fn describe(text: &mut String, argument: &clap::Arg) {
    if argument.is_hide_set() {
        return;
    }
    let value = match argument.get_value_names() {
        Some([first, ..]) if argument.get_action().takes_values() => first.to_string(),
        _ => String::new(),
    };
    let mut forms = Vec::new();
    forms.extend(argument.get_short().map(|c| format!("-{c}")));
    forms.extend(argument.get_long().map(|l| format!("--{l}")));
    let name = match (forms.is_empty(), value.is_empty()) {
        (true, _) => value,
        (false, true) => forms.join(", "),
        (false, false) => format!("{} {value}", forms.join(", ")),
    };
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let help = help.trim_end_matches('.');
    let _ = write!(text, "- `{name}`: {help}.");
    let words: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|v| !v.is_hide_set() && argument.get_action().takes_values())
        .map(|v| format!("`{}`", v.get_name()))
        .collect();
    if !words.is_empty() {
        let _ = write!(text, " One of {}.", words.join(", "));
    }
    let defaults: Vec<String> =
        argument.get_default_values().iter().map(|v| format!("`{}`", v.to_string_lossy())).collect();
    if !defaults.is_empty() && argument.get_action().takes_values() {
        let _ = write!(text, " Default {}.", defaults.join(", "));
    }
    text.push('\n');
}
