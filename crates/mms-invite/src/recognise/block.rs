//! Meeting blocks in the lines of a body: where one begins and ends, and whether a link is part of
//! one or only mentioned in prose.

use std::ops::Range;

use mms_model::Platform;

use super::field::{self, Fields};
use super::jitsi;
use super::label::{Label, Vocabulary};
use super::language::Votes;
use super::line::{LINK, Line, LineLink, OBJECT, Rule};
use super::own::{self, Context};
use super::url::{Join, Link};
use super::webex;

/// A block that was found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub platform: Platform,
    /// Lines, the last included.
    pub first: usize,
    pub last: usize,
    /// Words in these lines that are people's own, by line and range of its text, in order.
    pub kept: Vec<(usize, Range<usize>)>,
    /// The join link; none where the block only names a conference id.
    pub url: Option<String>,
    /// Keys of every link in the block that joins the same meeting.
    pub keys: Vec<String>,
    pub link_id: Option<String>,
    pub link_passcode: Option<String>,
    pub fields: Fields,
    pub votes: Votes,
    /// A link alone on its line among other text: a block only if something else names its meeting.
    pub bare: bool,
}

/// Most lines that a block grows by in each direction without a frame.
const MAX_GROWTH: usize = 150;
/// Blocks beyond these are not looked for: no invite has so many.
const MAX_BLOCKS: usize = 256;
/// Most lines in a row inside a block that are people's own.
const MAX_STRANGE: usize = 4;
/// Most empty lines inside a block.
const MAX_GAP: usize = 3;

/// Finds the blocks in `lines`, whose links are classified.
pub(super) fn find(lines: &mut [Line], vocabulary: &Vocabulary) -> Vec<Found> {
    promote(lines);
    let frames = frames(lines);
    let mut frame_of: Vec<Option<usize>> = vec![None; lines.len()];
    for (place, frame) in frames.iter().enumerate() {
        for slot in frame_of.get_mut(frame.lines.clone()).unwrap_or_default() {
            slot.get_or_insert(place);
        }
    }
    let mut found: Vec<Found> = Vec::new();
    let mut done = 0;
    for index in 0..lines.len() {
        if index < done {
            continue;
        }
        if found.len() >= MAX_BLOCKS {
            break;
        }
        let frame = frame_of.get(index).copied().flatten().and_then(|place| frames.get(place));
        let Some(seed) = seed(lines, index, frame) else { continue };
        let lowest = done;
        let span = match frame {
            Some(frame) if frame.suits(&seed.platform) => Some((frame.lines.start, frame.lines.end - 1)),
            _ => None,
        };
        let framed = span.is_some();
        let (first, last) = span.unwrap_or_else(|| grow(lines, index, &seed, lowest));
        let block = lines.get(first..=last).unwrap_or_default();
        let proof = framed || seed.proven || is_proven(block, &lines[index], &seed);
        let bare = !proof && lines[index].residue() == 0;
        if !proof && !bare {
            continue;
        }
        let (first, last) = if bare { (index, index) } else { (first, last) };
        let kept = kept(lines, first..last + 1, index, frame.filter(|_| framed), &seed.platform);
        found.push(describe(lines, first..last + 1, kept, seed, bare, vocabulary));
        done = last + 1;
    }
    accept_lone_links(lines, &mut found);
    found
}

/// What a block grows from.
struct Seed {
    platform: Platform,
    url: Option<String>,
    join: Option<Join>,
    /// Needs no more evidence.
    proven: bool,
}

fn join_of(link: &LineLink) -> Option<&Join> {
    match &link.link {
        Some(Link::Join(join)) => Some(join),
        _ => None,
    }
}

fn seed(lines: &[Line], index: usize, frame: Option<&Frame>) -> Option<Seed> {
    let line = lines.get(index)?;
    if line.blank {
        return None;
    }
    // Inside a frame the block's own platform leads; a footer may link to others.
    let own = |link: &&LineLink| {
        join_of(link).is_some_and(|j| frame.is_none_or(|f| !f.is_strict() || f.suits(&j.platform)))
    };
    if let Some(link) = line.links.iter().find(own) {
        let join = join_of(link)?;
        if line.residue() > 30 && !frame.is_some_and(|f| f.suits(&join.platform)) && !link.marked {
            return None;
        }
        return Some(Seed {
            platform: join.platform.clone(),
            url: Some(link.url.clone()),
            join: Some(join.clone()),
            proven: link.marked,
        });
    }
    without_link(lines, index, frame)
}

