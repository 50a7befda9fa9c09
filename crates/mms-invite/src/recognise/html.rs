//! HTML as lines, by a forgiving scanner that keeps byte positions; and ranges of lines widened to
//! whole elements, so that replacing one leaves the rest as well-formed as it was.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use super::line::{LINK, Line, LineLink, MAX_LINKS, OBJECT, Piece, is_space};
use super::text::written_links;

/// An element by its bytes. Element 0 is the document.
#[derive(Debug)]
struct Element {
    name: String,
    parent: usize,
    depth: usize,
    /// `<` of the start tag.
    start: usize,
    /// Behind the start tag.
    inner_start: usize,
    /// `<` of the end tag, or where the element was closed by another.
    inner_end: usize,
    /// Behind the end tag.
    end: usize,
    /// Written by Teams or MMS as the shell of its block.
    shell: bool,
}

/// A scanned document.
#[derive(Debug)]
pub(super) struct Document {
    elements: Vec<Element>,
    lines: Vec<Line>,
    /// For each line the end of the last visible line before it and the start of the next one.
    edges: Vec<(usize, usize)>,
}

/// Deeper nesting is not tracked; the elements count as children of the last one tracked.
const MAX_DEPTH: usize = 512;

pub(super) fn scan(html: &str) -> Document {
    let mut scanner = Scanner::new(html);
    scanner.run();
    scanner.finish()
}

struct OpenLink {
    element: usize,
    url: String,
    start: usize,
    at: usize,
    /// It began on the current line.
    whole: bool,
    marked: bool,
    targets: Vec<Range<usize>>,
}

struct Scanner<'a> {
    html: &'a str,
    at: usize,
    elements: Vec<Element>,
    stack: Vec<usize>,
    open: HashMap<String, usize>,
    overflow: usize,
    lines: Vec<Line>,
    line: Line,
    begun: bool,
    link: Option<OpenLink>,
    platform: Option<(usize, String)>,
}

impl<'a> Scanner<'a> {
    fn new(html: &'a str) -> Self {
        let document = Element {
            name: String::new(),
            parent: 0,
            depth: 0,
            start: 0,
            inner_start: 0,
            inner_end: html.len(),
            end: html.len(),
            shell: false,
        };
        Self {
            html,
            at: 0,
            elements: vec![document],
            stack: vec![0],
            open: HashMap::new(),
            overflow: 0,
            lines: Vec::new(),
            line: Line::default(),
            begun: false,
            link: None,
            platform: None,
        }
    }

    fn run(&mut self) {
        while self.at < self.html.len() {
            let rest = self.html.get(self.at..).unwrap_or_default();
            match memchr::memchr(b'<', rest.as_bytes()) {
                Some(0) => self.markup(rest),
                Some(next) => self.text(self.at + next),
                None => self.text(self.html.len()),
            }
        }
    }

    fn markup(&mut self, rest: &str) {
        let start = self.at;
        if rest.starts_with("<!--") {
            self.at = rest.find("-->").map_or(self.html.len(), |end| start + end + 3);
        } else if rest.starts_with("<!") || rest.starts_with("<?") {
            self.at = rest.find('>').map_or(self.html.len(), |end| start + end + 1);
        } else if let Some(tag) = Tag::parse(rest) {
            self.at = start + tag.length;
            if tag.closing { self.close(&tag.name, start, self.at) } else { self.open(&tag, start) }
        } else {
            self.at += 1;
            self.visible('<', start, 1);
        }
    }

    fn open(&mut self, tag: &Tag<'_>, start: usize) {
        let name = tag.name.as_str();
        if breaks_line(name) {
            self.break_line();
        }
        match name {
            "br" => return self.end_line(),
            "img" => return self.visible(OBJECT, start, tag.length),
            "hr" => {
                self.break_line();
                "____________________".chars().for_each(|c| self.visible(c, start, tag.length));
                return self.break_line();
            }
            "script" | "style" | "title" | "textarea" | "noscript" | "xml" if !tag.empty => {
                return self.skip_raw(name);
            }
            _ => {}
        }
        if is_void(name) || tag.empty {
            return;
        }
        // A new paragraph closes the one before it, as browsers do.
        if name == "p" && self.top_name() == "p" {
            self.close("p", start, start);
        }
        if self.stack.len() >= MAX_DEPTH {
            self.overflow += 1;
            return;
        }
        let element = self.push(tag, start);
        if name == "a" {
            self.open_link(tag, element, start);
        }
        if let Some(platform) = tag.attribute("data-platform") {
            self.platform.get_or_insert((element, platform.into_owned()));
        }
    }

