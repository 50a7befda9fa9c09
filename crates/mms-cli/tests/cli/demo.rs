//! `mms demo`

use crate::installation::{Run, command};

#[test]
fn the_demo_migrates_an_organisation_and_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("demo");
    let output = command(folder.path()).args(["demo", "--dir"]).arg(&target).output().unwrap();
    let run = Run::of(&output).ends(0);
    for expected in [
        "CorrelationId     : ",
        "UserPrincipalName : ",
        "AmbiguousMeeting",
        "TooManyAttendees",
        "Join Skype Meeting",
        "href=\"https://teams.microsoft.com/l/meetup-join/",
        "303 meetings moved.",
        "(the most: 1)",
    ] {
        assert!(run.out.contains(expected), "{expected} in\n{}\n{}", run.out, run.err);
    }
    let summary = "State      UserCount\n-----      ---------\nPending            0\nInProgress         0\n\
                   Failed             3\nSucceeded         22\n";
    assert!(run.out.ends_with(summary), "{}", run.out);
    // The records stay, although Exchange is gone.
    let again = command(&target).args(["status", "--summary", "-o", "json"]).output().unwrap();
    let summary = Run::of(&again).ends(0).json();
    let users: u64 = summary.as_array().unwrap().iter().map(|row| row["UserCount"].as_u64().unwrap()).sum();
    assert_eq!(users, 25);
    let meetings = ["history", "user00001@contoso.example", "--meetings", "-o", "json"];
    let meetings = Run::of(&command(&target).args(meetings).output().unwrap()).ends(0).json();
    let moved = meetings.as_array().unwrap().iter().filter(|meeting| meeting["Outcome"] == "Migrated");
    assert!(moved.clone().count() >= 12, "{meetings}");
    for meeting in moved {
        assert!(meeting["NewJoinUrl"].as_str().unwrap().contains("/l/meetup-join/"), "{meeting}");
    }
}

#[test]
fn the_demo_does_not_write_into_a_folder_with_something_in_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("precious.txt"), "x").unwrap();
    let output = command(folder.path()).args(["demo", "--dir", "."]).output().unwrap();
    let run = Run::of(&output).ends(1);
    assert!(run.err.contains("not empty"), "{}", run.err);
}
