//! The rules of recognition, each on the smallest event that shows it.

#![allow(clippy::unwrap_used)] // a test fails by panicking

use std::sync::LazyLock;

use mms_invite::recognise::{
    BodyFormat, BodyPart, CustomPlatform, EventText, Findings, Recogniser, RecogniserOptions,
};
use mms_model::{OnlineMeeting, Platform, Recognition};

static RECOGNISER: LazyLock<Recogniser> =
    LazyLock::new(|| Recogniser::new(&RecogniserOptions::default()).unwrap());

const LONG: &str = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_AbC%40thread.v2/0?context=%7b%7d";
const SHORT: &str = "https://teams.microsoft.com/meet/314159265358?p=x";
const KEY: &str = "teams:19:meeting_AbC@thread.v2";

fn event<'a>(text: &'a str, location: Option<&'a str>, properties: &[(&'a str, &'a str)]) -> Findings {
    let bodies = vec![BodyPart { format: BodyFormat::guess(text), text }];
    RECOGNISER.event(&EventText { bodies, location, properties: properties.to_vec(), scheduled: false })
}

fn one(findings: &Findings) -> &OnlineMeeting {
    match &findings.recognition {
        Recognition::One(meeting) => meeting,
        other => panic!("not one meeting: {other:?}"),
    }
}

/// The text without its blocks.
fn kept(text: &str, findings: &Findings) -> String {
    let mut kept = text.to_owned();
    for block in findings.blocks.iter().rev() {
        kept.replace_range(block.range.clone(), "#");
    }
    kept
}

fn teams_block(url: &str) -> String {
    let rule = "_".repeat(80);
    format!("{rule}\nMicrosoft Teams meeting\nJoin: {url}\nMeeting ID: 123 456 789\n{rule}")
}

#[test]
fn properties_text_and_html_give_one_key() {
    let by_property = event("", None, &[("X-MICROSOFT-SKYPETEAMSMEETINGURL", LONG)]);
    let by_text = event(&teams_block(LONG), None, &[]);
    let html = format!(
        "<div class=\"me-email-text\"><a class=\"me-email-headline\" href=\"{LONG}\">Join Microsoft Teams Meeting</a></div>"
    );
    let by_html = event(&html, None, &[]);
    let by_location = event("", Some(LONG), &[]);
    let by_url = RECOGNISER.url(LONG).unwrap();
    for findings in [by_property, by_text, by_html, by_location] {
        assert_eq!(one(&findings).key, KEY);
        assert_eq!(one(&findings).platform, Platform::TEAMS);
    }
    assert_eq!(by_url.key, KEY);
}

#[test]
fn short_and_long_links_of_a_block_are_one_meeting() {
    let rule = "_".repeat(80);
    let text = format!(
        "{rule}\nMicrosoft Teams meeting\nJoin: {SHORT}\n{}\nNeed help? | System reference<{LONG}>\n{rule}",
        "_".repeat(32)
    );
    let findings = event(&text, None, &[("joinUrl", LONG)]);
    assert_eq!(one(&findings).key, KEY);
    assert_eq!(one(&findings).join_url.as_deref(), Some(SHORT));
    assert_eq!(kept(&text, &findings), "#");
    // Without the reference in the block, the property still names the same meeting.
    let findings = event(&teams_block(SHORT), None, &[("X-MICROSOFT-SKYPETEAMSMEETINGURL", LONG)]);
    assert_eq!(one(&findings).key, KEY);
}

#[test]
fn different_meetings_are_ambiguous() {
    let other = LONG.replace("AbC", "XyZ");
    for findings in [
        event(&teams_block(LONG), None, &[("X-MICROSOFT-SKYPETEAMSMEETINGURL", &other)]),
        event(&teams_block(LONG), Some("https://zoom.us/j/123456789"), &[]),
        event(&format!("{}\n\n{}", teams_block(LONG), teams_block(&other)), None, &[]),
    ] {
        assert!(
            matches!(&findings.recognition, Recognition::Ambiguous(all) if all.len() == 2),
            "{findings:?}"
        );
    }
}

