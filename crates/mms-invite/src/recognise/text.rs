//! Plain text as lines, and the links in running text.

use std::ops::Range;

use super::line::{LINK, Line, LineLink, MAX_LINKS, is_space};

/// A soft line break inside `<…>` is mended up to this length.
const MAX_BRACKETED: usize = 4096;

/// A link as it is written: its target and its bytes, brackets included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    pub url: String,
    pub source: Range<usize>,
}

/// The lines of plain text. Links keep their targets as written; the caller unwraps and classifies.
pub(super) fn lines(text: &str) -> Vec<Line> {
    let mut links = written_links(text).into_iter().peekable();
    let mut out = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let mut end = end_of_line(text, start);
        let mut inside: Vec<Written> = Vec::new();
        while let Some(link) = links.next_if(|link| link.source.start < end) {
            if link.source.end > end {
                end = end_of_line(text, link.source.end);
            }
            inside.push(link);
        }
        out.push(line(text, start..end, inside));
        start = end + text.get(end..).map_or(1, |rest| if rest.starts_with("\r\n") { 2 } else { 1 });
    }
    out
}

fn end_of_line(text: &str, from: usize) -> usize {
    text.get(from..)
        .and_then(|rest| memchr::memchr2(b'\n', b'\r', rest.as_bytes()))
        .map_or(text.len(), |at| from + at)
}

fn line(text: &str, range: Range<usize>, links: Vec<Written>) -> Line {
    let mut line = Line { source: range.start..range.start, ..Line::default() };
    let mut at = range.start;
    for link in links {
        append(&mut line, text.get(at..link.source.start).unwrap_or_default(), at);
        at = link.source.end;
        if line.text.is_empty() && line.links.is_empty() {
            line.source.start = link.source.start;
        }
        line.source.end = link.source.end;
        if link.url.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("tel:")) {
            line.telephone = true;
            line.push_hidden(link.source, 0);
            continue;
        }
        if !link.url.contains("://") || line.links.len() >= MAX_LINKS {
            line.push_hidden(link.source, 0);
            continue;
        }
        let position = line.text.len();
        line.push(LINK, link.source.start, link.source.len(), 0);
        line.links.push(LineLink {
            url: link.url,
            at: position,
            end: line.text.len(),
            link: None,
            marked: false,
            spelled: None,
            targets: Vec::new(),
        });
    }
    append(&mut line, text.get(at..range.end).unwrap_or_default(), at);
    line
}

/// Appends text with white space collapsed and widens the source range over what is visible.
fn append(line: &mut Line, piece: &str, offset: usize) {
    let mut rest = piece;
    let mut at = offset;
    while let Some(c) = rest.chars().next() {
        let length = if is_space(c) {
            if !line.text.is_empty() && !line.text.ends_with(' ') {
                line.push(' ', at, c.len_utf8(), 0);
            }
            c.len_utf8()
        } else {
            let word = rest.get(..rest.find(is_space).unwrap_or(rest.len())).unwrap_or_default();
            if line.text.is_empty() && line.links.is_empty() {
                line.source.start = at;
            }
            line.push_run(word, at, word.len(), 0);
            line.source.end = at + word.len();
            word.len()
        };
        at += length;
        rest = rest.get(length..).unwrap_or_default();
    }
}

/// The links written out in `text`: `https://…`, `<https://…>`, and the `<tel:…>`, `<mailto:…>` that
/// mail programs put behind a link's text.
pub(super) fn written_links(text: &str) -> Vec<Written> {
    let bytes = text.as_bytes();
    let mut out: Vec<Written> = Vec::new();
    let mut from = 0;
    for colon in memchr::memchr_iter(b':', bytes) {
        if colon < from {
            continue;
        }
        let Some(found) = link_at(text, colon) else { continue };
        if found.source.start < from {
            continue;
        }
        from = found.source.end;
        out.push(found);
    }
    add_without_scheme(text, &mut out);
    out
}

/// Adds the links that Google prints without their scheme: `meet.google.com/abc-defg-hij`.
fn add_without_scheme(text: &str, out: &mut Vec<Written>) {
    const HOST: &str = "meet.google.com/";
    let mut added = Vec::new();
    let mut with_scheme = out.iter().peekable();
    for start in memchr::memmem::find_iter(text.as_bytes(), HOST) {
        let before = text.get(..start).and_then(|before| before.chars().next_back());
        let glued =
            before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '/' | '.' | '@' | '-' | '_' | '='));
        while with_scheme.next_if(|link| link.source.end <= start).is_some() {}
        if glued || with_scheme.peek().is_some_and(|link| link.source.start <= start) {
            continue;
        }
        let rest = text.get(start + HOST.len()..).unwrap_or_default();
        let code = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '-')).unwrap_or(rest.len());
        let source = start..start + HOST.len() + code;
        if let Some(place) = text.get(source.clone()) {
            added.push(Written { url: format!("https://{place}"), source });
        }
    }
    if !added.is_empty() {
        out.append(&mut added);
        out.sort_by_key(|link| link.source.start);
    }
}

