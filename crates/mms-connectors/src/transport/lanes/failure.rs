use std::time::Duration;

use sspi::ErrorKind;
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
    #[error("{url} refused to sign {who} in by {scheme}: {advice}")]
    Refused {
        /// The URL.
        url: String,
        /// Who signed in.
        who: String,
        /// How.
        scheme: &'static str,
        /// What to do.
        advice: &'static str,
        /// Whether it counts as a wrong password.
        counts: bool,
    },
    /// The account was refused lately.
    #[error(
        "the sign-in of {who} to {url} was refused before; so that the account is not locked, no other sign-in is tried for {} minutes: correct auth, and start MMS anew",
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
        /// Whether it counts as a wrong password.
        counts: bool,
    },
    /// The domain controller does not answer, or nothing that can be read.
    #[error("the domain controller {server} gives no ticket: {detail}")]
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

/// What a domain controller says, what to do about it, and whether it counts as a wrong password there.
const SAID: &[(&str, &str, bool)] = &[
    ("pre-authentication information was invalid", ": the password or the key is wrong; correct auth", true),
    ("integrity check on decrypted field failed", ": the password or the key is wrong; correct auth", true),
    ("have been revoked", ": the account is locked or disabled", true),
    ("client not found", ": check user, which is written mms@EXAMPLE.ORG", false),
    (
        "server not found",
        ": register the service for Exchange's account (setspn -S HTTP/mail.example.org EXAMPLE\\EXCHANGEASA$), or set spn in auth",
        false,
    ),
    ("password has expired", ": change the password", false),
    (
        "without the pa-pac data",
        ": let the account ask for pre-authentication, as accounts do by default",
        false,
    ),
    ("No KDC", ": set kdc in auth to a domain controller, or name one in /etc/krb5.conf", false),
    ("no support for encryption type", ": let the account use AES (msDS-SupportedEncryptionTypes)", false),
    ("clock skew", ": set the clock of this machine", false),
];

const NTLM_ADVICE: &str = "check user and password in auth, and see whether the account is locked or expired; where a load balancer stands in front, it has to keep a client's connection on one server";
const KERBEROS_ADVICE: &str = "it does not take the ticket: see whether the service (HTTP/ and the host of url, or spn) is registered for the account that Exchange has its key of, and for no other (setspn -Q HTTP/mail.example.org)";

impl SignInError {
    pub(super) fn refused(url: &Url, account: &WindowsAccount) -> Self {
        // A domain controller has seen the password of who has a ticket.
        let (advice, counts) = match account {
            WindowsAccount::Ntlm { .. } => (NTLM_ADVICE, true),
            WindowsAccount::Kerberos(_) => (KERBEROS_ADVICE, false),
        };
        let (url, who) = (place(url), account.user().to_owned());
        Self::Refused { url, who, scheme: account.name(), advice, counts }
    }

    pub(super) fn no_ticket(principal: &Principal, service: &str, error: &sspi::Error) -> Self {
        // Behind it stand the bytes of the answer.
        let detail = error.description.split(". Additional error").next().unwrap_or_default().to_owned();
        let known = SAID.iter().find(|(said, _, _)| detail.contains(said));
        if known.is_none() && is_unreadable(error.error_type) {
            let (_, server) = principal.parts();
            return Self::NoController { server, detail: "its answer cannot be read".to_owned() };
        }
        let (advice, counts) = known.map_or(("", false), |(_, advice, counts)| (*advice, *counts));
        Self::NoTicket { who: principal.name.clone(), service: service.to_owned(), detail, advice, counts }
    }

    pub(super) fn unusable(url: &Url, detail: impl Into<String>) -> Self {
        Self::Unusable { url: place(url), detail: detail.into() }
    }

    pub(super) fn not_offered(url: &Url, account: &WindowsAccount, offered: Vec<String>) -> Self {
        let offered = if offered.is_empty() { "nothing".to_owned() } else { offered.join(", ") };
        Self::NotOffered { url: place(url), scheme: account.name(), offered }
    }

    /// Whether the password was wrong, which is not to happen often.
    pub(super) fn counts(&self) -> bool {
        matches!(self, Self::Refused { counts: true, .. } | Self::NoTicket { counts: true, .. })
    }

    /// Whether another ticket may mend it; nothing was done.
    pub(super) fn is_about_the_ticket(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::NoTicket { .. } | Self::NoController { .. })
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

/// Whether it is about an answer that makes no sense, not about what an answer says.
fn is_unreadable(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::InvalidToken | ErrorKind::MessageAltered | ErrorKind::DecryptFailure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::{PrincipalKey, SecretText};

    fn no_ticket(kind: ErrorKind, said: &str) -> SignInError {
        let key = PrincipalKey::Password(SecretText::new("s3cret"));
        let principal = Principal { name: "mms@EXAMPLE.ORG".to_owned(), key, kdc: None, service: None };
        SignInError::no_ticket(&principal, "HTTP/mail", &sspi::Error::new(kind, said.to_owned()))
    }

    #[test]
    fn what_a_domain_controller_says_is_told_apart() {
        let wrong = no_ticket(
            ErrorKind::KdcInvalidRequest,
            "pre-authentication information was invalid. Additional error data: [1]",
        );
        assert!(
            wrong.counts()
                && wrong.to_string().ends_with("was invalid: the password or the key is wrong; correct auth")
        );
        let unknown = no_ticket(ErrorKind::UnknownCredentials, "server not found in Kerberos database");
        assert!(!unknown.counts() && unknown.to_string().contains("setspn -S"));
        let garbled = no_ticket(ErrorKind::InvalidToken, "ASN1 DER error: TruncatedData");
        assert!(matches!(&garbled, SignInError::NoController { server, .. } if server == "EXAMPLE.ORG"));
        assert!(!garbled.counts());
    }
}
