//! Requests on connections that are signed in, for servers that sign a connection in and not a request: with NTLM all do, with
//! Kerberos some; the others get a proof with each request.
//!
//! A *lane* is one HTTP/1.1 connection on which requests follow each other. A request takes a lane that is free, or signs a
//! new one in; there are never more than requests are allowed at a time. The body goes with the message that proves who
//! asks, not with the one before, and a lane that the server closed is replaced.
//!
//! Tickets of Kerberos are used again for some minutes; fetching one takes three messages to the domain controller.
//!
//! **Wrong passwords.** Directories lock an account after a few. Until a sign-in has worked, one is tried at a time; one
//! that was refused is not tried again for [`HOLD`], by whichever request.

mod account;
mod challenge;
mod end_point;
mod failure;
mod handshake;
mod kdc;
mod keytab;
mod lane;
mod tickets;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use reqwest::header::HeaderValue;
use rustls::ClientConfig;
use tokio::sync::{Mutex, Semaphore};
use url::Url;

use super::session::{RECONNECT_PAUSE, RECONNECTS};
use super::{Exchange, Reply, TransportError, TransportSettings, place, tls};
pub use account::{Principal, PrincipalKey, WindowsAccount};
use challenge::Asked;
pub use failure::SignInError;
use handshake::Handshake;
use lane::{Broken, Lane};
use tickets::{Answers, Tickets};

/// For how long no other sign-in is tried after a refused one. Two in half an hour stay below every sensible threshold.
pub(super) const HOLD: Duration = Duration::from_secs(15 * 60);
/// For how long a sign-in that worked is good for letting others go on at the same time.
pub(super) const FRESH: Duration = Duration::from_secs(60);
/// How long a lane may lie unused.
const IDLE: Duration = Duration::from_secs(30);
/// Messages that a sign-in may take; NTLM takes two.
const MESSAGES: usize = 4;

/// The signed-in connections of one account to one server.
pub struct Lanes {
    base: Url,
    account: WindowsAccount,
    settings: TransportSettings,
    tls: Option<Arc<ClientConfig>>,
    slots: Semaphore,
    free: StdMutex<Vec<Lane>>,
    standing: Mutex<Standing>,
    /// Whether the server wants a proof with each request.
    asks_each_time: AtomicBool,
    tickets: Tickets,
}

/// What is known of the password.
#[derive(Debug, Clone, Copy)]
enum Standing {
    Unknown,
    Good(Instant),
    Refused(Instant),
}

impl Lanes {
    /// Lanes to the server of `base`; nothing is connected yet.
    ///
    /// # Errors
    /// [`TransportError::Plaintext`], [`TransportError::NotHttp`], [`TransportError::Setup`].
    pub fn new(
        settings: TransportSettings,
        base: Url,
        account: WindowsAccount,
    ) -> Result<Self, TransportError> {
        settings.check(&base)?;
        let tls = match base.scheme() {
            "https" => {
                let mut config = tls::client_config(settings.ca_file.as_deref())
                    .map_err(|(key, problem)| TransportError::Setup(format!("{key} {problem}")))?;
                // Lanes do not exist in HTTP/2.
                config.alpn_protocols = vec![b"http/1.1".to_vec()];
                Some(Arc::new(config))
            }
            _ => None,
        };
        Ok(Self {
            slots: Semaphore::new(settings.concurrency.max(1)),
            free: StdMutex::default(),
            standing: Mutex::new(Standing::Unknown),
            asks_each_time: AtomicBool::new(false),
            tickets: Tickets::default(),
            base,
            account,
            settings,
            tls,
        })
    }

