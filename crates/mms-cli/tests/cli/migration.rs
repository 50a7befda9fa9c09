//! Migrate, preview, status, history and rollback.

use std::fs;

use mms_model::port::{RequestFilter, RequestStore as _};
use mms_model::{Clock as _, SystemClock};
use mms_store::{Access, SqliteStore};

use crate::installation::{AGENDA, CONFIGURATION, Installation, invite};

fn with_one_meeting() -> (Installation, std::path::PathBuf) {
    let it = Installation::new();
    let file = it.invite("alice", "a.ics", &invite("uid-1", "alice@example.test", "Weekly sync"));
    (it, file)
}

const MIGRATE: [&str; 6] = ["migrate", "alice@example.test", "--to", "Jitsi", "-o", "json"];

#[test]
fn a_meeting_moves_and_nothing_else_changes() {
    let (it, file) = with_one_meeting();
    let before = fs::read_to_string(&file).unwrap();
    let run = it.mms(&MIGRATE).ends(0);
    let record = &run.json()[0];
    assert_eq!(record["State"], "Succeeded", "{record}");
    assert_eq!((&record["TotalMeeting"], &record["SucceededMeeting"]), (&1.into(), &1.into()));
    assert_eq!(record["MigrationType"], "AllToJitsi");
    assert_eq!(record["InvitesUpdate"], 0, "notify = none");

    let after = fs::read_to_string(&file).unwrap();
    assert!(after.contains("https://meet.example.test/") && !after.contains("zoom.us"), "{after}");
    assert!(after.contains(AGENDA));
    for line in before.split("\r\n").filter(|line| {
        !["DESCRIPTION", "LOCATION", "DTSTAMP", " "].iter().any(|start| line.starts_with(start))
    }) {
        assert!(after.contains(line), "{line} is gone:\n{after}");
    }
}

#[test]
fn a_server_that_is_down_has_an_exit_code_of_its_own() {
    let it = Installation::new();
    let calendar = "[calendar.office]\nkind = \"caldav\"\nurl = \"http://127.0.0.1:9/{user}/\"\nallow_plaintext = true\n\
                    auth = { type = \"admin-proxy\", user = \"mms\", password_env = \"PATH\" }\n";
    let (head, tail) = CONFIGURATION.split_once("[calendar.office]").unwrap();
    let (_, tail) = tail.split_once("\n[").unwrap();
    fs::write(it.path("mms.toml"), format!("{head}{calendar}\n[{tail}")).unwrap();
    for command in ["preview", "migrate"] {
        let run = it.mms(&[command, "alice@example.test", "--to", "Jitsi"]).ends(5);
        assert!(run.err.contains("127.0.0.1:9") || run.err.contains("wait for another try"), "{}", run.err);
    }
}

#[test]
fn a_second_run_changes_nothing() {
    let (it, file) = with_one_meeting();
    it.mms(&MIGRATE).ends(0);
    let first = fs::read(&file).unwrap();
    let run = it.mms(&MIGRATE).ends(0);
    let record = &run.json()[0];
    assert_eq!((&record["SucceededMeeting"], &record["InvitesUpdate"]), (&1.into(), &0.into()));
    assert_eq!(fs::read(&file).unwrap(), first);
}

#[test]
fn a_preview_says_what_the_run_does_and_writes_nothing() {
    let (it, file) = with_one_meeting();
    let before = fs::read(&file).unwrap();
    let run = it.mms(&["preview", "alice@example.test", "--to", "Jitsi", "-o", "json"]).ends(0);
    assert_eq!(fs::read(&file).unwrap(), before, "a preview writes nothing");
    assert_eq!(
        it.mms(&["status", "-o", "json"]).ends(0).json(),
        serde_json::json!([]),
        "and asks for nothing"
    );
    let planned = run.json()[0].clone();
    assert_eq!(planned["Subject"], "Weekly sync");

    it.mms(&MIGRATE).ends(0);
    let history = it.mms(&["history", "alice@example.test", "--meetings", "-o", "json"]).ends(0).json();
    assert_eq!(history[0]["NewJoinUrl"], planned["NewJoinUrl"], "the run does what the preview said");
    assert_eq!(history[0]["OldJoinUrl"], planned["OldJoinUrl"]);
}

