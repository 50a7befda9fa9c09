//! `docs/errors.md` has one entry for each code, and for nothing else.

use std::{collections::BTreeSet, fs, path::Path};

use mms_model::Code;

#[test]
fn the_catalogue_and_the_codes_are_equal() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
    let text = fs::read_to_string(&path).unwrap();
    let entries: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let described: BTreeSet<&str> = entries.iter().copied().collect();
    let codes: BTreeSet<&str> = Code::ALL.iter().map(|code| code.name()).collect();

    assert_eq!(described.len(), entries.len(), "an entry stands twice");
    let missing: Vec<_> = codes.difference(&described).collect();
    let unknown: Vec<_> = described.difference(&codes).collect();
    assert!(missing.is_empty(), "docs/errors.md has no entry for {missing:?}");
    assert!(unknown.is_empty(), "docs/errors.md describes {unknown:?}, which no code is");
}

#[test]
fn every_entry_says_something() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
    let text = fs::read_to_string(&path).unwrap();
    for entry in text.split("\n### ").skip(1) {
        let (name, rest) = entry.split_once('\n').unwrap();
        let body = rest.split("\n## ").next().unwrap().trim();
        assert!(body.len() > 40, "the entry of {name} says nothing");
    }
}
