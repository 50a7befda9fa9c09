//! Settings of an Exchange server.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use crate::transport::{
    ClientProof, Principal, PrincipalKey, SecretText, TransportSettings, WindowsAccount, read_secret_file,
};

/// `[calendar.NAME]` with `kind = "ews"`: the mailboxes of Exchange servers of one's own, by Exchange Web Services.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EwsSettings {
    /// `https://mail.example.org/EWS/Exchange.asmx`.
    pub url: String,
    /// How to sign in.
    pub auth: EwsAuth,
    /// Whether the account acts for each user (`ApplicationImpersonation`); else it must be the user's own.
    #[serde(default = "yes")]
    pub impersonation: bool,
    /// The version of the protocol, `RequestServerVersion`. Later servers know it as well.
    #[serde(default = "default_version")]
    pub server_version: String,
    /// PEM file with certificate authorities to trust beside those of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Lets the password travel over plain HTTP to another machine. Never needed on this machine.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// Seconds that a connection may take to come up.
    #[serde(default = "default_connect_timeout")]
    pub connect_timeout: u64,
    /// Seconds that one request may take.
    #[serde(default = "default_timeout")]
    pub timeout: u64,
    /// Items that are read and written with one request.
    #[serde(default = "default_page_size")]
    pub page_size: usize,
    /// Requests on their way to the server at any time, over all users. Exchange lets an account have 27
    /// (`EWSMaxConcurrency`), and Microsoft advises to stay below 10.
    #[serde(default = "default_concurrency")]
    pub concurrency: usize,
}

/// How requests are signed in.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum EwsAuth {
    /// A name and password (HTTP Basic), which the EWS virtual directory must allow.
    Basic {
        /// `EXAMPLE\mms` or `mms@example.org`.
        user: String,
        /// The password; or `password_file`.
        password: Option<SecretText>,
        /// A file whose first line is the password.
        password_file: Option<PathBuf>,
    },
    /// A name and password by NTLM version 2, which Exchange allows where nobody has changed it.
    Ntlm {
        /// `EXAMPLE\mms` or `mms@example.org`.
        user: String,
        /// The password; or `password_file`.
        password: Option<SecretText>,
        /// A file whose first line is the password.
        password_file: Option<PathBuf>,
    },
    /// An account of the domain by Kerberos.
    Kerberos {
        /// The account and its realm: `mms@EXAMPLE.ORG`.
        user: String,
        /// The password; or `password_file`, or `keytab_file`.
        password: Option<SecretText>,
        /// A file whose first line is the password.
        password_file: Option<PathBuf>,
        /// A keytab file that holds the account's key.
        keytab_file: Option<PathBuf>,
        /// The domain controller, or the domain itself where its name leads to all of them; else what `krb5.conf` says.
        kdc: Option<String>,
        /// The server's service principal; else `HTTP/` and the host of `url`.
        spn: Option<String>,
    },
    /// An application's token (hybrid modern authentication).
    #[serde(rename = "oauth")]
    OAuth {
        /// The token endpoint: `https://login.microsoftonline.com/TENANT/oauth2/v2.0/token`, or that of AD FS.
        token_url: String,
        /// The application's (client) id.
        client_id: String,
        /// What tokens are for: `https://mail.example.org/.default`.
        scope: String,
        /// The client secret; or `secret_file`.
        secret: Option<SecretText>,
        /// A file whose first line is the client secret.
        secret_file: Option<PathBuf>,
    },
}

/// What a sign-in takes, read.
#[derive(Debug, Clone)]
pub(super) enum SignIn {
    Basic { user: String, password: SecretText },
    Windows(WindowsAccount),
    OAuth { token_url: Url, client_id: String, scope: String, proof: ClientProof },
}

fn yes() -> bool {
    true
}

fn default_version() -> String {
    "Exchange2013_SP1".to_owned()
}

fn default_connect_timeout() -> u64 {
    10
}

fn default_timeout() -> u64 {
    100
}

fn default_page_size() -> usize {
    200
}

fn default_concurrency() -> usize {
    8
}