#[test]
fn a_preview_says_what_it_leaves_alone_and_why() {
    let (it, _) = with_one_meeting();
    it.invite("alice", "bobs.ics", &invite("uid-3", "bob@example.test", "Organised by Bob"));
    let cancelled = invite("uid-4", "alice@example.test", "Off").replace("SEQUENCE:3", "STATUS:CANCELLED");
    it.invite("alice", "off.ics", &cancelled);
    for (file, year) in [("old.ics", "2001"), ("older.ics", "2000")] {
        it.invite("alice", file, &invite(file, "alice@example.test", "Long ago").replace("2099", year));
    }
    let run = it.mms(&["preview", "alice@example.test", "--to", "Jitsi", "-o", "json"]).ends(0);
    let mut rows: Vec<(String, String, String)> = run
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            (text("Uid"), text("Outcome"), text("Message"))
        })
        .collect();
    rows.sort();
    let row = |uid: &str, outcome: &str, message: &str| (uid.into(), outcome.into(), message.into());
    assert_eq!(
        rows,
        [
            row("uid-1", "WouldMigrate", ""),
            row("uid-3", "Skipped", "Somebody else organises it."),
            row("uid-4", "Skipped", "It is cancelled."),
        ]
    );
    assert_eq!(run.err, "2 meetings that have ended were left alone\n");
}

#[test]
fn a_user_who_cannot_be_previewed_does_not_hide_the_others() {
    let (it, _) = with_one_meeting();
    it.invite("sam1", "s.ics", &invite("uid-2", "sam1@example.test", "After Bob"));
    fs::remove_dir_all(it.path("calendars/bob")).unwrap();
    let file = it.path("some.csv");
    fs::write(&file, "alice@example.test\nbob@example.test\nsam1@example.test\n").unwrap();
    let file = file.to_str().unwrap();
    for choice in [&["--all"][..], &["--file", file]] {
        let line = [&["preview", "--to", "Jitsi", "-o", "json"], choice].concat();
        let run = it.mms(&line);
        assert_ne!(run.code, 0, "{}", run.err);
        let rows = run.json();
        let row = |upn: &str| {
            let all = rows.as_array().unwrap();
            all.iter().find(|row| row["UserPrincipalName"] == upn).unwrap().clone()
        };
        assert_eq!(row("alice@example.test")["Outcome"], "WouldMigrate");
        assert_eq!(row("sam1@example.test")["Subject"], "After Bob");
        let bob = row("bob@example.test");
        assert_eq!((&bob["Outcome"], &bob["Uid"]), (&"WouldFail".into(), &serde_json::Value::Null));
        let message = bob["Message"].as_str().unwrap();
        assert!(
            message.contains("Calendar") && message.contains(": "),
            "a code and what is wrong: {message}"
        );
        assert!(run.err.contains(&format!("bob@example.test: {message}")), "{}", run.err);
        assert!(run.err.contains("1 cannot be previewed"), "{}", run.err);
    }
    let people = ["preview", "--all", "--to", "Jitsi"];
    for line in [&people[..], &["preview", "--all", "--to", "Jitsi", "--diff"]] {
        let run = it.mms(line);
        assert!(run.out.contains("After Bob") && run.out.contains("WouldFail"), "{}", run.out);
    }
}

#[test]
fn a_user_whom_another_process_works_on_does_not_stop_the_others() {
    let (it, _) = with_one_meeting();
    let invite = it.invite("bob", "b.ics", &invite("uid-2", "bob@example.test", "Bob's"));
    it.mms(&["start", "alice@example.test", "--to", "Jitsi"]).ends(0);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let path = it.path("state/mms.db");
    // The claim holds for as long as the store is open.
    let (_other, claimed) = runtime.block_on(async {
        let store = SqliteStore::open(&path, Access::Command).await.unwrap();
        let [request] = &store.list(&RequestFilter::default()).await.unwrap()[..] else { panic!() };
        let (now, lease) = (SystemClock.now(), std::time::Duration::from_secs(600));
        let claimed = store.claim_request(request.id, "another", now, lease).await.unwrap();
        (store, claimed)
    });
    assert!(claimed.is_some());
    let run =
        it.mms(&["migrate", "alice@example.test", "bob@example.test", "--to", "Jitsi", "-o", "json"]).ends(1);
    let rows = run.json();
    let states: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["UserPrincipalName"].as_str().unwrap(), row["State"].as_str().unwrap()))
        .collect();
    assert_eq!(states, [("alice@example.test", "Pending"), ("bob@example.test", "Succeeded")]);
    assert!(run.err.contains("alice@example.test: the request"), "{}", run.err);
    assert!(run.err.contains("of 2 migrations 1 wait"), "{}", run.err);
    assert!(fs::read_to_string(invite).unwrap().contains("https://meet.example.test/"));
}

