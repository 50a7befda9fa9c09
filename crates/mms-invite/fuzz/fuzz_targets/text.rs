//! Recognition in plain text: no panic, and every range lies in the text, in order.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mms_invite::recognise::{BodyFormat, BodyPart, EventText, Recogniser, RecogniserOptions};

static RECOGNISER: LazyLock<Recogniser> =
    LazyLock::new(|| Recogniser::new(&RecogniserOptions::default()).expect("the built-in rules compile"));

fuzz_target!(|text: &str| {
    let findings = RECOGNISER.event(&EventText {
        bodies: vec![BodyPart { format: BodyFormat::Text, text }],
        location: Some(text),
        properties: vec![("URL", text), ("X-MICROSOFT-SKYPETEAMSPROPERTIES", text)],
        scheduled: true,
    });
    let mut end = 0;
    for block in &findings.blocks {
        assert!(block.range.start >= end && text.get(block.range.clone()).is_some());
        end = block.range.end;
    }
    assert!(findings.mentions.iter().all(|mention| text.get(mention.range.clone()).is_some()));
    assert!(findings.location.iter().all(|range| text.get(range.clone()).is_some()));
});
