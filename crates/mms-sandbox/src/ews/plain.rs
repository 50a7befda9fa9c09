//! The plain text of an HTML body, as Exchange shows it to clients that want one: links stand behind their text in angle
//! brackets.

/// Elements of which nothing is shown.
const HIDDEN: [&str; 4] = ["head", "style", "script", "title"];
/// Elements that stand on lines of their own.
const BLOCKS: [&str; 14] =
    ["p", "div", "tr", "li", "ul", "ol", "table", "hr", "h1", "h2", "h3", "h4", "blockquote", "body"];

/// The text of `html`, its lines ended by `\n`. Takes time in proportion to its length, whatever it holds.
pub(super) fn text(html: &str) -> String {
    let mut text = Text::default();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        text.add(rest.get(..at).unwrap_or_default());
        rest = rest.get(at..).unwrap_or_default();
        let Some((tag, behind)) = tag(rest) else {
            // Not a tag, but a sign that somebody wrote.
            text.add("<");
            rest = rest.get(1..).unwrap_or_default();
            continue;
        };
        rest = behind;
        let (name, closes) = name(tag);
        if !closes && HIDDEN.contains(&name.as_str()) {
            rest = behind_end_of(rest, &name);
        } else {
            text.tag(&name, closes, tag);
        }
    }
    text.add(rest);
    text.out.trim_end().to_owned()
}

/// What stands between the angle brackets at the beginning of `rest`, and what stands behind them.
fn tag(rest: &str) -> Option<(&str, &str)> {
    let inside = rest.strip_prefix('<')?;
    if let Some(comment) = inside.strip_prefix("!--") {
        return Some(comment.split_once("-->").map_or(("!", ""), |(_, behind)| ("!", behind)));
    }
    inside.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!').then_some(())?;
    let mut quote = None;
    let end = inside.char_indices().find(|(_, c)| {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(*c),
            (Some(open), c) if open == *c => quote = None,
            _ => {}
        }
        quote.is_none() && *c == '>'
    });
    let end = end.map_or(inside.len(), |(end, _)| end);
    Some((inside.get(..end)?, inside.get(end + 1..).unwrap_or_default()))
}

fn name(tag: &str) -> (String, bool) {
    let closes = tag.starts_with('/');
    let name = tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric);
    (name.collect::<String>().to_ascii_lowercase(), closes)
}

/// What stands behind the end tag of `name`; nothing where there is none.
fn behind_end_of<'h>(rest: &'h str, name: &str) -> &'h str {
    let mut rest = rest;
    while let Some((_, behind)) = rest.split_once("</") {
        rest = behind;
        if rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)) {
            return rest.split_once('>').map_or("", |(_, behind)| behind);
        }
    }
    ""
}

#[derive(Default)]
struct Text {
    out: String,
    /// The link that is open, and where its text begins.
    link: Option<(String, usize)>,
}

impl Text {
    fn add(&mut self, html: &str) {
        let mut rest = html;
        while let Some(c) = rest.chars().next() {
            let (c, length) = if c == '&' { entity(rest) } else { (c, c.len_utf8()) };
            rest = rest.get(length..).unwrap_or_default();
            if c.is_ascii_whitespace() {
                if !self.out.is_empty() && !self.out.ends_with([' ', '\n']) {
                    self.out.push(' ');
                }
            } else {
                self.out.push(c);
            }
        }
    }

    fn tag(&mut self, name: &str, closes: bool, tag: &str) {
        match name {
            "a" => {
                self.end_link();
                if let Some(href) = href(tag).filter(|_| !closes) {
                    self.link = Some((href, self.out.len()));
                }
            }
            "br" => self.line(true),
            block if BLOCKS.contains(&block) => self.line(false),
            _ => {}
        }
    }

    fn line(&mut self, always: bool) {
        let end = self.out.trim_end_matches(' ').len();
        self.out.truncate(end);
        if always || !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
    }

    fn end_link(&mut self) {
        let Some((href, start)) = self.link.take() else { return };
        if self.out.get(start..).is_none_or(|text| text.trim() != href) {
            self.out.push_str(&format!("<{href}>"));
        }
    }
}

/// Where a link leads.
fn href(tag: &str) -> Option<String> {
    let at = tag.to_ascii_lowercase().find("href=")?;
    let value = tag.get(at + 5..)?;
    let value = match value.chars().next()? {
        quote @ ('"' | '\'') => value.get(1..)?.split(quote).next()?,
        _ => value.split_ascii_whitespace().next()?,
    };
    let mut text = Text::default();
    text.add(value);
    Some(text.out)
}

/// The character that a reference at the beginning of `rest` stands for, and how many bytes it takes.
fn entity(rest: &str) -> (char, usize) {
    let name = rest.bytes().take(12).position(|byte| byte == b';').and_then(|end| rest.get(1..end));
    let c = name.and_then(|name| match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "nbsp" => Some('\u{a0}'),
        "ndash" => Some('–'),
        "mdash" => Some('—'),
        name => {
            let number = name.strip_prefix('#')?;
            let hexadecimal = number.strip_prefix(['x', 'X']);
            let number = hexadecimal.map_or_else(|| number.parse(), |digits| u32::from_str_radix(digits, 16));
            char::from_u32(number.ok()?)
        }
    });
    c.zip(name).map_or(('&', 1), |(c, name)| (c, name.len() + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stand_behind_their_text() {
        let html = "<html><head><style>p {}</style></head><body>\r\n<p>One &amp; two&#8230;<br>three</p>\r\n\
                    <div><a href=\"https://a.example/?x=1&amp;y=2\">Join\r\n now</a> <a href='https://b.example'>https://b.example</a></div></body>";
        let expected = "One & two…\nthree\nJoin now<https://a.example/?x=1&y=2> https://b.example";
        assert_eq!(text(html), expected);
    }

    #[test]
    fn odd_input_is_text_or_nothing() {
        for (html, expected) in [
            ("1 < 2 &unknown; &#xFFFFFFFF;", "1 < 2 &unknown; &#xFFFFFFFF;"),
            ("a<!-- b", "a"),
            ("a<p title='>", "a"),
            ("<script>never closed", ""),
            ("<a href=>x</a>", "x"),
            ("&", "&"),
            ("<", "<"),
        ] {
            assert_eq!(text(html), expected, "{html}");
        }
    }
}
