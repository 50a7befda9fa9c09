//! The configuration: found, checked, shown, written.

use std::fs;

use crate::installation::{CONFIGURATION, Installation, Run, command};

#[test]
fn no_configuration_is_a_usage_error_that_says_where_was_looked() {
    let folder = tempfile::tempdir().unwrap();
    if std::path::Path::new("/etc/mms/mms.toml").exists() {
        return;
    }
    let run = Run::of(&command(folder.path()).arg("status").output().unwrap()).ends(2);
    assert!(run.err.contains("mms config init") && run.err.contains("MMS_CONFIG"), "{}", run.err);
}

#[test]
fn the_order_of_search() {
    let it = Installation::new();
    let path = |run: Run| run.ends(0).out.trim().to_owned();
    assert!(path(it.mms(&["config", "path"])).ends_with("/mms.toml"));
    let by_env =
        command(&it.path(".")).env("MMS_CONFIG", "/x/env.toml").args(["config", "path"]).output().unwrap();
    assert_eq!(path(Run::of(&by_env)), "/x/env.toml");
    let named = command(&it.path("."))
        .env("MMS_CONFIG", "/x/env.toml")
        .args(["config", "path", "--config", "/y/named.toml"])
        .output()
        .unwrap();
    assert_eq!(path(Run::of(&named)), "/y/named.toml");
}

#[test]
fn what_init_writes_is_not_written_over_and_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let mms = |arguments: &[&str]| Run::of(&command(folder.path()).args(arguments).output().unwrap());
    mms(&["config", "init"]).ends(0);
    let refused = mms(&["config", "init"]).ends(1);
    assert!(refused.err.contains("exists already"));
    // The example's users file is not there yet, which is what the check says.
    assert!(mms(&["config", "check"]).ends(2).err.contains("users.toml"));
    mms(&["config", "show"]).ends(0);
}

#[test]
fn a_wrong_key_names_file_line_and_what_was_meant() {
    let it = Installation::new();
    fs::write(it.path("mms.toml"), format!("{CONFIGURATION}[engine2]\n")).unwrap();
    let run = it.mms(&["status"]).ends(2);
    assert_eq!(run.err, "mms: mms.toml:15: the key \"engine2\" is unknown: did you mean \"engine\"?\n");
}

#[test]
fn show_tells_where_secrets_come_from_and_never_the_secret() {
    let it = Installation::new();
    fs::write(
        it.path("mms.toml"),
        CONFIGURATION.replace("[engine]", "room_secret_env = \"ROOMS\"\n[engine]"),
    )
    .unwrap();
    let output = command(&it.path("."))
        .env("ROOMS", "correct horse battery staple")
        .args(["config", "show"])
        .output()
        .unwrap();
    let shown = Run::of(&output).ends(0).out;
    assert!(!shown.contains("battery"), "{shown}");
    assert!(
        shown.contains("room_secret_env = \"ROOMS\"") && shown.contains("max_attendees = 250"),
        "{shown}"
    );
    assert!(it.mms(&["config", "show"]).ends(2).err.contains("ROOMS is not set"));
}

#[test]
fn check_and_doctor_pass_on_a_good_installation() {
    let it = Installation::new();
    assert!(it.mms(&["config", "check"]).ends(0).out.contains("4 users"));
    let doctor = it.mms(&["doctor", "-o", "json"]).ends(0).json();
    assert!(doctor.as_array().unwrap().iter().all(|step| step["Result"] != "Failed"), "{doctor}");
    fs::remove_dir_all(it.path("calendars")).unwrap();
    let broken = it.mms(&["doctor", "-o", "json"]).ends(1).json();
    let failed: Vec<_> =
        broken.as_array().unwrap().iter().filter(|step| step["Result"] == "Failed").collect();
    assert!(!failed.is_empty() && failed[0]["Advice"].as_str().is_some_and(|a| !a.is_empty()), "{broken}");
}
