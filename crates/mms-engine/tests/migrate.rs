//! Migrations, previews and rollbacks over the real store and a calendar in memory.

#![allow(clippy::unwrap_used)]

mod world;

use std::sync::Arc;

use mms_engine::{EngineError, EngineSettings, Event, Happened, RollbackSelection, Start, Switch};
use mms_model::port::Enqueued;
use mms_model::{Address, AttendeeChoice, Code, IdentityMap, IdentityMapRow, MeetingOutcome, State, User};
use world::*;

const A: &str = "anna@corp.test";
const B: &str = "bob@partner.test";

async fn setup(world: &World, settings: EngineSettings) -> (tempfile::TempDir, mms_engine::Engine) {
    let folder = tempfile::tempdir().unwrap();
    let engine = world.engine(world.store(folder.path()).await, settings);
    (folder, engine)
}

#[tokio::test]
async fn a_user_without_a_calendar_is_told_why_by_the_directory() {
    let (_folder, engine) = setup(&World::new(), EngineSettings::default()).await;
    for (number, why) in
        [(8, "the mailbox is on the moon"), (9, "give the directory a calendar for this user")]
    {
        let nowhere = User { calendar: None, ..user(number) };
        let error = engine.preview(&nowhere, &migration("AllToJitsi"), &mut |_| {}).await.unwrap_err();
        let EngineError::Port(error) = error else { panic!("{error}") };
        assert_eq!(error.code, Code::NoCalendar);
        assert!(error.message.ends_with(why), "{}", error.message);
    }
}

#[tokio::test]
async fn moves_what_is_in_scope_and_tells_everybody_once() {
    let world = World::new();
    world.add("a", "MASTER zoom:1 hello\nEXC1 zoom:1 PAST\nEXC2 zoom:2 later", &[A, B, "USER1@corp.test"]);
    world.add("b", "MASTER nothing", &[A]);
    world.add("c", "MASTER zoom:1 copy", &[]);
    world.add("d", "MASTER zoom:1 webex:2", &[A]);
    world.add("e", "MASTER jitsi:9 there", &[A]);
    world.add("f", "MASTER zoom:5 CANCELLED", &[A]);
    world.add("g", "MASTER zoom:5 PAST", &[A]);
    let (_folder, engine) = setup(&world, EngineSettings::default()).await;
    let mut previewed = Vec::new();
    engine.preview(&user(1), &migration("AllToJitsi"), &mut |p| previewed.push(p)).await.unwrap();
    assert!(world.with(|s| s.provisioned.is_empty() && s.updates == 0 && s.mails.is_empty()));

    let id = start(&engine, "AllToJitsi").await;
    let request = run_to_the_end(&world, &engine, id).await;
    assert_eq!(request.state, State::Failed, "{request:?}");
    let c = request.counts;
    assert_eq!(
        (c.total, c.succeeded, c.failed, c.invites),
        (4, 3, 1, 1),
        "{:#?}",
        records(&engine, id).await
    );
    assert!(request.last_message.starts_with("AmbiguousMeeting"), "{}", request.last_message);
    assert_eq!((world.mails_to(A), world.mails_to(B), world.mails_to("USER1@corp.test")), (1, 1, 0));
    let a = world.content("a");
    let new = |key: &str| format!("jitsi:{}", &mms_engine::external_id("", key)[..8]);
    assert_eq!(a, format!("MASTER {} hello\nEXC1 zoom:1 PAST\nEXC2 {} later", new("1"), new("2")));
    assert_eq!(world.content("c"), format!("MASTER {} copy", new("1")), "a copy follows its original");
    assert_eq!(world.content("f"), "MASTER zoom:5 CANCELLED");
    for p in &previewed {
        let record = records(&engine, id).await.into_iter().find(|r| r.event == p.record.event).unwrap();
        assert_eq!(record.outcome, p.record.outcome);
        assert_eq!(record.new_url, p.record.new_url);
        if !p.after.is_empty() {
            assert_eq!(world.content(&p.record.event.0).into_bytes(), p.after);
        }
    }

    let again = start(&engine, "AllToJitsi").await;
    let again = run_to_the_end(&world, &engine, again).await;
    assert_eq!((again.counts.succeeded, again.counts.invites), (3, 0));
    assert_eq!(world.with(|s| (s.updates, s.mails.len())), (2, 2));
    assert_eq!(engine.summary().await.unwrap().failed, 1);
}

