//! Jitsi Meet on an own server. There is nothing to call: a room exists when somebody enters it, so
//! the join URL is the meeting, and its name must be one that nobody can guess.

mod token;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use mms_model::port::{MeetingPlatform, ProvisionRequest};
use mms_model::{Clock, DialIn, JoinInformation, OnlineMeeting, Platform, PortError};
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::{PlatformConfigurationError, RoomSecret, not_held_here, setting};
pub use token::JitsiTokenSettings;
use token::TokenSigner;

/// The base 32 alphabet of Crockford in lower case: no `i`, `l`, `o`, `u` to misread over the
/// telephone. Jitsi Meet folds room names to lower case.
const ROOM_ALPHABET: &str = "0123456789abcdefghjkmnpqrstvwxyz";
/// Four groups of five characters: 100 bits.
const ROOM_GROUPS: usize = 4;
const ROOM_GROUP_CHARS: usize = 5;

/// First path segments on a Jitsi Meet server that are no rooms.
const NO_ROOMS: &[&str] = &[
    "static",
    "libs",
    "css",
    "images",
    "fonts",
    "lang",
    "sounds",
    "http-bind",
    "xmpp-websocket",
    "colibri-ws",
];

/// Settings of a Jitsi Meet server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JitsiSettings {
    /// Where the server is: `https://meet.example.org`, with a path where rooms lie below one.
    pub url: String,
    /// What room names begin with: letters, digits and hyphens.
    #[serde(default)]
    pub room_prefix: String,
    /// The secret that room names are made from. Without one, MMS makes and keeps its own.
    #[serde(default)]
    pub room_secret: Option<SecretString>,
    /// A file that holds that secret.
    #[serde(default)]
    pub room_secret_file: Option<PathBuf>,
    /// The name people know the service by.
    #[serde(default = "default_display_name")]
    pub display_name: String,
    /// Dial-in numbers to print. A PIN is not printed: Jitsi's conference mapper gives it out when
    /// the room is entered.
    #[serde(default)]
    pub dial_in: Vec<DialIn>,
    /// A page with help.
    #[serde(default)]
    pub help_url: Option<String>,
    /// Puts a guest token into join links, for servers that let nobody in without one. Off by
    /// default: an invite is passed on, and with it the token, so that it keeps nobody out whom the
    /// unguessable name would let in; and it makes links that end on a day.
    #[serde(default)]
    pub jwt: Option<JitsiTokenSettings>,
}

fn default_display_name() -> String {
    "Jitsi Meet".to_owned()
}

/// A Jitsi Meet server.
pub struct Jitsi {
    base: Url,
    secret: RoomSecret,
    tokens: Option<TokenSigner>,
    settings: JitsiSettings,
}

impl std::fmt::Debug for Jitsi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jitsi").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Jitsi {
    /// The server that `settings` describe; `name` is the platform's name in the configuration,
    /// `state_dir` where MMS keeps what it makes for itself.
    ///
    /// # Errors
    /// Which setting cannot work and why.
    pub fn new(
        name: &str,
        settings: JitsiSettings,
        state_dir: &Path,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, PlatformConfigurationError> {
        let base = base_url(name, &settings.url)?;
        let valid = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if settings.room_prefix.len() > 40 || !settings.room_prefix.chars().all(valid) {
            return Err(setting(name, "room_prefix", "use up to 40 letters, digits and hyphens"));
        }
        let secret = RoomSecret::open(
            name,
            settings.room_secret.as_ref(),
            settings.room_secret_file.as_deref(),
            state_dir,
        )?;
        let tokens =
            settings.jwt.as_ref().map(|jwt| TokenSigner::new(name, jwt, &base, clock)).transpose()?;
        Ok(Self { base, secret, tokens, settings })
    }

    /// The server's host name, for recognising links to it.
    pub fn host(&self) -> &str {
        self.base.host_str().unwrap_or_default()
    }

    fn room(&self, external_id: &str) -> String {
        let alphabet: Vec<char> = ROOM_ALPHABET.chars().collect();
        let name = self.secret.name("jitsi room", external_id, &alphabet, ROOM_GROUPS * ROOM_GROUP_CHARS);
        let groups: Vec<&str> = (0..ROOM_GROUPS)
            .filter_map(|g| name.get(g * ROOM_GROUP_CHARS..(g + 1) * ROOM_GROUP_CHARS))
            .collect();
        format!("{}{}", self.settings.room_prefix.to_ascii_lowercase(), groups.join("-"))
    }

    /// The room that `url` names on this server.
    fn room_of(&self, url: &str) -> Option<String> {
        let url = Url::parse(url).ok()?;
        let same_server = matches!(url.scheme(), "https" | "http")
            && url.host() == self.base.host()
            && url.port_or_known_default() == self.base.port_or_known_default();
        let room = url.path().strip_prefix(self.base.path())?.trim_end_matches('/');
        let sound = !room.is_empty()
            && !room.contains('/')
            && room.len() <= 400
            && !NO_ROOMS.contains(&room.to_ascii_lowercase().as_str())
            && !room.contains('.');
        (same_server && sound).then(|| room.to_owned())
    }

    fn join_information(&self, join_url: String) -> JoinInformation {
        JoinInformation {
            dial_in: self.settings.dial_in.clone(),
            help_url: self.settings.help_url.clone(),
            ..JoinInformation::new(Platform::JITSI, &*self.settings.display_name, join_url)
        }
    }
}

/// The server's URL with a path that ends in `/`.
fn base_url(platform: &str, text: &str) -> Result<Url, PlatformConfigurationError> {
    let wrong = |problem: &str| setting(platform, "url", format!("\"{text}\" {problem}"));
    let mut url =
        Url::parse(text).map_err(|e| wrong(&format!("is no URL ({e}); write https://meet.example.org")))?;
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
        return Err(wrong("must begin with https://"));
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err(wrong("must be the server alone, without sign-in, \"?\" or \"#\""));
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[async_trait]
impl MeetingPlatform for Jitsi {
    fn platform(&self) -> Platform {
        Platform::JITSI
    }

    /// Any room on this server, whoever made its name: it works as it is.
    fn holds(&self, meeting: &OnlineMeeting) -> bool {
        meeting.join_url.as_deref().is_some_and(|url| self.room_of(url).is_some())
    }

    async fn provision(&self, request: &ProvisionRequest) -> Result<JoinInformation, PortError> {
        let room = self.room(&request.external_id);
        let mut join_url = format!("{}{room}", self.base);
        if let Some(tokens) = &self.tokens {
            join_url.push_str("?jwt=");
            join_url.push_str(&tokens.guest_token(&room, request.last_end)?);
        }
        Ok(self.join_information(join_url))
    }

    /// The link stays as it is, token included: a new token would change the link of every meeting
    /// at each run.
    async fn refresh(&self, meeting: &OnlineMeeting) -> Result<JoinInformation, PortError> {
        match meeting.join_url.as_deref().filter(|url| self.room_of(url).is_some()) {
            Some(url) => Ok(self.join_information(url.to_owned())),
            None => Err(not_held_here(&self.settings.display_name)),
        }
    }

    async fn release(&self, _external_id: &str) -> Result<(), PortError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
