//! Recognition of what nobody sane writes: it never panics, its ranges lie in the text, and it stays
//! fast.

#![allow(clippy::unwrap_used)] // a test fails by panicking

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use mms_invite::input::inspect;
use mms_invite::recognise::{BodyFormat, BodyPart, EventText, Findings, Recogniser, RecogniserOptions};
use proptest::prelude::*;

fn recogniser() -> &'static Recogniser {
    static RECOGNISER: LazyLock<Recogniser> =
        LazyLock::new(|| Recogniser::new(&RecogniserOptions::default()).unwrap());
    &RECOGNISER
}

/// Recognises `text` as body, location and property, and checks what the ranges promise.
fn check(recogniser: &Recogniser, format: BodyFormat, text: &str) -> Findings {
    let event = EventText {
        bodies: vec![BodyPart { format, text }],
        location: Some(text),
        properties: vec![
            ("URL", text),
            ("X-MICROSOFT-SKYPETEAMSPROPERTIES", text),
            ("OnlineMeetingConfLink", text),
        ],
        scheduled: true,
    };
    let findings = recogniser.event(&event);
    let mut end = 0;
    for block in &findings.blocks {
        assert!(text.get(block.range.clone()).is_some_and(|block| !block.is_empty()), "{:?}", block.range);
        assert!(block.range.start >= end, "blocks overlap");
        end = block.range.end;
    }
    end = 0;
    for range in &findings.location {
        assert!(text.get(range.clone()).is_some() && range.start >= end);
        end = range.end;
    }
    assert!(findings.properties.iter().all(|index| *index < event.properties.len()));
    findings
}

/// Pieces that mean something to the scanners, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "\\PC{0,12}",
        1 => Just("\n".to_owned()),
        1 => Just("\r\n\r\n".to_owned()),
        1 => prop::sample::select(vec![
            "_".repeat(80), ".".repeat(137), "=".repeat(60), "_".repeat(32), "-::~:~::~:~:~::~:~::-".to_owned(),
        ]),
        6 => prop::sample::select(vec![
            "https://zoom.us/j/123456789", "<https://teams.microsoft.com/l/meetup-join/19%3ameeting_a%40thread.v2/0>",
            "https://meet.google.com/abc-defg-hij", "https://teams.microsoft.com/meet/123456789?p=1",
            "https://meet.example.org/a/ABCD1234", "https://x.safelinks.protection.outlook.com/?url=%%%",
            "Meeting ID: 1", "Passcode:", "Join Zoom Meeting", "Join Skype Meeting", "[!OC([041d])!]", "会議 ID：", "é",
            "<a href=\"https://zoom.us/j/987654321\">", "</a>", "<div>", "</div>", "<p>", "<br>", "<table><tr><td>",
            "<b", "<!--", "-->", "&amp;", "&#x41;", "&nbsp;", "<tel:", ">", "\"", "'", "\u{A0}", "\u{E000}",
            "Microsoft Teams meeting", "+1 555 0100 123,,5#", "user@lync.webex.com", "class=\"mms-join\"",
        ]).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn ranges_lie_in_any_text(text in pieces()) {
        let recogniser = recogniser();
        check(recogniser, BodyFormat::Text, &text);
        check(recogniser, BodyFormat::Html, &text);
    }

    #[test]
    fn any_file_is_read_or_refused(name in "[a-z]{1,3}\\.(ics|eml|html|txt|json|xml)", bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = inspect(&name, &bytes, recogniser());
    }

    /// What is cut out of HTML is balanced: as many elements are opened as closed in it.
    #[test]
    fn blocks_in_well_formed_html_are_whole_elements(before in 0usize..3, wrap in 0usize..4, after in 0usize..3, inline in any::<bool>()) {
        let link = if inline {
            "<p>Join Zoom Meeting<br><a href=\"https://zoom.us/j/123456789\">https://zoom.us/j/123456789</a></p><p>Meeting ID: <b>123 456 789</b></p>".to_owned()
        } else {
            "<div><div><p>Join Zoom Meeting</p></div><div><a href=\"https://zoom.us/j/123456789\"><span>https://zoom.us/j/123456789</span></a></div></div><div>Passcode: <i>x1y2</i></div>".to_owned()
        };
        let text = "<p>What people wrote</p>";
        let html = format!("{}{}{link}{}{}", text.repeat(before), "<div>".repeat(wrap), "</div>".repeat(wrap), text.repeat(after));
        let findings = check(recogniser(), BodyFormat::Html, &html);
        prop_assert!(!findings.blocks.is_empty());
        let mut rest = html.clone();
        for block in findings.blocks.iter().rev() {
            let old = &html[block.range.clone()];
            for tag in ["div", "p", "a", "b", "i", "span"] {
                let open = old.matches(&format!("<{tag}>")).count() + old.matches(&format!("<{tag} ")).count();
                prop_assert_eq!(open, old.matches(&format!("</{tag}>")).count());
            }
            rest.replace_range(block.range.clone(), "");
        }
        prop_assert!(!rest.contains("zoom") && !rest.contains("123 456 789") && !rest.contains("x1y2"));
        prop_assert_eq!(rest.matches("What people wrote").count(), before + after);
    }
}

