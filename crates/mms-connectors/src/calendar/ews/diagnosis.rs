//! `mms doctor` for an Exchange server: the sign-in, and a user's mailbox.

use mms_model::{ErrorKind, User};

use super::client::EwsClient;
use super::client::Kind;
use super::request;
use super::{EwsSettings, mailbox_of};
use crate::diagnosis::DiagnosticStep;

/// Tries the server with the mailbox of `user`.
pub async fn diagnose(settings: &EwsSettings, user: Option<&User>) -> Vec<DiagnosticStep> {
    let client = match EwsClient::new(settings) {
        Ok(client) => client,
        Err((key, problem)) => {
            let problem = format!("{key}: {problem}");
            return vec![DiagnosticStep::failed("settings", problem, "correct the calendar's section")];
        }
    };
    let Some(user) = user else {
        return vec![DiagnosticStep::skipped("mailbox", "no user of the directory has a calendar here")];
    };
    let mailbox = mailbox_of(user);
    let advice = "docs/ews.md names each permission, and the cmdlet that grants it";
    let messages = match client.call(&mailbox, Kind::Read, &request::get_folders()).await {
        Ok(messages) => messages,
        Err(error) => {
            let error = error.into_port(&format!("opening the mailbox {mailbox}"));
            let name = if error.kind == ErrorKind::Unauthorised { "sign-in" } else { "server" };
            return vec![DiagnosticStep::failed(name, error.message, advice)];
        }
    };
    let signed_in = DiagnosticStep::passed("sign-in", format!("{} answers", settings.url));
    let opened = match messages.into_iter().next() {
        Some(Ok(_)) => DiagnosticStep::passed("mailbox", format!("{mailbox}: its calendar can be read")),
        Some(Err(error)) => {
            let error = error.into_port(&format!("opening the mailbox {mailbox}"));
            DiagnosticStep::failed("mailbox", error.message, advice)
        }
        None => DiagnosticStep::failed("mailbox", format!("{mailbox}: the answer is empty"), advice),
    };
    vec![signed_in, opened]
}