#[test]
fn a_start_that_cannot_be_read_is_remarked() {
    let it = Installation::new();
    let odd = invite("uid-1", "alice@example.test", "Some day").replace("20990601T090000Z", "someday");
    it.invite("alice", "a.ics", &odd);
    let preview = it.mms(&["preview", "alice@example.test", "--to", "Jitsi", "-o", "json"]).ends(0).json();
    assert_eq!(preview[0]["Outcome"], "WouldMigrate", "{preview}");
    assert!(preview[0]["Message"].as_str().unwrap().contains("start cannot be read"), "{preview}");
    it.mms(&MIGRATE).ends(0);
    let history = it.mms(&["history", "alice@example.test", "--meetings", "-o", "json"]).ends(0).json();
    assert_eq!(history[0]["Message"], preview[0]["Message"]);
}

#[test]
fn what_if_is_the_same_preview() {
    let (it, _) = with_one_meeting();
    let native = it.mms(&["preview", "alice@example.test", "--to", "Jitsi", "-o", "json"]).ends(0);
    let cmdlet = it
        .mms(&[
            "Start-CsExMeetingMigration",
            "alice@example.test",
            "-TargetMeetingType",
            "Jitsi",
            "-WhatIf",
            "-o",
            "json",
        ])
        .ends(0);
    assert_eq!(native.json(), cmdlet.json());
}

#[test]
fn a_preview_with_diff_shows_both_texts() {
    let (it, _) = with_one_meeting();
    let run = it.mms(&["preview", "alice@example.test", "--to", "Jitsi", "--diff"]).ends(0);
    assert!(run.out.contains("- https://example.zoom.us/j/81234567890?pwd=abcDEF123"), "{}", run.out);
    assert!(run.out.contains("+ https://meet.example.test/"), "{}", run.out);
    let list = it.mms(&["preview", "alice@example.test", "--to", "Jitsi"]).ends(0).out;
    assert!(list.contains("                    - https://example.zoom.us/j/81234567890"), "{list}");
    assert!(list.contains("Changes           :   DESCRIPTION"), "{list}");
}