#[test]
fn two_labelled_links_without_a_frame_are_ambiguous() {
    for (label, one, other) in [
        (
            "Join Zoom Meeting",
            "https://zoom.us/j/81111111111?pwd=abc",
            "https://zoom.us/j/82222222222?pwd=def",
        ),
        (
            "Join with Google Meet",
            "https://meet.google.com/abc-defg-hij",
            "https://meet.google.com/klm-nopq-rst",
        ),
        ("Microsoft Teams meeting\nClick here to join the meeting", LONG, &LONG.replace("AbC", "XyZ")),
    ] {
        for gap in ["\n", "\n\n", "\n\n\n"] {
            let text = format!("{label}\n{one}{gap}{label}\n{other}");
            let findings = event(&text, None, &[]);
            assert!(
                matches!(&findings.recognition, Recognition::Ambiguous(all) if all.len() == 2),
                "{text:?}: {findings:?}"
            );
        }
    }
}

#[test]
fn a_heading_of_the_service_makes_a_lone_link_its_block() {
    for (heading, url) in [
        ("Join BlueJeans Meeting", "https://bluejeans.com/123456789/1234"),
        ("Join my Webex Personal Room", "https://acme.webex.com/meet/jdoe"),
        ("Join Whereby meeting", "https://whereby.com/acme-standup"),
    ] {
        let text = format!("Agenda\n\n{heading}\n{url}\n\nBye");
        let findings = event(&text, None, &[]);
        assert_eq!(one(&findings).join_url.as_deref(), Some(url));
        assert_eq!(kept(&text, &findings), "Agenda\n\n#\n\nBye");
    }
}

#[test]
fn words_of_skype_for_business_go_with_its_block_and_typed_ones_stay() {
    let rule = ".".repeat(137);
    let text = format!(
        "Vorher\n{rule}\n--> An Skype-Besprechung teilnehmen <https://meet.lync.com/example/alice/AB12CD34>\n\
         Das ist eine Onlinebesprechung für Skype for Business, die App, die zuvor als Lync bekannt war.\n\
         Probleme beim Teilnehmen? Versuchen Sie es mit der Skype Web App <https://meet.lync.com/example/alice/AB12CD34?sl=1>\n\n\
         Konferenz-ID: 4711987\n\
         PIN für Einwahl vergessen? <https://dialin.example.org> | Hilfe <https://o15.officeredir.microsoft.com/r/rlidLync15>\n\n\
         Bitte den Code nicht weitergeben!\n{rule}\nNachher"
    );
    let findings = event(&text, None, &[]);
    assert_eq!(kept(&text, &findings), "Vorher\n#\n\nBitte den Code nicht weitergeben!\n#\nNachher");
}

#[test]
fn text_between_two_blocks_of_a_meeting_survives() {
    let block = teams_block(LONG);
    let text = format!("Before\n{block}\nBetween\n{block}\nAfter");
    let findings = event(&text, None, &[]);
    assert_eq!(kept(&text, &findings), "Before\n#\nBetween\n#\nAfter");
    assert!(findings.blocks.iter().all(|block| block.meeting.key == KEY));
}

#[test]
fn separators_may_be_missing() {
    let block = teams_block(LONG);
    let rule = "_".repeat(80);
    let open = block.strip_suffix(&rule).unwrap();
    assert_eq!(kept(open, &event(open, None, &[])).trim(), "#");
    let text = format!("{open}\nNotes that people wrote\n\n{block}\nAfter");
    let findings = event(&text, None, &[]);
    assert!(kept(&text, &findings).contains("Notes that people wrote"), "{}", kept(&text, &findings));
    assert!(!kept(&text, &findings).contains("teams.microsoft.com"));
}

#[test]
fn an_organisations_footer_inside_a_block_goes_with_it() {
    let rule = "_".repeat(80);
    let text = format!(
        "Hi\n{rule}\nMicrosoft Teams Need help?<https://aka.ms/JoinTeamsMeeting>\nJoin the meeting now<{LONG}>\nExample Ltd records calls, see https://www.example.com/privacy\n{rule}\nBye"
    );
    assert_eq!(kept(&text, &event(&text, None, &[])), "Hi\n#\nBye");
}

#[test]
fn a_link_in_prose_is_a_meeting_only_where_something_else_names_it() {
    let prose = "Minutes are due.\nhttps://zoom.us/j/123456789\nBring cake.";
    assert_eq!(event(prose, None, &[]).recognition, Recognition::None);
    let findings = event(prose, Some("https://zoom.us/j/123456789?pwd=x"), &[]);
    assert_eq!(one(&findings).key, "zoom:123456789");
    assert_eq!(kept(prose, &findings), "Minutes are due.\n#\nBring cake.");
    let mention = "We used https://zoom.us/j/123456789 last time.";
    let findings = event(mention, Some("https://zoom.us/j/123456789"), &[]);
    assert_eq!(kept(mention, &findings), mention);
    assert_eq!(one(&event("\nhttps://zoom.us/j/123456789\n", None, &[])).platform, Platform::ZOOM);
}

