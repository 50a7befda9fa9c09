//! Files of any kind: the first byte picks the name, the rest is the file. It is read or refused.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mms_invite::input::inspect;
use mms_invite::recognise::{Recogniser, RecogniserOptions};

static RECOGNISER: LazyLock<Recogniser> =
    LazyLock::new(|| Recogniser::new(&RecogniserOptions::default()).expect("the built-in rules compile"));

fuzz_target!(|data: (u8, &[u8])| {
    const NAMES: [&str; 6] = ["a.ics", "a.eml", "a.html", "a.txt", "a.json", "a.xml"];
    let name = NAMES[usize::from(data.0) % NAMES.len()];
    let _ = inspect(name, data.1, &RECOGNISER);
});
