//! What people wrote around, beside and inside a block stays, and nothing of the block does.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use mms_invite::event::meetings;
use mms_invite::ical::{Document, Text, escape};
use mms_invite::recognise::{BodyFormat, CustomPlatform, Recogniser, RecogniserOptions};
use mms_invite::render::Templates;
use mms_invite::rewrite::Editor;
use mms_model::{Address, JoinInformation, Platform, Recognition, Replacement, Rewrite, User};
use proptest::prelude::*;

static EDITOR: LazyLock<Editor> = LazyLock::new(|| {
    let recogniser = Recogniser::new(&RecogniserOptions {
        jitsi_hosts: vec!["meet.example.org".to_owned(), "video.example.org".to_owned()],
        big_blue_button_hosts: vec!["lectures.example.edu".to_owned()],
        skype_hosts: vec!["lyncweb.example.net".to_owned()],
        custom: vec![CustomPlatform {
            platform: "Acme".parse().unwrap(),
            join_url: r"https://meet\.acme\.example/r/(?P<id>\d+)(?:\?pin=(?P<passcode>\w+))?".to_owned(),
        }],
    });
    Editor::new(Arc::new(recogniser.unwrap()), Arc::new(Templates::builtin()))
});

fn target() -> JoinInformation {
    JoinInformation::new(Platform::JITSI, "Jitsi Meet".to_owned(), "https://meet.example.org/R".to_owned())
}

fn event(description: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:u1\r\nDTSTAMP:20260101T000000Z\r\n\
         DTSTART:20261201T090000Z\r\nDTEND:20261201T100000Z\r\nORGANIZER:mailto:alice@example.test\r\n\
         DESCRIPTION:{}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        escape(description)
    )
}

/// The description after the meeting in it was replaced, and the new block in it; None where it holds no
/// meeting or the rewriting is refused.
fn rewritten(description: &str) -> Option<(String, String)> {
    let ics = event(description);
    let owner = User {
        skype: None,
        id: uuid::Uuid::nil(),
        upn: "alice@example.test".to_owned(),
        sip: None,
        logon: None,
        display_name: None,
        distinguished_name: None,
        addresses: vec![Address::new("alice@example.test")],
        calendar: None,
    };
    let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
    let meeting = meetings(ics.as_bytes(), &owner, now, EDITOR.recogniser()).unwrap().remove(0).unwrap();
    let instance = &meeting.instances[0];
    let Recognition::One(found) = &instance.recognition else { return None };
    let replacement = Replacement {
        instance: instance.id.clone(),
        key: found.key.clone(),
        target: target(),
        language: "en".to_owned(),
    };
    let rewrite = Rewrite {
        replacements: vec![replacement],
        stamp: now,
        raise_sequence: false,
        identities: Default::default(),
    };
    let once = EDITOR.rewrite(ics.as_bytes(), &rewrite).ok()?.content;
    let twice = EDITOR.rewrite(&once, &rewrite).unwrap();
    assert!(twice.changes.is_empty(), "a second run changes {}", String::from_utf8_lossy(&once));
    let document = Document::parse(&once);
    let component = document.named("VEVENT").next().unwrap();
    let line = document.property(component, "DESCRIPTION").unwrap();
    let text = Text::unescaped(&document.bytes[line.value.clone()]).decoded;
    let block = Templates::builtin().render(BodyFormat::guess(description), &target(), "en").unwrap();
    Some((text, block))
}

/// The description with the new block as `«»`.
fn marked(description: &str) -> String {
    let (text, block) = rewritten(description).unwrap_or_else(|| panic!("not rewritten: {description}"));
    assert_eq!(text.matches(&block).count(), 1, "{text}");
    text.replace(&block, "«»")
}

