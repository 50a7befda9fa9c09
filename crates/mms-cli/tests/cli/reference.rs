//! Help, completions and the manual.

use crate::installation::Installation;

#[test]
fn docs_cli_md_is_what_the_binary_says() {
    let it = Installation::new();
    let said = it.mms(&["man", "--form", "markdown"]).ends(0).out;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
    let written = std::fs::read_to_string(path).unwrap();
    assert!(written == said, "docs/cli.md is old: run `mms man --form markdown > docs/cli.md`");
}

#[test]
fn every_key_of_the_example_is_documented() {
    let example = include_str!("../../src/config/example.toml");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let docs = std::fs::read_to_string(path).unwrap();
    for line in example.lines() {
        let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ") else { continue };
        // Platforms under [recognise.hosts] are names, not keys.
        if !key.contains(' ') && key.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
            assert!(docs.contains(&format!("`{key}`")), "docs/configuration.md does not explain {key}");
        }
    }
}

#[test]
fn completions_for_every_shell_and_pages_for_every_command() {
    let it = Installation::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = it.mms(&["completions", shell]).ends(0);
        assert!(run.out.contains("rollback"), "{shell}");
    }
    assert!(it.mms(&["man"]).ends(0).out.starts_with(".ie"));
    it.mms(&["man", "--dir", "man"]).ends(0);
    for page in ["mms.1", "mms-status.1", "mms-migrate.1"] {
        assert!(it.path("man").join(page).is_file(), "{page}");
    }
    assert!(it.mms(&["--version"]).ends(0).out.starts_with("mms "));
    assert!(it.mms(&["status", "--help"]).ends(0).out.contains("--summary"));
    it.mms(&[]).ends(2);
}
