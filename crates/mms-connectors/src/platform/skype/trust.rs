//! Which servers may see a password, a ticket or a meeting.

use url::{Host, Url};

use super::failure::UcwaError;
use crate::transport::{TransportSettings, place};

/// The servers that a deployment's answers may lead to: those below its domains.
#[derive(Debug, Clone)]
pub(super) struct Trust {
    /// In lower case.
    domains: Vec<String>,
    /// The host of `discover_url`, which the administrator named.
    own: Option<String>,
    transport: TransportSettings,
}

impl Trust {
    pub(super) fn new(domains: Vec<String>, own: Option<String>, transport: TransportSettings) -> Self {
        Self { domains, own, transport }
    }

    /// Resolves a reference that a server sent at `from`.
    ///
    /// # Errors
    /// It leads to a server that nobody named, or credentials would travel readable.
    pub(super) fn admit(&self, from: &Url, reference: &str) -> Result<Url, UcwaError> {
        let malformed = || UcwaError::Malformed(format!("{} sends a link that is no URL", place(from)));
        let mut url = from.join(reference).map_err(|_| malformed())?;
        if url.set_username("").is_err() || url.set_password(None).is_err() {
            return Err(malformed());
        }
        if !self.knows(&url) {
            return Err(UcwaError::Untrusted { from: place(from), to: place(&url) });
        }
        match self.transport.check(&url) {
            Ok(()) => Ok(url),
            Err(_) => Err(UcwaError::NotByTls { from: place(from), to: place(&url) }),
        }
    }

    fn knows(&self, url: &Url) -> bool {
        let Some(host) = url.host_str().map(str::to_ascii_lowercase) else { return false };
        if self.own.as_deref() == Some(host.as_str()) {
            return true;
        }
        // An address is below no domain.
        let is_name = matches!(url.host(), Some(Host::Domain(_)));
        let is_below = |domain: &String| {
            host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        is_name && self.domains.iter().any(is_below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust(own: Option<&str>) -> Trust {
        let domains = vec!["contoso.com".to_owned(), "web01.fabrikam.net".to_owned()];
        Trust::new(domains, own.map(str::to_owned), TransportSettings::default())
    }

    #[test]
    fn links_lead_to_the_deployments_own_servers_by_tls() {
        let from = Url::parse("https://lyncdiscover.contoso.com/").unwrap();
        let admit = |reference: &str| trust(None).admit(&from, reference);
        for (reference, to) in [
            ("/ucwa/v1/applications", "https://lyncdiscover.contoso.com/ucwa/v1/applications"),
            ("https://WebExt.Contoso.com:4443/x", "https://webext.contoso.com:4443/x"),
            ("https://web01.fabrikam.net/x", "https://web01.fabrikam.net/x"),
            ("https://eve:pw@pool.contoso.com/x", "https://pool.contoso.com/x"),
        ] {
            assert_eq!(admit(reference).unwrap().as_str(), to);
        }
        for hostile in [
            "https://contoso.com.evil.example/",
            "https://evilcontoso.com/",
            "//evil.example/x",
            "https://contoso.com@evil.example/",
            "http://pool.contoso.com/x",
            "http://127.0.0.1/x",
            "https://10.0.0.1/x",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "https://webdir.online.lync.com/",
        ] {
            assert!(admit(hostile).is_err(), "{hostile}");
        }
    }

    #[test]
    fn the_server_that_the_administrator_named_is_trusted() {
        let from = Url::parse("http://127.0.0.1:8080/").unwrap();
        assert!(trust(Some("127.0.0.1")).admit(&from, "/x").is_ok());
        assert!(trust(None).admit(&from, "/x").is_err());
        assert!(trust(Some("127.0.0.1")).admit(&from, "http://localhost:8080/x").is_err());
    }
}
