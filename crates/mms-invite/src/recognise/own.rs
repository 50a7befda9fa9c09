//! Which words in the lines of a block the service wrote, and which are people's own.
//!
//! A service's words are those that its labels, the values behind them, its links, telephone numbers among
//! its numbers, and its rules explain. All others were typed by someone, and stay where a block is replaced.
//! What cannot be told is kept: a sentence too many can be deleted, a lost one is lost.

use std::ops::Range;

use super::block::{is_decoration, is_room_system, is_service_date, names_platform};
use super::field;
use super::label::{Hit, Label};
use super::line::{LINK, Line, LineLink};
use super::url::Link;
use super::webex;

/// What the lines around say about a line.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Context {
    /// Telephone numbers of the service are being listed.
    pub dial_in: bool,
    /// Topic and time of the service stand here.
    pub headings: bool,
    /// The line before speaks of video systems.
    pub video: bool,
    /// The line before ended in this label, whose value is still to come.
    pub awaits: Option<Label>,
}

impl Context {
    /// The context of the line behind `line`, of which `kept` is people's own.
    pub(super) fn behind(self, line: &Line, kept: &[Range<usize>]) -> Self {
        if line.blank {
            return Self { awaits: None, ..self };
        }
        let all = kept.first().is_some_and(|range| range.len() == line.text.trim().len());
        let speaks = line.has(Label::DialIn) || line.has(Label::ConferenceId) || line.telephone;
        Self {
            dial_in: !all && (self.dial_in || speaks || line.text.contains(",,")),
            awaits: awaits(line),
            video: speaks_of_video(line),
            ..self
        }
    }
}

fn speaks_of_video(line: &Line) -> bool {
    const WORDS: &[&str] = &["vide", "wideo", "vtc", "ビデオ", "视频"];
    line.leading().filter(|hit| matches!(hit.label, Label::Extra | Label::VideoId)).is_some_and(|hit| {
        let label = line.text.get(hit.start..hit.end).unwrap_or_default().to_lowercase();
        WORDS.iter().any(|word| label.contains(word))
    })
}

/// The label that the line ends in, where its value is still to come.
pub(super) fn awaits(line: &Line) -> Option<Label> {
    let last = line.labels.last()?;
    // "… and enter your meeting ID & passcode" is a sentence, behind which nothing is to come.
    let open = takes_value(last.label)
        && !has_words(line.text.get(last.end..).unwrap_or_default())
        && line.residue() <= 2;
    open.then_some(last.label)
}

/// The words in a line that its block does not own: ranges of the line's text, in order. A line of which
/// nothing is the block's is one range.
pub(super) fn kept(line: &Line, context: Context) -> Vec<Range<usize>> {
    if line.blank || line.rule.is_some() || line.marker.is_some() || is_decoration(line) {
        return Vec::new();
    }
    let text = line.text.as_str();
    if is_room_system(text)
        || webex::is_room_address(text)
        || is_address(text) && (context.video || is_of_gateway(text))
        || is_service_date(text)
        || field::is_number_line(line, context.dial_in)
        || context.headings
            && (is_occurrence(text) || line.leading().is_some_and(|hit| hit.label == Label::Heading))
    {
        return Vec::new();
    }
    complement(line, &owned(line, context))
}

/// A run of a line's text that is the block's.
type Owned = Range<usize>;

/// The runs of a line's text that are the block's, in order.
fn owned(line: &Line, context: Context) -> Vec<Owned> {
    let mut owned: Vec<Owned> = Vec::new();
    if let Some(label) = context.awaits
        && let Some(length) = value(line.text.get(..first_label(line)).unwrap_or_default(), label, true)
    {
        owned.push(0..length);
    }
    let mut links = line.links.iter().peekable();
    let mut labels = line.labels.iter().peekable();
    loop {
        let link = links.peek().map_or(usize::MAX, |link| link.at);
        let label = labels.peek().map_or(usize::MAX, |hit| hit.start);
        if link == usize::MAX && label == usize::MAX {
            return owned;
        }
        let found = if link <= label {
            links.next().and_then(|link| of_link(line, link, &owned))
        } else {
            let next = labels.next();
            let until = labels.peek().map_or(line.text.len(), |hit| hit.start);
            next.and_then(|hit| of_label(line, hit, until, &owned))
        };
        owned.extend(found);
    }
}

