use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

/// A secret in a configuration: never printed, wiped when dropped.
#[derive(Clone)]
pub struct SecretText(SecretString);

impl PartialEq for SecretText {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl SecretText {
    /// Takes the secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// Reads a secret from a file: its first line, without the line end.
///
/// # Errors
/// What the operating system says, or that the file holds no secret.
pub fn read_secret_file(path: &Path) -> std::io::Result<SecretText> {
    let text = std::fs::read_to_string(path)?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(SecretText::new(line)),
        _ => Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "its first line is empty")),
    }
}

/// How requests are signed in.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// Not at all.
    Anonymous,
    /// HTTP Basic (RFC 7617).
    Basic {
        /// Login name.
        user: String,
        /// Password.
        password: SecretText,
    },
    /// A bearer token (RFC 6750).
    Bearer(SecretText),
}

impl Credentials {
    /// The `Authorization` header; none for anonymous access and for a token that no header can hold.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let text = match self {
            Self::Anonymous => return None,
            Self::Basic { user, password } => {
                format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.expose())))
            }
            Self::Bearer(token) => format!("Bearer {}", token.expose()),
        };
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Who signs in, for messages.
    pub fn who(&self) -> &str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Basic { user, .. } => user,
            Self::Bearer(_) => "the bearer token",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let basic = Credentials::Basic { user: "alice".into(), password: SecretText::new("s3cret") };
        assert!(!format!("{basic:?}").contains("s3cret"));
        assert!(!format!("{:?}", basic.header()).contains("YWxpY2U"));
        assert_eq!(basic.header().unwrap().to_str().unwrap(), "Basic YWxpY2U6czNjcmV0");
    }

    #[test]
    fn a_token_with_a_line_break_makes_no_header() {
        assert!(Credentials::Bearer(SecretText::new("a\r\nX: y")).header().is_none());
    }
}
