use jsonwebtoken::{DecodingKey, Validation};
use mms_model::{Address, ManualClock};
use proptest::prelude::*;
use serde_json::Value;

use super::*;

const SECRET: &str = "room-secret-of-this-test";
const APP_SECRET: &str = "app-secret-of-this-test";

fn settings(extra: &str) -> JitsiSettings {
    toml::from_str(&format!("url = \"https://meet.example.org\"\nroom_secret = \"{SECRET}\"\n{extra}"))
        .unwrap()
}

fn jitsi(extra: &str) -> Jitsi {
    let clock = Arc::new(ManualClock::at("2026-11-23T00:00:00Z".parse().unwrap()));
    Jitsi::new("jitsi", settings(extra), Path::new("/nowhere"), clock).unwrap()
}

fn refusal(extra: &str, url: Option<&str>) -> String {
    let mut settings = settings(extra);
    if let Some(url) = url {
        settings.url = url.to_owned();
    }
    let clock = Arc::new(ManualClock::at(jiff::Timestamp::UNIX_EPOCH));
    Jitsi::new("jitsi", settings, Path::new("/nowhere"), clock).map(|_| ()).unwrap_err().to_string()
}

fn meeting(url: &str) -> OnlineMeeting {
    OnlineMeeting {
        platform: Platform::JITSI,
        join_url: Some(url.to_owned()),
        meeting_id: None,
        passcode: None,
        has_dial_in: false,
        language: None,
        key: url.to_owned(),
    }
}

fn request(external_id: &str) -> ProvisionRequest {
    ProvisionRequest {
        external_id: external_id.to_owned(),
        old: meeting("https://zoom.us/j/123456789"),
        subject: "Budget".into(),
        organizer: Address::new("ken@example.org"),
        start: None,
        last_end: Some("2026-12-01T10:00:00Z".parse().unwrap()),
        language: "en".into(),
    }
}

#[tokio::test]
async fn a_room_is_unguessable_and_the_same_each_time() {
    let jitsi = jitsi("room_prefix = \"Mms-\"\n[[dial_in]]\nnumber = \"+49 30 1\"\nlabel = \"Berlin\"");
    let made = jitsi.provision(&request("a")).await.unwrap();
    assert_eq!(made, jitsi.provision(&request("a")).await.unwrap());
    assert_ne!(made.join_url, jitsi.provision(&request("b")).await.unwrap().join_url);
    let room = made.join_url.strip_prefix("https://meet.example.org/mms-").unwrap();
    let groups: Vec<&str> = room.split('-').collect();
    assert_eq!(groups.iter().map(|g| g.len()).collect::<Vec<_>>(), [5, 5, 5, 5]);
    assert!(groups.concat().chars().all(|c| ROOM_ALPHABET.contains(c)));
    assert_eq!(made.dial_in[0].label, "Berlin");
    assert!(jitsi.holds(&meeting(&made.join_url)));
    assert_eq!(jitsi.refresh(&meeting(&made.join_url)).await.unwrap(), made);
}

#[tokio::test]
async fn rooms_on_this_server_are_held_and_nothing_else() {
    let plain = jitsi("");
    for url in [
        "https://meet.example.org/Standup",
        "https://MEET.example.org:443/a?jwt=x#config.y=1",
        "https://meet.example.org/r/",
    ] {
        assert!(plain.holds(&meeting(url)), "{url}");
    }
    for url in [
        "https://meet.example.org/",
        "https://meet.example.org/static/close.html",
        "https://meet.example.org/static",
        "https://meet.example.org/a/b",
        "https://meet.example.org:8443/a",
        "https://meet.jit.si/a",
        "https://meet.example.org.evil.test/a",
        "nonsense",
    ] {
        assert!(!plain.holds(&meeting(url)), "{url}");
        assert!(plain.refresh(&meeting(url)).await.is_err());
    }
    let mut below = settings("");
    below.url = "https://meet.example.org/tenant".into();
    let clock = Arc::new(ManualClock::at(jiff::Timestamp::UNIX_EPOCH));
    let below = Jitsi::new("jitsi", below, Path::new("/nowhere"), clock).unwrap();
    assert!(below.holds(&meeting("https://meet.example.org/tenant/a")));
    assert!(!below.holds(&meeting("https://meet.example.org/a")));
    let made = below.provision(&request("a")).await.unwrap();
    assert!(made.join_url.starts_with("https://meet.example.org/tenant/"));
}

