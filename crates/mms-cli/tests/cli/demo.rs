//! `mms demo`

use std::path::Path;

use crate::installation::{Run, command};

#[test]
fn the_demo_migrates_an_organisation_and_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("demo");
    let output = command(folder.path()).args(["demo", "--dir"]).arg(&target).output().unwrap();
    let run = Run::of(&output).ends(0);
    for expected in [
        "State      UserCount",
        "Succeeded",
        "CorrelationId     : ",
        "UserPrincipalName : ",
        "AmbiguousMeeting",
        "TooManyAttendees",
        "href=\"https://meet.contoso.example/",
    ] {
        assert!(run.out.contains(expected), "{expected} in\n{}\n{}", run.out, run.err);
    }
    // What it leaves is an installation that goes on working.
    let again = command(&target).args(["status", "--summary", "-o", "json"]).output().unwrap();
    let summary = Run::of(&again).ends(0).json();
    let users: u64 = summary.as_array().unwrap().iter().map(|row| row["UserCount"].as_u64().unwrap()).sum();
    assert_eq!(users, 25);
    let (migrated, kept) = old_links(&target);
    assert!(migrated > 200, "{migrated}");
    assert_eq!(kept, Vec::<String>::new(), "an invite that moved does not hold its old link any more");
}

/// How many meetings of the demo moved, and those that name their old link still.
fn old_links(demo: &Path) -> (usize, Vec<String>) {
    let invites: Vec<String> = std::fs::read_dir(demo.join("calendars"))
        .unwrap()
        .flat_map(|user| std::fs::read_dir(user.unwrap().path()).unwrap())
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap().replace("\r\n ", ""))
        .collect();
    let users = std::fs::read_to_string(demo.join("directory.csv")).unwrap();
    let (mut migrated, mut kept) = (0, Vec::new());
    for user in users.lines().skip(1).map(|line| line.split(',').find(|cell| cell.contains('@')).unwrap()) {
        let output = command(demo).args(["history", user, "--meetings", "-o", "json"]).output().unwrap();
        for row in Run::of(&output).ends(0).json().as_array().unwrap() {
            if row["Outcome"] != "Migrated" {
                continue;
            }
            migrated += 1;
            let (old, uid) = (row["OldJoinUrl"].as_str().unwrap_or_default(), row["Uid"].as_str().unwrap());
            let uid_line = format!("UID:{uid}\r\n");
            let is_it =
                |invite: &&String| invite.contains(&uid_line) && invite.contains(&format!("mailto:{user}"));
            // Exceptions that are past stay as they are.
            let master = invites.iter().find(is_it).and_then(|invite| {
                invite.split("BEGIN:VEVENT").skip(1).find(|event| !event.contains("\nRECURRENCE-ID"))
            });
            if old.is_empty() || master.is_none_or(|event| event.contains(old)) {
                kept.push(format!("{user} {uid} {old}"));
            }
        }
    }
    (migrated, kept)
}

#[test]
fn the_demo_does_not_write_into_a_folder_with_something_in_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("precious.txt"), "x").unwrap();
    let output = command(folder.path()).args(["demo", "--dir", "."]).output().unwrap();
    let run = Run::of(&output).ends(1);
    assert!(run.err.contains("not empty"), "{}", run.err);
}