#[test]
fn rooms_stay_in_location() {
    for (location, expected) in [
        ("Room 5; Microsoft Teams Meeting", vec!["Microsoft Teams Meeting"]),
        ("Microsoft Teams-Besprechung, Raum 5", vec!["Microsoft Teams-Besprechung"]),
        ("Room 5 / Zoom Street 7", vec![]),
        ("Teams corner, 2nd floor", vec![]),
        ("Berlin https://zoom.us/rec/1", vec![]),
    ] {
        let findings = event(&teams_block(LONG), Some(location), &[]);
        let named: Vec<&str> = findings.location.iter().map(|r| &location[r.clone()]).collect();
        assert_eq!(named, expected, "{location}");
    }
    let findings = event("", Some("meet.google.com/abc-defg-hij"), &[]);
    assert_eq!(findings.location.as_slice(), std::slice::from_ref(&(0..28)));
    assert_eq!(one(&findings).join_url.as_deref(), Some("https://meet.google.com/abc-defg-hij"));
}

#[test]
fn properties_name_the_meeting_or_stay() {
    let properties = [
        ("URL", "https://example.org/event/5"),
        ("X-MICROSOFT-SKYPETEAMSMEETINGURL", LONG),
        ("X-MICROSOFT-ONLINEMEETINGEXTERNALLINK", ""),
        (
            "X-MICROSOFT-ONLINEMEETINGCONFLINK",
            "conf:sip:a@b.test;gruu;opaque=app:conf:focus:id:teams:2:0!19:meeting_AbC-thread.v2!1!2",
        ),
        ("X-MICROSOFT-SKYPETEAMSPROPERTIES", "{\"cid\":\"19:meeting_AbC@thread.v2\",\"type\":0}"),
        ("X-MICROSOFT-CDO-BUSYSTATUS", "BUSY"),
        ("X-MICROSOFT-LOCATIONS", "[{\"DisplayName\":\"Microsoft Teams Meeting\"}]"),
        (
            "X-MICROSOFT-LOCATIONS",
            "[{\"DisplayName\":\"Microsoft Teams Meeting\"},{\"DisplayName\":\"Room 5\"}]",
        ),
    ];
    let findings = event("", None, &properties);
    assert_eq!(findings.properties, [1, 3, 4, 6]);
    assert_eq!(one(&findings).key, KEY);
    // Nothing to migrate: nothing is named.
    let empty = event(
        "",
        None,
        &[("X-MICROSOFT-ONLINEMEETINGEXTERNALLINK", ""), ("X-MICROSOFT-ONLINEMEETINGINFORMATION", "{}")],
    );
    assert_eq!((empty.recognition, empty.properties), (Recognition::None, vec![]));
}

#[test]
fn skype_items_are_told_from_teams_items() {
    let skype = [
        ("OnlineMeetingExternalLink", "https://any.host.example/meet/ann/A1B2C3D4"),
        (
            "OnlineMeetingConfLink",
            "conf:sip:ann@example.org;gruu;opaque=app:conf:focus:id:A1B2C3D4?conversation-id=1",
        ),
        ("ConferenceTelURI", "tel:+4612345,,68138"),
    ];
    let findings = event("", None, &skype);
    let meeting = one(&findings);
    assert_eq!((meeting.platform.clone(), meeting.key.as_str()), (Platform::SFB, "sfb:A1B2C3D4"));
    assert_eq!((meeting.meeting_id.as_deref(), meeting.has_dial_in), (Some("68138"), true));
}

#[test]
fn gateways_into_teams_are_no_meetings_of_their_own() {
    let text = format!(
        "Join Microsoft Teams Meeting<{LONG}>\nJoin with a video conferencing device\n1@teams.bjn.vc VTC Conference ID: 129141836\nAlternate VTC dialing instructions<https://pex.example.org/teams/?conf=129141836&ivr=teams>\nMore<https://www.webex.com/msteams?confid=1>"
    );
    let findings = event(&text, None, &[]);
    assert_eq!(one(&findings).key, KEY);
    assert_eq!(kept(&text, &findings), "#");
}

