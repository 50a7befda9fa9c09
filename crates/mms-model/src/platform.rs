//! Meeting platforms and the types of migration between them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A meeting platform by its name, as it stands in `SourceMeetingType`, `TargetMeetingType` and
/// `MigrationType`. Names compare without case; the well-known ones keep their spelling.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Platform(Cow<'static, str>);

macro_rules! platforms {
    ($($(#[$doc:meta])* $constant:ident = $name:literal;)*) => {
        impl Platform {
            $($(#[$doc])* pub const $constant: Platform = Platform(Cow::Borrowed($name));)*

            /// Every platform known by name.
            pub const KNOWN: &'static [Platform] = &[$(Platform::$constant),*];
        }
    };
}

platforms! {
    /// Skype for Business or Lync, on-premises or online.
    SFB = "SfB";
    /// Microsoft Teams.
    TEAMS = "Teams";
    /// Zoom.
    ZOOM = "Zoom";
    /// Cisco Webex.
    WEBEX = "Webex";
    /// Google Meet.
    GOOGLE_MEET = "GoogleMeet";
    /// GoTo Meeting.
    GOTO = "GoTo";
    /// Jitsi Meet, on any server.
    JITSI = "Jitsi";
    /// BigBlueButton behind any front end.
    BIG_BLUE_BUTTON = "BigBlueButton";
    /// Amazon Chime.
    CHIME = "Chime";
    /// BlueJeans.
    BLUEJEANS = "BlueJeans";
    /// Cisco Meeting Server (once Acano).
    CISCO_MEETING_SERVER = "CiscoMeetingServer";
    /// Pexip Infinity.
    PEXIP = "Pexip";
    /// RingCentral Video.
    RINGCENTRAL = "RingCentral";
    /// Whereby.
    WHEREBY = "Whereby";
    /// StarLeaf.
    STARLEAF = "StarLeaf";
    /// Lifesize.
    LIFESIZE = "Lifesize";
    /// FaceTime links.
    FACETIME = "FaceTime";
    /// Consumer Skype (`join.skype.com`).
    SKYPE = "Skype";
}

impl Platform {
    /// The platform's name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The platform among `configured` that has this name in whatever case, or itself.
    #[must_use]
    pub fn spelled_as<'a>(&self, configured: impl IntoIterator<Item = &'a Platform>) -> Self {
        configured.into_iter().find(|other| other.0.eq_ignore_ascii_case(&self.0)).unwrap_or(self).clone()
    }
}

/// The error of a platform name that cannot be one.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "\"{0}\" is not a platform name: use letters and digits, starting with a letter, and none of All, Current, Same"
)]
pub struct InvalidPlatform(String);

impl FromStr for Platform {
    type Err = InvalidPlatform;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if let Some(known) = Self::KNOWN.iter().find(|p| p.0.eq_ignore_ascii_case(name)) {
            return Ok(known.clone());
        }
        let reserved = ["all", "current", "same", "sametype"];
        let valid = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.len() <= 40
            && name.chars().all(|c| c.is_ascii_alphanumeric())
            && !reserved.contains(&name.to_ascii_lowercase().as_str());
        if valid { Ok(Self(Cow::Owned(name.to_owned()))) } else { Err(InvalidPlatform(name.to_owned())) }
    }
}

impl TryFrom<String> for Platform {
    type Error = InvalidPlatform;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> Self {
        platform.0.into_owned()
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Which meetings a request covers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SourceMeetingType {
    /// Meetings on every platform that is recognised.
    #[default]
    All,
    /// Meetings on one platform.
    Platform(Platform),
}

impl SourceMeetingType {
    /// Whether a meeting on `platform` is covered.
    pub fn covers(&self, platform: &Platform) -> bool {
        match self {
            Self::All => true,
            Self::Platform(p) => p == platform,
        }
    }
}

impl FromStr for SourceMeetingType {
    type Err = InvalidPlatform;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("all") { Ok(Self::All) } else { text.parse().map(Self::Platform) }
    }
}

impl fmt::Display for SourceMeetingType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.pad("All"),
            Self::Platform(p) => p.fmt(f),
        }
    }
}

/// Where the meetings of a request go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TargetMeetingType {
    /// Each meeting stays on its platform; its coordinates are refreshed.
    #[default]
    Current,
    /// All go to one platform.
    Platform(Platform),
}

impl FromStr for TargetMeetingType {
    type Err = InvalidPlatform;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("current") {
            Ok(Self::Current)
        } else {
            text.parse().map(Self::Platform)
        }
    }
}

