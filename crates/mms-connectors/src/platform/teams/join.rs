//! What Graph says of an online meeting, and what a join link says of its own.

use mms_model::DialIn;
use serde_json::Value;
use url::Url;

/// The longest list of numbers that goes into a block.
const MOST_NUMBERS: usize = 4;

/// Whose meeting a long join link leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JoinContext {
    /// The tenant's id.
    pub(super) tenant: String,
    /// The organizer's object id.
    pub(super) organizer: String,
}

impl JoinContext {
    /// Reads `?context={"Tid":…,"Oid":…}`.
    pub(super) fn of(join_url: &str) -> Option<Self> {
        let url = Url::parse(join_url).ok()?;
        let host = url.host_str()?;
        let is_teams = ["teams.microsoft.com", "teams.microsoft.us", "teams.microsoftonline.cn"]
            .iter()
            .any(|known| host == *known || host.strip_suffix(known).is_some_and(|sub| sub.ends_with('.')));
        if !is_teams || !url.path().starts_with("/l/meetup-join/") {
            return None;
        }
        let context = url.query_pairs().find(|(name, _)| name.eq_ignore_ascii_case("context"))?.1;
        let context: Value = serde_json::from_str(&context).ok()?;
        let guid = |name: &str| {
            let text = context.get(name)?.as_str()?;
            uuid::Uuid::try_parse(text).ok().map(|_| text.to_owned())
        };
        Some(Self { tenant: guid("Tid")?, organizer: guid("Oid")? })
    }
}

/// A meeting that Teams holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) join_url: String,
    pub(super) meeting_id: Option<String>,
    pub(super) passcode: Option<String>,
    pub(super) dial_in: Vec<DialIn>,
    pub(super) conference_id: Option<String>,
    /// `dialinUrl`, the page with local numbers.
    pub(super) numbers_url: Option<String>,
    /// `videoTeleconferenceId`; there where the organizer has a licence for cloud video interop.
    pub(super) video_id: Option<String>,
}

impl Made {
    /// Reads an `onlineMeeting`.
    ///
    /// # Errors
    /// What is missing.
    pub(super) fn read(json: &Value) -> Result<Self, String> {
        let join_url = text(json, "joinWebUrl").ok_or("an online meeting without joinWebUrl")?;
        if !is_https(&join_url) {
            return Err("an online meeting whose joinWebUrl is no https URL".to_owned());
        }
        let ids = member(json, "joinMeetingIdSettings");
        let audio = member(json, "audioConferencing");
        Ok(Self {
            join_url,
            meeting_id: ids.and_then(|ids| text(ids, "joinMeetingId")),
            passcode: ids.and_then(|ids| text(ids, "passcode")),
            dial_in: audio.map(dial_in).unwrap_or_default(),
            conference_id: audio.and_then(|audio| text(audio, "conferenceId")),
            numbers_url: audio.and_then(|audio| text(audio, "dialinUrl")).filter(|url| is_https(url)),
            video_id: text(json, "videoTeleconferenceId"),
        })
    }
}

fn is_https(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| url.scheme() == "https" && url.host().is_some())
}

fn dial_in(audio: &Value) -> Vec<DialIn> {
    let mut numbers: Vec<DialIn> = Vec::new();
    for (one, several, label) in
        [("tollNumber", "tollNumbers", ""), ("tollFreeNumber", "tollFreeNumbers", "toll-free")]
    {
        let listed = member(audio, several).and_then(Value::as_array).into_iter().flatten();
        let listed = listed.filter_map(|number| number.as_str().map(str::to_owned));
        for number in text(audio, one).into_iter().chain(listed) {
            if numbers.len() < MOST_NUMBERS && numbers.iter().all(|n| n.number != number) {
                numbers.push(DialIn { number, label: label.to_owned() });
            }
        }
    }
    numbers
}

/// A member by its name in any case: one of Microsoft's samples writes `ConferenceId`.
fn member<'a>(json: &'a Value, name: &str) -> Option<&'a Value> {
    let object = json.as_object()?;
    object.get(name).or_else(|| object.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v))
}

fn text(json: &Value, name: &str) -> Option<String> {
    let text = member(json, name)?.as_str()?.trim();
    // It goes into invites: one line, of a length that a coordinate may have.
    let sound = !text.is_empty() && text.len() <= 2000 && !text.chars().any(char::is_control);
    sound.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LINK: &str = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_x%40thread.v2/0?context=%7b%22Tid%22%3a%2211111111-2222-3333-4444-555555555555%22%2c%22Oid%22%3a%2266666666-7777-8888-9999-000000000000%22%7d";

    #[test]
    fn every_coordinate_is_read_in_any_case() {
        let made = Made::read(&json!({
            "joinWebUrl": LINK,
            "joinMeetingIdSettings": {"joinMeetingId": "291 633 251", "passcode": "aB3dE5", "isPasscodeRequired": true},
            "audioConferencing": {"ConferenceId": "123456789", "tollNumber": "+1 425-555-0100",
                "tollFreeNumber": "+1 800-555-0100", "tollNumbers": ["+1 425-555-0100", "+44 20 5555"],
                "dialinUrl": "https://dialin.teams.microsoft.com/x"},
            "videoTeleconferenceId": "1234567890",
        }))
        .unwrap();
        assert_eq!(made.conference_id.as_deref(), Some("123456789"));
        assert_eq!(made.passcode.as_deref(), Some("aB3dE5"));
        assert_eq!(made.numbers_url.as_deref(), Some("https://dialin.teams.microsoft.com/x"));
        assert_eq!(made.video_id.as_deref(), Some("1234567890"));
        let numbers: Vec<_> = made.dial_in.iter().map(|d| (d.number.as_str(), d.label.as_str())).collect();
        assert_eq!(numbers, [("+1 425-555-0100", ""), ("+44 20 5555", ""), ("+1 800-555-0100", "toll-free")]);
    }

    #[test]
    fn what_is_missing_or_odd_is_none() {
        let made =
            Made::read(&json!({"joinWebUrl": LINK, "audioConferencing": {"dialinUrl": "javascript:x"},
            "joinMeetingIdSettings": {"joinMeetingId": 5, "passcode": "a\r\nb"}}))
            .unwrap();
        assert_eq!((made.meeting_id, made.passcode, made.conference_id), (None, None, None));
        assert_eq!((made.numbers_url, made.video_id), (None, None));
        for broken in [json!({}), json!([]), json!({"joinWebUrl": "javascript:x"}), json!({"joinWebUrl": 5})]
        {
            assert!(Made::read(&broken).is_err());
        }
    }

    #[test]
    fn a_long_link_names_tenant_and_organizer() {
        let context = JoinContext::of(LINK).unwrap();
        assert!(context.tenant.starts_with("1111") && context.organizer.starts_with("6666"));
        assert!(JoinContext::of(&LINK.replace("teams.microsoft.com", "gov.teams.microsoft.us")).is_some());
        for other in [
            LINK.replace("teams.microsoft.com", "evil.example"),
            LINK.replace("teams.microsoft.com", "notteams.microsoft.com"),
            LINK.replace("66666666-", "../"),
            "https://teams.microsoft.com/meet/1?p=x".to_owned(),
        ] {
            assert_eq!(JoinContext::of(&other), None, "{other}");
        }
    }
}