    fn push(&mut self, tag: &Tag<'_>, start: usize) -> usize {
        let index = self.elements.len();
        let class = tag.attribute("class").unwrap_or_default();
        let shell = class
            .split_whitespace()
            .any(|c| matches!(c.strip_prefix("x_").unwrap_or(c), "me-email-text" | "mms-meeting"));
        self.elements.push(Element {
            name: tag.name.clone(),
            parent: self.top(),
            depth: self.stack.len(),
            start,
            inner_start: start + tag.length,
            inner_end: self.html.len(),
            end: self.html.len(),
            shell,
        });
        self.stack.push(index);
        *self.open.entry(tag.name.clone()).or_default() += 1;
        index
    }

    fn open_link(&mut self, tag: &Tag<'_>, element: usize, start: usize) {
        let Some(href) = tag.attribute("href") else { return };
        let original = tag.attribute("originalsrc").filter(|url| url.contains("://"));
        let class = tag.attribute("class").unwrap_or_default();
        let url: String = original.unwrap_or(href).chars().filter(|c| !c.is_control()).collect();
        let url = url.trim().to_owned();
        if url.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("tel:")) {
            self.line.telephone = true;
            return;
        }
        if !url.contains("://") {
            return;
        }
        self.begin(start);
        let targets = ["href", "originalsrc"].iter().filter_map(|name| tag.place(name));
        let targets = targets.map(|place| start + place.start..start + place.end).collect();
        self.link = Some(OpenLink {
            targets,
            element,
            url,
            start,
            at: self.line.text.len(),
            whole: true,
            marked: class.split_whitespace().any(|c| c == "mms-join" || c == "x_mms-join"),
        });
    }

    /// Closes the innermost element `name`, whose end tag covers `start..behind` (nothing where another
    /// tag implies it).
    fn close(&mut self, name: &str, start: usize, behind: usize) {
        if breaks_line(name) {
            self.break_line();
        }
        if self.open.get(name).copied().unwrap_or(0) == 0 {
            self.overflow = self.overflow.saturating_sub(1);
            return;
        }
        while self.stack.len() > 1 {
            let Some(index) = self.stack.pop() else { return };
            let Some(element) = self.elements.get_mut(index) else { return };
            if let Some(count) = self.open.get_mut(&element.name) {
                *count = count.saturating_sub(1);
            }
            let found = element.name == name;
            element.inner_end = start;
            element.end = if found { behind } else { start };
            let end = element.end;
            self.closed(index, end);
            if found {
                return;
            }
        }
    }

    fn closed(&mut self, index: usize, end: usize) {
        if self.link.as_ref().is_some_and(|link| link.element == index) {
            self.end_link(end);
        }
        if self.platform.as_ref().is_some_and(|(element, _)| *element == index) {
            self.break_line();
            self.platform = None;
        }
    }

    fn end_link(&mut self, end: usize) {
        let Some(link) = &self.link else { return };
        // An anchor around nothing visible still leads somewhere, but ends on an earlier line.
        let seen = !self.line.text.get(link.at..).unwrap_or_default().trim().is_empty();
        if seen || link.whole {
            let start = link.start;
            let parent = self.elements.get(link.element).map_or(0, |element| element.parent);
            self.begin(start);
            self.line.source.end = self.line.source.end.max(end);
            if !seen {
                self.line.push_hidden(start..end, parent);
            }
            self.put_link();
        }
        self.link = None;
    }

    fn text(&mut self, end: usize) {
        let piece = self.html.get(self.at..end).unwrap_or_default();
        let mut rest = piece;
        let mut at = self.at;
        while let Some(c) = rest.chars().next() {
            let word = rest.get(..rest.find(|c| c == '&' || is_space(c)).unwrap_or(rest.len()));
            let length = match word.filter(|word| !word.is_empty()) {
                Some(word) => {
                    self.visible_run(word, at, word.len());
                    word.len()
                }
                None => {
                    let (c, length) = if c == '&' { entity(rest) } else { (c, c.len_utf8()) };
                    self.visible(c, at, length);
                    length
                }
            };
            at += length;
            rest = rest.get(length..).unwrap_or_default();
        }
        self.at = end;
    }

    fn visible(&mut self, c: char, at: usize, length: usize) {
        if is_space(c) {
            if !self.line.text.is_empty() && !self.line.text.ends_with(' ') {
                self.line.push(' ', at, length, self.top());
            }
            return;
        }
        self.visible_run(c.encode_utf8(&mut [0; 4]), at, length);
    }

    /// Characters other than white space that the source spells in `length` bytes from `at` on.
    fn visible_run(&mut self, run: &str, at: usize, length: usize) {
        self.begin(at);
        self.line.push_run(run, at, length, self.top());
        self.line.source.end = at + length;
    }

    fn begin(&mut self, at: usize) {
        if !self.begun {
            self.begun = true;
            self.line.source = at..at;
        }
    }

    fn top(&self) -> usize {
        self.stack.last().copied().unwrap_or(0)
    }

    fn top_name(&self) -> &str {
        self.elements.get(self.top()).map_or("", |element| element.name.as_str())
    }

    /// Ends the line at the edge of an element that begins a new one; an empty line is none.
    fn break_line(&mut self) {
        if self.line.text.is_empty() && self.line.links.is_empty() && !self.line.telephone {
            self.begun = false;
        } else {
            self.end_line();
        }
    }

    /// Ends the line. A link that is still open goes on in the next one.
    fn end_line(&mut self) {
        if let Some(link) = &self.link
            && !self.line.text.get(link.at..).unwrap_or_default().trim().is_empty()
        {
            self.put_link();
        }
        let mut line = std::mem::take(&mut self.line);
        self.begun = false;
        if let Some(link) = &mut self.link {
            link.at = 0;
            link.whole = false;
        }
        line.platform = self.platform.as_ref().map(|(_, platform)| platform.clone());
        if line.text.is_empty() && line.links.is_empty() {
            line.source = self.at..self.at;
        }
        self.lines.push(line);
    }

    fn put_link(&mut self) {
        let Some(link) = &self.link else { return };
        if self.line.links.len() < MAX_LINKS {
            let end = self.line.text.len();
            self.line.links.push(LineLink {
                url: link.url.clone(),
                at: link.at.min(end),
                end,
                link: None,
                marked: link.marked,
                spelled: None,
                targets: link.targets.clone(),
            });
        }
    }

    fn skip_raw(&mut self, name: &str) {
        let rest = self.html.get(self.at..).unwrap_or_default().as_bytes();
        let mut from = 0;
        while let Some(next) = rest.get(from..).and_then(|r| memchr::memmem::find(r, b"</")) {
            let at = from + next;
            if rest.get(at + 2..at + 2 + name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name.as_bytes()))
            {
                let end =
                    rest.get(at..).and_then(|r| memchr::memchr(b'>', r)).map_or(rest.len(), |e| at + e + 1);
                self.at += end;
                return;
            }
            from = at + 2;
        }
        self.at = self.html.len();
    }

    fn finish(mut self) -> Document {
        self.end_link(self.html.len());
        self.end_line();
        for line in &mut self.lines {
            write_out_links(line);
        }
        Document { elements: self.elements, lines: self.lines, edges: Vec::new() }
    }
}