#[test]
fn words_beside_a_block_stay() {
    const URL: &str = "https://zoom.us/j/123456789?pwd=x";
    for (before, after) in [
        (
            "<p>Dear all, please use <a href=\"URL\">Join Zoom Meeting</a> and bring cake</p>",
            "<p>Dear all, please use </p>«»<p> and bring cake</p>",
        ),
        (
            "<p>Text before <a href=\"URL\">Join Zoom Meeting</a><br>Meeting ID: 123 456 789<br>Do not forget the cake</p>",
            "<p>Text before </p>«»<p>Do not forget the cake</p>",
        ),
        ("Join Zoom Meeting URL thanks, Alice", "«»\n thanks, Alice"),
        ("Join Zoom Meeting: URL (backup room: 4.12)", "«»\n (backup room: 4.12)"),
        (
            "<ul><li><b>Agenda</b></li><li>Room 5, <span style=\"x\">or <a href=\"URL\">Join Zoom Meeting</a>, as ever</span></li></ul>",
            "<ul><li><b>Agenda</b></li><li>Room 5, <span style=\"x\">or </span>«»<span style=\"x\">, as ever</span></li></ul>",
        ),
        (
            "<table><tr><td>Ask Bob</td><td><a href=\"URL\">Join Zoom Meeting</a></td></tr><tr><td>Meeting ID: 123 456 789</td><td>Cake</td></tr></table>",
            "<table><tr><td>Ask Bob</td><td>«»</td></tr><tr><td></td><td>Cake</td></tr></table>",
        ),
        (
            "<p class=\"a\"><font color=\"b\">Hi, <i>join: <a href=\"URL\"><b>URL</b></a></i><br><br>Bye &uuml;<br></font></p>",
            "<p class=\"a\"><font color=\"b\">Hi, </font></p>«»<p class=\"a\"><font color=\"b\"><br>Bye &uuml;<br></font></p>",
        ),
        (
            "Dear all,<br>Join Zoom Meeting<br><a href=\"URL\">URL</a> (room B)<br>Meeting ID: 123 456 789<br>Bye",
            "Dear all,<br>«» (room B)<br><br>Bye",
        ),
        (
            "<p>Hi</p><p>Join Zoom Meeting</p><p><a href=\"URL\">URL</a> - <b>moved to Room 5</b> if it rains</p><p>Meeting ID: 123 456 789</p>",
            "<p>Hi</p>«»<p> - <b>moved to Room 5</b> if it rains</p>",
        ),
        (
            "Ann is inviting you to a scheduled Zoom meeting. Please bring cake!\n\nTopic: Weekly\nTime: Dec 1, 2026 09:00 AM Paris\n        Every week on Tue, until Dec 29, 2026, 5 occurrence(s)\n        Dec 1, 2026 09:00 AM\nAgenda: read the paper\n\nJoin Zoom Meeting\nURL",
            "«»\n Please bring cake!\n\n\nAgenda: read the paper\n\n",
        ),
        (
            "<p>Our new room: URL<br>Meeting ID: 123 456 789</p><p>Bye</p>",
            "<p>Our new room: </p>«»<p>Bye</p>",
        ),
    ] {
        assert_eq!(marked(&before.replace("URL", URL)), after, "{before}");
    }
}

const ZOOM_SECTIONS: &str = "Anna Example is inviting you to a scheduled Zoom meeting.\n\nTopic: Weekly\nTime: Dec 1, 2026 09:00 AM Paris\n\n\
    Join Zoom Meeting\nhttps://us02web.zoom.us/j/87324397243?pwd=abc\n\nMeeting ID: 873 2439 7243\nPasscode: 305275\n\n---\n\n\
    One tap mobile\n+13052241968,,87324397243#,,,,*305275# US\n+13092053325,,87324397243#,,,,*305275# US\n\n---\n\n\
    Dial by your location\n• +1 305 224 1968 US\n• +1 309 205 3325 US\n• +1 646 558 8656 US (New York)\n\nMeeting ID: 873 2439 7243\n\
    Passcode: 305275\n\nFind your local number: https://us02web.zoom.us/u/kcZ1\n\n---\n\nJoin by SIP\n• 87324397243@zoomcrc.com\n\n---\n\n\
    Join by H.323\n• 162.255.37.11 (US West)\n• 162.255.36.11 (US East)\n\nMeeting ID: 873 2439 7243\nPasscode: 305275\n";

