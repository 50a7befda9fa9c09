//! A connection to the mail server, up to the point where a mail wants only its end.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use mail_send::smtp::AssertReply;
use mail_send::smtp::message::Parameters;
use mail_send::{Credentials, SmtpClient};
use mms_model::{Code, PortError};
use secrecy::{ExposeSecret, SecretString};
use smtp_proto::{EXT_SMTP_UTF8, EXT_START_TLS, EhloResponse};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::message::Mail;
use super::refusal::{self, Stage};
use super::settings::{SmtpConfigurationError, SmtpSettings, TlsMode};
use crate::transport::tls;

/// What ends the data (RFC 5321 §4.1.1.4); the line end before it is the mail's own last one.
const END_OF_DATA: &[u8] = b".\r\n";

/// A stream to the mail server, encrypted or not.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Opens connections.
pub(super) struct Connector {
    host: String,
    port: u16,
    tls: TlsMode,
    tls_connector: TlsConnector,
    credentials: Option<(String, SecretString)>,
    helo_name: String,
    timeout: Duration,
}

/// A connection that is greeted and signed in.
pub(super) struct Connection {
    client: SmtpClient<Box<dyn Stream>>,
    server: String,
    capabilities: EhloResponse<String>,
    encrypted: bool,
    signed_in: bool,
    mails: usize,
}

/// Why a mail was not taken, and whether the connection can still be used.
pub(super) struct Refused {
    pub(super) error: PortError,
    pub(super) connection_lost: bool,
}

impl Connector {
    pub(super) fn new(settings: &SmtpSettings) -> Result<Self, SmtpConfigurationError> {
        Ok(Self {
            host: settings.host.clone(),
            port: settings.port(),
            tls: settings.tls,
            tls_connector: tls_connector(settings)?,
            credentials: settings.credentials()?,
            helo_name: settings.helo_name.clone(),
            timeout: Duration::from_secs(settings.timeout_seconds),
        })
    }

    /// Host and port, for people.
    pub(super) fn server(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Connects, goes over to TLS, greets and signs in.
    pub(super) async fn connect(&self) -> Result<Connection, PortError> {
        let server = self.server();
        let failed = |error: &mail_send::Error| refusal::failure(&server, Stage::Connect, error);
        let mut client = self.greeted_client().await.map_err(|e| failed(&e))?;
        let capabilities = client.ehlo(&self.helo_name).await.map_err(|e| failed(&e))?;
        if let Some((user, password)) = &self.credentials {
            let credentials = Credentials::new(user.as_str(), password.expose_secret());
            client
                .authenticate(&credentials, &capabilities)
                .await
                .map_err(|e| refusal::failure(&server, Stage::SignIn(user), &e))?;
        }
        Ok(Connection {
            client,
            server,
            capabilities,
            encrypted: self.tls != TlsMode::None,
            signed_in: self.credentials.is_some(),
            mails: 0,
        })
    }

    /// The server's greeting is read, and TLS stands where it is asked for.
    async fn greeted_client(&self) -> mail_send::Result<SmtpClient<Box<dyn Stream>>> {
        let address = (self.host.as_str(), self.port);
        let stream = tokio::time::timeout(self.timeout, TcpStream::connect(address))
            .await
            .map_err(|_| mail_send::Error::Timeout)??;
        // The end of a mail is three bytes that must not wait for more to say.
        stream.set_nodelay(true)?;
        let mut plain = SmtpClient { stream, timeout: self.timeout };
        match self.tls {
            TlsMode::None => {
                read_greeting(&mut plain).await?;
                Ok(boxed(plain))
            }
            TlsMode::Implicit => {
                let mut encrypted = plain.into_tls(&self.tls_connector, &self.host).await?;
                read_greeting(&mut encrypted).await?;
                Ok(boxed(encrypted))
            }
            TlsMode::StartTls => {
                read_greeting(&mut plain).await?;
                let capabilities = plain.ehlo(&self.helo_name).await?;
                if !capabilities.has_capability(EXT_START_TLS) {
                    return Err(mail_send::Error::MissingStartTls);
                }
                Ok(boxed(plain.start_tls(&self.tls_connector, &self.host).await?))
            }
        }
    }
}

async fn read_greeting<T: Stream>(client: &mut SmtpClient<T>) -> mail_send::Result<()> {
    tokio::time::timeout(client.timeout, client.read())
        .await
        .map_err(|_| mail_send::Error::Timeout)??
        .assert_positive_completion()
}

fn boxed<T: Stream + 'static>(client: SmtpClient<T>) -> SmtpClient<Box<dyn Stream>> {
    SmtpClient { stream: Box::new(client.stream), timeout: client.timeout }
}

fn tls_connector(settings: &SmtpSettings) -> Result<TlsConnector, SmtpConfigurationError> {
    let config = tls::client_config(settings.ca_file.as_deref())
        .map_err(|(setting, problem)| SmtpConfigurationError::new(setting, problem))?;
    Ok(TlsConnector::from(Arc::new(config)))
}

