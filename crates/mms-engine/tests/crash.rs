//! Crashes: the run is dropped at its Nth await and taken up by another worker after its lease ran out. Whatever N:
//! each event is written once, each attendee told once, nothing is lost.

#![allow(clippy::unwrap_used)]

mod world;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use jiff::SignedDuration;
use mms_engine::{Engine, EngineSettings, RollbackSelection};
use mms_model::{Clock as _, RequestId, State};
use proptest::prelude::*;
use world::*;

const A: &str = "anna@corp.test";
const B: &str = "bob@partner.test";

/// Polls a future at most so many times, then drops it: a crash.
struct Crash<F>(Pin<Box<F>>, usize);

impl<F: Future> Future for Crash<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.1 == 0 {
            return Poll::Ready(None);
        }
        self.1 -= 1;
        self.0.as_mut().poll(context).map(Some)
    }
}

async fn crash_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    Crash(Box::pin(future), polls).await
}

fn fill(world: &World) {
    world.add("a", "MASTER zoom:1 hello\nEXC1 zoom:2 other", &[A, B]);
    world.add("b", "MASTER zoom:2 hello", &[A]);
    world.add("c", "MASTER nothing", &[A]);
    world.add("d", "MASTER zoom:3 hello", &[B]);
}

async fn fresh(world: &World, folder: &std::path::Path) -> Engine {
    world.engine(world.store(folder).await, EngineSettings::default())
}

async fn after_the_lease(world: &World) {
    world.clock.set(world.clock.now() + SignedDuration::from_mins(6));
}

fn check_migrated(world: &World, may_miss_one: bool) {
    world.with(|s| {
        for (id, event) in &s.events {
            assert!(!event.content.contains("zoom:"), "{id} was not migrated: {}", event.content);
            assert!(event.writes.len() <= 1, "{id} was written {} times", event.writes.len());
        }
        let mut ids: Vec<_> = s.mails.iter().map(|(id, ..)| id).collect();
        ids.sort();
        let all = ids.len();
        ids.dedup();
        assert_eq!(all, ids.len(), "a mail was sent twice");
        // A crash between the note and the final dot may cost one mail where the sender cannot tell, and never gives two.
        let least = if may_miss_one { 3 } else { 4 };
        assert!((least..=4).contains(&all), "{all} mails");
    });
}

#[tokio::test]
async fn a_crash_at_any_point_of_a_run_neither_loses_nor_doubles() {
    crash_runs_at_each_point(false).await;
}

#[tokio::test]
async fn where_the_sender_knows_what_left_a_crash_costs_no_mail_either() {
    crash_runs_at_each_point(true).await;
}

async fn crash_runs_at_each_point(knows_ended_mails: bool) {
    let mut polls = 1;
    loop {
        let world = World::new();
        world.with(|s| (s.knows_ended_mails, s.reads_back) = (knows_ended_mails, knows_ended_mails));
        fill(&world);
        let folder = tempfile::tempdir().unwrap();
        let engine = fresh(&world, folder.path()).await;
        let id = start(&engine, "AllToJitsi").await;
        let done = crash_after(polls, engine.run_due(&|_| {})).await.is_some();
        drop(engine);
        after_the_lease(&world).await;
        let engine = fresh(&world, folder.path()).await;
        let request = run_to_the_end(&world, &engine, id).await;
        assert_eq!(
            request.state,
            State::Succeeded,
            "crash at poll {polls}: {:#?}",
            records(&engine, id).await
        );
        assert_eq!((request.counts.total, request.counts.succeeded), (3, 3), "crash at poll {polls}");
        check_migrated(&world, !done && !knows_ended_mails);
        if done {
            assert!(polls > 20, "the crashes did not reach into the run: {polls}");
            break;
        }
        polls += 1;
    }
}

async fn roll_back(engine: &Engine, id: RequestId) {
    engine.rollback(id, &RollbackSelection::All, "admin").await.unwrap();
}

