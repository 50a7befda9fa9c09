//! Access tokens by the OAuth 2.0 client credentials grant (RFC 6749 section 4.4), as Microsoft Entra ID
//! gives them: proved by a client secret, or by a signed assertion whose certificate the application
//! registration holds (RFC 7523; Microsoft's "certificate credentials").

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use mms_model::{Clock, SystemClock};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;
use url::Url;

use super::{Credentials, Exchange, SecretText, Session, Transport, TransportError, read_secret_file};

/// A token is renewed when this much of its life is left, so that none expires on its way.
const MARGIN: Duration = Duration::from_secs(5 * 60);
/// The life of a token whose answer does not say it.
const DEFAULT_LIFE: Duration = Duration::from_secs(30 * 60);
/// For how long an assertion is good.
const ASSERTION_LIFE: i64 = 10 * 60;
/// The longest text of the server that a message quotes.
const QUOTED: usize = 300;

/// How the application proves itself.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientProof {
    /// A client secret.
    Secret(SecretText),
    /// A file whose first line is the secret; read for each token, so that it may be renewed.
    SecretFile(PathBuf),
    /// A certificate that the registration holds, and its RSA key, both in PEM; read for each token.
    Certificate {
        /// The certificate.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
        /// PS256, or RS256.
        algorithm: Algorithm,
    },
}

/// Why there is no token. Messages hold no secret.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenError {
    /// The server did not answer.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A file cannot be used.
    #[error("{path}: {problem}")]
    File {
        /// The file.
        path: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The server refused.
    #[error("no access token for the application {client}: {url} answered {status}, {said}{advice}")]
    Refused {
        /// The client id.
        client: String,
        /// The token endpoint.
        url: String,
        /// HTTP status.
        status: u16,
        /// `error` and the first line of `error_description`.
        said: String,
        /// What to do.
        advice: &'static str,
    },
    /// An answer that holds no token.
    #[error("{url} answered what is no access token: check the authority and the tenant")]
    Malformed {
        /// The token endpoint.
        url: String,
    },
}

impl TokenError {
    /// Whether the same request may work later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Transport(error) => !matches!(
                error,
                TransportError::Plaintext { .. }
                    | TransportError::NotHttp { .. }
                    | TransportError::ForeignServer { .. }
                    | TransportError::Setup(_)
            ),
            Self::Refused { status, .. } => *status == 429 || *status >= 500,
            Self::File { .. } | Self::Malformed { .. } => false,
        }
    }
}

/// Gives out the access token of one application for one resource; shared by all who use it.
pub struct TokenSource {
    transport: Arc<Transport>,
    endpoint: Url,
    client_id: String,
    scope: String,
    proof: ClientProof,
    kept: Mutex<Option<Kept>>,
}

#[derive(Clone)]
struct Kept {
    token: SecretText,
    renew_at: Instant,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    expires_in: serde_json::Value,
}

#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

impl TokenSource {
    /// Tokens of the application `client_id`, for what `scope` names (`https://graph.microsoft.com/.default`), from
    /// `endpoint` (`https://login.microsoftonline.com/TENANT/oauth2/v2.0/token`).
    pub fn new(
        transport: Arc<Transport>,
        endpoint: Url,
        client_id: impl Into<String>,
        scope: impl Into<String>,
        proof: ClientProof,
    ) -> Self {
        Self {
            transport,
            endpoint,
            client_id: client_id.into(),
            scope: scope.into(),
            proof,
            kept: Mutex::new(None),
        }
    }

    /// The token, fetched where none is kept that is good for a while. Those who ask meanwhile wait for the same one.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn token(&self) -> Result<SecretText, TokenError> {
        let mut kept = self.kept.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| Instant::now() < kept.renew_at) {
            return Ok(kept.token.clone());
        }
        let fresh = self.fetch().await?;
        let token = fresh.token.clone();
        *kept = Some(fresh);
        Ok(token)
    }

    /// Forgets `token`, which a server refused (401), so that the next one asked for is new.
    pub async fn refused(&self, token: &SecretText) {
        let mut kept = self.kept.lock().await;
        if kept.as_ref().is_some_and(|kept| kept.token.expose() == token.expose()) {
            *kept = None;
        }
    }

    async fn fetch(&self) -> Result<Kept, TokenError> {
        let session =
            Session::new(Arc::clone(&self.transport), self.endpoint.clone(), Credentials::Anonymous)?;
        // A grant may be asked for twice: it changes nothing.
        let request = Exchange::read(Method::POST, self.endpoint.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(self.form()?);
        let asked = Instant::now();
        let reply = session.exchange(&request).await?;
        let url = super::place(&self.endpoint);
        if !reply.status.is_success() {
            return Err(self.refusal(url, reply.status.as_u16(), &reply.body));
        }
        let granted: Granted =
            serde_json::from_slice(&reply.body).map_err(|_| TokenError::Malformed { url: url.clone() })?;
        if granted.access_token.is_empty() || granted.access_token.chars().any(|c| !c.is_ascii_graphic()) {
            return Err(TokenError::Malformed { url });
        }
        let life = life(&granted.expires_in);
        Ok(Kept {
            token: SecretText::new(granted.access_token),
            // A token that lives no longer than the margin is used for half its life.
            renew_at: asked + life.checked_sub(MARGIN).unwrap_or(Duration::ZERO).max(life / 2),
        })
    }

    fn form(&self) -> Result<String, TokenError> {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("client_id", &self.client_id)
            .append_pair("grant_type", "client_credentials")
            .append_pair("scope", &self.scope);
        match self.proof()? {
            Proof::Secret(secret) => form.append_pair("client_secret", secret.expose()),
            Proof::Assertion(assertion) => form
                .append_pair(
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                )
                .append_pair("client_assertion", &assertion),
        };
        Ok(form.finish())
    }

    fn refusal(&self, url: String, status: u16, body: &[u8]) -> TokenError {
        let refusal: Refusal = serde_json::from_slice(body).unwrap_or_default();
        let description = refusal.error_description.lines().next().unwrap_or_default();
        let description = description.split(" Trace ID").next().unwrap_or_default();
        let said: String = format!("{}: {description}", refusal.error).chars().take(QUOTED).collect();
        TokenError::Refused { client: self.client_id.clone(), url, status, advice: advice(&said), said }
    }

    fn proof(&self) -> Result<Proof, TokenError> {
        match &self.proof {
            ClientProof::Secret(secret) => Ok(Proof::Secret(secret.clone())),
            ClientProof::SecretFile(path) => {
                read_secret_file(path).map(Proof::Secret).map_err(|e| unusable(path, e.to_string()))
            }
            ClientProof::Certificate { certificate, key, algorithm } => {
                let now = SystemClock.now().as_second();
                assertion(certificate, key, *algorithm, &self.client_id, &self.endpoint, now)
                    .map(Proof::Assertion)
            }
        }
    }
}