/// Zoom's list of occurrences: "Every week on Tue, 5 occurrence(s)", "Dec 1, 2026 09:00 AM".
fn is_occurrence(text: &str) -> bool {
    let text = text.trim();
    let date = || {
        let shape: String = text
            .chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c })
            .skip_while(|c| c.is_alphabetic())
            .collect();
        matches!(
            shape.as_str(),
            " 0, 0000 00:00 AM" | " 0, 0000 00:00 PM" | " 00, 0000 00:00 AM" | " 00, 0000 00:00 PM"
        )
    };
    text.starts_with("Every ") && text.ends_with(" occurrence(s)") || text.len() <= 24 && date()
}

/// "user@video.example.org" and nothing else.
fn is_address(text: &str) -> bool {
    let text = text.trim();
    !text.contains(' ')
        && text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
}

/// The address of a gateway between room systems and meetings.
fn is_of_gateway(address: &str) -> bool {
    const HOSTS: &[&str] =
        &["m.webex.com", "bjn.vc", "plcm.vc", "zoomcrc.com", "zmeu.us", "onpexip.com", "lifesizecloud.com"];
    address.trim().rsplit_once('@').is_some_and(|(_, host)| {
        let host = host.to_ascii_lowercase();
        HOSTS.iter().any(|known| {
            host.strip_suffix(known).is_some_and(|below| below.is_empty() || below.ends_with('.'))
        })
    })
}

fn first_label(line: &Line) -> usize {
    line.labels.first().map_or(line.text.len(), |hit| hit.start)
}

fn end_of(owned: &[Owned]) -> usize {
    owned.last().map_or(0, |owned| owned.end)
}

/// Whether a link is the service's. Others are people's own, whatever label stands before them ("More info:"
/// and a page of a wiki).
fn is_known(link: &LineLink) -> bool {
    matches!(link.link, Some(Link::Join(_) | Link::Part(_) | Link::Gateway(_)))
}

/// A link of the service, with the service's name before it.
fn of_link(line: &Line, link: &LineLink, owned: &[Owned]) -> Option<Owned> {
    if !is_known(link) {
        return None;
    }
    let end = end_of(owned);
    let lead = line.text.get(end.min(link.at)..link.at).unwrap_or_default();
    // Outlook writes the text of a link right before it: "Meeting options<https://…>".
    let titled = !matches!(link.link, Some(Link::Join(_)))
        && !lead.ends_with(' ')
        && lead.chars().filter(|c| c.is_alphanumeric()).count() <= 30;
    let start = if owned.is_empty() && (names_platform(lead) || is_symbol(lead)) {
        0
    } else if titled {
        end
    } else {
        link.at.max(end)
    };
    Some(start..link.end.max(start))
}

/// A label and its value; none where the words of the label are part of somebody's sentence.
fn of_label(line: &Line, hit: &Hit, until: usize, owned: &[Owned]) -> Option<Owned> {
    let text = line.text.as_str();
    let end = end_of(owned);
    // A label inside a link's text went with the link.
    if hit.start < end {
        return None;
    }
    if hit.label == Label::Opening {
        return Some(sentence_start(text, end, hit.start)..sentence_end(text, hit.end));
    }
    let lead = text.get(end..hit.start)?;
    let rest = text.get(hit.end..until)?;
    let address = hit.label == Label::VideoId && is_address(lead);
    let begins = if owned.is_empty() {
        is_bullet(lead) || address
    } else {
        !has_words(lead) || is_connective(lead) || address
    };
    let value = value(rest, hit.label, false);
    let linked = line.links.iter().any(|link| {
        is_known(link) && link.at >= hit.end && !has_words(text.get(hit.end..link.at).unwrap_or_default())
    });
    let whole = value.is_some() || !has_words(rest) || linked || rest.trim_start().starts_with(['|', '<']);
    let numbered =
        matches!(hit.label, Label::MeetingId | Label::ConferenceId | Label::VideoId) && value.is_some();
    // "Hi Bob, click here to join the meeting: https://…"
    let leads_on = hit.label == Label::Join && linked;
    // Letters before a label may be people's own; a number that counts lines is nothing without its line.
    let counts = lead.trim().trim_end_matches(['.', ')']).bytes().all(|b| b.is_ascii_digit());
    let numbered_by_hand = owned.is_empty() && !is_symbol(lead) && !address && !counts;
    let start = if begins && !numbered_by_hand { end } else { hit.start };
    (whole && (begins || numbered || leads_on)).then(|| start..hit.end + value.unwrap_or(0))
}

