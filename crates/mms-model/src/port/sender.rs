use async_trait::async_trait;

use crate::{Address, PortError};

/// One update of one meeting for one attendee.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// Message-ID without angle brackets: the same for the same meeting, attendee and update.
    pub message_id: String,
    /// The organizer, in whose name it is sent.
    pub from: Address,
    /// The organizer's name.
    pub from_name: Option<String>,
    /// The attendee.
    pub to: Address,
    /// The meeting's subject.
    pub subject: String,
    /// Language of the readable parts (BCP 47 primary tag).
    pub language: String,
    /// The new join URL, for the readable parts.
    pub join_url: String,
    /// The iTIP REQUEST.
    pub itip: Vec<u8>,
}

/// A mail that is handed over but for its final dot.
///
/// SMTP gives no exactly-once: between the server's taking a mail and our noting it a crash may
/// fall. So the caller notes its intent between `prepare` and `commit`, and treats an intent it
/// finds after a crash as sent, unless [`InvitationSender::was_ending`] knows better: never two.
#[async_trait]
pub trait Outbound: Send {
    /// Ends the mail, so that the server takes it.
    ///
    /// # Errors
    /// `MailRejected`, or `MailUnreachable` where it cannot be told whether it was taken.
    async fn commit(self: Box<Self>) -> Result<(), PortError>;
}

/// Sends updates by mail, for calendars that do not send them themselves.
#[async_trait]
pub trait InvitationSender: Send + Sync {
    /// Hands the mail over up to, not including, its end.
    ///
    /// # Errors
    /// `MailUnreachable`, `MailRejected`.
    async fn prepare(&self, invitation: &Invitation) -> Result<Box<dyn Outbound>, PortError>;

    /// Whether the final dot of the mail with this Message-ID was sent or about to be, the last time that it was
    /// handed over; `None` where nobody can tell any more. Asked after a crash: `Some(false)` only where it is certain
    /// that the mail did not leave.
    async fn was_ending(&self, message_id: &str) -> Option<bool>;
}
