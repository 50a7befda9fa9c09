//! Rewriting, undoing and reading calendar items of Exchange.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use mms_invite::item::{
    Body, Changes, Component, Field, Invitee, Item, ItemError, Location, NamedProperty, OnlineMeeting,
    ReadBack, Recurrence, Role, diff, joined, read_back, undo,
};
use mms_invite::recognise::{BodyFormat, Recogniser, RecogniserOptions};
use mms_invite::render::{FRAME, Templates};
use mms_invite::rewrite::{Editor, RewriteError};
use mms_invite::undo::UndoError;
use mms_model::{
    Address, Attendee, DialIn, IdentityMap, IdentityMapRow, InstanceId, JoinInformation, Meeting,
    Participation, Platform, Recognition, Replacement, Rewrite, Rewritten, User,
};

static RECOGNISER: LazyLock<Arc<Recogniser>> = LazyLock::new(|| {
    let options = RecogniserOptions {
        jitsi_hosts: vec!["meet.example.org".to_owned()],
        ..RecogniserOptions::default()
    };
    Arc::new(Recogniser::new(&options).unwrap())
});

static EDITOR: LazyLock<Editor> =
    LazyLock::new(|| Editor::new(Arc::clone(&RECOGNISER), Arc::new(Templates::builtin())));

const SFB: &str = "https://meet.contoso.example/alice/P1O2I3U4";
const TEAMS: &str = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_T1dOZXh0%40thread.v2/0?context=%7b%22Tid%22%3a%2211111111-2222-3333-4444-555555555555%22%2c%22Oid%22%3a%2266666666-7777-8888-9999-000000000000%22%7d";

