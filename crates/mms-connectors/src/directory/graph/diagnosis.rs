//! What `mms doctor` asks the tenant.

use mms_model::port::Directory as _;

use super::{GraphDirectory, GraphDirectorySettings};
use crate::diagnosis::DiagnosticStep;
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
    steps.push(match directory.users().await {
        Err(error) => DiagnosticStep::failed("users", error.message, advice),
        Ok(users) if users.is_empty() => DiagnosticStep::failed(
            "users",
            "the tenant shows no users",
            "correct filter, or grant User.Read.All",
        ),
        Ok(users) => {
            let without = users.iter().filter(|user| user.calendar.is_none()).count();
            DiagnosticStep::passed("users", format!("{} users, {without} without a calendar", users.len()))
        }
    });
    steps
}