/// Replaces links that the visible text writes out by [`LINK`], and adds those that no anchor covers.
fn write_out_links(line: &mut Line) {
    let written = written_links(&line.text);
    if written.is_empty() {
        return;
    }
    let mut out = Rewritten::default();
    let mut added = Vec::new();
    for link in written {
        out.copy(line, link.source.start);
        let covering = line.links.iter_mut().find(|l| l.at < link.source.end && link.source.start < l.end);
        let covered = covering.is_some();
        if let Some(covering) = covering {
            covering.spelled.get_or_insert_with(|| link.url.clone());
        }
        let at = out.text.len();
        out.put_link(line, link.source.end);
        if !covered && link.url.contains("://") && line.links.len() + added.len() < MAX_LINKS {
            added.push(LineLink {
                url: link.url,
                at,
                end: out.text.len(),
                link: None,
                marked: false,
                spelled: None,
                targets: Vec::new(),
            });
        }
    }
    out.copy(line, line.text.len());
    out.take_rest(line);
    for link in &mut line.links {
        let shift = |place: usize| {
            let by = out.moves.iter().rev().find(|(from, _)| *from <= place).map_or(0, |(_, by)| *by);
            usize::try_from(place as isize + by).unwrap_or(0).min(out.text.len())
        };
        (link.at, link.end) = (shift(link.at), shift(link.end));
    }
    line.links.append(&mut added);
    line.links.sort_by_key(|link| link.at);
    line.text = out.text;
    line.pieces = out.pieces;
}

