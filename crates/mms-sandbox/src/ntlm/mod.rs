//! NTLM over HTTP, the server's side ([MS-NTHT]): it signs a connection in, not a request.
//!
//! It accepts NTLMv2 alone, checks the message integrity code where the client says that there is one, and the channel
//! binding where there is TLS. It is written from [MS-NLMP], for itself: the client that it tests shares no code with it.

mod message;
mod proof;

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use tokio::net::TcpListener;

use crate::organisation::{ACCOUNT, ACCOUNT_UPN, DOMAIN, PASSWORD};
use crate::tls::TlsListener;
use message::{Authenticate, Challenge};

/// The short name of the domain.
const SHORT_DOMAIN: &str = "CONTOSO";
/// The name of the server.
const SERVER: &str = "MAIL";

/// One TCP connection, and how far its sign-in is. Each connection has its own; clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connection {
    progress: Arc<Mutex<Progress>>,
}

#[derive(Debug, Default)]
enum Progress {
    #[default]
    Unknown,
    /// A challenge was sent.
    Challenged(Challenge),
    SignedIn,
}

impl Connected<IncomingStream<'_, TcpListener>> for Connection {
    fn connect_info(_: IncomingStream<'_, TcpListener>) -> Self {
        Self::default()
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Connection {
    fn connect_info(_: IncomingStream<'_, TlsListener>) -> Self {
        Self::default()
    }
}

/// What the server makes of a token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The connection is signed in.
    SignedIn,
    /// The next token for the client, in base64.
    Challenge(String),
    /// Not who the client says, and why.
    Refused(&'static str),
}

/// What a client has to prove beside its password.
pub(crate) struct Demands<'a> {
    /// The hash that `tls-server-end-point` (RFC 5929) has for the server's certificate.
    pub(crate) end_point: Option<&'a [u8]>,
    /// Whether a client without a channel binding is refused (`ExtendedProtectionTokenChecking` is `Require`).
    pub(crate) binding_required: bool,
}

impl Connection {
    /// Whether requests on this connection need no further proof.
    pub(crate) fn is_signed_in(&self) -> bool {
        matches!(*self.progress.lock().unwrap_or_else(PoisonError::into_inner), Progress::SignedIn)
    }

    /// Takes the token of an `Authorization: NTLM` header.
    pub(crate) fn step(&self, token: &str, demands: &Demands<'_>) -> Outcome {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        // Whatever comes of it, a challenge serves once.
        let earlier = std::mem::take(&mut *progress);
        let Ok(token) = STANDARD.decode(token.trim()) else { return Outcome::Refused("no base64") };
        match (message::kind(&token), earlier) {
            (Some(1), _) => {
                let Some(challenge) = Challenge::answering(token, SHORT_DOMAIN, SERVER, DOMAIN, now()) else {
                    return Outcome::Refused("no NTLMSSP NEGOTIATE_MESSAGE");
                };
                let encoded = STANDARD.encode(&challenge.sent);
                *progress = Progress::Challenged(challenge);
                Outcome::Challenge(encoded)
            }
            (Some(3), Progress::Challenged(challenge)) => {
                let Some(answer) = Authenticate::parse(token) else {
                    return Outcome::Refused("no NTLMSSP AUTHENTICATE_MESSAGE");
                };
                match verify(&challenge, &answer, demands) {
                    Ok(()) => {
                        *progress = Progress::SignedIn;
                        Outcome::SignedIn
                    }
                    Err(why) => Outcome::Refused(why),
                }
            }
            (Some(3), _) => Outcome::Refused("this connection was not challenged"),
            _ => Outcome::Refused("no message of NTLMSSP"),
        }
    }
}

fn verify(challenge: &Challenge, answer: &Authenticate, demands: &Demands<'_>) -> Result<(), &'static str> {
    if !is_the_account(&answer.domain, &answer.user) {
        return Err("unknown user");
    }
    let key = proof::ntlm_v2_hash(PASSWORD, &answer.user, &answer.domain);
    let session_key = proof::verify_response(&key, &challenge.nonce, &answer.nt_response)?;
    let pairs =
        message::pairs_of_response(&answer.nt_response).ok_or("the response holds no target information")?;
    let exported = answer.exported_session_key(session_key);
    let says_mic = message::pair(&pairs, message::AV_FLAGS)
        .and_then(|flags| flags.first().copied())
        .is_some_and(|flags| flags & 2 != 0);
    if says_mic {
        let (mic, zeroed) = answer.mic().ok_or("the integrity code is missing")?;
        if proof::mic(&exported, [&challenge.received, &challenge.sent, &zeroed]) != mic {
            return Err("the integrity code is wrong");
        }
    }
    let given =
        message::pair(&pairs, message::AV_CHANNEL_BINDINGS).filter(|hash| hash.iter().any(|b| *b != 0));
    match (demands.end_point, given) {
        (Some(end_point), Some(given)) if given != proof::channel_binding(end_point) => {
            Err("the channel binding is that of another certificate")
        }
        (Some(_), None) if demands.binding_required => Err("the channel binding is missing"),
        _ => Ok(()),
    }
}

/// The account in any of the forms in which a client may name it.
fn is_the_account(domain: &str, user: &str) -> bool {
    let short = ACCOUNT.rsplit('\\').next().unwrap_or_default();
    let in_domain = user.eq_ignore_ascii_case(short)
        && (domain.eq_ignore_ascii_case(SHORT_DOMAIN) || domain.eq_ignore_ascii_case(DOMAIN));
    in_domain || (user.eq_ignore_ascii_case(ACCOUNT_UPN) && !domain.contains('\\'))
}

/// Tenths of microseconds since 1601.
#[allow(clippy::disallowed_methods)] // The sandbox depends on no other crate of MMS, and a client compares this with its clock.
fn now() -> u64 {
    let since_1970 = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default();
    (since_1970 + 11_644_473_600_000_000) * 10
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEMANDS: Demands<'static> = Demands { end_point: None, binding_required: false };

    #[test]
    fn hostile_tokens_are_refused_and_forget_the_challenge() {
        let connection = Connection::default();
        let first = STANDARD.encode(b"NTLMSSP\0\x01\0\0\0\x07\x82\x08\xa2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        for token in ["", "!", "AAAA", "TlRMTVNTUAA=", "TlRMTVNTUAADAAAA", "TlRMTVNTUAAEAAAA"] {
            assert!(matches!(connection.step(&first, &DEMANDS), Outcome::Challenge(_)));
            assert!(matches!(connection.step(token, &DEMANDS), Outcome::Refused(_)), "{token}");
            assert!(!connection.is_signed_in());
        }
    }

    #[test]
    fn any_cut_of_an_answer_is_refused_without_panic() {
        let connection = Connection::default();
        let first = STANDARD.encode(b"NTLMSSP\0\x01\0\0\0\x07\x82\x08\xa2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        let mut answer = b"NTLMSSP\0\x03\0\0\0".to_vec();
        answer.extend((0..240u32).map(|n| (n * 37 % 251) as u8));
        for length in 0..answer.len() {
            connection.step(&first, &DEMANDS);
            let token = STANDARD.encode(&answer[..length]);
            assert!(matches!(connection.step(&token, &DEMANDS), Outcome::Refused(_)), "{length}");
        }
    }

    #[test]
    fn the_account_has_three_names() {
        assert!(is_the_account("CONTOSO", "mms") && is_the_account("contoso.example", "MMS"));
        assert!(is_the_account("", "mms@contoso.example"));
        assert!(!is_the_account("", "mms") && !is_the_account("FABRIKAM", "mms") && !is_the_account("", ""));
    }
}
