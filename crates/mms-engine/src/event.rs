//! What happens to users, and which migration follows from it.

use std::str::FromStr;

use mms_model::port::{Enqueued, RequestFilter};
use mms_model::{
    Code, MigrationRequest, MigrationType, Platform, SourceMeetingType, State, TargetMeetingType, User,
};

use crate::{Engine, EngineError, Start, Switch, Trigger};

/// Something that happened to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Moved from a Skype for Business server on premises to the cloud.
    MovedToCloud,
    /// Moved from the cloud back to a server on premises.
    MovedOnPremises,
    /// An upgrade policy was granted.
    UpgradePolicyGranted {
        /// What it makes of the user.
        mode: UpgradeMode,
        /// Whether it was granted to this user; a grant to the whole tenant starts nothing.
        to_user: bool,
        /// `-MigrateMeetingsToTeams`.
        migrate: bool,
    },
    /// Something of audio conferencing changed: the licence, the provider, the conference ID, the bridge. What it was
    /// makes no difference.
    AudioConferencingChanged {
        /// Whether a provider other than Microsoft serves the user.
        third_party: bool,
    },
    /// The partner for video interop changed.
    VideoInteropChanged,
    /// The SIP address changed.
    SipAddressChanged,
    /// The organisation's meeting URL changed.
    MeetingUrlChanged,
}

/// What is said of an event beside its name.
#[derive(Debug, Clone, Copy, Default)]
pub struct EventDetails<'d> {
    /// Of `UpgradePolicyGranted`: the policy, which must be named.
    pub policy: Option<&'d str>,
    /// Of `UpgradePolicyGranted`: whether meetings are to go along; unless it is said, they are.
    pub migrate: Option<bool>,
    /// Of audio conferencing: whether another provider than Microsoft serves the user; unless it is said, none does.
    pub third_party: Option<bool>,
}

impl Event {
    /// The names of the events that happen to a user.
    pub const NAMES: [&'static str; 14] = [
        "MovedToCloud",
        "MovedOnPremises",
        "UpgradePolicyGranted",
        "AudioConferencingLicenceAssigned",
        "AudioConferencingLicenceRemoved",
        "AudioConferencingProviderChangedToMicrosoft",
        "AudioConferencingEnabled",
        "AudioConferencingDisabled",
        "ConferenceIdChanged",
        "BridgeChanged",
        "BridgeNumberUnassigned",
        "VideoInteropChanged",
        "SipAddressChanged",
        "MeetingUrlChanged",
    ];

    /// The event of this name, in whatever case.
    ///
    /// # Errors
    /// There is none, or what is said of it is another's.
    pub fn named(name: &str, details: EventDetails<'_>) -> Result<Self, String> {
        let known = Self::NAMES.into_iter().find(|known| known.eq_ignore_ascii_case(name.trim()));
        let third_party = details.third_party.unwrap_or(false);
        let event =
            match known.ok_or_else(|| format!("\"{name}\" is no event: use {}", Self::NAMES.join(", ")))? {
                "MovedToCloud" => Self::MovedToCloud,
                "MovedOnPremises" => Self::MovedOnPremises,
                "UpgradePolicyGranted" => {
                    let policy = details.policy.ok_or("the policy is missing: which one was granted?")?;
                    let migrate = details.migrate.unwrap_or(true);
                    Self::UpgradePolicyGranted { mode: policy.parse()?, to_user: true, migrate }
                }
                "VideoInteropChanged" => Self::VideoInteropChanged,
                "SipAddressChanged" => Self::SipAddressChanged,
                "MeetingUrlChanged" => Self::MeetingUrlChanged,
                _ => Self::AudioConferencingChanged { third_party },
            };
        let of_policy = details.policy.is_some() || details.migrate.is_some();
        let of_audio = details.third_party.is_some();
        let fits = match event {
            Self::UpgradePolicyGranted { .. } => !of_audio,
            Self::AudioConferencingChanged { .. } => !of_policy,
            _ => !of_policy && !of_audio,
        };
        if fits {
            return Ok(event);
        }
        Err("something is said that belongs to another event: the policy, and whether meetings go along, to \
             UpgradePolicyGranted; a third-party provider to audio conferencing"
            .to_owned())
    }
}

/// What a Teams upgrade policy makes of a user (learn.microsoft.com, `Grant-CsTeamsUpgradePolicy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpgradeMode {
    /// Teams and nothing else.
    TeamsOnly,
    /// Chat in Skype for Business, meetings in Teams.
    SfbWithTeamsCollabAndMeetings,
    /// A mode in which meetings stay where they are.
    Other,
}