impl EwsAuth {
    fn check(&self) -> Result<(), Wrong> {
        match self {
            Self::Basic { password, password_file, .. } | Self::Ntlm { password, password_file, .. }
                if password.is_some() == password_file.is_some() =>
            {
                Err(("auth", "give either password_file or password_env".to_owned()))
            }
            Self::Ntlm { user, .. } if !names_a_domain(user) => {
                Err(("auth", "user must name its domain: write EXAMPLE\\mms or mms@example.org".to_owned()))
            }
            Self::Kerberos { password, password_file, keytab_file, .. }
                if [password.is_some(), password_file.is_some(), keytab_file.is_some()]
                    .iter()
                    .filter(|given| **given)
                    .count()
                    != 1 =>
            {
                Err(("auth", "give one of password_file, password_env and keytab_file".to_owned()))
            }
            Self::Kerberos { user, .. } if user.contains('\\') || !names_a_domain(user) => {
                Err(("auth", "user must name its realm: write mms@EXAMPLE.ORG".to_owned()))
            }
            Self::Kerberos { kdc: Some(kdc), .. } if !is_host(kdc) => {
                Err(("auth", "kdc is no host: write dc1.example.org, or with a port".to_owned()))
            }
            Self::OAuth { secret, secret_file, .. } if secret.is_some() == secret_file.is_some() => {
                Err(("auth", "give either secret_file or secret_env".to_owned()))
            }
            Self::OAuth { token_url, .. } => {
                http_url("auth", token_url, "https://login.microsoftonline.com/TENANT/oauth2/v2.0/token")
                    .map(|_| ())
            }
            Self::Basic { .. } | Self::Ntlm { .. } | Self::Kerberos { .. } => Ok(()),
        }
    }
}

/// Whether it is `DOMAIN\user` or `user@domain`.
fn names_a_domain(user: &str) -> bool {
    let parts = user.split_once('\\').or_else(|| user.rsplit_once('@'));
    parts.is_some_and(|(one, other)| !one.is_empty() && !other.is_empty())
}

/// Whether it is `host` or `host:port`.
fn is_host(text: &str) -> bool {
    let url = Url::parse(&format!("tcp://{text}"));
    url.is_ok_and(|url| {
        url.host_str().is_some_and(|host| !host.is_empty())
            && url.path().is_empty()
            && url.username().is_empty()
    })
}

/// A key that is wrong, what is wrong with it and what to do.
type Wrong = (&'static str, String);

impl EwsSettings {
    /// The endpoint, where everything fits together; secrets are not read.
    ///
    /// # Errors
    /// The key that is wrong, what is wrong with it and what to do.
    pub fn endpoint(&self) -> Result<Url, Wrong> {
        let url = http_url("url", &self.url, "https://mail.example.org/EWS/Exchange.asmx")?;
        if !url.path().to_ascii_lowercase().ends_with(".asmx") {
            return Err(("url", "must end with /EWS/Exchange.asmx".to_owned()));
        }
        let version = self.server_version.strip_prefix("Exchange").unwrap_or_default();
        if version.is_empty() || !version.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(("server_version", "is none: write Exchange2013_SP1 or Exchange2016".to_owned()));
        }
        if !(1..=LIMIT).contains(&self.page_size) {
            return Err(("page_size", format!("must be from 1 to {LIMIT}")));
        }
        self.auth.check().map(|()| url)
    }

    pub(super) fn sign_in(&self) -> Result<SignIn, Wrong> {
        let read = |text: &Option<SecretText>, file: &Option<PathBuf>| match (text, file) {
            (Some(text), _) => Ok(text.clone()),
            (None, Some(file)) => read_secret_file(file)
                .map_err(|error| ("auth", format!("{} cannot be read: {error}", file.display()))),
            (None, None) => Err(("auth", "a secret is missing".to_owned())),
        };
        match &self.auth {
            EwsAuth::Basic { user, password, password_file } => {
                Ok(SignIn::Basic { user: user.clone(), password: read(password, password_file)? })
            }
            EwsAuth::Ntlm { user, password, password_file } => {
                let password = read(password, password_file)?;
                Ok(SignIn::Windows(WindowsAccount::Ntlm { user: user.clone(), password }))
            }
            EwsAuth::Kerberos { user, password, password_file, keytab_file, kdc, spn } => {
                let key = match keytab_file {
                    Some(file) => PrincipalKey::Keytab(file.clone()),
                    None => PrincipalKey::Password(read(password, password_file)?),
                };
                let (kdc, service) = (kdc.clone(), spn.clone());
                Ok(SignIn::Windows(WindowsAccount::Kerberos(Principal {
                    name: user.clone(),
                    key,
                    kdc,
                    service,
                })))
            }
            EwsAuth::OAuth { token_url, client_id, scope, secret, secret_file } => Ok(SignIn::OAuth {
                token_url: http_url("auth", token_url, "the token endpoint")?,
                client_id: client_id.clone(),
                scope: scope.clone(),
                proof: ClientProof::Secret(read(secret, secret_file)?),
            }),
        }
    }

    pub(super) fn transport(&self) -> TransportSettings {
        TransportSettings {
            ca_file: self.ca_file.clone(),
            allow_plaintext: self.allow_plaintext,
            connect_timeout: Duration::from_secs(self.connect_timeout.max(1)),
            request_timeout: Duration::from_secs(self.timeout.max(1)),
            concurrency: self.concurrency.max(1),
            // A busy server says so for the account, and the client minds it.
            shared_pause: false,
            ..TransportSettings::default()
        }
    }
}

