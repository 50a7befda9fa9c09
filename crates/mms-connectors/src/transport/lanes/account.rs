use std::path::PathBuf;

use url::Url;

use crate::transport::SecretText;

/// An account of a Windows domain, and how it signs in.
#[derive(Debug, Clone)]
pub enum WindowsAccount {
    /// By NTLM version 2.
    Ntlm {
        /// `EXAMPLE\mms` or `mms@example.org`.
        user: String,
        /// The password.
        password: SecretText,
    },
    /// By Kerberos.
    Kerberos(Principal),
}

/// An account of a Kerberos realm, which Windows domains are.
#[derive(Debug, Clone)]
pub struct Principal {
    /// `mms@EXAMPLE.ORG`.
    pub name: String,
    /// What it proves itself with.
    pub key: PrincipalKey,
    /// The domain controller, `dc1.example.org` or with a port; else the one that `krb5.conf` names for the realm.
    pub kdc: Option<String>,
    /// The service principal of the server; else `HTTP/` and the host of its URL.
    pub service: Option<String>,
}

/// What a Kerberos account proves itself with.
#[derive(Debug, Clone)]
pub enum PrincipalKey {
    /// Its password.
    Password(SecretText),
    /// A keytab file that holds its key, read for each sign-in, so that it may be renewed.
    Keytab(PathBuf),
}

impl WindowsAccount {
    /// Who signs in, for messages.
    pub(super) fn user(&self) -> &str {
        match self {
            Self::Ntlm { user, .. } => user,
            Self::Kerberos(principal) => &principal.name,
        }
    }

    /// Whether a connection that was signed in stays so with every server.
    pub(super) fn belongs_to_a_connection(&self) -> bool {
        matches!(self, Self::Ntlm { .. })
    }

    /// What HTTP calls it.
    pub(super) fn scheme(&self) -> &'static str {
        match self {
            Self::Ntlm { .. } => "NTLM",
            Self::Kerberos(_) => "Negotiate",
        }
    }

    /// What people call it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Ntlm { .. } => "NTLM",
            Self::Kerberos(_) => "Negotiate (Kerberos)",
        }
    }
}

impl Principal {
    /// The account's name without its realm, and the realm.
    pub(super) fn parts(&self) -> (&str, String) {
        let (name, realm) = self.name.rsplit_once('@').unwrap_or((&self.name, ""));
        (name, realm.to_ascii_uppercase())
    }

    pub(super) fn service(&self, url: &Url) -> String {
        let of_host = || format!("HTTP/{}", url.host_str().unwrap_or_default());
        self.service.clone().unwrap_or_else(of_host)
    }
}
