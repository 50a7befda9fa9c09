//! `mms doctor` for a tenant: the sign-in, the permissions, and a user's mailbox.

use mms_model::User;
use serde_json::Value;

use super::{GraphCalendarSettings, mailbox_of};
use crate::diagnosis::DiagnosticStep;
use crate::graph::{GraphClient, Side, path, query};
use crate::transport::roles;

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
    let mut steps = Vec::new();
    match client.token().await {
        Ok(token) => {
            steps.push(DiagnosticStep::passed("sign-in", format!("a token for {}", client.base())));
            steps.push(permission(roles(&token)));
        }
        Err(error) => {
            let error = error.into_port(Side::Calendar, "signing in");
            let advice = "correct tenant, client_id, cloud and the secret or certificate (docs/graph.md)";
            steps.push(DiagnosticStep::failed("sign-in", error.message, advice));
            return steps;
        }
    }
    steps.push(match user {
        None => DiagnosticStep::skipped("mailbox", "no user of the directory has a calendar here"),
        Some(user) => mailbox(&client, mailbox_of(user)).await,
    });
    steps
}

/// With RBAC for Applications the right is Exchange's to know, and the token does not name it.
fn permission(roles: Option<Vec<String>>) -> DiagnosticStep {
    match roles {
        Some(roles) if roles.iter().any(|role| role == PERMISSION) => DiagnosticStep::passed(
            "permission",
            format!("{PERMISSION}, for every mailbox that no policy keeps out"),
        ),
        Some(_) => DiagnosticStep::warning(
            "permission",
            format!("the token does not name {PERMISSION}"),
            "grant it and consent to it, unless the application gets it by RBAC for Applications in Exchange Online",
        ),
        None => DiagnosticStep::skipped("permission", "the token does not say"),
    }
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
