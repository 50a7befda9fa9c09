//! Where a secret is: a file or an environment variable, never the configuration itself.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

/// Where a secret is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// The first line of a file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
}

impl SecretSource {
    /// The source that `KEY_file` or `KEY_env` names; none where neither is set.
    ///
    /// # Errors
    /// Both are set.
    pub fn of(
        key: &str,
        file: Option<&Path>,
        environment: Option<&str>,
        base: &Path,
    ) -> Result<Option<Self>, String> {
        match (file, environment) {
            (None, None) => Ok(None),
            (Some(file), None) => Ok(Some(Self::File(base.join(file)))),
            (None, Some(name)) => Ok(Some(Self::Environment(name.to_owned()))),
            (Some(_), Some(_)) => Err(format!("{key}_file and {key}_env are both set: leave one out")),
        }
    }

    /// Reads the secret.
    ///
    /// # Errors
    /// A sentence that names the file or the variable, never the secret.
    pub fn read(&self) -> Result<SecretString, String> {
        match self {
            Self::File(path) => match std::fs::read_to_string(path).map(|text| first_line(&text)) {
                Ok(Some(secret)) => Ok(secret),
                Ok(None) => Err(format!(
                    "the first line of the secret file {} is empty: write the secret there",
                    path.display()
                )),
                Err(error) => Err(format!(
                    "the secret file {} cannot be read: {error}; check the path and who may read it",
                    path.display()
                )),
            },
            Self::Environment(name) => match std::env::var(name) {
                Ok(value) if !value.is_empty() => Ok(SecretString::from(value)),
                _ => {
                    Err(format!("the environment variable {name} is not set: set it, or use a file instead"))
                }
            },
        }
    }
}

fn first_line(text: &str) -> Option<SecretString> {
    text.lines().next().filter(|line| !line.is_empty()).map(SecretString::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_one_source() {
        let base = Path::new("/etc/mms");
        let of = |file: Option<&str>, env| SecretSource::of("password", file.map(Path::new), env, base);
        assert_eq!(of(None, None), Ok(None));
        assert_eq!(of(Some("p"), None), Ok(Some(SecretSource::File("/etc/mms/p".into()))));
        assert_eq!(of(None, Some("P")), Ok(Some(SecretSource::Environment("P".into()))));
        assert!(of(Some("p"), Some("P")).unwrap_err().contains("leave one out"));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let error = SecretSource::File("/nonexistent/secret".into()).read().unwrap_err();
        assert!(error.contains("/nonexistent/secret"), "{error}");
        let error = SecretSource::Environment("MMS_NO_SUCH_VARIABLE".into()).read().unwrap_err();
        assert!(error.contains("MMS_NO_SUCH_VARIABLE"), "{error}");
    }
}