impl fmt::Display for TargetMeetingType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => f.pad("Current"),
            Self::Platform(p) => p.fmt(f),
        }
    }
}

/// From which meetings to which platform a request goes. Prints as `SfbToTeams`, `AllToJitsi`,
/// `ToSameType`, as `Get-CsMeetingMigrationStatus` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MigrationType {
    /// Which meetings.
    pub source: SourceMeetingType,
    /// Where to.
    pub target: TargetMeetingType,
}

impl MigrationType {
    /// The same with each platform's name in the case that it has in `configured`.
    #[must_use]
    pub fn spelled_as<'a>(&self, configured: impl IntoIterator<Item = &'a Platform> + Clone) -> Self {
        Self {
            source: match &self.source {
                SourceMeetingType::All => SourceMeetingType::All,
                SourceMeetingType::Platform(p) => {
                    SourceMeetingType::Platform(p.spelled_as(configured.clone()))
                }
            },
            target: match &self.target {
                TargetMeetingType::Current => TargetMeetingType::Current,
                TargetMeetingType::Platform(p) => TargetMeetingType::Platform(p.spelled_as(configured)),
            },
        }
    }

    /// Joins two types of the same user to the one that covers both: `SfbToTeams` and `ToSameType`
    /// make `AllToTeams`. Two different targets cannot be joined; then the later one wins for the
    /// target, and the sources are united.
    #[must_use]
    pub fn join(&self, later: &Self) -> Self {
        let target = match (&self.target, &later.target) {
            (target, TargetMeetingType::Current) => target.clone(),
            (_, target) => target.clone(),
        };
        // Refreshing in place covers whatever its source names, so beside a move it widens the move.
        let source = if self.source == later.source && self.target == later.target {
            self.source.clone()
        } else {
            match (&self.source, &later.source) {
                (SourceMeetingType::Platform(a), SourceMeetingType::Platform(b)) if a == b => {
                    self.source.clone()
                }
                _ => SourceMeetingType::All,
            }
        };
        Self { source, target }
    }
}

impl fmt::Display for MigrationType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn spelled(platform: &Platform) -> &str {
            // The original writes SfbToTeams, though the meeting type is spelled SfB.
            if *platform == Platform::SFB { "Sfb" } else { platform.name() }
        }
        let text = match (&self.source, &self.target) {
            (SourceMeetingType::All, TargetMeetingType::Current) => "ToSameType".to_owned(),
            (SourceMeetingType::Platform(p), TargetMeetingType::Current) => {
                format!("{}ToSameType", spelled(p))
            }
            (SourceMeetingType::All, TargetMeetingType::Platform(t)) => format!("AllTo{}", spelled(t)),
            (SourceMeetingType::Platform(p), TargetMeetingType::Platform(t)) => {
                format!("{}To{}", spelled(p), spelled(t))
            }
        };
        f.pad(&text)
    }
}

/// The error of a migration type that cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "\"{0}\" is not a migration type: write SOURCEToTARGET as in SfbToTeams, TeamsToTeams, AllToJitsi, or ToSameType; \
     SOURCE is All or a platform, TARGET a platform or SameType (platforms: {known})",
    known = Platform::KNOWN.iter().map(Platform::name).collect::<Vec<_>>().join(", ")
)]
pub struct InvalidMigrationType(String);

impl FromStr for MigrationType {
    type Err = InvalidMigrationType;

    /// Case does not count. A platform's name may hold "To" itself (GoTo, Moto), so every place is tried, and the
    /// split with the most names that are known wins; where that leaves several, one at a "To" in this case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Two names of 40 characters at most, and what stands between them and behind.
        const LONGEST: usize = 100;
        if text.len() > LONGEST {
            return Err(InvalidMigrationType(text.chars().take(LONGEST).collect()));
        }
        let mut best: Option<((usize, bool), Self)> = None;
        for at in 0..text.len() {
            let Some(("to" | "To" | "tO" | "TO", target)) =
                text.get(at..).and_then(|rest| rest.split_at_checked(2))
            else {
                continue;
            };
            let Some(migration) = Self::split(text.get(..at).unwrap_or_default(), target) else { continue };
            // There is one way to write each: ToTeams and AllToSameType are none.
            if !migration.to_string().eq_ignore_ascii_case(text) {
                continue;
            }
            let rank = (migration.known_names(), text.get(at..at + 2) == Some("To"));
            if best.as_ref().is_none_or(|(before, _)| rank > *before) {
                best = Some((rank, migration));
            }
        }
        best.map(|(_, migration)| migration).ok_or_else(|| InvalidMigrationType(text.to_owned()))
    }
}