    /// Sends a request and reads the whole answer. A read whose connection breaks is sent again; a write only where
    /// nothing of it can have arrived.
    ///
    /// # Errors
    /// Where no complete answer came, or the server did not take the sign-in; an answer with another error status
    /// is a reply.
    pub async fn exchange(&self, exchange: &Exchange) -> Result<Reply, SignInError> {
        if exchange.url.origin() != self.base.origin() {
            let (from, to) = (place(&self.base), place(&exchange.url));
            return Err(SignInError::Unsent(TransportError::ForeignServer { from, to }));
        }
        let _slot = self
            .slots
            .acquire()
            .await
            .map_err(|_| TransportError::Setup("the HTTP client is shut down".to_owned()))?;
        let mut pause = RECONNECT_PAUSE;
        for _ in 0..RECONNECTS {
            match self.attempt(exchange).await {
                Err(error) if error.may_be_repeated(exchange.repeatable) => {
                    tracing::debug!(%error, "sending the request again");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                outcome => return outcome,
            }
        }
        self.attempt(exchange).await
    }

    async fn attempt(&self, exchange: &Exchange) -> Result<Reply, SignInError> {
        let free = self.free_lane();
        let Some(mut lane) = free else { return self.signed_in(None, exchange).await };
        if self.asks_each_time.load(Ordering::Relaxed) {
            return self.signed_in(Some(lane), exchange).await;
        }
        match lane.send(exchange, None).await {
            // The server closed it. Nothing was done.
            Err(Broken::Unsent(_)) => self.signed_in(None, exchange).await,
            Err(Broken::Sent(error)) => Err(error.into()),
            // It forgot who signed in. Nothing was done, either.
            Ok(reply) if reply.status == StatusCode::UNAUTHORIZED => {
                let keeps = self.account.belongs_to_a_connection();
                self.asks_each_time.fetch_or(!keeps, Ordering::Relaxed);
                self.signed_in(Some(lane).filter(|_| !keeps), exchange).await
            }
            Ok(reply) => {
                self.keep(lane);
                Ok(reply)
            }
        }
    }

    /// Sends the request on a lane that signs in with it: `lane`, or a new one.
    async fn signed_in(&self, lane: Option<Lane>, exchange: &Exchange) -> Result<Reply, SignInError> {
        // Where the password may be wrong, the others wait here until it is known; but no longer than for an answer, or
        // those of a server that hangs would wait for each other's timeouts.
        let after = self.settings.request_timeout;
        let mut standing = tokio::time::timeout(after, self.standing.lock())
            .await
            .map_err(|_| SignInError::Unsent(TransportError::Timeout { url: place(&exchange.url), after }))?;
        standing.permit(&self.base, &self.account)?;
        let outcome = if standing.is_fresh() {
            drop(standing);
            match self.sign_in(lane, exchange).await {
                Ok((reply, lane)) => {
                    // Whoever has it is about to learn the same.
                    if let Ok(mut standing) = self.standing.try_lock() {
                        *standing = Standing::Good(Instant::now());
                    }
                    self.keep(lane);
                    return Ok(reply);
                }
                stopped => {
                    standing = self.standing.lock().await;
                    stopped
                }
            }
        } else {
            self.sign_in(lane, exchange).await
        };
        match outcome {
            Ok((reply, lane)) => {
                *standing = Standing::Good(Instant::now());
                self.keep(lane);
                Ok(reply)
            }
            Err(Stopped::Answered(reply)) => Ok(*reply),
            Err(Stopped::Failed(error)) => {
                if error.counts() {
                    *standing = Standing::Refused(Instant::now());
                }
                Err(error)
            }
        }
    }

    /// Signs in with a ticket that is there, and where that does not serve, with a new one.
    async fn sign_in(&self, lane: Option<Lane>, exchange: &Exchange) -> Result<(Reply, Lane), Stopped> {
        let kept = self.tickets.kept();
        let was_kept = kept.is_some();
        match self.handshake(lane, exchange, kept).await {
            Err(Stopped::Failed(error)) if was_kept && error.is_about_the_ticket() => {
                tracing::debug!(%error, "fetching another ticket");
                self.tickets.forget();
                self.handshake(None, exchange, None).await
            }
            outcome => outcome,
        }
    }

    async fn handshake(
        &self,
        lane: Option<Lane>,
        exchange: &Exchange,
        kept: Option<Answers>,
    ) -> Result<(Reply, Lane), Stopped> {
        let url = &exchange.url;
        let mut lane = match lane {
            Some(lane) => lane,
            None => {
                let connected = Lane::connect(&self.settings, self.tls.as_ref(), url).await;
                connected.map_err(SignInError::Unsent)?
            }
        };
        let mut handshake = Handshake::new(&self.account, url, lane.binding(), kept)?;
        let mut token = handshake.step(None).await?;
        for message in 0..MESSAGES {
            let proves = handshake.proves();
            let authorization = challenge::authorization(self.account.scheme(), &token);
            let reply = say(&mut lane, exchange, authorization, proves).await?;
            let asked = challenge::read(&reply.headers, self.account.scheme());
            if reply.status != StatusCode::UNAUTHORIZED {
                if let Asked::With(given) = asked {
                    handshake.end(given).await?;
                }
                if let Some(heard) = handshake.heard() {
                    self.tickets.keep(heard);
                }
                return self.admitted(proves, reply, lane, url);
            }
            token = match asked {
                Asked::Not(offered) if message == 0 && !offered.is_empty() => {
                    return Err(SignInError::not_offered(url, &self.account, offered).into());
                }
                _ if proves => return Err(SignInError::refused(url, &self.account).into()),
                Asked::With(given) => handshake.step(Some(given)).await?,
                Asked::Bare | Asked::Not(_) => {
                    return Err(SignInError::unusable(url, "it holds no challenge").into());
                }
            };
        }
        Err(SignInError::unusable(url, "it asks for ever more").into())
    }

    /// The answer of a server that did not ask on.
    fn admitted(&self, proved: bool, reply: Reply, lane: Lane, url: &Url) -> Result<(Reply, Lane), Stopped> {
        if proved {
            return Ok((reply, lane));
        }
        if reply.status.is_success() {
            // What was answered was a request without a body.
            return Err(SignInError::unusable(url, "it did not ask who signs in").into());
        }
        // Too busy to ask, for instance.
        Err(Stopped::Answered(Box::new(reply)))
    }

    fn free_lane(&self) -> Option<Lane> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.retain(|lane| lane.is_open() && lane.unused_for() < IDLE);
        free.pop()
    }

