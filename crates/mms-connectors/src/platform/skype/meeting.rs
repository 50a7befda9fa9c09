//! An online meeting as UCWA writes it, and what is asked for.

use jiff::{SignedDuration, Timestamp};
use mms_model::port::ProvisionRequest;
use serde_json::{Map, Value, json};
use url::Url;

use super::settings::SkypeSettings;

/// The properties of a meeting that a client sets. A PUT replaces them all.
const SETTABLE: &[&str] = &[
    "accessLevel",
    "attendees",
    "automaticLeaderAssignment",
    "description",
    "entryExitAnnouncement",
    "expirationTime",
    "leaders",
    "lobbyBypassForPhoneUsers",
    "phoneUserAdmission",
    "subject",
];
/// The value of the property that a PUT must carry back. Its name is a GUID.
const CARRIED: &str = "please pass this in a PUT request";
/// What a meeting outlives its last occurrence by: people come late, and a series is prolonged.
const MARGIN: SignedDuration = SignedDuration::from_hours(14 * 24);
/// The latest expiration that the server takes, ten years (myOnlineMeetings, POST), less what the clocks of two machines
/// and leap days may differ by.
const LATEST: SignedDuration = SignedDuration::from_hours((10 * 365 - 14) * 24);
/// An expiration that is short of what is wanted by less is left as it is.
const TOLERATED: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The longest text that goes into an invite or comes out of a list.
const LONGEST: usize = 2000;
/// The longest subject that is sent. That the server takes this much is not confirmed; Outlook's own are shorter.
const LONGEST_SUBJECT: usize = 250;

/// A meeting that stands on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scheduled {
    /// `onlineMeetingId`, the last part of the join URL.
    pub(super) id: String,
    pub(super) join_url: Option<String>,
    pub(super) conference_id: Option<String>,
    /// None where the answer does not say.
    pub(super) description: Option<String>,
    pub(super) expires: Option<Timestamp>,
    /// Where it is, as the answer says.
    pub(super) own: Option<String>,
}

impl Scheduled {
    /// Reads a `myOnlineMeeting`; none where it has no id.
    pub(super) fn read(json: &Value) -> Option<Self> {
        let own = link(json, "self").map(str::to_owned);
        let id = text(json, "onlineMeetingId");
        let last = || own.as_deref()?.rsplit('/').next().filter(|id| !id.is_empty()).map(str::to_owned);
        Some(Self {
            id: id.or_else(last)?,
            join_url: text(json, "joinUrl").filter(|url| is_web_address(url)),
            conference_id: text(json, "conferenceId"),
            description: json.get("description").and_then(Value::as_str).map(str::to_owned),
            expires: json.get("expirationTime").and_then(Value::as_str).and_then(date),
            own,
        })
    }

    /// The meetings of a `myOnlineMeetings`: whole ones, or links to them.
    pub(super) fn list(json: &Value) -> Vec<Self> {
        let embedded = json.get("_embedded").and_then(|all| all.get("myOnlineMeeting"));
        let linked = json.get("_links").and_then(|all| all.get("myOnlineMeeting"));
        let mut found: Vec<Self> = several(embedded).filter_map(Self::read).collect();
        for link in several(linked) {
            let meeting = Self::read(&json!({"_links": {"self": link}}));
            found.extend(meeting.filter(|new| found.iter().all(|known| known.id != new.id)));
        }
        found
    }
}

/// A link of a resource.
pub(super) fn link<'a>(json: &'a Value, rel: &str) -> Option<&'a str> {
    json.get("_links")?.get(rel)?.get("href")?.as_str().filter(|href| !href.is_empty())
}

/// The elements of a list; one that stands by itself is one.
fn several(json: Option<&Value>) -> impl Iterator<Item = &Value> {
    json.into_iter().flat_map(|json| match json {
        Value::Array(all) => all.as_slice(),
        Value::Null => &[],
        one => std::slice::from_ref(one),
    })
}

