//! Recognition against invites with expected answers: the corpus of real ones in
//! `fixtures/corpus/dev`, and our own in `fixtures/recognise` for what is missing there.

#![allow(clippy::unwrap_used)] // a test fails by panicking

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mms_invite::input::{Inspected, inspect};
use mms_invite::recognise::{CustomPlatform, Recogniser, RecogniserOptions};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

fn recogniser() -> Recogniser {
    Recogniser::new(&RecogniserOptions {
        jitsi_hosts: vec!["video.example.org".to_owned()],
        big_blue_button_hosts: vec!["lectures.example.edu".to_owned()],
        skype_hosts: vec!["lyncweb.example.net".to_owned()],
        custom: vec![CustomPlatform {
            platform: "Acme".parse().unwrap(),
            join_url: r"https://meet\.acme\.example/r/(?P<id>\d+)(?:\?pin=(?P<passcode>\w+))?".to_owned(),
        }],
    })
    .unwrap()
}

/// One line of an index.tsv.
struct Row {
    file: String,
    platform: String,
    language: String,
    join_url: String,
    id: String,
    passcode: String,
    has_dial_in: bool,
}

fn rows(folder: &Path) -> Vec<Row> {
    let index = std::fs::read_to_string(folder.join("index.tsv")).unwrap();
    let mut rows = Vec::new();
    for line in index.lines().skip(1).filter(|line| !line.is_empty()) {
        let field: Vec<&str> = line.split('\t').collect();
        rows.push(Row {
            file: field[0].to_owned(),
            platform: field[1].to_owned(),
            language: field[3].to_owned(),
            join_url: field[4].to_owned(),
            id: field[5].to_owned(),
            passcode: field[6].to_owned(),
            has_dial_in: field[7] == "yes",
        });
    }
    rows
}

/// Whether the recognised platform is the one that the index means.
fn is_platform(expected: &str, actual: Option<&str>) -> bool {
    match (expected, actual) {
        ("none", None) => true,
        ("sfb-onprem" | "sfb-online" | "lync", Some("SfB")) => true,
        ("meet", Some("GoogleMeet")) => true,
        ("other", Some(name)) => !["SfB", "Teams", "Zoom", "Webex", "GoogleMeet", "GoTo"].contains(&name),
        (expected, Some(name)) => expected.eq_ignore_ascii_case(name),
        _ => false,
    }
}

/// Ids are compared without the spaces that separate groups.
fn squeezed(id: &str) -> String {
    id.chars().filter(|c| !matches!(c, ' ' | '#')).collect()
}

#[derive(Default, Clone, Copy)]
struct Score {
    right: usize,
    of: usize,
}

impl Score {
    fn add(&mut self, right: bool) {
        self.right += usize::from(right);
        self.of += 1;
    }

    fn percent(self) -> f64 {
        if self.of == 0 { 100.0 } else { 100.0 * self.right as f64 / self.of as f64 }
    }
}

#[derive(Default)]
struct Scores {
    by_platform: BTreeMap<String, Score>,
    platform: Score,
    join_url: Score,
    id: Score,
    passcode: Score,
    dial_in: Score,
    language: Score,
    wrong: Vec<String>,
    false_positives: Vec<String>,
}

impl Scores {
    fn compare(&mut self, row: &Row, found: &Inspected) {
        let platform = is_platform(&row.platform, found.platform.as_deref());
        let join_url = row.join_url == found.join_url.as_deref().unwrap_or_default();
        self.by_platform.entry(row.platform.clone()).or_default().add(platform && join_url);
        self.platform.add(platform);
        self.join_url.add(join_url);
        if row.platform == "none" {
            if !platform {
                self.false_positives.push(row.file.clone());
            }
            return;
        }
        let mut check = |score: fn(&mut Self) -> &mut Score, name: &str, expected: &str, actual: &str| {
            let right = expected == actual;
            score(self).add(right);
            if !right {
                self.wrong.push(format!("{}: {name} is {actual:?}, expected {expected:?}", row.file));
            }
        };
        let id = found.meeting_id.as_deref().unwrap_or_default();
        check(|s| &mut s.id, "id", &squeezed(&row.id), &squeezed(id));
        check(|s| &mut s.passcode, "passcode", &row.passcode, found.passcode.as_deref().unwrap_or_default());
        check(|s| &mut s.dial_in, "dial-in", &row.has_dial_in.to_string(), &found.has_dial_in.to_string());
        let language = found.language.as_deref().unwrap_or("none");
        check(|s| &mut s.language, "language", &row.language, language);
        if !platform || !join_url {
            let join_url = &found.join_url;
            self.wrong.push(format!("{}: platform {:?}, join URL {join_url:?}", row.file, found.platform));
        }
    }

    fn print(&self, title: &str) {
        println!("{title}: platform and join URL right");
        for (platform, score) in &self.by_platform {
            println!("  {platform:<22} {:>3} of {:>3}", score.right, score.of);
        }
        for (name, score) in [
            ("platform", self.platform),
            ("join URL", self.join_url),
            ("id", self.id),
            ("passcode", self.passcode),
            ("dial-in", self.dial_in),
            ("language", self.language),
        ] {
            println!("  {name:<22} {:>5.1} %", score.percent());
        }
        self.wrong.iter().for_each(|line| println!("  {line}"));
    }
}

fn score(folder: &Path) -> Scores {
    let recogniser = recogniser();
    let mut scores = Scores::default();
    for row in rows(folder) {
        let bytes = std::fs::read(folder.join(&row.file)).unwrap();
        let found = inspect(&row.file, &bytes, &recogniser).unwrap();
        assert_eq!(found.len(), 1, "{}", row.file);
        scores.compare(&row, &found[0]);
    }
    scores
}

#[test]
fn recognises_the_corpus() {
    let scores = score(&fixtures().join("corpus/dev"));
    scores.print("corpus/dev");
    assert!(scores.platform.of >= 50);
    assert_eq!(scores.false_positives, Vec::<String>::new());
    assert!(scores.platform.percent() >= 98.0);
    assert!(scores.join_url.percent() >= 98.0);
    assert!(scores.id.percent() >= 95.0);
    assert!(scores.passcode.percent() >= 95.0);
    assert!(scores.dial_in.percent() >= 95.0);
    assert!(scores.language.percent() >= 90.0);
}

#[test]
fn recognises_our_own_fixtures() {
    let scores = score(&fixtures().join("recognise"));
    scores.print("recognise");
    assert!(scores.platform.of >= 40);
    assert_eq!(scores.false_positives, Vec::<String>::new());
    assert_eq!(scores.wrong, Vec::<String>::new());
}
