//! The connection to the server: TLS, sign-in, searches in pages.

use std::sync::Arc;
use std::time::Duration;

use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, Scope, SearchEntry};
use mms_model::{Code, ErrorKind, PortError};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;
use url::Url;

use super::settings::LdapDirectorySettings;
use crate::transport::tls;

/// Result codes (RFC 4511 section 4.1.9).
const SIZE_LIMIT_EXCEEDED: u32 = 4;
const ADMIN_LIMIT_EXCEEDED: u32 = 11;
const STRONGER_AUTH_REQUIRED: u32 = 8;
const NO_SUCH_OBJECT: u32 = 32;
const INVALID_DN_SYNTAX: u32 = 34;
const INVALID_CREDENTIALS: u32 = 49;
const INSUFFICIENT_ACCESS: u32 = 50;
const BUSY: u32 = 51;
const UNAVAILABLE: u32 = 52;
/// Active Directory's answer to a search before the sign-in.
const OPERATIONS_ERROR: u32 = 1;

/// A connection that is opened when it is needed, and again when the server has closed it.
pub(super) struct Connection {
    url: Url,
    start_tls: bool,
    tls: Arc<rustls::ClientConfig>,
    user: String,
    password: SecretString,
    page_size: i32,
    timeout: Duration,
    open: Mutex<Option<Ldap>>,
}

impl Connection {
    /// # Errors
    /// `DirectoryError` with the setting that cannot work.
    pub(super) fn new(settings: &LdapDirectorySettings) -> Result<Self, PortError> {
        let wrong = |(key, problem): (&str, String)| {
            PortError::permanent(Code::DirectoryError, format!("[directory] {key}: {problem}"))
        };
        Ok(Self {
            url: settings.server().map_err(wrong)?,
            start_tls: settings.start_tls,
            tls: Arc::new(tls::client_config(settings.ca_file.as_deref()).map_err(wrong)?),
            user: settings.user.clone(),
            password: settings.password().map_err(wrong)?,
            page_size: i32::from(settings.page_size),
            timeout: Duration::from_secs(settings.timeout_seconds),
            open: Mutex::new(None),
        })
    }

    /// The entries that `filter` fits, in pages.
    ///
    /// # Errors
    /// `DirectoryError`: the server cannot be reached, refuses, or does not answer.
    pub(super) async fn search(
        &self,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[&str],
    ) -> Result<Vec<SearchEntry>, PortError> {
        loop {
            let (mut ldap, kept) = self.signed_in().await?;
            match self.pages(&mut ldap, base, scope, filter, attributes).await {
                Ok(entries) => return Ok(entries),
                Err(LdapError::LdapResult { result })
                    if scope == Scope::Base && matches!(result.rc, NO_SUCH_OBJECT | INVALID_DN_SYNTAX) =>
                {
                    return Ok(Vec::new());
                }
                Err(error) => {
                    let answered = matches!(error, LdapError::LdapResult { .. });
                    if !answered {
                        *self.open.lock().await = None;
                    }
                    // Servers close connections that were idle.
                    if answered || !kept {
                        return Err(self.explain(&error, base));
                    }
                }
            }
        }
    }

    async fn pages(
        &self,
        ldap: &mut Ldap,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[&str],
    ) -> Result<Vec<SearchEntry>, LdapError> {
        let attributes: Vec<String> = attributes.iter().map(|name| (*name).to_owned()).collect();
        let adapters: Vec<Box<dyn Adapter<'_, String, Vec<String>>>> =
            vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(self.page_size))];
        let search =
            ldap.with_timeout(self.timeout).streaming_search_with(adapters, base, scope, filter, attributes);
        let mut found = search.await?;
        let mut entries = Vec::new();
        while let Some(entry) = found.next().await? {
            entries.push(SearchEntry::construct(entry));
        }
        found.finish().await.success()?;
        Ok(entries)
    }

    /// A connection on which searches are answered, and whether it was open before.
    pub(super) async fn signed_in(&self) -> Result<(Ldap, bool), PortError> {
        let mut open = self.open.lock().await;
        if let Some(ldap) = open.as_mut()
            && !ldap.is_closed()
        {
            return Ok((ldap.clone(), true));
        }
        let ldap = self.connect().await.map_err(|error| self.explain(&error, ""))?;
        *open = Some(ldap.clone());
        Ok((ldap, false))
    }

    async fn connect(&self) -> Result<Ldap, LdapError> {
        let settings = LdapConnSettings::new()
            .set_conn_timeout(self.timeout)
            .set_starttls(self.start_tls)
            .set_config(Arc::clone(&self.tls));
        let (connection, mut ldap) = LdapConnAsync::with_settings(settings, self.url.as_str()).await?;
        ldap3::drive!(connection);
        let password = self.password.expose_secret();
        ldap.with_timeout(self.timeout).simple_bind(&self.user, password).await?.success()?;
        Ok(ldap)
    }

    /// What happened and what to do.
    fn explain(&self, error: &LdapError, base: &str) -> PortError {
        let server = match self.url.port() {
            Some(port) => format!("{}:{port}", self.url.host_str().unwrap_or_default()),
            None => self.url.host_str().unwrap_or_default().to_owned(),
        };
        let (kind, told) = match error {
            LdapError::LdapResult { result } => {
                let said = result.text.trim_end_matches(['\0', '\n', ' ']);
                match result.rc {
                    INVALID_CREDENTIALS => (
                        ErrorKind::Unauthorised,
                        format!(
                            "it does not take the name or the password of {}: correct user and password_file",
                            self.user
                        ),
                    ),
                    STRONGER_AUTH_REQUIRED => (
                        ErrorKind::Permanent,
                        "it takes sign-ins over TLS only: write ldaps:// or set start_tls = true".to_owned(),
                    ),
                    OPERATIONS_ERROR | INSUFFICIENT_ACCESS => (
                        ErrorKind::Unauthorised,
                        format!(
                            "{} may not read {base} ({said}): give it the right to read the users",
                            self.user
                        ),
                    ),
                    NO_SUCH_OBJECT => (ErrorKind::Permanent, format!("there is no {base}: correct base")),
                    SIZE_LIMIT_EXCEEDED | ADMIN_LIMIT_EXCEEDED => (
                        ErrorKind::Permanent,
                        "it gives no more entries: set a smaller page_size, or raise the server's limit"
                            .to_owned(),
                    ),
                    BUSY | UNAVAILABLE => (ErrorKind::Retry, format!("it is busy ({said})")),
                    code => (
                        ErrorKind::Permanent,
                        format!("it refuses the search below {base} with code {code} ({said})"),
                    ),
                }
            }
            LdapError::Timeout { .. } => (
                ErrorKind::Retry,
                "it does not answer: see whether url is right and the server runs".to_owned(),
            ),
            error => (
                ErrorKind::Retry,
                format!(
                    "no connection ({error}): see whether url is right, the server runs, and its certificate is trusted (ca_file)"
                ),
            ),
        };
        PortError::new(kind, Code::DirectoryError, format!("the directory server {server}: {told}"))
    }
}
