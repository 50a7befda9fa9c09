//! A folder of `.ics` files with the real reader and rewriter of invites: found, rewritten, written, and then
//! nothing more to do.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fs;
use std::sync::Arc;

use jiff::Timestamp;
use mms_connectors::calendar::ics_folder::{IcsFolder, IcsFolderSettings};
use mms_invite::recognise::{Recogniser, RecogniserOptions};
use mms_invite::render::Templates;
use mms_invite::rewrite::Editor;
use mms_model::port::{Calendar, Update, UserCalendar};
use mms_model::{
    Address, AttendeeChoice, CalendarLocation, InstanceId, JoinInformation, Meeting, Platform, Recognition,
    Replacement, Rewrite, User,
};

const OLD: &str = "https://zoom.us/j/98765432101?pwd=abc";
const NEW: &str = "https://meet.example.test/mms-room";

fn event(uid: &str, year: u16, extra: &str) -> String {
    format!(
        "BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:{year}0105T100000Z\r\nDTEND:{year}0105T110000Z\r\n\
         SUMMARY:Budget {uid}\r\nORGANIZER:mailto:ken@example.test\r\nATTENDEE:mailto:pilar@example.test\r\n{extra}\
         X-KEPT;x=\"a:b\":\\,as it is\r\nEND:VEVENT\r\n"
    )
}

fn zoom() -> String {
    format!(
        "LOCATION:{OLD}\r\nDESCRIPTION:Agenda first.\\n\\nJoin Zoom Meeting\\n{OLD}\\n\\nMeeting ID: 987 6543 2101\\nPasscode: 123456\\n\r\n"
    )
}

fn calendar(body: &str) -> String {
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n{body}END:VCALENDAR\r\n")
}

async fn open(root: &std::path::Path) -> Box<dyn UserCalendar> {
    let recogniser = Recogniser::new(&RecogniserOptions {
        jitsi_hosts: vec!["meet.example.test".into()],
        ..RecogniserOptions::default()
    });
    let editor = Editor::new(Arc::new(recogniser.unwrap()), Arc::new(Templates::builtin()));
    let ken = User {
        skype: None,
        id: uuid::Uuid::nil(),
        upn: "ken@example.test".into(),
        sip: None,
        logon: None,
        display_name: None,
        distinguished_name: None,
        addresses: vec![Address::new("ken@example.test")],
        calendar: Some(CalendarLocation { connector: "files".into(), place: "ken".into() }),
    };
    IcsFolder::new(IcsFolderSettings::below(root), Arc::new(editor)).open(&ken).await.unwrap()
}

fn now() -> Timestamp {
    "2026-11-23T00:00:00Z".parse().unwrap()
}

async fn meetings(calendar: &dyn UserCalendar) -> Vec<Meeting> {
    let mut pages = calendar.meetings(now());
    let mut all = Vec::new();
    while let Some(page) = pages.next().await.unwrap() {
        all.extend(page.into_iter().map(|found| found.unwrap()));
    }
    all
}

fn platform(meeting: &Meeting) -> Option<Platform> {
    match &meeting.instances.first()?.recognition {
        Recognition::One(online) => Some(online.platform.clone()),
        _ => None,
    }
}

fn rewrite(meeting: &Meeting) -> Rewrite {
    let Recognition::One(online) = &meeting.instances[0].recognition else { panic!("one meeting") };
    Rewrite {
        replacements: vec![Replacement {
            instance: InstanceId::Master,
            key: online.key.clone(),
            target: JoinInformation::new(Platform::JITSI, "Jitsi Meet", NEW),
            language: "en".into(),
        }],
        stamp: now(),
        raise_sequence: false,
        identities: Default::default(),
    }
}

#[tokio::test]
async fn meetings_are_found_moved_and_found_moved() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("ken");
    fs::create_dir(&folder).unwrap();
    let untouched = event("plain", 2027, "LOCATION:Room 4\r\n");
    fs::write(
        folder.join("many.ics"),
        calendar(&(event("z1", 2027, &zoom()) + &untouched + &event("old", 2020, &zoom()))),
    )
    .unwrap();
    fs::write(folder.join("one.ics"), calendar(&event("z2", 2027, &zoom()))).unwrap();

    let opened = open(root.path()).await;
    let before = meetings(&*opened).await;
    let found: Vec<(&str, Option<Platform>)> = before.iter().map(|m| (m.uid.as_str(), platform(m))).collect();
    assert_eq!(found, [("z1", Some(Platform::ZOOM)), ("plain", None), ("z2", Some(Platform::ZOOM))]);

    let updates: Vec<Update> = before
        .iter()
        .filter(|m| platform(m).is_some())
        .map(|m| Update {
            id: m.id.clone(),
            version: m.version.clone(),
            content: opened.rewrite(m, &rewrite(m)).unwrap().content,
            notify: AttendeeChoice::All,
        })
        .collect();
    for result in opened.update(updates).await {
        result.unwrap();
    }

    let after = meetings(&*opened).await;
    let found: Vec<Option<Platform>> = after.iter().map(platform).collect();
    assert_eq!(found, [Some(Platform::JITSI), None, Some(Platform::JITSI)]);
    let many = fs::read_to_string(folder.join("many.ics")).unwrap();
    assert!(many.contains(&untouched) && many.contains(&event("old", 2020, &zoom())));
    assert!(many.contains(NEW));
    assert!(many.contains("Agenda first."));

    let itip = String::from_utf8(opened.invitation(&after[0].content).unwrap()).unwrap();
    assert!(itip.contains("METHOD:REQUEST") && itip.contains("UID:z1") && !itip.contains("UID:plain"));

    let undone = opened.undo(&before[0].content, &after[0].content, &after[0], now()).unwrap();
    let update = Update {
        id: after[0].id.clone(),
        version: after[0].version.clone(),
        content: undone.content,
        notify: AttendeeChoice::All,
    };
    opened.update(vec![update]).await.pop().unwrap().unwrap();
    assert_eq!(platform(&meetings(&*opened).await[0]), Some(Platform::ZOOM));
}