#[test]
fn all_sections_of_zoom_belong_to_its_block() {
    assert_eq!(marked(&format!("Agenda\n\n{ZOOM_SECTIONS}\nBring cake")), "Agenda\n\n«»\n\nBring cake");
    for dashes in ["----------------", "- - - - - - - - - -", "—", "________________________________"] {
        let text = ZOOM_SECTIONS.replace("---", dashes);
        assert_eq!(
            marked(&format!("Agenda\n\n{text}\nBring cake")),
            "Agenda\n\n«»\n\nBring cake",
            "{dashes}"
        );
    }
    let paragraphs: String = ZOOM_SECTIONS.lines().map(|line| format!("<p>{line}</p>")).collect();
    assert_eq!(
        marked(&format!("<p>Agenda</p>{paragraphs}<p>Bring cake</p>")),
        "<p>Agenda</p>«»<p>Bring cake</p>"
    );
    let rules = paragraphs.replace("<p>---</p>", "<hr>");
    assert_eq!(marked(&format!("<p>Agenda</p>{rules}<p>Bring cake</p>")), "<p>Agenda</p>«»<p>Bring cake</p>");
    let broken = ZOOM_SECTIONS.replace('\n', "<br>\n");
    assert_eq!(
        marked(&format!("<p>Agenda</p><div>{broken}Bring cake</div>")),
        "<p>Agenda</p><div>«»<br>\nBring cake</div>"
    );
}

#[test]
fn words_inside_a_block_stay_between_its_parts() {
    for (before, after) in [
        (
            "Join Zoom Meeting\nhttps://zoom.us/j/123456789\nUse the chat for questions!\nMeeting ID: 123 456 789\nPasscode: 4711",
            "«»\nUse the chat for questions!\n",
        ),
        (
            "Join Zoom Meeting\nhttps://zoom.us/j/123456789\n\nMeeting ID: 123 456 789 (Bob opens it)\nPasscode: 4711 please do not share\nHelp Alice with the projector",
            "«»\n (Bob opens it)\n please do not share\nHelp Alice with the projector",
        ),
        (
            "Join Zoom Meeting\nhttps://zoom.us/j/123456789\nMeeting ID: 123 456 789\nAlice: +49 170 1234567\nTime: we start in the canteen",
            "«»\nAlice: +49 170 1234567\nTime: we start in the canteen",
        ),
        (
            "Join Zoom Meeting\nhttps://zoom.us/j/123456789\nMeeting ID: 123 456 789\nLink: https://wiki.example.org/agenda\nMore info: https://wiki.example.org/more\nPassword: for the wiki ask Ann",
            "«»\nLink: https://wiki.example.org/agenda\nMore info: https://wiki.example.org/more\nPassword: for the wiki ask Ann",
        ),
        (
            "<div>Join Zoom Meeting<br>https://zoom.us/j/123456789<br>Bring <b>cake</b><br>Passcode: 4711</div>",
            "<div>«»<br>Bring <b>cake</b><br></div>",
        ),
    ] {
        assert_eq!(marked(before), after, "{before}");
    }
}

/// An invite that the tests put words into.
struct Fixture {
    name: String,
    text: String,
    join_url: String,
}

impl Fixture {
    /// Whether its language is known: in a frame in another, words beside the link cannot be told from labels.
    fn is_known(&self) -> bool {
        !self.name.contains("unknown-labels")
    }
}

