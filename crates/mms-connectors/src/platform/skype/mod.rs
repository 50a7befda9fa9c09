//! Skype for Business Server, by the Unified Communications Web API (UCWA 2.0).
//!
//! UCWA acts for who signs in and for nobody else: a meeting is made with its organizer's own name and password, or by
//! one delegate account, which is then its organizer. An application is registered for a user's requests, and deleted when none
//! is left. A meeting is found again by its description, which holds the external id.

mod account;
mod challenge;
mod client;
mod credentials_file;
mod diagnosis;
mod failure;
mod meeting;
mod phone;
mod schedule;
mod settings;
mod trust;

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use mms_model::port::{MeetingPlatform, ProvisionRequest};
use mms_model::{Clock, JoinInformation, OnlineMeeting, Platform, PortError};
use url::Url;

use self::account::{Account, Accounts};
use self::client::{Client, SignedIn};
use self::failure::UcwaError;
use self::schedule::{Desk, Found};
pub use self::settings::{AccessLevel, DelegateSettings, LeaderAssignment, SkypeSettings};
use super::{PlatformConfigurationError, not_held_here, setting};

/// Users whose sign-in is remembered.
const REMEMBERED: usize = 1_000;

/// A deployment of Skype for Business Server.
pub struct Skype {
    client: Client,
    accounts: Accounts,
    settings: SkypeSettings,
    meet_urls: Vec<Url>,
    clock: Arc<dyn Clock>,
    /// By the name to sign in with.
    lines: Mutex<HashMap<String, Arc<Line>>>,
}

/// One user's requests, one after the other: they share a sign-in and an application.
#[derive(Default)]
struct Line {
    waiting: AtomicUsize,
    state: tokio::sync::Mutex<SignedIn>,
}

/// A place in a line, which is given up when the request ends or is given up itself.
struct Place<'l>(&'l Line);

impl<'l> Place<'l> {
    fn take(line: &'l Line) -> Self {
        line.waiting.fetch_add(1, Ordering::AcqRel);
        Self(line)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What a user's application is to do.
enum Task<'t> {
    Provision(&'t ProvisionRequest),
    /// By the id in the join link.
    LookUp(&'t str),
}

impl std::fmt::Debug for Skype {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Skype").field("sip_domains", &self.accounts.sip_domains()).finish_non_exhaustive()
    }
}

impl Skype {
    /// The deployment that `settings` describe; `name` is the platform's name in the configuration. Nothing is sent yet.
    ///
    /// # Errors
    /// Which setting cannot work and why.
    pub fn new(
        name: &str,
        settings: SkypeSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, PlatformConfigurationError> {
        let checked = settings.checked().map_err(|(key, problem)| setting(name, key, problem))?;
        let client = Client::new(&checked).map_err(|e| setting(name, "ca_file", e.to_string()))?;
        let accounts = Accounts::new(name, &settings);
        let meet_urls = checked.meet_urls;
        Ok(Self { client, accounts, settings, meet_urls, clock, lines: Mutex::default() })
    }

    fn line(&self, account: &Account) -> Arc<Line> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= REMEMBERED {
            // Who was refused is remembered all the same: another try might lock the account.
            lines.retain(|_, line| {
                Arc::strong_count(line) > 1 || line.state.try_lock().map_or(true, |state| state.is_refused())
            });
        }
        Arc::clone(lines.entry(account.user.to_lowercase()).or_default())
    }

    /// Does a task in the name of an account. Where the application, or the whole pool, turns out to be gone, the user is
    /// discovered again and it is done there.
    async fn work(&self, account: &Account, task: &Task<'_>) -> Result<Option<Found>, UcwaError> {
        let line = self.line(account);
        let place = Place::take(&line);
        let mut state = line.state.lock().await;
        let outcome = match self.attempt(account, task, &mut state).await {
            Err(error) if state.home.is_some() && (error.is_moved() || error.is_unreachable()) => {
                tracing::debug!(%error, user = account.user, "discovering the home pool again");
                state.leave();
                self.attempt(account, task, &mut state).await
            }
            outcome => outcome,
        };
        drop(place);
        if line.waiting.load(Ordering::Acquire) == 0 {
            self.client.end(&mut state, account).await;
        }
        outcome
    }

    async fn attempt(
        &self,
        account: &Account,
        task: &Task<'_>,
        state: &mut SignedIn,
    ) -> Result<Option<Found>, UcwaError> {
        let mut desk = Desk {
            client: &self.client,
            settings: &self.settings,
            sip_domains: self.accounts.sip_domains(),
            account,
            state,
            now: self.clock.now(),
        };
        match task {
            Task::Provision(request) => desk.provision(request).await.map(Some),
            Task::LookUp(id) => desk.look_up(id).await,
        }
    }

    fn join_information(&self, found: Found) -> Result<JoinInformation, UcwaError> {
        let Found { meeting, telephone } = found;
        let missing = || UcwaError::Malformed(format!("the online meeting {} has no join link", meeting.id));
        let join_url = meeting.join_url.clone().ok_or_else(missing)?;
        if self.coordinates(&join_url).is_none() {
            return Err(UcwaError::ForeignJoinUrl(join_url));
        }
        // A number is worth nothing without an id, and an id without a number.
        let conference_id = telephone.conference_id.or(meeting.conference_id);
        let conference_id = conference_id.filter(|_| !telephone.numbers.is_empty());
        let dial_in = if conference_id.is_some() { telephone.numbers } else { Vec::new() };
        Ok(JoinInformation {
            passcode: telephone.passcode.filter(|_| conference_id.is_some()),
            dial_in,
            conference_id,
            ..self.known(join_url)
        })
    }

    /// What a link alone tells.
    fn known(&self, join_url: String) -> JoinInformation {
        JoinInformation {
            help_url: self.settings.help_url.clone(),
            ..JoinInformation::new(Platform::SFB, &*self.settings.display_name, join_url)
        }
    }

    /// The organizer's name and the meeting's id in a join link below one of the Meet simple URLs. Links end
    /// `/user/ID`, as in the samples of UCWA; that the user is the local part of the SIP address is the samples', too.
    fn coordinates<'u>(&self, join_url: &'u str) -> Option<(&'u str, &'u str)> {
        let url = Url::parse(join_url).ok()?;
        self.meet_urls.iter().find(|base| is_below(base, &url))?;
        let path = join_url.split(['?', '#']).next()?.trim_end_matches('/');
        let mut segments = path.rsplit('/');
        let (id, user) = (segments.next()?, segments.next()?);
        let plain = |text: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        };
        (plain(id) && plain(user)).then_some((user, id))
    }
}