/// A text that may go into an invite: one line, of a length that a coordinate may have.
pub(super) fn text(json: &Value, name: &str) -> Option<String> {
    let text = json.get(name)?.as_str()?.trim();
    let sound = !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control);
    sound.then(|| text.to_owned())
}

fn is_web_address(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| url.scheme() == "https" && url.host().is_some())
}

/// A date, as `/Date(milliseconds)/` (with an offset or without) or as ISO 8601 writes it.
pub(super) fn date(text: &str) -> Option<Timestamp> {
    match text.strip_prefix("/Date(").and_then(|rest| rest.strip_suffix(")/")) {
        Some(inside) => {
            // The offset is the local time zone's; the milliseconds are UTC all the same.
            let end = inside.get(1..)?.find(['+', '-']).map_or(inside.len(), |at| at + 1);
            Timestamp::from_millisecond(inside.get(..end)?.parse().ok()?).ok()
        }
        None => text.parse().ok(),
    }
}

/// A date as the server's JSON samples write it.
fn written_date(at: Timestamp) -> Value {
    json!(format!("/Date({})/", at.as_millisecond()))
}

/// JSON as it is sent. A serializer of .NET may tell a date by its escaped slashes (unconfirmed; the samples have them);
/// to every other reader the text is the same.
pub(super) fn written(body: &Value) -> String {
    body.to_string().replace("\"/Date(", "\"\\/Date(").replace(")/\"", ")\\/\"")
}

/// By what a meeting of ours is found again. It stands in the description, which the Outlook add-in does not show.
pub(super) fn marker(external_id: &str) -> String {
    format!("MMS {external_id}")
}

/// The external id in a description; somebody may have added to it.
pub(super) fn marked(description: &str) -> Option<&str> {
    let mut words = description.split_whitespace();
    words.find(|word| *word == "MMS")?;
    words.next()
}

/// When the meeting may be deleted: some time after the last occurrence. A series whose end nobody says is kept as long
/// as the server keeps a meeting at all, because the default of eight hours deletes it before it takes place.
pub(super) fn wanted_expiration(request: &ProvisionRequest, now: Timestamp) -> Timestamp {
    let later = |at: Timestamp, by| at.saturating_add(by).unwrap_or(at);
    let latest = later(now, LATEST);
    match request.last_end {
        None => latest,
        Some(end) => later(end.max(request.start.unwrap_or(end)).max(now), MARGIN).min(latest),
    }
}

/// Whether a meeting lives long enough as it is. Where the server does not say, it is what was asked for when it was made.
pub(super) fn lives_long_enough(
    expires: Option<Timestamp>,
    wanted: Timestamp,
    request: &ProvisionRequest,
) -> bool {
    let tolerated = if request.last_end.is_some() { SignedDuration::ZERO } else { TOLERATED };
    expires.is_none_or(|at| at >= wanted.saturating_sub(tolerated).unwrap_or(wanted))
}

/// People's SIP URIs, where they are of the organisation: the server refuses others.
pub(super) fn internal<'a>(uris: impl Iterator<Item = &'a str>, sip_domains: &[String]) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for uri in uris {
        let bare = match uri.get(..4) {
            Some(scheme) if scheme.eq_ignore_ascii_case("sip:") => &uri[4..],
            _ => uri,
        };
        let domain = bare.rsplit_once('@').map(|(_, domain)| domain.trim());
        let is_internal = domain.is_some_and(|d| sip_domains.iter().any(|own| own.eq_ignore_ascii_case(d)));
        let uri = format!("sip:{}", bare.trim());
        if is_internal && !kept.iter().any(|known| known.eq_ignore_ascii_case(&uri)) {
            kept.push(uri);
        }
    }
    kept
}