/// Blocks whose link was lost or never was there.
fn without_link(lines: &[Line], index: usize, frame: Option<&Frame>) -> Option<Seed> {
    let line = lines.get(index)?;
    let proven = |platform| Some(Seed { platform, url: None, join: None, proven: true });
    if webex::is_room_address(&line.text) && line.leading().is_some() {
        return proven(Platform::WEBEX);
    }
    let names = (line.has(Label::Join) || line.has(Label::Title)) && line.residue() <= 12;
    let behind = |lines: &[Line], test: fn(&Line) -> bool| lines.iter().skip(index + 1).take(14).any(test);
    if names && line.text.contains("Teams") {
        let inside = frame.map_or(lines, |f| lines.get(..f.lines.end).unwrap_or(lines));
        let linked = inside.iter().skip(index).take(20).any(|l| l.links.iter().any(|k| join_of(k).is_some()));
        let numbered = behind(inside, |l| l.has(Label::ConferenceId) || l.has(Label::MeetingId));
        let suits = frame.is_some_and(|f| f.suits(&Platform::TEAMS));
        return if !linked && (numbered || suits) { proven(Platform::TEAMS) } else { None };
    }
    if names && (line.text.contains("Skype") || line.text.contains("Lync")) {
        let frame = frame.filter(|f| f.suits(&Platform::SFB))?;
        let inside = lines.get(frame.lines.clone())?;
        let linked = inside.iter().take(MAX_GROWTH).any(|l| l.links.iter().any(|k| join_of(k).is_some()));
        return if linked { None } else { proven(Platform::SFB) };
    }
    None
}

/// A pair of rules and the lines between them.
struct Frame {
    rule: Rule,
    /// Rules included.
    lines: Range<usize>,
}

impl Frame {
    fn suits(&self, platform: &Platform) -> bool {
        match self.rule {
            Rule::Mms => true,
            Rule::Underscores => *platform == Platform::TEAMS,
            Rule::Dots => *platform == Platform::SFB,
            Rule::Meet => *platform == Platform::GOOGLE_MEET,
            Rule::Zoom => *platform == Platform::ZOOM,
            Rule::Inner => false,
        }
    }

    /// Whether links of other platforms inside are no meetings.
    fn is_strict(&self) -> bool {
        !matches!(self.rule, Rule::Inner | Rule::Zoom)
    }
}

fn frames(lines: &[Line]) -> Vec<Frame> {
    let mut frames = Vec::new();
    for kind in [Rule::Mms, Rule::Meet, Rule::Underscores, Rule::Dots, Rule::Zoom] {
        let places = places(lines, kind);
        let mut at = 0;
        while let (Some(open), Some(close)) = (places.get(at), places.get(at + 1)) {
            let inside = lines.get(open.end..close.start).unwrap_or_default();
            // A rule right before a heading opens a block, so the one before it never closed its own.
            let opens = kind == Rule::Underscores && begins_block(lines.get(close.end..).unwrap_or_default());
            let ours = belongs(inside, kind);
            if ours && !(opens && (places.len() - at) % 2 == 1) {
                frames.push(Frame { rule: kind, lines: open.start..close.end });
                at += 2;
            } else {
                at += 1;
            }
        }
    }
    frames
}

/// The rules of one kind; one that was wrapped over several lines is one.
fn places(lines: &[Line], kind: Rule) -> Vec<Range<usize>> {
    let mut out: Vec<Range<usize>> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        if line.rule != Some(kind) {
            continue;
        }
        match out.last_mut() {
            Some(last) if last.end == index && kind == Rule::Dots => last.end = index + 1,
            _ => out.push(index..index + 1),
        }
    }
    out
}

fn begins_block(lines: &[Line]) -> bool {
    lines
        .iter()
        .filter(|l| !l.blank)
        .take(2)
        .any(|l| (l.has(Label::Title) || l.has(Label::Join)) && l.residue() <= 12)
}

/// Whether the lines between two rules are a block of the service that draws such rules.
fn belongs(lines: &[Line], kind: Rule) -> bool {
    let platform = match kind {
        Rule::Mms => return lines.iter().any(|l| l.links.iter().any(|k| join_of(k).is_some())),
        Rule::Meet => return true,
        Rule::Underscores => Platform::TEAMS,
        Rule::Dots => Platform::SFB,
        Rule::Zoom => Platform::ZOOM,
        Rule::Inner => return false,
    };
    let named = |line: &Line| match kind {
        Rule::Underscores => line.text.contains("Teams"),
        Rule::Dots => {
            line.text.contains("Skype") || line.text.contains("Lync") || line.has(Label::ConferenceId)
        }
        _ => line.text.contains("Zoom"),
    };
    lines.iter().any(|line| {
        line.marker.is_some() && kind == Rule::Dots
            || line.links.iter().any(|link| match &link.link {
                Some(Link::Join(join)) => join.platform == platform && line.residue() <= 60,
                _ => false,
            })
            || (line.has(Label::Join) || line.has(Label::Title)) && named(line) && line.residue() <= 12
    })
}