/// A line while written-out links are taken out of its text.
#[derive(Default)]
struct Rewritten {
    text: String,
    pieces: Vec<Piece>,
    /// Byte of the old text up to which is done.
    at: usize,
    /// Piece of the old line that is next.
    next: usize,
    /// Behind each link: the place in the old text, and by how much the text moved.
    moves: Vec<(usize, isize)>,
}

impl Rewritten {
    /// Copies the text up to byte `end` of the old line.
    fn copy(&mut self, line: &Line, end: usize) {
        let by = self.text.len() as isize - self.at as isize;
        self.text.push_str(line.text.get(self.at..end).unwrap_or_default());
        let moved = |place: usize| usize::try_from(place as isize + by).unwrap_or(0);
        self.pieces_until(line, end, |piece| moved(piece.start)..moved(piece.end));
        self.at = end;
    }

    /// Puts a link in the place of the text up to byte `end`. The elements that its spelling is spread
    /// over stay known.
    fn put_link(&mut self, line: &Line, end: usize) {
        let mut text = self.text.len()..self.text.len() + LINK.len_utf8();
        self.text.push(LINK);
        self.pieces_until(line, end, |_| {
            let shown = text.clone();
            text.start = text.end;
            shown
        });
        self.at = end;
        self.moves.push((end, self.text.len() as isize - end as isize));
    }

    fn pieces_until(
        &mut self,
        line: &Line,
        end: usize,
        mut place: impl FnMut(&Range<usize>) -> Range<usize>,
    ) {
        while let Some(piece) = line.pieces.get(self.next).filter(|piece| piece.text.start < end) {
            let part = piece.clip(self.at, end);
            self.pieces.push(Piece { text: place(&part.text), ..part });
            if piece.text.end > end {
                return;
            }
            self.next += 1;
        }
    }

    /// What stands at the end without showing text.
    fn take_rest(&mut self, line: &Line) {
        let at = self.text.len();
        for piece in line.pieces.get(self.next..).unwrap_or_default() {
            self.pieces.push(Piece { text: at..at, ..piece.clone() });
        }
    }
}

