//! Any service whose join links an administrator can describe: a link with `{id}` in it, and how
//! such ids are made. Nothing is called; the service must take whatever id a link carries.

mod link;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use mms_invite::recognise::CustomPlatform;
use mms_model::port::{MeetingPlatform, ProvisionRequest};
use mms_model::{DialIn, JoinInformation, OnlineMeeting, Platform, PortError};
use regex::Regex;
use secrecy::SecretString;
use serde::Deserialize;

use super::{PlatformConfigurationError, RoomSecret, not_held_here, setting};
use link::LinkTemplate;

/// Id and passcode together must be this hard to guess, in bits.
const MIN_BITS: f64 = 48.0;
/// The longest id or passcode.
const MAX_CHARS: usize = 64;

/// Settings of a template platform.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateSettings {
    /// Its name in `TargetMeetingType`: a known platform's (`BigBlueButton`) or an own one.
    pub platform: Platform,
    /// The name people know the service by.
    pub display_name: String,
    /// The join link with `{id}` (or `{room}`, which is the same) in its path, query or fragment, and
    /// `{passcode}` where the service takes it from the link: `https://meet.example.org/{room}`.
    pub join_url: String,
    /// How ids are made: by default 20 characters of lower-case base 32.
    #[serde(default)]
    pub id: CodeRule,
    /// How passcodes are made; none by default.
    #[serde(default)]
    pub passcode: Option<CodeRule>,
    /// Whether the id is printed as meeting ID beside the link.
    #[serde(default)]
    pub print_id: bool,
    /// A regular expression that join links of this service match as a whole; by default it follows
    /// from `join_url` with anything that is no separator for an id. Groups named `id` and
    /// `passcode` tell the meeting's.
    #[serde(default)]
    pub pattern: Option<String>,
    /// Dial-in numbers to print.
    #[serde(default)]
    pub dial_in: Vec<DialIn>,
    /// A page with help.
    #[serde(default)]
    pub help_url: Option<String>,
    /// The secret that ids are made from. Without one, MMS makes and keeps its own.
    #[serde(default)]
    pub room_secret: Option<SecretString>,
    /// A file that holds that secret.
    #[serde(default)]
    pub room_secret_file: Option<PathBuf>,
}

/// How an id or passcode is made.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeRule {
    /// The characters that it is made of, each once: letters, digits, `-`, `_`.
    #[serde(default = "default_alphabet")]
    pub alphabet: String,
    /// How many of them.
    #[serde(default = "default_length")]
    pub length: usize,
    /// Puts a hyphen after every so many characters; 0 for none.
    #[serde(default)]
    pub group: usize,
}

impl Default for CodeRule {
    fn default() -> Self {
        Self { alphabet: default_alphabet(), length: default_length(), group: 0 }
    }
}

fn default_alphabet() -> String {
    "0123456789abcdefghjkmnpqrstvwxyz".to_owned()
}

fn default_length() -> usize {
    20
}

impl CodeRule {
    fn check(&self, platform: &str, name: &'static str) -> Result<(), PlatformConfigurationError> {
        let refuse = |problem: String| Err(setting(platform, name, problem));
        let mut seen = std::collections::HashSet::new();
        if let Some(twice) = self.alphabet.chars().find(|&c| !seen.insert(c)) {
            return refuse(format!("alphabet holds \"{}\" twice", twice.escape_debug()));
        }
        let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if let Some(other) = self.alphabet.chars().find(|&c| !valid(c)) {
            return refuse(format!(
                "alphabet holds \"{}\"; use letters, digits, - and _",
                other.escape_debug()
            ));
        }
        if seen.len() < 2 {
            return refuse("alphabet needs at least two characters".to_owned());
        }
        if !(1..=MAX_CHARS).contains(&self.length) {
            return refuse(format!("length is {}; use 1 to {MAX_CHARS}", self.length));
        }
        Ok(())
    }

    /// How hard it is to guess.
    fn bits(&self) -> f64 {
        let length = u32::try_from(self.length).unwrap_or(u32::MAX);
        let size = u32::try_from(self.alphabet.len()).unwrap_or(u32::MAX);
        f64::from(length) * f64::from(size).log2()
    }

    fn make(&self, secret: &RoomSecret, purpose: &str, external_id: &str) -> String {
        let alphabet: Vec<char> = self.alphabet.chars().collect();
        let code = secret.name(purpose, external_id, &alphabet, self.length);
        let mut grouped = String::with_capacity(code.len() * 2);
        for (position, c) in code.chars().enumerate() {
            if self.group > 0 && position > 0 && position % self.group == 0 {
                grouped.push('-');
            }
            grouped.push(c);
        }
        grouped
    }
}

/// A service described by its join links.
#[derive(Debug)]
pub struct Template {
    link: LinkTemplate,
    pattern: Regex,
    secret: RoomSecret,
    settings: TemplateSettings,
}