/// Turns links that only look like a meeting into join links where the text around says so.
fn promote(lines: &mut [Line]) {
    let says = |word: &str| lines.iter().any(|l| l.text.len() <= 400 && contains_word(&l.text, word));
    // Words are looked for only where a link waits for them.
    let links = || lines.iter().flat_map(|l| &l.links);
    let weak = |platform: &Platform| {
        links().any(|k| matches!(&k.link, Some(Link::Weak(join)) if join.platform == *platform))
    };
    let skype = weak(&Platform::SFB)
        && (lines.iter().any(|l| l.marker.is_some() || l.rule == Some(Rule::Dots))
            || says("skype")
            || says("lync"));
    let button = weak(&Platform::BIG_BLUE_BUTTON) && (says("bigbluebutton") || says("greenlight"));
    let unsure = links().any(|k| matches!(&k.link, Some(Link::Weak(_)) | None));
    let jitsi = unsure && (links().any(|k| k.link == Some(Link::Part(Platform::JITSI))) || says("jitsi"));
    let teams = lines.iter().any(|l| {
        l.links.iter().any(|k| match &k.link {
            Some(Link::Join(join)) => join.platform == Platform::TEAMS,
            Some(Link::Part(platform)) => *platform == Platform::TEAMS,
            _ => false,
        })
    });
    promote_frames(lines);
    // Beside a link that joins for certain, one on an unknown host is no meeting, whatever is written before it.
    let joined = lines.iter().any(|l| l.links.iter().any(|k| join_of(k).is_some()));
    let conference = lines.iter().any(|l| l.has(Label::ConferenceId));
    let (mut previous_joins, mut previous_online, mut previous_hosts) = (false, false, false);
    for line in lines.iter_mut().filter(|l| !l.blank) {
        let joins = line.has(Label::Join);
        let online = joins && contains_word(&line.text, "online");
        let labelled = joins || previous_joins;
        let names_online = online || previous_online;
        // Webex prints the host's own link below the one for everybody.
        let hosts = contains_word(&line.text, "if you are a host");
        let is_hosts = hosts || previous_hosts;
        (previous_joins, previous_online, previous_hosts) = (joins, online, hosts && line.links.is_empty());
        for link in &mut line.links {
            if is_hosts && matches!(&link.link, Some(Link::Join(join)) if join.platform == Platform::WEBEX) {
                link.link = Some(Link::Part(Platform::WEBEX));
                continue;
            }
            let counts = match &link.link {
                Some(Link::Weak(join)) if join.platform == Platform::SFB => {
                    skype || names_online || labelled && conference
                }
                Some(Link::Weak(join)) if join.platform == Platform::BIG_BLUE_BUTTON => button || labelled,
                Some(Link::Weak(_)) => jitsi || labelled,
                Some(Link::Gateway(_)) if teams => {
                    link.link = Some(Link::Part(Platform::TEAMS));
                    false
                }
                Some(Link::Gateway(_)) => true,
                None if jitsi && !joined && labelled && !link.url.contains("dialInInfo") => {
                    link.link = jitsi::presumed(&link.url).map(Link::Join);
                    false
                }
                _ => false,
            };
            if counts {
                link.link = link.link.take().map(|l| match l {
                    Link::Weak(join) | Link::Gateway(join) => Link::Join(join),
                    other => other,
                });
            }
        }
    }
}

/// Case-insensitive search for an ASCII word.
fn contains_word(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|w| w.eq_ignore_ascii_case(word.as_bytes()))
}

