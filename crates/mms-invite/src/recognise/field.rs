//! What the lines of a block say: meeting id, passcode, telephone.

use super::label::Label;
use super::line::{LINK, Line};
use super::own;

/// What was read from a block's lines.
#[derive(Debug, Default, Clone)]
pub(super) struct Fields {
    pub meeting_id: Option<String>,
    pub conference_id: Option<String>,
    pub video_id: Option<String>,
    pub passcode: Option<String>,
    pub pin: Option<String>,
    pub has_dial_in: bool,
}

impl Fields {
    /// Reads the lines; of several values the first counts.
    pub(super) fn read(lines: &[Line]) -> Self {
        let mut fields = Self::default();
        for (index, line) in lines.iter().enumerate() {
            fields.has_dial_in |= line.telephone || has_telephone_number(line);
            for (place, hit) in line.labels.iter().enumerate() {
                let slot = match hit.label {
                    Label::MeetingId => &mut fields.meeting_id,
                    Label::ConferenceId => &mut fields.conference_id,
                    Label::VideoId => &mut fields.video_id,
                    Label::Passcode => &mut fields.passcode,
                    Label::Pin => &mut fields.pin,
                    _ => continue,
                };
                if slot.is_some() {
                    continue;
                }
                let end = line.labels.get(place + 1).map_or(line.text.len(), |next| next.start);
                let rest = line.text.get(hit.end..end).unwrap_or_default();
                let next = || lines.get(index + 1).filter(|l| !l.blank && l.labels.is_empty());
                let wants_digits = !matches!(hit.label, Label::Passcode);
                *slot = value(rest, wants_digits).or_else(|| {
                    let ends_line = rest.chars().all(|c| !c.is_alphanumeric());
                    next()
                        .filter(|l| {
                            ends_line
                                && end == line.text.len()
                                && line.residue() <= 2
                                && own::is_lone_value(&l.text, hit.label)
                        })
                        .and_then(|l| value(&l.text, wants_digits))
                });
            }
        }
        fields
    }
}

/// The value behind a label: an id with its groups of digits, or one word.
fn value(text: &str, id: bool) -> Option<String> {
    let text = text.trim_start_matches(|c: char| {
        c.is_whitespace() || matches!(c, ':' | '：' | '*' | '=' | '(' | ')' | '-' | '|')
    });
    if text.starts_with(LINK) || text.is_empty() {
        return None;
    }
    if id {
        let run = text
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, ' ' | '-' | 'X')))
            .map_or(text, |end| text.get(..end).unwrap_or_default());
        let run = run.trim_end_matches([' ', '-']);
        let digits = run.bytes().filter(|b| b.is_ascii_digit() || *b == b'X').count();
        if (4..=24).contains(&digits) {
            let hash = text.get(run.len()..).is_some_and(|rest| rest.starts_with('#'));
            return Some(if hash { format!("{run}#") } else { run.to_owned() });
        }
        return None;
    }
    let word = text.split([' ', LINK, '|']).next()?.trim_end_matches([',', ';', ')']);
    (!word.is_empty() && word.len() <= 64 && word.chars().any(char::is_alphanumeric)).then(|| word.to_owned())
}

/// Digits of the shortest telephone number.
const MIN_DIGITS: usize = 6;

/// Whether there are digits enough for a telephone number.
fn has_digits(text: &str) -> bool {
    text.bytes().filter(u8::is_ascii_digit).count() >= MIN_DIGITS
}

/// Whether the line shows a telephone number: a run of 7 to 15 digits that begins with `+` or `(`, has
/// pauses (`,,`), or stands beside words about telephones.
pub(super) fn has_telephone_number(line: &Line) -> bool {
    let text = line.text.as_str();
    if text.len() > 400 || !has_digits(text) || text.contains('@') && !text.contains('+') {
        return false;
    }
    let identifies = line.labels.iter().any(|hit| {
        matches!(hit.label, Label::MeetingId | Label::ConferenceId | Label::VideoId | Label::Passcode)
    });
    let lower = text.to_ascii_lowercase();
    let speaks = line.labels.iter().any(|hit| hit.label == Label::DialIn)
        || ["toll", "phone", "dial", "call-in", "audio"].iter().any(|word| lower.contains(word));
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit() || c == '+' || c == '(') {
        let run = rest.get(at..).unwrap_or_default();
        let length = run
            .find(|c: char| {
                !(c.is_ascii_digit()
                    || matches!(
                        c,
                        '+' | '(' | ')' | ' ' | '-' | '.' | ',' | ';' | '#' | '*' | '/' | '\u{2011}'
                    ))
            })
            .unwrap_or(run.len());
        let number = run.get(..length).unwrap_or_default();
        if !number.is_empty() && is_telephone_number(number, speaks && !identifies, &lower) {
            return true;
        }
        rest = run.get(length.max(1)..).unwrap_or_default();
    }
    false
}

