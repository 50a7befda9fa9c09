//! In whose name meetings are made: the organizer's own, or that of the delegate account.

use std::path::{Path, PathBuf};

use mms_model::{Code, PortError};

use super::credentials_file::{CredentialsFile, Person};
use super::failure::UcwaError;
use super::settings::SkypeSettings;
use crate::transport::{SecretText, read_secret_file};

/// Somebody who can sign in.
#[derive(Debug, Clone)]
pub(super) struct Account {
    /// The name to sign in with.
    pub(super) user: String,
    password: Password,
    /// Whether it makes meetings for others.
    pub(super) is_delegate: bool,
    /// Where its pool is looked for.
    pub(super) sip_domain: String,
    /// What to do where the password is refused.
    pub(super) advice: String,
}

#[derive(Debug, Clone)]
enum Password {
    Known(SecretText),
    InFile(PathBuf),
}

impl Account {
    pub(super) fn password(&self) -> Result<SecretText, UcwaError> {
        match &self.password {
            Password::Known(password) => Ok(password.clone()),
            Password::InFile(path) => read_secret_file(path)
                .map_err(|e| UcwaError::NoPassword(format!("password_file {}: {e}", path.display()))),
        }
    }
}

/// Who can sign in at all.
#[derive(Debug)]
pub(super) struct Accounts {
    /// The platform's name in the configuration.
    platform: String,
    file: Option<CredentialsFile>,
    delegate: Option<Account>,
    sip_domains: Vec<String>,
}

impl Accounts {
    pub(super) fn new(platform: &str, settings: &SkypeSettings) -> Self {
        let sip_domains: Vec<String> =
            settings.sip_domains.iter().map(|d| d.trim().trim_matches('.').to_ascii_lowercase()).collect();
        let delegate = settings.delegate.as_ref().and_then(|delegate| {
            let known = delegate.password.clone().map(Password::Known);
            Some(Account {
                user: delegate.user.trim().to_owned(),
                password: known.or_else(|| delegate.password_file.clone().map(Password::InFile))?,
                is_delegate: true,
                sip_domain: domain_of(&delegate.user, &sip_domains),
                advice: format!("correct delegate in [platform.{platform}]"),
            })
        });
        let file = settings.credentials_file.clone().map(CredentialsFile::new);
        Self { platform: platform.to_owned(), file, delegate, sip_domains }
    }

    pub(super) fn sip_domains(&self) -> &[String] {
        &self.sip_domains
    }

    /// The file with organizers' passwords.
    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_ref().map(CredentialsFile::path)
    }

    /// Who makes meetings of this organizer.
    ///
    /// # Errors
    /// `UcwaCredentialsMissing`, with the file or setting to fill.
    pub(super) fn of(&self, organizer: &str) -> Result<Account, PortError> {
        self.own(organizer)?.or_else(|| self.delegate.clone()).ok_or_else(|| self.missing(organizer))
    }

    /// Those who may have made a meeting whose link names this user, the likeliest first.
    ///
    /// # Errors
    /// As [`Accounts::of`], where there is nobody.
    pub(super) fn of_link(&self, user: &str) -> Result<Vec<Account>, PortError> {
        let mut found = Vec::new();
        for domain in &self.sip_domains {
            found.extend(self.own(&format!("{user}@{domain}"))?);
        }
        found.extend(self.delegate.clone());
        if found.is_empty() {
            let domain = self.sip_domains.first().map_or("", String::as_str);
            return Err(self.missing(&format!("{user}@{domain}")));
        }
        Ok(found)
    }

    /// Everybody who stands in the file, and the delegate; for `mms doctor`.
    pub(super) fn all(&self) -> Result<Vec<Account>, String> {
        let mut all = Vec::new();
        if let Some(file) = &self.file {
            all.extend(file.people()?.all().iter().map(|person| self.account(file, person)));
        }
        all.extend(self.delegate.clone());
        Ok(all)
    }

    fn own(&self, address: &str) -> Result<Option<Account>, PortError> {
        let Some(file) = &self.file else { return Ok(None) };
        let unusable = |problem: String| {
            let message = format!("credentials_file of [platform.{}]: {problem}", self.platform);
            PortError::permanent(Code::UcwaCredentialsMissing, message)
        };
        let people = file.people().map_err(unusable)?;
        Ok(people.find(address).map(|person| self.account(file, person)))
    }

    fn account(&self, file: &CredentialsFile, person: &Person) -> Account {
        Account {
            user: person.user.clone(),
            password: Password::Known(person.password.clone()),
            is_delegate: false,
            sip_domain: domain_of(&person.address, &self.sip_domains),
            advice: format!("correct the line of {} in {}", person.address, file.path().display()),
        }
    }

    fn missing(&self, organizer: &str) -> PortError {
        let todo = match &self.file {
            Some(file) => format!(
                "add the line {organizer},USER,PASSWORD to {} (each address must stand there once)",
                file.path().display()
            ),
            None => format!(
                "set credentials_file in [platform.{}] to a CSV file with the line {organizer},USER,PASSWORD below the header \
                 address,username,password",
                self.platform
            ),
        };
        PortError::permanent(
            Code::UcwaCredentialsMissing,
            format!(
                "Skype for Business Server makes meetings only for who signs in, and there is no password for {organizer}: {todo}, \
                 or set delegate"
            ),
        )
    }
}