/// In a frame that MMS drew, the first link joins, whatever its host; the platform is what the
/// surrounding element or the heading names.
fn promote_frames(lines: &mut [Line]) {
    let rules: Vec<usize> =
        lines.iter().enumerate().filter(|(_, l)| l.rule == Some(Rule::Mms)).map(|(i, _)| i).collect();
    for pair in rules.windows(2) {
        let &[open, close] = pair else { continue };
        let Some(inside) = lines.get_mut(open..close) else { continue };
        let platform = inside
            .iter()
            .find_map(|l| l.platform.as_deref().and_then(|name| name.parse::<Platform>().ok()))
            .or_else(|| inside.iter().skip(1).take(3).find_map(|l| named_platform(&l.text)));
        let Some(link) = inside.iter_mut().flat_map(|l| &mut l.links).next() else { continue };
        if let Some(Link::Join(join)) = &mut link.link {
            if let Some(platform) = platform
                && join.platform != platform
            {
                join.platform = platform;
            }
            continue;
        }
        let weak = match link.link.take() {
            Some(Link::Weak(join) | Link::Gateway(join)) => Some(join),
            _ => None,
        };
        let Some(platform) = platform.or_else(|| weak.as_ref().map(|j| j.platform.clone())) else { continue };
        let join = weak
            .filter(|j| j.platform == platform)
            .or_else(|| if platform == Platform::JITSI { jitsi::presumed(&link.url) } else { None });
        let key = || format!("{}:{}", platform.name().to_ascii_lowercase(), link.url);
        link.link = Some(Link::Join(join.unwrap_or_else(|| Join::new(platform.clone(), key(), None))));
    }
}

/// The platform that a heading names.
fn named_platform(text: &str) -> Option<Platform> {
    let name = text.split([':', LINK]).next()?.trim();
    let squeezed: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
    let squeezed = squeezed.to_ascii_lowercase();
    if squeezed.is_empty() {
        return None;
    }
    let long = [
        ("jitsimeet", Platform::JITSI),
        ("microsoftteams", Platform::TEAMS),
        ("skypeforbusiness", Platform::SFB),
        ("zoommeeting", Platform::ZOOM),
        ("ciscowebex", Platform::WEBEX),
        ("gotomeeting", Platform::GOTO),
    ];
    let known = Platform::KNOWN.iter().find(|p| p.name().eq_ignore_ascii_case(&squeezed)).cloned();
    known.or_else(|| long.into_iter().find(|(n, _)| *n == squeezed).map(|(_, p)| p))
}

/// The lines around `index` that belong to the same block, without a frame to go by.
fn grow(lines: &[Line], index: usize, seed: &Seed, lowest: usize) -> (usize, usize) {
    let mut last = index;
    let mut at = index + 1;
    let (mut gap, mut dates, mut strange) = (0, 0, 0);
    let mut said = Said::default();
    said.hear(lines.get(index));
    while let Some(line) = lines.get(at).filter(|_| at - index <= MAX_GROWTH) {
        if closes(line, &seed.platform) {
            // A closing rule whose opening one is missing.
            if gap <= 1 && !begins_block(lines.get(at + 1..).unwrap_or_default()) {
                last = at;
            }
            break;
        }
        if introduces_another(lines, at, seed) {
            break;
        }
        let ours = is_block_line(line, seed, true) || said.is_value(line);
        if line.blank {
            gap += 1;
            said.awaits = None;
            if gap > MAX_GAP {
                break;
            }
        } else if is_decoration(line) {
            // A rule belongs to the block only where more of the block follows.
            gap = 0;
        } else if ours && (strange == 0 || said.goes_on(line, seed)) {
            // Topic and time are the block's only where more of it follows.
            if !line.leading().is_some_and(|hit| hit.label == Label::Heading) {
                last = at;
            }
            said.hear(Some(line));
            (gap, dates, strange) = (0, 0, 0);
        } else if is_service_date(&line.text) && dates < 3 {
            (gap, dates) = (0, dates + 1);
        } else if strange < MAX_STRANGE && !starts_another(line, seed) {
            (gap, strange) = (0, strange + 1);
        } else {
            break;
        }
        at += 1;
    }
    last = last.max(lone_rule(lines, index, seed).unwrap_or(last));
    let mut first = index;
    let mut gap = 0;
    for at in (lowest..index).rev().take(MAX_GROWTH) {
        let Some(line) = lines.get(at) else { break };
        if closes(line, &seed.platform) {
            first = at;
            break;
        }
        if line.blank {
            gap += 1;
            if gap > 2 {
                break;
            }
        } else if is_block_line(line, seed, false) {
            first = at;
            gap = 0;
        } else {
            break;
        }
    }
    (opening(lines, first, lowest), last)
}

/// What a block has said so far.
#[derive(Default)]
struct Said {
    meeting_id: Option<String>,
    passcode: bool,
    /// The line before was the label of a value.
    awaits: Option<Label>,
}

impl Said {
    fn hear(&mut self, line: Option<&Line>) {
        let Some(line) = line else { return };
        self.meeting_id = self.meeting_id.take().or_else(|| printed_id(line));
        self.passcode |= line.has(Label::Passcode);
        self.awaits = own::awaits(line);
    }

