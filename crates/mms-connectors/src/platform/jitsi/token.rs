//! Guest tokens in the form that Jitsi Meet's token authentication takes (lib-jitsi-meet,
//! `doc/tokens.md`): claims `iss`, `aud`, `sub`, `room`, `exp`.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use mms_model::{Clock, Code, PortError};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::platform::{PlatformConfigurationError, room_secret, setting};

/// Settings of guest tokens. One of `secret`, `secret_file` and `private_key_file` must be given.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JitsiTokenSettings {
    /// The server's `app_id`; becomes the issuer.
    pub app_id: String,
    /// The server's `app_secret` (HS256).
    #[serde(default)]
    pub secret: Option<SecretString>,
    /// A file that holds that secret.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// A file with an RSA private key in PEM (RS256).
    #[serde(default)]
    pub private_key_file: Option<PathBuf>,
    /// Key id for servers that look the public key up (RS256).
    #[serde(default)]
    pub key_id: Option<String>,
    /// What the server accepts as audience.
    #[serde(default = "default_audience")]
    pub audience: String,
    /// Days for which a token outlasts the last occurrence.
    #[serde(default = "default_margin_days")]
    pub margin_days: u16,
    /// Days for which the token of a series without end is valid.
    #[serde(default = "default_endless_days")]
    pub endless_days: u16,
}

fn default_audience() -> String {
    "jitsi".to_owned()
}

fn default_margin_days() -> u16 {
    7
}

fn default_endless_days() -> u16 {
    730
}

/// What a token says. There is no claim that makes its holder a moderator; the affiliation says so
/// to servers that would take every token holder for one.
#[derive(Debug, Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    room: &'a str,
    exp: i64,
    context: Context,
}

#[derive(Debug, Serialize)]
struct Context {
    user: Guest,
}

#[derive(Debug, Serialize)]
struct Guest {
    affiliation: &'static str,
    moderator: bool,
}

/// Makes guest tokens.
pub(super) struct TokenSigner {
    key: EncodingKey,
    header: Header,
    subject: String,
    settings: JitsiTokenSettings,
    clock: Arc<dyn Clock>,
}

impl TokenSigner {
    pub(super) fn new(
        platform: &str,
        settings: &JitsiTokenSettings,
        base: &Url,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, PlatformConfigurationError> {
        let one = "give one of secret, secret_file and private_key_file";
        let (algorithm, key) = match (&settings.secret, &settings.secret_file, &settings.private_key_file) {
            (Some(secret), None, None) => (Algorithm::HS256, hs256(platform, secret)?),
            (None, Some(file), None) => {
                (Algorithm::HS256, hs256(platform, &room_secret::read(platform, file)?)?)
            }
            (None, None, Some(file)) => {
                let pem = room_secret::read(platform, file)?;
                let key = EncodingKey::from_rsa_pem(pem.expose_secret().as_bytes()).map_err(|_| {
                    setting(
                        platform,
                        "jwt.private_key_file",
                        format!("{} holds no RSA private key in PEM", file.display()),
                    )
                })?;
                (Algorithm::RS256, key)
            }
            _ => return Err(setting(platform, "jwt", one)),
        };
        let mut header = Header::new(algorithm);
        header.kid.clone_from(&settings.key_id);
        let subject = base.host_str().unwrap_or_default().to_owned();
        Ok(Self { key, header, subject, settings: settings.clone(), clock })
    }

    /// A token that lets its holder into `room` as a guest until some days after `last_end`.
    ///
    /// The same meeting gets the same token: where the series has no end, the expiry is rounded up
    /// to a multiple of 30 days.
    pub(super) fn guest_token(&self, room: &str, last_end: Option<Timestamp>) -> Result<String, PortError> {
        const DAY: i64 = 24 * 60 * 60;
        let days = |days: u16| i64::from(days) * DAY;
        let expires = match last_end {
            Some(end) => end.as_second().saturating_add(days(self.settings.margin_days)),
            None => {
                let at_least = self.clock.now().as_second().saturating_add(days(self.settings.endless_days));
                let month = 30 * DAY;
                at_least.saturating_add(month - at_least.rem_euclid(month))
            }
        };
        let claims = Claims {
            iss: &self.settings.app_id,
            aud: &self.settings.audience,
            sub: &self.subject,
            room,
            exp: expires,
            context: Context { user: Guest { affiliation: "member", moderator: false } },
        };
        jsonwebtoken::encode(&self.header, &claims, &self.key).map_err(|_| {
            PortError::permanent(
                Code::PlatformError,
                "the guest token could not be signed; check the key in the platform's jwt settings",
            )
        })
    }
}

fn hs256(platform: &str, secret: &SecretString) -> Result<EncodingKey, PlatformConfigurationError> {
    let secret = secret.expose_secret();
    if secret.is_empty() {
        return Err(setting(platform, "jwt.secret", "is empty; give the server's app_secret"));
    }
    Ok(EncodingKey::from_secret(secret.as_bytes()))
}