/// The policies that every tenant has, and their modes.
const POLICIES: [(&str, UpgradeMode); 6] = [
    ("UpgradeToTeams", UpgradeMode::TeamsOnly),
    ("TeamsOnly", UpgradeMode::TeamsOnly),
    ("SfBWithTeamsCollabAndMeetings", UpgradeMode::SfbWithTeamsCollabAndMeetings),
    ("SfBWithTeamsCollab", UpgradeMode::Other),
    ("SfBOnly", UpgradeMode::Other),
    ("Islands", UpgradeMode::Other),
];

impl FromStr for UpgradeMode {
    type Err = String;

    /// The name of a policy as it is granted: `Tag:` may stand before it, and `WithNotify` behind it.
    fn from_str(name: &str) -> Result<Self, String> {
        let bare = name.trim();
        let bare = bare.get(..4).filter(|tag| tag.eq_ignore_ascii_case("Tag:")).map_or(bare, |_| &bare[4..]);
        let plain = bare.to_ascii_lowercase();
        let plain = plain.strip_suffix("withnotify").unwrap_or(&plain);
        let found = POLICIES.iter().find(|(policy, _)| policy.eq_ignore_ascii_case(plain));
        found.map(|(_, mode)| *mode).ok_or_else(|| {
            let known: Vec<&str> = POLICIES.iter().map(|(policy, _)| *policy).collect();
            format!("\"{name}\" is no upgrade policy: use {}", known.join(", "))
        })
    }
}

/// What follows from an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A migration.
    Start(MigrationType),
    /// A request that fails at once, so that somebody knows.
    Refuse,
    /// Nothing, and why.
    Nothing(&'static str),
}

/// The rules; `automatic` is [`Switch::AutomaticMigration`].
pub fn effect(event: Event, automatic: bool) -> Effect {
    let to_teams = || {
        Effect::Start(MigrationType {
            source: SourceMeetingType::Platform(Platform::SFB),
            target: TargetMeetingType::Platform(Platform::TEAMS),
        })
    };
    match event {
        Event::MovedToCloud => to_teams(),
        Event::MovedOnPremises => Effect::Refuse,
        Event::UpgradePolicyGranted { to_user: false, .. } => {
            Effect::Nothing("a policy that is granted to the whole tenant starts no migrations")
        }
        Event::UpgradePolicyGranted { migrate: false, .. } => {
            Effect::Nothing("the policy was granted with MigrateMeetingsToTeams $false")
        }
        Event::UpgradePolicyGranted { mode: UpgradeMode::Other, .. } => {
            Effect::Nothing("meetings stay where they are in the mode of this policy")
        }
        Event::UpgradePolicyGranted { .. } => to_teams(),
        Event::AudioConferencingChanged { third_party: true, .. } => {
            Effect::Nothing("another provider than Microsoft serves the user's audio conferencing")
        }
        Event::AudioConferencingChanged { .. } if !automatic => {
            Effect::Nothing("AutomaticallyMigrateUserMeetings is off")
        }
        Event::AudioConferencingChanged { .. } => Effect::Start(MigrationType {
            source: SourceMeetingType::All,
            target: TargetMeetingType::Current,
        }),
        Event::VideoInteropChanged => Effect::Nothing(
            "after a change of the partner for video interop an administrator starts the migrations that are wanted",
        ),
        Event::SipAddressChanged => Effect::Nothing("a changed SIP address leaves join links as they are"),
        Event::MeetingUrlChanged => {
            Effect::Nothing("meetings keep the meeting URL of the organisation that they were made with")
        }
    }
}

/// What came of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// A request, new or joined.
    Asked(Enqueued),
    /// A request that failed at once.
    Refused(MigrationRequest),
    /// Nothing, and why.
    Nothing(&'static str),
}

impl Engine {
    /// Does what follows from an event.
    ///
    /// # Errors
    /// The store's; the platform to go to is not configured.
    pub async fn happened(&self, user: User, event: Event, by: &str) -> Result<Happened, EngineError> {
        let effect = effect(event, self.is_on(Switch::AutomaticMigration).await?);
        if matches!(effect, Effect::Start(_) | Effect::Refuse)
            && !self.is_on(Switch::MeetingMigration).await?
        {
            return Ok(Happened::Nothing("MeetingMigrationEnabled is off"));
        }
        let migration = match &effect {
            Effect::Start(wanted) => self.migration(wanted.source.clone(), wanted.target.clone())?,
            Effect::Refuse if self.has_pending(&user).await? => {
                return Ok(Happened::Nothing(
                    "a migration of this user waits, and goes on as it was asked for",
                ));
            }
            Effect::Refuse => {
                MigrationType { source: SourceMeetingType::All, target: TargetMeetingType::Current }
            }
            Effect::Nothing(why) => return Ok(Happened::Nothing(why)),
        };
        let start = Start { trigger: Trigger::Automatic, ..Start::manual(user, migration, by) };
        let Some(enqueued) = self.start(start).await? else {
            return Ok(Happened::Nothing("MeetingMigrationEnabled is off"));
        };
        if effect != Effect::Refuse {
            return Ok(Happened::Asked(enqueued));
        }
        let id = enqueued.request().id;
        let message = format!(
            "{}: the user moved from the cloud back to a server on premises, and meetings in the cloud cannot be taken along.",
            Code::MovedOnPremises
        );
        self.store.cancel(id, &message, self.clock.now()).await?;
        let request = self.request(id).await?;
        self.note(by, "RefuseMigration", &request.user.upn, &id.to_string()).await?;
        Ok(Happened::Refused(request))
    }

