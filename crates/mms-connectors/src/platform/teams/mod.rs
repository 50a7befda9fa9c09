//! Microsoft Teams, by Graph's `onlineMeetings`.
//!
//! A meeting is made in its organizer's name with `createOrGet`, whose external id makes it the same however often it is
//! asked for; it stands on no calendar. An application may do so only for users to whom an application access policy
//! was granted. Meetings that are asked for at the same time go in one batch.

mod join;
mod provision;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use mms_invite::item::meeting_options_url;
use mms_model::port::{MeetingPlatform, ProvisionRequest};
use mms_model::{Code, JoinInformation, OnlineMeeting, Platform, PortError, VideoDevice};
use serde_json::Value;

use self::join::{JoinContext, Made};
use self::provision::Provisioner;
use super::{PlatformConfigurationError, not_held_here, setting};
use crate::diagnosis::DiagnosticStep;
use crate::graph::{GraphClient, GraphClients, GraphError, Side, access_settings, path, query, sign_in};

access_settings! {
    /// `[platform.Teams]` with `kind = "teams"`: the Teams of a tenant.
    TeamsSettings {
        /// The name people know the service by.
        #[serde(default = "default_display_name")]
        display_name: String,
        /// A page with help; Microsoft's own where it is absent.
        #[serde(default)]
        help_url: Option<String>,
        /// What video devices of others dial (the tenant key of cloud video interop, `contoso@video.example`), where the
        /// organization has it.
        #[serde(default)]
        video_address: Option<String>,
    }
}

fn default_display_name() -> String {
    "Microsoft Teams Meeting".to_owned()
}

/// Meetings whose links do not name their tenant but were made here; more are not remembered.
const REMEMBERED: usize = 100_000;

/// The Teams of a tenant.
pub struct Teams {
    client: Arc<GraphClient>,
    provisioner: Provisioner,
    settings: TeamsSettings,
    made: Mutex<HashSet<String>>,
}

impl std::fmt::Debug for Teams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Teams").field("tenant", &self.settings.tenant).finish_non_exhaustive()
    }
}

impl Teams {
    /// The Teams that `settings` describe, reached by one of `clients`; nothing is sent yet.
    ///
    /// # Errors
    /// Which setting cannot work and why.
    pub fn new(
        name: &str,
        settings: TeamsSettings,
        clients: &GraphClients,
    ) -> Result<Self, PlatformConfigurationError> {
        if uuid::Uuid::try_parse(&settings.tenant).is_err() {
            let problem = "give the tenant's id, a GUID (Entra admin center, Overview): join links name it";
            return Err(setting(name, "tenant", problem));
        }
        let access = settings.access().map_err(|(key, problem)| setting(name, key, problem))?;
        let client = clients.of(&access).map_err(|e| setting(name, "ca_file", e.to_string()))?;
        let provisioner = Provisioner::new(Arc::clone(&client), settings.client_id.clone());
        Ok(Self { client, provisioner, settings, made: Mutex::new(HashSet::new()) })
    }

    /// Tries the sign-in, for `mms doctor`.
    pub async fn diagnose(&self) -> Vec<DiagnosticStep> {
        sign_in(&self.client, Side::Platform, &["OnlineMeetings.ReadWrite.All", "User.Read.All"]).await
    }

    fn join_information(&self, made: Made, language: &str) -> JoinInformation {
        let mut remembered = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() < REMEMBERED {
            remembered.insert(made.join_url.clone());
        }
        let address = self.settings.video_address.as_ref();
        JoinInformation {
            meeting_id: made.meeting_id,
            passcode: made.passcode,
            dial_in: made.dial_in,
            conference_id: made.conference_id,
            numbers_url: made.numbers_url,
            video: address
                .zip(made.video_id)
                .map(|(address, id)| VideoDevice { address: address.clone(), id }),
            ..self.known(made.join_url, language)
        }
    }

    /// What a link alone tells.
    fn known(&self, join_url: String, language: &str) -> JoinInformation {
        JoinInformation {
            options_url: meeting_options_url(&join_url),
            help_url: Some(self.settings.help_url.clone().unwrap_or_else(|| help_page(language))),
            ..JoinInformation::new(Platform::TEAMS, &*self.settings.display_name, join_url)
        }
    }

    fn context(&self, meeting: &OnlineMeeting) -> Option<JoinContext> {
        let context = JoinContext::of(meeting.join_url.as_deref()?)?;
        context.tenant.eq_ignore_ascii_case(&self.settings.tenant).then_some(context)
    }
}

/// Where Teams' own blocks lead for help.
fn help_page(language: &str) -> String {
    let plain = language.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !language.is_empty();
    let market = if plain { format!("?omkt={language}") } else { String::new() };
    format!("https://aka.ms/JoinTeamsMeeting{market}")
}

#[async_trait]
impl MeetingPlatform for Teams {
    fn platform(&self) -> Platform {
        Platform::TEAMS
    }

