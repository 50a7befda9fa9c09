//! Events as bytes: reading, rewriting and inviting never panic, and undo gives back what was there.

#![no_main]

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use mms_invite::event::meetings;
use mms_invite::recognise::{Recogniser, RecogniserOptions};
use mms_invite::render::Templates;
use mms_invite::rewrite::Editor;
use mms_invite::{itip, undo::undo};
use mms_model::{JoinInformation, Platform, Recognition, Replacement, Rewrite, User};

static EDITOR: LazyLock<Editor> = LazyLock::new(|| {
    let recogniser = Recogniser::new(&RecogniserOptions::default()).expect("the built-in rules compile");
    Editor::new(Arc::new(recogniser), Arc::new(Templates::builtin()))
});

fuzz_target!(|bytes: &[u8]| {
    let _ = itip::request(bytes);
    let owner = User {
skype: None,
        id: uuid::Uuid::nil(),
        upn: "owner@example.test".to_owned(),
        sip: None,
        logon: None,
        display_name: None,
        distinguished_name: None,
        addresses: Vec::new(),
        calendar: None,
    };
    let Ok(read) = meetings(bytes, &owner, Timestamp::UNIX_EPOCH, EDITOR.recogniser()) else { return };
    for meeting in read.into_iter().flatten() {
        let replacements = meeting
            .instances
            .iter()
            .filter_map(|instance| match &instance.recognition {
                Recognition::One(found) => Some(Replacement {
                    instance: instance.id.clone(),
                    key: found.key.clone(),
                    target: JoinInformation::new(Platform::JITSI, "Jitsi Meet".to_owned(), "https://meet.jit.si/FuzzedRoom".to_owned()),
                    language: "de".to_owned(),
                }),
                _ => None,
            })
            .collect();
        let rewrite = Rewrite { replacements, stamp: Timestamp::UNIX_EPOCH, raise_sequence: false, identities: Default::default() };
        if let Ok(rewritten) = EDITOR.rewrite(&meeting.content, &rewrite)
            && let Ok(undone) = undo(&meeting.content, &rewritten.content, &rewritten.content, None)
        {
            assert_eq!(undone.content, meeting.content);
        }
    }
});
