//! `mms inspect`

use std::io::Write as _;
use std::process::Stdio;

use crate::installation::{Installation, Run, command, invite};

#[test]
fn the_json_has_exactly_the_promised_properties() {
    let it = Installation::new();
    let file = it.invite("alice", "a.ics", &invite("uid-1", "alice@example.test", "Weekly sync"));
    let run = it.mms(&["inspect", file.to_str().unwrap(), "-o", "json"]).ends(0);
    let found = &run.json()[0];
    let mut names: Vec<&String> = found.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(
        names,
        ["blocks", "file", "has_dial_in", "join_url", "language", "meeting_id", "passcode", "platform"]
    );
    assert_eq!(found["platform"], "Zoom");
    assert_eq!(found["join_url"], "https://example.zoom.us/j/81234567890?pwd=abcDEF123");
    assert_eq!(found["passcode"], "123456");
    assert!(found["blocks"].as_array().is_some_and(|b| !b.is_empty() && b[0]["start"].is_u64()));
}

#[test]
fn a_file_without_a_meeting_has_a_null_platform() {
    let it = Installation::new();
    std::fs::write(it.path("note.txt"), "Lunch at noon\n").unwrap();
    let run = it.mms(&["inspect", "note.txt", "-o", "json"]).ends(0);
    assert!(run.json()[0]["platform"].is_null());
    assert_eq!(run.json()[0]["has_dial_in"], false);
}

#[test]
fn a_file_that_cannot_be_read_does_not_hide_the_others() {
    let it = Installation::new();
    std::fs::write(it.path("note.txt"), "Lunch at noon\n").unwrap();
    let run = it.mms(&["inspect", "nothing.ics", "note.txt", "-o", "json"]).ends(1);
    assert_eq!(run.json().as_array().unwrap().len(), 1);
    assert!(run.err.contains("nothing.ics"), "{}", run.err);
}

#[test]
fn a_dash_reads_standard_input() {
    let it = Installation::new();
    let mut child = command(&it.path("."))
        .args(["inspect", "-", "-o", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(invite("u", "alice@example.test", "S").as_bytes()).unwrap();
    let run = Run::of(&child.wait_with_output().unwrap()).ends(0);
    assert_eq!(run.json()[0]["platform"], "Zoom");
    assert_eq!(run.json()[0]["file"], "-");
}

#[test]
fn a_file_that_does_not_say_it_all_is_told_of() {
    let it = Installation::new();
    let one = invite("uid-1", "alice@example.test", "Weekly sync");
    let two = one.replace(
        "DESCRIPTION:",
        "DESCRIPTION:Join with Google Meet\\nhttps://meet.google.com/abc-defg-hij\\n\\n",
    );
    std::fs::write(it.path("two.ics"), two).unwrap();
    let run = it.mms(&["inspect", "two.ics"]).ends(0);
    assert!(run.err.contains("two.ics: ambiguous") && run.err.contains("meet.google.com"), "{}", run.err);
    assert!(run.err.contains("zoom.us"), "{}", run.err);

    let begin = one.find("BEGIN:VEVENT").unwrap();
    let other = invite("uid-2", "alice@example.test", "Planning");
    let many = one.replace("END:VCALENDAR", other[begin..].trim_end());
    std::fs::write(it.path("many.ics"), many).unwrap();
    let run = it.mms(&["inspect", "many.ics", "-o", "json"]).ends(0);
    assert_eq!(run.json().as_array().unwrap().len(), 1, "the JSON stays as it is");
    assert_eq!(
        run.err,
        "many.ics: holds 2 events; shown is the first with an online meeting, \"Weekly sync\"\n"
    );
}