impl Document {
    /// Hands the lines out to be described.
    pub(super) fn take_lines(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.lines)
    }

    /// Takes the described lines back.
    pub(super) fn set_lines(&mut self, lines: Vec<Line>) {
        let mut before = 0;
        self.edges = lines
            .iter()
            .map(|line| {
                let edge = (before, usize::MAX);
                if !line.blank {
                    before = line.source.end;
                }
                edge
            })
            .collect();
        let mut after = usize::MAX;
        for (line, edge) in lines.iter().zip(&mut self.edges).rev() {
            edge.1 = after;
            if !line.blank {
                after = line.source.start;
            }
        }
        self.lines = lines;
    }

    /// The lines.
    pub(super) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The last visible byte before a line and the first behind it.
    pub(super) fn edges(&self, line: usize) -> (usize, usize) {
        self.edges.get(line).copied().unwrap_or((0, usize::MAX))
    }

    /// The bytes from `first` to `last` as whole elements, and the element that these stand in. None where
    /// that would take along what ends behind `before` or begins before `after`.
    pub(super) fn widen(
        &self,
        first: &Piece,
        last: &Piece,
        (before, after): (usize, usize),
    ) -> Option<(Range<usize>, usize)> {
        let mut ancestor = self.common(first.element, last.element);
        let mut range = self.side(first.element, ancestor, first.source.start, |e| e.start)
            ..self.side(last.element, ancestor, last.source.end, |e| e.end);
        if range.start < before || range.end > after {
            return None;
        }
        while let Some(element) = self.elements.get(ancestor).filter(|_| ancestor != 0) {
            let clear = element.start >= before && element.end <= after;
            let table = matches!(element.name.as_str(), "table" | "tbody" | "thead" | "tr" | "ul" | "ol");
            if !clear {
                // Rows and items cannot be replaced by a block; text inline can.
                if table {
                    return None;
                }
                break;
            }
            let alone = self.only_blank_outside(element, &range);
            let climbs =
                is_inline(&element.name) || element.shell || table || (element.name == "div" && alone);
            if !climbs && !is_paragraph(&element.name) {
                break;
            }
            range = range.start.min(element.start)..range.end.max(element.end);
            ancestor = element.parent;
            // What stands around a shell was there before the block.
            if element.shell {
                break;
            }
        }
        Some((range, ancestor))
    }

    /// Makes room for a block element in the place of `range`, which stands in `element`: a paragraph
    /// cannot hold one, so it ends before the block and begins anew behind it.
    pub(super) fn part(
        &self,
        html: &str,
        (range, element): (Range<usize>, usize),
        (before, after): (usize, usize),
    ) -> Place {
        let mut chain = Vec::new();
        let mut current = element;
        while let Some(element) = self.elements.get(current).filter(|_| current != 0) {
            let paragraph = is_paragraph(&element.name);
            if !paragraph && !is_inline(&element.name) || chain.len() >= MAX_DEPTH {
                break;
            }
            chain.push(element);
            current = element.parent;
        }
        // Inline elements around a paragraph hold a block already.
        if let Some(outermost) = chain.iter().rposition(|element| is_paragraph(&element.name)) {
            chain.truncate(outermost + 1);
        }
        let mut place = Place { range, close: String::new(), open: String::new() };
        let Some(outer) = chain.last() else { return place };
        if before > outer.inner_start {
            for element in &chain {
                place.close.push_str(&format!("</{}>", element.name));
            }
        } else {
            place.range.start = outer.start;
        }
        if after < outer.inner_end {
            place.range.end = behind_line_break(html, place.range.end, after);
            for element in chain.iter().rev() {
                place.open.push_str(html.get(element.start..element.inner_start).unwrap_or_default());
            }
        } else {
            place.range.end = outer.end;
        }
        place
    }

    /// Whether nothing at all, not even an empty line, stands in `element` outside `range`.
    fn only_blank_outside(&self, element: &Element, range: &Range<usize>) -> bool {
        (range.start - element.inner_start.min(range.start)) < 64
            && (element.inner_end.max(range.end) - range.end) < 64
    }

    fn common(&self, a: usize, b: usize) -> usize {
        let (mut a, mut b) = (a, b);
        let depth = |i: usize| self.elements.get(i).map_or(0, |e| e.depth);
        let parent = |i: usize| self.elements.get(i).map_or(0, |e| e.parent);
        while a != b {
            if depth(a) >= depth(b) { a = parent(a) } else { b = parent(b) }
        }
        a
    }

    fn side(&self, from: usize, ancestor: usize, at: usize, edge: impl Fn(&Element) -> usize) -> usize {
        let (mut current, mut at) = (from, at);
        while current != ancestor {
            let Some(element) = self.elements.get(current) else { break };
            at = edge(element);
            current = element.parent;
        }
        at
    }
}