fn owner() -> User {
    User {
        skype: None,
        id: uuid::Uuid::nil(),
        upn: "alice@contoso.example".to_owned(),
        sip: None,
        logon: None,
        display_name: None,
        distinguished_name: None,
        addresses: vec![Address::new("alice@contoso.example")],
        calendar: None,
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-23T10:00:00Z")
}

fn join(platform: Platform, name: &str, url: &str) -> JoinInformation {
    JoinInformation::new(platform, name, url)
}

fn jitsi() -> JoinInformation {
    join(Platform::JITSI, "Jitsi Meet", "https://meet.example.org/Room42")
}

fn teams() -> JoinInformation {
    JoinInformation {
        conference_id: Some("291 633 251#".to_owned()),
        dial_in: vec![DialIn { number: "+1 425-555-0100".to_owned(), label: "Redmond".to_owned() }],
        ..join(Platform::TEAMS, "Microsoft Teams Meeting", TEAMS)
    }
}

fn invitee(address: &str, name: &str) -> Invitee {
    let (name, participation) = (Some(name.to_owned()), Participation::Accepted);
    let attendee = Attendee { address: Address::new(address), name, participation };
    Invitee { attendee, role: Role::Required, routing: None, fixed: false }
}

/// Everything upcoming in `meeting` goes to `target`.
fn plan(meeting: &Meeting, target: &JoinInformation) -> Rewrite {
    let replacements = meeting
        .instances
        .iter()
        .filter(|i| i.upcoming && !i.cancelled)
        .filter_map(|i| match &i.recognition {
            Recognition::One(m) => Some(Replacement {
                instance: i.id.clone(),
                key: m.key.clone(),
                target: target.clone(),
                language: m.language.clone().unwrap_or_else(|| "en".to_owned()),
            }),
            _ => None,
        })
        .collect();
    Rewrite { replacements, stamp: now(), raise_sequence: false, identities: Default::default() }
}

fn read(item: &Item) -> Meeting {
    item.meeting(&owner(), now(), &RECOGNISER)
}

fn migrate(item: &Item, target: &JoinInformation) -> (Rewritten, Item) {
    let meeting = read(item);
    let rewrite = plan(&meeting, target);
    assert!(!rewrite.replacements.is_empty(), "{meeting:?}");
    let rewritten = EDITOR.rewrite_item(&meeting.content, &rewrite).unwrap();
    let written = Item::from_bytes(&rewritten.content).unwrap();
    (rewritten, written)
}

/// The item as the server holds it after a write: nothing is to be written any more.
fn held(item: &Item) -> Item {
    let mut item = item.clone();
    item.components.iter_mut().for_each(|c| c.pending.clear());
    item
}

fn undone(original: &Item, written: &Item, current: &Item) -> Result<Item, UndoError> {
    let undone = undo(&original.to_bytes(), &written.to_bytes(), &current.to_bytes(), &RECOGNISER)?;
    Ok(held(&Item::from_bytes(&undone.content).unwrap()))
}

fn html(content: &str) -> Option<Body> {
    Some(Body { format: BodyFormat::Html, content: content.to_owned() })
}

fn content(component: &Component) -> &str {
    component.body.as_ref().map_or("", |body| body.content.as_str())
}

fn sfb_html(before: &str, after: &str) -> String {
    let dots = ".".repeat(137);
    format!(
        "<html><body>{before}<p>{dots}</p><p><a href=\"{SFB}\">Join Skype Meeting</a></p>\
         <p>Trouble Joining? <a href=\"{SFB}?sl=1\">Try Skype Web App</a></p><p>Conference ID: 27999194</p>\
         <p>[!OC([1033])!]</p><p>{dots}</p>{after}</body></html>"
    )
}

/// A Skype for Business meeting as EWS shows it.
fn skype() -> Item {
    let mut master = Component {
        subject: "Budget".to_owned(),
        body: html(&sfb_html("<p>Agenda: öäü &amp; more</p>", "<p>Bring <b>coffee</b></p>")),
        location: "Room 7; Skype Meeting".to_owned(),
        attendees: vec![invitee("bob@fabrikam.example", "Bob")],
        start: Some(at("2026-12-01T09:00:00Z")),
        end: Some(at("2026-12-01T10:00:00Z")),
        ..Component::new(InstanceId::Master)
    };
    master.connector.insert("change_key".to_owned(), "DwAAABYA".to_owned());
    master.properties.extend([
        (NamedProperty::OnlineMeetingExternalLink, SFB.to_owned()),
        (
            NamedProperty::OnlineMeetingConfLink,
            "conf:sip:alice@contoso.example;gruu;opaque=app:conf:focus:id:P1O2I3U4?conversation-id=x"
                .to_owned(),
        ),
        (NamedProperty::UcOpenedConferenceId, "6d3b5d5a-0f6b-4d6f-9a9e-0d6c2b1a9f00".to_owned()),
        (NamedProperty::UcMeetingSetting, "<settings/>".to_owned()),
        (NamedProperty::ConferenceTelUri, "tel:+4612345,,27999194".to_owned()),
    ]);
    Item {
        uid: "040000008200E000".to_owned(),
        organizer: Some(Address::new("alice@contoso.example")),
        is_organizer: Some(true),
        recurrence: Recurrence::Single,
        components: vec![master],
    }
}

fn corpus(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/corpus/dev").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// An event of Microsoft Graph as a connector reads it.
fn graph(json: &str) -> Item {
    let event: serde_json::Value = serde_json::from_str(json).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let mut component = Component {
        subject: text(&event["subject"]),
        body: html(&text(&event["body"]["content"])),
        location: text(&event["location"]["displayName"]),
        locations: serde_json::from_value(event["locations"].clone()).unwrap_or_default(),
        online_meeting: OnlineMeeting {
            is_online: event["isOnlineMeeting"].as_bool().unwrap(),
            provider: event["onlineMeetingProvider"].as_str().map(str::to_owned),
            join_url: event["onlineMeeting"]["joinUrl"].as_str().map(str::to_owned),
            conference_id: event["onlineMeeting"]["conferenceId"].as_str().map(str::to_owned),
            toll_number: event["onlineMeeting"]["tollNumber"].as_str().map(str::to_owned),
        },
        ..Component::new(InstanceId::Master)
    };
    component.connector.insert("etag".to_owned(), text(&event["@odata.etag"]));
    Item {
        uid: text(&event["iCalUId"]),
        organizer: event["organizer"]["emailAddress"]["address"].as_str().map(Address::new),
        is_organizer: event["isOrganizer"].as_bool(),
        recurrence: Recurrence::Single,
        components: vec![component],
    }
}

/// What Exchange makes of HTML: a head of its own, prefixed names, lines wrapped anew.
fn as_exchange_stores_it(html: &str) -> String {
    let inner = match html.find("<body") {
        Some(at) => {
            let inner = &html[html[at..].find('>').unwrap() + at + 1..];
            inner.split("</body>").next().unwrap()
        }
        None => html,
    };
    let inner = inner
        .replace("class=\"", "class=\"x_")
        .replace(" id=\"", " id=\"x_")
        .replace("<br>\n", "<br>")
        .replace("\n<p", "<p")
        .replace("</p>", "</p>\r\n")
        .replace("Join the meeting", "Join\r\n the meeting")
        .replace(" data-platform=\"Jitsi\"", "");
    format!(
        "<html>\r\n<head>\r\n<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\">\r\n</head>\r\n\
         <body>\r\n{inner}\r\n</body>\r\n</html>\r\n"
    )
}

#[test]
fn skype_goes_to_teams_and_only_what_speaks_of_it_changes() {
    let original = skype();
    let (rewritten, written) = migrate(&original, &teams());
    let [Changes { instance, body, location, locations, attendees, set, delete, changes_online_meeting }] =
        written.changes().try_into().unwrap();
    assert_eq!(instance, InstanceId::Master);
    let body = body.unwrap().content;
    assert!(body.starts_with("<html><body><p>Agenda: öäü &amp; more</p>"), "{body}");
    assert!(body.ends_with("<p>Bring <b>coffee</b></p></body></html>"), "{body}");
    assert!(
        body.contains(FRAME) && !body.to_lowercase().contains("skype") && !body.contains("!OC("),
        "{body}"
    );
    assert_eq!(location.as_deref(), Some("Room 7; Microsoft Teams Meeting"));
    assert_eq!((locations, attendees), (None, None));
    assert!(!changes_online_meeting);
    let value = |property| set.iter().find(|(p, _)| *p == property).map(|(_, value)| value.as_str());
    assert_eq!(value(NamedProperty::SkypeTeamsMeetingUrl), Some(TEAMS));
    assert_eq!(
        value(NamedProperty::SkypeTeamsProperties),
        Some(r#"{"cid":"19:meeting_T1dOZXh0@thread.v2","private":true,"type":0,"mid":0,"rid":0,"uid":null}"#)
    );
    assert_eq!(
        value(NamedProperty::OnlineMeetingConfLink),
        Some(
            "conf:sip:alice@contoso.example;gruu;opaque=app:conf:focus:id:teams:2:0!19:meeting_T1dOZXh0-thread.v2!66666666777788889999000000000000!11111111222233334444555555555555"
        )
    );
    assert_eq!(
        value(NamedProperty::SchedulingServiceUpdateUrl),
        Some(
            "https://api.scheduler.teams.microsoft.com/teams/11111111-2222-3333-4444-555555555555/66666666-7777-8888-9999-000000000000/19_meeting_T1dOZXh0@thread.v2/0"
        )
    );
    assert_eq!(value(NamedProperty::OnlineMeetingConferenceId), Some("291633251"));
    assert_eq!(
        delete,
        [
            NamedProperty::OnlineMeetingExternalLink,
            NamedProperty::ConferenceTelUri,
            NamedProperty::UcOpenedConferenceId,
            NamedProperty::UcMeetingSetting,
        ]
    );
    let parts: Vec<_> = rewritten.changes.iter().map(|c| c.part.as_str()).collect();
    assert_eq!(&parts[..2], ["body", "location"]);
    assert_eq!(parts.len(), 2 + set.len() + delete.len());
    // What a migration may not touch did not change.
    let mut same = written.components[0].clone();
    let was = &original.components[0];
    (same.body, same.location, same.properties) =
        (was.body.clone(), was.location.clone(), was.properties.clone());
    same.pending.clear();
    assert_eq!(same, *was);
    assert_eq!(diff(&original, &written), written.changes());
}

#[test]
fn a_second_run_changes_nothing_and_undo_gives_the_original_bytes() {
    for target in [teams(), jitsi(), join(Platform::SFB, "Skype Meeting", &SFB.replace("P1O2", "Q1O2"))] {
        let original = skype();
        let (_, written) = migrate(&original, &target);
        let (twice, same) = migrate(&held(&written), &target);
        assert!(twice.changes.is_empty(), "{:?}", twice.changes);
        assert_eq!(same, held(&written));
        assert!(same.changes().is_empty());
        let back = undone(&original, &written, &held(&written)).unwrap().to_bytes();
        assert_eq!(String::from_utf8(back), String::from_utf8(original.to_bytes()));
        // A second rollback finds nothing to do.
        assert_eq!(undone(&original, &written, &original).unwrap(), original);
    }
}

#[test]
fn another_language_is_no_reason_to_mail_everybody() {
    let original = skype();
    let meeting = read(&original);
    let mut rewrite = plan(&meeting, &teams());
    rewrite.replacements[0].language = "de".to_owned();
    let german = EDITOR.rewrite_item(&meeting.content, &rewrite).unwrap();
    let item = held(&Item::from_bytes(&german.content).unwrap());
    rewrite.replacements[0].language = "sv".to_owned();
    assert!(EDITOR.rewrite_item(&item.to_bytes(), &rewrite).unwrap().changes.is_empty());
}

#[test]
fn a_move_to_skype_sets_the_link_and_leaves_unset_what_cannot_be_known() {
    let original = graph(&corpus("122-teams-2026-graph.json"));
    let url = "https://meet.contoso.example/bob/Q1O2I3U4";
    let (_, written) = migrate(&original, &join(Platform::SFB, "Skype Meeting", url));
    let properties = &written.components[0].properties;
    assert_eq!(properties.len(), 1, "{properties:?}");
    assert_eq!(properties[&NamedProperty::OnlineMeetingExternalLink], url);
    let mut own = skype();
    own.components[0].properties.clear();
    let (_, written) = migrate(&own, &join(Platform::SFB, "Skype Meeting", &SFB.replace("P1O2", "Q1O2")));
    assert_eq!(
        written.components[0].properties[&NamedProperty::OnlineMeetingConfLink],
        "conf:sip:alice@contoso.example;gruu;opaque=app:conf:focus:id:Q1O2I3U4"
    );
}

#[test]
fn events_of_graph_leave_their_online_meeting_and_keep_rooms() {
    for name in ["122-teams-2026-graph.json", "074-graph-botfw-teams.json"] {
        let mut original = graph(&corpus(name));
        let room = Location {
            display_name: "Teams room 5".to_owned(),
            other: [
                ("locationType".to_owned(), "conferenceRoom".into()),
                ("uniqueId".to_owned(), "x".into()),
            ]
            .into(),
        };
        original.components[0].locations.insert(0, room.clone());
        original.components[0].location = format!("Teams room 5; {}", original.components[0].location);
        let before = original.components[0].clone();
        let (_, written) = migrate(&original, &jitsi());
        let [changes] = written.changes().try_into().unwrap();
        assert!(changes.changes_online_meeting);
        let body = changes.body.unwrap().content;
        assert!(!body.contains("teams.microsoft.com"), "{body}");
        assert!(body.starts_with(&content(&before)[..100]), "{body}");
        if before.location.contains("Microsoft Teams Meeting") {
            assert_eq!(changes.location.as_deref(), Some("Teams room 5; Jitsi Meet"));
            let locations = changes.locations.unwrap();
            assert_eq!(locations[0], room);
            assert_eq!(locations[1].display_name, "Jitsi Meet");
            assert_eq!(locations[1].other.keys().collect::<Vec<_>>(), ["locationType"]);
        }
        let back = undone(&original, &written, &held(&written)).unwrap().to_bytes();
        assert_eq!(String::from_utf8(back), String::from_utf8(original.to_bytes()));
    }
}

#[test]
fn a_block_of_teams_that_shows_the_right_coordinates_is_left_alone() {
    let item = graph(&corpus("122-teams-2026-graph.json"));
    let Recognition::One(found) = &read(&item).instances[0].recognition else { panic!() };
    let current = JoinInformation {
        meeting_id: found.meeting_id.clone(),
        passcode: found.passcode.clone(),
        ..join(
            Platform::TEAMS,
            "Microsoft Teams",
            item.components[0].online_meeting.join_url.as_ref().unwrap(),
        )
    };
    let (rewritten, _) = migrate(&item, &current);
    assert!(rewritten.changes.is_empty(), "{:?}", rewritten.changes);
    let other = JoinInformation { passcode: Some("another".to_owned()), ..current.clone() };
    let (rewritten, written) = migrate(&item, &other);
    assert_eq!(rewritten.changes.iter().map(|c| c.part.as_str()).collect::<Vec<_>>(), ["body"]);
    assert!(content(&written.components[0]).contains("another"));
    let dial_in = JoinInformation { dial_in: teams().dial_in, ..current };
    assert!(!migrate(&item, &dial_in).0.changes.is_empty());
}

#[test]
fn what_exchange_makes_of_the_html_is_no_change() {
    let original = skype();
    for target in [teams(), jitsi()] {
        let (_, written) = migrate(&original, &target);
        let mut stored = held(&written);
        let body = as_exchange_stores_it(content(&stored.components[0]));
        stored.components[0].body = html(&body);
        assert_eq!(read_back(&written, &stored, &RECOGNISER), ReadBack::Same);
        let (again, _) = migrate(&stored, &target);
        assert!(again.changes.is_empty(), "{:?}", again.changes);
        // Undone in place: what Exchange and people made of the rest stays.
        let edited = body.replace("Agenda: ", "<i>New</i> agenda: ");
        stored.components[0].body = html(&edited);
        assert!(matches!(read_back(&written, &stored, &RECOGNISER), ReadBack::OtherText { .. }));
        let back = undone(&original, &written, &stored).unwrap();
        let back = content(&back.components[0]);
        assert!(back.contains("<i>New</i> agenda: ") && back.contains("charset=utf-8"), "{back}");
        assert!(back.contains(&format!("<a href=\"{SFB}\">Join Skype Meeting</a>")), "{back}");
        assert!(!back.contains(FRAME), "{back}");
    }
    let (_, written) = migrate(&original, &teams());
    assert!(matches!(read_back(&written, &original, &RECOGNISER), ReadBack::OtherMeeting { .. }));
}

#[test]
fn undo_keeps_what_was_edited_since_and_refuses_where_it_cannot() {
    let original = skype();
    let (_, written) = migrate(&original, &jitsi());
    let mut current = held(&written);
    let component = &mut current.components[0];
    component.connector.insert("change_key".to_owned(), "newer".to_owned());
    component.start = Some(at("2026-12-02T09:00:00Z"));
    component.subject = "Budget, new".to_owned();
    component.location = "Room 8; Jitsi Meet".to_owned();
    component.body = html(&content(component).replace("Agenda", "New agenda"));
    let undone_content =
        undo(&original.to_bytes(), &written.to_bytes(), &current.to_bytes(), &RECOGNISER).unwrap().content;
    let item = Item::from_bytes(&undone_content).unwrap();
    let back = &item.components[0];
    assert_eq!(back.location, "Room 8; Skype Meeting");
    assert_eq!(content(back), content(&original.components[0]).replace("Agenda", "New agenda"));
    assert_eq!(back.properties, original.components[0].properties);
    assert_eq!((back.subject.as_str(), back.start), ("Budget, new", Some(at("2026-12-02T09:00:00Z"))));
    assert_eq!(back.connector["change_key"], "newer");
    let mut pending = vec![Field::Body, Field::Location];
    pending.extend(original.components[0].properties.keys().map(|p| Field::Property(*p)));
    assert_eq!(back.pending, pending);

    let mut edited = held(&written);
    edited.components[0].body =
        html(&content(&edited.components[0]).replace("Join the meeting", "Join here"));
    let refused = |property: &str| Err(UndoError::Edited { property: property.to_owned() });
    assert_eq!(undone(&original, &written, &edited), refused("the body"));
    let mut moved = held(&written);
    moved.components[0].location = "Somewhere else".to_owned();
    assert_eq!(undone(&original, &written, &moved), refused("the location"));
    let (_, elsewhere) = migrate(&held(&written), &teams());
    assert_eq!(undone(&original, &written, &held(&elsewhere)), refused("the online meeting"));
    let mut gone = held(&written);
    gone.components[0].instance = InstanceId::Exception("2026-12-01T09:00:00Z".to_owned());
    assert_eq!(undone(&original, &written, &gone), Err(UndoError::NoSuchInstance(InstanceId::Master)));
}

#[test]
fn modified_occurrences_of_a_series_are_rewritten_with_it_and_past_ones_stay() {
    let mut item = skype();
    item.recurrence = Recurrence::Series { last_end: None };
    item.components[0].start = Some(at("2025-01-01T09:00:00Z"));
    item.components[0].end = Some(at("2025-01-01T10:00:00Z"));
    let exception = |day: &str, words: &str| Component {
        instance: InstanceId::Exception(format!("{day}T09:00:00Z")),
        body: html(&sfb_html(words, "")),
        start: Some(at(&format!("{day}T11:00:00Z"))),
        end: Some(at(&format!("{day}T12:00:00Z"))),
        ..item.components[0].clone()
    };
    let (past, ahead) = (exception("2026-11-10", "past"), exception("2026-12-08", "ahead"));
    let ahead_id = ahead.instance.clone();
    item.components.splice(0..0, [past.clone(), ahead]);
    let meeting = read(&item);
    let upcoming: Vec<_> =
        meeting.instances.iter().map(|i| (i.id == InstanceId::Master, i.upcoming)).collect();
    assert_eq!(upcoming, [(true, true), (false, false), (false, true)]);
    assert_eq!(meeting.attendees.len(), 1);
    let (_, written) = migrate(&item, &teams());
    let changed: Vec<_> = written.changes().into_iter().map(|c| c.instance).collect();
    assert_eq!(changed, [ahead_id, InstanceId::Master]);
    assert_eq!(written.components[0], past);
    assert!(content(&written.components[1]).starts_with("<html><body>ahead"));
    assert_eq!(undone(&item, &written, &held(&written)).unwrap(), item);
    item.recurrence = Recurrence::Series { last_end: Some(at("2026-11-20T10:00:00Z")) };
    assert!(!read(&item).instances[0].upcoming);
    let rewrite = Rewrite {
        replacements: vec![Replacement {
            instance: InstanceId::Exception("2030-01-01T00:00:00Z".to_owned()),
            ..plan(&meeting, &teams()).replacements.remove(0)
        }],
        stamp: now(),
        raise_sequence: false,
        identities: Default::default(),
    };
    assert!(matches!(EDITOR.rewrite_item(&item.to_bytes(), &rewrite), Err(RewriteError::NoSuchInstance(_))));
}

#[test]
fn a_meeting_without_a_block_gets_one_behind_the_text() {
    for (body, start, end) in [
        (
            html("<html><body><p>Agenda</p></body></html>"),
            "<html><body><p>Agenda</p><div",
            "</div></body></html>",
        ),
        (html("<p>Agenda</p>"), "<p>Agenda</p><div", "</div>"),
        (Some(Body { format: BodyFormat::Text, content: "Agenda".to_owned() }), "Agenda\r\n\r\n====", "===="),
        (None, "<div", "</div>"),
    ] {
        let mut original = skype();
        original.components[0].body = body;
        original.components[0].location = "Room 7".to_owned();
        let (_, written) = migrate(&original, &jitsi());
        let text = content(&written.components[0]);
        assert!(text.starts_with(start) && text.ends_with(end), "{text}");
        assert_eq!(written.components[0].location, "Room 7");
        assert!(migrate(&held(&written), &jitsi()).0.changes.is_empty());
        assert_eq!(undone(&original, &written, &held(&written)).unwrap(), original);
    }
}

#[test]
fn text_bodies_keep_their_line_ends() {
    let mut original = skype();
    let text = "Agenda\r\n\r\nJoin Zoom Meeting\r\nhttps://us02web.zoom.us/j/87324397243?pwd=abc\r\n\r\n\
                Meeting ID: 873 2439 7243\r\nPasscode: 305275\r\n\r\nBye\r\n";
    original.components[0].body = Some(Body { format: BodyFormat::Text, content: text.to_owned() });
    original.components[0].properties.clear();
    original.components[0].location.clear();
    let (_, written) = migrate(&original, &jitsi());
    let new = content(&written.components[0]);
    assert!(new.starts_with("Agenda\r\n\r\n") && new.ends_with("\r\n\r\nBye\r\n"), "{new}");
    assert_eq!(new.matches('\n').count(), new.matches("\r\n").count(), "{new:?}");
}

#[test]
fn a_block_in_the_middle_of_a_line_gets_lines_of_its_own() {
    let mut original = skype();
    let text = format!(
        "{FRAME}\r\nJitsi Meet: Online-Besprechung\r\nAn der Besprechu`ng teilnehmen: https://anything.example.com/abc/QuietOtter\r\nBye\r\n"
    );
    original.components[0].body = Some(Body { format: BodyFormat::Text, content: text });
    original.components[0].properties.clear();
    original.components[0].location.clear();
    let (_, written) = migrate(&original, &jitsi());
    let new = content(&written.components[0]);
    assert!(new.contains(&format!("An der Besprechu`ng \r\n{FRAME}\r\n")), "{new}");
    assert!(new.ends_with(&format!("\r\n{FRAME}\r\nBye\r\n")), "{new}");
    assert!(migrate(&held(&written), &jitsi()).0.changes.is_empty());
    assert_eq!(undone(&original, &written, &held(&written)).unwrap(), original);
}

#[test]
fn somebodys_own_net_show_url_stays_and_the_meetings_goes() {
    let mut own = skype();
    own.components[0].properties.extend([
        (NamedProperty::NetShowUrl, "https://video.contoso.example/show".to_owned()),
        (NamedProperty::ConferencingCheck, "true".to_owned()),
    ]);
    let (_, written) = migrate(&own, &jitsi());
    assert_eq!(written.components[0].properties.len(), 2);
    let mut copied = graph(&corpus("122-teams-2026-graph.json"));
    let url = copied.components[0].online_meeting.join_url.clone().unwrap();
    copied.components[0]
        .properties
        .extend([(NamedProperty::NetShowUrl, url), (NamedProperty::ConferencingCheck, "true".to_owned())]);
    let (_, written) = migrate(&copied, &jitsi());
    assert!(written.components[0].properties.is_empty());
    let (_, written) = migrate(&copied, &teams());
    assert_eq!(written.components[0].property(NamedProperty::NetShowUrl), Some(TEAMS));
    assert_eq!(written.components[0].property(NamedProperty::ConferencingCheck), Some("true"));
}

#[test]
fn dial_in_properties_follow_the_coordinates_however_they_are_spelled() {
    let (_, written) = migrate(&skype(), &teams());
    let mut item = held(&written);
    let number = NamedProperty::OnlineMeetingTollNumber;
    item.components[0].properties.insert(number, "+14255550100".to_owned());
    assert!(migrate(&item, &teams()).0.changes.is_empty());
    let other = JoinInformation {
        dial_in: vec![DialIn { number: "+1 425-555-0199".to_owned(), label: String::new() }],
        ..teams()
    };
    let (_, refreshed) = migrate(&item, &other);
    assert_eq!(refreshed.components[0].property(number), Some("+1 425-555-0199"));
    let none = JoinInformation { dial_in: Vec::new(), conference_id: None, ..teams() };
    let [changes] = migrate(&item, &none).1.changes().try_into().unwrap();
    assert_eq!(changes.delete, [NamedProperty::OnlineMeetingConferenceId, number]);
}

#[test]
fn skype_meetings_are_refreshed_in_place_only_where_something_changed() {
    let mut item = skype();
    let internal = NamedProperty::OnlineMeetingInternalLink;
    item.components[0].properties.insert(internal, "https://pool.contoso.example/alice/P1O2I3U4".to_owned());
    let current = JoinInformation {
        dial_in: vec![DialIn { number: "+46 123 45".to_owned(), label: String::new() }],
        conference_id: Some("27999194".to_owned()),
        ..join(Platform::SFB, "Skype Meeting", SFB)
    };
    // The block says nothing of the number to dial, so it is written anew; the properties are right.
    let (rewritten, written) = migrate(&item, &current);
    assert_eq!(rewritten.changes.iter().map(|c| c.part.as_str()).collect::<Vec<_>>(), ["body"]);
    assert!(migrate(&held(&written), &current).0.changes.is_empty());
    let online = "https://meet.lync.com/contoso/alice/P1O2I3U4";
    let (_, written) = migrate(&item, &JoinInformation { join_url: online.to_owned(), ..current });
    let [changes] = written.changes().try_into().unwrap();
    assert_eq!(changes.set, [(NamedProperty::OnlineMeetingExternalLink, online.to_owned())]);
    assert_eq!(changes.delete, [internal]);
    assert!(changes.body.unwrap().content.contains(online));
    assert_eq!(changes.location, None);
}

#[test]
fn properties_are_addressed_as_ews_and_graph_do() {
    for property in NamedProperty::ALL {
        assert_eq!(NamedProperty::from_graph_id(&property.graph_id()), Some(*property));
    }
    assert_eq!(
        NamedProperty::SkypeTeamsMeetingUrl.graph_id(),
        "String {00020329-0000-0000-C000-000000000046} Name SkypeTeamsMeetingUrl"
    );
    assert_eq!(
        NamedProperty::ConferencingCheck.graph_id(),
        "Boolean {00062002-0000-0000-C000-000000000046} Id 0x8240"
    );
    assert_eq!(NamedProperty::find("PublicStrings", "ucinband"), Some(NamedProperty::UcInband));
    assert_eq!(NamedProperty::find("Appointment", "33352"), Some(NamedProperty::NetShowUrl));
    assert_eq!(NamedProperty::find("Appointment", "UCInband"), None);
    assert_eq!(NamedProperty::from_graph_id("String {00020329"), None);
}

#[test]
fn content_is_read_or_refused() {
    let item = skype();
    assert_eq!(Item::from_bytes(&item.to_bytes()), Ok(item.clone()));
    assert_eq!(Item::from_bytes(&item.to_bytes()).unwrap().to_bytes(), item.to_bytes());
    assert!(matches!(Item::from_bytes(b"BEGIN:VCALENDAR"), Err(ItemError::Malformed(_))));
    let empty = Item { components: Vec::new(), ..item.clone() };
    assert_eq!(Item::from_bytes(&empty.to_bytes()), Err(ItemError::Empty));
    let twice =
        Item { components: vec![item.components[0].clone(), item.components[0].clone()], ..item.clone() };
    assert_eq!(Item::from_bytes(&twice.to_bytes()), Err(ItemError::Twice(InstanceId::Master)));
    let rewrite = Rewrite {
        replacements: Vec::new(),
        stamp: now(),
        raise_sequence: false,
        identities: Default::default(),
    };
    assert!(matches!(EDITOR.rewrite_item(b"{}", &rewrite), Err(RewriteError::Item(_))));
    // An empty property is none: Graph can only empty them.
    let mut emptied = item.clone();
    emptied.components[0].properties.values_mut().for_each(String::clear);
    let mut without = item;
    without.components[0].properties.clear();
    assert!(diff(&emptied, &without).is_empty());
}

#[test]
fn real_bodies_are_rewritten_and_restored_to_the_byte() {
    let mut migrated = 0;
    for name in [
        "060-teams-fi-webex-cvi.html",
        "061-teams-pexip-cvi.html",
        "062-zoom-fi-html.html",
        "104-goto-html-gcal-desc.html",
        "113-teams-de-safelinks.html",
        "117-webex-tn-html.html",
        "121-sfb-onprem-en.html",
        "123-teams-2024.html",
    ] {
        let mut item = skype();
        item.components[0].properties.clear();
        item.components[0].location.clear();
        item.components[0].body = html(&corpus(name));
        let meeting = read(&item);
        let rewrite = plan(&meeting, &jitsi());
        if rewrite.replacements.is_empty() {
            continue;
        }
        let rewritten = EDITOR.rewrite_item(&meeting.content, &rewrite).unwrap();
        let written = Item::from_bytes(&rewritten.content).unwrap();
        assert!(migrate(&held(&written), &jitsi()).0.changes.is_empty(), "{name}");
        assert_eq!(undone(&item, &written, &held(&written)).unwrap(), item, "{name}");
        let mut stored = held(&written);
        stored.components[0].body = html(&as_exchange_stores_it(content(&stored.components[0])));
        assert_eq!(read_back(&written, &stored, &RECOGNISER), ReadBack::Same, "{name}");
        assert!(migrate(&stored, &jitsi()).0.changes.is_empty(), "{name}");
        let back = undone(&item, &written, &stored).unwrap();
        assert_eq!(keys(&back), keys(&item), "{name}");
        assert!(!content(&back.components[0]).contains(FRAME), "{name}");
        migrated += 1;
    }
    assert!(migrated >= 7, "{migrated}");
}

#[test]
fn a_block_in_pieces_is_undone_where_only_the_markup_changed() {
    let zoom = "https://us02web.zoom.us/j/87324397243?pwd=abc";
    let body = format!(
        "<html><body><div>Join Zoom Meeting<br>\n<a href=\"{zoom}\">{zoom}</a><br>\nMeeting ID: 873 2439 7243<br>\n\
         Passcode: 305275<br>\n<br>\nOur agenda is long<br>\nand here</div></body></html>"
    );
    let mut original = skype();
    original.components[0].body = html(&body);
    original.components[0].properties.clear();
    original.components[0].location.clear();
    let (_, written) = migrate(&original, &jitsi());
    assert!(content(&written.components[0]).contains("Our agenda is long<br>\nand here"));
    let mut stored = held(&written);
    stored.components[0].body = html(&as_exchange_stores_it(content(&stored.components[0])));
    let back = undone(&original, &written, &stored).unwrap();
    assert!(content(&back.components[0]).contains(&format!("<a href=\"{zoom}\">{zoom}</a>")));
    assert!(!content(&back.components[0]).contains(FRAME));
    // The words of the block are people's once they changed them.
    let edited = content(&stored.components[0]).replace("Jitsi Meet", "Video");
    stored.components[0].body = html(&edited);
    assert!(matches!(undone(&original, &written, &stored), Err(UndoError::Edited { .. })));
}

#[test]
fn an_item_of_ews_is_recognised_by_its_properties_alone() {
    let mut item = skype();
    item.components[0].body = None;
    item.components[0].location.clear();
    let Recognition::One(found) = &read(&item).instances[0].recognition else { panic!() };
    assert_eq!((found.platform.clone(), found.join_url.as_deref()), (Platform::SFB, Some(SFB)));
    assert!(found.has_dial_in);
    item.components[0].properties.values_mut().for_each(String::clear);
    assert_eq!(read(&item).instances[0].recognition, Recognition::None);
    item.is_organizer = Some(false);
    assert!(!read(&item).organised_by_owner);
    item.is_organizer = None;
    assert!(read(&item).organised_by_owner);
    item.organizer = Some(Address::new("bob@fabrikam.example"));
    let meeting = read(&item);
    assert!(!meeting.organised_by_owner && meeting.attendees.is_empty());
}

fn keys(item: &Item) -> Vec<String> {
    match &read(item).instances[0].recognition {
        Recognition::None => Vec::new(),
        Recognition::One(one) => vec![one.key.clone()],
        Recognition::Ambiguous(all) => all.iter().map(|m| m.key.clone()).collect(),
    }
}

proptest::proptest! {
    #[test]
    fn text_around_the_block_is_kept_to_the_byte(
        before in "(<p>|</p>|<b>|</b>|<br>|&amp;|[ -;=?-~äß日\u{a0}]){0,60}",
        after in "(<p>|</p>|<i>|</i>|&nbsp;|[ -;=?-~äß日]){0,60}",
        target in proptest::prelude::prop_oneof![proptest::prelude::Just(teams()), proptest::prelude::Just(jitsi())],
    ) {
        let mut item = skype();
        item.components[0].body = html(&sfb_html(&format!("<div>{before}</div>"), &format!("<div>{after}</div>")));
        let meeting = read(&item);
        let rewrite = plan(&meeting, &target);
        if !rewrite.replacements.is_empty()
            && let Ok(rewritten) = EDITOR.rewrite_item(&meeting.content, &rewrite)
        {
            let written = Item::from_bytes(&rewritten.content).unwrap();
            let new = content(&written.components[0]);
            let kept = new.starts_with(&format!("<html><body><div>{before}</div>"));
            proptest::prop_assert!(kept, "{}", new);
            let kept = new.ends_with(&format!("<div>{after}</div></body></html>"));
            proptest::prop_assert!(kept, "{}", new);
            let back = undone(&item, &written, &held(&written)).unwrap();
            proptest::prop_assert_eq!(String::from_utf8(back.to_bytes()), String::from_utf8(item.to_bytes()));
            let again = held(&written);
            let second = EDITOR.rewrite_item(&again.to_bytes(), &plan(&read(&again), &target)).unwrap();
            proptest::prop_assert!(second.changes.is_empty(), "{:?}", second.changes);
        }
    }

    #[test]
    fn damaged_content_is_rewritten_whole_or_not_at_all(
        damage in proptest::collection::vec((0usize..3000, proptest::num::u8::ANY), 0..6),
    ) {
        let mut bytes = skype().to_bytes();
        for (at, byte) in damage {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        if let Ok(item) = Item::from_bytes(&bytes) {
            let meeting = read(&item);
            if let Ok(rewritten) = EDITOR.rewrite_item(&meeting.content, &plan(&meeting, &jitsi())) {
                let written = Item::from_bytes(&rewritten.content).unwrap();
                let back = undone(&item, &written, &held(&written)).unwrap();
                proptest::prop_assert_eq!(back, held(&item));
            }
        }
    }
}

#[test]
fn people_who_moved_get_their_new_address_in_what_lies_ahead() {
    let row = |source: &str, target: &str| IdentityMapRow { source: source.into(), target: target.into() };
    let identities = Arc::new(IdentityMap::new(&[row("@fabrikam.example", "@contoso.example")]).unwrap());
    let mut item = skype();
    let over = Component { end: Some(at("2026-01-01T10:00:00Z")), ..item.components[0].clone() };
    item.recurrence = Recurrence::Series { last_end: None };
    item.components
        .push(Component { instance: InstanceId::Exception("2026-01-01T09:00:00Z".into()), ..over });
    let content = item.to_bytes();
    let mut rewrite = plan(&read(&item), &teams());
    rewrite.identities = identities;
    let rewritten = EDITOR.rewrite_item(&content, &rewrite).unwrap();
    let written = Item::from_bytes(&rewritten.content).unwrap();
    let [change] = written.changes().try_into().unwrap();
    assert_eq!(change.instance, InstanceId::Master, "what is over stays as it is");
    assert_eq!(change.attendees, Some(vec![invitee("bob@contoso.example", "Bob")]));
    let noted = rewritten.changes.iter().find(|c| c.part == "attendees").unwrap();
    assert_eq!(
        (noted.before.as_str(), noted.after.as_str()),
        ("bob@fabrikam.example", "bob@contoso.example")
    );

    assert_eq!(read_back(&written, &written, &RECOGNISER), ReadBack::Same);
    let mut dropped = written.clone();
    dropped.components[0].attendees.clear();
    let missing = vec![Address::new("bob@contoso.example")];
    assert_eq!(
        read_back(&written, &dropped, &RECOGNISER),
        ReadBack::OtherAttendees { instance: InstanceId::Master, missing }
    );

    let again = EDITOR.rewrite_item(&rewritten.content, &rewrite).unwrap();
    assert_eq!(again.changes, [], "a second run changes nothing");
    let undone = undo(&content, &rewritten.content, &rewritten.content, &RECOGNISER).unwrap();
    let undone = Item::from_bytes(&undone.content).unwrap();
    assert_eq!(undone.components[0].attendees, item.components[0].attendees);
    assert!(undone.components[0].pending.contains(&Field::Attendees));
}

#[test]
fn two_changes_of_a_series_are_taken_back_as_one() {
    let exception = "2026-12-08T09:00:00Z";
    let mut series = skype();
    series.recurrence = Recurrence::Series { last_end: None };
    let mut changed = series.components[0].clone();
    changed.instance = InstanceId::Exception(exception.into());
    series.components.push(changed);
    let (_, written) = migrate(&series, &teams());

    // The master was written, and edited since; the exception was not.
    let mut half = series.clone();
    half.components[0] = written.components[0].clone();
    half.components.iter_mut().for_each(|component| component.pending.clear());
    let edit = |item: &mut Item| {
        let body = item.components[0].body.as_mut().unwrap();
        body.content = body.content.replace("Agenda", "New agenda");
    };
    edit(&mut half);
    let (_, second) = migrate(&half, &teams());
    let bytes = [&series, &written, &half, &second].map(Item::to_bytes);
    let (original, both) = joined((&bytes[0], &bytes[1]), (&bytes[2], &bytes[3]));

    let mut current = second.clone();
    current.components.iter_mut().for_each(|component| component.pending.clear());
    let undone = undo(&original, &both, &current.to_bytes(), &RECOGNISER).unwrap();
    let undone = Item::from_bytes(&undone.content).unwrap();
    let mut expected = series.clone();
    edit(&mut expected);
    for (undone, expected) in undone.components.iter().zip(&expected.components) {
        assert_eq!(content(undone), content(expected));
        assert_eq!(undone.properties, expected.properties);
    }
    let second_alone = joined((b"x", b"y"), (&bytes[2], &bytes[3]));
    assert_eq!(second_alone, (bytes[2].clone(), bytes[3].clone()), "what is no item joins with nothing");
}