    async fn has_pending(&self, user: &User) -> Result<bool, EngineError> {
        let states = vec![State::Pending];
        let filter =
            RequestFilter { user: Some(user.id), states, limit: Some(1), ..RequestFilter::default() };
        Ok(!self.store.list(&filter).await?.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(event: Event) -> Option<String> {
        match effect(event, true) {
            Effect::Start(migration) => Some(migration.to_string()),
            Effect::Refuse => Some("refused".to_owned()),
            Effect::Nothing(why) => {
                assert!(!why.is_empty());
                None
            }
        }
    }

    fn granted(policy: &str, to_user: bool, migrate: bool) -> Event {
        Event::UpgradePolicyGranted { mode: policy.parse().unwrap(), to_user, migrate }
    }

    #[test]
    fn a_move_to_the_cloud_is_one_to_teams_and_one_back_is_refused() {
        assert_eq!(starts(Event::MovedToCloud).as_deref(), Some("SfbToTeams"));
        assert_eq!(starts(Event::MovedOnPremises).as_deref(), Some("refused"));
    }

    #[test]
    fn a_policy_of_two_modes_granted_to_a_user_starts_a_migration() {
        for policy in ["UpgradeToTeams", "tag:upgradetoteams", "SfBWithTeamsCollabAndMeetings"] {
            assert_eq!(starts(granted(policy, true, true)).as_deref(), Some("SfbToTeams"), "{policy}");
            assert_eq!(starts(granted(policy, false, true)), None, "to the tenant");
            assert_eq!(starts(granted(policy, true, false)), None, "MigrateMeetingsToTeams $false");
        }
        let notified = granted("SfBWithTeamsCollabAndMeetingsWithNotify", true, true);
        assert_eq!(starts(notified).as_deref(), Some("SfbToTeams"));
        for policy in ["Islands", "SfBOnly", "SfBWithTeamsCollab", "SfBWithTeamsCollabWithNotify"] {
            assert_eq!(starts(granted(policy, true, true)), None, "{policy}");
        }
        assert!("Teams".parse::<UpgradeMode>().unwrap_err().contains("UpgradeToTeams"));
    }

    #[test]
    fn every_change_of_audio_conferencing_refreshes_unless_it_is_not_to() {
        for name in [
            "AudioConferencingLicenceAssigned",
            "AudioConferencingLicenceRemoved",
            "AudioConferencingProviderChangedToMicrosoft",
            "AudioConferencingEnabled",
            "AudioConferencingDisabled",
            "ConferenceIdChanged",
            "BridgeChanged",
            "BridgeNumberUnassigned",
        ] {
            let event = |third_party| {
                let details = EventDetails { third_party: Some(third_party), ..EventDetails::default() };
                Event::named(name, details).unwrap()
            };
            assert_eq!(starts(event(false)).as_deref(), Some("ToSameType"), "{name}");
            assert_eq!(starts(event(true)), None, "a third-party provider");
            assert!(matches!(effect(event(false), false), Effect::Nothing(_)), "switched off");
        }
    }

    #[test]
    fn an_event_is_named_and_what_is_said_of_it_must_fit() {
        let none = EventDetails::default();
        for name in Event::NAMES {
            let details =
                EventDetails { policy: (name == "UpgradePolicyGranted").then_some("Islands"), ..none };
            assert!(Event::named(&name.to_lowercase(), details).is_ok(), "{name}");
        }
        assert_eq!(Event::named("meetingurlchanged", none), Ok(Event::MeetingUrlChanged));
        assert!(Event::named("Moved", none).unwrap_err().contains("MovedToCloud"));
        assert!(Event::named("UpgradePolicyGranted", none).unwrap_err().contains("policy is missing"));
        let third_party = EventDetails { third_party: Some(true), ..none };
        assert!(Event::named("BridgeChanged", third_party).is_ok());
        assert!(Event::named("MovedToCloud", third_party).is_err());
        assert!(Event::named("BridgeChanged", EventDetails { migrate: Some(false), ..none }).is_err());
    }

    #[test]
    fn what_must_not_trigger_does_not() {
        for event in [Event::VideoInteropChanged, Event::SipAddressChanged, Event::MeetingUrlChanged] {
            assert_eq!(starts(event), None, "{event:?}");
        }
    }
}