/// The bytes of every link target in conditional comments (`<!--[if mso]>…<![endif]-->`).
pub(super) fn conditional_targets(html: &str) -> Vec<Range<usize>> {
    // No invite has more buttons or tags in such comments, and each costs time.
    const MOST: usize = 64;
    const MOST_TAGS: usize = 1000;
    let (mut targets, mut tags) = (Vec::new(), 0);
    let mut done = 0;
    for start in memchr::memmem::find_iter(html.as_bytes(), "<!--[if") {
        // Inside a comment that was read.
        if start < done {
            continue;
        }
        let rest = html.get(start..).unwrap_or_default();
        let comment = rest.get(..rest.find("-->").unwrap_or(rest.len())).unwrap_or_default();
        done = start + comment.len();
        let mut from = 4;
        while let Some(at) = comment.get(from..).and_then(|rest| rest.find('<')).map(|at| from + at) {
            from = at + 1;
            tags += 1;
            if tags > MOST_TAGS {
                return targets;
            }
            let Some(tag) = comment.get(at..).and_then(Tag::parse) else { continue };
            from = at + tag.length;
            targets.extend(tag.place("href").map(|place| start + at + place.start..start + at + place.end));
            if targets.len() >= MOST {
                return targets;
            }
        }
    }
    targets
}

/// The range with both halves of a condition (`<![if !mso]>`, `<![endif]>`) of which it holds one: one alone would hide
/// what follows from Outlook.
pub(super) fn with_conditions(html: &str, range: Range<usize>) -> Range<usize> {
    let inside = html.get(range.clone()).unwrap_or_default();
    let (opened, closed) = (inside.matches("<![if").count(), inside.matches("<![endif]>").count());
    let before = html.get(..range.start).unwrap_or_default().trim_end();
    let behind = html.get(range.end..).unwrap_or_default();
    if closed > opened && before.ends_with("]>") {
        let start = before
            .rfind("<![if")
            .filter(|at| before.get(*at..).is_some_and(|tag| !tag.trim_end_matches("]>").contains('>')));
        return start.unwrap_or(range.start)..range.end;
    }
    if opened > closed && behind.trim_start().starts_with("<![endif]>") {
        let skipped = behind.len() - behind.trim_start().len();
        return range.start..range.end + skipped + "<![endif]>".len();
    }
    range
}

/// Where a replacement goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Bytes to be replaced.
    pub range: Range<usize>,
    /// What a block must have before it.
    pub close: String,
    /// What a block must have behind it.
    pub open: String,
}

/// Behind the `<br>` at `at`, which a paragraph that begins there does not need; `at` where there is none.
fn behind_line_break(html: &str, at: usize, limit: usize) -> usize {
    let rest = html.get(at..limit.min(html.len())).unwrap_or_default();
    let tag = rest.trim_start();
    let skipped = rest.len() - tag.len();
    match Tag::parse(tag) {
        Some(tag) if tag.name == "br" && !tag.closing => at + skipped + tag.length,
        _ => at,
    }
}

/// Elements that hold text and no blocks (HTML, phrasing content).
fn is_paragraph(name: &str) -> bool {
    matches!(name, "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6")
}

fn is_void(name: &str) -> bool {
    matches!(
        name,
        "area"
            | "base"
            | "br"
            | "col"
            | "embed"
            | "hr"
            | "img"
            | "input"
            | "link"
            | "meta"
            | "source"
            | "track"
            | "wbr"
    )
}

fn is_inline(name: &str) -> bool {
    matches!(
        name,
        "a" | "span"
            | "b"
            | "i"
            | "u"
            | "em"
            | "strong"
            | "font"
            | "sub"
            | "sup"
            | "small"
            | "big"
            | "code"
            | "center"
            | "o:p"
    )
}

fn breaks_line(name: &str) -> bool {
    matches!(
        name,
        "p" | "div"
            | "table"
            | "tbody"
            | "thead"
            | "tr"
            | "td"
            | "th"
            | "ul"
            | "ol"
            | "li"
            | "dl"
            | "dt"
            | "dd"
            | "blockquote"
            | "pre"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "section"
            | "article"
            | "header"
            | "footer"
            | "body"
            | "head"
            | "html"
            | "center"
            | "address"
            | "form"
            | "fieldset"
            | "main"
            | "html-blob"
    )
}

/// A tag taken apart.
struct Tag<'a> {
    name: String,
    closing: bool,
    empty: bool,
    length: usize,
    attributes: Vec<(&'a str, Range<usize>)>,
    text: &'a str,
}

