//! The MAPI named properties that Skype for Business and Teams set on calendar items, and what they say
//! of a meeting.

use std::collections::BTreeMap;
use std::fmt;

use mms_model::{Address, JoinInformation, Platform};
use serde::{Deserialize, Serialize};

use super::teams;

/// The property set of a named property ([MS-OXPROPS] section 1.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PropertySet {
    /// PS_PUBLIC_STRINGS.
    PublicStrings,
    /// PSETID_Appointment.
    Appointment,
}

impl PropertySet {
    /// The GUID, in lower case.
    pub const fn guid(self) -> &'static str {
        match self {
            Self::PublicStrings => "00020329-0000-0000-c000-000000000046",
            Self::Appointment => "00062002-0000-0000-c000-000000000046",
        }
    }

    /// The value of `DistinguishedPropertySetId` in Exchange Web Services.
    pub const fn distinguished(self) -> &'static str {
        match self {
            Self::PublicStrings => "PublicStrings",
            Self::Appointment => "Appointment",
        }
    }

    fn is(self, set: &str) -> bool {
        let set = set.trim_matches(['{', '}']);
        set.eq_ignore_ascii_case(self.guid()) || set.eq_ignore_ascii_case(self.distinguished())
    }
}

/// What names a property within its set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PropertyKey {
    /// `PropertyName`.
    Name(&'static str),
    /// `PropertyId`.
    Id(u32),
}

/// The type of a property's value, as `PropertyType` spells it in Exchange Web Services and Graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PropertyType {
    /// PT_UNICODE.
    String,
    /// PT_BOOLEAN; the values are `true` and `false`.
    Boolean,
}

impl fmt::Display for PropertyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::String => "String",
            Self::Boolean => "Boolean",
        })
    }
}

macro_rules! named_properties {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $set:ident, $key:expr, $kind:ident;)*) => {
        /// A named property that speaks of an online meeting.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum NamedProperty {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl NamedProperty {
            /// Every one; what a connector asks for.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its documented name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Its property set.
            pub const fn set(self) -> PropertySet {
                match self { $(Self::$variant => PropertySet::$set,)* }
            }

            /// What names it within the set. Never address it by its tag: those beyond 0x8000 differ between
            /// mailboxes.
            pub const fn key(self) -> PropertyKey {
                match self { $(Self::$variant => $key,)* }
            }

            /// The type of its value.
            pub const fn kind(self) -> PropertyType {
                match self { $(Self::$variant => PropertyType::$kind,)* }
            }
        }
    };
}

use PropertyKey::{Id, Name};