/// Every fixture that is a text or an HTML page with a join link written out in it.
static FIXTURES: LazyLock<Vec<Fixture>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let mut fixtures = Vec::new();
    for folder in ["corpus/dev", "recognise"] {
        let index = std::fs::read_to_string(root.join(folder).join("index.tsv")).unwrap();
        for row in index.lines().skip(1) {
            let field: Vec<&str> = row.split('\t').collect();
            let [name, platform, _, _, join_url, ..] = field[..] else { continue };
            if platform == "none" || !(name.ends_with(".txt") || name.ends_with(".html")) {
                continue;
            }
            let Ok(text) = std::fs::read_to_string(root.join(folder).join(name)) else { continue };
            // MMS replaces its own frames whole, and where the link is wrapped there is no place beside it.
            let text = text.replace("\r\n", "\n");
            if !name.starts_with("mms-") && !join_url.is_empty() && text.contains(join_url) {
                fixtures.push(Fixture { name: name.to_owned(), text, join_url: join_url.to_owned() });
            }
        }
    }
    assert!(fixtures.len() >= 40, "{}", fixtures.len());
    fixtures
});

/// What people write, without what would be a label, a number or markup.
fn words(most: usize) -> impl Strategy<Value = Vec<String>> {
    let word = prop_oneof![
        4 => "[a-z]{2,7}q",
        1 => "[A-Z][a-zäöüßéñ]{1,6}q",
        1 => "[а-я]{2,6}ъ",
        1 => "[ぁ-ゖ]{1,4}",
        1 => prop::sample::select(vec!["😀", "e\u{301}q", "(q)", "„ok“", "q/q", "—q—"]).prop_map(str::to_owned),
    ];
    prop::collection::vec(word, 1..=most)
}

fn is_html(text: &str) -> bool {
    BodyFormat::guess(text) == BodyFormat::Html
}

/// Words as HTML may spell them.
fn spelled(words: &[String], html: bool) -> Vec<String> {
    let entity =
        |word: &String| word.replace('ä', "&auml;").replace('ß', "&#223;").replace('😀', "&#x1F600;");
    words.iter().map(|word| if html { entity(word) } else { word.clone() }).collect()
}

/// The bytes of the first join link with its markup.
fn link_range(fixture: &Fixture, html: bool) -> std::ops::Range<usize> {
    let text = &fixture.text;
    let at = text.find(&fixture.join_url).unwrap();
    let behind = at + fixture.join_url.len();
    if html
        && let Some(start) = text[..at].rfind("<a ").filter(|start| !text[*start..at].contains("</a>"))
        && let Some(end) = text[behind..].find("</a>")
    {
        return start..behind + end + 4;
    }
    let bracketed = text[..at].ends_with('<') && text[behind..].starts_with('>');
    // The text of a bracketed link stands before it.
    let line = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    if bracketed { line..behind + 1 } else { at..behind }
}

/// The fixture with words before it, before and behind its link on the same line, and behind it.
fn with_words(fixture: &Fixture, words: &[Vec<String>; 4]) -> String {
    let html = is_html(&fixture.text);
    let [above, before, behind, below] = words.each_ref().map(|words| words.join(" "));
    let link = link_range(fixture, html);
    let (head, link, tail) =
        (&fixture.text[..link.start], &fixture.text[link.clone()], &fixture.text[link.end..]);
    let before = if before.is_empty() { before } else { format!("{before} ") };
    let behind = if behind.is_empty() { behind } else { format!(" {behind}") };
    let body = format!("{head}{before}{link}{behind}{tail}");
    if html { format!("<p>{above}</p>{body}<p>{below}</p>") } else { format!("{above}\n\n{body}\n\n{below}") }
}

/// How many more elements are opened than closed.
fn balance(html: &str, tag: &str) -> isize {
    let opened =
        [" ", ">", "\n"].iter().map(|end| html.matches(&format!("<{tag}{end}")).count()).sum::<usize>();
    opened as isize - html.matches(&format!("</{tag}>")).count() as isize
}

