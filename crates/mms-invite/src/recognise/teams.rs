//! Microsoft Teams: its links.

use mms_model::Platform;

use super::safelinks::percent_decode;
use super::url::{Address, Join, Link, is_digits};

const HOSTS: &[&str] = &[
    "teams.microsoft.com",
    "teams.live.com",
    "teams.cloud.microsoft",
    "gov.teams.microsoft.us",
    "dod.teams.microsoft.us",
    "teams.microsoft.us",
    "teams.microsoftonline.cn",
];

pub(super) fn classify(address: &Address<'_>) -> Option<Link> {
    if HOSTS.iter().any(|host| address.is(host)) {
        return Some(on_teams(address));
    }
    let part = match address.host.as_str() {
        "aka.ms" => address.segment(0).is_some_and(|s| s.eq_ignore_ascii_case("JoinTeamsMeeting")),
        "www.microsoft.com" => address.path.iter().any(|s| s.eq_ignore_ascii_case("microsoft-teams")),
        "mysettings.lync.com" => true,
        "go.microsoft.com" => {
            address.parameter("linkid").is_some_and(|id| matches!(id, "857250" | "2030906" | "862138"))
        }
        // The gateway of Webex into Teams; not a Webex meeting.
        "www.webex.com" => address.segment(0) == Some("msteams"),
        _ => {
            address.is_within("dialin.teams.microsoft.com")
                || address.is_within("dialin.teams.microsoft.us")
                || (address.is_within("bjn.vc") || address.is_within("plcm.vc"))
        }
    };
    part.then_some(Link::Part(Platform::TEAMS))
}

fn on_teams(address: &Address<'_>) -> Link {
    let join = match address.segment(0) {
        Some("l") if address.segment(1) == Some("meetup-join") => {
            thread(&address.path.get(2..).unwrap_or_default().join("/"))
        }
        Some("meet") => address.segment(1).filter(|id| is_digits(id, 6)).map(short),
        _ => launched(address),
    };
    join.map_or(Link::Part(Platform::TEAMS), Link::Join)
}

/// The meeting of a link into the web app, which carries the join link in a parameter or fragment.
fn launched(address: &Address<'_>) -> Option<Join> {
    const JOIN: &str = "/l/meetup-join/";
    const MEET: &str = "/meet/";
    let launcher =
        address.segment(0) == Some("dl") || address.segment(0) == Some("_") || !address.fragment.is_empty();
    if !launcher {
        return None;
    }
    let inner = address
        .parameter("url")
        .map(percent_decode)
        .filter(|inner| inner.contains(JOIN) || inner.contains(MEET))
        .unwrap_or_else(|| address.fragment.to_owned());
    if let Some((_, rest)) = inner.split_once(JOIN) {
        return thread(rest.split('?').next().unwrap_or_default());
    }
    let (_, rest) = inner.split_once(MEET)?;
    let id = rest.split(['?', '&', '/']).next().filter(|id| is_digits(id, 6))?;
    Some(short(id))
}

fn short(id: &str) -> Join {
    Join::new(Platform::TEAMS, format!("teams:meet/{id}"), Some(id))
}

/// The meeting of `<thread>/<message>`. In a channel the thread is the channel's, so the message
/// that opened the meeting tells meetings apart.
fn thread(path: &str) -> Option<Join> {
    let mut segments = path.split('/');
    let thread = percent_decode(&percent_decode(segments.next()?));
    if !thread.starts_with("19:") || thread.len() < 8 {
        return None;
    }
    let message = segments.next().unwrap_or("0");
    let key =
        if is_digits(message, 2) { format!("teams:{thread}/{message}") } else { format!("teams:{thread}") };
    Some(Join::new(Platform::TEAMS, key, None))
}

/// The key in the value of `SkypeTeamsProperties`, or in an `OnlineMeetingConfLink` that leads to Teams.
pub(super) fn key_of_conference(value: &str) -> Option<String> {
    let (_, rest) = value.split_once("focus:id:teams:")?;
    let thread = rest.split('!').nth(1)?;
    let (name, suffix) = thread.rsplit_once("-thread.")?;
    (name.starts_with("19:") && suffix == "v2").then(|| format!("teams:{name}@thread.{suffix}"))
}
