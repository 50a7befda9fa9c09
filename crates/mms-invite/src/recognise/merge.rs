//! Joins what the parts of an event say to the meetings they speak of.

use mms_model::{OnlineMeeting, Platform};

use super::block::{Found, is_short};
use super::language::Votes;

/// Where a statement was found; earlier kinds lead for what attendees see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    Body,
    Property,
    Location,
}

/// What one part of an event says about its meeting.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub origin: Origin,
    pub platform: Platform,
    pub keys: Vec<String>,
    pub url: Option<String>,
    pub meeting_id: Option<String>,
    pub link_id: Option<String>,
    pub passcode: Option<String>,
    pub has_dial_in: bool,
    pub votes: Votes,
    pub block: Option<(usize, usize)>,
    /// Counts only beside another statement about the same meeting.
    pub bare: bool,
}

impl Source {
    pub(super) fn new(origin: Origin, platform: Platform) -> Self {
        Self {
            origin,
            platform,
            keys: Vec::new(),
            url: None,
            meeting_id: None,
            link_id: None,
            passcode: None,
            has_dial_in: false,
            votes: Votes::default(),
            block: None,
            bare: false,
        }
    }

    pub(super) fn block(found: &Found, body: usize, place: usize) -> Self {
        let fields = found.fields.clone();
        // The id that is printed for joining by computer, else by telephone, else by room system; for
        // Meet the code in the link is what people type.
        let printed = fields.meeting_id.or(fields.conference_id).or(fields.video_id);
        let meet = found.platform == Platform::GOOGLE_MEET;
        let meeting_id =
            if meet { found.link_id.clone() } else { printed.map(|id| id.trim_end_matches('#').to_owned()) };
        let passcode =
            fields.passcode.or(found.link_passcode.clone()).or(if meet { fields.pin } else { None });
        Self {
            keys: found.keys.clone(),
            url: found.url.clone(),
            meeting_id,
            link_id: found.link_id.clone(),
            passcode,
            has_dial_in: fields.has_dial_in,
            votes: found.votes.clone(),
            block: Some((body, place)),
            bare: found.bare,
            ..Self::new(Origin::Body, found.platform.clone())
        }
    }
}

/// A meeting and the blocks that are its own.
#[derive(Debug)]
pub(super) struct Merged {
    pub meeting: OnlineMeeting,
    pub blocks: Vec<(usize, usize)>,
    /// Every key under which a part of the event speaks of it.
    pub keys: Vec<String>,
}

/// More meetings than this in one event are not told apart any further.
const MAX_MEETINGS: usize = 16;

/// Groups what speaks of the same meeting. Where `scheduled` is set, a link alone on its line that nothing else
/// speaks of is a meeting, if it is the only one.
pub(super) fn merge(mut sources: Vec<Source>, location: Votes, scheduled: bool) -> Vec<Merged> {
    if scheduled
        && sources.iter().all(|source| source.bare)
        && let Some((first, rest)) = sources.split_first()
        && rest.iter().all(|source| source.keys == first.keys)
    {
        sources.iter_mut().for_each(|source| source.bare = false);
    }
    let (bare, sources): (Vec<_>, Vec<_>) = sources.into_iter().partition(|s| s.bare);
    let (keyed, keyless): (Vec<_>, Vec<_>) = sources.into_iter().partition(|s| !s.keys.is_empty());
    let mut groups: Vec<Vec<Source>> = Vec::new();
    for source in keyed {
        add(&mut groups, source);
    }
    join_short_links(&mut groups);
    for source in keyless {
        let of_platform = |group: &Vec<Source>| group.iter().any(|s| s.platform == source.platform);
        match groups.iter().position(of_platform) {
            Some(at) => groups[at].push(source),
            None => groups.push(vec![source]),
        }
    }
    // What says nothing but a number or a dead link is no meeting.
    groups.retain(|group| group.iter().any(|s| s.url.is_some() || !s.keys.is_empty() || s.block.is_some()));
    for source in bare {
        if let Some(group) = groups.iter_mut().find(|group| shares_key(group, &source)) {
            group.push(source);
        }
    }
    groups.into_iter().map(|group| conclude(group, &location)).collect()
}

fn shares_key(group: &[Source], source: &Source) -> bool {
    group.iter().any(|s| s.keys.iter().any(|key| source.keys.contains(key)))
}

fn add(groups: &mut Vec<Vec<Source>>, source: Source) {
    let matching: Vec<usize> =
        (0..groups.len()).filter(|i| groups.get(*i).is_some_and(|g| shares_key(g, &source))).collect();
    match matching.as_slice() {
        [] if groups.len() >= MAX_MEETINGS => {}
        [] => groups.push(vec![source]),
        [first, rest @ ..] => {
            let mut joined: Vec<Source> = rest.iter().rev().flat_map(|i| groups.remove(*i)).collect();
            if let Some(group) = groups.get_mut(*first) {
                group.append(&mut joined);
                group.push(source);
            }
        }
    }
}

/// A short Teams link carries neither thread nor organiser. Where an event holds exactly one short
/// and one long link, they are the two ways to write its meeting.
fn join_short_links(groups: &mut Vec<Vec<Source>>) {
    let places = |short: bool| -> Vec<usize> {
        let teams = |s: &Source| s.platform == Platform::TEAMS && s.keys.iter().all(|k| is_short(k) == short);
        (0..groups.len()).filter(|i| groups.get(*i).is_some_and(|g| g.iter().all(teams))).collect()
    };
    if let (&[short], &[long]) = (places(true).as_slice(), places(false).as_slice()) {
        let mut joined = groups.remove(short);
        if let Some(group) = groups.get_mut(if long > short { long - 1 } else { long }) {
            group.append(&mut joined);
        }
    }
}

fn conclude(mut group: Vec<Source>, location: &Votes) -> Merged {
    let structured = group.iter().find(|s| s.origin == Origin::Property && !s.keys.is_empty());
    let platform = structured.or(group.first()).map_or(Platform::TEAMS, |s| s.platform.clone());
    group.sort_by_key(|s| s.origin);
    let first = |get: fn(&Source) -> &Option<String>| group.iter().find_map(|s| get(s).clone());
    let mut votes = Votes::default();
    group.iter().for_each(|s| votes.join(&s.votes));
    let join_url = first(|s| &s.url);
    let meeting_id = first(|s| &s.meeting_id).or_else(|| first(|s| &s.link_id));
    let keys = || group.iter().flat_map(|s| &s.keys);
    let key = keys().find(|k| !is_short(k)).or_else(|| keys().next()).cloned();
    let fallback = || {
        let id: String =
            meeting_id.iter().flat_map(|id| id.chars()).filter(|c| c.is_alphanumeric()).collect();
        format!("{}:id/{id}", platform.name().to_ascii_lowercase())
    };
    let meeting = OnlineMeeting {
        key: key.unwrap_or_else(fallback),
        join_url,
        passcode: first(|s| &s.passcode),
        has_dial_in: group.iter().any(|s| s.has_dial_in),
        language: votes.winner().or_else(|| location.winner()),
        meeting_id,
        platform,
    };
    Merged {
        meeting,
        blocks: group.iter().filter_map(|s| s.block).collect(),
        keys: group.iter().flat_map(|s| &s.keys).cloned().collect(),
    }
}