#[tokio::test]
async fn an_edit_made_meanwhile_is_kept() {
    let world = World::new();
    world.add("a", "MASTER zoom:1 hello", &[A]);
    world.with(|s| s.edit_before_update = vec![(1, "a".into()), (2, "a".into())]);
    let (_folder, engine) = setup(&world, EngineSettings::default()).await;
    let id = start(&engine, "AllToJitsi").await;
    assert_eq!(run_to_the_end(&world, &engine, id).await.state, State::Succeeded);
    assert!(
        world.content("a").ends_with("hello EDIT EDIT") && world.content("a").starts_with("MASTER jitsi:")
    );
    assert_eq!(world.mails_to(A), 1);
}

#[tokio::test]
async fn a_meeting_that_never_holds_still_ends_as_failed() {
    let world = World::new();
    world.add("a", "MASTER zoom:1 hello", &[A]);
    world.add("b", "MASTER zoom:2 calm", &[A]);
    world.with(|s| s.edit_before_update = (1..1000).map(|n| (n, "a".into())).collect());
    let (_folder, engine) = setup(&world, EngineSettings::default()).await;
    let id = start(&engine, "AllToJitsi").await;
    let request = run_to_the_end(&world, &engine, id).await;
    assert_eq!((request.state, request.retries), (State::Failed, 9));
    assert_eq!((request.counts.succeeded, request.counts.failed), (1, 1));
    assert!(request.last_message.contains("EventConflict"), "{}", request.last_message);
    assert_eq!(world.mails_to(A), 1);
}

#[tokio::test]
async fn only_what_failed_is_tried_again_and_a_throttle_is_not_counted() {
    let world = World::new();
    for n in 0..7 {
        world.add(&format!("m{n}"), &format!("MASTER zoom:{n} x"), &[A]);
    }
    world.with(|s| s.faults.update = vec![0, 1, 0, 2, 4, 0, 1]);
    let (_folder, engine) = setup(&world, EngineSettings::default()).await;
    let id = start(&engine, "AllToJitsi").await;
    engine.run_now(id, &|_| {}).await.unwrap();
    let first = engine.request(id).await.unwrap();
    assert_eq!((first.state, first.retries), (State::Pending, 0), "{first:?}");
    let request = run_to_the_end(&world, &engine, id).await;
    assert_eq!(request.state, State::Succeeded, "{:#?}", records(&engine, id).await);
    assert_eq!(request.counts.invites, 7);
    assert_eq!(world.mails_to(A), 7);
    assert!(world.with(|s| s.events.values().all(|e| e.writes.len() == 1)));
}

#[tokio::test]
async fn a_mail_server_that_is_away_delays_but_never_doubles() {
    let world = World::new();
    for n in 0..5 {
        world.add(&format!("m{n}"), &format!("MASTER zoom:{n} x"), &[A, B]);
    }
    world.with(|s| {
        s.faults.prepare = vec![0, 1, 1, 0, 0, 0, 1];
        s.faults.commit = vec![0, 4, 0, 1];
    });
    let (_folder, engine) = setup(&world, EngineSettings::default()).await;
    let id = start(&engine, "AllToJitsi").await;
    let request = run_to_the_end(&world, &engine, id).await;
    assert_eq!(request.state, State::Succeeded, "{:#?}", records(&engine, id).await);
    assert_eq!((world.mails_to(A), world.mails_to(B)), (5, 5));
    let records = records(&engine, id).await;
    let unconfirmed: Vec<_> =
        records.iter().filter(|r| r.known_code() == Some(Code::UpdateUnconfirmed)).collect();
    let [record] = unconfirmed.as_slice() else { panic!("{records:#?}") };
    assert!(record.message.contains("(Message-ID <"), "the mail server's log knows it by that: {record:?}");
}