/// Whether an id, a number or a password stands behind such labels.
pub(super) fn takes_value(label: Label) -> bool {
    matches!(label, Label::MeetingId | Label::ConferenceId | Label::VideoId | Label::Pin | Label::Passcode)
}

/// The length of what belongs to a label at the start of `rest`: brackets and the value. `alone` says that
/// nothing but the value is expected.
fn value(rest: &str, label: Label, alone: bool) -> Option<usize> {
    const MARKS: [char; 9] = [' ', ':', '：', '*', '=', '-', '|', '#', ')'];
    let skip = |at: usize| {
        let tail = rest.get(at..).unwrap_or_default();
        at + tail.len() - tail.trim_start_matches(MARKS).len()
    };
    let mut at = skip(0);
    // "Meeting number (access code): 1", "Join by phone (audio only)"
    let bracket = rest.get(at..)?.strip_prefix('(').and_then(|inside| inside.split_once(')'));
    if let Some((inside, _)) = bracket.filter(|(inside, _)| inside.len() <= 80 && !is_number(inside)) {
        at = skip(at + inside.len() + 2);
        if !takes_value(label) && !has_words(rest.get(at..)?) {
            return Some(at);
        }
    }
    let tail = rest.get(at..)?;
    if alone && !is_lone_value(tail, label) {
        return None;
    }
    let length = match label {
        Label::MeetingId | Label::ConferenceId | Label::VideoId | Label::Pin => identifier(tail),
        Label::Passcode => {
            let word = tail.split([' ', LINK, '|']).next().unwrap_or_default();
            let marked =
                alone || rest.get(..at).is_some_and(|lead| lead.contains([':', '：', '=', '*', '-', ')']));
            let behind = tail.get(word.len()..).unwrap_or_default().trim_start();
            let ends = behind.is_empty() || behind.starts_with(['|', '(', LINK]);
            let digits = word.contains(|c: char| c.is_ascii_digit());
            let fits = has_words(word) && word.len() <= 64;
            (fits && (digits || marked && ends)).then_some(word.len())
        }
        Label::DialIn => numbers(tail),
        Label::Extra => tail.split([' ', LINK]).next().filter(|word| is_address(word)).map(str::len),
        _ => None,
    }?;
    Some(at + length)
}

/// Whether a line below a label can be its value: nothing but digits and a code, and no word that people write.
pub(super) fn is_lone_value(text: &str, label: Label) -> bool {
    let text = text.trim();
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let only_digits = digits >= 3 && text.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '-' | '#'));
    let word = !text.contains(' ');
    match label {
        Label::Passcode => {
            let mixed = text.chars().skip(1).any(char::is_uppercase) && text.contains(char::is_lowercase);
            only_digits || word && (digits > 0 || mixed)
        }
        Label::Pin => only_digits,
        _ => only_digits || word && (digits >= 4 || text.matches('-').count() >= 2),
    }
}

/// Groups of digits, or a word with a digit or a hyphen in it (`abc-defg-hij`), and `#`.
fn identifier(text: &str) -> Option<usize> {
    let run = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, ' ' | '-' | 'X' | '\u{2011}')))
        .unwrap_or(text.len());
    let digits = text.get(..run)?.trim_end_matches([' ', '-']);
    let glued = text.get(digits.len()..)?.starts_with(|c: char| c.is_alphanumeric() || c == '@');
    if digits.bytes().filter(|b| b.is_ascii_digit() || *b == b'X').count() >= 3 && !glued {
        return Some(digits.len() + usize::from(text.get(digits.len()..)?.starts_with('#')));
    }
    let word = text.split([' ', LINK, '|', ',', ';', ')']).next()?;
    let coded = word.contains(|c: char| c.is_ascii_digit()) || word.matches('-').count() >= 2;
    (coded && word.len() <= 80).then_some(word.len())
}

