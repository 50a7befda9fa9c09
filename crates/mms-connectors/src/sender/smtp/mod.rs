//! Invitations as iMIP mails (RFC 6047) over SMTP.
//!
//! A mail is handed over in two steps: [`InvitationSender::prepare`] sends everything but the end of the
//! data, [`Outbound::commit`] sends the end. A mail that is dropped between them is lost for the
//! server too, because its connection closes before the data ended (RFC 5321 §4.1.1.4).

mod connection;
mod ledger;
mod message;
mod pace;
mod refusal;
mod settings;
mod wording;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use mms_model::port::{Invitation, InvitationSender, Outbound};
use mms_model::{Clock, PortError};

use crate::diagnosis::DiagnosticStep;
use connection::{Connection, Connector};
use ledger::Ledger;
use message::Mail;
use pace::Pace;
pub use settings::{FromPolicy, SmtpConfigurationError, SmtpSettings, TlsMode};

/// Sends invitations through one mail server.
pub struct SmtpSender {
    connector: Connector,
    pace: Pace,
    pool: Pool,
    settings: SmtpSettings,
    clock: Arc<dyn Clock>,
    ledger: Option<Arc<Ledger>>,
}

/// Connections that wait for their next mail; shared with the mails that are on their way.
type Pool = Arc<Mutex<Vec<Connection>>>;

impl SmtpSender {
    /// A sender through the mail server of `settings`. Connects when the first mail is sent.
    ///
    /// # Errors
    /// Which setting cannot work and why.
    pub fn new(settings: SmtpSettings, clock: Arc<dyn Clock>) -> Result<Self, SmtpConfigurationError> {
        settings.check()?;
        let connector = Connector::new(&settings)?;
        let pace = Pace::per_minute(settings.messages_per_minute);
        Ok(Self { connector, pace, pool: Pool::default(), settings, clock, ledger: None })
    }

    /// Keeps a file at `path` that tells after a crash which mails were certainly not ended, so that they can be sent
    /// again. Without it every mail that was handed over when the process died counts as sent.
    #[must_use]
    pub fn with_ledger(mut self, path: &Path) -> Self {
        self.ledger = Ledger::open(path).map(Arc::new);
        self
    }

    /// Connects and signs in without sending anything.
    pub async fn diagnose(&self) -> Vec<DiagnosticStep> {
        const NAME: &str = "mail server";
        match self.connector.connect().await {
            Ok(connection) => {
                let found =
                    format!("{} accepts the connection{}", self.connector.server(), connection.about());
                connection.quit().await;
                vec![DiagnosticStep::passed(NAME, found)]
            }
            Err(error) => vec![DiagnosticStep::failed(
                NAME,
                error.message,
                "check host, port, tls, user and password of [smtp]",
            )],
        }
    }

    /// Hands `mail` over on a waiting connection or a new one. That a waiting connection was closed
    /// meanwhile is the way of mail servers, and no failure.
    async fn offer(&self, mail: &Mail) -> Result<Connection, PortError> {
        while let Some(mut connection) = self.waiting_connection() {
            if !connection.is_alive().await {
                continue;
            }
            match connection.offer(mail).await {
                Err(refused) if refused.connection_lost => {}
                other => return self.offered(connection, other),
            }
        }
        let mut connection = self.connector.connect().await?;
        let offered = connection.offer(mail).await;
        self.offered(connection, offered)
    }

    fn offered(
        &self,
        connection: Connection,
        offered: Result<(), connection::Refused>,
    ) -> Result<Connection, PortError> {
        match offered {
            Ok(()) => Ok(connection),
            Err(refused) => {
                if !refused.connection_lost {
                    keep(&self.pool, connection, &self.settings);
                }
                Err(refused.error)
            }
        }
    }

    fn waiting_connection(&self) -> Option<Connection> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

/// Keeps a connection for the next mail, where it may carry another and not enough wait already.
fn keep(pool: &Pool, connection: Connection, settings: &SmtpSettings) {
    let mut waiting = pool.lock().unwrap_or_else(PoisonError::into_inner);
    if connection.mails() < settings.messages_per_connection && waiting.len() < settings.idle_connections {
        waiting.push(connection);
    }
}

#[async_trait]
impl InvitationSender for SmtpSender {
    async fn prepare(&self, invitation: &Invitation) -> Result<Box<dyn Outbound>, PortError> {
        let mail = Mail::of(invitation, &self.settings, self.clock.now())?;
        self.pace.wait().await;
        let connection = self.offer(&mail).await?;
        if let Some(ledger) = &self.ledger {
            ledger.offered(&invitation.message_id);
        }
        Ok(Box::new(OutboundMail {
            connection,
            recipient: mail.recipient,
            message_id: invitation.message_id.clone(),
            ledger: self.ledger.clone(),
            pool: Arc::clone(&self.pool),
            settings: self.settings.clone(),
        }))
    }

    async fn was_ending(&self, message_id: &str) -> Option<bool> {
        self.ledger.as_ref()?.was_ending(message_id)
    }
}

/// A mail whose data is with the server but not ended.
struct OutboundMail {
    connection: Connection,
    recipient: String,
    message_id: String,
    ledger: Option<Arc<Ledger>>,
    pool: Pool,
    settings: SmtpSettings,
}

#[async_trait]
impl Outbound for OutboundMail {
    /// # Errors
    /// - `MailRejected`: the server did not take the mail; to be retried where the kind says so.
    /// - `MailUnreachable`, always permanent: the end was sent and no answer came, so that nobody
    ///   can tell whether the mail was taken. It must not be sent again.
    async fn commit(mut self: Box<Self>) -> Result<(), PortError> {
        if let Some(ledger) = &self.ledger {
            ledger.ending(&self.message_id);
        }
        let ended = self.connection.end(&self.recipient).await;
        match ended {
            Ok(()) => {
                keep(&self.pool, self.connection, &self.settings);
                Ok(())
            }
            Err(refused) => {
                if !refused.connection_lost {
                    keep(&self.pool, self.connection, &self.settings);
                }
                Err(refused.error)
            }
        }
    }
}

#[cfg(test)]
mod tests;
