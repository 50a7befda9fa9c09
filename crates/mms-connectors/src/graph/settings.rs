use std::path::PathBuf;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde::Deserialize;
use url::Url;

use crate::transport::{ClientProof, SecretText, TransportSettings};

/// The cloud that a tenant is in: where tokens come from and where Graph is
/// (learn.microsoft.com/graph/deployments).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cloud {
    /// The worldwide service.
    #[default]
    Global,
    /// US Government L4 (GCC High).
    UsGov,
    /// US Government L5 (DoD).
    UsGovDod,
    /// China, operated by 21Vianet.
    China,
}

impl Cloud {
    /// Where tokens come from.
    pub fn authority(self) -> &'static str {
        match self {
            Self::Global => "https://login.microsoftonline.com",
            Self::UsGov | Self::UsGovDod => "https://login.microsoftonline.us",
            Self::China => "https://login.chinacloudapi.cn",
        }
    }

    /// Where Graph is; also the resource that tokens are for.
    pub fn graph(self) -> &'static str {
        match self {
            Self::Global => "https://graph.microsoft.com",
            Self::UsGov => "https://graph.microsoft.us",
            Self::UsGovDod => "https://dod-graph.microsoft.us",
            Self::China => "https://microsoftgraph.chinacloudapi.cn",
        }
    }
}

/// How a certificate assertion is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum SigningAlgorithm {
    /// RSASSA-PSS with SHA-256, what Microsoft recommends.
    #[default]
    #[serde(rename = "PS256")]
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
}

impl From<SigningAlgorithm> for Algorithm {
    fn from(algorithm: SigningAlgorithm) -> Self {
        match algorithm {
            SigningAlgorithm::Ps256 => Self::PS256,
            SigningAlgorithm::Rs256 => Self::RS256,
        }
    }
}

/// An application's access to one tenant.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphAccess {
    /// The tenant's id or one of its domains.
    pub tenant: String,
    /// The application's (client) id.
    pub client_id: String,
    /// How the application proves itself.
    pub proof: ClientProof,
    /// Token endpoint.
    pub token_url: Url,
    /// What tokens are for.
    pub scope: String,
    /// Where Graph is, with its version and a final `/`.
    pub base: Url,
    /// How to talk to both.
    pub transport: TransportSettings,
}