/// What a POST asks for. Properties that no setting names are left out: the server takes `onlineMeetingDefaultValues` for them,
/// which are the administrator's, and so it is with whether the meeting is joined by telephone.
pub(super) fn wanted(
    request: &ProvisionRequest,
    settings: &SkypeSettings,
    leaders: &[String],
    now: Timestamp,
) -> Value {
    let mut body = Map::new();
    body.insert("subject".to_owned(), json!(subject(&request.subject)));
    body.insert("description".to_owned(), json!(marker(&request.external_id)));
    body.insert("expirationTime".to_owned(), written_date(wanted_expiration(request, now)));
    body.insert("attendees".to_owned(), json!([]));
    body.insert("leaders".to_owned(), json!(leaders));
    for (name, _, value) in chosen(settings) {
        body.insert(name.to_owned(), json!(value));
    }
    Value::Object(body)
}

/// The settings that choose a value: the property, the list that names the eligible ones, the value.
pub(super) fn chosen(settings: &SkypeSettings) -> Vec<(&'static str, &'static str, &'static str)> {
    let lobby = settings.lobby_bypass_for_phone_users.map(|on| if on { "Enabled" } else { "Disabled" });
    [
        ("accessLevel", "accessLevels", settings.access_level.map(|level| level.name())),
        (
            "automaticLeaderAssignment",
            "automaticLeaderAssignments",
            settings.automatic_leader_assignment.map(|who| who.name()),
        ),
        ("lobbyBypassForPhoneUsers", "lobbyBypassForPhoneUsersSettings", lobby),
    ]
    .into_iter()
    .filter_map(|(name, listed, value)| Some((name, listed, value?)))
    .collect()
}

/// The setting that chooses a property.
pub(super) fn setting_of(property: &str) -> &'static str {
    match property {
        "accessLevel" => "access_level",
        "automaticLeaderAssignment" => "automatic_leader_assignment",
        _ => "lobby_bypass_for_phone_users",
    }
}

/// What a PUT sends: everything that can be set as it is, with another expiration, and without people whom the server
/// would refuse; besides, the meeting's id and the property that asks to be sent back, as clients of UCWA do.
pub(super) fn prolonged(meeting: &Value, expires: Timestamp, sip_domains: &[String]) -> Value {
    let mut body = Map::new();
    for name in SETTABLE {
        let value = meeting.get(*name).filter(|value| !value.is_null());
        body.extend(value.map(|value| ((*name).to_owned(), value.clone())));
    }
    for name in ["attendees", "leaders"] {
        let Some(listed) = meeting.get(name).and_then(Value::as_array) else { continue };
        let people = listed.iter().filter_map(Value::as_str);
        body.insert(name.to_owned(), json!(internal(people, sip_domains)));
    }
    body.insert("expirationTime".to_owned(), written_date(expires));
    let is_carried = |(name, value): &(&String, &Value)| *name == "onlineMeetingId" || *value == CARRIED;
    let carried = meeting.as_object().into_iter().flatten().filter(is_carried);
    body.extend(carried.map(|(name, value)| (name.clone(), value.clone())));
    Value::Object(body)
}

fn subject(subject: &str) -> String {
    let words = subject.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().take(LONGEST_SUBJECT).collect()
}

#[cfg(test)]
mod tests {
    use mms_model::{Address, OnlineMeeting, Platform};

    use super::*;