#[test]
fn patterns_of_an_administrator_name_further_platforms() {
    let platform: Platform = "Acme".parse().unwrap();
    let custom = |join_url: &str| RecogniserOptions {
        custom: vec![CustomPlatform { platform: platform.clone(), join_url: join_url.to_owned() }],
        ..RecogniserOptions::default()
    };
    let recogniser =
        Recogniser::new(&custom(r"https://acme\.example/(?<id>\d+)\?p=(?<passcode>\w+)")).unwrap();
    let meeting = recogniser.url("https://acme.example/42?p=x1").unwrap();
    assert_eq!(
        (meeting.platform, meeting.meeting_id.as_deref(), meeting.passcode.as_deref()),
        (platform.clone(), Some("42"), Some("x1"))
    );
    assert_eq!(recogniser.url("https://evil.test/https://acme.example/42?p=x1"), None);
    let error = Recogniser::new(&custom("(")).unwrap_err().to_string();
    assert!(error.contains("Acme"), "{error}");
}

#[test]
fn a_link_alone_on_its_line_is_the_meeting_of_an_event() {
    let read = |text: &str, scheduled: bool| {
        let bodies = vec![BodyPart { format: BodyFormat::guess(text), text }];
        RECOGNISER.event(&EventText { bodies, scheduled, ..EventText::default() }).recognition
    };
    let link = "https://us02web.zoom.us/j/87324397243?pwd=abc";
    let other = "https://meet.google.com/abc-defg-hij";
    let text = format!("Agenda for today\n\n{link}\n\nSee you there");
    assert!(matches!(read(&text, true), Recognition::One(meeting) if meeting.key == "zoom:87324397243"));
    assert!(matches!(
        read(&format!("<p>Agenda</p><p><a href=\"{link}\">{link}</a></p><p>Bye</p>"), true),
        Recognition::One(_)
    ));
    // A mail may only speak of a meeting, and of two links neither is the one.
    assert_eq!(read(&text, false), Recognition::None);
    assert_eq!(read(&format!("Last time\n{link}\nand then\n{other}\nas well"), true), Recognition::None);
    assert_eq!(read(&format!("The talk [1] was good.\n\n[1] {link}"), true), Recognition::None);
}

#[test]
fn links_that_join_nothing_are_no_meetings() {
    for text in [
        "Watch the recording: https://us02web.zoom.us/rec/share/abc.def?startTime=1",
        "Download Zoom https://zoom.us/download and sign up at https://zoom.us/signup",
        "Register: https://us02web.zoom.us/meeting/register/tZUqcOqrqzwsG9abc",
        "https://us02web.zoom.us/webinar/register/WN_abc",
        "Join our team: https://teams.microsoft.com/l/team/19%3aabc%40thread.tacv2/conversations?groupId=1",
        "https://teams.microsoft.com/l/channel/19%3aabc%40thread.tacv2/General?groupId=1&tenantId=2",
        "https://teams.microsoft.com/l/chat/0/0?users=bob@x.test",
        "https://acme.webex.com/recordingservice/sites/acme/recording/playback/abc",
        "https://acme.webex.com/acme/ldr.php?RCID=abcdef0123456789",
        "Webex: https://acme.webex.com",
        "https://transcripts.gotomeeting.com/#/s/abcdef",
        "https://bbb.example.org/playback/presentation/2.3/abc",
        "https://meet.google.com/landing and https://8x8.vc and https://jitsi.org/",
        "Password: hunter2\nMeeting ID: 123 456 789",
    ] {
        let bodies = vec![BodyPart { format: BodyFormat::Text, text }];
        let event = EventText { bodies, scheduled: true, ..EventText::default() };
        assert_eq!(RECOGNISER.event(&event).recognition, Recognition::None, "{text}");
    }
}

