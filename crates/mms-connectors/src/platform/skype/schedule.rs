//! Making a meeting once, and finding it again.

use std::collections::HashMap;

use jiff::Timestamp;
use mms_model::port::ProvisionRequest;
use reqwest::Method;
use serde_json::Value;
use url::Url;

use super::account::Account;
use super::client::{Answer, Call, Client, SignedIn};
use super::failure::UcwaError;
use super::meeting::{
    Scheduled, chosen, internal, lives_long_enough, marked, marker, prolonged, setting_of, wanted,
    wanted_expiration,
};
use super::phone::Telephone;
use super::settings::SkypeSettings;

/// How often a meeting is written that others change at the same time.
const TRIES: usize = 3;
/// Descriptions that are remembered of one user's meetings.
const REMEMBERED: usize = 10_000;
/// Descriptions that are read one by one for one list.
const READ_SINGLY: usize = 1_000;

/// A meeting and how it is joined by telephone.
pub(super) struct Found {
    pub(super) meeting: Scheduled,
    pub(super) telephone: Telephone,
}

/// The meetings of a user, as they were listed.
#[derive(Default)]
pub(super) struct Listed {
    /// Those of ours by their external ids. Of several, which two programs may have made at the same time, it is the same
    /// one each time.
    ours: HashMap<String, Scheduled>,
    /// All by their own ids, in upper case.
    by_id: HashMap<String, Scheduled>,
}

impl Listed {
    fn add(&mut self, meeting: Scheduled) {
        if let Some(external) = meeting.description.as_deref().and_then(marked) {
            let first = self.ours.entry(external.to_owned()).or_insert_with(|| meeting.clone());
            if meeting.id < first.id {
                *first = meeting.clone();
            }
        }
        self.by_id.insert(meeting.id.to_ascii_uppercase(), meeting);
    }
}

/// One user's work on a pool.
pub(super) struct Desk<'a> {
    pub(super) client: &'a Client,
    pub(super) settings: &'a SkypeSettings,
    pub(super) sip_domains: &'a [String],
    pub(super) account: &'a Account,
    pub(super) state: &'a mut SignedIn,
    pub(super) now: Timestamp,
}

