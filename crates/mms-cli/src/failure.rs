//! How a command ends when it does not succeed: an exit code and one line for stderr.

use mms_model::{Code, PortError};

/// The exit codes of `mms` beside 0, done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The operation failed.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// Not found, or ambiguous.
    NotFound = 3,
    /// Not allowed.
    NotAllowed = 4,
    /// A service cannot be reached.
    Unreachable = 5,
}

/// A command's failure: what was wrong, where, and what to do, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// The line.
    pub message: String,
}

impl Failure {
    /// The operation failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, message: message.into() }
    }

    /// The command line or the configuration is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }

    /// Nothing has this name, or several things have.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self { exit: Exit::NotFound, message: message.into() }
    }

    /// The settings or rights forbid it.
    pub fn not_allowed(message: impl Into<String>) -> Self {
        Self { exit: Exit::NotAllowed, message: message.into() }
    }

    /// Output could not be written. A closed pipe is no failure (see `main`).
    pub fn output(error: &std::io::Error) -> Self {
        Self::failed(format!("writing the output failed: {error}"))
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        let exit = match error.code {
            Code::UserNotFound | Code::UserAmbiguous => Exit::NotFound,
            Code::MigrationDisabled | Code::CalendarAccessDenied => Exit::NotAllowed,
            Code::CalendarUnreachable | Code::MailUnreachable => Exit::Unreachable,
            Code::PlatformNotConfigured => Exit::Usage,
            _ => Exit::Failed,
        };
        Self { exit, message: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_ports_become_exit_codes() {
        let exit = |code| Failure::from(PortError::permanent(code, "x")).exit;
        assert_eq!(exit(Code::UserNotFound), Exit::NotFound);
        assert_eq!(exit(Code::UserAmbiguous), Exit::NotFound);
        assert_eq!(exit(Code::MigrationDisabled), Exit::NotAllowed);
        assert_eq!(exit(Code::CalendarUnreachable), Exit::Unreachable);
        assert_eq!(exit(Code::StoreError), Exit::Failed);
    }
}