impl Connection {
    /// How many mails went over it.
    pub(super) fn mails(&self) -> usize {
        self.mails
    }

    /// What is worth saying of it, for a diagnosis.
    pub(super) fn about(&self) -> &'static str {
        match (self.encrypted, self.signed_in) {
            (true, true) => ", encrypted and signed in",
            (true, false) => ", encrypted, without sign-in",
            (false, true) => ", unencrypted and signed in",
            (false, false) => ", unencrypted, without sign-in",
        }
    }

    /// Whether the server still answers; forgets what was begun before.
    pub(super) async fn is_alive(&mut self) -> bool {
        self.client.rset().await.is_ok()
    }

    pub(super) async fn quit(self) {
        // The answer does not matter to anybody.
        let _ = self.client.quit().await;
    }

    /// Hands `mail` over up to, not including, its end.
    pub(super) async fn offer(&mut self, mail: &Mail) -> Result<(), Refused> {
        self.mails += 1;
        let mut parameters = Parameters::new();
        if mail.needs_smtputf8 {
            if !self.capabilities.has_capability(EXT_SMTP_UTF8) {
                return Err(self.unfit(&format!(
                    "cannot send to or from addresses beyond ASCII (SMTPUTF8): {}",
                    mail.recipient
                )));
            }
            parameters.add("SMTPUTF8");
        }
        if self.capabilities.size > 0 && mail.data.len() > self.capabilities.size {
            return Err(self.unfit(&format!(
                "takes mails of up to {} bytes; the one to {} has {}",
                self.capabilities.size,
                mail.recipient,
                mail.data.len()
            )));
        }
        let sent = self.client.mail_from(&mail.envelope_from, &parameters).await;
        self.checked(Stage::Sender(&mail.envelope_from), sent)?;
        let sent = self.client.rcpt_to(&mail.recipient, &Parameters::new()).await;
        self.checked(Stage::Recipient(&mail.recipient), sent)?;
        let sent = self.client.cmd(b"DATA\r\n").await.and_then(|reply| reply.assert_code(354));
        self.checked(Stage::Data(&mail.recipient), sent)?;
        let sent = self.write(&mail.data).await;
        self.checked(Stage::Data(&mail.recipient), sent)
    }

    /// Ends the mail, in one write, and reads what the server says to it.
    pub(super) async fn end(&mut self, recipient: &str) -> Result<(), Refused> {
        if self.server_spoke_or_closed() {
            let error = refusal::closed_before_end(&self.server, recipient);
            return Err(Refused { error, connection_lost: true });
        }
        let answered = match self.write(END_OF_DATA).await {
            Ok(()) => tokio::time::timeout(self.client.timeout, self.client.read())
                .await
                .unwrap_or(Err(mail_send::Error::Timeout)),
            Err(error) => Err(error),
        };
        match answered {
            Ok(reply) if reply.is_positive_completion() => Ok(()),
            Ok(reply) if (400..=599).contains(&reply.code) => Err(Refused {
                connection_lost: reply.code == 421,
                error: rejected_at_end(&self.server, recipient, &reply),
            }),
            Ok(reply) => {
                let error = mail_send::Error::UnexpectedReply(reply);
                Err(Refused {
                    error: refusal::unconfirmed(&self.server, recipient, &error),
                    connection_lost: true,
                })
            }
            Err(error) => Err(Refused {
                error: refusal::unconfirmed(&self.server, recipient, &error),
                connection_lost: true,
            }),
        }
    }

    /// Whether the server has closed the connection or said something (421) while the mail waited
    /// for its end. In both cases it will not take it.
    fn server_spoke_or_closed(&mut self) -> bool {
        let mut byte = [0u8; 1];
        self.client.stream.read(&mut byte).now_or_never().is_some()
    }

    async fn write(&mut self, bytes: &[u8]) -> mail_send::Result<()> {
        let stream = &mut self.client.stream;
        tokio::time::timeout(self.client.timeout, async {
            stream.write_all(bytes).await?;
            stream.flush().await
        })
        .await
        .map_err(|_| mail_send::Error::Timeout)??;
        Ok(())
    }

    fn checked(&self, stage: Stage<'_>, sent: mail_send::Result<()>) -> Result<(), Refused> {
        sent.map_err(|error| Refused {
            connection_lost: refusal::loses_connection(&error),
            error: refusal::failure(&self.server, stage, &error),
        })
    }

    fn unfit(&self, what: &str) -> Refused {
        let message = format!("the mail server {} {what}", self.server);
        Refused { error: PortError::permanent(Code::MailRejected, message), connection_lost: false }
    }
}

/// The server answered the end of the data with 4xx or 5xx: it did not take the mail. Even with 421
/// this is `MailRejected`, because at this point `MailUnreachable` means that nobody knows.
fn rejected_at_end(server: &str, recipient: &str, reply: &smtp_proto::Response<String>) -> PortError {
    let mut error = refusal::refused(server, Stage::Data(recipient), reply);
    error.code = Code::MailRejected;
    error
}