    /// A meeting of this tenant. A short link (`/meet/…`) does not name its tenant: such a meeting counts as another's,
    /// unless it was made here, because a meeting that stays in a tenant which is given up is worse than one
    /// that moves in vain.
    fn holds(&self, meeting: &OnlineMeeting) -> bool {
        let is_made_here = |url: &str| self.made.lock().unwrap_or_else(PoisonError::into_inner).contains(url);
        meeting.platform == Platform::TEAMS
            && (self.context(meeting).is_some() || meeting.join_url.as_deref().is_some_and(is_made_here))
    }

    async fn provision(&self, request: &ProvisionRequest) -> Result<JoinInformation, PortError> {
        let made = self.provisioner.provision(request).await?;
        Ok(self.join_information(made, &request.language))
    }

    /// Looks the organizer up and shows a link of the right form; makes nothing.
    async fn preview(&self, request: &ProvisionRequest) -> Result<JoinInformation, PortError> {
        let organizer = self.provisioner.object_id(&request.organizer).await?;
        let thread: String =
            request.external_id.chars().filter(char::is_ascii_alphanumeric).take(48).collect();
        let context = format!(r#"{{"Tid":"{}","Oid":"{organizer}"}}"#, self.settings.tenant);
        let context: String = url::form_urlencoded::byte_serialize(context.as_bytes()).collect();
        let join_url = format!(
            "https://teams.microsoft.com/l/meetup-join/19%3ameeting_{thread}%40thread.v2/0?context={context}"
        );
        Ok(self.known(join_url, &request.language))
    }

    async fn refresh(&self, meeting: &OnlineMeeting) -> Result<JoinInformation, PortError> {
        let (Some(context), Some(url)) = (self.context(meeting), meeting.join_url.as_deref()) else {
            return Err(not_held_here(&self.settings.display_name));
        };
        let language = meeting.language.as_deref().unwrap_or("en");
        let filter = format!("JoinWebUrl eq '{}'", url.replace('\'', "''"));
        let meetings = path(["users", &context.organizer, "onlineMeetings"]);
        let path = query(&meetings, [("$filter", filter.as_str())]);
        let headers = [(reqwest::header::ACCEPT_LANGUAGE, language)];
        let found = self.client.get(&path, &headers, None).await.map_err(|error| {
            let who = format!("the user {}", context.organizer);
            provision::failure(error, "looking up a Teams meeting", &who, &self.settings.client_id)
        })?;
        let found = found.get("value").and_then(Value::as_array).and_then(|all| all.first());
        match found {
            None => Err(PortError::permanent(
                Code::PlatformError,
                format!(
                    "Teams does not know the meeting {url} any more: migrate it to Teams to give it a new one"
                ),
            )),
            Some(found) => {
                Made::read(found).map(|made| self.join_information(made, language)).map_err(|problem| {
                    GraphError::Malformed(problem).into_port(Side::Platform, "looking up a Teams meeting")
                })
            }
        }
    }

    /// Leaves the meeting: it stands on no calendar, and Teams lets it expire. Another event that was migrated
    /// from the same old meeting may lead to it.
    async fn release(&self, _external_id: &str) -> Result<(), PortError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "11111111-2222-3333-4444-555555555555";

    fn teams(tenant: &str) -> Result<Teams, String> {
        let text = format!("tenant = '{tenant}'\nclient_id = 'app'\nsecret = 'x'");
        Teams::new("Teams", toml::from_str(&text).unwrap(), &GraphClients::default())
            .map_err(|e| e.to_string())
    }

    fn meeting(url: &str) -> OnlineMeeting {
        OnlineMeeting {
            platform: Platform::TEAMS,
            join_url: Some(url.to_owned()),
            meeting_id: None,
            passcode: None,
            has_dial_in: false,
            language: None,
            key: url.to_owned(),
        }
    }

    #[test]
    fn the_tenant_in_the_link_tells_whose_meeting_it_is() {
        let teams = teams(TENANT).unwrap();
        let link = |tenant: &str| {
            format!(
                "https://teams.microsoft.com/l/meetup-join/19%3ameeting_x%40thread.v2/0?context=%7b%22Tid%22%3a%22{tenant}%22%2c%22Oid%22%3a%2266666666-7777-8888-9999-000000000000%22%7d"
            )
        };
        assert!(teams.holds(&meeting(&link(TENANT))));
        assert!(teams.holds(&meeting(&link(&TENANT.to_uppercase()))));
        assert!(!teams.holds(&meeting(&link("99999999-2222-3333-4444-555555555555"))));
        let short = "https://teams.microsoft.com/meet/123?p=x";
        assert!(!teams.holds(&meeting(short)));
        teams.join_information(Made::read(&serde_json::json!({"joinWebUrl": short})).unwrap(), "en");
        assert!(teams.holds(&meeting(short)), "made here");
    }

    #[test]
    fn a_tenant_by_domain_is_refused_because_links_name_the_id() {
        assert!(teams("contoso.onmicrosoft.com").unwrap_err().contains("GUID"));
    }

    #[test]
    fn help_is_in_the_language_of_the_block() {
        assert_eq!(help_page("de-DE"), "https://aka.ms/JoinTeamsMeeting?omkt=de-DE");
        assert_eq!(help_page("x&y"), "https://aka.ms/JoinTeamsMeeting");
    }
}
