//! Which URL a user's calendars are looked for at, and with which credentials.

use std::path::Path;

use mms_model::{Code, PortError, User};
use url::Url;

use super::credentials_file::CredentialsFile;
use super::settings::{Auth, CalDavSettings};
use crate::transport::{Credentials, SecretText, read_secret_file};

/// Where a user's calendars are looked for.
#[derive(Debug)]
pub(super) struct Location {
    /// The URL.
    pub url: Url,
    /// Whether the URL is the user's own (by a placeholder or the directory), so that what the server
    /// says of who signed in does not matter.
    pub own: bool,
    /// How to sign in.
    pub credentials: Credentials,
    /// Whether the account that signs in is another's than the user's.
    pub by_admin: bool,
}

/// Finds a user's URL and credentials; `file` keeps the entries of a `credentials_file`.
///
/// # Errors
/// `CalendarNotFound` for a URL that is none, `CalendarAccessDenied` where credentials are missing or
/// unreadable; each names the setting.
pub(super) fn locate(
    settings: &CalDavSettings,
    file: &CredentialsFile,
    user: &User,
) -> Result<Location, PortError> {
    let place = user.calendar.as_ref().map_or("", |location| location.place.trim());
    let is_reference = place.contains("://") || place.starts_with('/');
    let login = if place.is_empty() || is_reference { local_part(&user.upn) } else { place };

    // As a path segment it would climb out of the path, escaped or not.
    if [login, local_part(&user.upn)].iter().any(|name| matches!(*name, "" | "." | "..")) {
        return Err(PortError::permanent(
            Code::CalendarNotFound,
            format!("{} has no login name that a CalDAV URL could hold: set the user's place", user.upn),
        ));
    }
    let own_url = settings.url.contains('{');
    let template = expand(&settings.url, user, login, percent_encoded);
    let base = Url::parse(&template).map_err(|e| {
        PortError::permanent(
            Code::CalendarNotFound,
            format!("url = \"{}\" of the CalDAV connector is not a URL: {e}", settings.url),
        )
    })?;
    let url = if is_reference {
        base.join(place).map_err(|e| {
            PortError::permanent(
                Code::CalendarNotFound,
                format!("the place \"{place}\" of {} is not a URL: {e}", user.upn),
            )
        })?
    } else {
        base.clone()
    };
    // The password is for the configured server; a directory entry must not send it elsewhere.
    if is_reference
        && (url.host() != base.host() || url.port_or_known_default() != base.port_or_known_default())
    {
        return Err(PortError::permanent(
            Code::CalendarNotFound,
            format!(
                "the place of {} is on {}, but the CalDAV connector is for {}: configure a connector for that server",
                user.upn,
                url.host_str().unwrap_or_default(),
                base.host_str().unwrap_or_default()
            ),
        ));
    }
    let own = own_url || is_reference;
    let (credentials, by_admin) = credentials(settings, file, user, login)?;
    if by_admin && !own {
        return Err(PortError::permanent(
            Code::CalendarNotFound,
            format!(
                "auth type admin-proxy needs a placeholder such as {{user}} in url, or a URL as the place of {}: \
                 otherwise the administrator's own calendars would be taken for theirs",
                user.upn
            ),
        ));
    }
    Ok(Location { url, own, credentials, by_admin })
}

fn local_part(upn: &str) -> &str {
    upn.split_once('@').map_or(upn, |(local, _)| local)
}

fn expand(template: &str, user: &User, login: &str, spell: fn(&str) -> String) -> String {
    let domain = user.upn.split_once('@').map_or("", |(_, domain)| domain);
    template
        .replace("{user}", &spell(login))
        .replace("{upn}", &spell(&user.upn))
        .replace("{local}", &spell(local_part(&user.upn)))
        .replace("{domain}", &spell(domain))
}

/// Encodes a name as one path segment.
fn percent_encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' | b'+' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn credentials(
    settings: &CalDavSettings,
    file: &CredentialsFile,
    user: &User,
    login: &str,
) -> Result<(Credentials, bool), PortError> {
    let basic = |name: &str, password: &Option<SecretText>, file: &Option<std::path::PathBuf>| {
        Ok(Credentials::Basic {
            user: expand(name, user, login, str::to_owned),
            password: secret(password.as_ref(), file.as_deref(), "password")?,
        })
    };
    match &settings.auth {
        Auth::None => Ok((Credentials::Anonymous, false)),
        Auth::Basic { user, password, password_file } => Ok((basic(user, password, password_file)?, false)),
        Auth::AdminProxy { user, password, password_file } => {
            Ok((basic(user, password, password_file)?, true))
        }
        Auth::Bearer { token, token_file } => {
            Ok((Credentials::Bearer(secret(token.as_ref(), token_file.as_deref(), "token")?), false))
        }
        Auth::PerUser { credentials_file } => Ok((file.find(credentials_file, user, login)?, false)),
    }
}

