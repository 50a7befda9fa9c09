//! `mms doctor` for a tenant: the sign-in, the permissions, and a user's mailbox.

use mms_model::User;
use serde_json::Value;

use super::{GraphCalendarSettings, mailbox_of};
use crate::diagnosis::DiagnosticStep;
use crate::graph::{GraphClient, Side, path, query, sign_in};

/// The permission that reading and writing events takes.
const PERMISSION: &str = "Calendars.ReadWrite";

/// Tries the sign-in, and the mailbox of `user`.
pub async fn diagnose(settings: &GraphCalendarSettings, user: Option<&User>) -> Vec<DiagnosticStep> {
    let client = match settings.access() {
        Ok(access) => GraphClient::new(&access).map_err(|error| error.to_string()),
        Err((key, problem)) => Err(format!("{key}: {problem}")),
    };
    let client = match client {
        Ok(client) => client,
        Err(problem) => {
            return vec![DiagnosticStep::failed("settings", problem, "correct the calendar's section")];
        }
    };
    let mut steps = sign_in(&client, Side::Calendar, &[PERMISSION]).await;
    if steps.iter().any(DiagnosticStep::is_failure) {
        return steps;
    }
    steps.push(match user {
        None => DiagnosticStep::skipped("mailbox", "no user of the directory has a calendar here"),
        Some(user) => mailbox(&client, mailbox_of(user)).await,
    });
    steps
}

async fn mailbox(client: &GraphClient, mailbox: &str) -> DiagnosticStep {
    let calendars = path(["users", mailbox, "calendars"]);
    let first = query(&calendars, [("$select", "id,name"), ("$top", "100")]);
    match client.get(&first, &[], Some(&client.mailbox(mailbox))).await {
        Ok(page) => {
            let count = page.get("value").and_then(Value::as_array).map_or(0, Vec::len);
            DiagnosticStep::passed("mailbox", format!("{mailbox}: {count} calendars"))
        }
        Err(error) => {
            let error = error.into_port(Side::Calendar, &format!("opening the mailbox {mailbox}"));
            let advice =
                "check the user's place in the directory, and the application's permission for this mailbox";
            DiagnosticStep::failed("mailbox", error.message, advice)
        }
    }
}
