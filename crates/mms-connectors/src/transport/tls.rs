//! TLS of the protocols that are not HTTP.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// TLS that trusts the system's authorities and those of `ca_file`.
///
/// # Errors
/// The setting that is wrong, and what is wrong with it.
pub(crate) fn client_config(ca_file: Option<&Path>) -> Result<rustls::ClientConfig, (&'static str, String)> {
    let authorities = match ca_file {
        None => Vec::new(),
        Some(file) => {
            let wrong = |what: String| ("ca_file", format!("{} {what}", file.display()));
            let found = CertificateDer::pem_file_iter(file)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| wrong(format!("cannot be read as PEM: {error}")))?;
            if found.is_empty() {
                return Err(wrong("holds no certificate".to_owned()));
            }
            found
        }
    };
    let unusable = |error: rustls::Error| ("tls", error.to_string());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        rustls_platform_verifier::Verifier::new_with_extra_roots(authorities, Arc::clone(&provider))
            .map_err(unusable)?;
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}