#[tokio::test]
async fn only_those_outside_are_told_where_that_is_chosen() {
    let world = World::new();
    world.add("a", "MASTER zoom:1 x", &[A, B]);
    let settings = EngineSettings { notify: AttendeeChoice::External, ..EngineSettings::default() };
    let (_folder, engine) = setup(&world, settings).await;
    let id = start(&engine, "AllToJitsi").await;
    run_to_the_end(&world, &engine, id).await;
    assert_eq!((world.mails_to(A), world.mails_to(B)), (0, 1));
}

#[tokio::test]
async fn who_stayed_in_the_old_tenant_is_outside() {
    let world = World::new();
    let (stayed, moved) = ("eve@old.test", "carl@old.test");
    world.add("a", "MASTER zoom:1 x", &[A, B, stayed, moved]);
    let row = |source: &str, target: &str| IdentityMapRow { source: source.into(), target: target.into() };
    let rows = [row("one@old.test", "user1@corp.test"), row(moved, "carl@corp.test")];
    let settings = EngineSettings {
        notify: AttendeeChoice::External,
        identities: Arc::new(IdentityMap::new(&rows).unwrap()),
        ..EngineSettings::default()
    };
    let (_folder, engine) = setup(&world, settings).await;
    let mut user = user(1);
    // As a directory completes it.
    user.addresses.push(Address::new("one@old.test"));
    let start = Start::manual(user, migration("AllToJitsi"), "admin").at_once();
    let id = engine.start(start).await.unwrap().unwrap().request().id;
    run_to_the_end(&world, &engine, id).await;
    let told = [A, B, stayed, moved, "carl@corp.test"].map(|address| world.mails_to(address));
    assert_eq!(told, [0, 1, 1, 0, 0]);
}

#[tokio::test]
async fn a_copy_that_goes_on_for_longer_is_provisioned_for_longer() {
    for (ends, times) in
        [(["2027-01-01", "2026-06-01"], 1), (["2026-06-01", "2027-01-01"], 2), (["2026-06-01", ""], 2)]
    {
        let world = World::new();
        for (id, end) in ["a", "b"].into_iter().zip(ends) {
            world.add(id, "MASTER zoom:1 x", &[]);
            let end = format!("{end}T09:00:00Z").parse().ok();
            world.with(|s| s.events.get_mut(id).unwrap().last_end = end);
        }
        let (_folder, engine) =
            setup(&world, EngineSettings { page_size: 1, ..EngineSettings::default() }).await;
        let id = start(&engine, "AllToJitsi").await;
        let request = run_to_the_end(&world, &engine, id).await;
        assert_eq!(request.state, State::Succeeded);
        let asked: Vec<u32> = world.with(|s| s.provisioned.values().copied().collect());
        assert_eq!(asked, [times], "{ends:?}");
    }
}

#[tokio::test]
async fn too_many_attendees_fail_at_once() {
    let world = World::new();
    world.add("a", "MASTER zoom:1 x", &[A, B]);
    let (_folder, engine) =
        setup(&world, EngineSettings { max_attendees: 2, ..EngineSettings::default() }).await;
    let id = start(&engine, "AllToJitsi").await;
    let request = engine.run_now(id, &|_| {}).await.unwrap();
    assert_eq!((request.state, request.counts.failed), (State::Failed, 1));
    assert!(request.last_message.starts_with("TooManyAttendees"));
    assert_eq!(world.content("a"), "MASTER zoom:1 x");
}

#[tokio::test]
async fn a_calendar_that_is_away_is_tried_for_a_day() {
    let world = World::new();
    world.add("a", "MASTER zoom:1 x", &[A]);
    world.with(|s| s.faults.list = vec![1; 10]);
    let (_folder, engine) = setup(&world, EngineSettings::default()).await;
    let began = mms_model::Clock::now(&*world.clock);
    let id = start(&engine, "AllToJitsi").await;
    let request = run_to_the_end(&world, &engine, id).await;
    assert_eq!((request.state, request.retries), (State::Failed, 9));
    assert!(request.last_message.starts_with("RetriesExhausted"), "{}", request.last_message);
    let took = mms_model::Clock::now(&*world.clock).duration_since(began).as_hours();
    assert!((15..=24).contains(&took), "{took}");
    assert_eq!(engine.attempts(id).await.unwrap().len(), 10);
}

