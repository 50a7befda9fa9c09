//! Calendar items of Exchange: any content is read or refused; a body and a location of any kind are rewritten
//! whole or not at all, a second run changes nothing, and undo gives back what was there.

#![no_main]

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use mms_invite::item::{Body, Component, Item, NamedProperty, Recurrence, read_back, undo};
use mms_invite::recognise::{BodyFormat, Recogniser, RecogniserOptions};
use mms_invite::render::Templates;
use mms_invite::rewrite::Editor;
use mms_model::{InstanceId, JoinInformation, Meeting, Platform, Recognition, Replacement, Rewrite, User};

static EDITOR: LazyLock<Editor> = LazyLock::new(|| {
    let recogniser = Recogniser::new(&RecogniserOptions::default()).expect("the built-in rules compile");
    Editor::new(Arc::new(recogniser), Arc::new(Templates::builtin()))
});

fuzz_target!(|data: &[u8]| {
    if let Ok(item) = Item::from_bytes(data) {
        check(item);
    }
    // Mutated JSON seldom is an item: take the bytes as its texts, too.
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut parts = text.splitn(3, '\0');
    let body = parts.next().unwrap_or_default();
    for format in [BodyFormat::Html, BodyFormat::Text] {
        let mut component = Component::new(InstanceId::Master);
        component.body = Some(Body { format, content: body.to_owned() });
        component.location = parts.clone().next().unwrap_or_default().to_owned();
        if let Some(value) = parts.clone().nth(1) {
            component.properties.insert(NamedProperty::SkypeTeamsMeetingUrl, value.to_owned());
        }
        check(Item {
            uid: "fuzz".to_owned(),
            organizer: None,
            is_organizer: Some(true),
            recurrence: Recurrence::Single,
            components: vec![component],
        });
    }
});

fn check(mut item: Item) {
    item.components.iter_mut().for_each(|c| c.pending.clear());
    let meeting = read(&item);
    let Ok(rewritten) = EDITOR.rewrite_item(&meeting.content, &plan(&meeting)) else { return };
    let written = Item::from_bytes(&rewritten.content).expect("what was written is an item");
    let mut held = written.clone();
    held.components.iter_mut().for_each(|c| c.pending.clear());
    read_back(&written, &held, EDITOR.recogniser());
    let again = read(&held);
    if let Ok(again) = EDITOR.rewrite_item(&again.content, &plan(&again)) {
        assert!(again.changes.is_empty());
    }
    let bytes = held.to_bytes();
    let undone = undo(&meeting.content, &rewritten.content, &bytes, EDITOR.recogniser())
        .expect("nothing was edited since");
    let mut undone = Item::from_bytes(&undone.content).expect("what was undone is an item");
    undone.components.iter_mut().for_each(|c| c.pending.clear());
    assert_eq!(undone, item);
}

fn read(item: &Item) -> Meeting {
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
    item.meeting(&owner, Timestamp::UNIX_EPOCH, EDITOR.recogniser())
}

fn plan(meeting: &Meeting) -> Rewrite {
    let replacements = meeting.instances.iter().filter_map(|instance| match &instance.recognition {
        Recognition::One(found) => Some(Replacement {
            instance: instance.id.clone(),
            key: found.key.clone(),
            target: JoinInformation::new(Platform::JITSI, "Jitsi Meet".to_owned(), "https://meet.jit.si/FuzzedRoom".to_owned()),
            language: found.language.clone().unwrap_or_else(|| "en".to_owned()),
        }),
        _ => None,
    });
    Rewrite { replacements: replacements.collect(), stamp: Timestamp::UNIX_EPOCH, raise_sequence: false, identities: Default::default() }
}