    /// Whether the line is the value of the label on the line before.
    fn is_value(&self, line: &Line) -> bool {
        self.awaits.is_some() && line.labels.is_empty() && line.links.is_empty() && {
            let context = Context { awaits: self.awaits, ..Context::default() };
            own::kept(line, context).is_empty()
        }
    }

    /// Whether the block goes on with this line behind words that are people's own: it must speak of the
    /// same meeting, and of nothing else.
    fn goes_on(&self, line: &Line, seed: &Seed) -> bool {
        let part = line.links.iter().any(|link| match &link.link {
            Some(Link::Join(join)) => same_meeting(seed, join),
            Some(Link::Part(platform)) => *platform == seed.platform,
            _ => false,
        });
        let same_id = || match (&self.meeting_id, printed_id(line)) {
            (Some(own), Some(id)) => *own == id,
            (None, Some(_)) => true,
            _ => false,
        };
        let label = line.leading().is_some_and(|hit| match hit.label {
            Label::MeetingId => same_id(),
            Label::ConferenceId | Label::VideoId => own::kept(line, Context::default()).is_empty(),
            Label::Passcode => !self.passcode && own::kept(line, Context::default()).is_empty(),
            Label::DialIn | Label::Extra => {
                hit.end - hit.start >= 10 && own::kept(line, Context::default()).is_empty()
            }
            _ => false,
        });
        part || label || line.text.contains(",,") && field::is_number_line(line, false)
    }
}

/// The digits of the meeting id that a line prints.
fn printed_id(line: &Line) -> Option<String> {
    let id = Fields::read(std::slice::from_ref(line)).meeting_id?;
    Some(id.chars().filter(char::is_ascii_alphanumeric).collect())
}

/// Whether another meeting's text begins with the line.
fn starts_another(line: &Line, seed: &Seed) -> bool {
    line.has(Label::Opening)
        || line.rule.is_some()
        || line.links.iter().filter_map(join_of).any(|join| !same_meeting(seed, join))
}

/// Whether the label at `at` stands over the link of another meeting: "Join Zoom Meeting", and its link below.
fn introduces_another(lines: &[Line], at: usize, seed: &Seed) -> bool {
    const REACH: usize = 4;
    let heads = |line: &&Line| line.links.is_empty() && (line.has(Label::Join) || line.has(Label::Title));
    if !lines.get(at).is_some_and(|line| heads(&line)) {
        return false;
    }
    let mut below = lines.iter().skip(at + 1).filter(|line| !line.blank).take(REACH);
    let leads_to = below.find(|line| !heads(line));
    leads_to.is_some_and(|line| line.links.iter().filter_map(join_of).any(|join| !same_meeting(seed, join)))
}

/// The closing rule of a Teams block that lost its opening one: what an administrator wrote between
/// the link and the rule is part of the block, as long as Teams' own links stand there too.
fn lone_rule(lines: &[Line], index: usize, seed: &Seed) -> Option<usize> {
    const REACH: usize = 40;
    if seed.platform != Platform::TEAMS {
        return None;
    }
    let below = lines.get(index + 1..)?;
    let at = below.iter().take(REACH).position(|l| l.rule == Some(Rule::Underscores))?;
    let part = |line: &Line| {
        line.links.iter().any(|l| l.link == Some(Link::Part(Platform::TEAMS))) && line.residue() <= 30
    };
    let other = |line: &Line| line.links.iter().filter_map(join_of).any(|join| !same_meeting(seed, join));
    let between = below.get(..at)?;
    let opens = begins_block(below.get(at + 1..).unwrap_or_default());
    (between.iter().any(part) && !between.iter().any(other) && !opens).then_some(index + 1 + at)
}

/// The line with which the service opens its text, where it stands a few lines above: what is
/// between (topic, time) is the service's as well.
fn opening(lines: &[Line], first: usize, lowest: usize) -> usize {
    const REACH: usize = 14;
    let from = first.saturating_sub(REACH).max(lowest);
    let above = lines.get(from..first).unwrap_or_default();
    match above.iter().rposition(|l| l.has(Label::Opening)) {
        Some(at) if above.iter().skip(at).all(|l| l.links.iter().all(|k| join_of(k).is_none())) => {
            let before = from + at;
            // The frame of Zoom's add-ons stands above.
            let rule =
                before.checked_sub(2).filter(|r| lines.get(*r).is_some_and(|l| l.rule == Some(Rule::Zoom)));
            rule.filter(|r| *r >= lowest).unwrap_or(before)
        }
        _ => first,
    }
}

