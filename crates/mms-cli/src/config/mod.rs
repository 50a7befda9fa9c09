//! The configuration: one TOML file.
//!
//! [`locate`] finds it, [`read`] reads it and says of what is wrong in it the line and the key,
//! [`sections`] are its types. Nothing here opens a connection; `wiring` makes connectors of it.

mod duration;
pub mod example;
pub mod locate;
mod read;
mod secret;
mod sections;

pub use duration::Duration;
pub use read::parse;
pub use secret::SecretSource;
pub use sections::{
    Admin, CalDavCalendar, CalendarKind, Config, Directory, Engine, IcsCalendar, JitsiJwt, JitsiPlatform,
    Organisation, PlatformKind, Recognise, Retention, Scheduling, Smtp, SmtpSecurity, Store,
    TemplatePlatform, Templates,
};

use std::path::Path;

use crate::failure::Failure;

/// Reads the configuration file.
///
/// # Errors
/// It cannot be opened, or something in it is wrong.
pub fn load(path: &Path) -> Result<Config, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!(
            "the configuration {} cannot be read: {error}; name another with --config, or write one with `mms config init`",
            path.display()
        ))
    })?;
    parse(&text, path).map_err(Failure::usage)
}