fn check_words(fixture: &Fixture, words: &[Vec<String>; 4]) -> Result<bool, TestCaseError> {
    let html = is_html(&fixture.text);
    let words = words.each_ref().map(|words| spelled(words, html));
    let before = with_words(fixture, &words);
    let Some((text, block)) = rewritten(&before) else { return Ok(false) };
    let name = &fixture.name;
    prop_assert_eq!(text.matches(&block).count(), 1, "{}: {}", name, text);
    let rest = text.replace(&block, "");
    let mut at = 0;
    for word in words.iter().flatten() {
        let next = rest[at..].find(word.as_str());
        prop_assert!(next.is_some(), "{}: {} is lost in\n{}\nof\n{}", name, word, rest, before);
        at += next.unwrap_or(0) + word.len();
    }
    // What was broken before is not mended.
    let tags = ["p", "div", "span", "a", "b", "i", "u", "strong", "font", "table", "tr", "td", "ul", "li"];
    let whole = tags.iter().all(|tag| balance(&before, tag) == 0);
    for tag in tags.into_iter().filter(|_| whole) {
        let (was, is) = (balance(&before, tag), balance(&rest, tag));
        prop_assert_eq!(was, is, "{}: <{}> in\n{}\nof\n{}", name, tag, rest, before);
    }
    let gone = !rest.contains(&fixture.join_url);
    prop_assert!(gone, "{}: {} is still in\n{}", name, fixture.join_url, rest);
    Ok(true)
}

#[test]
fn words_around_every_fixture_stay() {
    let say = |words: &str| words.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let around = [say("Dear all,"), say(""), say(""), say("Yours, Ann")];
    let beside = [say("Dear all,"), say("Please use"), say("and bring cake"), say("Yours, Ann")];
    let mut refused = Vec::new();
    for fixture in FIXTURES.iter() {
        for words in [&around, &beside].into_iter().take(1 + usize::from(fixture.is_known())) {
            if !check_words(fixture, words).unwrap() {
                refused.push(fixture.name.as_str());
            }
        }
    }
    // A link without any label is a meeting only where nothing else is said.
    refused.dedup();
    assert_eq!(refused, ["064-pexip-teams-cvi-url.txt", "jitsi-configured.txt"]);
}

proptest! {
    #[test]
    fn no_word_is_lost(
        fixture in 0usize..1000,
        above in words(20),
        before in words(3),
        behind in words(3),
        below in words(20),
        beside in any::<bool>(),
    ) {
        let fixture = &FIXTURES[fixture % FIXTURES.len()];
        let (before, behind) = if beside && fixture.is_known() { (before, behind) } else { Default::default() };
        check_words(fixture, &[above, before, behind, below])?;
    }
}