impl<'a> Tag<'a> {
    /// The tag at the start of `text`, which begins with `<`. Quoted values may hold `>`; a quote
    /// that never closes ends with the document.
    fn parse(text: &'a str) -> Option<Self> {
        let bytes = text.as_bytes();
        let closing = bytes.get(1) == Some(&b'/');
        let name_start = if closing { 2 } else { 1 };
        if !bytes.get(name_start)?.is_ascii_alphabetic() {
            return None;
        }
        let name_end =
            scan_while(bytes, name_start, |b| !b.is_ascii_whitespace() && !matches!(b, b'>' | b'/' | b'<'));
        let name = text.get(name_start..name_end)?.to_ascii_lowercase();
        let mut attributes = Vec::new();
        let mut at = name_end;
        let mut empty = false;
        loop {
            at = scan_while(bytes, at, |b| b.is_ascii_whitespace());
            match bytes.get(at) {
                None => break,
                Some(b'>') => {
                    at += 1;
                    break;
                }
                Some(b'/') => {
                    empty = true;
                    at += 1;
                }
                Some(_) => {
                    empty = false;
                    at = attribute(text, at, &mut attributes);
                }
            }
        }
        Some(Self { name, closing, empty, length: at, attributes, text })
    }

    /// The bytes of an attribute's value, from the begin of the tag on.
    fn place(&self, name: &str) -> Option<Range<usize>> {
        self.attributes.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, place)| place.clone())
    }

    fn attribute(&self, name: &str) -> Option<Cow<'a, str>> {
        Some(decode(self.text.get(self.place(name)?)?))
    }
}

fn scan_while(bytes: &[u8], from: usize, test: impl Fn(u8) -> bool) -> usize {
    bytes.get(from..).and_then(|rest| rest.iter().position(|b| !test(*b))).map_or(bytes.len(), |n| from + n)
}

/// Reads one attribute at `at`; returns where it ends.
fn attribute<'a>(text: &'a str, at: usize, out: &mut Vec<(&'a str, Range<usize>)>) -> usize {
    let bytes = text.as_bytes();
    let name_end =
        scan_while(bytes, at + 1, |b| !b.is_ascii_whitespace() && !matches!(b, b'=' | b'>' | b'/'));
    let name = text.get(at..name_end).unwrap_or_default();
    let equals = scan_while(bytes, name_end, |b| b.is_ascii_whitespace());
    if bytes.get(equals) != Some(&b'=') {
        return name_end;
    }
    let value_start = scan_while(bytes, equals + 1, |b| b.is_ascii_whitespace());
    let (start, end, next) = match bytes.get(value_start) {
        Some(quote @ (b'"' | b'\'')) => {
            let end = scan_while(bytes, value_start + 1, |b| b != *quote);
            (value_start + 1, end, (end + 1).min(bytes.len()))
        }
        _ => {
            let end = scan_while(bytes, value_start, |b| !b.is_ascii_whitespace() && b != b'>');
            (value_start, end, end)
        }
    };
    // More attributes than any element has are an attack on memory.
    if out.len() < 64 {
        out.push((name, start..end));
    }
    next
}

/// Decodes the entities of an attribute value or of text.
pub(super) fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(rest.get(..at).unwrap_or_default());
        let tail = rest.get(at..).unwrap_or_default();
        let (c, length) = entity(tail);
        out.push(c);
        rest = tail.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The character at the start of `text`, which begins with `&`, and the length of its spelling.
fn entity(text: &str) -> (char, usize) {
    let literal = ('&', 1);
    let Some(end) = text.as_bytes().iter().take(12).position(|b| *b == b';') else { return literal };
    let name = text.get(1..end).unwrap_or_default();
    let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    let c = if let Some(digits) = name.strip_prefix("#x").or_else(|| name.strip_prefix("#X")) {
        number(digits, 16)
    } else if let Some(digits) = name.strip_prefix('#') {
        number(digits, 10)
    } else {
        NAMED.iter().find(|(n, _)| *n == name).map(|(_, c)| *c)
    };
    c.filter(|c| *c != '\0').map_or(literal, |c| (c, end + 1))
}