named_properties! {
    /// Teams: join URL.
    SkypeTeamsMeetingUrl = "SkypeTeamsMeetingUrl", PublicStrings, Name("SkypeTeamsMeetingUrl"), String;
    /// Teams: JSON with the thread of the meeting.
    SkypeTeamsProperties = "SkypeTeamsProperties", PublicStrings, Name("SkypeTeamsProperties"), String;
    /// Teams: where the scheduling service takes updates.
    SchedulingServiceUpdateUrl =
        "SchedulingServiceUpdateUrl", PublicStrings, Name("SchedulingServiceUpdateUrl"), String;
    /// Teams: the page of the meeting's options.
    SchedulingServiceMeetingOptionsUrl = "SchedulingServiceMeetingOptionsUrl",
        PublicStrings, Name("SchedulingServiceMeetingOptionsUrl"), String;
    /// Teams: version of the meeting at the scheduling service.
    SkypeTeamsMeetingEtag = "SkypeTeamsMeetingETag", PublicStrings, Name("SkypeTeamsMeetingETag"), String;
    /// Teams: conference id for room systems.
    TeamsVtcConferenceId = "TeamsVtcConferenceId", PublicStrings, Name("TeamsVtcConferenceId"), String;
    /// Teams: the gateway for room systems.
    TeamsVtcTenantId = "TeamsVtcTenantId", PublicStrings, Name("TeamsVtcTenantId"), String;
    /// Both: the conference's SIP URI.
    OnlineMeetingConfLink = "OnlineMeetingConfLink", PublicStrings, Name("OnlineMeetingConfLink"), String;
    /// Skype for Business: join URL.
    OnlineMeetingExternalLink =
        "OnlineMeetingExternalLink", PublicStrings, Name("OnlineMeetingExternalLink"), String;
    /// Skype for Business: join URL inside the organisation.
    OnlineMeetingInternalLink =
        "OnlineMeetingInternalLink", PublicStrings, Name("OnlineMeetingInternalLink"), String;
    /// Both: conference id for the telephone.
    OnlineMeetingConferenceId =
        "OnlineMeetingConferenceId", PublicStrings, Name("OnlineMeetingConferenceId"), String;
    /// Both: number to dial.
    OnlineMeetingTollNumber =
        "OnlineMeetingTollNumber", PublicStrings, Name("OnlineMeetingTollNumber"), String;
    /// Both: number to dial free of charge.
    OnlineMeetingTollFreeNumber =
        "OnlineMeetingTollFreeNumber", PublicStrings, Name("OnlineMeetingTollFreeNumber"), String;
    /// Skype for Business: `tel:` URI with number and conference id.
    ConferenceTelUri = "ConferenceTelURI", PublicStrings, Name("ConferenceTelURI"), String;
    /// Skype for Business; seen in the schema of Exchange's store.
    ConferenceInfo = "ConferenceInfo", PublicStrings, Name("ConferenceInfo"), String;
    /// Skype for Business: GUID of the meeting.
    UcOpenedConferenceId = "UCOpenedConferenceID", PublicStrings, Name("UCOpenedConferenceID"), String;
    /// Skype for Business: settings (XML).
    UcMeetingSetting = "UCMeetingSetting", PublicStrings, Name("UCMeetingSetting"), String;
    /// Skype for Business: settings as last sent (XML).
    UcMeetingSettingSent = "UCMeetingSettingSent", PublicStrings, Name("UCMeetingSettingSent"), String;
    /// Skype for Business: what the client told the focus (XML).
    UcInband = "UCInband", PublicStrings, Name("UCInband"), String;
    /// Skype for Business: capabilities (XML).
    UcCapabilities = "UCCapabilities", PublicStrings, Name("UCCapabilities"), String;
    /// Skype for Business: length of the other. The type is that of the one public program that reads it
    /// and unconfirmed; read with a wrong type, a property is not there, and stays.
    UcInbandLength = "UCInbandLength", PublicStrings, Name("UCInbandLength"), String;
    /// Skype for Business: length of the other; as for [`Self::UcInbandLength`].
    UcCapabilitiesLength = "UCCapabilitiesLength", PublicStrings, Name("UCCapabilitiesLength"), String;
    /// PidLidNetShowUrl, in which some programs that copy meetings between tenants put the join URL.
    NetShowUrl = "NetShowUrl", Appointment, Id(0x8248), String;
    /// PidLidConferencingCheck, which goes with it.
    ConferencingCheck = "ConferencingCheck", Appointment, Id(0x8240), Boolean;
}

impl NamedProperty {
    /// The property with this set (GUID, with or without braces, or distinguished name) and this name or id
    /// (decimal, or hexadecimal with `0x`).
    pub fn find(set: &str, key: &str) -> Option<Self> {
        let id = match key.strip_prefix("0x").or_else(|| key.strip_prefix("0X")) {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => key.parse().ok(),
        };
        Self::ALL.iter().copied().find(|property| {
            let named = match property.key() {
                Name(name) => name.eq_ignore_ascii_case(key),
                Id(own) => id == Some(own),
            };
            named && property.set().is(set)
        })
    }

    /// The `id` of the property among Graph's `singleValueExtendedProperties`.
    pub fn graph_id(self) -> String {
        let (kind, guid) = (self.kind(), self.set().guid().to_ascii_uppercase());
        match self.key() {
            Name(name) => format!("{kind} {{{guid}}} Name {name}"),
            Id(id) => format!("{kind} {{{guid}}} Id 0x{id:04X}"),
        }
    }

    /// The property with this `id` among Graph's `singleValueExtendedProperties`, whatever the type.
    pub fn from_graph_id(id: &str) -> Option<Self> {
        let mut words = id.split_whitespace();
        let (_, set, _, key) = (words.next()?, words.next()?, words.next()?, words.next()?);
        Self::find(set, key)
    }

    /// What only tells how to dial in. A meeting that stays where it is may get other numbers.
    fn is_dial_in(self) -> bool {
        matches!(
            self,
            Self::OnlineMeetingConferenceId
                | Self::OnlineMeetingTollNumber
                | Self::OnlineMeetingTollFreeNumber
                | Self::ConferenceTelUri
        )
    }
}

/// The name in an `id` of Graph's extended properties, known here or not:
/// `String {00020329-…} Name SkypeTeamsMeetingUrl`.
pub(crate) fn graph_name(id: &str) -> Option<&str> {
    id.split_once(" Name ").map(|(_, name)| name.trim())
}

/// Properties by what they are. An empty value is none: Graph cannot delete a property, only empty it.
pub type Properties = BTreeMap<NamedProperty, String>;