#[test]
fn links_join_whatever_host_and_shape_they_come_in() {
    for (url, key) in [
        (
            "https://gov.teams.microsoft.us/l/meetup-join/19%3agov%3ameeting_abc%40thread.v2/0?context=%7b%7d",
            "teams:19:gov:meeting_abc@thread.v2",
        ),
        (
            "https://dod.teams.microsoft.us/l/meetup-join/19%3adod%3ameeting_abc%40thread.v2/0",
            "teams:19:dod:meeting_abc@thread.v2",
        ),
        ("https://teams.live.com/meet/9312345678901?p=abc", "teams:meet/9312345678901"),
        ("https://teams.microsoft.com/v2/?meetingjoin=true#/meet/31234567890?p=x", "teams:meet/31234567890"),
        (
            "https://teams.microsoft.com/_#/l/meetup-join/19:meeting_abc@thread.v2/0",
            "teams:19:meeting_abc@thread.v2",
        ),
        ("https://acme.zoom.us/my/ann.example", "zoom:my/ann.example"),
        ("https://acme.zoom.com.cn/j/87324397243", "zoom:87324397243"),
        ("https://acme.zoomgov.com/j/1612345678", "zoom:1612345678"),
        ("https://acme.webex.com/meet/ann.example", "webex:acme.webex.com/ann.example"),
        ("https://acme.my.webex.com/join/ann", "webex:acme.my.webex.com/ann"),
        ("https://app.gotomeeting.com/?meetingId=123456789", "goto:123456789"),
        ("https://app.goto.com/meet/123456789", "goto:123456789"),
        ("https://meet.google.com/_meet/abc-defg-hij", "googlemeet:abc-defg-hij"),
        ("https://kmeet.infomaniak.com/Room", "jitsi:kmeet.infomaniak.com/room"),
    ] {
        assert_eq!(RECOGNISER.url(url).map(|meeting| meeting.key).as_deref(), Some(key), "{url}");
    }
    let html = "<p>Click <a href=\"https://protect-us.mimecast.com/s/abc?domain=zoom.us\">https://zoom.us/j/123456789</a></p><p>Meeting ID: 123 456 789</p>";
    assert_eq!(one(&event(html, None, &[])).key, "zoom:123456789");
}

const ZOOM: &str = "https://us02web.zoom.us/j/87324397243";

#[test]
fn an_empty_label_takes_no_typed_word_for_its_value() {
    for (labels, typed) in [
        ("Passcode:\n", "\nAgenda\n1. Budget"),
        ("Passcode:\n", "Agenda"),
        ("Meeting ID: 873 2439 7243\n\nPassword\n", "\nAgenda"),
        ("Meeting ID & passcode\n", "Kitchen\nFloor 3"),
        ("PIN\n", "Budget2029"),
        ("Dial: bjn.vc and enter your meeting ID & passcode\n", "Room2"),
    ] {
        let text = format!("Join Zoom Meeting\n{ZOOM}\n{labels}{typed}\n");
        let findings = event(&text, None, &[]);
        assert_eq!(one(&findings).passcode, None, "{text}");
        assert!(kept(&text, &findings).contains(typed.trim()), "{text}: {}", kept(&text, &findings));
    }
    let html = format!(
        "<p>Join Zoom Meeting<br><a href=\"{ZOOM}\">{ZOOM}</a></p><p>Meeting ID: 873 2439 7243</p><p>Passcode: </p><p>Agenda</p>"
    );
    assert!(kept(&html, &event(&html, None, &[])).contains("Agenda"));
    let text = format!("Join Zoom Meeting\n{ZOOM}\nPasscode:\n305275\nBye");
    let findings = event(&text, None, &[]);
    assert_eq!(one(&findings).passcode.as_deref(), Some("305275"));
    assert_eq!(kept(&text, &findings), "#\nBye");
}

#[test]
fn a_link_ends_where_a_sentence_without_spaces_goes_on() {
    for behind in ["。よろしく", "，密码", "（密码 305275）", "」と", "«"] {
        let text = format!("Join Zoom Meeting\n{ZOOM}?pwd=abc{behind}");
        let findings = event(&text, None, &[]);
        assert_eq!(one(&findings).join_url, Some(format!("{ZOOM}?pwd=abc")), "{text}");
    }
    let text = format!("Join Zoom Meeting\n{ZOOM}?pwd=abc。よろしくお願いします");
    assert!(kept(&text, &event(&text, None, &[])).contains("よろしくお願いします"));
}

#[test]
fn lync_blocks_are_known_by_their_conference_where_nothing_names_the_product() {
    for text in [
        "Join online meeting\nhttps://meet.contoso.com/bob/R2D2C3PO\n\nJoin by Phone\n+14255550123\n\nConference ID: 887766\n",
        "An Onlinebesprechung teilnehmen\nhttps://lync.contoso.com/meet/bob/R2D2C3PO\n\nKonferenz-ID: 887766\n",
    ] {
        assert_eq!(one(&event(text, None, &[])).platform, Platform::SFB, "{text}");
    }
}