/// The entities that mail programs write.
const NAMED: &[(&str, char)] = &[
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", '\u{A0}'),
    ("auml", 'ä'),
    ("ouml", 'ö'),
    ("uuml", 'ü'),
    ("Auml", 'Ä'),
    ("Ouml", 'Ö'),
    ("Uuml", 'Ü'),
    ("szlig", 'ß'),
    ("eacute", 'é'),
    ("Eacute", 'É'),
    ("egrave", 'è'),
    ("ecirc", 'ê'),
    ("euml", 'ë'),
    ("agrave", 'à'),
    ("Agrave", 'À'),
    ("acirc", 'â'),
    ("aacute", 'á'),
    ("atilde", 'ã'),
    ("ccedil", 'ç'),
    ("iacute", 'í'),
    ("icirc", 'î'),
    ("iuml", 'ï'),
    ("igrave", 'ì'),
    ("ntilde", 'ñ'),
    ("oacute", 'ó'),
    ("ocirc", 'ô'),
    ("otilde", 'õ'),
    ("ograve", 'ò'),
    ("uacute", 'ú'),
    ("ugrave", 'ù'),
    ("ucirc", 'û'),
    ("aring", 'å'),
    ("Aring", 'Å'),
    ("oslash", 'ø'),
    ("Oslash", 'Ø'),
    ("aelig", 'æ'),
    ("AElig", 'Æ'),
    ("iquest", '¿'),
    ("iexcl", '¡'),
    ("laquo", '«'),
    ("raquo", '»'),
    ("bull", '•'),
    ("middot", '·'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("hellip", '…'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("copy", '©'),
    ("reg", '®'),
    ("trade", '™'),
    ("rarr", '→'),
    ("euro", '€'),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn scanned(html: &str) -> Document {
        let mut document = scan(html);
        let mut lines = document.take_lines();
        for line in &mut lines {
            line.blank = line.text.trim().is_empty() && line.links.is_empty();
        }
        document.set_lines(lines);
        document
    }

    fn find(document: &Document, text: &str) -> usize {
        document.lines.iter().position(|l| l.text.contains(text)).unwrap()
    }

    /// The lines from "Join" to "ID" as whole elements.
    fn widened(html: &str) -> Option<&str> {
        let document = scanned(html);
        let (a, b) = (find(&document, "Join"), find(&document, "ID"));
        let (first, last) = (document.lines[a].pieces.first()?, document.lines[b].pieces.last()?);
        let edges = (document.edges(a).0, document.edges(b).1);
        document.widen(first, last, edges).map(|(range, _)| &html[range])
    }

    #[test]
    fn reads_lines_links_and_entities() {
        let document =
            scanned("<p>Fr&uuml;h<br>Join\r\n now: <A HREF='https://a.test/?x=1&amp;y=2'>here</A></p><p>b");
        let texts: Vec<&str> =
            document.lines.iter().map(|l| l.text.trim()).filter(|t| !t.is_empty()).collect();
        assert_eq!(texts, ["Früh", "Join now: here", "b"]);
        let line = &document.lines[find(&document, "Join")];
        assert_eq!(line.links[0].url, "https://a.test/?x=1&y=2");
    }

    #[test]
    fn widens_to_whole_elements_without_taking_other_text() {
        let html = "<div><p>Hello</p><p><b>Join</b></p><p><i>ID</i> 1</p><p>Bye</p></div>";
        assert_eq!(widened(html), Some("<p><b>Join</b></p><p><i>ID</i> 1</p>"));

        let html = "<p>Hello<br><b>Join</b><br>ID 1<br>Bye</p>";
        assert_eq!(widened(html), Some("<b>Join</b><br>ID 1"));

        let html = "<p>Hello<br>Join</p><p>ID 1</p>";
        assert_eq!(widened(html), None);
    }

    #[test]
    fn survives_html_that_never_closes() {
        for html in [
            "<",
            "<a",
            "<a href=\"https://x",
            "<!--",
            "<style>",
            "</",
            "</p>",
            "&",
            "&#x110000;",
            "<p <b>x",
            "<a href=https://x.test>y",
        ] {
            scanned(html);
        }
        scanned(&"<div>".repeat(10_000));
        scanned(&"<b></i>".repeat(10_000));
    }
}
