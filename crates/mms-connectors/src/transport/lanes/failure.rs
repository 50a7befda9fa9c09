use std::time::Duration;

use url::Url;

use super::{Principal, WindowsAccount};
use crate::transport::{TransportError, place};

/// Why no answer came over a connection that has to be signed in. Messages hold no secret.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SignInError {
    /// No answer; the request may have arrived.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// No answer, and nothing of the request was sent.
    #[error(transparent)]
    Unsent(TransportError),
    /// The server does not take the account and its password.
    #[error(
        "{url} refused to sign {who} in by {scheme}: check user and password in auth, and see whether the account is locked or expired; where a load balancer stands in front, it has to keep a client's connection on one server"
    )]
    Refused {
        /// The URL.
        url: String,
        /// Who signed in.
        who: String,
        /// How.
        scheme: &'static str,
    },
    /// The account was refused lately.
    #[error(
        "{url} refused to sign {who} in before; so that the account is not locked, no other sign-in is tried for {} minutes: correct auth, and start MMS anew",
        .left.as_secs().div_ceil(60)
    )]
    Held {
        /// The URL.
        url: String,
        /// Who signed in.
        who: String,
        /// For how long nothing is tried.
        left: Duration,
    },
    /// The server does not sign in this way.
    #[error(
        "{url} does not offer {scheme}, but {offered}: allow Windows authentication there (Set-WebServicesVirtualDirectory -WindowsAuthentication $true), or choose another type in auth"
    )]
    NotOffered {
        /// The URL.
        url: String,
        /// What was wanted.
        scheme: &'static str,
        /// What there is.
        offered: String,
    },
    /// An answer that is none of the protocol's.
    #[error("the answer of {url} to the sign-in cannot be used: {detail}")]
    Unusable {
        /// The URL.
        url: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The domain controller gives no ticket.
    #[error("there is no Kerberos ticket for {who} to {service}: {detail}{advice}")]
    NoTicket {
        /// Who signs in.
        who: String,
        /// The service principal.
        service: String,
        /// What the domain controller says.
        detail: String,
        /// What to do, with a colon in front.
        advice: &'static str,
    },
    /// The domain controller does not answer.
    #[error("the domain controller {server} gives no answer: {detail}")]
    NoController {
        /// The host.
        server: String,
        /// What the network says.
        detail: String,
    },
    /// What the sign-in needs is not there.
    #[error("{0}")]
    Setup(String),
}

/// What to do about what a domain controller says.
const ADVICE: &[(&str, &str)] = &[
    ("pre-authentication information was invalid", ": the password or the key is wrong; correct auth"),
    ("integrity check on decrypted field failed", ": the password or the key is wrong; correct auth"),
    ("client not found", ": check user, which is written mms@EXAMPLE.ORG"),
    (
        "server not found",
        ": register the service for Exchange's account (setspn -S HTTP/mail.example.org EXAMPLE\\EXCHANGEASA$), or set spn in auth",
    ),
    ("have been revoked", ": the account is locked or disabled"),
    ("password has expired", ": change the password"),
    ("No KDC", ": set kdc in auth to a domain controller, or name one in /etc/krb5.conf"),
    ("no support for encryption type", ": let the account use AES (msDS-SupportedEncryptionTypes)"),
    ("clock skew", ": set the clock of this machine"),
];

impl SignInError {
    pub(super) fn refused(url: &Url, account: &WindowsAccount) -> Self {
        Self::Refused { url: place(url), who: account.user().to_owned(), scheme: account.name() }
    }

    pub(super) fn no_ticket(principal: &Principal, service: &str, error: &sspi::Error) -> Self {
        // Behind it stand the bytes of the answer.
        let detail = error.description.split(". Additional error").next().unwrap_or_default().to_owned();
        let advice = ADVICE.iter().find(|(said, _)| detail.contains(said)).map_or("", |(_, advice)| advice);
        Self::NoTicket { who: principal.name.clone(), service: service.to_owned(), detail, advice }
    }

    pub(super) fn unusable(url: &Url, detail: impl Into<String>) -> Self {
        Self::Unusable { url: place(url), detail: detail.into() }
    }

    pub(super) fn not_offered(url: &Url, account: &WindowsAccount, offered: Vec<String>) -> Self {
        let offered = if offered.is_empty() { "nothing".to_owned() } else { offered.join(", ") };
        Self::NotOffered { url: place(url), scheme: account.name(), offered }
    }

    /// Whether the account was refused, which is not to happen often.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::NoTicket { .. })
    }

    /// Whether the same request may be sent again on another connection.
    pub(super) fn may_be_repeated(&self, repeatable: bool) -> bool {
        match self {
            Self::Transport(error) => repeatable && error.is_broken_connection(),
            Self::Unsent(error) => error.is_broken_connection(),
            _ => false,
        }
    }
}