/// Whether the line is one of a service's list of numbers to dial: a number with at most a country before it
/// and a place behind it. `listed` says that such a list is going on.
pub(super) fn is_number_line(line: &Line, listed: bool) -> bool {
    let text = line.text.as_str();
    if !has_digits(text) {
        return false;
    }
    let lower = text.to_lowercase();
    let marked = line.telephone || text.contains(",,") || ["toll", "(us)"].iter().any(|m| lower.contains(m));
    if !(listed || marked) || !has_telephone_number(line) {
        return false;
    }
    let Some(first) = text.find(|c: char| c.is_ascii_digit() || c == '+') else { return false };
    let last = text.rfind(|c: char| c.is_ascii_digit() || c == '#').unwrap_or(first);
    let lead = without_brackets(text.get(..first).unwrap_or_default());
    let lead = lead.trim_matches(|c: char| !c.is_alphabetic());
    let labelled = line.leading().is_some_and(|hit| {
        hit.label == Label::DialIn && !has_letters(text.get(hit.end.min(first)..first).unwrap_or_default())
    });
    if !lead.is_empty() && !labelled && !is_country(lead) {
        return false;
    }
    let behind = text.get(last + 1..).unwrap_or_default();
    let middle = text.get(first..=last).unwrap_or_default();
    let place = behind.trim_start_matches(|c: char| !c.is_alphabetic());
    let names = behind.trim().is_empty()
        || line.telephone
        || text.contains(['#', '('])
        || place.contains(',')
        || is_country(place);
    names && are_names(&without_brackets(middle)) && are_names(&without_brackets(behind))
}

fn has_letters(text: &str) -> bool {
    text.contains(char::is_alphabetic)
}

fn without_brackets(text: &str) -> String {
    let mut depth = 0usize;
    let outside = |c: &char| {
        depth = match c {
            '(' => depth + 1,
            ')' => depth.saturating_sub(1),
            _ => depth,
        };
        depth == 0
    };
    text.chars().filter(outside).collect()
}

/// Whether the words are names of places and what is said of numbers, and no sentence: none begins with a
/// small letter but these.
fn are_names(text: &str) -> bool {
    const SMALL: &[&str] = &[
        "am",
        "an",
        "de",
        "del",
        "des",
        "do",
        "da",
        "di",
        "du",
        "of",
        "and",
        "the",
        "la",
        "le",
        "el",
        "und",
        "y",
        "e",
        "i",
        "og",
        "och",
        "toll",
        "free",
        "number",
        "or",
        "oder",
        "ou",
        "o",
        "one-touch",
        "x",
        "pin",
        "english",
        "main",
    ];
    text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '\'' | '’')))
        .filter(|word| has_letters(word))
        .all(|word| !word.starts_with(char::is_lowercase) || SMALL.contains(&word))
}

/// Countries and regions as services write them before or behind their numbers.
fn is_country(text: &str) -> bool {
    let name = without_brackets(text).to_lowercase();
    let name = name.split([',', ':', '-']).next().unwrap_or_default().trim();
    let name = name.trim_end_matches(" toll free").trim_end_matches(" toll-free").trim_end_matches(" toll");
    COUNTRIES.contains(&name)
}

const COUNTRIES: &[&str] = &[
    "us",
    "usa",
    "uk",
    "dial",
    "or dial",
    "united states",
    "united states of america",
    "united kingdom",
    "great britain",
    "argentina",
    "argentinien",
    "australia",
    "australien",
    "austria",
    "österreich",
    "bahrain",
    "belarus",
    "belgium",
    "belgien",
    "belgique",
    "belgië",
    "brazil",
    "brasil",
    "brasilien",
    "bulgaria",
    "canada",
    "kanada",
    "chile",
    "china",
    "colombia",
    "costa rica",
    "croatia",
    "cyprus",
    "czech republic",
    "czechia",
    "tschechien",
    "denmark",
    "danmark",
    "dänemark",
    "egypt",
    "estonia",
    "finland",
    "finnland",
    "suomi",
    "france",
    "frankreich",
    "francia",
    "germany",
    "deutschland",
    "allemagne",
    "alemania",
    "germania",
    "duitsland",
    "tyskland",
    "greece",
    "hong kong",
    "hong kong sar",
    "hungary",
    "iceland",
    "india",
    "indien",
    "indonesia",
    "ireland",
    "irland",
    "israel",
    "italy",
    "italia",
    "italien",
    "italie",
    "italië",
    "japan",
    "kazakhstan",
    "kenya",
    "korea",
    "latvia",
    "lithuania",
    "luxembourg",
    "luxemburg",
    "malaysia",
    "malta",
    "mexico",
    "méxico",
    "netherlands",
    "niederlande",
    "nederland",
    "pays-bas",
    "new zealand",
    "nigeria",
    "norway",
    "norge",
    "norwegen",
    "pakistan",
    "panama",
    "peru",
    "philippines",
    "poland",
    "polska",
    "polen",
    "portugal",
    "puerto rico",
    "romania",
    "russia",
    "saudi arabia",
    "singapore",
    "slovakia",
    "slovenia",
    "south africa",
    "south korea",
    "spain",
    "spanien",
    "españa",
    "espagne",
    "spagna",
    "spanje",
    "sweden",
    "sverige",
    "schweden",
    "switzerland",
    "schweiz",
    "suisse",
    "svizzera",
    "zwitserland",
    "taiwan",
    "thailand",
    "turkey",
    "türkiye",
    "ukraine",
    "united arab emirates",
    "uruguay",
    "vereinigte staaten",
    "vereinigte staaten (usa)",
    "vereinigtes königreich",
    "états-unis",
    "royaume-uni",
    "estados unidos",
    "reino unido",
    "stati uniti",
    "regno unito",
    "verenigde staten",
    "verenigd koninkrijk",
    "vietnam",
];

fn is_telephone_number(number: &str, speaks: bool, line: &str) -> bool {
    let main = number.split(",,").next().unwrap_or_default().trim();
    let digits = main.bytes().filter(u8::is_ascii_digit).count();
    if !(MIN_DIGITS..=18).contains(&digits) {
        return false;
    }
    let address = main.split('.').count() == 4 && !main.starts_with('+');
    let date = line.contains("utc") || line.contains(" am") || line.contains(" pm");
    !address && (main.starts_with('+') || number.contains(",,") || (speaks || main.starts_with('(')) && !date)
}