#[tokio::test]
async fn a_rollback_restores_keeps_later_edits_and_tells_once() {
    let world = World::new();
    world.add("a", "MASTER zoom:1 hello", &[A]);
    world.add("b", "MASTER zoom:2 hello", &[B]);
    let (_folder, engine) = setup(&world, EngineSettings::default()).await;
    let id = start(&engine, "AllToJitsi").await;
    assert!(matches!(
        engine.rollback(id, &RollbackSelection::All, "admin").await,
        Err(EngineError::NotAvailable(..))
    ));
    run_to_the_end(&world, &engine, id).await;
    let edited = format!("{} EDIT", world.content("a"));
    world.edit("a", &edited);
    world.edit("b", "MASTER webex:7 replaced");
    let done = engine.rollback(id, &RollbackSelection::All, "admin").await.unwrap();
    assert_eq!((done.restored, done.failed), (1, 1));
    assert_eq!(done.problems[0].problem.as_ref().unwrap().0, Code::EditedSinceMigration);
    assert_eq!(world.content("a"), "MASTER zoom:1 hello EDIT");
    assert_eq!(world.content("b"), "MASTER webex:7 replaced");
    assert_eq!((world.mails_to(A), world.mails_to(B)), (2, 1));
    assert_eq!(records(&engine, id).await[0].outcome, MeetingOutcome::RolledBack);
    let again = engine.rollback(id, &RollbackSelection::All, "admin").await.unwrap();
    assert_eq!(again.restored, 0);
    assert_eq!(world.mails_to(A), 2);
}

#[tokio::test]
async fn a_start_is_refused_while_migrations_are_off_and_joins_while_one_waits() {
    let world = World::new();
    let (_folder, engine) = setup(&world, EngineSettings::default()).await;
    engine.set_switch(Switch::MeetingMigration, false, "ada").await.unwrap();
    let asked = Start::manual(user(1), migration("SfbToTeams"), "admin");
    assert!(matches!(engine.start(asked.clone()).await, Err(EngineError::Disabled)));
    engine.set_switch(Switch::MeetingMigration, true, "ada").await.unwrap();
    let first = engine.start(asked.clone()).await.unwrap().unwrap();
    let joined = engine.start(Start { migration: migration("ToSameType"), ..asked }).await.unwrap().unwrap();
    assert_eq!(joined.request().id, first.request().id);
    assert_eq!(joined.request().migration.to_string(), "AllToTeams");
    engine.cancel(first.request().id, "admin").await.unwrap();
    assert_eq!(engine.summary().await.unwrap().failed, 1);
    assert!(engine.store().next_due().await.unwrap().is_none());
}

#[tokio::test]
async fn a_server_that_sends_updates_itself_is_not_helped() {
    let mut world = World::new();
    world.server_sends = true;
    world.add("a", "MASTER zoom:1 x", &[A, B]);
    world.add("b", "MASTER zoom:2 x", &[A]);
    // The answer to the second write is lost; the write itself stands.
    world.with(|s| s.faults.update = vec![0, 4]);
    let (_folder, engine) = setup(&world, EngineSettings::default()).await;
    let id = start(&engine, "AllToJitsi").await;
    let request = run_to_the_end(&world, &engine, id).await;
    assert_eq!((request.state, request.counts.invites), (State::Succeeded, 2));
    assert!(world.with(|s| s.mails.is_empty() && s.events.values().all(|e| e.writes.len() == 1)));
    let told: Vec<u32> = records(&engine, id).await.iter().map(|r| r.attendees_told).collect();
    assert_eq!(told, [2, 1]);
    let done = engine.rollback(id, &RollbackSelection::All, "admin").await.unwrap();
    assert_eq!((done.restored, world.content("a").as_str()), (2, "MASTER zoom:1 x"));
}

