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
    let missing = mms(&["config", "check"]).ends(2).err;
    assert!(missing.contains("users.csv is not there: make it") && missing.contains("upn,"), "{missing}");
    mms(&["config", "show"]).ends(0);
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md")).unwrap();
    let written = fs::read_to_string(folder.path().join("mms.toml")).unwrap();
    for line in ["file = \"users.csv\"", "[calendar.files]", "root = \"/srv/calendars\"", "notify = \"none\""]
    {
        assert!(readme.contains(line) && written.contains(line), "README and example differ: {line}");
    }
}

/// Checks the installation after a change of a file, and gives what is said.
fn checked(it: &Installation, file: &str, from: &str, to: &str, code: i32) -> String {
    let before = fs::read_to_string(it.path(file)).unwrap();
    assert!(before.contains(from), "{before}");
    fs::write(it.path(file), before.replace(from, to)).unwrap();
    let run = it.mms(&["config", "check"]).ends(code);
    let doctor = it.mms(&["doctor", "-o", "json"]).ends(i32::from(code != 0));
    let worst = if code == 0 { "Warning" } else { "Failed" };
    assert!(doctor.json().as_array().unwrap().iter().any(|step| step["Result"] == worst), "{}", doctor.out);
    fs::write(it.path(file), before).unwrap();
    run.err
}

#[test]
fn files_need_a_mail_server_or_nobody_to_tell() {
    let it = Installation::new();
    let said = checked(&it, "mms.toml", "notify = \"none\"", "notify = \"all\"", 2);
    assert!(said.starts_with("mms: mms.toml:5: [calendar.office]"), "{said}");
    assert!(said.contains("[smtp]") && said.contains("notify = \"none\""), "{said}");
    assert_eq!(said.lines().count(), 1);
    let with_mail =
        format!("{}[smtp]\nhost = \"mail.example.test\"\n", CONFIGURATION.replace("\"none\"", "\"all\""));
    fs::write(it.path("mms.toml"), with_mail).unwrap();
    it.mms(&["config", "check"]).ends(0);
}

#[test]
fn check_looks_at_the_directory_and_the_configuration_together() {
    let it = Installation::new();
    let said = checked(&it, "users.csv", "bob@example.test,office,bob", "bob@example.test,ofice,bob", 2);
    assert!(said.starts_with("mms: ./users.csv:3: ") && said.contains("did you mean \"office\"?"), "{said}");
    let said = checked(&it, "mms.toml", "root = \"calendars\"", "root = \"calenders\"", 2);
    assert!(said.starts_with("mms: mms.toml:5: [calendar.office] the folder ./calenders"), "{said}");
    let said =
        checked(&it, "users.csv", "bob@example.test,office", "bob@example.test;ALICE@example.test,office", 0);
    assert!(said.starts_with("mms: warning: ./users.csv:3: the address alice@example.test"), "{said}");
    assert!(said.contains("alice@example.test on line 2"), "{said}");
    let said = checked(&it, "users.csv", "office,bob", "office,robert", 0);
    assert!(said.starts_with("mms: warning: ./users.csv:3: the folder") && said.contains("robert"), "{said}");
    let said = checked(&it, "users.csv", crate::installation::USERS, "upn,calendar\n", 2);
    assert!(said.contains("users.csv: nobody is listed"), "{said}");
    let said = checked(&it, "users.csv", "office", "nowhere", 2);
    assert_eq!(said.lines().count(), 5, "each, and their number: {said}");
}

#[test]
fn a_wrong_key_names_file_line_and_what_was_meant() {
    let it = Installation::new();
    fs::write(it.path("mms.toml"), format!("{CONFIGURATION}[engine2]\n")).unwrap();
    let run = it.mms(&["status"]).ends(2);
    assert_eq!(run.err, "mms: mms.toml:15: the key \"engine2\" is unknown: did you mean \"engine\"?\n");
}

#[test]
fn every_answer_about_the_configuration_comes_as_json_too() {
    let it = Installation::new();
    let path = it.mms(&["config", "path", "-o", "json"]).ends(0).json();
    assert!(path[0]["Path"].as_str().unwrap().ends_with("mms.toml"), "{path}");
    let settings = it.mms(&["config", "show", "-o", "json"]).ends(0).json();
    let setting =
        |name: &str| settings.as_array().unwrap().iter().find(|row| row["Setting"] == name).cloned();
    assert_eq!(setting("engine.max_attendees").unwrap()["Value"], 250);
    assert_eq!(it.mms(&["config", "check", "-o", "json"]).ends(0).json(), serde_json::json!([]));
    fs::write(it.path("mms.toml"), CONFIGURATION.replace("notify = \"none\"", "")).unwrap();
    let wrong = it.mms(&["config", "check", "-o", "json"]).ends(2).json();
    assert_eq!(wrong[0]["Severity"], "Error", "{wrong}");
    assert!(wrong[0]["Message"].as_str().unwrap().contains("[smtp]"), "{wrong}");
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
