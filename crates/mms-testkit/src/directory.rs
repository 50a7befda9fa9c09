//! The directory and its users.

use std::path::PathBuf;

use serde::Deserialize;

use crate::launcher::Launcher;

/// OpenLDAP's slapd with the attributes of Active Directory, Exchange and Skype for Business. It gives 100 entries,
/// or pages of 500.
pub struct Slapd {
    /// `ldap://`, which also takes StartTLS.
    pub url: String,
    /// `ldaps://`.
    pub tls_url: String,
    /// Where users are.
    pub base: String,
    /// The account that may read them.
    pub user: String,
    /// Its password.
    pub password: String,
    /// A PEM file with the server's certificate.
    pub certificate: PathBuf,
    /// The users; the mailbox of every second one is in Exchange Online.
    pub users: Vec<DirectoryUser>,
    _launcher: Launcher,
}

/// A user of the directory: `CN=Name,OU=Staff,…`, `EXAMPLE\name`, `sip:name.sip@…`, `name.mail@…`, `name.alias@…`.
#[derive(Clone, Debug, Deserialize)]
pub struct DirectoryUser {
    /// The name that all others are made of.
    pub name: String,
    /// The object id.
    pub id: String,
    /// The user principal name.
    pub upn: String,
}

#[derive(Deserialize)]
struct Ready {
    url: String,
    tls_url: String,
    base: String,
    user: String,
    password: String,
    certificate: PathBuf,
    users: Vec<DirectoryUser>,
}

impl Slapd {
    /// Starts one with users of these names.
    pub fn start(users: &[&str]) -> Self {
        Self::start_with(&["--users", &users.join(",")])
    }

    /// Starts one with `count` users: user0001 and so on.
    pub fn start_with_count(count: usize) -> Self {
        Self::start_with(&["--users-count", &count.to_string()])
    }

    fn start_with(arguments: &[&str]) -> Self {
        let (launcher, ready): (_, Ready) = Launcher::start(&[&["slapd"], arguments].concat());
        Self {
            url: ready.url,
            tls_url: ready.tls_url,
            base: ready.base,
            user: ready.user,
            password: ready.password,
            certificate: ready.certificate,
            users: ready.users,
            _launcher: launcher,
        }
    }
}