#[tokio::test]
async fn workers_share_the_users_and_stop_when_told() {
    let world = World::new();
    for n in 0..20 {
        world.add(&format!("m{n}"), &format!("MASTER zoom:{n} x"), &[A]);
    }
    let folder = tempfile::tempdir().unwrap();
    let engine = world.engine(world.store(folder.path()).await, EngineSettings::default());
    // Two engines with four workers each and one request: one of them gets it, so nothing is
    // written or told twice.
    let first = start(&engine, "ZoomToJitsi").await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let other = world.engine(world.store(folder.path()).await, EngineSettings::default());
    let watch = async {
        while !engine.request(first).await.unwrap().state.is_final() {
            tokio::task::yield_now().await;
        }
        stop.send(true).unwrap();
    };
    tokio::join!(engine.work(stopped.clone(), &|_| {}), other.work(stopped, &|_| {}), watch);
    let request = engine.request(first).await.unwrap();
    assert_eq!((request.state, request.counts.succeeded), (State::Succeeded, 20));
    assert_eq!(world.mails_to(A), 20);
    assert!(world.with(|s| s.events.values().all(|e| e.writes.len() == 1)));
}

#[tokio::test]
async fn an_event_without_an_organizer_is_rewritten_and_nobody_told() {
    let world = World::new();
    world.add("a", "MASTER zoom:1", &[B]);
    world.with(|s| s.events.get_mut("a").unwrap().organizer = None);
    let (_folder, engine) = setup(&world, EngineSettings::default()).await;
    let id = start(&engine, "AllToJitsi").await;
    let request = run_to_the_end(&world, &engine, id).await;
    assert_eq!((request.state, request.counts.succeeded, request.counts.invites), (State::Succeeded, 1, 0));
    assert_eq!(world.mails_to(B), 0);
}

#[tokio::test]
async fn a_meeting_of_which_nobody_could_be_told_counts_as_failed() {
    let world = World::new();
    world.add("a", "MASTER zoom:1 hello", &[A, B]);
    world.add("b", "MASTER zoom:2 hello", &[A, B]);
    // Both of the first meeting are refused for good, and one of the second.
    world.with(|s| s.faults.commit = vec![3, 3, 3]);
    let (_folder, engine) = setup(&world, EngineSettings::default()).await;
    let id = start(&engine, "AllToJitsi").await;
    let request = run_to_the_end(&world, &engine, id).await;
    assert_eq!((request.state, request.counts.succeeded, request.counts.failed), (State::Failed, 1, 1));
    let records = records(&engine, id).await;
    assert_eq!(records[0].outcome, MeetingOutcome::Failed);
    assert_eq!(records[1].outcome, MeetingOutcome::Migrated);
    assert!(records.iter().all(|r| r.code.as_deref() == Some(Code::MailRejected.name())), "{records:#?}");
    engine.rollback(id, &RollbackSelection::All, "admin").await.unwrap();
    assert_eq!(world.content("a"), "MASTER zoom:1 hello", "what failed to be told can be taken back");
}

