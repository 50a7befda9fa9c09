//! Cmdlet lines.

use crate::installation::{Installation, invite};

#[test]
fn the_lines_of_the_original_work() {
    let it = Installation::new();
    it.invite("alice", "a.ics", &invite("uid-1", "alice@example.test", "Weekly sync"));
    it.mms(&["Start-CsExMeetingMigration", "alice@example.test", "-TargetMeetingType", "Jitsi"]).ends(0);
    let summary = it.mms(&["Get-CsMeetingMigrationStatus", "-SummaryOnly"]).ends(0);
    assert!(summary.out.contains("Pending            1"), "{}", summary.out);
    let native = it.mms(&["status", "alice@example.test", "-o", "json"]).ends(0);
    let cmdlet = it.mms(&["get-csmmsstatus", "-Id:alice@example.test", "-o", "json"]).ends(0);
    assert_eq!(native.json(), cmdlet.json());
    let history =
        it.mms(&["Get-CsMeetingMigrationTransactionHistory", "-Identity", "alice@example.test"]).ends(0);
    assert!(history.out.contains("Pending"));
}

#[test]
fn the_tenant_configuration_is_shown_and_changed() {
    let it = Installation::new();
    let shown = |it: &Installation| it.mms(&["Get-CsTenantMigrationConfiguration"]).ends(0).out;
    assert_eq!(shown(&it), "Identity                : Global\nMeetingMigrationEnabled : True\n");
    it.mms(&["Set-CsTenantMigrationConfiguration", "-MeetingMigrationEnabled", "$false", "-WhatIf"]).ends(0);
    assert!(shown(&it).contains("True"), "-WhatIf changes nothing");
    it.mms(&["Set-CsTenantMigrationConfiguration", "-MeetingMigrationEnabled", "$false"]).ends(0);
    assert!(shown(&it).contains("False"));
    let refused = it.mms(&["start", "alice@example.test", "--to", "Jitsi"]).ends(4);
    assert!(refused.err.contains("MigrationDisabled"), "{}", refused.err);
    it.mms(&["Set-CsTenantMigrationConfiguration", "-MeetingMigrationEnabled:$true"]).ends(0);
    it.mms(&["start", "alice@example.test", "--to", "Jitsi"]).ends(0);
}

#[test]
fn wrong_lines_are_usage_errors_in_one_line() {
    let it = Installation::new();
    for (line, told) in [
        (vec!["Get-CsMeetingMigrationStatus", "-S", "x"], "ambiguous"),
        (vec!["Get-CsMeetingMigrationStatus", "-Nonsense"], "no parameter"),
        (vec!["Get-CsMeetingMigrationStatus", "-StartTime", "25/12/2018"], "12/25/2018"),
        (vec!["Start-CsExMeetingMigration"], "-Identity"),
        (vec!["statsu"], "did you mean status?"),
        (vec!["status", "--sate", "x"], "--sate"),
    ] {
        let run = it.mms(&line).ends(2);
        assert!(run.err.contains(told), "{line:?}: {}", run.err);
        assert_eq!(run.err.lines().count(), 1, "{}", run.err);
    }
    let grant =
        |more: &[&str]| it.mms(&[&["Grant-CsTeamsUpgradePolicy", "alice@example.test"], more].concat());
    assert!(grant(&["-PolicyName", "Teams"]).ends(2).err.contains("UpgradeToTeams"));
    let unconfigured = grant(&["-PolicyName", "UpgradeToTeams"]).ends(2);
    assert!(
        unconfigured.err.starts_with("mms: PlatformNotConfigured: the platform Teams is not configured"),
        "{}",
        unconfigured.err
    );
    let nothing =
        grant(&["-PolicyName", "UpgradeToTeams", "-MigrateMeetingsToTeams", "$false", "-o", "json"]);
    assert_eq!(nothing.ends(0).json()[0]["Outcome"], "Nothing");
    let silent =
        it.mms(&["Get-CsMmsStatus", "-Identity", "nobody@example.test", "-ErrorAction", "SilentlyContinue"]);
    assert_eq!(silent.ends(3).err, "");
}

#[test]
fn a_change_of_audio_conferencing_refreshes_meetings_unless_that_is_switched_off() {
    let it = Installation::new();
    let event = ["event", "BridgeChanged", "alice@example.test", "-o", "json"];
    let started = it.mms(&event).ends(0).json();
    assert_eq!(
        (&started[0]["Outcome"], &started[0]["MigrationType"]),
        (&"Started".into(), &"ToSameType".into())
    );
    assert_eq!(it.mms(&event).ends(0).json()[0]["Outcome"], "Joined");
    let settings =
        ["Set-CsOnlineDialInConferencingTenantSettings", "-AutomaticallyMigrateUserMeetings", "$false"];
    it.mms(&settings).ends(0);
    let shown = it.mms(&["Get-CsOnlineDialInConferencingTenantSettings", "-o", "json"]).ends(0).json();
    assert_eq!(shown[0]["AutomaticallyMigrateUserMeetings"], false);
    let off = it.mms(&event).ends(0).json();
    assert_eq!(off[0]["Outcome"], "Nothing");
    assert!(off[0]["Reason"].as_str().unwrap().contains("AutomaticallyMigrateUserMeetings"));
    let back = it.mms(&["event", "movedonpremises", "bob@example.test", "-o", "json"]).ends(0).json();
    assert_eq!(back[0]["Outcome"], "Refused");
    let failed = it.mms(&["status", "bob@example.test", "-o", "json"]).ends(0).json();
    assert_eq!(failed[0]["State"], "Failed");
    assert!(failed[0]["LastMessage"].as_str().unwrap().starts_with("MovedOnPremises: "));
    let wrong = it.mms(&["event", "BridgeChanged", "bob@example.test", "--policy", "Islands"]).ends(2);
    assert!(wrong.err.contains("belongs to another event"), "{}", wrong.err);
}

#[test]
fn status_says_why_nothing_ran_and_when_it_will() {
    let it = Installation::new();
    let alice = ["status", "alice@example.test"];
    let none = it.mms(&alice).ends(0);
    assert!(none.out.is_empty() && none.err.contains("nobody asked for one"), "{}", none.err);
    it.mms(&["Set-CsTenantMigrationConfiguration", "-MeetingMigrationEnabled", "$false"]).ends(0);
    assert!(it.mms(&alice).ends(0).err.contains("MeetingMigrationEnabled is off"));
    it.mms(&["Set-CsTenantMigrationConfiguration", "-MeetingMigrationEnabled", "$true"]).ends(0);
    it.mms(&["start", "alice@example.test", "--to", "Jitsi"]).ends(0);
    let waiting = it.mms(&alice).ends(0);
    assert!(waiting.out.contains("Pending") && waiting.err.contains("no daemon runs"), "{}", waiting.err);
    assert_eq!(it.mms(&["status", "alice@example.test", "-o", "json"]).ends(0).err, "");
    let none = it.mms(&["status", "alice@example.test", "--state", "failed"]).ends(0);
    assert_eq!(none.err, "no migration matches what was asked for\n");
}

#[test]
fn help_comes_from_the_table() {
    let it = Installation::new();
    assert!(
        it.mms(&["Start-CsExMeetingMigration", "-?"]).ends(0).out.contains("-TargetMeetingType <String>")
    );
}