fn secret(value: Option<&SecretText>, file: Option<&Path>, what: &str) -> Result<SecretText, PortError> {
    match (value, file) {
        (Some(value), None) => Ok(value.clone()),
        (None, Some(file)) => read_secret_file(file).map_err(|e| {
            PortError::permanent(
                Code::CalendarAccessDenied,
                format!("{what}_file {} cannot be read: {e}", file.display()),
            )
        }),
        _ => Err(PortError::permanent(
            Code::CalendarAccessDenied,
            format!("the CalDAV connector's auth needs exactly one of {what} and {what}_file"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use mms_model::{Address, CalendarLocation};

    use super::*;

    fn locate(settings: &CalDavSettings, user: &User) -> Result<Location, PortError> {
        super::locate(settings, &CredentialsFile::default(), user)
    }

    fn user(place: &str) -> User {
        User {
            skype: None,
            id: uuid::Uuid::nil(),
            upn: "alice.b@example.test".into(),
            sip: None,
            logon: None,
            display_name: None,
            distinguished_name: None,
            addresses: vec![Address::new("alice@example.test")],
            calendar: Some(CalendarLocation { connector: "dav".into(), place: place.into() }),
        }
    }

    fn settings(url: &str, auth: &str) -> CalDavSettings {
        toml::from_str(&format!("url = '{url}'\nauth = {auth}")).unwrap()
    }

    const BASIC: &str = "{ type = 'basic', user = 'svc', password = 'pw' }";
    const ADMIN: &str = "{ type = 'admin-proxy', user = 'cyrus', password = 'pw' }";

    #[test]
    fn placeholders_are_filled_and_encoded() {
        let url = |template: &str, place: &str| {
            locate(&settings(template, ADMIN), &user(place)).map(|l| l.url.to_string())
        };
        assert_eq!(url("https://d/dav/{user}/", "").unwrap(), "https://d/dav/alice.b/");
        assert_eq!(url("https://d/dav/{user}/", "al ice/../x").unwrap(), "https://d/dav/al%20ice%2F..%2Fx/");
        assert!(url("https://d/dav/{user}/x", "..").is_err(), "no way up");
        assert_eq!(url("https://d/{domain}/{local}/", "").unwrap(), "https://d/example.test/alice.b/");
        assert_eq!(url("https://d/{upn}/", "").unwrap(), "https://d/alice.b@example.test/");
    }

    #[test]
    fn a_place_may_be_a_path_but_not_another_server() {
        let at = |place: &str| locate(&settings("https://d/", BASIC), &user(place));
        let location = at("/home/alice/").unwrap();
        assert_eq!((location.url.as_str(), location.own), ("https://d/home/alice/", true));
        assert!(!at("alice").unwrap().own);
        let error = at("https://evil.example/home/").unwrap_err();
        assert_eq!(error.code, Code::CalendarNotFound);
        assert!(error.message.contains("evil.example"), "{error}");
    }

    #[test]
    fn an_administrator_needs_a_url_that_names_the_user() {
        let error = locate(&settings("https://d/", ADMIN), &user("alice")).unwrap_err();
        assert!(error.message.contains("{user}"), "{error}");
    }

    #[test]
    fn each_user_has_their_own_credentials() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "[\"alice.b@example.test\"]\npassword = \"one\"\n[bob]\ntoken = \"two\"").unwrap();
        let auth = format!("{{ type = 'per-user', credentials_file = '{}' }}", file.path().display());
        let located = locate(&settings("https://d/", &auth), &user("")).unwrap();
        assert_eq!(located.credentials.who(), "alice.b");
        let located = locate(&settings("https://d/", &auth), &User { upn: "bob@x".into(), ..user("bob") });
        assert!(matches!(located.unwrap().credentials, Credentials::Bearer(_)));
    }

    #[test]
    fn a_password_comes_from_one_place() {
        let neither = settings("https://d/", "{ type = 'basic', user = 'svc' }");
        assert!(locate(&neither, &user("")).unwrap_err().message.contains("password_file"));
    }
}