/// Whether a link leads below a Meet simple URL, with an organizer and an id.
fn is_below(base: &Url, url: &Url) -> bool {
    let segments = |url: &Url| -> Vec<String> {
        url.path_segments().into_iter().flatten().filter(|s| !s.is_empty()).map(str::to_owned).collect()
    };
    let (above, below) = (segments(base), segments(url));
    let same = |a: &String, b: &String| a.eq_ignore_ascii_case(b);
    base.origin() == url.origin()
        && below.len() >= above.len() + 2
        && above.iter().zip(&below).all(|(a, b)| same(a, b))
}

#[async_trait]
impl MeetingPlatform for Skype {
    fn platform(&self) -> Platform {
        Platform::SFB
    }

    /// A meeting below one of the Meet simple URLs. Those of another deployment, of the old pool's own simple URL or of
    /// Skype for Business Online are not.
    fn holds(&self, meeting: &OnlineMeeting) -> bool {
        meeting.platform == Platform::SFB
            && meeting.join_url.as_deref().is_some_and(|url| self.coordinates(url).is_some())
    }

    async fn provision(&self, request: &ProvisionRequest) -> Result<JoinInformation, PortError> {
        let what = format!("making a Skype meeting for {}", request.organizer);
        let account = self.accounts.of(request.organizer.as_str())?;
        let found = self.work(&account, &Task::Provision(request)).await.and_then(|found| {
            let found = found.ok_or_else(|| UcwaError::Malformed("no meeting was made".to_owned()))?;
            self.join_information(found)
        });
        found.map_err(|error| error.into_port(&what))
    }