/// Telephone numbers and the brackets between them.
fn numbers(text: &str) -> Option<usize> {
    let mut end = None;
    let mut at = 0;
    while let Some(tail) = text.get(at..).filter(|tail| !tail.is_empty()) {
        let spaces = tail.len() - tail.trim_start_matches([' ', ',', ';', '/', '|', ':']).len();
        let tail = tail.get(spaces..)?;
        let run = tail
            .find(|c: char| {
                !(c.is_ascii_digit()
                    || matches!(c, '+' | '-' | '.' | ' ' | '#' | '*' | ',' | '/' | '(' | ')'))
            })
            .unwrap_or(tail.len());
        let number = tail.get(..run)?.trim_end_matches([' ', '(', ',', '.', '-']);
        if is_number(number) && number.bytes().filter(u8::is_ascii_digit).count() >= 3 {
            at += spaces + number.len();
            end = Some(at);
            continue;
        }
        let close = tail.strip_prefix('(').and_then(|inside| inside.find(')')).filter(|close| *close <= 40);
        match close {
            Some(close) => at += spaces + close + 2,
            None => break,
        }
        if end.is_some() {
            end = Some(at);
        }
    }
    end
}

fn is_number(text: &str) -> bool {
    text.contains(|c: char| c.is_ascii_digit()) && !text.contains(char::is_alphabetic)
}

/// Whether a character says something: letters, digits, links and emoji, but no punctuation.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == LINK || matches!(c, '\u{2600}'..='\u{26FF}' | '\u{1F000}'..='\u{1FAFF}')
}

fn has_words(text: &str) -> bool {
    text.contains(is_word)
}

/// What may stand before a label that begins a line: nothing, or a number or letter that counts lines.
fn is_bullet(lead: &str) -> bool {
    let words = lead.chars().filter(|c| is_word(*c)).count();
    is_symbol(lead) || words <= 2 && lead.trim_end().ends_with(['.', ')', ':', '-'])
}

/// No words, or one letter as which Outlook writes the arrows and bullets of its symbol fonts.
fn is_symbol(lead: &str) -> bool {
    let words = lead.chars().filter(|c| is_word(*c)).count();
    let letter = lead.chars().find(|c| is_word(*c));
    words == 0 || words == 1 && letter.is_some_and(|c| matches!(c, 'o' | '\u{A0}'..='\u{FF}'))
}

/// Words between two labels that say nothing: "or", "and" in the languages that services write so.
fn is_connective(lead: &str) -> bool {
    let word = lead.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    matches!(
        word.as_str(),
        "or" | "and"
            | "oder"
            | "und"
            | "ou"
            | "et"
            | "o"
            | "y"
            | "e"
            | "of"
            | "en"
            | "eller"
            | "och"
            | "tai"
            | "lub"
    )
}

/// Where the sentence that ends at `end` begins, behind `from`.
fn sentence_start(text: &str, from: usize, end: usize) -> usize {
    let Some(lead) = text.get(from..end) else { return from };
    let marks = lead.char_indices().zip(lead.chars().skip(1).chain([' ']));
    marks
        .filter(|((_, c), next)| {
            matches!(c, '!' | '?' | ':' | '。' | '！' | ';') || *c == '.' && *next == ' '
        })
        .map(|((at, c), _)| from + at + c.len_utf8())
        .last()
        .unwrap_or(from)
}

/// Behind the mark that ends the sentence at `from`; `from` where words follow without one.
fn sentence_end(text: &str, from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    match rest.chars().next() {
        Some(c @ ('.' | ':' | '。' | '：' | '!')) => from + c.len_utf8(),
        _ => from,
    }
}

/// The parts of a line with words in them that `owned` leaves over, without the space around them.
fn complement(line: &Line, owned: &[Owned]) -> Vec<Range<usize>> {
    let mut kept = Vec::new();
    let mut at = 0;
    let end = line.text.len();
    for range in owned.iter().chain([&(end..end)]) {
        let between = line.text.get(at..range.start).unwrap_or_default();
        if has_words(between) {
            let lead = between.len() - between.trim_start().len();
            kept.push(at + lead..at + between.trim_end().len());
        }
        at = at.max(range.end);
    }
    kept
}
