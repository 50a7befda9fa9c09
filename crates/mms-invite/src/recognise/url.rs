//! Which platform a link belongs to, and what it is there: by exact host and path, never by words.

use mms_model::Platform;
use url::Url;

use super::{big_blue_button, google_meet, goto, jitsi, others, skype, teams, webex, zoom};

/// What a link is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Link {
    /// Joins a meeting.
    Join(Join),
    /// Has the shape of a join link of a self-hosted service; counts only with more evidence.
    Weak(Join),
    /// A gateway between a room system and a Teams meeting: part of a Teams block, a meeting of its
    /// own only where no Teams meeting is near.
    Gateway(Join),
    /// Belongs to a platform's block without joining: dial-in numbers, meeting options, help.
    Part(Platform),
}

/// The meeting that a link joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Join {
    /// Its platform.
    pub platform: Platform,
    /// Its canonical key.
    pub key: String,
    /// The meeting id in the link, where links of the platform hold one.
    pub id: Option<String>,
    /// The passcode, where a custom pattern names it.
    pub passcode: Option<String>,
}

impl Join {
    pub(super) fn new(platform: Platform, key: String, id: Option<&str>) -> Self {
        Self { platform, key, id: id.map(str::to_owned), passcode: None }
    }
}

/// Hosts of self-hosted services that the administrator named, lower-cased.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    pub skype: Vec<String>,
    pub jitsi: Vec<String>,
    pub big_blue_button: Vec<String>,
}

/// A web address taken apart.
pub(super) struct Address<'a> {
    /// The address as written.
    pub raw: &'a str,
    /// Lower-case host.
    pub host: String,
    /// Whether the port is the scheme's own.
    pub standard_port: bool,
    /// Path segments that are not empty, as written.
    pub path: Vec<&'a str>,
    /// Query as written, without `?`.
    pub query: &'a str,
    /// Fragment as written, without `#`.
    pub fragment: &'a str,
}

impl<'a> Address<'a> {
    /// Takes `raw` apart. None for what is no http(s) address, and for addresses with a user
    /// part, which only serve to mislead (`https://zoom.us@evil.test/`).
    pub(super) fn parse(raw: &'a str) -> Option<Self> {
        const MAX_LENGTH: usize = 16 * 1024;
        if raw.len() > MAX_LENGTH {
            return None;
        }
        let (host, standard_port) = match plain_host(raw) {
            Some(host) => (host.to_owned(), true),
            None => host_of(raw)?,
        };
        let rest = raw.split_once("://")?.1;
        // A backslash is a slash to browsers but hides host or path from readers: never a join link.
        if rest.split(['?', '#']).next().is_some_and(|place| place.contains('\\')) {
            return None;
        }
        let rest = rest.find(['/', '?', '#']).and_then(|at| rest.get(at..)).unwrap_or_default();
        let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let path = path.split('/').filter(|segment| !segment.is_empty()).collect();
        Some(Self { raw, host, standard_port, path, query, fragment })
    }

    /// Whether the host is `domain` or below it, on the standard port.
    pub(super) fn is_within(&self, domain: &str) -> bool {
        self.standard_port
            && self.host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// Whether the host is exactly `host`, on the standard port.
    pub(super) fn is(&self, host: &str) -> bool {
        self.standard_port && self.host == host
    }

    /// Whether `hosts` names this host, with or without its port.
    pub(super) fn is_any(&self, hosts: &[String]) -> bool {
        hosts.iter().any(|h| {
            *h == self.host
                || h.strip_prefix(&self.host).is_some_and(|port| {
                    port.starts_with(':') && self.raw.to_ascii_lowercase().contains(h.as_str())
                })
        })
    }

    /// A query parameter as written.
    pub(super) fn parameter(&self, name: &str) -> Option<&'a str> {
        self.query
            .split(['&', ';'])
            .filter_map(|pair| pair.split_once('='))
            .find_map(|(key, value)| {
                key.trim_start_matches("amp;").eq_ignore_ascii_case(name).then_some(value)
            })
            .filter(|value| !value.is_empty())
    }

    /// Path segment `index`, as written.
    pub(super) fn segment(&self, index: usize) -> Option<&'a str> {
        self.path.get(index).copied()
    }
}

/// The host of an address in which nothing needs to be decoded, as nearly all are: a lower-case name of a public
/// domain, no user, no port.
pub(super) fn plain_host(raw: &str) -> Option<&str> {
    let rest = raw.strip_prefix("https://").or_else(|| raw.strip_prefix("http://"))?;
    let host = rest.get(..rest.find(['/', '?', '#']).unwrap_or(rest.len()))?;
    let plain = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    // The last label of an IPv4 address is a number; names in other alphabets begin with xn--.
    let ends_in_letter = host.bytes().next_back().is_some_and(|b| b.is_ascii_lowercase());
    let hexadecimal = host.rsplit('.').next().is_some_and(|label| label.starts_with("0x"));
    (host.bytes().all(plain) && ends_in_letter && !hexadecimal && host.len() <= 253 && !host.contains("xn--"))
        .then_some(host)
}

/// The host and whether the port is the scheme's own, as browsers read them. None for what is no http(s) address,
/// and for addresses with a user part.
fn host_of(raw: &str) -> Option<(String, bool)> {
    let url = Url::parse(raw).ok()?;
    if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    Some((url.host_str()?.to_ascii_lowercase(), url.port().is_none()))
}

