//! `mms backup`

use std::path::PathBuf;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::print_text;
use crate::wiring;

/// Arguments of `mms backup`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where to; no file may be there yet.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Copies the store, as of one moment, while a daemon may go on working.
///
/// # Errors
/// There is no store, or the file cannot be written.
pub async fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    wiring::back_up(&context.config()?, &arguments.file).await?;
    print_text(&format!(
        "{} is written; docs/operations.md says how to restore it\n",
        arguments.file.display()
    ))
}