fn closes(line: &Line, platform: &Platform) -> bool {
    line.rule.is_some_and(|rule| Frame { rule, lines: 0..0 }.suits(platform) && rule != Rule::Mms)
}

/// Whether a line beside a join link belongs to its block.
fn is_block_line(line: &Line, seed: &Seed, below: bool) -> bool {
    if line.rule.is_some() {
        return false;
    }
    if line.marker.is_some() {
        return true;
    }
    let residue = line.residue();
    let mut known = false;
    for link in &line.links {
        match &link.link {
            Some(Link::Join(join)) => {
                if !same_meeting(seed, join) {
                    return false;
                }
                known = true;
            }
            Some(Link::Part(_) | Link::Gateway(_)) => known = true,
            Some(Link::Weak(_)) | None => {}
        }
    }
    // Skype for Business asks and answers in a line: "Forgot your dial-in PIN? <…> | Help <…>".
    let talks = seed.platform == Platform::SFB && known && line.text.chars().count() <= 120;
    if known && residue <= 30 || talks && residue <= 90 {
        return true;
    }
    let value = |hit: &super::label::Hit| line.text.len() - hit.end <= 60;
    let by_label = line.leading().is_some_and(|hit| match hit.label {
        Label::MeetingId | Label::ConferenceId | Label::VideoId | Label::Passcode | Label::Pin => value(hit),
        Label::DialIn => residue <= 60,
        Label::Join => residue <= 30,
        Label::Extra => residue <= 45,
        Label::Title => residue <= 4,
        Label::Opening => true,
        Label::Heading => residue <= 60 && line.links.is_empty() && below,
    });
    if by_label {
        return true;
    }
    below
        && (line.has(Label::VideoId) && residue <= 40
            || line.telephone && residue <= 60
            || field::is_number_line(line, true)
            || is_room_system(&line.text))
}

/// The words in a block that are people's own.
///
/// Without a frame, whatever no label, value or link of the service explains. Inside a frame the service's
/// own words may be in a language that the vocabulary lacks, and administrators put footers there, so less
/// can be told: where the frame shows labels of a known language, words count as people's own on the line of
/// a value or join link, between these lines, and behind all that the service wrote. Lines between the values
/// and the service's last links are the footer's place. Frames that MMS drew are replaced whole: templates
/// may say anything in them.
fn kept(
    lines: &[Line],
    span: Range<usize>,
    index: usize,
    frame: Option<&Frame>,
    platform: &Platform,
) -> Vec<(usize, Range<usize>)> {
    let mut kept = Vec::new();
    let block = lines.get(span.clone()).unwrap_or_default();
    let labelled = block.iter().filter(|line| !line.labels.is_empty()).count();
    if frame.is_some_and(|frame| frame.rule == Rule::Mms || labelled < 2) {
        return kept;
    }
    // A second line with the join link may be somebody's sentence; which one is the service's cannot be told then.
    let joins_once = block.iter().filter(|line| line.links.iter().any(joins_skype)).count() == 1
        && (frame.is_some() || block.iter().any(|line| line.links.iter().any(helps_skype)));
    let footer = footer(block);
    let mut context = Context::default();
    let mut opened = frame.is_some();
    for (at, line) in block.iter().enumerate() {
        opened |= line.has(Label::Opening);
        context.headings = opened || span.start + at > index;
        context.dial_in |= frame.is_some();
        let mut own = own::kept(line, context);
        if let Some(frame) = frame {
            own.retain(|range| is_written(line, range, frame.rule, footer.contains(&at)));
        } else if line.text.trim() == OBJECT.to_string() && line.links.is_empty() {
            own.push(0..line.text.len());
        }
        if frame.is_some() || *platform == Platform::SFB {
            own.retain(|range| !is_link_text(line, range, joins_once));
        }
        context = context.behind(line, &own);
        kept.extend(own.into_iter().map(|range| (span.start + at, range)));
    }
    kept
}

/// The place of an administrator's footer in a frame: behind the values, up to the service's last links.
fn footer(block: &[Line]) -> Range<usize> {
    let values = block.iter().rposition(|line| {
        line.leading().is_some_and(|hit| own::takes_value(hit.label) || hit.label == Label::DialIn)
            || line.links.iter().any(|link| join_of(link).is_some())
    });
    let links = block
        .iter()
        .rposition(|line| line.leading().is_some() || !line.links.is_empty() || line.marker.is_some());
    values.map_or(0, |at| at + 1)..links.unwrap_or(0)
}

