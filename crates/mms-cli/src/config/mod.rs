//! The configuration: one TOML file.
//!
//! [`locate`] finds it, [`read`] reads it and says of what is wrong in it the line and the key,
//! [`sections`] are its types. Nothing here opens a connection; `wiring` makes connectors of it.

mod duration;
pub mod example;
pub mod locate;
mod read;
mod sections;
pub mod show;

pub use duration::Duration;
pub use read::{line_of_section, parse};
pub use sections::{CalendarKind, Config, DirectoryKind, PlatformKind};

use std::path::Path;

use crate::failure::Failure;

/// Reads the configuration file.
///
/// # Errors
/// It cannot be opened, or something in it is wrong.
pub fn load(path: &Path) -> Result<Config, Failure> {
    parse(&text_of(path)?, path).map_err(Failure::usage)
}

/// The text of the configuration file.
///
/// # Errors
/// It cannot be opened.
pub fn text_of(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!(
            "the configuration {} cannot be read: {error}; name another with --config, or write one with `mms config init`",
            path.display()
        ))
    })
}