/// A series whose master is written and whose exception is not, for each way in which that can end.
#[tokio::test]
async fn a_series_that_was_written_in_part_is_taken_back_whole() {
    const SERIES: &str = "MASTER zoom:1 agenda\nEX zoom:1 room";
    for (faults, state, left) in [
        // Refused for good: the exception keeps its link, and the record says so.
        (vec![5], State::Failed, Some("EX zoom:1 room")),
        // Put off, and tried again by a later attempt.
        (vec![6], State::Succeeded, None),
        // Edited meanwhile, and planned anew at once.
        (vec![7], State::Succeeded, None),
        // Put off twice, and refused in the end.
        (vec![6, 6, 5], State::Failed, Some("EX zoom:1 room")),
    ] {
        let world = World::new();
        world.add("a", SERIES, &[A]);
        world.with(|s| s.faults.update = faults.clone());
        let (_folder, engine) = setup(&world, EngineSettings::default()).await;
        let id = start(&engine, "AllToJitsi").await;
        let request = run_to_the_end(&world, &engine, id).await;
        assert_eq!(request.state, state, "{faults:?}");
        let content = world.with(|s| s.events["a"].content.clone());
        assert!(content.starts_with("MASTER jitsi:"), "{faults:?}: {content}");
        match left {
            Some(left) => assert!(content.ends_with(left), "{faults:?}: {content}"),
            None => assert!(!content.contains("zoom:"), "{faults:?}: {content}"),
        }
        // Somebody goes on working on it.
        world.with(|s| {
            let event = s.events.get_mut("a").unwrap();
            event.content = event.content.replace("agenda", "agenda, longer");
            event.version += 1;
        });
        let done = engine.rollback(id, &RollbackSelection::All, "admin").await.unwrap();
        assert_eq!((done.restored, done.failed), (1, 0), "{faults:?}: {:?}", done.problems);
        let restored = world.with(|s| s.events["a"].content.clone());
        let expected = SERIES.replace("agenda", "agenda, longer");
        assert_eq!(restored.replace(" EDIT", ""), expected, "{faults:?}");
    }
}

#[tokio::test]
async fn a_rollback_does_not_count_what_was_never_written() {
    let world = World::new();
    for n in 0..3 {
        world.add(&format!("m{n}"), &format!("MASTER zoom:{n} x"), &[]);
    }
    world.with(|s| s.faults.update = vec![0, 1, 1]);
    let (_folder, engine) = setup(&world, EngineSettings::default()).await;
    let id = start(&engine, "AllToJitsi").await;
    engine.run_now(id, &|_| {}).await.unwrap();
    engine.cancel(id, "admin").await.unwrap();
    let done = engine.rollback(id, &RollbackSelection::All, "admin").await.unwrap();
    assert_eq!((done.restored, done.failed), (1, 0), "{:?}", done.problems);
}

#[tokio::test]
async fn events_join_refuse_or_do_nothing() {
    let world = World::new();
    let (_folder, engine) = setup(&world, EngineSettings::default()).await;
    let changed = Event::AudioConferencingChanged { third_party: false };
    let enabled = engine.happened(user(1), changed, "watcher").await.unwrap();
    let Happened::Asked(Enqueued::New(request)) = enabled else { panic!("{enabled:?}") };
    assert_eq!(request.migration.to_string(), "ToSameType");
    let again = engine.happened(user(1), changed, "watcher").await.unwrap();
    assert!(matches!(again, Happened::Asked(Enqueued::Joined(joined)) if joined.id == request.id));
    let moved = engine.happened(user(1), Event::MovedToCloud, "watcher").await.unwrap_err();
    assert!(moved.to_string().contains("Teams is not configured"), "{moved}");
    let back = engine.happened(user(2), Event::MovedOnPremises, "watcher").await.unwrap();
    let Happened::Refused(refused) = back else { panic!("{back:?}") };
    assert_eq!(refused.state, State::Failed);
    assert!(refused.last_message.starts_with("MovedOnPremises: "), "{}", refused.last_message);
    let back = engine.happened(user(1), Event::MovedOnPremises, "watcher").await.unwrap();
    assert!(matches!(back, Happened::Nothing(why) if why.contains("goes on")), "{back:?}");
    assert_eq!(engine.request(request.id).await.unwrap().state, State::Pending);
    engine.set_switch(Switch::AutomaticMigration, false, "ada").await.unwrap();
    let off = engine.happened(user(3), changed, "watcher").await.unwrap();
    assert!(matches!(off, Happened::Nothing(why) if why.contains("AutomaticallyMigrateUserMeetings")));
    engine.set_switch(Switch::AutomaticMigration, true, "ada").await.unwrap();
    engine.set_switch(Switch::MeetingMigration, false, "ada").await.unwrap();
    let off = engine.happened(user(3), Event::MovedToCloud, "watcher").await.unwrap();
    assert!(matches!(off, Happened::Nothing(_)), "before what is not configured");
    let off = engine.happened(user(3), changed, "watcher").await.unwrap();
    assert!(matches!(off, Happened::Nothing(why) if why.contains("MeetingMigrationEnabled")));
}

