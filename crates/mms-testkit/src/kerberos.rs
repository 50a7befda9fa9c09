//! A Kerberos realm.

use std::path::PathBuf;

use serde::Deserialize;

use crate::launcher::Launcher;

/// MIT's domain controller with one account, and a web server (Apache) that takes its tickets.
pub struct KerberosRealm {
    /// The web server.
    pub url: String,
    /// The domain controller, with its port.
    pub kdc: String,
    /// `EXAMPLE.TEST`.
    pub realm: String,
    /// The account.
    pub user: String,
    /// Its password.
    pub password: String,
    /// A file with its key.
    pub keytab: PathBuf,
    log: PathBuf,
    _launcher: Launcher,
}

#[derive(Deserialize)]
struct Ready {
    url: String,
    kdc: String,
    realm: String,
    user: String,
    password: String,
    keytab: PathBuf,
    kdc_log: PathBuf,
}

impl KerberosRealm {
    /// Starts one; behind the web server there is nothing.
    pub fn start() -> Self {
        let (launcher, ready): (_, Ready) = Launcher::start(&["kerberos"]);
        Self {
            url: ready.url,
            kdc: ready.kdc,
            realm: ready.realm,
            user: ready.user,
            password: ready.password,
            keytab: ready.keytab,
            log: ready.kdc_log,
            _launcher: launcher,
        }
    }

    /// How many tickets for a service the domain controller was asked for.
    pub fn tickets(&self) -> usize {
        std::fs::read_to_string(&self.log).expect("the log can be read").matches("TGS_REQ (").count()
    }
}
