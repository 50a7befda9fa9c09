//! What an answer of the mail server means for the mail.

use mail_send::Error;
use mms_model::{Code, ErrorKind, PortError};
use smtp_proto::Response;

/// What was being done when the server refused or the connection broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage<'a> {
    /// Connecting, going over to TLS, greeting.
    Connect,
    /// Signing in as a user.
    SignIn(&'a str),
    /// Naming the envelope's sender.
    Sender(&'a str),
    /// Naming the recipient.
    Recipient(&'a str),
    /// Sending the mail to a recipient, up to its end.
    Data(&'a str),
}

/// The failure of a stage before the end of the data: the server has taken nothing.
pub(super) fn failure(server: &str, stage: Stage<'_>, error: &Error) -> PortError {
    match error {
        Error::UnexpectedReply(reply) | Error::AuthenticationFailed(reply) => refused(server, stage, reply),
        Error::UnsupportedAuthMechanism => PortError::permanent(
            Code::MailRejected,
            format!("the mail server {server} offers no way to sign in that MMS knows (PLAIN, LOGIN)"),
        ),
        Error::MissingStartTls => PortError::permanent(
            Code::MailUnreachable,
            format!(
                "the mail server {server} offers no STARTTLS; set tls to \"implicit\", or mend the server"
            ),
        ),
        Error::InvalidTLSName => PortError::permanent(
            Code::MailUnreachable,
            format!("{server} is no host name that a certificate can be checked against"),
        ),
        Error::Tls(error) => PortError::retry(
            Code::MailUnreachable,
            format!(
                "no trusted TLS connection to the mail server {server}: {error}; if its certificate comes from a private authority, set ca_file"
            ),
        ),
        Error::Timeout => PortError::retry(
            Code::MailUnreachable,
            format!("the mail server {server} did not answer in time"),
        ),
        Error::UnparseableReply => PortError::retry(
            Code::MailUnreachable,
            format!("the mail server {server} closed the connection or answered with what is not SMTP"),
        ),
        other => PortError::retry(
            Code::MailUnreachable,
            format!("the connection to the mail server {server} failed: {other}"),
        ),
    }
}

/// Whether nothing more can be said over the connection after `error`.
pub(super) fn loses_connection(error: &Error) -> bool {
    match error {
        // 421: the server closes the connection (RFC 5321 §3.8).
        Error::UnexpectedReply(reply) => !(400..=599).contains(&reply.code) || reply.code == 421,
        _ => true,
    }
}

/// The server said no.
pub(super) fn refused(server: &str, stage: Stage<'_>, reply: &Response<String>) -> PortError {
    let said = quote(reply);
    match (stage, reply.code) {
        (_, 421) => PortError::retry(
            Code::MailUnreachable,
            format!("the mail server {server} is closing, and put {} off: {said}", subject(stage)),
        ),
        (Stage::SignIn(user), 500..=599) => PortError::new(
            ErrorKind::Unauthorised,
            Code::MailRejected,
            format!(
                "the mail server {server} refused the sign-in of {user}: {said}; check user and password"
            ),
        ),
        (_, 400..=499) => PortError::retry(
            Code::MailRejected,
            format!("the mail server {server} put {} off: {said}", subject(stage)),
        ),
        // It would be the same for every mail: the administrator can mend it, and the mails are sent then.
        (Stage::Connect | Stage::Sender(_), 500..=599) => PortError::new(
            ErrorKind::Unauthorised,
            Code::MailRejected,
            format!(
                "the mail server {server} refused {}: {said}; let it take mail of the organizers' domain from MMS, or set \
                 sender",
                subject(stage)
            ),
        ),
        (Stage::Recipient(_), 500..=599) if reply.message.to_ascii_lowercase().contains("relay") => {
            PortError::new(
                ErrorKind::Unauthorised,
                Code::MailRejected,
                format!(
                    "the mail server {server} does not relay {}: {said}; sign in (user, password_file), or let it relay for MMS",
                    subject(stage)
                ),
            )
        }
        (_, 500..=599) => PortError::permanent(
            Code::MailRejected,
            format!("the mail server {server} refused {}: {said}", subject(stage)),
        ),
        _ => PortError::retry(
            Code::MailUnreachable,
            format!("the mail server {server} answered {} out of turn: {said}", subject(stage)),
        ),
    }
}

/// The connection was found closed before the end was sent: the server has taken nothing.
pub(super) fn closed_before_end(server: &str, recipient: &str) -> PortError {
    PortError::retry(
        Code::MailRejected,
        format!(
            "the mail server {server} closed the connection before the mail to {recipient} ended, and took nothing"
        ),
    )
}

/// The end was sent and no answer came.
pub(super) fn unconfirmed(server: &str, recipient: &str, error: &Error) -> PortError {
    PortError::permanent(
        Code::MailUnreachable,
        format!(
            "the mail server {server} did not confirm the mail to {recipient} ({error}); it may have been sent, and is not sent again"
        ),
    )
}

fn subject(stage: Stage<'_>) -> String {
    match stage {
        Stage::Connect => "the connection".to_owned(),
        Stage::SignIn(user) => format!("the sign-in of {user}"),
        Stage::Sender(address) => format!("the sender {address}"),
        Stage::Recipient(address) => format!("the recipient {address}"),
        Stage::Data(address) => format!("the mail to {address}"),
    }
}

/// The server's words, cut to what fits a log line and without control characters.
fn quote(reply: &Response<String>) -> String {
    const SHOWN: usize = 200;
    let words: String =
        reply.message.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
    format!("\"{} {}\"", reply.code, words.trim())
}