#[tokio::test]
async fn who_did_what_is_noted_once() {
    let world = World::new();
    world.add("a", "MASTER zoom:1 x", &[A]);
    let (_folder, engine) = setup(&world, EngineSettings::default()).await;
    let id = start(&engine, "AllToJitsi").await;
    engine.run_now(id, &|_| {}).await.unwrap();
    engine.rollback(id, &RollbackSelection::All, "ada").await.unwrap();
    let next = start(&engine, "AllToJitsi").await;
    assert_eq!(start(&engine, "AllToJitsi").await, next);
    engine.cancel(next, "ben").await.unwrap();
    engine.set_switch(Switch::MeetingMigration, false, "ada").await.unwrap();
    let trail = engine.audit_trail(None, 9).await.unwrap();
    let actions: Vec<_> = trail.iter().rev().map(|(_, e)| (e.action.as_str(), e.actor.as_str())).collect();
    assert_eq!(
        actions[1..],
        [
            ("RollBackMigration", "ada"),
            ("StartMigration", actions[2].1),
            ("JoinMigration", actions[2].1),
            ("CancelMigration", "ben"),
            ("ChangeSetting", "ada")
        ]
    );
    assert_eq!(trail[0].1.detail, "false");
    assert!(trail[4].1.detail.contains(&id.to_string()), "{}", trail[3].1.detail);
}

#[tokio::test]
async fn who_was_not_written_to_does_not_count_as_told() {
    let mut world = World::new();
    world.server_sends = true;
    for n in 0..3 {
        world.add(&format!("m{n}"), &format!("MASTER zoom:{n} x"), &[A, B]);
    }
    world.with(|s| s.faults.update = vec![0, 1, 4]);
    let (_folder, engine) = setup(&world, EngineSettings::default()).await;
    let id = start(&engine, "AllToJitsi").await;
    engine.run_now(id, &|_| {}).await.unwrap();
    let told: Vec<u32> = records(&engine, id).await.iter().map(|r| r.attendees_told).collect();
    assert_eq!(told, [2, 0, 0], "of the third nobody knows yet");
    assert_eq!(engine.request(id).await.unwrap().counts.invites, 1);
    engine.run_now(id, &|_| {}).await.unwrap();
    let told: Vec<u32> = records(&engine, id).await.iter().map(|r| r.attendees_told).collect();
    assert_eq!(told, [2, 2, 2]);
    assert!(world.with(|s| s.events.values().all(|e| e.writes.len() == 1)));
}

#[tokio::test]
async fn another_request_that_waits_is_not_run_along() {
    let world = World::new();
    world.add("a", "MASTER zoom:1 x", &[A]);
    world.add("b", "MASTER jitsi:2 x", &[A]);
    world.with(|s| s.faults.update = vec![1]);
    let (_folder, engine) = setup(&world, EngineSettings::default()).await;
    let waiting = start(&engine, "AllToJitsi").await;
    engine.run_now(waiting, &|_| {}).await.unwrap();
    let before = engine.request(waiting).await.unwrap();
    assert_eq!(before.state, State::Pending);
    let asked = start(&engine, "ToSameType").await;
    assert_ne!(asked, waiting, "what has begun is not joined");
    engine.run_now(asked, &|_| {}).await.unwrap();
    assert_eq!(world.content("a"), "MASTER zoom:1 x", "nobody asked for it");
    let after = engine.request(waiting).await.unwrap();
    assert_eq!(
        (after.state, after.due, after.retries),
        (State::Pending, before.due, before.retries),
        "it waits on"
    );
    let same = start(&engine, "AllToJitsi").await;
    if same != waiting {
        engine.run_now(same, &|_| {}).await.unwrap();
    } else {
        engine.run_now(waiting, &|_| {}).await.unwrap();
    }
    assert!(world.content("a").starts_with("MASTER jitsi:"), "the same again goes on with it");
}