#[test]
fn a_rollback_gives_the_old_invite_back() {
    let (it, file) = with_one_meeting();
    let before = fs::read_to_string(&file).unwrap();
    it.mms(&MIGRATE).ends(0);
    it.mms(&["rollback", "alice@example.test"]).ends(0);
    let stamps = |text: &str| -> Vec<String> {
        text.split("\r\n")
            .filter(|l| !l.starts_with("DTSTAMP") && !l.starts_with("LAST-MODIFIED"))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(stamps(&fs::read_to_string(&file).unwrap()), stamps(&before));

    let restored = fs::read(&file).unwrap();
    let again = it.mms(&["rollback", "alice@example.test", "-o", "json"]).ends(0);
    assert!(again.err.contains("rolled back already"), "{}", again.err);
    assert_eq!((&again.json()[0]["Restored"], &again.json()[0]["Failed"]), (&0.into(), &0.into()));
    assert_eq!(fs::read(&file).unwrap(), restored);
    let nothing = it.mms(&["rollback", "bob@example.test"]).ends(3);
    assert!(nothing.err.contains("no such migration"), "{}", nothing.err);
}

#[test]
fn a_meeting_that_cannot_move_fails_the_run_and_is_named() {
    let (it, file) = with_one_meeting();
    let text = fs::read_to_string(&file).unwrap().replace(
        "DESCRIPTION:",
        "DESCRIPTION:Join Zoom Meeting\\nhttps://example.zoom.us/j/99999999999?pwd=other\\n\\nMeeting ID: 999 9999 9999\\nPasscode: 1\\n\\n",
    );
    fs::write(&file, &text).unwrap();
    it.invite("alice", "b.ics", &invite("uid-2", "alice@example.test", "Second"));
    let run = it.mms(&MIGRATE).ends(1);
    assert!(run.err.contains("AmbiguousMeeting") && run.err.contains("Weekly sync"), "{}", run.err);
    let record = &run.json()[0];
    assert_eq!((&record["SucceededMeeting"], &record["FailedMeeting"]), (&1.into(), &1.into()), "{record}");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn unknown_and_ambiguous_users_are_different_errors() {
    let (it, _) = with_one_meeting();
    let unknown = it.mms(&["migrate", "nobody@example.test", "--to", "Jitsi"]).ends(3);
    assert!(
        unknown.err.contains("UserNotFound") && unknown.err.contains("nobody@example.test"),
        "{}",
        unknown.err
    );
    let ambiguous = it.mms(&["status", "Sam Same"]).ends(3);
    assert!(
        ambiguous.err.contains("UserAmbiguous") && ambiguous.err.contains("Sam Same"),
        "{}",
        ambiguous.err
    );
    assert_eq!(ambiguous.err.lines().count(), 1);
}

#[test]
fn a_platform_that_is_not_configured_is_a_usage_error() {
    let (it, _) = with_one_meeting();
    let run = it.mms(&["migrate", "alice@example.test", "--to", "Teams"]).ends(2);
    assert!(run.err.contains("Teams") && run.err.contains("Jitsi"), "{}", run.err);
}

#[test]
fn a_source_that_nobody_knows_is_a_usage_error_that_lists_the_known_ones() {
    let (it, _) = with_one_meeting();
    for line in [
        &["migrate", "alice@example.test", "--from", "Zom", "--to", "Jitsi"][..],
        &["preview", "alice@example.test", "--from", "Zom", "--to", "Jitsi"],
        &["start", "alice@example.test", "--from", "Zom", "--to", "Jitsi"],
        &[
            "Start-CsExMeetingMigration",
            "alice@example.test",
            "-SourceMeetingType",
            "Zom",
            "-Target",
            "Jitsi",
        ],
    ] {
        let run = it.mms(line).ends(2);
        assert!(run.err.contains("did you mean Zoom?") && run.err.contains("All, SfB, Teams"), "{}", run.err);
        assert_eq!(run.err.lines().count(), 1);
    }
    assert_eq!(it.mms(&["status", "-o", "json"]).ends(0).json(), serde_json::json!([]));
}

#[test]
fn names_of_types_states_and_platforms_compare_without_case() {
    let (it, _) = with_one_meeting();
    let huddle = "[platform.Huddle]\nkind = \"template\"\njoin_url = \"https://huddle.example.test/{id}\"\ndisplay_name = \"Huddle\"\n";
    fs::write(it.path("mms.toml"), format!("{}{huddle}", crate::installation::CONFIGURATION)).unwrap();
    it.mms(&["migrate", "alice@example.test", "--from", "zoom", "--to", "HUDDLE"]).ends(0);
    for line in [
        &["status", "--type", "zoomtohuddle", "--state", "SUCCEEDED", "-o", "JSON"][..],
        &[
            "Get-CsMeetingMigrationStatus",
            "-MigrationType",
            "ZOOMTOHUDDLE",
            "-State",
            "succeeded",
            "-o",
            "Json",
        ],
    ] {
        assert_eq!(it.mms(line).ends(0).json()[0]["MigrationType"], "ZoomToHuddle");
    }
    let wrong = it.mms(&["Get-CsMeetingMigrationStatus", "-MigrationType", "Teams"]).ends(2);
    assert!(wrong.err.contains("SfbToTeams") && wrong.err.contains("Webex"), "{}", wrong.err);
    let wrong = it.mms(&["Get-CsMeetingMigrationStatus", "-State", "Done"]).ends(2);
    assert!(wrong.err.contains("Pending, InProgress, Failed, Succeeded"), "{}", wrong.err);
}

#[test]
fn status_lists_filters_and_sums_up() {
    let (it, _) = with_one_meeting();
    let none = it.mms(&["status"]).ends(0);
    assert_eq!((none.out.as_str(), none.err.as_str()), ("", "no migrations were found\n"));
    it.mms(&MIGRATE).ends(0);
    let summary = it.mms(&["status", "--summary"]).ends(0);
    assert_eq!(
        summary.out,
        "State      UserCount\n-----      ---------\nPending            0\nInProgress         0\nFailed             0\nSucceeded          1\n"
    );
    let list = it.mms(&["status", "Alice Adams", "--state", "succeeded"]).ends(0).out;
    let names: Vec<&str> = list.lines().filter_map(|line| line.split(" :").next()).map(str::trim).collect();
    assert_eq!(
        names,
        [
            "CorrelationId",
            "CreateDate",
            "FailedMeeting",
            "InvitesUpdate",
            "LastMessage",
            "MigrationType",
            "ModifiedDate",
            "RetryCount",
            "State",
            "SucceededMeeting",
            "TotalMeeting",
            "UserId",
            "UserPrincipalName"
        ]
    );
    assert!(list.lines().all(|line| line.chars().nth(18) == Some(':')), "{list}");
    assert!(
        it.mms(&["status", "--state", "failed", "-o", "json"]).ends(0).json().as_array().unwrap().is_empty()
    );
    for line in [&["status", "--state", "failed"][..], &["status", "bob@example.test", "--summary"]] {
        assert_eq!(it.mms(line).ends(0).err, "no migration matches what was asked for\n");
    }
    assert!(
        it.mms(&["status", "--end-time", "2020-01-01", "-o", "json"])
            .ends(0)
            .json()
            .as_array()
            .unwrap()
            .is_empty()
    );
    assert!(it.mms(&["status", "--start-time", "25/12/2018"]).ends(2).err.contains("12/25/2018"));
    assert!(
        it.mms(&["status", "--start-time", "2024-02-01", "--end-time", "2024-01-01"])
            .ends(2)
            .err
            .contains("before")
    );
}

#[test]
fn history_tells_every_change_of_state_and_every_meeting() {
    let (it, _) = with_one_meeting();
    it.invite("alice", "other.ics", &invite("uid-3", "bob@example.test", "Organised by Bob"));
    it.mms(&MIGRATE).ends(0);
    let history = it.mms(&["history", "alice@example.test", "-o", "json"]).ends(0).json();
    let outcomes: Vec<&str> =
        history.as_array().unwrap().iter().map(|row| row["Outcome"].as_str().unwrap()).collect();
    for outcome in ["Pending", "InProgress", "Succeeded", "Migrated"] {
        assert!(outcomes.contains(&outcome), "{outcome} in {outcomes:?}");
    }
}

#[test]
fn start_asks_and_cancel_takes_it_back() {
    let (it, file) = with_one_meeting();
    let before = fs::read(&file).unwrap();
    let started = it.mms(&["start", "alice@example.test", "--to", "Jitsi", "-o", "json"]).ends(0);
    assert!(started.err.contains("mms serve") && started.err.contains("mms migrate"), "{}", started.err);
    let started = started.json();
    assert_eq!(started[0]["State"], "Pending");
    let joined = it.mms(&["start", "alice@example.test", "--to", "Jitsi", "-o", "json"]).ends(0).json();
    assert_eq!(joined[0]["CorrelationId"], started[0]["CorrelationId"], "a second trigger joins");
    let cancelled = it.mms(&["cancel", "alice@example.test", "-o", "json"]).ends(0).json();
    assert_eq!(cancelled[0]["UserPrincipalName"], "alice@example.test");
    assert_eq!(cancelled[0]["State"], "Failed");
    assert!(it.mms(&["cancel", "alice@example.test"]).ends(3).err.contains("waits"));
    assert!(it.mms(&["cancel", "bob@example.test"]).ends(3).err.contains("no such migration"));
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn a_batch_is_paced_and_resumable() {
    let (it, _) = with_one_meeting();
    fs::write(it.path("batch.csv"), "Identity\nalice@example.test\nbob@example.test\n").unwrap();
    let start = ["start", "--file", "batch.csv", "--to", "Jitsi", "--pace", "2/h", "-o", "json"];
    let first = it.mms(&start).ends(0).json();
    let due = |row: &serde_json::Value| row["DueDate"].as_str().unwrap().to_owned();
    assert_eq!(first.as_array().unwrap().len(), 2);
    assert!(due(&first[0]) < due(&first[1]));
    let again = it.mms(&start).ends(0);
    assert_eq!(again.json(), serde_json::json!([]), "those who are in the batch are not asked for twice");
    assert!(again.err.contains("\"batch\"") && again.err.contains("2 of 2"), "{}", again.err);
    assert!(again.err.contains("--batch"), "{}", again.err);
    fs::write(it.path("batch.csv"), "Identity\nalice@example.test\nbob@example.test\nsam1@example.test\n")
        .unwrap();
    let third = it.mms(&start).ends(0).json();
    assert_eq!(third.as_array().unwrap().len(), 1);
    assert!(due(&first[1]) < due(&third[0]), "the pace goes on behind the last one");
}