/// The properties of an item whose meeting moved to `target`. Everything that speaks of the old meeting
/// goes, or Outlook keeps showing its join button; the target's own take its place.
///
/// `url_names_meeting` says that [`NamedProperty::NetShowUrl`] holds the old join URL; else it is
/// somebody's own.
pub(super) fn moved(
    old: &Properties,
    url_names_meeting: bool,
    target: &JoinInformation,
    organizer: Option<&Address>,
) -> Properties {
    let mut new = of_target(target, organizer);
    for (property, value) in old {
        let kept = match property {
            NamedProperty::NetShowUrl | NamedProperty::ConferencingCheck if !url_names_meeting => {
                Some(value.clone())
            }
            NamedProperty::NetShowUrl if target.platform == Platform::TEAMS => Some(target.join_url.clone()),
            NamedProperty::ConferencingCheck if target.platform == Platform::TEAMS => Some(value.clone()),
            _ if value.is_empty() => Some(String::new()),
            _ => None,
        };
        if let Some(value) = kept {
            new.entry(*property).or_insert(value);
        }
    }
    new
}

/// The properties of an item whose meeting stays where it is and gets `target`'s coordinates: those that
/// are there are brought up to date, none is added.
pub(super) fn refreshed(
    old: &Properties,
    target: &JoinInformation,
    organizer: Option<&Address>,
) -> Properties {
    let fresh = of_target(target, organizer);
    let microsoft = matches!(&target.platform, p if *p == Platform::TEAMS || *p == Platform::SFB);
    let mut new = old.clone();
    for (property, value) in old {
        if property.is_dial_in() && microsoft && !value.is_empty() {
            match fresh.get(property) {
                _ if dials(*property, value, target) => {}
                Some(current) => drop(new.insert(*property, current.clone())),
                None => drop(new.remove(property)),
            }
        }
    }
    // Of a meeting that goes online, the host changes. (A Teams meeting has a short and a long link.)
    let link = |url: &str| url.split('?').next().map(str::to_ascii_lowercase);
    let external = NamedProperty::OnlineMeetingExternalLink;
    let stale = old.get(&external).is_some_and(|url| !url.is_empty() && link(url) != link(&target.join_url));
    if stale && target.platform == Platform::SFB {
        new.insert(external, target.join_url.clone());
        new.remove(&NamedProperty::OnlineMeetingInternalLink);
    }
    new
}

/// Whether a dial-in property says what the target says, however it is spelled.
fn dials(property: NamedProperty, value: &str, target: &JoinInformation) -> bool {
    let mut numbers = target.dial_in.iter().map(|d| digits(&d.number));
    match property {
        NamedProperty::OnlineMeetingConferenceId => {
            target.conference_id.as_deref().is_some_and(|id| digits(id) == digits(value))
        }
        NamedProperty::ConferenceTelUri => {
            let id = target.conference_id.as_deref().map(digits).unwrap_or_default();
            numbers.any(|number| digits(value) == format!("{number}{id}"))
        }
        _ => numbers.any(|number| digits(value) == number),
    }
}

pub(super) fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// What the target's own client would set.
fn of_target(target: &JoinInformation, organizer: Option<&Address>) -> Properties {
    let mut new = Properties::new();
    let number = target.dial_in.first().map(|d| d.number.clone());
    if target.platform == Platform::TEAMS {
        new = teams::properties(&target.join_url, organizer);
        new.extend(
            target.conference_id.clone().map(|id| (NamedProperty::OnlineMeetingConferenceId, digits(&id))),
        );
        new.extend(number.map(|number| (NamedProperty::OnlineMeetingTollNumber, number)));
    } else if target.platform == Platform::SFB {
        new.insert(NamedProperty::OnlineMeetingExternalLink, target.join_url.clone());
        new.extend(
            skype_conference(&target.join_url, organizer)
                .map(|uri| (NamedProperty::OnlineMeetingConfLink, uri)),
        );
        if let (Some(number), Some(id)) = (number, &target.conference_id) {
            let uri = format!("tel:+{},,{}", digits(&number), digits(id));
            new.insert(NamedProperty::ConferenceTelUri, uri);
        }
    }
    new
}

/// The conference URI that belongs to a simple URL `https://meet.DOMAIN/USER/ID`. The URL's user and
/// domain are those of the organizer's SIP address only by custom, so it counts only where both are also the
/// organizer's mail address; clients without the URI follow the URL.
fn skype_conference(join_url: &str, organizer: Option<&Address>) -> Option<String> {
    let rest = join_url.strip_prefix("https://meet.")?;
    let mut parts = rest.split('?').next()?.trim_end_matches('/').split('/');
    let (domain, user, id) = (parts.next()?, parts.next()?, parts.next()?);
    let address = organizer?.as_str();
    let own = address.eq_ignore_ascii_case(&format!("{user}@{domain}"));
    let plain = parts.next().is_none() && id.bytes().all(|b| b.is_ascii_alphanumeric());
    (own && plain && !id.is_empty()).then(|| format!("conf:sip:{address};gruu;opaque=app:conf:focus:id:{id}"))
}
