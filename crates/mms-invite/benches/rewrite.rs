//! How fast one invite is rewritten: parse, recognise, replace, serialise. In bytes of invite a second.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use mms_invite::event::meetings;
use mms_invite::recognise::{Recogniser, RecogniserOptions};
use mms_invite::render::Templates;
use mms_invite::rewrite::Editor;
use mms_model::{Address, JoinInformation, Platform, Recognition, Replacement, Rewrite, User};

/// The invites that the Python peer rewrites too (`benches/peers/icalendar_rewrite.py benches/invites`).
const INVITES: [&str; 7] = [
    include_str!("../../../benches/invites/google-meet.en.ics"),
    include_str!("../../../benches/invites/skype.en.ics"),
    include_str!("../../../benches/invites/teams-2022.de.ics"),
    include_str!("../../../benches/invites/teams-2024.en-html.ics"),
    include_str!("../../../benches/invites/teams-2024.en.ics"),
    include_str!("../../../benches/invites/webex.en.ics"),
    include_str!("../../../benches/invites/zoom.en.ics"),
];

fn owner() -> User {
    User {
        skype: None,
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
        let rewrite =
            Rewrite { replacements, stamp: now, raise_sequence: false, identities: Default::default() };
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
    let target = JoinInformation::new(
        Platform::JITSI,
        "Jitsi Meet".to_owned(),
        "https://meet.example.org/SomeRoomThatNobodyGuesses".to_owned(),
    );
    let owner = owner();
    for invite in INVITES {
        assert_ne!(
            rewrite_one(&editor, &owner, now, &target, invite.as_bytes()),
            0,
            "not rewritten: {invite}"
        );
    }
    let mut group = criterion.benchmark_group("invite");
    group.throughput(Throughput::Bytes(INVITES.iter().map(|i| i.len() as u64).sum()));
    // No invite comes twice: the recogniser would remember it.
    let mut number = 0_u32;
    let mut unseen = || {
        number += 1;
        INVITES.map(|invite| invite.replacen("\nSUMMARY", &format!("\nX-NUMBER:{number}\r\nSUMMARY"), 1))
    };
    group.bench_function("rewrite", |bencher| {
        bencher.iter_batched(
            &mut unseen,
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
