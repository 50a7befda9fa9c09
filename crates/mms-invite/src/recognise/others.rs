//! The platforms that need no more than their links.

use mms_model::Platform;

use super::safelinks::percent_decode;
use super::url::{Address, Join, Link, is_digits, is_room};

pub(super) fn classify(address: &Address<'_>) -> Option<Link> {
    hosted(address).or_else(|| self_hosted(address))
}

fn joined(platform: Platform, id: &str, printed: bool) -> Option<Link> {
    // Tokens of these two are base64; elsewhere rooms compare without case.
    let exact = platform == Platform::FACETIME || platform == Platform::SKYPE;
    let room = if exact { id.to_owned() } else { id.to_ascii_lowercase() };
    let key = format!("{}:{room}", platform.name().to_ascii_lowercase());
    Some(Link::Join(Join::new(platform, key, printed.then_some(id))))
}

/// Services of one vendor, by their hosts.
fn hosted(address: &Address<'_>) -> Option<Link> {
    let first = address.segment(0);
    let room = first.filter(|name| is_room(name));
    let second = address.segment(1).filter(|name| is_room(name));
    if address.is_within("bluejeans.com") {
        return match first? {
            id if is_digits(id, 5) => joined(Platform::BLUEJEANS, id, true),
            "numbers" | "premium-numbers" => Some(Link::Part(Platform::BLUEJEANS)),
            _ => None,
        };
    }
    match address.host.as_str() {
        "chime.aws" | "app.chime.aws" => {
            let id = if first == Some("meetings") { second } else { room }?;
            match id {
                "dialinnumbers" | "download" | "dialin" => Some(Link::Part(Platform::CHIME)),
                id => joined(Platform::CHIME, id, is_digits(id, 5)),
            }
        }
        "meetings.ringcentral.com"
        | "v.ringcentral.com"
        | "video.ringcentral.com"
        | "app.ringcentral.com" => match first? {
            "j" | "join" => joined(Platform::RINGCENTRAL, second?, is_digits(second?, 5)),
            "teleconference" | "dial-in" => Some(Link::Part(Platform::RINGCENTRAL)),
            _ => None,
        },
        "whereby.com" | "www.whereby.com" | "appear.in" => match room? {
            "information" | "blog" | "user" | "pricing" | "help" | "org" | "legal" | "about" => None,
            room => joined(Platform::WHEREBY, room, false),
        },
        "meet.starleaf.com" | "meeting.starleaf.com" | "call.sl" => {
            let id = room?;
            joined(Platform::STARLEAF, id, is_digits(id, 5))
        }
        "call.lifesizecloud.com" | "guest.lifesize.com" | "call.lifesize.com" => match room? {
            "numbers" | "otherways" => Some(Link::Part(Platform::LIFESIZE)),
            id => joined(Platform::LIFESIZE, id, is_digits(id, 4)),
        },
        "facetime.apple.com" if first == Some("join") => {
            let parameters = if address.fragment.is_empty() { address.query } else { address.fragment };
            (!parameters.is_empty()).then(|| joined(Platform::FACETIME, parameters, false))?
        }
        "join.skype.com" => {
            let id = if first == Some("invite") { second } else { room }?;
            joined(Platform::SKYPE, id, false)
        }
        "pexip.me" | "meet.pexip.me" => joined(Platform::PEXIP, room?, false),
        host if host.ends_with(".whereby.com") && address.standard_port => {
            joined(Platform::WHEREBY, room?, false)
        }
        host if host.ends_with(".lifesizecloud.com") && address.standard_port => {
            Some(Link::Part(Platform::LIFESIZE))
        }
        _ => named(address),
    }
}

/// Vendors that the model has no constant for.
fn named(address: &Address<'_>) -> Option<Link> {
    let room = address.segment(0).filter(|name| is_room(name));
    let (name, id) = match address.host.as_str() {
        "meetings.dialpad.com" | "www.uberconference.com" | "uberconference.com" => ("Dialpad", room?),
        "join.freeconferencecall.com" => ("FreeConferenceCall", room?),
        "meeting.zoho.com" | "meeting.zoho.eu" | "meet.zoho.com" => {
            ("ZohoMeeting", address.parameter("key").or_else(|| address.path.last().copied())?)
        }
        "meet.vonage.com" | "freeconference.vonage.com" => ("Vonage", room?),
        _ => return None,
    };
    joined(name.parse().ok()?, id, is_digits(id, 5))
}

/// Servers that organisations run themselves, by paths that no other software has.
fn self_hosted(address: &Address<'_>) -> Option<Link> {
    let last = address.path.last().copied().unwrap_or_default();
    if last == "invited.sf" && address.parameter("secret").is_some() {
        let id = address.parameter("id").unwrap_or_default();
        let key = format!("ciscomeetingserver:{}/{id}", address.host);
        let join = Join::new(Platform::CISCO_MEETING_SERVER, key, (!id.is_empty()).then_some(id));
        return Some(Link::Join(join));
    }
    if address.segment(0) == Some("meeting") && is_digits(last, 4) && address.parameter("secret").is_some() {
        let key = format!("ciscomeetingserver:{}/{last}", address.host);
        return Some(Link::Join(Join::new(Platform::CISCO_MEETING_SERVER, key, Some(last))));
    }
    if address.path == ["teams"] {
        let conference = percent_decode(address.parameter("conf").or_else(|| address.parameter("key"))?);
        let key = format!("pexip:{}/{}", address.host, conference.to_lowercase());
        return Some(Link::Gateway(Join::new(Platform::PEXIP, key, Some(&conference))));
    }
    pexip(address)
}

/// The web app of Pexip Infinity: `/webapp/conference/ALIAS`, `/webapp/m/ALIAS`,
/// `/webapp/#/?conference=ALIAS`, `/webapp/home?conference=ALIAS`.
fn pexip(address: &Address<'_>) -> Option<Link> {
    let first = address.segment(0)?;
    if !matches!(first, "webapp" | "webapp2" | "webapp3") {
        return None;
    }
    let alias = match address.segment(1) {
        Some("conference" | "m") => percent_decode(address.segment(2)?),
        _ => {
            let in_fragment = address.fragment.split(['?', '&']).find_map(|p| p.strip_prefix("conference="));
            percent_decode(address.parameter("conference").or(in_fragment)?)
        }
    };
    let key = format!("pexip:{}/{}", address.host, alias.to_lowercase());
    Some(Link::Join(Join::new(Platform::PEXIP, key, None)))
}
