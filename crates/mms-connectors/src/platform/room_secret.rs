//! The secret from which rooms get names that nobody can guess and that are the same each time.

use std::io::Write;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use uuid::Uuid;

use super::{PlatformConfigurationError, setting};

/// A secret with fewer characters can be tried out.
const MIN_SECRET_CHARS: usize = 16;

/// A secret of this installation. Whoever knows it can compute the names of all rooms.
#[derive(Debug, Clone)]
pub struct RoomSecret(SecretString);

impl RoomSecret {
    /// The secret of `platform`: what the configuration gives, or what `file` holds, or else a random one that
    /// is kept in `<state_dir>/room-secret-<platform>` (mode 0600) from its first use on.
    ///
    /// Losing the state file means that a run started again gives other names to rooms that are not
    /// written down yet; meetings that were migrated keep theirs.
    ///
    /// # Errors
    /// Too short a secret, or a file that cannot be read or made.
    pub fn open(
        platform: &str,
        configured: Option<&SecretString>,
        file: Option<&Path>,
        state_dir: &Path,
    ) -> Result<Self, PlatformConfigurationError> {
        let secret = match (configured, file) {
            (Some(_), Some(_)) => {
                return Err(setting(
                    platform,
                    "room_secret",
                    "give room_secret or room_secret_file, not both",
                ));
            }
            (Some(secret), None) => secret.clone(),
            (None, Some(file)) => read(platform, file)?,
            (None, None) => kept(platform, &state_dir.join(format!("room-secret-{platform}")))?,
        };
        if secret.expose_secret().chars().count() < MIN_SECRET_CHARS {
            return Err(setting(
                platform,
                "room_secret",
                format!("is too short; give at least {MIN_SECRET_CHARS} random characters"),
            ));
        }
        Ok(Self(secret))
    }

    /// A name of `length` characters out of `alphabet`, the same for the same `purpose` and
    /// `external_id`, and not to be told from random without the secret.
    ///
    /// Each character is drawn without bias: bytes that would favour the front of the alphabet are
    /// passed over. The bytes are HMAC-SHA-256 over purpose, external id and a block counter.
    pub fn name(&self, purpose: &str, external_id: &str, alphabet: &[char], length: usize) -> String {
        let size = alphabet.len().clamp(1, 256);
        let unbiased = 256 - 256 % size;
        let bytes = (0u32..).flat_map(|counter| self.block(purpose, external_id, counter));
        bytes
            .map(usize::from)
            .filter(|&byte| byte < unbiased)
            .filter_map(|byte| alphabet.get(byte % size))
            .take(if alphabet.is_empty() { 0 } else { length })
            .collect()
    }

    fn block(&self, purpose: &str, external_id: &str, counter: u32) -> [u8; 32] {
        // A key of any length makes an HMAC; see RFC 2104.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.expose_secret().as_bytes()) else {
            return [0; 32];
        };
        for part in [purpose, external_id] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.update(&counter.to_be_bytes());
        mac.finalize().into_bytes().into()
    }
}

/// The secret in a file, without the line end that editors leave.
pub(super) fn read(platform: &str, file: &Path) -> Result<SecretString, PlatformConfigurationError> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| unusable(platform, file, format!("cannot be read: {error}")))?;
    Ok(SecretString::from(text.trim().to_owned()))
}

/// The secret that was kept in `file`, or a new one that is kept there now.
fn kept(platform: &str, file: &Path) -> Result<SecretString, PlatformConfigurationError> {
    if file.exists() {
        return read(platform, file);
    }
    let failed = |error: std::io::Error| {
        unusable(
            platform,
            file,
            format!("cannot be made: {error}; set room_secret, or make the folder writable for MMS"),
        )
    };
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    // Named last, so that whoever finds the file finds it whole. Temporary files are made with mode 0600.
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    let secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    temporary.write_all(secret.as_bytes()).map_err(failed)?;
    temporary.as_file().sync_all().map_err(failed)?;
    match temporary.persist_noclobber(file) {
        Ok(_) => Ok(SecretString::from(secret)),
        // Another process was faster: its secret is the one.
        Err(taken) if taken.error.kind() == std::io::ErrorKind::AlreadyExists => read(platform, file),
        Err(other) => Err(failed(other.error)),
    }
}

fn unusable(platform: &str, path: &Path, problem: String) -> PlatformConfigurationError {
    PlatformConfigurationError::File { platform: platform.to_owned(), path: PathBuf::from(path), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn secret() -> RoomSecret {
        RoomSecret::open("p", Some(&SecretString::from(SECRET)), None, Path::new("/nowhere")).unwrap()
    }

    #[test]
    fn names_are_the_same_each_time_and_differ_by_purpose_id_and_secret() {
        let alphabet: Vec<char> = "abcdefghij".chars().collect();
        let name = secret().name("room", "id", &alphabet, 40);
        assert_eq!(name, secret().name("room", "id", &alphabet, 40));
        assert_eq!(name.len(), 40);
        assert_ne!(name, secret().name("room", "id2", &alphabet, 40));
        assert_ne!(name, secret().name("roomi", "d", &alphabet, 40));
        let other = RoomSecret(SecretString::from(format!("{SECRET}!")));
        assert_ne!(name, other.name("room", "id", &alphabet, 40));
        assert_eq!(secret().name("room", "id", &[], 5), "");
    }

    #[test]
    fn a_state_file_is_made_once_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let first = RoomSecret::open("jitsi", None, None, &state).unwrap();
        let second = RoomSecret::open("jitsi", None, None, &state).unwrap();
        assert_eq!(first.0.expose_secret(), second.0.expose_secret());
        assert_eq!(std::fs::read_dir(&state).unwrap().count(), 1);
        let other = RoomSecret::open("other", None, None, &state).unwrap();
        assert_ne!(first.0.expose_secret(), other.0.expose_secret());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(state.join("room-secret-jitsi")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn short_doubled_and_missing_secrets_are_refused_without_showing_them() {
        let open = |secret: Option<&str>, file: Option<&str>| {
            let secret = secret.map(SecretString::from);
            RoomSecret::open("p", secret.as_ref(), file.map(Path::new), Path::new("/nowhere"))
                .map(|_| ())
                .unwrap_err()
                .to_string()
        };
        let message = open(Some("hunter2"), None);
        assert!(message.contains("too short") && !message.contains("hunter2"));
        assert!(open(Some(SECRET), Some("file")).contains("not both"));
        assert!(open(None, Some("/no/such/file")).contains("/no/such/file"));
        assert!(!format!("{:?}", secret()).contains(SECRET));
    }
}