impl Template {
    /// The service that `settings` describe; `name` is the platform's name in the configuration,
    /// `state_dir` where MMS keeps what it makes for itself.
    ///
    /// # Errors
    /// Which setting cannot work and why.
    pub fn new(
        name: &str,
        settings: TemplateSettings,
        state_dir: &Path,
    ) -> Result<Self, PlatformConfigurationError> {
        let link =
            LinkTemplate::parse(&settings.join_url).map_err(|problem| setting(name, "join_url", problem))?;
        if settings.display_name.trim().is_empty() || settings.display_name.contains(char::is_control) {
            return Err(setting(
                name,
                "display_name",
                "give the name people know the service by, on one line",
            ));
        }
        settings.id.check(name, "id")?;
        let passcode_bits = match &settings.passcode {
            Some(rule) => {
                rule.check(name, "passcode")?;
                rule.bits()
            }
            None if link.has_passcode() => {
                return Err(setting(name, "join_url", "holds {passcode}, but there is no [passcode] rule"));
            }
            None => 0.0,
        };
        if settings.id.bits() + passcode_bits < MIN_BITS {
            return Err(setting(
                name,
                "id",
                format!(
                    "ids of {} out of {} characters can be guessed and would collide; make them longer or add a passcode",
                    settings.id.length,
                    settings.id.alphabet.len()
                ),
            ));
        }
        let pattern = pattern(name, &settings, &link)?;
        let secret = RoomSecret::open(
            name,
            settings.room_secret.as_ref(),
            settings.room_secret_file.as_deref(),
            state_dir,
        )?;
        Ok(Self { link, pattern, secret, settings })
    }

    /// What a join link of this service matches from its beginning to its end.
    pub fn pattern(&self) -> &Regex {
        &self.pattern
    }

    /// What the recogniser of invites needs to know meetings of this service.
    pub fn recognition(&self) -> CustomPlatform {
        CustomPlatform {
            platform: self.settings.platform.clone(),
            join_url: self.pattern.as_str().to_owned(),
        }
    }

    /// The name people know the service by.
    pub fn display_name(&self) -> &str {
        &self.settings.display_name
    }

    fn made(&self, id: String, passcode: Option<String>, join_url: String) -> JoinInformation {
        JoinInformation {
            meeting_id: self.settings.print_id.then_some(id).filter(|id| !id.is_empty()),
            passcode,
            dial_in: self.settings.dial_in.clone(),
            help_url: self.settings.help_url.clone(),
            ..JoinInformation::new(self.settings.platform.clone(), &*self.settings.display_name, join_url)
        }
    }
}

/// The pattern of the settings, or the one that follows from the link; it must match what the
/// platform makes, or a second run would move every meeting again.
fn pattern(
    name: &str,
    settings: &TemplateSettings,
    link: &LinkTemplate,
) -> Result<Regex, PlatformConfigurationError> {
    const MAX_COMPILED_BYTES: usize = 1 << 20;
    let source = settings.pattern.clone().unwrap_or_else(|| link.pattern());
    let pattern = regex::RegexBuilder::new(&format!("^(?:{source})$"))
        .size_limit(MAX_COMPILED_BYTES)
        .build()
        .map_err(|error| setting(name, "pattern", format!("is no regular expression: {error}")))?;
    let some_code = |rule: &CodeRule| rule.alphabet.chars().cycle().take(rule.length).collect::<String>();
    let example =
        link.fill(&some_code(&settings.id), &settings.passcode.as_ref().map(some_code).unwrap_or_default());
    if !pattern.is_match(&example) {
        return Err(setting(
            name,
            "pattern",
            format!("does not match the links that are made, such as {example}"),
        ));
    }
    Ok(pattern)
}

#[async_trait]
impl MeetingPlatform for Template {
    fn platform(&self) -> Platform {
        self.settings.platform.clone()
    }

    fn holds(&self, meeting: &OnlineMeeting) -> bool {
        meeting.join_url.as_deref().is_some_and(|url| self.pattern.is_match(url))
    }

    async fn provision(&self, request: &ProvisionRequest) -> Result<JoinInformation, PortError> {
        let purpose = |code: &str| format!("{} {code}", self.settings.platform);
        let id = self.settings.id.make(&self.secret, &purpose("id"), &request.external_id);
        let passcode = self
            .settings
            .passcode
            .as_ref()
            .map(|rule| rule.make(&self.secret, &purpose("passcode"), &request.external_id));
        let join_url = self.link.fill(&id, passcode.as_deref().unwrap_or_default());
        Ok(self.made(id, passcode, join_url))
    }

    /// Link, id and passcode as the invite has them: nobody else knows them.
    async fn refresh(&self, meeting: &OnlineMeeting) -> Result<JoinInformation, PortError> {
        let url = meeting.join_url.as_deref().unwrap_or_default();
        let Some(found) = self.pattern.captures(url) else {
            return Err(not_held_here(&self.settings.display_name));
        };
        let id = meeting.meeting_id.clone().or_else(|| found.name("id").map(|id| id.as_str().to_owned()));
        Ok(self.made(id.unwrap_or_default(), meeting.passcode.clone(), url.to_owned()))
    }

    async fn release(&self, _external_id: &str) -> Result<(), PortError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
