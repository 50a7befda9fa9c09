//! How fast one invite is rewritten: parse, recognise, replace, serialise. In bytes of invite a second.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use mms_invite::event::meetings;
use mms_invite::ical::escape;
use mms_invite::recognise::{Recogniser, RecogniserOptions};
use mms_invite::render::Templates;
use mms_invite::rewrite::Editor;
use mms_model::{Address, JoinInformation, Platform, Recognition, Replacement, Rewrite, User};

/// Invites as the demo writes them, one for each block.
fn invites() -> Vec<String> {
    [
        include_str!("../../../fixtures/demo/skype.en.txt"),
        include_str!("../../../fixtures/demo/teams-2022.de.txt"),
        include_str!("../../../fixtures/demo/teams-2024.en.txt"),
        include_str!("../../../fixtures/demo/teams-2024.en.html"),
        include_str!("../../../fixtures/demo/zoom.en.txt"),
        include_str!("../../../fixtures/demo/webex.en.txt"),
        include_str!("../../../fixtures/demo/google-meet.en.txt"),
    ]
    .iter()
    .map(|block| {
        let block = block
            .replace("{domain}", "contoso.example")
            .replace("{local}", "anna")
            .replace("{id}", "6N2YGD5G")
            .replace("{digits}", "873 2439 7243")
            .replace("{plain}", "87324397243")
            .replace("{token}", "MjFjZTE5ZjMtMzUxNy00ZmQ5")
            .replace("{tenant}", "72f988bf-86f1-41af-91ab-2d7cd011db47")
            .replace("{oid}", "1c29c2f7-d386-4c5a-a3bc-0ee13b48bc65")
            .replace("{meet}", "abc-defg-hij")
            .replace("{site}", "contoso");
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:bench\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\n\
             DTSTART:20270101T090000Z\r\nDTEND:20270101T100000Z\r\nORGANIZER:mailto:anna@contoso.example\r\n\
             DESCRIPTION:Agenda\\n\\n{}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
            escape(&block)
        )
    })
    .collect()
}

fn owner() -> User {
    User {
        id: uuid::Uuid::nil(),
        upn: "anna@contoso.example".to_owned(),
        sip: None,
        logon: None,
        display_name: None,
        distinguished_name: None,
        addresses: vec![Address::new("anna@contoso.example")],
        calendar: None,
    }
}

fn rewrite_one(
    editor: &Editor,
    owner: &User,
    now: Timestamp,
    target: &JoinInformation,
    invite: &[u8],
) -> usize {
    let Ok(read) = meetings(invite, owner, now, editor.recogniser()) else { return 0 };
    let mut written = 0;
    for meeting in read.into_iter().flatten() {
        let replacements = meeting
            .instances
            .iter()
            .filter_map(|instance| match &instance.recognition {
                Recognition::One(found) => Some(Replacement {
                    instance: instance.id.clone(),
                    key: found.key.clone(),
                    target: target.clone(),
                    language: "en".to_owned(),
                }),
                _ => None,
            })
            .collect();
        let rewrite = Rewrite { replacements, stamp: now, raise_sequence: false };
        written += editor.rewrite(&meeting.content, &rewrite).map_or(0, |rewritten| rewritten.content.len());
    }
    written
}

fn bench(criterion: &mut Criterion) {
    let options = RecogniserOptions {
        jitsi_hosts: vec!["meet.example.org".to_owned()],
        ..RecogniserOptions::default()
    };
    let recogniser = Recogniser::new(&options).unwrap_or_else(|error| panic!("{error}"));
    let editor = Editor::new(Arc::new(recogniser), Arc::new(Templates::builtin()));
    let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap_or_default();
    let target = JoinInformation {
        platform: Platform::JITSI,
        display_name: "Jitsi Meet".to_owned(),
        join_url: "https://meet.example.org/SomeRoomThatNobodyGuesses".to_owned(),
        meeting_id: None,
        passcode: None,
        dial_in: Vec::new(),
        conference_id: None,
        help_url: None,
    };
    let (owner, invites) = (owner(), invites());
    for invite in &invites {
        assert_ne!(
            rewrite_one(&editor, &owner, now, &target, invite.as_bytes()),
            0,
            "not rewritten: {invite}"
        );
    }
    let mut group = criterion.benchmark_group("invite");
    group.throughput(Throughput::Bytes(invites.iter().map(|i| i.len() as u64).sum()));
    group.bench_function("rewrite", |bencher| {
        bencher.iter_batched(
            || invites.clone(),
            |invites| {
                for invite in &invites {
                    black_box(rewrite_one(&editor, &owner, now, &target, invite.as_bytes()));
                }
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