/// The SIP domain of an address; the default one where it has another or none.
fn domain_of(address: &str, sip_domains: &[String]) -> String {
    let domain = address.rsplit_once('@').map(|(_, domain)| domain.to_ascii_lowercase());
    let known = domain.filter(|domain| sip_domains.contains(domain));
    known.or_else(|| sip_domains.first().cloned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use mms_model::ErrorKind;

    use super::*;

    fn accounts(more: &str) -> Accounts {
        let text = format!(
            "sip_domains = ['contoso.com', 'Fabrikam.com']\nmeet_urls = ['https://meet.contoso.com']\n{more}"
        );
        Accounts::new("SfB", &toml::from_str(&text).unwrap())
    }

    fn file() -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"address,username,password\nalice@fabrikam.com,FABRIKAM\\alice,hush\n").unwrap();
        file
    }

    const DELEGATE: &str = "delegate = { user = 'mms@contoso.com', password = 'pst' }";

    #[test]
    fn an_organizer_signs_in_himself_where_he_can() {
        let file = file();
        let accounts = accounts(&format!("credentials_file = '{}'\n{DELEGATE}", file.path().display()));
        let alice = accounts.of("Alice@Fabrikam.com").unwrap();
        assert_eq!((alice.user.as_str(), alice.is_delegate), ("FABRIKAM\\alice", false));
        assert_eq!(alice.sip_domain, "fabrikam.com");
        let bob = accounts.of("bob@contoso.com").unwrap();
        assert_eq!((bob.user.as_str(), bob.is_delegate), ("mms@contoso.com", true));
        let users: Vec<String> = accounts.of_link("alice").unwrap().into_iter().map(|a| a.user).collect();
        assert_eq!(users, ["FABRIKAM\\alice", "mms@contoso.com"]);
        let shown = format!("{accounts:?} {alice:?} {bob:?}");
        assert!(!shown.contains("hush") && !shown.contains("pst"), "{shown}");
    }

    #[test]
    fn who_cannot_sign_in_is_told_which_file_to_fill() {
        let file = file();
        let path = file.path().display().to_string();
        let error = accounts(&format!("credentials_file = '{path}'")).of("bob@contoso.com").unwrap_err();
        assert_eq!((error.kind, error.code), (ErrorKind::Permanent, Code::UcwaCredentialsMissing));
        assert!(error.message.contains(&path) && error.message.contains("bob@contoso.com"), "{error}");
        let error = accounts("").of("bob@contoso.com").unwrap_err();
        assert!(error.message.contains("credentials_file in [platform.SfB]"), "{error}");
        let error = accounts("").of_link("bob").unwrap_err();
        assert_eq!(error.code, Code::UcwaCredentialsMissing);
        let error = accounts("credentials_file = '/nowhere.csv'").of("bob@contoso.com").unwrap_err();
        assert!(
            error.code == Code::UcwaCredentialsMissing && error.message.contains("/nowhere.csv"),
            "{error}"
        );
    }
}