/// Items in one request: more make answers that few servers give in time.
const LIMIT: usize = 500;

fn http_url(key: &'static str, text: &str, example: &str) -> Result<Url, Wrong> {
    let wrong = |problem: &str| Err((key, format!("{problem}: write {example}")));
    let Ok(url) = Url::parse(text) else { return wrong("is no URL") };
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return wrong("is no web address");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err((key, "holds credentials: take them out, and use auth".to_owned()));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(settings: &str) -> Result<String, String> {
        let basic = "auth = { type = \"basic\", user = \"EXAMPLE\\\\mms\", password_file = \"p\" }\n";
        let auth = if settings.contains("auth") { "" } else { basic };
        let settings: EwsSettings =
            toml::from_str(&format!("{auth}{settings}")).map_err(|e| e.to_string())?;
        settings.endpoint().map(|url| url.to_string()).map_err(|(key, problem)| format!("{key}: {problem}"))
    }

    #[test]
    fn a_section_needs_a_url_and_a_sign_in() {
        assert!(endpoint("url = \"https://mail.x.test/EWS/Exchange.asmx\"").is_ok());
        for kdc in ["dc1.x.test", "x.test:88", "10.0.0.1:1088", "[::1]:88"] {
            let auth = format!("{{ type = 'kerberos', user = 'u@X', keytab_file = 'k', kdc = '{kdc}' }}");
            assert!(endpoint(&format!("url = \"https://x/e.asmx\"\nauth = {auth}")).is_ok(), "{kdc}");
        }
        for (settings, part) in [
            ("url = \"mail.x.test\"", "url: is no URL"),
            ("url = \"https://mail.x.test/\"", "/EWS/Exchange.asmx"),
            ("url = \"https://u:p@mail.x.test/EWS/Exchange.asmx\"", "credentials"),
            ("url = \"https://x/e.asmx\"\nserver_version = \"2016\"", "server_version"),
            ("url = \"https://x/e.asmx\"\npage_size = 0", "page_size"),
            ("url = \"https://x/e.asmx\"\nauth = { type = \"basic\", user = \"u\" }", "password_file"),
            (
                "url = \"https://x/e.asmx\"\nauth = { type = \"oauth\", token_url = \"x\", client_id = \"1\", scope = \"s\", secret_file = \"f\" }",
                "auth: is no URL",
            ),
            ("url = \"https://x/e.asmx\"\nauth = { type = \"ntlm\", user = \"X\\\\u\" }", "password_file"),
            (
                "url = \"https://x/e.asmx\"\nauth = { type = \"ntlm\", user = \"u\", password_file = \"f\" }",
                "name its domain",
            ),
            (
                "url = \"https://x/e.asmx\"\nauth = { type = \"kerberos\", user = \"u@X\", password_file = \"f\", keytab_file = \"k\" }",
                "keytab_file",
            ),
            (
                "url = \"https://x/e.asmx\"\nauth = { type = \"kerberos\", user = \"X\\\\u\", keytab_file = \"k\" }",
                "name its realm",
            ),
            (
                "url = \"https://x/e.asmx\"\nauth = { type = \"kerberos\", user = \"u@X\", keytab_file = \"k\", kdc = \"http://x\" }",
                "kdc is no host",
            ),
        ] {
            let error = endpoint(settings).unwrap_err();
            assert!(error.contains(part), "{settings}: {error}");
        }
    }
}
