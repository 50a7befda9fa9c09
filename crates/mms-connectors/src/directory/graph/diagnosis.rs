//! What `mms doctor` asks the tenant.

use mms_model::port::Directory as _;

use super::{GraphDirectory, GraphDirectorySettings};
use crate::diagnosis::DiagnosticStep;
use crate::directory::listed;
use crate::graph::{Side, sign_in};

/// Signs in and reads the users, step by step.
pub async fn diagnose(settings: &GraphDirectorySettings, only_calendar: Option<&str>) -> Vec<DiagnosticStep> {
    let advice = "docs/directory.md describes each setting of [directory]";
    let directory = match GraphDirectory::new(settings.clone(), only_calendar.map(str::to_owned)) {
        Ok(directory) => directory,
        Err(error) => return vec![DiagnosticStep::failed("settings", error.message, advice)],
    };
    let mut steps = sign_in(&directory.client, Side::Directory, &["User.Read.All"]).await;
    if steps.iter().any(DiagnosticStep::is_failure) {
        return steps;
    }
    match directory.users().await {
        Err(error) => steps.push(DiagnosticStep::failed("users", error.message, advice)),
        Ok(users) if users.is_empty() => steps.push(DiagnosticStep::failed(
            "users",
            "the tenant shows no users",
            "correct filter, or grant User.Read.All",
        )),
        Ok(users) => steps.extend(listed(&directory, &users).await),
    }
    steps
}