/// Whether `text` is `length` or more ASCII digits.
pub(super) fn is_digits(text: &str, minimum: usize) -> bool {
    text.len() >= minimum && text.len() <= 24 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Whether `text` can be the name of a room: no file, no markup, not too long.
pub(super) fn is_room(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 200
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '%' | '~' | '.' | '+' | '!' | '='))
        && !["html", "htm", "php", "js", "css", "png", "jpg", "svg", "pdf", "ico", "txt", "json"]
            .iter()
            .any(|end| text.rsplit_once('.').is_some_and(|(_, e)| e.eq_ignore_ascii_case(end)))
}

/// What the link is, wrappers already taken off.
pub(super) fn classify(url: &str, hosts: &Hosts) -> Option<Link> {
    let address = Address::parse(url)?;
    jitsi::configured(&address, hosts)
        .or_else(|| big_blue_button::configured(&address, hosts))
        .or_else(|| skype::configured(&address, hosts))
        .or_else(|| teams::classify(&address))
        .or_else(|| zoom::classify(&address))
        .or_else(|| webex::classify(&address))
        .or_else(|| google_meet::classify(&address))
        .or_else(|| goto::classify(&address))
        .or_else(|| jitsi::classify(&address))
        .or_else(|| others::classify(&address))
        .or_else(|| big_blue_button::classify(&address))
        .or_else(|| skype::classify(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(url: &str) -> Option<String> {
        match classify(url, &Hosts::default()) {
            Some(Link::Join(join)) => Some(join.key),
            _ => None,
        }
    }

    #[test]
    fn one_key_for_every_way_to_write_a_meeting() {
        for (a, b) in [
            (
                "https://teams.microsoft.com/l/meetup-join/19%3ameeting_Abc%40thread.v2/0?context=%7b%22Tid%22%7d",
                "https://TEAMS.microsoft.com/l/meetup-join/19:meeting_Abc@thread.v2/0",
            ),
            (
                "https://teams.microsoft.com/l/meetup-join/19%3Ameeting_Abc%40thread.v2/0",
                "https://teams.microsoft.com/dl/launcher/launcher.html?url=%2F_%23%2Fl%2Fmeetup-join%2F19%3Ameeting_Abc%40thread.v2%2F0%3Fcontext%3D1&type=meetup-join",
            ),
            ("https://us02web.zoom.us/j/87324397243?pwd=x", "https://zoom.us/wc/join/87324397243"),
            ("https://meet.google.com/abc-defg-hij?authuser=0", "https://meet.google.com/abc-defg-hij"),
            (
                "https://meet.lync.com/contoso/user/ABCD1234",
                "https://meet.lync.com/contoso/user/ABCD1234?sl=1",
            ),
            ("https://meet.jit.si/MyRoom#config.x=1", "https://meet.jit.si/myroom"),
            ("https://bluejeans.com/184405040?src=calendarLink", "https://bluejeans.com/184405040/4444"),
        ] {
            assert!(key(a).is_some(), "{a}");
            assert_eq!(key(a), key(b), "{a} {b}");
        }
    }

    #[test]
    fn hosts_must_match_exactly() {
        for url in [
            "https://zoom.us.evil.test/j/123456789",
            "https://evilzoom.us/j/123456789",
            "https://zoom.us@evil.test/j/123456789",
            "https://evil.test/zoom.us/j/123456789",
            "https://evil.test/?u=https://zoom.us/j/123456789",
            "https://zoom.us:8443/j/123456789",
            "https://evil.test\\@zoom.us/j/123456789",
            "https://teams.microsoft.com.evil.test/l/meetup-join/19%3ameeting_Abc%40thread.v2/0",
            "https://meet.google.com.evil.test/abc-defg-hij",
            "https://meet.google.com/abc-defg-hijk",
            "https://notmeet.jit.si/Room",
            "ftp://zoom.us/j/123456789",
            "https://zoom.us/rec/share/abc",
            "https://www.webex.com/msteams?confid=1",
            "https://mysettings.lync.com/pstnconferencing",
            "https://",
            "https://[::1/j/1",
        ] {
            assert_eq!(key(url), None, "{url}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_plain_host_is_the_one_that_browsers_see(
            host in "(0x)?[a-zA-Z0-9.:@%é\\\\-]{0,12}", end in "([/?#][a-z@:\\\\]{0,4})?"
        ) {
            let raw = format!("https://{host}{end}");
            if let Some(plain) = plain_host(&raw) {
                proptest::prop_assert_eq!(Some((plain.to_owned(), true)), host_of(&raw));
            }
        }
    }

    #[test]
    fn skypes_links_on_the_host_of_a_jitsi_server_stay_skypes() {
        let hosts = Hosts { jitsi: vec!["meet.example.org".to_owned()], ..Hosts::default() };
        let key = |path: &str| match classify(&format!("https://meet.example.org/{path}"), &hosts) {
            Some(Link::Join(join)) => Some(join.key),
            _ => None,
        };
        assert_eq!(key("anna.muster/6N2YGD5G").as_deref(), Some("sfb:6N2YGD5G"));
        assert_eq!(key("meet/anna/6N2YGD5G").as_deref(), Some("sfb:6N2YGD5G"));
        assert_eq!(key("Planning").as_deref(), Some("jitsi:meet.example.org/planning"));
        assert_eq!(
            key("tenant/WeeklyPlanning").as_deref(),
            Some("jitsi:meet.example.org/tenant/weeklyplanning")
        );
    }
}
