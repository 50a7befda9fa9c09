//! Whose certificates are trusted.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls_platform_verifier::Verifier;

/// TLS that trusts the system's authorities and those of `ca_file`.
///
/// # Errors
/// The setting that is wrong, and what is wrong with it.
pub(crate) fn client_config(ca_file: Option<&Path>) -> Result<rustls::ClientConfig, (&'static str, String)> {
    let verifier = match ca_file {
        None => of_the_system(),
        Some(file) => Some(Arc::new(verifier(read(file)?)?)),
    };
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    Ok(match verifier {
        Some(verifier) => {
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
        }
        // A machine without a certificate store (a bare container) can still talk to servers that need none.
        None => builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth(),
    })
}

/// The system's authorities, read once: they are some 140 files, and each server has a client of its own.
fn of_the_system() -> Option<Arc<Verifier>> {
    static SYSTEM: OnceLock<Option<Arc<Verifier>>> = OnceLock::new();
    SYSTEM.get_or_init(|| verifier(Vec::new()).ok().map(Arc::new)).clone()
}

fn verifier(authorities: Vec<CertificateDer<'static>>) -> Result<Verifier, (&'static str, String)> {
    Verifier::new_with_extra_roots(authorities, Arc::new(aws_lc_rs::default_provider())).map_err(unusable)
}

fn unusable(error: rustls::Error) -> (&'static str, String) {
    ("tls", error.to_string())
}

/// The certificates in a PEM file.
fn read(file: &Path) -> Result<Vec<CertificateDer<'static>>, (&'static str, String)> {
    let wrong = |what: String| {
        ("ca_file", format!("{} {what}; it must be a PEM file with certificates", file.display()))
    };
    let found = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(format!("cannot be read: {error}")))?;
    if found.is_empty() {
        return Err(wrong("holds no certificate".to_owned()));
    }
    Ok(found)
}
