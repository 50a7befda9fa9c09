use std::time::Duration;

use url::Url;

use super::WindowsAccount;
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
    /// What the sign-in needs is not there.
    #[error("{0}")]
    Setup(String),
}

impl SignInError {
    pub(super) fn refused(url: &Url, account: &WindowsAccount) -> Self {
        Self::Refused { url: place(url), who: account.user().to_owned(), scheme: account.name() }
    }

    pub(super) fn unusable(url: &Url, detail: impl Into<String>) -> Self {
        Self::Unusable { url: place(url), detail: detail.into() }
    }

    pub(super) fn not_offered(url: &Url, account: &WindowsAccount, offered: Vec<String>) -> Self {
        let offered = if offered.is_empty() { "nothing".to_owned() } else { offered.join(", ") };
        Self::NotOffered { url: place(url), scheme: account.name(), offered }
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
