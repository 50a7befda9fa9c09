//! The file with each user's own name and password, parsed once for each state of it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

use mms_model::{Code, PortError, User};
use serde::Deserialize;

use crate::parsed_file::ParsedFile;
use crate::transport::{Credentials, SecretText};

/// Keeps what the file said, until the file is another.
#[derive(Debug, Default)]
pub(super) struct CredentialsFile(ParsedFile<Entries>);

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserCredentials {
    user: Option<String>,
    password: Option<SecretText>,
    token: Option<SecretText>,
}

/// The entries by the user's name. Login names may differ in case alone, addresses may not.
#[derive(Debug)]
struct Entries {
    by_name: HashMap<String, UserCredentials>,
    /// The name of the entry by that name in lower case; `None` where several entries have it.
    by_lower_case: HashMap<String, Option<String>>,
}

impl CredentialsFile {
    /// A user's credentials: those under the UPN, else under the login name, else under one of their addresses.
    ///
    /// # Errors
    /// `CalendarAccessDenied` where the file cannot be read or has none for the user; it quotes no secret.
    pub(super) fn find(&self, path: &Path, user: &User, login: &str) -> Result<Credentials, PortError> {
        let denied = |what: String| {
            PortError::permanent(
                Code::CalendarAccessDenied,
                format!("credentials_file {}: {what}", path.display()),
            )
        };
        let entries = self.0.read(path, Entries::parse).map_err(denied)?;
        let entry = entries
            .of(user, login)
            .ok_or_else(|| denied(format!("there is no entry for {}, or more than one", user.upn)))?;
        match (&entry.password, &entry.token) {
            (Some(password), None) => Ok(Credentials::Basic {
                user: entry.user.clone().unwrap_or_else(|| login.to_owned()),
                password: password.clone(),
            }),
            (None, Some(token)) => Ok(Credentials::Bearer(token.clone())),
            _ => Err(denied(format!("the entry for {} needs either a password or a token", user.upn))),
        }
    }
}

impl Entries {
    fn parse(text: &str) -> Result<Self, String> {
        // toml's own message quotes the line, which may hold a password.
        let by_name: HashMap<String, UserCredentials> = toml::from_str(text).map_err(|e| {
            let line =
                e.span().map_or(0, |span| 1 + text.bytes().take(span.start).filter(|b| *b == b'\n').count());
            format!(
                "line {line} is not of the form [\"UPN\"] user = \"…\", password = \"…\" or token = \"…\""
            )
        })?;
        let mut by_lower_case = HashMap::with_capacity(by_name.len());
        for name in by_name.keys() {
            match by_lower_case.entry(lower_case(name)) {
                Entry::Vacant(free) => drop(free.insert(Some(name.clone()))),
                Entry::Occupied(mut taken) => *taken.get_mut() = None,
            }
        }
        Ok(Self { by_name, by_lower_case })
    }

    fn of(&self, user: &User, login: &str) -> Option<&UserCredentials> {
        let in_any_case = |name: &str| {
            self.by_lower_case.get(&lower_case(name))?.as_ref().and_then(|n| self.by_name.get(n))
        };
        self.by_name
            .get(&user.upn)
            .or_else(|| in_any_case(&user.upn))
            .or_else(|| self.by_name.get(login))
            .or_else(|| user.addresses.iter().find_map(|address| in_any_case(address.as_str())))
            .or_else(|| user.sip.as_deref().and_then(in_any_case))
    }
}

fn lower_case(name: &str) -> String {
    mms_model::Address::new(name).as_str().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;

    use mms_model::Address;
    use tempfile::NamedTempFile;

    use std::time::{Duration, SystemTime};

    use super::*;

    fn user(upn: &str) -> User {
        User {
            skype: None,
            id: uuid::Uuid::nil(),
            upn: upn.into(),
            sip: None,
            logon: None,
            display_name: None,
            distinguished_name: None,
            addresses: vec![Address::new("alias@example.test")],
            calendar: None,
        }
    }

    fn file(text: &str) -> NamedTempFile {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    /// The login name found in `text`.
    fn found(text: &str, upn: &str, login: &str) -> Result<String, String> {
        let found = CredentialsFile::default().find(file(text).path(), &user(upn), login);
        found.map(|credentials| credentials.who().to_owned()).map_err(|e| e.message)
    }

    #[test]
    fn a_user_is_found_by_upn_login_name_and_address() {
        let text = "[\"Alice@Example.test\"]\nuser = \"by upn\"\npassword = \"1\"\n\
            [bob]\nuser = \"by login\"\npassword = \"2\"\n\
            [\"mailto:Alias@example.test\"]\nuser = \"by address\"\npassword = \"3\"\n";
        assert_eq!(found(text, "alice@example.test", "bob").unwrap(), "by upn");
        assert_eq!(found(text, "robert@example.test", "bob").unwrap(), "by login");
        assert_eq!(found(text, "eve@example.test", "Bob").unwrap(), "by address", "login names have a case");
        assert!(found("[a]\npassword = \"1\"", "eve@x", "eve").unwrap_err().contains("no entry for eve@x"));
    }

    #[test]
    fn of_two_entries_for_one_user_none_is_guessed() {
        let text = "[\"A@x\"]\npassword = \"1\"\n[\"a@X\"]\npassword = \"2\"\n";
        assert!(found(text, "a@x", "a").unwrap_err().contains("more than one"));
        assert!(found(text, "A@x", "a").is_ok(), "but the one that is spelt so");
    }

    #[test]
    fn a_broken_file_does_not_show_its_secrets() {
        let error = found("[a]\npassword = \"hush\" oops", "a", "a").unwrap_err();
        assert!(error.contains("line 2") && !error.contains("hush"), "{error}");
    }

    #[test]
    fn the_file_is_read_again_only_when_it_changed() {
        let file = file("[a]\ntoken = \"1\"\n");
        let long_ago = SystemTime::now() - Duration::from_secs(3600);
        let write = |text: &str, modified: SystemTime| {
            std::fs::write(file.path(), text).unwrap();
            File::options().write(true).open(file.path()).unwrap().set_modified(modified).unwrap();
        };
        let cached = CredentialsFile::default();
        let token = || match cached.find(file.path(), &user("a"), "a") {
            Ok(Credentials::Bearer(token)) => token.expose().to_owned(),
            other => panic!("{other:?}"),
        };
        write("[a]\ntoken = \"1\"\n", long_ago);
        assert_eq!(token(), "1");
        write("[a]\ntoken = \"2\"\n", long_ago);
        assert_eq!(token(), "1", "what looks the same is not read");
        write("[a]\ntoken = \"3\"\n", long_ago + Duration::from_secs(1));
        assert_eq!(token(), "3");
        let just_now = SystemTime::now() + Duration::from_secs(60);
        write("[a]\ntoken = \"4\"\n", just_now);
        assert_eq!(token(), "4");
        write("[a]\ntoken = \"5\"\n", just_now);
        assert_eq!(token(), "5", "a second change within the step of the clock is seen");
    }
}
