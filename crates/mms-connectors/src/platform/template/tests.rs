use mms_model::Address;
use proptest::prelude::*;

use super::*;

const SECRET: &str = "room-secret-of-this-test";

fn settings(extra: &str) -> TemplateSettings {
    let base =
        format!("platform = \"BigBlueButton\"\ndisplay_name = \"Our rooms\"\nroom_secret = \"{SECRET}\"\n");
    let text = if extra.contains("join_url") {
        format!("{base}{extra}")
    } else {
        format!("{base}join_url = \"https://bbb.example.org/rooms/{{id}}\"\n{extra}")
    };
    toml::from_str(&text).unwrap()
}

fn template(extra: &str) -> Template {
    Template::new("bbb", settings(extra), Path::new("/nowhere")).unwrap()
}

fn refusal(extra: &str) -> String {
    let refused = Template::new("bbb", settings(extra), Path::new("/nowhere"));
    refused.map(|_| ()).unwrap_err().to_string()
}

fn meeting(url: &str) -> OnlineMeeting {
    OnlineMeeting {
        platform: Platform::BIG_BLUE_BUTTON,
        join_url: Some(url.to_owned()),
        meeting_id: None,
        passcode: Some("4711".into()),
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
        last_end: None,
        language: "en".into(),
    }
}

#[tokio::test]
async fn links_ids_and_passcodes_follow_the_rules_and_stay_the_same() {
    let template = template(
        "join_url = \"https://bbb.example.org/r/{room}?p={passcode}#j\"\nprint_id = true\n\
         id = { alphabet = \"abcdefgh\", length = 12, group = 4 }\n\
         passcode = { alphabet = \"0123456789\", length = 6 }",
    );
    let made = template.provision(&request("a")).await.unwrap();
    assert_eq!(made, template.provision(&request("a")).await.unwrap());
    assert_ne!(made.join_url, template.provision(&request("b")).await.unwrap().join_url);
    let (id, passcode) = (made.meeting_id.clone().unwrap(), made.passcode.clone().unwrap());
    assert_eq!(made.join_url, format!("https://bbb.example.org/r/{id}?p={passcode}#j"));
    assert!(Regex::new("^[a-h]{4}-[a-h]{4}-[a-h]{4}$").unwrap().is_match(&id));
    assert!(Regex::new("^[0-9]{6}$").unwrap().is_match(&passcode));
    assert!(template.holds(&meeting(&made.join_url)));
    assert_eq!(made.platform, Platform::BIG_BLUE_BUTTON);
}

#[tokio::test]
async fn links_of_the_service_are_held_whoever_made_them() {
    let template = template("");
    assert!(template.holds(&meeting("https://BBB.example.org/rooms/abc-def-ghi")));
    for url in [
        "https://bbb.example.org/rooms/",
        "https://bbb.example.org/rooms/a/b",
        "https://bbb.example.org/Rooms/a",
        "https://bbbXexample.org/rooms/a",
        "https://bbb.example.org.evil.test/rooms/a",
        "see https://bbb.example.org/rooms/a",
    ] {
        assert!(!template.holds(&meeting(url)), "{url}");
        assert!(template.refresh(&meeting(url)).await.is_err());
    }
    let url = "https://bbb.example.org/rooms/abc-def-ghi";
    let kept = template.refresh(&meeting(url)).await.unwrap();
    assert_eq!(
        (kept.join_url.as_str(), kept.passcode.as_deref(), kept.meeting_id),
        (url, Some("4711"), None)
    );
}

#[tokio::test]
async fn the_recogniser_knows_what_is_made() {
    use mms_invite::recognise::{Recogniser, RecogniserOptions};
    let template = template(
        "join_url = \"https://bbb.example.org/r/{id}?p={passcode}\"\npasscode = { length = 6 }\nprint_id = true",
    );
    let options = RecogniserOptions { custom: vec![template.recognition()], ..RecogniserOptions::default() };
    let made = template.provision(&request("a")).await.unwrap();
    let found = Recogniser::new(&options).unwrap().url(&made.join_url).unwrap();
    assert_eq!(found.platform, template.platform());
    assert_eq!((found.meeting_id, found.passcode), (made.meeting_id.clone(), made.passcode.clone()));
}

#[test]
fn an_own_pattern_must_match_what_is_made() {
    let own = template("pattern = 'https://bbb\\.example\\.org/(rooms|b)/(?P<id>[a-z0-9-]+)'");
    assert!(own.holds(&meeting("https://bbb.example.org/b/abc")));
    assert!(refusal("pattern = 'https://other/.*'").contains("does not match"));
    assert!(refusal("pattern = '('").contains("regular expression"));
    assert!(refusal("pattern = '(a{1000}){1000}'").contains("regular expression"));
}

#[test]
fn settings_that_cannot_work_are_refused() {
    for (extra, expected) in [
        ("join_url = \"https://bbb.example.org/rooms\"", "once"),
        ("join_url = \"https://bbb.example.org/{id}/{room}\"", "once"),
        ("join_url = \"https://bbb.example.org/{name}\"", "{name}"),
        ("join_url = \"https://bbb.example.org/{id\"", "without }"),
        ("join_url = \"http://bbb.example.org/{id}\"", "https://"),
        ("join_url = \"https://{id}.example.org/\"", "host first"),
        ("join_url = \"https://a b/{id}\"", "no link"),
        ("join_url = \"https://bbb.example.org/<{id}\"", "cannot hold"),
        ("join_url = \"https://bbb.example.org/{id}?p={passcode}\"", "[passcode]"),
        ("id = { alphabet = \"aab\" }", "twice"),
        ("id = { alphabet = \"a/\" }", "letters"),
        ("id = { alphabet = \"a\" }", "two"),
        ("id = { length = 0 }", "length"),
        ("id = { alphabet = \"0123456789\", length = 9 }", "guessed"),
    ] {
        let message = refusal(extra);
        assert!(message.starts_with("platform bbb: ") && message.contains(expected), "{message}");
    }
    let mut nameless = settings("");
    nameless.display_name = " ".into();
    assert!(Template::new("bbb", nameless, Path::new("/nowhere")).is_err());
}

proptest! {
    #[test]
    fn whatever_is_made_is_held(external_id in ".{0,80}", group in 0usize..8, length in 11usize..64) {
        let template = template(&format!("id = {{ length = {length}, group = {group} }}"));
        let id = template.settings.id.make(&template.secret, "p", &external_id);
        prop_assert!(template.holds(&meeting(&template.link.fill(&id, ""))));
    }

    #[test]
    fn hostile_templates_and_links_never_panic(text in ".{0,80}", url in ".{0,200}") {
        let _ = LinkTemplate::parse(&text);
        let _ = LinkTemplate::parse(&format!("https://{text}"));
        let _ = template("").holds(&meeting(&url));
    }
}