impl MigrationType {
    fn split(source: &str, target: &str) -> Option<Self> {
        let source = if source.is_empty() { SourceMeetingType::All } else { source.parse().ok()? };
        let target = if target.eq_ignore_ascii_case("SameType") {
            TargetMeetingType::Current
        } else {
            TargetMeetingType::Platform(target.parse().ok()?)
        };
        Some(Self { source, target })
    }

    /// How many of the two names are known to everybody.
    fn known_names(&self) -> usize {
        let is_known = |p: &Platform| Platform::KNOWN.contains(p);
        let source = match &self.source {
            SourceMeetingType::All => true,
            SourceMeetingType::Platform(p) => is_known(p),
        };
        let target = match &self.target {
            TargetMeetingType::Current => true,
            TargetMeetingType::Platform(p) => is_known(p),
        };
        usize::from(source) + usize::from(target)
    }
}

impl TryFrom<String> for MigrationType {
    type Error = InvalidMigrationType;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<MigrationType> for String {
    fn from(value: MigrationType) -> Self {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migration(text: &str) -> MigrationType {
        text.parse().unwrap()
    }

    #[test]
    fn prints_and_parses_the_types_of_the_original() {
        for text in [
            "SfbToTeams",
            "TeamsToTeams",
            "ToSameType",
            "AllToTeams",
            "ZoomToJitsi",
            "GoToToTeams",
            "AllToGoTo",
        ] {
            assert_eq!(migration(text).to_string(), text);
        }
        let told = "Nonsense".parse::<MigrationType>().unwrap_err().to_string();
        assert!(told.contains("SfbToTeams") && told.contains("BigBlueButton"), "{told}");
        assert!("ToTeams".parse::<MigrationType>().is_err());
        assert!("é\u{130}toé".parse::<MigrationType>().is_err());
        assert!("AllToAll".parse::<MigrationType>().is_err());
    }

    #[test]
    fn case_does_not_count() {
        for (written, printed) in [
            ("sfbtoteams", "SfbToTeams"),
            ("ALLTOJITSI", "AllToJitsi"),
            ("tosametype", "ToSameType"),
            ("teamsTOsametype", "TeamsToSameType"),
            ("gototoTEAMS", "GoToToTeams"),
            ("alltogoto", "AllToGoTo"),
        ] {
            assert_eq!(migration(written).to_string(), printed);
        }
        let huddle: Platform = "Huddle".parse().unwrap();
        assert_eq!(migration("alltohuddle").spelled_as([&huddle]).to_string(), "AllToHuddle");
    }

    #[test]
    fn names_that_hold_to_are_split_at_what_is_known() {
        let sides = |text: &str| {
            let MigrationType { source, target } = migration(text);
            (source.to_string(), target.to_string())
        };
        for (text, source, target) in [
            ("GoToToTeams", "GoTo", "Teams"),
            ("GoToToGoTo", "GoTo", "GoTo"),
            ("GoToToSameType", "GoTo", "Current"),
            ("AllToToto", "All", "Toto"),
            ("MotoToHuddle", "Moto", "Huddle"),
        ] {
            assert_eq!(sides(text), (source.into(), target.into()), "{text}");
        }
    }

    #[test]
    fn joins_to_the_type_that_covers_both() {
        let joined = |a: &str, b: &str| migration(a).join(&migration(b)).to_string();
        assert_eq!(joined("SfbToTeams", "ToSameType"), "AllToTeams");
        assert_eq!(joined("ToSameType", "SfbToTeams"), "AllToTeams");
        assert_eq!(joined("SfbToTeams", "SfbToTeams"), "SfbToTeams");
        assert_eq!(joined("SfbToTeams", "TeamsToTeams"), "AllToTeams");
        assert_eq!(joined("ZoomToJitsi", "WebexToTeams"), "AllToTeams");
    }

    #[test]
    fn names_compare_without_case_and_reserved_words_are_refused() {
        assert_eq!("teams".parse::<Platform>().unwrap(), Platform::TEAMS);
        assert!("all".parse::<Platform>().is_err());
        assert!("a b".parse::<Platform>().is_err());
        assert!("".parse::<Platform>().is_err());
    }
}
