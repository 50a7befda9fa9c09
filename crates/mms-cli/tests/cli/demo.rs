//! `mms demo`

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
}

#[test]
fn the_demo_does_not_write_into_a_folder_with_something_in_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("precious.txt"), "x").unwrap();
    let output = command(folder.path()).args(["demo", "--dir", "."]).output().unwrap();
    let run = Run::of(&output).ends(1);
    assert!(run.err.contains("not empty"), "{}", run.err);
}