#[tokio::test]
async fn a_crash_at_any_point_of_a_rollback_neither_loses_nor_doubles() {
    let mut polls = 1;
    loop {
        let world = World::new();
        fill(&world);
        let folder = tempfile::tempdir().unwrap();
        let engine = fresh(&world, folder.path()).await;
        let id = start(&engine, "AllToJitsi").await;
        run_to_the_end(&world, &engine, id).await;
        world.with(|s| s.mails.clear());
        let done = crash_after(polls, roll_back(&engine, id)).await.is_some();
        drop(engine);
        after_the_lease(&world).await;
        let engine = fresh(&world, folder.path()).await;
        roll_back(&engine, id).await;
        world.with(|s| {
            assert_eq!(
                s.events["a"].content, "MASTER zoom:1 hello\nEXC1 zoom:2 other",
                "crash at poll {polls}"
            );
            assert!(s.events.values().all(|e| e.writes.len() <= 2));
            let mut ids: Vec<_> = s.mails.iter().map(|(id, ..)| id.clone()).collect();
            let all = ids.len();
            ids.sort();
            ids.dedup();
            assert_eq!(ids.len(), all, "a mail was sent twice; crash at poll {polls}");
            assert!((if done { 4 } else { 3 }..=4).contains(&all), "{all} mails; crash at poll {polls}");
        });
        if done {
            assert!(polls > 10);
            break;
        }
        polls += 1;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_fails_and_crashes_nothing_is_lost_or_doubled(
        update in proptest::collection::vec(prop_oneof![3 => Just(0u8), 1 => Just(1), 1 => Just(2), 1 => Just(4)], 0..8),
        get in proptest::collection::vec(prop_oneof![4 => Just(0u8), 1 => Just(1)], 0..8),
        list in proptest::collection::vec(prop_oneof![4 => Just(0u8), 1 => Just(1)], 0..4),
        prepare in proptest::collection::vec(prop_oneof![3 => Just(0u8), 1 => Just(1)], 0..6),
        provision in proptest::collection::vec(prop_oneof![3 => Just(0u8), 1 => Just(1), 1 => Just(2)], 0..4),
        edits in proptest::collection::vec(1usize..8, 0..3),
        crashes in proptest::collection::vec(1usize..90, 0..3),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::new();
            fill(&world);
            world.with(|s| {
                s.faults = Faults { update, get, list, prepare, commit: vec![], provision };
                s.edit_before_update = edits.iter().map(|n| (*n, "a".to_owned())).collect();
            });
            let folder = tempfile::tempdir().unwrap();
            let id = start(&fresh(&world, folder.path()).await, "AllToJitsi").await;
            let crashed = crashes.len();
            for polls in crashes {
                let engine = fresh(&world, folder.path()).await;
                let _ = crash_after(polls, engine.run_due(&|_| {})).await;
                drop(engine);
                after_the_lease(&world).await;
            }
            let engine = fresh(&world, folder.path()).await;
            let request = run_to_the_end(&world, &engine, id).await;
            assert_eq!(request.state, State::Succeeded, "{:#?}", records(&engine, id).await);
            assert_eq!(request.counts.total, request.counts.succeeded);
            world.with(|s| {
                assert!(s.events.values().all(|e| !e.content.contains("zoom:") && e.writes.len() <= 1));
                let edits = s.events["a"].content.matches("EDIT").count();
                assert_eq!(edits, s.edit_before_update.iter().filter(|(n, _)| *n <= s.updates).count());
                let mut ids: Vec<_> = s.mails.iter().map(|(id, ..)| id.clone()).collect();
                let all = ids.len();
                ids.sort();
                ids.dedup();
                assert_eq!(ids.len(), all, "a mail was sent twice");
                assert!(all + crashed >= 4, "{all} mails after {crashed} crashes");
            });
        });
    }
}