/// Whether words inside a frame can be told from what a service or its administrator put there.
fn is_written(line: &Line, range: &Range<usize>, rule: Rule, footer: bool) -> bool {
    if range.len() < line.text.trim().len() {
        let joins = line.links.iter().any(|link| join_of(link).is_some());
        let valued = line.leading().is_some_and(|hit| own::takes_value(hit.label));
        return joins || valued;
    }
    // "… for Skype for Business, the … app formerly known as Lync": the names stand in every language.
    if rule == Rule::Dots && line.text.contains("Skype") && line.text.contains("Lync") {
        return false;
    }
    let digits = line.text.bytes().filter(u8::is_ascii_digit).count();
    let numbers = digits >= 4 && line.residue() <= 60;
    !footer && line.links.is_empty() && !line.telephone && !numbers && line.leading().is_none()
}

/// Whether the words are the text of the link behind them, which Outlook writes out: "Forgot your PIN? <https://…>".
/// `joins_once` says that the block's only join link of Skype for Business is that of its heading.
fn is_link_text(line: &Line, range: &Range<usize>, joins_once: bool) -> bool {
    let Some(link) = line.links.iter().find(|link| link.at >= range.end) else { return false };
    // All that stands before it is in words of the service.
    if is_web_app(link) && line.text.chars().count() <= 160 {
        return true;
    }
    let adjoins = line.text.get(range.end..link.at).is_some_and(|between| between.trim().is_empty());
    let help = line.leading().is_some_and(|hit| hit.label == Label::Extra);
    let words = line.text.get(range.clone()).unwrap_or_default();
    let heading = joins_once
        && joins_skype(link)
        && (words.contains("Skype") || words.contains("Lync"))
        && words.split_whitespace().count() <= 7
        && !words.contains(['.', ',', ';', ':', '!', '?', '。', '、']);
    adjoins && (help || heading || matches!(link.link, Some(Link::Part(_) | Link::Gateway(_))))
}

/// Whether the link joins by Skype Web App, `?sl=1`.
fn is_web_app(link: &LineLink) -> bool {
    link.url.ends_with("?sl=1") && join_of(link).is_some_and(|join| join.platform == Platform::SFB)
}

fn joins_skype(link: &LineLink) -> bool {
    !is_web_app(link) && join_of(link).is_some_and(|join| join.platform == Platform::SFB)
}

/// Whether the service puts such a link beside its join link, and people do not.
fn helps_skype(link: &LineLink) -> bool {
    is_web_app(link) || link.link == Some(Link::Part(Platform::SFB))
}

fn same_meeting(seed: &Seed, join: &Join) -> bool {
    seed.join.as_ref().is_none_or(|own| {
        own.key == join.key
            || own.platform == Platform::TEAMS
                && join.platform == Platform::TEAMS
                && is_short(&own.key) != is_short(&join.key)
    })
}

/// Whether the key is that of a short Teams link.
pub(super) fn is_short(key: &str) -> bool {
    key.starts_with("teams:meet/")
}

/// A rule inside a block, or a line of dashes or stars.
pub(super) fn is_decoration(line: &Line) -> bool {
    let short = line.text.len() <= 200 && line.links.is_empty() && !line.text.contains(own::is_word);
    let rule = matches!(line.rule, Some(Rule::Inner | Rule::Dots | Rule::Zoom));
    rule || line.rule.is_none() && short
}

/// `123456789@zoomcrc.com`, `162.255.37.11 (US West)`.
pub(super) fn is_room_system(text: &str) -> bool {
    let text = text.trim().trim_start_matches(['•', '-', '*', '·', ' ']);
    let text = text.strip_prefix("Dial ").unwrap_or(text);
    let first = text.split(' ').next().unwrap_or_default();
    let address = first.split_once('@').is_some_and(|(user, host)| {
        let mut labels = host.rsplit('.');
        let is_domain = labels
            .next()
            .is_some_and(|label| label.len() >= 2 && label.bytes().all(|b| b.is_ascii_alphabetic()));
        let rest: Vec<&str> = labels.collect();
        let is_label =
            |label: &&str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let is_host = is_domain && !rest.is_empty() && rest.iter().all(is_label);
        user.bytes().filter(u8::is_ascii_digit).count() >= 6 && is_host && text.len() <= 120
    });
    let numeric = first.split('.').count() == 4
        && first.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'#')
        && text.len() <= 60;
    address || numeric
}