    const NOW: &str = "2026-11-25T10:00:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn request(last_end: Option<&str>) -> ProvisionRequest {
        ProvisionRequest {
            external_id: "0123abcd".to_owned(),
            old: OnlineMeeting {
                platform: Platform::SFB,
                join_url: None,
                meeting_id: None,
                passcode: None,
                has_dial_in: false,
                language: None,
                key: String::new(),
            },
            subject: "Budget\r\nreview  – now".to_owned(),
            organizer: Address::new("alice@contoso.com"),
            start: Some(at("2026-12-01T09:00:00Z")),
            last_end: last_end.map(at),
            language: "de".to_owned(),
        }
    }

    fn settings(more: &str) -> SkypeSettings {
        toml::from_str(&format!(
            "sip_domains = ['contoso.com']\nmeet_urls = ['https://meet.contoso.com']\n{more}"
        ))
        .unwrap()
    }

    #[test]
    fn dates_are_read_in_each_spelling() {
        for text in [
            "/Date(1474932029004)/",
            "/Date(1474932029004+0200)/",
            "/Date(1474932029004-0700)/",
            "2016-09-26T23:20:29.004Z",
            "2016-09-26T16:20:29.0040000-07:00",
        ] {
            assert_eq!(date(text).unwrap(), at("2016-09-26T23:20:29.004Z"), "{text}");
        }
        assert!(date("/Date(-1000)/").unwrap() < Timestamp::UNIX_EPOCH);
        for text in
            ["", "/Date()/", "/Date(ü)/", "/Date(é1)/", "/Date(9999999999999999999)/", "soon", "/Date(1)"]
        {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn a_meeting_outlives_its_series_within_what_the_server_takes() {
        let wanted = |end| wanted_expiration(&request(end), at(NOW));
        assert_eq!(wanted(Some("2027-03-01T10:00:00Z")), at("2027-03-15T10:00:00Z"));
        assert_eq!(
            wanted(Some("2020-03-01T10:00:00Z")),
            at("2026-12-15T09:00:00Z"),
            "an end before the start"
        );
        let latest = wanted(Some("2090-01-01T10:00:00Z"));
        assert_eq!(latest, wanted(None));
        assert!(latest < at("2036-11-25T10:00:00Z") && latest > at("2036-10-25T10:00:00Z"), "{latest}");
    }

    #[test]
    fn a_meeting_is_prolonged_only_where_it_must_be() {
        let wanted = at("2027-03-15T10:00:00Z");
        let known = request(Some("2027-03-01T10:00:00Z"));
        assert!(lives_long_enough(Some(wanted), wanted, &known));
        assert!(!lives_long_enough(Some(at("2027-03-15T09:00:00Z")), wanted, &known));
        assert!(lives_long_enough(Some(at("2027-03-01T09:00:00Z")), wanted, &request(None)));
        assert!(lives_long_enough(None, wanted, &known));
    }

    #[test]
    fn what_is_asked_for_is_what_was_set_and_no_more() {
        let body = wanted(&request(None), &settings(""), &[], at(NOW));
        let names: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["attendees", "description", "expirationTime", "leaders", "subject"]);
        assert_eq!(body["subject"], "Budget review – now");
        assert_eq!(marked(body["description"].as_str().unwrap()), Some("0123abcd"));
        let settings = settings(
            "access_level = 'Everyone'\nlobby_bypass_for_phone_users = true\nautomatic_leader_assignment = 'Disabled'",
        );
        let body = wanted(&request(None), &settings, &["sip:a@contoso.com".to_owned()], at(NOW));
        assert_eq!(body["accessLevel"], "Everyone");
        assert_eq!(body["lobbyBypassForPhoneUsers"], "Enabled");
        assert_eq!(body["automaticLeaderAssignment"], "Disabled");
        assert_eq!(body["leaders"], json!(["sip:a@contoso.com"]));
        let text = written(&body);
        assert!(text.contains(r#""expirationTime":"\/Date("#) && text.contains(r#")\/""#), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), body);
    }

    #[test]
    fn a_description_is_told_from_others() {
        assert_eq!(marked("MMS 0123abcd"), Some("0123abcd"));
        assert_eq!(marked("Quarterly numbers\r\nMMS 0123abcd\r\n"), Some("0123abcd"));
        for other in ["", "MMS", "MMS ", "0123abcd", "XMMS 0123abcd", "mms 0123abcd"] {
            assert_eq!(marked(other), None, "{other}");
        }
    }

    #[test]
    fn people_of_other_organisations_are_left_out() {
        let domains = vec!["contoso.com".to_owned()];
        let uris = [
            "sip:a@contoso.com",
            "SIP:A@Contoso.com",
            "b@contoso.com",
            "sip:eve@fabrikam.com",
            "x",
            "é:é",
            "",
        ];
        assert_eq!(internal(uris.into_iter(), &domains), ["sip:a@contoso.com", "sip:b@contoso.com"]);
    }

    #[test]
    fn lists_are_read_however_the_server_writes_them() {
        let whole = json!({"onlineMeetingId": "IB88RLLY", "joinUrl": "https://meet.contoso.com/a/IB88RLLY",
            "conferenceId": "12983487", "description": "MMS x", "expirationTime": "/Date(1474932029004)/",
            "_links": {"self": {"href": "/ucwa/v1/applications/192/onlineMeetings/myOnlineMeetings/943"}}});
        let list = Scheduled::list(&json!({"_embedded": {"myOnlineMeeting": [whole, {"x": 1}, 5, null]}}));
        assert_eq!(list.len(), 1);
        assert_eq!((list[0].id.as_str(), list[0].description.as_deref()), ("IB88RLLY", Some("MMS x")));
        let one = json!({"_embedded": {"myOnlineMeeting": whole}, "_links": {"myOnlineMeeting": {"href": "/x/ABCDEFGH"}}});
        let list = Scheduled::list(&one);
        assert_eq!(list.iter().map(|m| m.id.as_str()).collect::<Vec<_>>(), ["IB88RLLY", "ABCDEFGH"]);
        assert_eq!(list[1].description, None);
        for nothing in
            [json!(null), json!([]), json!({"_embedded": 5}), json!({"_embedded": {"myOnlineMeeting": "x"}})]
        {
            assert_eq!(Scheduled::list(&nothing), [], "{nothing}");
        }
    }

    #[test]
    fn what_may_not_stand_in_an_invite_is_not_read() {
        let odd = json!({"onlineMeetingId": "A", "joinUrl": "javascript:x", "conferenceId": "1\r\n2", "expirationTime": 5});
        let odd = Scheduled::read(&odd).unwrap();
        assert_eq!((odd.join_url, odd.conference_id, odd.expires), (None, None, None));
    }

    #[test]
    fn a_put_sends_everything_that_can_be_set() {
        let meeting = json!({"subject": "S", "description": "D", "accessLevel": "Locked", "joinUrl": "https://x", "rel": "r",
            "leaders": ["sip:a@contoso.com", "sip:e@fabrikam.com", 5], "expirationTime": "/Date(1)/", "phoneUserAdmission": null,
            "onlineMeetingId": "ABCD1234", "2c04865e-a621-4a4d-81e0-8047131f87d8": CARRIED});
        let body = prolonged(&meeting, at(NOW), &["contoso.com".to_owned()]);
        assert_eq!(
            body,
            json!({"subject": "S", "description": "D", "accessLevel": "Locked",
                "leaders": ["sip:a@contoso.com"], "expirationTime": "/Date(1795600800000)/", "onlineMeetingId": "ABCD1234",
                "2c04865e-a621-4a4d-81e0-8047131f87d8": CARRIED})
        );
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_a_pool_says_is_a_panic(text in ".{0,60}", number in proptest::prelude::any::<i64>()) {
            let date_text = format!("/Date({number}{text})/");
            let _ = (date(&text), date(&date_text), marked(&text));
            let json = json!({"onlineMeetingId": text, "description": text, "expirationTime": date_text, "etag": number,
                "joinUrl": text, "attendees": [text, number], "leaders": text, "_links": {"self": {"href": text}}});
            let list = Scheduled::list(&json!({"_embedded": {"myOnlineMeeting": [json, text]}, "_links": {"myOnlineMeeting": text}}));
            proptest::prop_assert!(list.len() <= 1);
            let body = prolonged(&json, at(NOW), &["contoso.com".to_owned()]);
            let sent: Value = serde_json::from_str(&written(&body)).unwrap();
            proptest::prop_assert_eq!(sent, body);
        }
    }
}
