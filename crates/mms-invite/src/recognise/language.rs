//! The language of a block: from its labels, and from the markers that services leave.

use super::label::Vocabulary;
use super::line::Line;

/// Votes for languages, by the length of the text that speaks for each.
#[derive(Debug, Clone, Default)]
pub(super) struct Votes(Vec<(String, usize)>);

/// Words that are frequent in one language and in few others.
const SMALL_WORDS: &[(&str, &[&str])] = &[
    (
        "en",
        &[
            "the", "and", "of", "for", "with", "please", "you", "your", "this", "we", "will", "are", "hi",
            "our",
        ],
    ),
    (
        "de",
        &[
            "der", "die", "das", "und", "ist", "nicht", "mit", "für", "wir", "bitte", "sie", "ihr", "zur",
            "hallo",
        ],
    ),
    (
        "fr",
        &[
            "le", "les", "et", "des", "est", "pour", "avec", "vous", "nous", "bonjour", "une", "votre",
            "sur", "merci",
        ],
    ),
    (
        "es",
        &[
            "el", "los", "las", "y", "para", "con", "una", "por", "hola", "usted", "nuestra", "gracias",
            "está",
        ],
    ),
    (
        "it",
        &["il", "gli", "e", "per", "con", "una", "sono", "della", "ciao", "grazie", "nostra", "questo", "di"],
    ),
    ("pt", &["o", "os", "e", "para", "com", "uma", "você", "não", "olá", "obrigado", "nossa", "do", "da"]),
    ("nl", &["het", "een", "en", "voor", "met", "niet", "wij", "van", "graag", "hallo", "jullie", "deze"]),
    ("sv", &["och", "att", "det", "är", "för", "med", "inte", "vi", "som", "hej", "ett", "på"]),
    ("da", &["og", "at", "det", "er", "for", "med", "ikke", "vi", "hej", "et", "på", "til", "jeg"]),
    ("nb", &["og", "å", "det", "er", "for", "med", "ikke", "vi", "hei", "et", "på", "til", "jeg"]),
    ("fi", &["ja", "on", "ei", "että", "mutta", "hei", "kanssa", "meidän", "tämä", "kokous", "tervetuloa"]),
    ("pl", &["i", "w", "nie", "się", "na", "do", "jest", "proszę", "dla", "cześć", "że", "oraz"]),
];

/// What a marker weighs, in characters of labels: more than a stray label, less than a block of them.
const MARKER: usize = 25;

impl Votes {
    /// What the lines of a block say.
    pub(super) fn of(lines: &[Line], vocabulary: &Vocabulary) -> Self {
        let mut votes = Self::default();
        for line in lines {
            for hit in &line.labels {
                // A word counts once: lists of numbers repeat their labels.
                votes.add(vocabulary.language(hit.language), (hit.end - hit.start).min(40));
            }
            if let Some(tag) = line.marker.and_then(of_lcid) {
                votes.add(tag, MARKER);
            }
            for link in &line.links {
                if let Some(tag) = of_link(&link.url) {
                    votes.add(&tag, MARKER);
                }
            }
        }
        votes
    }

    pub(super) fn add(&mut self, tag: &str, weight: usize) {
        match self.0.iter_mut().find(|(t, _)| t == tag) {
            Some((_, sum)) => *sum += weight,
            None => self.0.push((tag.to_owned(), weight)),
        }
    }

    pub(super) fn join(&mut self, other: &Self) {
        for (tag, weight) in &other.0 {
            self.add(tag, *weight);
        }
    }

