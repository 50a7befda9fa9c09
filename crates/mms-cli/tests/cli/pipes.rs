//! Pipes that nobody reads any more, and what comes out of files is safe to show.

use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use crate::installation::{Installation, command, invite};

/// The writing end of a pipe that nobody reads.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    OwnedFd::from(writer).into()
}

fn exit_code(command: &mut Command) -> i32 {
    command.status().unwrap().code().unwrap()
}

#[test]
fn no_command_minds_pipes_that_are_closed() {
    let it = Installation::new();
    it.invite("alice", "a.ics", &invite("uid-1", "alice@example.test", "Weekly sync"));
    it.invite("alice", "broken.ics", "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:x\r\n");
    let lines: [(&[&str], i32); 14] = [
        (&["status"], 0),
        (&["status", "nobody@example.test"], 3),
        (&["nonsense"], 2),
        (&["status", "--nonsense"], 2),
        (&["--help"], 0),
        (&["man"], 0),
        (&["completions", "bash"], 0),
        (&["config", "check"], 0),
        (&["inspect", "nothing.ics"], 1),
        (&["preview", "alice@example.test", "--to", "Jitsi", "--diff"], 0),
        (&["-vv", "migrate", "alice@example.test", "--to", "Jitsi"], 1),
        (&["start", "bob@example.test", "--to", "Jitsi", "-o", "json"], 0),
        (&["history", "alice@example.test", "-o", "csv"], 0),
        (&["rollback", "alice@example.test"], 0),
    ];
    for (line, code) in lines {
        let ended = exit_code(command(&it.path(".")).args(line).stdout(closed()).stderr(closed()));
        assert_eq!(ended, code, "{line:?}");
    }
    let after = std::fs::read_to_string(it.path("calendars/alice/a.ics")).unwrap();
    assert!(after.contains("zoom.us"), "the work was done all the same, and taken back");
}

#[test]
fn no_command_minds_descriptors_that_are_not_open() {
    let it = Installation::new();
    for line in ["status", "status nobody@example.test", "-vv migrate bob@example.test --to Jitsi"] {
        for redirection in ["2>&-", ">&-", ">&- 2>&-", "2>/dev/full"] {
            let script = format!("exec {} {line} {redirection}", env!("CARGO_BIN_EXE_mms"));
            let mut shell = Command::new("sh");
            shell
                .args(["-c", &script])
                .current_dir(it.path("."))
                .env_remove("MMS_CONFIG")
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            assert!(matches!(exit_code(&mut shell), 0 | 3), "{script}");
        }
    }
}

#[test]
fn what_a_file_says_does_not_steer_the_terminal() {
    let it = Installation::new();
    let evil = format!("\u{1b}]0;owned\u{7}\u{1b}[2J{}", "x".repeat(5_000));
    let text = invite("uid-1", "alice@example.test", &evil)
        .replace("DESCRIPTION:", "DESCRIPTION:https://example.zoom.us/j/99999999999?pwd=other\\n\\n");
    it.invite("alice", "a.ics", &text);
    let broken = it.path("calendars/alice").join("b\u{1b}[31m.ics");
    std::fs::write(&broken, "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:x\r\n").unwrap();
    let mut said = String::new();
    for line in [
        &["preview", "alice@example.test", "--to", "Jitsi"][..],
        &["preview", "alice@example.test", "--to", "Jitsi", "--diff"],
        &["migrate", "alice@example.test", "--to", "Jitsi"],
        &["status"],
        &["history", "alice@example.test"],
        &["history", "alice@example.test", "-o", "table"],
        &["history", "alice@example.test", "-o", "csv"],
        &["inspect", broken.to_str().unwrap()],
    ] {
        let run = it.mms(line);
        said.push_str(&run.out);
        said.push_str(&run.err);
        assert!(run.err.lines().all(|line| line.len() < 2_500), "{line:?}: {}", run.err);
    }
    assert!(!said.contains('\u{1b}') && !said.contains('\u{7}'), "{said}");
}

#[test]
fn an_event_without_a_subject_is_named_by_its_file() {
    let it = Installation::new();
    it.invite("alice", "broken.ics", "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:x\r\n");
    let run = it.mms(&["migrate", "alice@example.test", "--to", "Jitsi"]).ends(1);
    assert!(run.err.contains("\"broken.ics\""), "{}", run.err);
}
