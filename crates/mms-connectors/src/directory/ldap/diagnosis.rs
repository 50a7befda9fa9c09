//! What `mms doctor` asks the server.

use mms_model::PortError;
use mms_model::port::Directory as _;

use super::{LdapDirectory, LdapDirectorySettings};
use crate::diagnosis::DiagnosticStep;
use crate::directory::listed;

/// Signs in and reads the users, step by step.
pub async fn diagnose(settings: &LdapDirectorySettings, only_calendar: Option<&str>) -> Vec<DiagnosticStep> {
    let failed = |name: &str, error: PortError| {
        DiagnosticStep::failed(name, error.message, "docs/directory.md describes each setting of [directory]")
    };
    let directory = match LdapDirectory::new(settings.clone(), only_calendar.map(str::to_owned)) {
        Ok(directory) => directory,
        Err(error) => return vec![failed("settings", error)],
    };
    if let Err(error) = directory.connection.signed_in().await {
        return vec![failed("sign-in", error)];
    }
    let mut steps = vec![DiagnosticStep::passed("sign-in", format!("signed in as {}", settings.user))];
    match directory.users().await {
        Err(error) => steps.push(failed("users", error)),
        Ok(users) if users.is_empty() => steps.push(DiagnosticStep::failed(
            "users",
            format!("nobody below {} fits the filter {}", settings.base, settings.filter),
            "correct base and filter, and see whether the account may read the users",
        )),
        Ok(users) => steps.extend(listed(&directory, &users).await),
    }
    steps
}