/// What property tests found once.
#[test]
fn anchors_around_nothing_are_no_blocks() {
    let anchor = "<a href=\"https://zoom.us/j/987654321\">";
    let text =
        format!("https://meet.google.com/abc-defg-hijJoin Skype Meeting{anchor}{anchor}</a></a>\n\u{ae6}");
    check(recogniser(), BodyFormat::Html, &text);
}

fn fixtures() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    ["corpus/dev", "recognise"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end != "tsv"))
        .collect()
}

/// A small generator with a fixed seed, so that a failure repeats.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % limit.max(1)
    }
}

#[test]
fn mutated_files_never_panic() {
    let recogniser = recogniser();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let files = fixtures();
    assert!(files.len() > 100);
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let original = std::fs::read(&path).unwrap();
        for _ in 0..6 {
            let mut bytes = original.clone();
            match random.below(4) {
                0 => bytes.truncate(random.below(original.len())),
                1 => {
                    let from = random.below(bytes.len());
                    let to = (from + random.below(400)).min(bytes.len());
                    bytes.drain(from..to);
                }
                2 => {
                    let from = random.below(bytes.len());
                    let piece: Vec<u8> = bytes.iter().skip(from).take(300).copied().collect();
                    let at = random.below(bytes.len());
                    bytes.splice(at..at, piece);
                }
                _ => {}
            }
            for _ in 0..random.below(30) {
                let at = random.below(bytes.len());
                let value = [0, b'<', b'>', b'"', b'%', b'\n', 0xFF, b'_'][random.below(8)];
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            let _ = inspect(&name, &bytes, recogniser);
        }
    }
}

/// Text on which a careless scanner goes quadratic; 8 MB of each would then take hours, not seconds.
#[test]
fn repetition_is_read_in_linear_time() {
    let recogniser = recogniser();
    let long = |piece: &str| piece.repeat(400_000 / piece.len());
    for piece in [
        "<",
        "<a ",
        "<a href=\"",
        "<div>",
        "</div>",
        "<b></i>",
        "<!--",
        "<!--[if ",
        "<!--[if mso]><a href=\"https://zoom.us/j/123456789\">",
        "<![if !mso]>https://zoom.us/j/123456789<![endif]>",
        "meet.google.com/abc-defg-hij ",
        "If you are a host\nhttps://a.webex.com/a/j.php?MTID=m1\n",
        "Passcode:\n",
        "<style>",
        "&",
        "<https://",
        "https://zoom.us/j/1)",
        "https://zoom.us/j/123456789\n",
        "https://zoom.us/j/123456789 ",
        "<p>https://zoom.us/j/123456789",
        "____\n",
        "))))",
        "Meeting ID: ",
        "Join Zoom Meeting\nhttps://zoom.us/j/123456789\n",
        "<br>",
        "<td>Join: https://zoom.us/j/123456789",
    ] {
        check(recogniser, BodyFormat::Text, &long(piece));
        check(recogniser, BodyFormat::Html, &long(piece));
    }
    let rules = format!("{}\nJoin Microsoft Teams Meeting\n", "_".repeat(80));
    check(recogniser, BodyFormat::Text, &long(&rules));
}

#[test]
fn refuses_what_is_no_text_or_too_large() {
    let recogniser = recogniser();
    assert!(inspect("a.ics", &[2; 4096], recogniser).unwrap_err().to_string().contains("a.ics"));
    assert!(inspect("a.json", b"{\"value\": [", recogniser).unwrap_err().to_string().contains("line 1"));
    assert!(inspect("a.json", b"{}", recogniser).is_err());
    let none = inspect("a.ics", b"", recogniser).unwrap();
    assert_eq!(none[0].platform, None);
    let json = serde_json::to_value(&none[0]).unwrap();
    let fields: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(fields.len(), 8, "{fields:?}");
}