enum Proof {
    Secret(SecretText),
    Assertion(String),
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: String,
    nbf: i64,
    iat: i64,
    exp: i64,
}

/// The assertion by which the holder of a certificate's key proves itself. The certificate is named by its
/// SHA-256 thumbprint (`x5t#S256`).
fn assertion(
    certificate: &Path,
    key: &Path,
    algorithm: Algorithm,
    client_id: &str,
    endpoint: &Url,
    now: i64,
) -> Result<String, TokenError> {
    let der = CertificateDer::from_pem_file(certificate).map_err(|_| {
        unusable(certificate, "it holds no certificate in PEM: export the certificate as BEGIN CERTIFICATE")
    })?;
    let pem = std::fs::read(key).map_err(|e| unusable(key, e.to_string()))?;
    let signer = EncodingKey::from_rsa_pem(&pem)
        .map_err(|_| unusable(key, "it holds no RSA private key in PEM without a passphrase"))?;
    let mut header = Header::new(algorithm);
    header.x5t_s256 = Some(URL_SAFE_NO_PAD.encode(Sha256::digest(&der)));
    let claims = Claims {
        aud: endpoint.as_str(),
        iss: client_id,
        sub: client_id,
        jti: uuid::Uuid::new_v4().to_string(),
        nbf: now - 60,
        iat: now,
        exp: now + ASSERTION_LIFE,
    };
    jsonwebtoken::encode(&header, &claims, &signer)
        .map_err(|_| unusable(key, "its key cannot sign: use an RSA key of 2048 bits or more"))
}

fn unusable(path: &Path, problem: impl Into<String>) -> TokenError {
    TokenError::File { path: path.display().to_string(), problem: problem.into() }
}

/// `expires_in`, in seconds; some servers write it as text.
fn life(expires_in: &serde_json::Value) -> Duration {
    let seconds = expires_in.as_u64().or_else(|| expires_in.as_str()?.trim().parse().ok());
    seconds.map_or(DEFAULT_LIFE, |s| Duration::from_secs(s.min(24 * 3600)))
}

/// What to do about the errors of Entra ID that are an administrator's to mend.
fn advice(said: &str) -> &'static str {
    const KNOWN: &[(&str, &str)] = &[
        ("AADSTS7000222", ": the secret has expired; make a new one in the app registration"),
        (
            "AADSTS7000215",
            ": the secret is wrong; take the secret's value, not its id, from the app registration",
        ),
        ("AADSTS700016", ": the tenant does not know this client_id; check both"),
        ("AADSTS700027", ": upload the certificate to the app registration, and check key_file"),
        ("AADSTS90002", ": there is no such tenant; check tenant and cloud"),
        ("AADSTS900023", ": the tenant is neither a domain nor an id"),
        ("AADSTS53003", ": a conditional access policy keeps the application out"),
        ("invalid_client", ": check client_id and the secret or certificate"),
        ("unauthorized_client", ": check client_id, and that an administrator consented to the application"),
    ];
    KNOWN.iter().find(|(code, _)| said.contains(code)).map_or("", |(_, advice)| advice)
}

/// The application permissions (`roles`) that a token says it carries; none where the token is no JWT.
/// It is not verified: that is the resource's business.
pub fn roles(token: &SecretText) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Roles {
        #[serde(default)]
        roles: Vec<String>,
    }
    let payload = token.expose().split('.').nth(1)?;
    let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice::<Roles>(&json).ok().map(|claims| claims.roles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_read_in_any_spelling_and_tamed() {
        let of = |text: &str| life(&serde_json::from_str(text).unwrap());
        assert_eq!(of("3599"), Duration::from_secs(3599));
        assert_eq!(of("\"120\""), Duration::from_secs(120));
        assert_eq!(of("null"), DEFAULT_LIFE);
        assert_eq!(of("-5"), DEFAULT_LIFE);
        assert_eq!(of("99999999999"), Duration::from_secs(24 * 3600));
    }

    #[test]
    fn roles_are_read_and_other_tokens_say_nothing() {
        let token = format!("e30.{}.x", URL_SAFE_NO_PAD.encode(r#"{"roles":["Calendars.ReadWrite"]}"#));
        assert_eq!(roles(&SecretText::new(token)).unwrap(), ["Calendars.ReadWrite"]);
        assert_eq!(roles(&SecretText::new("opaque")), None);
        assert_eq!(roles(&SecretText::new("a.b.c")), None);
    }

    #[test]
    fn known_refusals_say_what_to_do() {
        assert!(advice("invalid_client: AADSTS7000222: expired").contains("expired"));
        assert_eq!(advice("temporarily_unavailable: x"), "");
    }
}
