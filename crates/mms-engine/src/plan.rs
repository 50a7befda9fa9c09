//! What is to be done with a meeting. Pure.

use std::fmt;
use std::sync::Arc;

use mms_model::port::MeetingPlatform;
use mms_model::{
    Code, Instance, InstanceId, Meeting, MigrationType, OnlineMeeting, Platform, Recognition,
    SourceMeetingType, TargetMeetingType,
};

/// Why a meeting is out of scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// Somebody else organises it.
    NotOrganizer,
    /// No occurrence lies in the future.
    Past,
    /// Cancelled.
    Cancelled,
    /// Not an online meeting.
    NoOnlineMeeting,
    /// Held on a platform that the request does not cover.
    OtherPlatform,
    /// To be refreshed, but held on no platform that is configured.
    NotHeldHere,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotOrganizer => "Somebody else organises it.",
            Self::Past => "No occurrence lies in the future.",
            Self::Cancelled => "It is cancelled.",
            Self::NoOnlineMeeting => "It is not an online meeting.",
            Self::OtherPlatform => "It is held on a platform that the request does not cover.",
            Self::NotHeldHere => {
                "It is held on no platform installation that is configured, so it stays as it is."
            }
        })
    }
}

/// One component that leaves, or is refreshed on, a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Which component.
    pub instance: InstanceId,
    /// The meeting that it names now.
    pub old: OnlineMeeting,
    /// The platform it is to be held on.
    pub platform: Platform,
    /// It is held there already: only its coordinates are refreshed.
    pub refresh: bool,
}

/// What to do with a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Out of scope.
    Skip(SkipReason),
    /// In scope, and where it belongs.
    AlreadyThere,
    /// In scope, and not to be migrated.
    Fail(Code, String),
    /// Replace the blocks of these components.
    Rewrite(Vec<Move>),
}

/// By what a plan is made.
pub struct Rules<'a> {
    /// From where to where.
    pub migration: &'a MigrationType,
    /// The platforms that are configured.
    pub platforms: &'a [Arc<dyn MeetingPlatform>],
    /// People a meeting may have at most, the organizer included; 0 for no limit.
    pub max_attendees: usize,
}

/// Decides about `meeting`.
///
/// Only components that lie in the future and are not cancelled count: a past exception stays as it is, and so does
/// a master whose every upcoming occurrence is an exception.
pub fn plan(meeting: &Meeting, rules: &Rules<'_>) -> Decision {
    if !meeting.organised_by_owner {
        return Decision::Skip(SkipReason::NotOrganizer);
    }
    if !meeting.is_upcoming() {
        let cancelled = meeting.instances.iter().any(|i| i.upcoming && i.cancelled)
            || (!meeting.instances.is_empty() && meeting.instances.iter().all(|i| i.cancelled));
        return Decision::Skip(if cancelled { SkipReason::Cancelled } else { SkipReason::Past });
    }
    let live = || meeting.instances.iter().filter(|i| i.upcoming && !i.cancelled);
    if live().all(|i| i.recognition == Recognition::None) {
        return Decision::Skip(SkipReason::NoOnlineMeeting);
    }
    let covers = |online: &OnlineMeeting| rules.migration.source.covers(&online.platform);
    if let Some(ambiguous) = live().find_map(|i| ambiguity(i, &covers)) {
        return Decision::Fail(Code::AmbiguousMeeting, ambiguous);
    }
    let covered: Vec<(&InstanceId, &OnlineMeeting)> = live()
        .filter_map(|i| match &i.recognition {
            Recognition::One(online) if covers(online) => Some((&i.id, online)),
            _ => None,
        })
        .collect();
    if covered.is_empty() {
        return Decision::Skip(SkipReason::OtherPlatform);
    }
    let moves = match &rules.migration.target {
        TargetMeetingType::Current => refreshes(&covered, rules),
        TargetMeetingType::Platform(target) => {
            // TeamsToTeams asks for current coordinates; under AllToTeams the right link is enough.
            let refresh = matches!(&rules.migration.source, SourceMeetingType::Platform(p) if p == target);
            departures(&covered, target, refresh, rules)
        }
    };
    match moves {
        None => Decision::Skip(SkipReason::NotHeldHere),
        Some(moves) if moves.is_empty() => Decision::AlreadyThere,
        // What only needs fresh coordinates may turn out to be right already: `prepare` asks for the limit then.
        Some(moves) => match too_many(meeting, rules.max_attendees) {
            Some(message) if moves.iter().any(|m| !m.refresh) => {
                Decision::Fail(Code::TooManyAttendees, message)
            }
            _ => Decision::Rewrite(moves),
        },
    }
}

/// The sentence for a meeting over the limit.
pub(crate) fn too_many(meeting: &Meeting, limit: usize) -> Option<String> {
    (limit != 0 && meeting.people() > limit).then(|| {
        format!(
            "the meeting has {} people and the limit is {limit}: give it its new link by hand, or raise max_attendees",
            meeting.people()
        )
    })
}

fn ambiguity(instance: &Instance, covers: &dyn Fn(&OnlineMeeting) -> bool) -> Option<String> {
    let Recognition::Ambiguous(candidates) = &instance.recognition else { return None };
    if !candidates.iter().any(covers) {
        return None;
    }
    let links: Vec<&str> = candidates.iter().filter_map(|c| c.join_url.as_deref()).take(3).collect();
    Some(format!(
        "the event names different meetings ({}): leave one join link in it and start again",
        links.join(", ")
    ))
}

fn refreshes(covered: &[(&InstanceId, &OnlineMeeting)], rules: &Rules<'_>) -> Option<Vec<Move>> {
    let moves: Vec<Move> = covered
        .iter()
        .filter_map(|&(instance, old)| {
            let platform = rules.platforms.iter().find(|p| p.platform() == old.platform && p.holds(old))?;
            Some(Move {
                instance: instance.clone(),
                old: old.clone(),
                platform: platform.platform(),
                refresh: true,
            })
        })
        .collect();
    (!moves.is_empty()).then_some(moves)
}

fn departures(
    covered: &[(&InstanceId, &OnlineMeeting)],
    target: &Platform,
    refresh: bool,
    rules: &Rules<'_>,
) -> Option<Vec<Move>> {
    let holds = |old: &OnlineMeeting| rules.platforms.iter().any(|p| p.platform() == *target && p.holds(old));
    Some(
        covered
            .iter()
            .filter_map(|&(instance, old)| {
                let held = holds(old);
                (!held || refresh).then(|| Move {
                    instance: instance.clone(),
                    old: old.clone(),
                    platform: target.clone(),
                    refresh: held,
                })
            })
            .collect(),
    )
}