impl Desk<'_> {
    /// The meeting with the request's external id, made where there is none.
    pub(super) async fn provision(&mut self, request: &ProvisionRequest) -> Result<Found, UcwaError> {
        let known = match self.find(request).await? {
            Some(known) => self.prolong(known, request).await?,
            None => None,
        };
        let meeting = match known {
            Some(known) => known,
            None => {
                self.check_settings().await?;
                self.make_once(request).await?
            }
        };
        let telephone = self.client.telephone(self.state, self.account).await?;
        Ok(Found { meeting, telephone })
    }

    /// The meeting of a join link.
    pub(super) async fn look_up(&mut self, id: &str) -> Result<Option<Found>, UcwaError> {
        let found = self.listed().await?.by_id.get(&id.to_ascii_uppercase()).cloned();
        let Some(meeting) = self.complete(found).await? else { return Ok(None) };
        let telephone = self.client.telephone(self.state, self.account).await?;
        Ok(Some(Found { meeting, telephone }))
    }

    /// The meeting that was made before under the same external id.
    async fn find(&mut self, request: &ProvisionRequest) -> Result<Option<Scheduled>, UcwaError> {
        let found = self.listed().await?.ours.get(&request.external_id).cloned();
        self.complete(found).await
    }

    /// A meeting with its link, which a short list does not say; none where it is not there any more.
    async fn complete(&mut self, found: Option<Scheduled>) -> Result<Option<Scheduled>, UcwaError> {
        match found {
            Some(short) if short.join_url.is_none() => self.whole(&short).await,
            found => Ok(found),
        }
    }

    /// The user's meetings, read once for each application.
    async fn listed(&mut self) -> Result<&mut Listed, UcwaError> {
        let application = self.client.application(self.state, self.account).await?;
        let listed = match application.listed.take() {
            Some(listed) => listed,
            None => {
                let url = application.meetings.clone();
                self.list(url).await?
            }
        };
        let application = self.client.application(self.state, self.account).await?;
        Ok(application.listed.insert(listed))
    }

    async fn list(&mut self, url: Url) -> Result<Listed, UcwaError> {
        let answer = self.client.ask(self.state, self.account, Call::get(url)).await?;
        let mut listed = Listed::default();
        let meetings = Scheduled::list(&answer.body);
        let is_short = |meeting: &&Scheduled| {
            meeting.description.is_none() && !self.state.descriptions.contains_key(&meeting.id)
        };
        let short = meetings.iter().filter(is_short).count();
        if short > READ_SINGLY {
            let user = self.account.user.clone();
            return Err(UcwaError::TooManyShort { user, short, most: READ_SINGLY });
        }
        for mut meeting in meetings {
            if meeting.description.is_none() {
                meeting.description = Some(self.description(&meeting).await?);
            }
            listed.add(meeting);
        }
        Ok(listed)
    }

    async fn description(&mut self, meeting: &Scheduled) -> Result<String, UcwaError> {
        if let Some(known) = self.state.descriptions.get(&meeting.id) {
            return Ok(known.clone());
        }
        let whole = self.whole(meeting).await?;
        let description = whole.and_then(|whole| whole.description).unwrap_or_default();
        if self.state.descriptions.len() >= REMEMBERED {
            self.state.descriptions.clear();
        }
        self.state.descriptions.insert(meeting.id.clone(), description.clone());
        Ok(description)
    }

    /// All that the server says of a meeting; none where it is not there any more.
    async fn whole(&mut self, meeting: &Scheduled) -> Result<Option<Scheduled>, UcwaError> {
        let answer = self.read(meeting).await?;
        Ok(answer.and_then(|answer| Scheduled::read(&answer.body)))
    }

    async fn read(&mut self, meeting: &Scheduled) -> Result<Option<Answer>, UcwaError> {
        let url = self.place_of(meeting).await?;
        match self.client.ask(self.state, self.account, Call::get(url)).await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn place_of(&mut self, meeting: &Scheduled) -> Result<Url, UcwaError> {
        let meetings = self.client.application(self.state, self.account).await?.meetings.clone();
        match &meeting.own {
            Some(own) => self.client.trust.admit(&meetings, own),
            None => {
                let mut below = meetings;
                if let Ok(mut segments) = below.path_segments_mut() {
                    segments.pop_if_empty().push(&meeting.id);
                }
                Ok(below)
            }
        }
    }

    /// Puts the expiration off where the meeting would be deleted too early; none where it is gone meanwhile.
    async fn prolong(
        &mut self,
        meeting: Scheduled,
        request: &ProvisionRequest,
    ) -> Result<Option<Scheduled>, UcwaError> {
        let expires = wanted_expiration(request, self.now);
        if lives_long_enough(meeting.expires, expires, request) {
            return Ok(Some(meeting));
        }
        let url = self.place_of(&meeting).await?;
        for _ in 0..TRIES {
            let Some(current) = self.read(&meeting).await? else { return Ok(None) };
            // Without, what somebody changes meanwhile would be undone.
            let Some(etag) = current.etag else {
                tracing::warn!(
                    meeting = meeting.id,
                    user = self.account.user,
                    expires = meeting.expires.map(|at| at.to_string()),
                    "the pool gives the online meeting no ETag, so it is not prolonged: prolong it in Outlook"
                );
                return Ok(Some(meeting));
            };
            let body = prolonged(&current.body, expires, self.sip_domains);
            let call = Call::new(Method::PUT, url.clone()).body(body).if_match(Some(etag));
            match self.client.ask(self.state, self.account, call).await {
                Ok(answer) => {
                    let written = Scheduled::read(&answer.body).or_else(|| Scheduled::read(&current.body));
                    self.forget_list();
                    return Ok(written.or(Some(meeting)));
                }
                Err(error) if error.status() == Some(412) => {}
                Err(error) => return Err(error),
            }
        }
        Err(UcwaError::KeptChanging(meeting.id))
    }

    /// Whether the user's policies allow what the settings choose: the server refuses a meeting with any other value.
    async fn check_settings(&mut self) -> Result<(), UcwaError> {
        let chosen = chosen(self.settings);
        if chosen.is_empty() {
            return Ok(());
        }
        let values = self.client.eligible(self.state, self.account).await?;
        for (property, listed, value) in chosen {
            let Some(eligible) = values.get(listed).and_then(Value::as_array) else { continue };
            let eligible: Vec<&str> = eligible.iter().filter_map(Value::as_str).collect();
            if !eligible.contains(&value) {
                return Err(UcwaError::NotEligible {
                    setting: setting_of(property),
                    value: value.to_owned(),
                    user: self.account.user.clone(),
                    eligible: super::failure::one_line(&eligible.join(", ")),
                });
            }
        }
        Ok(())
    }

    /// Makes the meeting. Where it is unclear whether it was made, the list tells.
    async fn make_once(&mut self, request: &ProvisionRequest) -> Result<Scheduled, UcwaError> {
        match self.make(request).await {
            Err(error) if error.is_unclear() => {
                self.forget_list();
                match self.find(request).await {
                    Ok(Some(made)) => Ok(made),
                    Ok(None) | Err(_) => Err(error),
                }
            }
            outcome => outcome,
        }
    }

    async fn make(&mut self, request: &ProvisionRequest) -> Result<Scheduled, UcwaError> {
        let leaders = self.leaders(request);
        let meetings = self.client.application(self.state, self.account).await?.meetings.clone();
        let call = |leaders: &[String]| {
            let body = wanted(request, self.settings, leaders, self.now);
            Call::new(Method::POST, meetings.clone()).body(body)
        };
        let (first, without) = (call(&leaders), call(&[]));
        let answer = match self.client.ask(self.state, self.account, first).await {
            // The organizer's mail address need not be a SIP address.
            Err(error) if error.status() == Some(400) && !leaders.is_empty() => {
                self.client.ask(self.state, self.account, without).await?
            }
            outcome => outcome?,
        };
        let malformed = || UcwaError::Malformed("the pool made an online meeting without an id".to_owned());
        let mut made = Scheduled::read(&answer.body).ok_or_else(malformed)?;
        made.description.get_or_insert_with(|| marker(&request.external_id));
        if let Some(listed) = self.client.application(self.state, self.account).await?.listed.as_mut() {
            listed.add(made.clone());
        }
        Ok(made)
    }

    /// The organizer leads a meeting that the delegate account makes; of his own he is the leader anyway.
    fn leaders(&self, request: &ProvisionRequest) -> Vec<String> {
        let organizer = Some(request.organizer.as_str()).filter(|_| self.account.is_delegate);
        internal(organizer.into_iter(), self.sip_domains)
    }

    fn forget_list(&mut self) {
        if let Some(application) = self.state.application.as_mut() {
            application.listed = None;
        }
    }
}