/// A settings struct with the keys of every section that signs in to Graph, and some of its own. serde cannot
/// both flatten and refuse unknown keys.
macro_rules! access_settings {
    ($(#[$doc:meta])* $name:ident { $($(#[$own_doc:meta])* $own:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// The tenant's id or one of its domains.
            pub tenant: String,
            /// The application's (client) id.
            pub client_id: String,
            /// The client secret; or `secret_file`, or a certificate.
            #[serde(default)]
            pub secret: Option<crate::transport::SecretText>,
            /// A file whose first line is the client secret.
            #[serde(default)]
            pub secret_file: Option<std::path::PathBuf>,
            /// A PEM file with the certificate that the app registration holds; with `key_file`.
            #[serde(default)]
            pub certificate_file: Option<std::path::PathBuf>,
            /// A PEM file with the certificate's RSA private key.
            #[serde(default)]
            pub key_file: Option<std::path::PathBuf>,
            /// How the certificate's assertion is signed.
            #[serde(default)]
            pub signing: crate::graph::SigningAlgorithm,
            /// The cloud that the tenant is in.
            #[serde(default)]
            pub cloud: crate::graph::Cloud,
            /// Where Graph is, for a proxy or a test server; from `cloud` where it is absent.
            #[serde(default)]
            pub url: Option<String>,
            /// Where tokens come from, likewise.
            #[serde(default)]
            pub authority: Option<String>,
            /// PEM file with certificate authorities to trust beside those of the system.
            #[serde(default)]
            pub ca_file: Option<std::path::PathBuf>,
            /// Seconds that a connection may take to come up.
            #[serde(default = "crate::graph::default_connect_timeout")]
            pub connect_timeout: u64,
            /// Seconds that one request may take.
            #[serde(default = "crate::graph::default_timeout")]
            pub timeout: u64,
            /// The most requests on their way to the tenant at any time; fewer while it throttles.
            #[serde(default = "crate::graph::default_concurrency")]
            pub concurrency: usize,
            $($(#[$own_doc])* pub $own: $kind,)*
        }

        impl $name {
            /// What of it is the sign-in.
            ///
            /// # Errors
            /// The key that cannot work, and why.
            pub fn access(&self) -> Result<crate::graph::GraphAccess, (&'static str, String)> {
                crate::graph::AccessKeys {
                    tenant: &self.tenant,
                    client_id: &self.client_id,
                    secret: self.secret.as_ref(),
                    secret_file: self.secret_file.as_ref(),
                    certificate_file: self.certificate_file.as_ref(),
                    key_file: self.key_file.as_ref(),
                    signing: self.signing,
                    cloud: self.cloud,
                    url: self.url.as_deref(),
                    authority: self.authority.as_deref(),
                    ca_file: self.ca_file.as_ref(),
                    connect_timeout: self.connect_timeout,
                    timeout: self.timeout,
                    concurrency: self.concurrency,
                }
                .access()
            }
        }
    };
}
pub(crate) use access_settings;

pub(crate) fn default_connect_timeout() -> u64 {
    10
}

pub(crate) fn default_timeout() -> u64 {
    100
}

pub(crate) fn default_concurrency() -> usize {
    64
}

/// The keys of [`access_settings`].
pub(crate) struct AccessKeys<'a> {
    pub tenant: &'a str,
    pub client_id: &'a str,
    pub secret: Option<&'a SecretText>,
    pub secret_file: Option<&'a PathBuf>,
    pub certificate_file: Option<&'a PathBuf>,
    pub key_file: Option<&'a PathBuf>,
    pub signing: SigningAlgorithm,
    pub cloud: Cloud,
    pub url: Option<&'a str>,
    pub authority: Option<&'a str>,
    pub ca_file: Option<&'a PathBuf>,
    pub connect_timeout: u64,
    pub timeout: u64,
    pub concurrency: usize,
}

impl AccessKeys<'_> {
    pub(crate) fn access(self) -> Result<GraphAccess, (&'static str, String)> {
        let plain = |text: &str| {
            !text.is_empty()
                && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
        };
        if !plain(self.tenant) || matches!(self.tenant, "common" | "organizations" | "consumers") {
            let problem = "give the tenant's id or one of its domains (contoso.onmicrosoft.com)";
            return Err(("tenant", problem.to_owned()));
        }
        if !plain(self.client_id) {
            return Err(("client_id", "give the Application (client) ID of the app registration".to_owned()));
        }
        let transport = TransportSettings {
            ca_file: self.ca_file.cloned(),
            connect_timeout: Duration::from_secs(self.connect_timeout.max(1)),
            request_timeout: Duration::from_secs(self.timeout.max(1)),
            concurrency: self.concurrency.max(1),
            shared_pause: false,
            ..TransportSettings::default()
        };
        let root = |key: &'static str, text: &str| -> Result<Url, (&'static str, String)> {
            let wrong = |why: &str| (key, format!("\"{text}\" {why}"));
            let url =
                Url::parse(text.trim_end_matches('/')).map_err(|e| wrong(&format!("is no URL: {e}")))?;
            let bare = url.username().is_empty() && url.query().is_none() && url.fragment().is_none();
            if !bare || url.cannot_be_a_base() {
                return Err(wrong("must be a server's address and nothing else"));
            }
            transport.check(&url).map_err(|e| (key, e.to_string()))?;
            Ok(url)
        };
        let authority = root("authority", self.authority.unwrap_or(self.cloud.authority()))?;
        let graph = self.url.unwrap_or(self.cloud.graph()).trim_end_matches('/');
        let graph = root("url", graph.strip_suffix("/v1.0").unwrap_or(graph))?;
        let below = |url: &Url, path: &str| {
            let mut url = url.clone();
            url.set_path(&format!("{}/{path}", url.path().trim_end_matches('/')));
            url
        };
        let proof = self.proof()?;
        Ok(GraphAccess {
            tenant: self.tenant.to_owned(),
            client_id: self.client_id.to_owned(),
            proof,
            token_url: below(&authority, &format!("{}/oauth2/v2.0/token", self.tenant)),
            scope: format!("{}/.default", self.cloud.graph()),
            base: below(&graph, "v1.0/"),
            transport,
        })
    }

    fn proof(&self) -> Result<ClientProof, (&'static str, String)> {
        let wrong = |key, text: &str| Err((key, text.to_owned()));
        match (self.secret, self.secret_file, self.certificate_file, self.key_file) {
            (Some(secret), None, None, None) => Ok(ClientProof::Secret(secret.clone())),
            (None, Some(file), None, None) => Ok(ClientProof::SecretFile(file.clone())),
            (None, None, Some(certificate), Some(key)) => Ok(ClientProof::Certificate {
                certificate: certificate.clone(),
                key: key.clone(),
                algorithm: self.signing.into(),
            }),
            (None, None, Some(_), None) => {
                wrong("key_file", "name the PEM file with the certificate's private key")
            }
            (None, None, None, Some(_)) => {
                wrong("certificate_file", "name the PEM file with the certificate of key_file")
            }
            (None, None, None, None) => {
                wrong("secret_file", "set secret_file (or secret_env), or certificate_file and key_file")
            }
            _ => wrong("secret_file", "give a secret or a certificate, not several"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    access_settings! {
        /// As a section has it.
        Section {
            /// One of its own.
            #[serde(default)]
            own: bool,
        }
    }

    fn access(text: &str) -> Result<GraphAccess, String> {
        let section: Section = toml::from_str(text).map_err(|e| e.to_string())?;
        let _ = section.own;
        section.access().map_err(|(key, problem)| format!("{key}: {problem}"))
    }

    const BASE: &str = "tenant = 'contoso.example'\nclient_id = '1234'\n";

    #[test]
    fn each_cloud_has_its_places() {
        for (cloud, token, graph) in [
            ("global", "https://login.microsoftonline.com/", "https://graph.microsoft.com/v1.0/"),
            ("usgov", "https://login.microsoftonline.us/", "https://graph.microsoft.us/v1.0/"),
            ("usgovdod", "https://login.microsoftonline.us/", "https://dod-graph.microsoft.us/v1.0/"),
            ("china", "https://login.chinacloudapi.cn/", "https://microsoftgraph.chinacloudapi.cn/v1.0/"),
        ] {
            let access = access(&format!("{BASE}secret = 's3cret'\ncloud = '{cloud}'")).unwrap();
            assert_eq!(access.token_url.as_str(), format!("{token}contoso.example/oauth2/v2.0/token"));
            assert_eq!(access.base.as_str(), graph);
            assert!(graph.starts_with(access.scope.strip_suffix("/.default").unwrap()));
            assert!(!format!("{access:?}").contains("s3cret"));
        }
    }

    #[test]
    fn a_test_server_is_reached_with_and_without_the_version() {
        for url in ["http://127.0.0.1:8080", "http://127.0.0.1:8080/v1.0", "http://127.0.0.1:8080/v1.0/"] {
            let access =
                access(&format!("{BASE}secret = 'x'\nurl = '{url}'\nauthority = 'http://127.0.0.1:8080'"))
                    .unwrap();
            assert_eq!(access.base.as_str(), "http://127.0.0.1:8080/v1.0/");
        }
    }

    #[test]
    fn what_cannot_work_is_named() {
        for (text, named) in [
            ("", "secret_file"),
            ("secret = 'x'\nsecret_file = 'y'", "not several"),
            ("certificate_file = 'x'", "key_file"),
            ("key_file = 'x'", "certificate_file"),
            ("secret = 'x'\nurl = 'http://graph.example'", "url"),
            ("secret = 'x'\nauthority = 'nonsense'", "authority"),
            ("secret = 'x'\ncloud = 'germany'", "germany"),
            ("secrt = 'x'", "secrt"),
        ] {
            let error = access(&format!("{BASE}{text}")).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
        assert!(access("tenant = 'common'\nclient_id = 'x'\nsecret = 'x'").unwrap_err().contains("tenant"));
        assert!(access("tenant = 'a/b'\nclient_id = 'x'\nsecret = 'x'").unwrap_err().contains("tenant"));
    }
}