#[test]
fn skype_lines_in_languages_that_are_not_known_go_with_their_links() {
    let text = "Ahoj\n\nPřipojit se ke schůzce přes Skype <https://meet.lync.com/example/bob/ABCD1234>\n\
                Problémy? Zkuste Skype Web App <https://meet.lync.com/example/bob/ABCD1234?sl=1>\n\n\
                Zapomněli jste PIN pro telefonické připojení? <https://dialin.example.org> | Nápověda <https://o15.officeredir.microsoft.com/r/rlidLync15?clid=1029>\n\nKonec";
    assert_eq!(kept(text, &event(text, None, &[])), "Ahoj\n\n#\n\nKonec");
}

#[test]
fn a_sentence_that_names_skype_before_its_link_is_somebodys() {
    const JOIN: &str = "https://meet.lync.com/example/bob/ABCD1234";
    let block = format!(
        "Join Skype Meeting <{JOIN}>\nTrouble Joining? Try Skype Web App <{JOIN}?sl=1>\nConference ID: 4711987"
    );
    for typed in ["Bob please dial into Skype early", "We use Skype again, bring the numbers:"] {
        for text in [
            format!("{typed} <{JOIN}>\nConference ID: 4711987"),
            format!("{typed} <{JOIN}>\n{block}"),
            format!("{block} \n{typed} <{JOIN}>"),
        ] {
            assert!(kept(&text, &event(&text, None, &[])).contains(typed.trim_end_matches(':')), "{text}");
        }
    }
    let behind = format!("{}\nBye", block.replace("?sl=1>", "?sl=1> Bob has the key"));
    assert!(kept(&behind, &event(&behind, None, &[])).contains("Bob has the key"), "{behind}");
}

#[test]
fn the_link_of_the_host_is_part_of_a_webex_block() {
    let text = "Join meeting\nhttps://acme.webex.com/acme/j.php?MTID=m0123456789abcdef\n\n\
                If you are a host, click here to view host information.\nhttps://acme.webex.com/acme/j.php?MTID=mfedcba9876543210\n\n\
                Need help? Go to https://help.webex.com\nBye";
    let findings = event(text, None, &[]);
    assert!(one(&findings).join_url.as_deref().unwrap().ends_with("m0123456789abcdef"));
    assert_eq!(kept(text, &findings), "#\nBye");
}

#[test]
fn what_is_written_before_a_link_says_whether_it_joins() {
    for label in ["Join here", "Please join here", "Video call", "Online", "Teilnahme", "Zum Meeting"] {
        assert_eq!(one(&event(&format!("{label}: {ZOOM}"), None, &[])).platform, Platform::ZOOM, "{label}");
    }
    for text in [
        format!("For video: {ZOOM}"),
        format!("The minutes of last time are at: {ZOOM}"),
        format!("Join here: {ZOOM} or meet us in the lobby"),
        "Link: https://jitsi.org/downloads".to_owned(),
        "Join: https://us02web.zoom.us\\@evil.example/j/87324397243".to_owned(),
    ] {
        assert_eq!(event(&text, None, &[]).recognition, Recognition::None, "{text}");
    }
}

#[test]
fn links_are_found_however_they_are_spelled() {
    let html = "<a href=\"https&#58;//us02web.zoom.us/j/87324397243\">Join Zoom Meeting</a>";
    assert_eq!(one(&event(html, None, &[])).join_url.as_deref(), Some(ZOOM));
    let text = "Join with Google Meet\nmeet.google.com/abc-defg-hij\n";
    let findings = event(text, None, &[]);
    assert_eq!(one(&findings).join_url.as_deref(), Some("https://meet.google.com/abc-defg-hij"));
    assert_eq!(kept(text, &findings).trim(), "#");
}

#[test]
fn a_button_that_only_outlook_shows_leads_to_the_new_meeting() {
    let html = format!(
        "<!--[if mso]><v:roundrect href=\"{ZOOM}\"><center>Join</center></v:roundrect><![endif]--><![if !mso]>\
         <a href=\"{ZOOM}\">Join Meeting</a><![endif]><p>Meeting ID: 873 2439 7243</p><p>Bye</p>"
    );
    let findings = event(&html, None, &[]);
    let rest = kept(&html, &findings);
    assert_eq!(rest.matches("<![if").count(), rest.matches("<![endif]>").count(), "{rest}");
    let [mention] = findings.mentions.as_slice() else { panic!("{findings:?}") };
    assert_eq!(&html[mention.range.clone()], ZOOM);
    assert!(mention.range.start < findings.blocks[0].range.start);
}