    fn keep(&self, lane: Lane) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(lane);
    }
}

/// Sends a message of a sign-in: with the request where it is the one that proves who asks, else without its body.
async fn say(
    lane: &mut Lane,
    exchange: &Exchange,
    authorization: HeaderValue,
    proves: bool,
) -> Result<Reply, SignInError> {
    if proves {
        return lane.send(exchange, Some(authorization)).await.map_err(Broken::into_error);
    }
    let mut asking = Exchange::read(exchange.method.clone(), exchange.url.clone());
    asking.headers.clone_from(&exchange.headers);
    let reply = lane.send(&asking, Some(authorization)).await;
    reply.map_err(|broken| SignInError::Unsent(broken.into_transport()))
}

/// Why a sign-in did not come to its end.
enum Stopped {
    /// The server answered something else, which is the answer to the request.
    Answered(Box<Reply>),
    Failed(SignInError),
}

impl<E: Into<SignInError>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Standing {
    /// Refuses a sign-in that would be the next wrong one.
    fn permit(&self, url: &Url, account: &WindowsAccount) -> Result<(), SignInError> {
        match self {
            Self::Refused(at) => match HOLD.checked_sub(at.elapsed()) {
                Some(left) if !left.is_zero() => {
                    Err(SignInError::Held { url: place(url), who: account.user().to_owned(), left })
                }
                _ => Ok(()),
            },
            Self::Unknown | Self::Good(_) => Ok(()),
        }
    }

    fn is_fresh(&self) -> bool {
        matches!(self, Self::Good(at) if at.elapsed() < FRESH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_sign_in_is_held_for_a_while() {
        let url = Url::parse("https://mail.x.test/").unwrap();
        let account = WindowsAccount::Ntlm {
            user: "X\\u".to_owned(),
            password: crate::transport::SecretText::new("p"),
        };
        let long_ago = Instant::now().checked_sub(HOLD).unwrap();
        assert!(Standing::Unknown.permit(&url, &account).is_ok());
        assert!(Standing::Refused(long_ago).permit(&url, &account).is_ok());
        let error = Standing::Refused(Instant::now()).permit(&url, &account).unwrap_err().to_string();
        assert!(error.contains("15 minutes"), "{error}");
        assert!(!Standing::Good(long_ago).is_fresh() && Standing::Good(Instant::now()).is_fresh());
    }
}
