//! Directories and their users.

use std::path::PathBuf;

use serde::Deserialize;

use crate::launcher::Launcher;

/// A running directory server with the attributes of Active Directory, Exchange and Skype for Business: `slapd`, which
/// has them from a schema of the tests, or `samba`, which is an Active Directory. slapd gives 100 entries, or pages of
/// 500; Samba answers over TLS only.
pub struct DirectoryServer {
    /// `ldap://`, which also takes StartTLS.
    pub url: String,
    /// `ldaps://`.
    pub tls_url: String,
    /// Where users are.
    pub base: String,
    /// Which entries are users.
    pub filter: String,
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
    filter: String,
    user: String,
    password: String,
    certificate: PathBuf,
    users: Vec<DirectoryUser>,
}

impl DirectoryServer {
    /// Starts `slapd` or `samba` with users of these names.
    pub fn start(name: &str, users: &[&str]) -> Self {
        Self::start_with(&[name, "--users", &users.join(",")])
    }

    /// Starts one with users of these names and `count` more: user0001 and so on.
    pub fn start_with_count(name: &str, users: &[&str], count: usize) -> Self {
        Self::start_with(&[name, "--users", &users.join(","), "--users-count", &count.to_string()])
    }

    fn start_with(arguments: &[&str]) -> Self {
        let (launcher, ready): (_, Ready) = Launcher::start(arguments);
        Self {
            url: ready.url,
            tls_url: ready.tls_url,
            base: ready.base,
            filter: ready.filter,
            user: ready.user,
            password: ready.password,
            certificate: ready.certificate,
            users: ready.users,
            _launcher: launcher,
        }
    }
}