/// Blocks of services in many languages, as they are written by hand of the services' templates.
#[test]
fn localised_blocks_go_whole() {
    for block in [
        "Anna lädt Sie zu einem geplanten Zoom-Meeting ein.\n\nThema: Wochenrunde\nUhrzeit: 1.Dez. 2026 09:00 AM Paris\n\nZoom Meeting beitreten\nhttps://us02web.zoom.us/j/87324397243?pwd=abc\n\nMeeting-ID: 873 2439 7243\nKenncode: 305275\n\n---\n\nSchnelleinwahl mobil\n+496938079883,,87324397243#,,,,*305275# Deutschland\n\n---\n\nEinwahl nach aktuellem Standort\n• +49 69 3807 9883 Deutschland\n\nMeeting-ID: 873 2439 7243\nKenncode: 305275\n\nOrtseinwahl suchen: https://us02web.zoom.us/u/kcZ1\n\n---\n\nÜber SIP beitreten\n• 87324397243@zoomcrc.com\n\n---\n\nÜber H.323 beitreten\n• 162.255.37.11 (USA West)\n\nMeeting-ID: 873 2439 7243\nKenncode: 305275",
        "Anna vous invite à une réunion Zoom planifiée.\n\nSujet : Hebdo\nHeure : 1 déc. 2026 09:00 AM Paris\n\nParticiper à la réunion Zoom\nhttps://us02web.zoom.us/j/87324397243?pwd=abc\n\nID de réunion : 873 2439 7243\nCode secret : 305275\n\n---\n\nUne seule touche sur l’appareil mobile\n+33170372246,,87324397243#,,,,*305275# France\n\n---\n\nComposez un numéro en fonction de votre emplacement\n• +33 1 7037 2246 France\n\nTrouvez votre numéro local : https://us02web.zoom.us/u/kcZ1",
        "Microsoft Teams-Besprechung\nNehmen Sie auf dem Computer oder in der mobilen App teil\nKlicken Sie hier, um an der Besprechung teilzunehmen<https://teams.microsoft.com/l/meetup-join/19%3ameeting_abc%40thread.v2/0?context=%7b%7d>\nBesprechungs-ID: 312 345 678 901\nPasscode: aBcDeF\nTeams herunterladen<https://www.microsoft.com/en-us/microsoft-teams/download-app> | Im Web beitreten<https://www.microsoft.com/microsoft-teams/join-a-meeting>\nOder anrufen (nur Audio)\n+49 69 12345678,,123456789#<tel:+496912345678,,123456789#> Germany, Frankfurt am Main\nTelefonkonferenz-ID: 123 456 789#\nLokale Nummer suchen<https://dialin.teams.microsoft.com/x?id=1> | PIN zurücksetzen<https://dialin.teams.microsoft.com/usp/pstnconferencing>\nWeitere Infos<https://aka.ms/JoinTeamsMeeting> | Besprechungsoptionen<https://teams.microsoft.com/meetingOptions/?x=1>",
        "Microsoft Teams Besoin d'aide ?<https://aka.ms/JoinTeamsMeeting?omkt=fr-FR>\nRejoindre la réunion maintenant<https://teams.microsoft.com/meet/312345678901?p=abc>\nID de réunion : 312 345 678 901\nCode secret : aB1cDe\n________________________________\nComposer un numéro par téléphone\n+33 1 70 99 12 34,,123456789#<tel:+33170991234,,123456789#> France, Paris\nRechercher un numéro local<https://dialin.teams.microsoft.com/x?id=1>\nID de conférence téléphonique : 123 456 789#\nPour les organisateurs : Options de la réunion<https://teams.microsoft.com/meetingOptions/?x=1> | Réinitialiser le code confidentiel<https://dialin.teams.microsoft.com/usp/pstnconferencing>",
        "Informationen zur Teilnahme an Google Meet\nLink zum Videoanruf: https://meet.google.com/abc-defg-hij\nOder wählen Sie: (DE) +49 30 300 195 061 PIN: 123 456 789#\nWeitere Telefonnummern: https://tel.meet/abc-defg-hij?pin=1234567890123",
        "Wenn es soweit ist, treten Sie dem Webex-Meeting hier bei.\n\nMeeting beitreten\nhttps://acme.webex.com/acme/j.php?MTID=m0123456789abcdef\n\nMeeting-Kennnummer (Zugriffscode): 2345 678 9012\nMeeting-Passwort: aBc123\n\nÜber Telefon beitreten\n+49-619-6781-9736 Germany Toll\nGlobale Einwahlnummern\nhttps://acme.webex.com/acme/globalcallin.php?MTID=m0123456789abcdef",
        "Bitte nehmen Sie von Ihrem Computer, Tablet oder Smartphone an meinem Meeting teil.\nhttps://meet.goto.com/123456789\n\nSie können sich auch über ein Telefon einwählen.\nDeutschland: +49 721 9881 4161\n\nZugangscode: 123-456-789",
        "Nehmen Sie an meinem Meeting per Computer, Tablet oder Smartphone teil.\nhttps://global.gotomeeting.com/join/123456789\n\nSie können sich auch über ein Telefon einwählen.\nDeutschland: +49 721 9881 4161\n\nZugangscode: 123-456-789",
    ] {
        assert_eq!(
            marked(&format!("Guten Tag!\n\n{block}\n\nGruß, Ann")),
            "Guten Tag!\n\n«»\n\nGruß, Ann",
            "{block}"
        );
    }
}
