//! Platforms that meetings can be moved to.

pub mod jitsi;
mod room_secret;
pub mod skype;
pub mod teams;
pub mod template;

use std::path::PathBuf;

use mms_model::{Code, PortError};

pub use room_secret::RoomSecret;

/// The configuration of a platform cannot work.
#[derive(Debug, thiserror::Error)]
pub enum PlatformConfigurationError {
    /// A setting's value cannot be used.
    #[error("platform {platform}: {setting}: {problem}")]
    Setting {
        /// The platform's name in the configuration.
        platform: String,
        /// The setting.
        setting: &'static str,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// A file that a setting names, or the state file, cannot be read or made.
    #[error("platform {platform}: {path}: {problem}", path = path.display())]
    File {
        /// The platform's name in the configuration.
        platform: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        problem: String,
    },
}

fn setting(platform: &str, setting: &'static str, problem: impl Into<String>) -> PlatformConfigurationError {
    PlatformConfigurationError::Setting { platform: platform.to_owned(), setting, problem: problem.into() }
}

/// A meeting that was said to be held here names no join URL that this platform made or would take.
fn not_held_here(platform: &str) -> PortError {
    PortError::permanent(
        Code::PlatformError,
        format!("the meeting's link is not one of {platform}; migrate it there before it is refreshed"),
    )
}