/// "Tuesday, September 5, 2023 10:00 AM | 30 minutes | (UTC-04:00) Eastern Time".
pub(super) fn is_service_date(text: &str) -> bool {
    text.len() <= 240
        && text.contains(':')
        && (text.contains("(UTC") || text.contains("(GMT"))
        && text.bytes().filter(u8::is_ascii_digit).count() >= 5
}

/// Whether a grown block shows more than a link.
fn is_proven(block: &[Line], line: &Line, seed: &Seed) -> bool {
    let introduced = line.links.iter().any(|link| join_of(link).is_some() && introduces(line, link));
    let label_before_link = line.links.iter().filter(|l| join_of(l).is_some()).any(|link| {
        let before = line.text.get(..link.at).unwrap_or_default();
        line.labels
            .iter()
            .any(|h| h.label == Label::Join && (h.end <= link.at || link.at <= h.start && h.end <= link.end))
            || names_platform(before)
    });
    let others = block.iter().any(|l| {
        l.labels.iter().any(|h| match h.label {
            Label::Heading | Label::Pin => false,
            Label::Extra | Label::DialIn => l.residue() <= 12 && h.end - h.start >= 8,
            Label::Join => l.residue() <= 30,
            _ => true,
        }) || l.links.iter().any(|k| match &k.link {
            Some(Link::Part(platform)) => *platform == seed.platform,
            Some(Link::Gateway(_)) => seed.platform == Platform::TEAMS,
            _ => false,
        })
    });
    label_before_link || introduced || others
}

/// Whether a few words that speak of joining and a colon stand before a link, and nothing behind it: "Join here: https://…".
fn introduces(line: &Line, link: &LineLink) -> bool {
    const MOST_WORDS: usize = 5;
    const JOINING: [&str; 14] = [
        "join",
        "meeting",
        "video call",
        "online",
        "teilnahme",
        "teilnehmen",
        "beitreten",
        "einwählen",
        "zugang",
        "besprechung",
        "rejoindre",
        "réunion",
        "unirse",
        "reunión",
    ];
    let lead = line.text.get(..link.at).unwrap_or_default().trim();
    let behind = line.text.get(link.end..).unwrap_or_default();
    lead.strip_suffix([':', '：']).is_some_and(|words| {
        let count = words.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count();
        let lower = words.to_lowercase();
        let joins = JOINING.iter().any(|word| lower.contains(word));
        joins && count <= MOST_WORDS && !words.contains(['.', '!', '?', '。'])
    }) && !behind.contains(own::is_word)
}

/// "Zoom: https://…": the text before a link names the service and nothing else.
pub(super) fn names_platform(before: &str) -> bool {
    let name = before.trim().trim_start_matches(['-', '*', '•', ' ']);
    name.strip_suffix([':', '：', '-', '–']).is_some_and(|name| {
        let name = name.trim();
        named_platform(name).is_some()
            || ["Google Meet", "Meet", "BBB", "Zoom Meeting", "Webex Meeting", "MS Teams", "Video conference"]
                .iter()
                .any(|n| n.eq_ignore_ascii_case(name))
    })
}

/// A link that is all that a body says is a meeting.
fn accept_lone_links(lines: &[Line], found: &mut [Found]) {
    let Some(key) = found.first().and_then(|f| f.keys.first().cloned()) else { return };
    let only_links = lines.iter().filter(|l| !l.blank && l.rule.is_none()).all(|line| {
        line.residue() == 0
            && line.links.iter().all(|l| join_of(l).is_some_and(|j| j.key == key))
            && !line.links.is_empty()
    });
    if only_links {
        found.iter_mut().for_each(|f| f.bare = false);
    }
}

fn describe(
    lines: &[Line],
    span: Range<usize>,
    kept: Vec<(usize, Range<usize>)>,
    seed: Seed,
    bare: bool,
    vocabulary: &Vocabulary,
) -> Found {
    let block = lines.get(span.clone()).unwrap_or_default();
    let mut keys: Vec<String> = seed.join.iter().map(|j| j.key.clone()).collect();
    for join in block.iter().flat_map(|l| &l.links).filter_map(join_of) {
        if same_meeting(&seed, join) && !keys.contains(&join.key) && keys.len() < 8 {
            keys.push(join.key.clone());
        }
    }
    Found {
        platform: seed.platform,
        first: span.start,
        last: span.end - 1,
        kept,
        url: seed.url,
        keys,
        link_id: seed.join.as_ref().and_then(|j| j.id.clone()),
        link_passcode: seed.join.and_then(|j| j.passcode),
        fields: Fields::read(block),
        votes: Votes::of(block, vocabulary),
        bare,
    }
}