/// What ends a link: white space, brackets, quotation marks, and the punctuation of scripts that put no space behind it.
fn ends_link(c: char) -> bool {
    if c.is_ascii() {
        return matches!(c, '<' | '>' | '"' | '|' | '`') || c.is_ascii_whitespace() || c.is_ascii_control();
    }
    is_space(c)
        || c.is_control()
        || matches!(
            c,
            LINK | '“'
                | '”'
                | '„'
                | '«'
                | '»'
                | '。'
                | '、'
                | '，'
                | '；'
                | '：'
                | '！'
                | '？'
                | '（'
                | '）'
                | '「'
                | '」'
                | '『'
                | '』'
                | '【'
                | '】'
                | '《'
                | '》'
                | '〈'
                | '〉'
        )
}

fn link_at(text: &str, colon: usize) -> Option<Written> {
    let bytes = text.as_bytes();
    let length = bytes
        .get(colon.saturating_sub(10)..colon)?
        .iter()
        .rev()
        .take_while(|b| b.is_ascii_alphabetic())
        .count();
    let start = colon - length;
    let scheme = text.get(start..colon)?.to_ascii_lowercase();
    let bracketed = start.checked_sub(1).and_then(|at| bytes.get(at)) == Some(&b'<');
    match scheme.as_str() {
        "http" | "https" if text.get(colon..)?.starts_with("://") => {}
        "tel" | "mailto" | "sip" | "conf" if bracketed => {}
        _ => return None,
    }
    if bracketed && let Some(link) = in_brackets(text, start) {
        return Some(link);
    }
    let rest = text.get(start..)?;
    let end = rest.char_indices().find(|(_, c)| ends_link(*c)).map_or(rest.len(), |(at, _)| at);
    let url = trim_punctuation(rest.get(..end)?);
    (url.len() > scheme.len() + 3).then(|| Written { url: url.to_owned(), source: start..start + url.len() })
}

/// `<https://…>`; a line break inside is a soft one and left out.
fn in_brackets(text: &str, start: usize) -> Option<Written> {
    let rest = text.get(start..)?;
    let window = rest.as_bytes().get(..MAX_BRACKETED).unwrap_or(rest.as_bytes());
    let close = memchr::memchr3(b'>', b'<', b'"', window).filter(|at| window.get(*at) == Some(&b'>'))?;
    let inside = rest.get(..close)?;
    let soft = inside.contains(['\r', '\n']);
    // Spaces around a break belong to it; a space within a line means it is no link.
    let url: String =
        if soft { inside.split(['\r', '\n']).map(str::trim).collect() } else { inside.trim().to_owned() };
    let telephone = url.get(..4).is_some_and(|s| s.eq_ignore_ascii_case("tel:"));
    (telephone || !url.contains(is_space)).then(|| Written { url, source: start - 1..start + close + 1 })
}

/// Without the punctuation that ends a sentence and brackets that were opened before the link.
fn trim_punctuation(url: &str) -> &str {
    // Bounded: a link that ends in a book of brackets is none.
    const MAX_TRIMMED: usize = 32;
    let mut url = url;
    for _ in 0..MAX_TRIMMED {
        let Some(last) = url.chars().next_back() else { return url };
        let unbalanced = |open: char| url.matches(last).count() > url.matches(open).count();
        let strip = match last {
            '.' | ',' | ';' | ':' | '!' | '?' | '\'' | '*' | '»' | '’' | '。' | '，' | '、' => true,
            ')' => unbalanced('('),
            ']' => unbalanced('['),
            '}' => unbalanced('{'),
            _ => false,
        };
        if !strip {
            return url;
        }
        url = url.get(..url.len() - last.len_utf8()).unwrap_or_default();
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(text: &str) -> Vec<String> {
        written_links(text).into_iter().map(|link| link.url).collect()
    }

    #[test]
    fn finds_links_in_running_text() {
        assert_eq!(
            urls("See https://a.test/x). Or (https://b.test/y(1))."),
            ["https://a.test/x", "https://b.test/y(1)"]
        );
        assert_eq!(
            urls("Join<https://a.test/\r\n x>, https://b.test"),
            ["https://a.test/x", "https://b.test"]
        );
        assert_eq!(
            urls("+1 323<tel:+1%20323,,5#> mail <mailto:a@b.test>"),
            ["tel:+1%20323,,5#", "mailto:a@b.test"]
        );
        assert_eq!(urls("<https://never.closes\nmore"), ["https://never.closes"]);
        assert_eq!(urls("a:b ://x http: https://"), Vec::<String>::new());
    }

    #[test]
    fn lines_know_their_bytes() {
        let text = "  Join\u{a0} now: https://a.test/x .\r\n\r\nnext";
        let lines = lines(text);
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0].text, format!("Join now: {LINK} ."));
        assert_eq!(&text[lines[0].source.clone()], "Join\u{a0} now: https://a.test/x .");
        assert_eq!(&text[lines[2].source.clone()], "next");
    }
}