    /// Counts the small words of languages in what people wrote.
    pub(super) fn read_prose(&mut self, text: &str) {
        // No line of prose is longer; the rest of a longer one is left out.
        const MAX_WORDS: usize = 500;
        for word in text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).take(MAX_WORDS) {
            let word = word.to_lowercase();
            for (tag, words) in SMALL_WORDS {
                if words.contains(&word.as_str()) {
                    self.add(tag, 1);
                }
            }
        }
    }

    /// The winner where it is clear: two words or more, and twice as many as for any other language.
    pub(super) fn clear_winner(&self) -> Option<String> {
        let mut weights: Vec<usize> = self.0.iter().map(|(_, weight)| *weight).collect();
        weights.sort_unstable_by(|a, b| b.cmp(a));
        let (first, second) = (weights.first().copied(), weights.get(1).copied());
        let clear = first.is_some_and(|first| first >= 2 && first >= 2 * second.unwrap_or(0));
        if clear { self.winner() } else { None }
    }

    /// The language with most votes; on a tie the first seen.
    pub(super) fn winner(&self) -> Option<String> {
        let best = self.0.iter().map(|(_, weight)| *weight).max()?;
        self.0.iter().find(|(_, weight)| *weight == best).map(|(tag, _)| tag.clone())
    }
}

/// `omkt=de-DE`, `language=de-DE`, `ui=de-DE` in the help and option links of a block.
fn of_link(url: &str) -> Option<String> {
    let query = url.split_once('?')?.1;
    query.split(['&', ';']).filter_map(|pair| pair.split_once('=')).find_map(|(name, value)| {
        let named = ["omkt", "language", "ui"].iter().any(|n| name.eq_ignore_ascii_case(n));
        named.then(|| primary(value)).flatten()
    })
}

/// The primary subtag of a BCP 47 tag.
pub(super) fn primary(tag: &str) -> Option<String> {
    let primary = tag.split(['-', '_', '&']).next()?;
    let valid = (2..=3).contains(&primary.len()) && primary.bytes().all(|b| b.is_ascii_alphabetic());
    valid.then(|| match primary.to_ascii_lowercase().as_str() {
        "no" | "nn" => "nb".to_owned(),
        other => other.to_owned(),
    })
}

/// The language of a Windows locale id: its low ten bits are the primary language ([MS-LCID]).
fn of_lcid(lcid: u32) -> Option<&'static str> {
    Some(match lcid & 0x3FF {
        0x01 => "ar",
        0x02 => "bg",
        0x03 => "ca",
        0x04 => "zh",
        0x05 => "cs",
        0x06 => "da",
        0x07 => "de",
        0x08 => "el",
        0x09 => "en",
        0x0A => "es",
        0x0B => "fi",
        0x0C => "fr",
        0x0D => "he",
        0x0E => "hu",
        0x10 => "it",
        0x11 => "ja",
        0x12 => "ko",
        0x13 => "nl",
        0x14 => "nb",
        0x15 => "pl",
        0x16 => "pt",
        0x18 => "ro",
        0x19 => "ru",
        0x1A => "hr",
        0x1B => "sk",
        0x1D => "sv",
        0x1F => "tr",
        0x22 => "uk",
        0x24 => "sl",
        0x25 => "et",
        0x26 => "lv",
        0x27 => "lt",
        0x2A => "vi",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_prose() {
        let read = |text: &str| {
            let mut votes = Votes::default();
            votes.read_prose(text);
            votes.clear_winner()
        };
        assert_eq!(read("Hallo, bitte die Folien und das Protokoll mitbringen").as_deref(), Some("de"));
        assert_eq!(read("Please bring the slides with you").as_deref(), Some("en"));
        assert_eq!(read("Hej, vi ses och pratar om planen för nästa år").as_deref(), Some("sv"));
        assert_eq!(read("Budget 2027"), None);
    }

    #[test]
    fn reads_markers() {
        assert_eq!(of_lcid(1033), Some("en"));
        assert_eq!(of_lcid(0x041D), Some("sv"));
        assert_eq!(of_link("https://aka.ms/JoinTeamsMeeting?omkt=de-DE").as_deref(), Some("de"));
        assert_eq!(primary("nn-NO").as_deref(), Some("nb"));
        assert_eq!(primary("%zz"), None);
    }
}
