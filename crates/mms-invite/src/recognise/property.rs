//! Properties that meeting services set on events, in iCalendar, MAPI and Graph.

use mms_model::Platform;

use super::merge::{Origin, Source};
use super::url::Link;
use super::{Recogniser, safelinks, skype, teams};

/// Reads one property; whether it names an online meeting. Empty values are nothing: Exchange
/// writes them on ordinary events.
pub(super) fn read(recogniser: &Recogniser, name: &str, value: &str, sources: &mut Vec<Source>) -> bool {
    let value = value.trim();
    if value.is_empty() {
        return false;
    }
    let upper = name.to_ascii_uppercase();
    let short = upper.strip_prefix("X-MICROSOFT-").unwrap_or(&upper);
    match short {
        "SKYPETEAMSMEETINGURL"
        | "ONLINEMEETINGEXTERNALLINK"
        | "ONLINEMEETINGINTERNALLINK"
        | "ONLINEMEETINGURL" => {
            if let Some(source) = link(recogniser, value, true) {
                sources.push(source);
            }
            true
        }
        "ONLINEMEETINGCONFLINK" => {
            sources.extend(conference(value));
            true
        }
        "SKYPETEAMSPROPERTIES" => {
            sources.extend(thread(value));
            true
        }
        "CONFERENCETELURI" => {
            sources.push(telephone(value));
            true
        }
        "ONLINEMEETINGCONFERENCEID" => {
            let mut source = Source::new(Origin::Property, Platform::TEAMS);
            source.meeting_id = Some(value.to_owned());
            sources.push(source);
            true
        }
        "ONLINEMEETINGTOLLNUMBER" | "ONLINEMEETINGTOLLFREENUMBER" => {
            let mut source = Source::new(Origin::Property, Platform::TEAMS);
            source.has_dial_in = true;
            sources.push(source);
            true
        }
        "SCHEDULINGSERVICEUPDATEURL"
        | "SCHEDULINGSERVICEMEETINGOPTIONSURL"
        | "ONLINEMEETINGINFORMATION"
        | "SKYPETEAMSMEETINGETAG"
        | "TEAMSVTCCONFERENCEID"
        | "TEAMSVTCTENANTID"
        | "UCOPENEDCONFERENCEID"
        | "UCMEETINGSETTING"
        | "UCMEETINGSETTINGSENT"
        | "UCINBAND"
        | "UCCAPABILITIES" => true,
        "LOCATIONDISPLAYNAME" => super::location::is_provider_label(recogniser, value),
        "LOCATIONS" => names_only_providers(recogniser, value),
        "CONFERENCE" if starts_with(value, "tel:") => true,
        _ if short == "JOINURL" || value.contains("://") && value.len() <= 4096 => {
            let Some(source) = link(recogniser, value, false) else { return false };
            sources.push(source);
            true
        }
        _ => false,
    }
}

fn starts_with(value: &str, scheme: &str) -> bool {
    value.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

/// A property whose value is a join URL. Where the property itself says that it is one, an
/// unknown host is a Skype for Business simple URL.
fn link(recogniser: &Recogniser, value: &str, certain: bool) -> Option<Source> {
    let url = safelinks::unwrap(value);
    let join = match recogniser.link(&url) {
        Some(Link::Join(join)) => join,
        Some(Link::Weak(join)) if certain => join,
        None if certain && starts_with(&url, "http") => {
            super::url::Join::new(Platform::SFB, format!("sfb:{url}"), None)
        }
        _ => return None,
    };
    let mut source = Source::new(Origin::Property, join.platform);
    source.keys.push(join.key);
    source.link_id = join.id;
    source.passcode = join.passcode;
    source.url = Some(url.into_owned());
    Some(source)
}

fn conference(value: &str) -> Option<Source> {
    // Teams items carry a GRUU of the same shape.
    let teams = value.contains("focus:id:teams:");
    let key = if teams { teams::key_of_conference(value) } else { skype::key_of_conference(value) };
    let mut source = Source::new(Origin::Property, if teams { Platform::TEAMS } else { Platform::SFB });
    source.keys.push(key?);
    Some(source)
}

/// The thread in SkypeTeamsProperties. A channel's thread holds many meetings and names none.
fn thread(value: &str) -> Option<Source> {
    let properties: serde_json::Value = serde_json::from_str(value).ok()?;
    let thread = properties.get("cid")?.as_str().filter(|cid| cid.ends_with("@thread.v2"))?;
    let mut source = Source::new(Origin::Property, Platform::TEAMS);
    source.keys.push(format!("teams:{thread}"));
    Some(source)
}

/// `tel:+4612345,,68138`: number, pauses, conference id.
fn telephone(value: &str) -> Source {
    let mut source = Source::new(Origin::Property, Platform::SFB);
    source.has_dial_in = true;
    source.meeting_id = value
        .rsplit(',')
        .next()
        .filter(|_| value.contains(",,"))
        .map(|id| id.trim_end_matches('#').to_owned());
    source
}

/// Whether X-MICROSOFT-LOCATIONS lists nothing but providers' labels; with a room in it, it stays.
fn names_only_providers(recogniser: &Recogniser, value: &str) -> bool {
    let Ok(serde_json::Value::Array(places)) = serde_json::from_str::<serde_json::Value>(value) else {
        return false;
    };
    let label = |place: &serde_json::Value| {
        place
            .get("DisplayName")
            .and_then(|name| name.as_str())
            .is_some_and(|name| super::location::is_provider_label(recogniser, name))
    };
    !places.is_empty() && places.iter().all(label)
}
