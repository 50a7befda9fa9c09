//! `mms completions SHELL`

use clap::CommandFactory;

use crate::failure::Failure;
use crate::output::print_text;

/// Arguments of `mms completions`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// Prints the completions.
///
/// # Errors
/// Writing failed.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    clap_complete::generate(arguments.shell, &mut crate::arguments::Arguments::command(), "mms", &mut bytes);
    print_text(&String::from_utf8_lossy(&bytes))
}
