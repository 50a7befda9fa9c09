//! Rewriting, undoing and reading whole invites.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use mms_invite::event::{ReadError, meetings};
use mms_invite::ical::Document;
use mms_invite::itip;
use mms_invite::recognise::{Recogniser, RecogniserOptions};
use mms_invite::render::{FRAME, Templates};
use mms_invite::rewrite::{Editor, RewriteError};
use mms_invite::undo::{UndoError, undo};
use mms_model::{
    Address, IdentityMap, IdentityMapRow, InstanceId, JoinInformation, Meeting, Platform, Recognition,
    Replacement, Rewrite, User,
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

fn editor() -> &'static Editor {
    &EDITOR
}

fn owner() -> User {
    User {
        skype: None,
        id: uuid::Uuid::nil(),
        upn: "alice@example.test".to_owned(),
        sip: None,
        logon: None,
        display_name: None,
        distinguished_name: None,
        addresses: vec![Address::new("alice@example.test")],
        calendar: None,
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-23T10:00:00Z")
}

fn read(ics: &str) -> Meeting {
    let mut all = meetings(ics.as_bytes(), &owner(), now(), &RECOGNISER).unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0).unwrap()
}

fn jitsi(room: &str) -> JoinInformation {
    JoinInformation::new(Platform::JITSI, "Jitsi Meet".to_owned(), format!("https://meet.example.org/{room}"))
}

/// Everything upcoming in `meeting` goes to the room.
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

const ZOOM: &str = "Anna is inviting you to a scheduled Zoom meeting.\\n\\nJoin Zoom Meeting\\nhttps://us02web.zoom.us/j/87324397243?pwd=abc\\n\\nMeeting ID: 873 2439 7243\\nPasscode: 305275\\n";

