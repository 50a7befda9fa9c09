//! `mms inspect`

use std::io::Read as _;
use std::path::{Path, PathBuf};

use mms_invite::input::{BlockPlace, Inspected, MAX_SIZE, inspect};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Format, Rows, Value, tell};
use crate::wiring;

/// Arguments of `mms inspect`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// .ics, .eml, .html, .txt files, or events of Graph (JSON) or EWS (XML); - reads standard input.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

/// Shows what is recognised. With a configuration its own servers are known, without one it works too.
///
/// # Errors
/// A file cannot be read; the others are shown all the same.
pub fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let config = context.config_if_any()?;
    let recogniser = wiring::recogniser(config.as_ref())?;
    let mut rows = Rows::new(&[
        "file",
        "platform",
        "join_url",
        "meeting_id",
        "passcode",
        "has_dial_in",
        "language",
        "blocks",
    ]);
    let mut unreadable = 0;
    for file in &arguments.files {
        let shown = file.display().to_string();
        let found = read(file)
            .map_err(|error| format!("{shown} cannot be read: {error}; check the path and who may read it"))
            .and_then(|bytes| inspect(&shown, &bytes, &recogniser).map_err(|error| error.to_string()));
        match found {
            Ok(found) => found.into_iter().for_each(|one| rows.push(row(one))),
            Err(message) => {
                unreadable += 1;
                tell(&format!("mms: {message}"));
            }
        }
    }
    context.output.print(&rows, Format::List, "nothing could be read")?;
    if unreadable > 0 {
        return Err(Failure::failed(format!(
            "{unreadable} of {} files could not be inspected",
            arguments.files.len()
        )));
    }
    Ok(())
}

fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    // One byte more than is inspected, so that what is too large shows.
    let most = MAX_SIZE as u64 + 1;
    let mut bytes = Vec::new();
    if file.as_os_str() == "-" {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes)?;
    } else {
        std::fs::File::open(file)?.take(most).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn row(found: Inspected) -> Vec<Value> {
    vec![
        Value::text(found.file),
        Value::optional(found.platform),
        Value::optional(found.join_url),
        Value::optional(found.meeting_id),
        Value::optional(found.passcode),
        Value::Boolean(found.has_dial_in),
        Value::optional(found.language),
        Value::List(found.blocks.into_iter().map(block).collect()),
    ]
}

fn block(block: BlockPlace) -> Value {
    Value::Object(vec![
        ("part", Value::text(block.part)),
        ("start", Value::Number(block.start as u64)),
        ("end", Value::Number(block.end as u64)),
    ])
}