    /// Looks whether the organizer can sign in at all, and shows a link of the right form; asks no server.
    async fn preview(&self, request: &ProvisionRequest) -> Result<JoinInformation, PortError> {
        self.accounts.of(request.organizer.as_str())?;
        let base = self.meet_urls.first().map_or("", Url::as_str).trim_end_matches('/');
        let user = request.organizer.as_str().split('@').next().unwrap_or_default();
        let user: String = user.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).collect();
        let id = request.external_id.chars().filter(char::is_ascii_alphanumeric).take(8);
        let id: String = id.map(|c| c.to_ascii_uppercase()).collect();
        Ok(self.known(format!("{base}/{user}/{id}")))
    }

    /// Looks the meeting up by its link, in the name of the organizer whom the link names.
    async fn refresh(&self, meeting: &OnlineMeeting) -> Result<JoinInformation, PortError> {
        let url = meeting.join_url.as_deref();
        let Some((user, id)) = url.and_then(|url| self.coordinates(url)) else {
            return Err(not_held_here(&self.settings.display_name));
        };
        let what = format!("looking up the Skype meeting {id} of {user}");
        let mut tried = HashSet::new();
        for account in self.accounts.of_link(user)? {
            if !tried.insert(account.user.to_lowercase()) {
                continue;
            }
            let found =
                self.work(&account, &Task::LookUp(id)).await.map_err(|error| error.into_port(&what))?;
            if let Some(found) = found {
                return self.join_information(found).map_err(|error| error.into_port(&what));
            }
        }
        Err(UcwaError::Unknown(url.unwrap_or_default().to_owned()).into_port(&what))
    }

    /// Leaves the meeting: who made it is not known any more, another event that was migrated from the same old meeting may
    /// lead to it, and the server deletes it when it expires.
    async fn release(&self, _external_id: &str) -> Result<(), PortError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use mms_model::SystemClock;

    use super::*;

    fn skype() -> Skype {
        let text = "sip_domains = ['contoso.com']\n\
            meet_urls = ['https://meet.contoso.com', 'https://web.contoso.com/fabrikam.com/meet/']\n\
            delegate = { user = 'mms', password = 'hush' }";
        Skype::new("SfB", toml::from_str(text).unwrap(), Arc::new(SystemClock)).unwrap()
    }

    fn meeting(url: &str) -> OnlineMeeting {
        OnlineMeeting {
            platform: Platform::SFB,
            join_url: Some(url.to_owned()),
            meeting_id: None,
            passcode: None,
            has_dial_in: false,
            language: None,
            key: url.to_owned(),
        }
    }

    #[test]
    fn meetings_below_the_simple_urls_are_held_here() {
        let skype = skype();
        for own in [
            "https://meet.contoso.com/alice/ABCD1234",
            "https://Meet.Contoso.com/alice.adler/ABCD1234?sl=1",
            "https://web.contoso.com/Fabrikam.com/Meet/alice/ABCD1234/",
        ] {
            assert!(skype.holds(&meeting(own)), "{own}");
        }
        for other in [
            "https://meet.fabrikam.com/alice/ABCD1234",
            "https://meet.contoso.com.evil.example/alice/ABCD1234",
            "https://meet.contoso.com:8443/alice/ABCD1234",
            "http://meet.contoso.com/alice/ABCD1234",
            "https://meet.contoso.com/ABCD1234",
            "https://web.contoso.com/alice/ABCD1234",
            "https://meet.lync.com/contoso/alice/ABCD1234",
            "nonsense",
        ] {
            assert!(!skype.holds(&meeting(other)), "{other}");
        }
        let link = "https://web.contoso.com/fabrikam.com/meet/alice/ABCD1234?sl=1";
        assert_eq!(skype.coordinates(link), Some(("alice", "ABCD1234")));
        let mut teams = meeting("https://meet.contoso.com/alice/ABCD1234");
        teams.platform = Platform::TEAMS;
        assert!(!skype.holds(&teams));
    }

    #[test]
    fn a_refusal_is_remembered_whoever_comes_after() {
        let skype = skype();
        let account = |user: &str| {
            let mut account = skype.accounts.of("alice@contoso.com").unwrap();
            user.clone_into(&mut account.user);
            account
        };
        let refused = Arc::downgrade(&skype.line(&account("eve")));
        let line = skype.line(&account("eve"));
        let password = crate::transport::SecretText::new("wrong");
        line.state.try_lock().unwrap().refuse(password, UcwaError::Malformed("refused".to_owned()));
        drop(line);
        for n in 0..3 * REMEMBERED {
            skype.line(&account(&format!("user{n}")));
        }
        assert!(refused.upgrade().is_some_and(|line| Arc::ptr_eq(&line, &skype.line(&account("EVE")))));
        assert!(skype.lines.lock().unwrap().len() <= REMEMBERED);
    }

    #[test]
    fn nothing_secret_is_shown() {
        assert!(!format!("{:?}", skype()).contains("hush"));
    }
}
