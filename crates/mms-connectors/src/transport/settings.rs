use std::path::PathBuf;
use std::time::Duration;

use url::{Host, Url};

use super::{TransportError, place};

/// How to talk to one server.
#[derive(Debug, Clone, PartialEq)]
pub struct TransportSettings {
    /// PEM file with certificate authorities to trust beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// Whether credentials may travel over plain HTTP to a host other than this one.
    pub allow_plaintext: bool,
    /// How long a connection may take to come up.
    pub connect_timeout: Duration,
    /// How long one exchange may take from the request to the last byte of the answer; a listing
    /// that streams may take longer as long as bytes keep coming.
    pub request_timeout: Duration,
    /// Requests on their way at any time.
    pub concurrency: usize,
    /// The largest answer that is read, in bytes after decompression.
    pub max_body: usize,
    /// Whether a `Retry-After` holds back the requests of every user; else the caller minds it, for the one
    /// whom it was told.
    pub shared_pause: bool,
}

impl Default for TransportSettings {
    fn default() -> Self {
        Self {
            ca_file: None,
            allow_plaintext: false,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(60),
            concurrency: 4,
            max_body: 64 << 20,
            shared_pause: true,
        }
    }
}

impl TransportSettings {
    /// Refuses a URL over which credentials would be readable on the way.
    ///
    /// # Errors
    /// [`TransportError::Plaintext`] for `http:` to another machine, unless it is allowed.
    pub fn check(&self, url: &Url) -> Result<(), TransportError> {
        match url.scheme() {
            "https" => Ok(()),
            "http" if self.allow_plaintext || is_loopback(url) => Ok(()),
            "http" => Err(TransportError::Plaintext { url: place(url) }),
            _ => Err(TransportError::NotHttp { url: place(url) }),
        }
    }
}

/// Whether `url` names this very machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_only() {
        let strict = TransportSettings::default();
        let check = |s: &TransportSettings, u: &str| s.check(&Url::parse(u).unwrap());
        assert!(check(&strict, "https://dav.example.test/").is_ok());
        assert!(check(&strict, "http://127.0.0.1:5232/").is_ok());
        assert!(check(&strict, "http://[::1]:5232/").is_ok());
        assert!(check(&strict, "http://localhost/").is_ok());
        assert!(matches!(check(&strict, "http://dav.example.test/"), Err(TransportError::Plaintext { .. })));
        assert!(matches!(check(&strict, "http://127.0.0.1.example/"), Err(TransportError::Plaintext { .. })));
        assert!(matches!(check(&strict, "ftp://localhost/"), Err(TransportError::NotHttp { .. })));
        let lax = TransportSettings { allow_plaintext: true, ..strict };
        assert!(check(&lax, "http://dav.example.test/").is_ok());
    }
}
