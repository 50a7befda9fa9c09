//! What becomes of the properties that name an online meeting.

use mms_model::{JoinInformation, Platform};

/// The change of one property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// Stays.
    Keep,
    /// Gets another value.
    Value(String),
    /// Becomes another line, parameters and all.
    Line(String),
    /// Goes: it says something of the old meeting that is not so of the new one.
    Remove,
}

/// Properties that Exchange and its clients draw a join button or dial-in from (Microsoft Open
/// Specifications [MS-OXCICAL]; the X-MICROSOFT- names as Exchange writes them). They go together, or a client
/// keeps joining the old meeting.
const MICROSOFT: &[&str] = &[
    "X-MICROSOFT-SKYPETEAMSMEETINGURL",
    "X-MICROSOFT-SKYPETEAMSPROPERTIES",
    "X-MICROSOFT-SCHEDULINGSERVICEUPDATEURL",
    "X-MICROSOFT-SCHEDULINGSERVICEMEETINGOPTIONSURL",
    "X-MICROSOFT-ONLINEMEETINGINFORMATION",
    "X-MICROSOFT-ONLINEMEETINGCONFERENCEID",
    "X-MICROSOFT-ONLINEMEETINGTOLLNUMBER",
    "X-MICROSOFT-ONLINEMEETINGTOLLFREENUMBER",
    "X-MICROSOFT-ONLINEMEETINGCONFLINK",
    "X-MICROSOFT-ONLINEMEETINGEXTERNALLINK",
    "X-MICROSOFT-ONLINEMEETINGINTERNALLINK",
    "X-MICROSOFT-CONFERENCETELURI",
];

/// What becomes of the property `name`, whose value names an online meeting where `named` is set.
/// `moved` says that the meeting leaves where it was; `conferences` counts the CONFERENCE lines changed
/// before this one.
pub(super) fn change(
    name: &str,
    value: &str,
    named: bool,
    old: &Platform,
    target: &JoinInformation,
    moved: bool,
    conferences: usize,
) -> Change {
    if value.trim().is_empty() {
        return Change::Keep;
    }
    let microsoft = *old == Platform::TEAMS || *old == Platform::SFB;
    if microsoft && *old != target.platform && MICROSOFT.contains(&name) {
        return Change::Remove;
    }
    if moved && name == "CONFERENCE" && !is_link(value) {
        return Change::Remove;
    }
    if !named {
        return Change::Keep;
    }
    match name {
        "CONFERENCE" if conferences > 0 => Change::Remove,
        // Its label and features speak of the old meeting, too.
        "CONFERENCE" if value != target.join_url => Change::Line(conference(target)),
        "CONFERENCE" => Change::Keep,
        "URL" => set(value, &target.join_url),
        _ if value.trim_start().starts_with("http") && !vendor(name) => set(value, &target.join_url),
        _ if *old == target.platform && value.trim_start().starts_with("http") => {
            set(value, &target.join_url)
        }
        _ => Change::Remove,
    }
}

/// Whether a CONFERENCE is a link to follow, and no number to dial (RFC 7986 section 5.11).
pub(super) fn is_link(value: &str) -> bool {
    let scheme = value.split(':').next().unwrap_or_default().to_ascii_lowercase();
    !matches!(scheme.as_str(), "tel" | "sip" | "sips")
}

/// A CONFERENCE line for the new meeting.
pub(super) fn conference(target: &JoinInformation) -> String {
    // A parameter value cannot hold quotes or control characters (RFC 5545 section 3.2).
    let label: String = target.display_name.chars().filter(|c| !c.is_control() && *c != '"').collect();
    format!("CONFERENCE;VALUE=URI;FEATURE=AUDIO,VIDEO;LABEL=\"{label}\":{}", target.join_url)
}

/// Whether a property belongs to one vendor's clients, so that another platform's link has no place in
/// it.
fn vendor(name: &str) -> bool {
    ["X-MICROSOFT-", "X-GOOGLE-", "X-ZOOM", "X-WEBEX", "X-SKYPE", "X-TEAMS", "X-GOTO", "X-JITSI"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

fn set(value: &str, url: &str) -> Change {
    if value == url { Change::Keep } else { Change::Value(url.to_owned()) }
}