fn event(extra: &str, description: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:u1\r\nDTSTAMP:20260101T000000Z\r\n\
         LAST-MODIFIED:20260101T000000Z\r\nDTSTART:20261201T090000Z\r\nDTEND:20261201T100000Z\r\nSEQUENCE:3\r\n\
         SUMMARY:Sync\\, weekly\r\nORGANIZER;CN=Alice:mailto:alice@example.test\r\n\
         ATTENDEE;PARTSTAT=ACCEPTED;CN=\"Bob; B\":mailto:bob@example.test\r\n{extra}DESCRIPTION:{description}\r\n\
         x-unknown;P=\"a:b\":keep;me,as I am\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

fn unfolded(ics: &[u8]) -> String {
    String::from_utf8_lossy(ics).replace("\r\n ", "")
}

#[test]
fn the_block_goes_and_everything_around_it_stays() {
    let ics = event(
        "LOCATION:Room 7\\; 2nd floor\r\n",
        &format!("Agenda: öäü\\, first\\n\\n{ZOOM}\\nBring coffee\\; please"),
    );
    let meeting = read(&ics);
    assert_eq!(meeting.subject, "Sync, weekly");
    let rewritten = editor().rewrite(ics.as_bytes(), &plan(&meeting, &jitsi("Room42"))).unwrap();
    let text = unfolded(&rewritten.content);
    assert!(text.contains("DESCRIPTION:Agenda: öäü\\, first\\n"), "{text}");
    assert!(text.contains("\\nBring coffee\\; please\r\n"), "{text}");
    assert!(text.contains(&format!(
        "{FRAME}\\nJitsi Meet: online meeting\\nJoin the meeting: https://meet.example.org/Room42"
    )));
    assert!(!text.contains("zoom"), "{text}");
    for line in [
        "LOCATION:Room 7\\; 2nd floor\r\n",
        "x-unknown;P=\"a:b\":keep;me,as I am\r\n",
        "SEQUENCE:3\r\n",
        "ATTENDEE;PARTSTAT=ACCEPTED;CN=\"Bob; B\":mailto:bob@example.test\r\n",
        "DTSTAMP:20261123T100000Z\r\n",
        "LAST-MODIFIED:20261123T100000Z\r\n",
        "DTSTART:20261201T090000Z\r\n",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(
        String::from_utf8_lossy(&rewritten.content)
            .split("\r\n")
            .all(|l| l.len() <= 75 || l.starts_with("ATTENDEE"))
    );
    assert_eq!(rewritten.changes.iter().map(|c| c.part.as_str()).collect::<Vec<_>>(), ["DESCRIPTION"]);
}

#[test]
fn a_second_run_changes_nothing_and_undo_gives_the_original() {
    let ics = event("LOCATION:https://us02web.zoom.us/j/87324397243?pwd=abc\r\n", ZOOM);
    let target = jitsi("Room42");
    let once = editor().rewrite(ics.as_bytes(), &plan(&read(&ics), &target)).unwrap();
    let again = read(std::str::from_utf8(&once.content).unwrap());
    let twice = editor().rewrite(&once.content, &plan(&again, &target)).unwrap();
    assert_eq!(twice.content, once.content);
    assert!(twice.changes.is_empty());
    let undone = undo(ics.as_bytes(), &once.content, &once.content, None).unwrap();
    assert_eq!(String::from_utf8_lossy(&undone.content), ics);
}

#[test]
fn undo_keeps_what_was_edited_since_and_refuses_where_it_cannot() {
    let ics = event("", &format!("Agenda\\n{ZOOM}"));
    let written = editor().rewrite(ics.as_bytes(), &plan(&read(&ics), &jitsi("Room42"))).unwrap().content;
    let written = String::from_utf8(written).unwrap();
    let moved = written
        .replace("DTSTART:20261201T090000Z", "DTSTART:20261202T090000Z")
        .replace("DESCRIPTION:Agenda", "DESCRIPTION:New agenda");
    let undone = undo(ics.as_bytes(), written.as_bytes(), moved.as_bytes(), Some(now())).unwrap();
    let text = unfolded(&undone.content);
    assert!(text.contains("DTSTART:20261202T090000Z"), "{text}");
    assert!(text.contains(&format!("DESCRIPTION:New agenda\\n{ZOOM}")), "{text}");
    let edited = written.replace("Jitsi Meet", "Our meeting");
    assert_eq!(
        undo(ics.as_bytes(), written.as_bytes(), edited.as_bytes(), None),
        Err(UndoError::Edited { property: "DESCRIPTION".to_owned() })
    );
}

#[test]
fn machine_properties_of_the_old_platform_go_with_it() {
    let teams = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_abc%40thread.v2/0?context=%7b%22Tid%22%3a%221%22%2c%22Oid%22%3a%222%22%7d";
    let ics = event(
        &format!(
            "LOCATION:Room 7\\; Microsoft Teams Meeting\r\nX-MICROSOFT-SKYPETEAMSMEETINGURL:{teams}\r\n\
             X-MICROSOFT-SKYPETEAMSPROPERTIES:{{\"cid\":\"19:meeting_abc@thread.v2\"\\,\"type\":0}}\r\n\
             X-MICROSOFT-LOCATIONS:[{{\"DisplayName\":\"Room 7\"}}\\,{{\"DisplayName\":\"Microsoft Teams Meeting\"\\,\"LocationUri\":\"\"}}]\r\n\
             X-MICROSOFT-CDO-BUSYSTATUS:BUSY\r\nX-MICROSOFT-ONLINEMEETINGCONFLINK:\r\n"
        ),
        "Only the agenda",
    );
    let rewritten = editor().rewrite(ics.as_bytes(), &plan(&read(&ics), &jitsi("R"))).unwrap();
    let text = unfolded(&rewritten.content);
    assert!(!text.to_lowercase().contains("teams"), "{text}");
    assert!(text.contains("LOCATION:Room 7\\; "), "{text}");
    assert!(text.contains("https://meet.example.org/R"), "{text}");
    assert!(text.contains("X-MICROSOFT-CDO-BUSYSTATUS:BUSY\r\n"), "{text}");
    assert!(text.contains("{\"DisplayName\":\"https://meet.example.org/R\"\\,"), "{text}");
    assert!(text.contains("Only the agenda"), "{text}");
    let undone = undo(ics.as_bytes(), &rewritten.content, &rewritten.content, None).unwrap();
    assert_eq!(String::from_utf8_lossy(&undone.content), ics);
}

#[test]
fn a_conference_line_speaks_of_the_new_meeting_alone() {
    let zoom = "https://us02web.zoom.us/j/87324397243?pwd=abc";
    let ics = event(
        &format!(
            "CONFERENCE;VALUE=URI;FEATURE=PHONE;LABEL=Zoom by phone:tel:+16465588656,,87324397243#\r\n\
             CONFERENCE;VALUE=URI;FEATURE=VIDEO;LABEL=Zoom:{zoom}\r\n"
        ),
        ZOOM,
    );
    let rewritten = editor().rewrite(ics.as_bytes(), &plan(&read(&ics), &jitsi("R"))).unwrap();
    let text = unfolded(&rewritten.content);
    assert!(text.contains("LABEL=\"Jitsi Meet\":https://meet.example.org/R\r\n"), "{text}");
    assert!(!text.contains("LABEL=Zoom"), "{text}");
    let undone = undo(ics.as_bytes(), &rewritten.content, &rewritten.content, None).unwrap();
    assert_eq!(String::from_utf8_lossy(&undone.content), ics);
}

#[test]
fn an_alarm_that_shows_the_old_link_shows_the_new_one() {
    let alarm = |text: &str| {
        format!(
            "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nDESCRIPTION:{text}\r\nX-KEPT:1\r\nEND:VALARM\r\n"
        )
    };
    let link = "https://us02web.zoom.us/j/87324397243?pwd=abc";
    let alarms = [
        alarm(&format!("Agenda\\, first\\n{ZOOM}")),
        alarm(&format!("Dial in at {link} or be late\\, will you")),
        alarm("Bring cake"),
        alarm("Join Zoom Meeting\\nhttps://zoom.us/j/999999999\\nMeeting ID: 999 999 999"),
    ]
    .concat();
    let ics = event("", ZOOM).replace("END:VEVENT", &format!("{alarms}END:VEVENT"));
    let rewritten = editor().rewrite(ics.as_bytes(), &plan(&read(&ics), &jitsi("R"))).unwrap();
    let text = unfolded(&rewritten.content);
    assert!(!text.contains("87324397243"), "{text}");
    assert!(text.contains(&format!("DESCRIPTION:Agenda\\, first\\n{FRAME}")), "{text}");
    assert!(
        text.contains("DESCRIPTION:Dial in at https://meet.example.org/R or be late\\, will you\r\n"),
        "{text}"
    );
    assert!(text.contains(&alarm("Bring cake")), "{text}");
    assert!(text.contains("zoom.us/j/999999999"), "{text}");
    assert_eq!(text.matches("X-KEPT:1\r\n").count(), 4);
    let undone = undo(ics.as_bytes(), &rewritten.content, &rewritten.content, None).unwrap();
    assert_eq!(String::from_utf8_lossy(&undone.content), ics);
    let without = rewritten.content.clone();
    let without = String::from_utf8(without).unwrap();
    let (head, tail) = (without.find("BEGIN:VALARM").unwrap(), without.rfind("END:VALARM\r\n").unwrap());
    let without = format!("{}{}", &without[..head], &without[tail + 12..]);
    let undone = undo(ics.as_bytes(), &rewritten.content, without.as_bytes(), None).unwrap();
    assert_eq!(String::from_utf8_lossy(&undone.content), ics.replace(&alarms, ""));
}

#[test]
fn a_link_in_prose_leads_to_the_new_meeting() {
    let link = "https://us02web.zoom.us/j/87324397243?pwd=abc";
    let ics = event(
        "",
        &format!(
            "As ever\\, people who cannot make it in person join us on <{link}> or call Bob instead.\\n\\n{ZOOM}"
        ),
    );
    let rewritten = editor().rewrite(ics.as_bytes(), &plan(&read(&ics), &jitsi("R"))).unwrap();
    let text = unfolded(&rewritten.content);
    assert!(text.contains("join us on <https://meet.example.org/R> or call Bob instead.\\n"), "{text}");
    assert!(!text.contains("87324397243"), "{text}");
    let html = event(
        "",
        &format!(
            "<p>People who cannot make it in person join <a title=\"x\" href=\"{link}&amp\\;a=1\">our <i>usual</i> room</a> as <a href='{link}'>https://us02web.zoom.us/<b>j/87324397243</b>?pwd=abc</a> has it.</p><p>{}</p>",
            ZOOM.replace("\\n", "<br>")
        ),
    );
    let rewritten = editor().rewrite(html.as_bytes(), &plan(&read(&html), &jitsi("R"))).unwrap();
    let text = unfolded(&rewritten.content);
    assert!(text.contains("join <a title=\"x\" href=\"https://meet.example.org/R\">our <i>usual</i> room</a> as <a href='https://meet.example.org/R'>https://meet.example.org/R<b></b></a> has it."), "{text}");
    assert!(!text.contains("87324397243"), "{text}");
}

#[test]
fn upcoming_exceptions_are_rewritten_and_past_ones_stay() {
    let zoom = |n: u32| {
        ZOOM.replace("87324397243", &format!("8732439724{n}"))
            .replace("873 2439 7243", &format!("873 2439 724{n}"))
    };
    let exception = |day: &str, n: u32| {
        format!(
            "BEGIN:VEVENT\r\nUID:u1\r\nRECURRENCE-ID:{day}T090000Z\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:{day}T110000Z\r\n\
             DTEND:{day}T120000Z\r\nORGANIZER:mailto:alice@example.test\r\nDESCRIPTION:{}\r\nEND:VEVENT\r\n",
            zoom(n)
        )
    };
    let ics = event("RRULE:FREQ=WEEKLY\r\n", &zoom(3)).replace("20261201T", "20261006T").replace(
        "END:VCALENDAR",
        &format!("{}{}END:VCALENDAR", exception("20261013", 4), exception("20261208", 5)),
    );
    let meeting = read(&ics);
    let upcoming: Vec<_> = meeting.instances.iter().map(|i| (i.id.clone(), i.upcoming)).collect();
    assert_eq!(
        upcoming,
        [
            (InstanceId::Master, true),
            (InstanceId::Exception("20261013T090000Z".to_owned()), false),
            (InstanceId::Exception("20261208T090000Z".to_owned()), true),
        ]
    );
    let rewritten = editor().rewrite(ics.as_bytes(), &plan(&meeting, &jitsi("R"))).unwrap();
    let text = unfolded(&rewritten.content);
    assert!(!text.contains("/j/87324397243"), "{text}");
    assert!(text.contains("/j/87324397244"), "{text}");
    assert!(!text.contains("/j/87324397245"), "{text}");
    let undone = undo(ics.as_bytes(), &rewritten.content, &rewritten.content, None).unwrap();
    assert_eq!(String::from_utf8_lossy(&undone.content), ics);
}

#[test]
fn what_is_upcoming_follows_the_recurrence() {
    let upcoming = |extra: &str, start: &str| {
        let ics = event(extra, ZOOM).replace(
            "DTSTART:20261201T090000Z\r\nDTEND:20261201T100000Z",
            &format!("{start}\r\nDURATION:PT1H"),
        );
        read(&ics).is_upcoming()
    };
    assert!(upcoming("", "DTSTART:20261123T093000Z"), "still running");
    assert!(!upcoming("", "DTSTART:20261123T080000Z"), "over");
    assert!(upcoming("RRULE:FREQ=WEEKLY\r\n", "DTSTART:20200106T090000Z"), "endless");
    assert!(!upcoming("RRULE:FREQ=WEEKLY;COUNT=4\r\n", "DTSTART:20200106T090000Z"), "counted out");
    assert!(!upcoming("RRULE:FREQ=WEEKLY;UNTIL=20261120T000000Z\r\n", "DTSTART:20200106T090000Z"), "until");
    assert!(
        upcoming("RRULE:FREQ=DAILY;UNTIL=20261130T000000Z\r\n", "DTSTART:20261101T090000Z"),
        "until ahead"
    );
    let last = "RRULE:FREQ=DAILY;COUNT=2\r\nEXDATE:20261124T080000Z\r\n";
    assert!(
        !upcoming(last, "DTSTART:20261123T080000Z\r\nX-A:1"),
        "the only one ahead is excluded by EXDATE or over"
    );
    assert!(
        upcoming("RRULE:FREQ=NONSENSE\r\n", "DTSTART:20200106T090000Z"),
        "unreadable rules count as upcoming"
    );
    assert!(
        upcoming("", "DTSTART;TZID=W. Europe Standard Time:20261123T103000"),
        "10:30 in Berlin is 09:30 UTC"
    );
    assert!(
        !upcoming("", "DTSTART;TZID=W. Europe Standard Time:20261123T095900"),
        "09:59 in Berlin is 08:59 UTC"
    );
}

#[test]
fn bad_files_are_told_by_name() {
    let error = |ics: &str| match meetings(ics.as_bytes(), &owner(), now(), &RECOGNISER) {
        Err(error) => error.to_string(),
        Ok(mut all) => all.remove(0).unwrap_err().to_string(),
    };
    assert!(error("hello").contains("does not begin with BEGIN:VCALENDAR"));
    assert!(error(&event("", "x")[..200]).contains("cut off"));
    assert!(error(&event("", "x\0y")).contains("NUL"));
    assert!(error(&event("", "x").replace("UID:u1\r\n", "")).contains("\"Sync\\, weekly\" has no UID"));
    assert!(matches!(meetings(b"", &owner(), now(), &RECOGNISER), Err(ReadError::Malformed(_))));
}

#[test]
fn windows_1252_files_keep_their_encoding() {
    let ics = event("", &format!("Gr\u{fc}\u{df}e\\n{ZOOM}"));
    let bytes: Vec<u8> = ics.chars().map(|c| c as u8).collect();
    let meeting = meetings(&bytes, &owner(), now(), &RECOGNISER).unwrap().remove(0).unwrap();
    let rewritten = editor().rewrite(&bytes, &plan(&meeting, &jitsi("R"))).unwrap();
    assert!(rewritten.content.windows(5).any(|w| w == b"Gr\xfc\xdfe"));
    let mut rewrite = plan(&meeting, &jitsi("R"));
    rewrite.replacements[0].language = "ja".to_owned();
    assert_eq!(editor().rewrite(&bytes, &rewrite), Err(RewriteError::Encoding));
}

#[test]
fn a_meeting_ends_with_the_last_occurrence_of_any_component() {
    let end = |extra: &str| read(&event(extra, "x")).last_end.map(|end| end.to_string());
    assert_eq!(end("").as_deref(), Some("2026-12-01T10:00:00Z"));
    assert_eq!(end("RRULE:FREQ=DAILY;COUNT=3\r\n").as_deref(), Some("2026-12-03T10:00:00Z"));
    assert_eq!(end("RRULE:FREQ=DAILY;UNTIL=20261204T090000Z\r\n").as_deref(), Some("2026-12-04T10:00:00Z"));
    assert_eq!(end("RRULE:FREQ=DAILY\r\n"), None, "it goes on");
    assert_eq!(end("RRULE:FREQ=DAILY;COUNT=100000\r\n"), None, "too far to count");
    let moved = event("RRULE:FREQ=DAILY;COUNT=3\r\n", "x").replace(
        "END:VCALENDAR",
        "BEGIN:VEVENT\r\nUID:u1\r\nRECURRENCE-ID:20261203T090000Z\r\nDTSTART:20261224T090000Z\r\n\
         DTEND:20261224T120000Z\r\nEND:VEVENT\r\nEND:VCALENDAR",
    );
    assert_eq!(read(&moved).last_end.map(|end| end.to_string()).as_deref(), Some("2026-12-24T12:00:00Z"));
}

/// Ann and everybody of old.example moved; the room got a name of its own.
fn identities() -> Arc<IdentityMap> {
    let rows = [
        ("@old.example", "@new.example"),
        ("alice@example.test", "alice@new.example"),
        ("room@old.example", "oak@rooms.new.example"),
    ];
    let rows = rows.map(|(source, target)| IdentityMapRow { source: source.into(), target: target.into() });
    Arc::new(IdentityMap::new(&rows).unwrap())
}

#[test]
fn people_who_moved_get_their_new_address_and_keep_their_answer() {
    let people = "ATTENDEE;PARTSTAT=DECLINED;CN=\"Ann; A\":MAILTO:Ann@Old.Example\r\n\
         ATTENDEE;ROLE=NON-PARTICIPANT;CUTYPE=ROOM;PARTSTAT=ACCEPTED;CN=Oak:mailto:room@\r\n old.example\r\n\
         ATTENDEE;CUTYPE=GROUP:mailto:all@old.example\r\n\
         ATTENDEE;MEMBER=\"mailto:all@old.example\",\"mailto:x@other.example\";DELEGATED-FROM=\"mailto:b@old.example\":mailto:carl@other.example\r\n\
         ATTENDEE;PARTSTAT=TENTATIVE:mailto:dora@new.example\r\n\
         ATTENDEE;PARTSTAT=ACCEPTED:mailto:dora@old.example\r\n";
    let ics = event(people, ZOOM);
    let mut rewrite = plan(&read(&ics), &jitsi("R"));
    rewrite.identities = identities();
    let rewritten = editor().rewrite(ics.as_bytes(), &rewrite).unwrap();
    let text = unfolded(&rewritten.content);
    for line in [
        "ORGANIZER;CN=Alice:mailto:alice@new.example\r\n",
        "ATTENDEE;PARTSTAT=DECLINED;CN=\"Ann; A\":MAILTO:Ann@new.example\r\n",
        "ATTENDEE;ROLE=NON-PARTICIPANT;CUTYPE=ROOM;PARTSTAT=ACCEPTED;CN=Oak:mailto:oak@rooms.new.example\r\n",
        "ATTENDEE;CUTYPE=GROUP:mailto:all@new.example\r\n",
        "ATTENDEE;MEMBER=\"mailto:all@new.example\",\"mailto:x@other.example\";DELEGATED-FROM=\"mailto:b@new.example\":mailto:carl@other.example\r\n",
        "ATTENDEE;PARTSTAT=TENTATIVE:mailto:dora@new.example\r\n",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(!text.contains("old.example"), "listed twice, she stays once: {text}");
    assert!(text.contains("https://meet.example.org/R"));
    assert_eq!(text.matches("DTSTAMP").count(), 1);
    let restored = undo(ics.as_bytes(), &rewritten.content, &rewritten.content, None).unwrap();
    assert_eq!(unfolded(&restored.content), unfolded(ics.as_bytes()));

    let again = editor().rewrite(&rewritten.content, &rewrite).unwrap();
    assert_eq!(again.changes, [], "a second run changes nothing");
}

#[test]
fn a_meeting_that_is_there_already_is_only_renamed() {
    let ics = event("ATTENDEE:mailto:ann@old.example\r\n", ZOOM);
    let rewrite =
        Rewrite { replacements: Vec::new(), stamp: now(), raise_sequence: true, identities: identities() };
    let rewritten = editor().rewrite(ics.as_bytes(), &rewrite).unwrap();
    let parts: Vec<&str> = rewritten.changes.iter().map(|c| c.part.as_str()).collect();
    assert_eq!(parts, ["ORGANIZER", "ATTENDEE"]);
    let text = unfolded(&rewritten.content);
    assert!(text.contains("ATTENDEE:mailto:ann@new.example\r\n") && text.contains("SEQUENCE:4"), "{text}");
    assert!(text.contains(ZOOM), "{text}");
}

#[test]
fn a_name_that_is_no_utf8_survives_the_renaming() {
    let ics =
        event("ATTENDEE;CN=J\u{fc}rgen;SENT-BY=\"mailto:s@old.example\":mailto:j@old.example\r\n", ZOOM);
    let bytes: Vec<u8> = ics.chars().map(|c| c as u8).collect();
    let rewrite =
        Rewrite { replacements: Vec::new(), stamp: now(), raise_sequence: false, identities: identities() };
    let rewritten = editor().rewrite(&bytes, &rewrite).unwrap();
    assert!(rewritten.content.windows(6).any(|w| w == b"J\xfcrgen"));
    assert!(String::from_utf8_lossy(&rewritten.content).contains("mailto:j@new.example"));
}

#[test]
fn the_request_for_attendees_is_the_event_without_what_is_private() {
    let ics = event("", "x")
        .replace(
            "ATTENDEE;PARTSTAT=ACCEPTED",
            "ATTENDEE;SCHEDULE-STATUS=1.2;PARTSTAT=ACCEPTED;SCHEDULE-AG\r\n ENT=SERVER",
        )
        .replace("END:VEVENT", "BEGIN:VALARM\r\nACTION:DISPLAY\r\nEND:VALARM\r\nEND:VEVENT");
    let request = unfolded(&itip::request(ics.as_bytes()).unwrap());
    assert!(request.starts_with("BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\n"), "{request}");
    assert!(
        request.contains("ATTENDEE;PARTSTAT=ACCEPTED;CN=\"Bob; B\":mailto:bob@example.test"),
        "{request}"
    );
    assert!(!request.contains("VALARM"), "{request}");
    let marked = format!("\u{feff}{}", event("", "x"));
    assert!(itip::request(marked.as_bytes()).unwrap().starts_with(b"BEGIN:VCALENDAR"));
    let nobody = event("", "x").replace("ORGANIZER;CN=Alice:mailto:alice@example.test\r\n", "");
    assert!(itip::request(nobody.as_bytes()).is_err());
}

#[test]
fn unfolded_descriptions_with_blank_lines_belong_to_their_property() {
    let ics = event("", "Agenda\r\n\r\nMeeting ID: 1\r\nPasscode: 2\r\n\r\nhttps://example.org/x");
    let document = Document::parse(ics.as_bytes());
    let component = document.named("VEVENT").next().unwrap();
    let value = document.value(component, "DESCRIPTION").unwrap();
    assert!(value.ends_with("Passcode: 2\n\nhttps://example.org/x"), "{value}");
}

proptest::proptest! {
    #[test]
    fn anything_survives_reading(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let _ = meetings(&bytes, &owner(), now(), &RECOGNISER);
    }

    #[test]
    fn agenda_around_the_block_is_kept_to_the_byte(before in "[ -~äß日\u{a0}]{0,200}", after in "[ -~äß日]{0,200}") {
        let escape = mms_invite::ical::escape;
        let ics = event("", &format!("{}\\n\\n{ZOOM}\\n{}", escape(&before), escape(&after)));
        let meeting = read(&ics);
        let rewrite = plan(&meeting, &jitsi("R"));
        if !rewrite.replacements.is_empty()
            && let Ok(rewritten) = editor().rewrite(ics.as_bytes(), &rewrite)
        {
            let text = unfolded(&rewritten.content);
            let kept = text.contains(&format!("DESCRIPTION:{}\\n", escape(&before)));
            proptest::prop_assert!(kept, "{text}");
            let kept = text.contains(&format!("{}\r\nx-unknown", escape(&after)));
            proptest::prop_assert!(kept, "{text}");
            let undone = undo(ics.as_bytes(), &rewritten.content, &rewritten.content, None).unwrap();
            proptest::prop_assert_eq!(String::from_utf8_lossy(&undone.content), ics);
        }
    }

    #[test]
    fn damaged_events_are_rewritten_whole_or_not_at_all(
        damage in proptest::collection::vec((0usize..2000, proptest::num::u8::ANY), 0..6),
    ) {
        let mut bytes = event("RRULE:FREQ=WEEKLY\r\nLOCATION:Room 7\r\n", &format!("Agenda\\n\\n{ZOOM}\\nBye")).into_bytes();
        for (at, byte) in damage {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        let _ = itip::request(&bytes);
        if let Ok(read) = meetings(&bytes, &owner(), now(), &RECOGNISER) {
            for meeting in read.into_iter().flatten() {
                if let Ok(rewritten) = editor().rewrite(&bytes, &plan(&meeting, &jitsi("R"))) {
                    let undone = undo(&bytes, &rewritten.content, &rewritten.content, None).unwrap();
                    proptest::prop_assert_eq!(
                        String::from_utf8_lossy(&undone.content),
                        String::from_utf8_lossy(&bytes)
                    );
                }
            }
        }
    }
}
