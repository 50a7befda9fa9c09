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
    assert!(
        it.mms(&["Grant-CsTeamsUpgradePolicy", "x"]).ends(1).err.contains("not available in this version")
    );
    let silent =
        it.mms(&["Get-CsMmsStatus", "-Identity", "nobody@example.test", "-ErrorAction", "SilentlyContinue"]);
    assert_eq!(silent.ends(3).err, "");
}

#[test]
fn help_comes_from_the_table() {
    let it = Installation::new();
    assert!(
        it.mms(&["Start-CsExMeetingMigration", "-?"]).ends(0).out.contains("-TargetMeetingType <String>")
    );
}