#[tokio::test]
async fn a_guest_token_names_room_and_expiry_and_makes_no_moderator() {
    let jitsi = jitsi(&format!("[jwt]\napp_id = \"mms\"\nsecret = \"{APP_SECRET}\""));
    let made = jitsi.provision(&request("a")).await.unwrap();
    assert_eq!(made.join_url, jitsi.provision(&request("a")).await.unwrap().join_url);
    let (room, token) = made.join_url.split_once("?jwt=").unwrap();
    let mut validation = Validation::new(jsonwebtoken::Algorithm::HS256);
    validation.set_audience(&["jitsi"]);
    validation.validate_exp = false;
    let key = DecodingKey::from_secret(APP_SECRET.as_bytes());
    let claims = jsonwebtoken::decode::<Value>(token, &key, &validation).unwrap().claims;
    assert_eq!(claims["iss"], "mms");
    assert_eq!(claims["sub"], "meet.example.org");
    assert_eq!(claims["room"], room.rsplit('/').next().unwrap());
    let expiry: jiff::Timestamp = "2026-12-08T10:00:00Z".parse().unwrap();
    assert_eq!(claims["exp"], expiry.as_second());
    assert_eq!(claims["context"]["user"]["moderator"], false);
    assert!(jitsi.holds(&meeting(&made.join_url)));
    assert_eq!(jitsi.refresh(&meeting(&made.join_url)).await.unwrap().join_url, made.join_url);

    let mut endless = request("a");
    endless.last_end = None;
    let token = jitsi.provision(&endless).await.unwrap().join_url;
    let token = token.split_once("?jwt=").unwrap().1;
    let claims = jsonwebtoken::decode::<Value>(token, &key, &validation).unwrap().claims;
    let now: jiff::Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
    let days = (claims["exp"].as_i64().unwrap() - now.as_second()) / 86_400;
    assert!((730..=760).contains(&days), "{days}");
}

#[test]
fn settings_that_cannot_work_are_refused_with_their_name_and_no_secret() {
    for (extra, url, expected) in [
        ("", Some("meet.example.org"), "url"),
        ("", Some("http://meet.example.org"), "https://"),
        ("", Some("https://user:pw@meet.example.org"), "sign-in"),
        ("room_prefix = \"a/b\"", None, "room_prefix"),
        ("[jwt]\napp_id = \"x\"", None, "private_key_file"),
        ("[jwt]\napp_id = \"x\"\nsecret = \"\"", None, "jwt.secret"),
        ("[jwt]\napp_id = \"x\"\nprivate_key_file = \"/no/key.pem\"", None, "/no/key.pem"),
    ] {
        let message = refusal(extra, url);
        assert!(message.contains(expected), "{message}");
        assert!(!message.contains(SECRET));
    }
    assert!(toml::from_str::<JitsiSettings>("url = \"https://a.test\"\ncolour = 1").is_err());
    let debugged = format!("{:?}", settings(&format!("[jwt]\napp_id = \"mms\"\nsecret = \"{APP_SECRET}\"")));
    assert!(!debugged.contains(APP_SECRET) && !debugged.contains(SECRET));
}

proptest! {
    #[test]
    fn whatever_is_made_is_held(external_id in ".{0,80}", prefix in "[A-Za-z0-9-]{0,12}") {
        let jitsi = jitsi(&format!("room_prefix = \"{prefix}\""));
        let url = format!("{}{}", jitsi.base, jitsi.room(&external_id));
        prop_assert!(jitsi.holds(&meeting(&url)));
    }

    #[test]
    fn hostile_links_never_panic(url in ".{0,200}") {
        let jitsi = jitsi("");
        let _ = jitsi.holds(&meeting(&url));
        let _ = jitsi.holds(&meeting(&format!("https://meet.example.org/{url}")));
    }
}
