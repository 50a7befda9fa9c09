//! The suite that every store passes. Each check takes an empty store; `reopen` closes it and opens it again, so
//! that what was answered with success is shown to last.
//!
//! It is a test that other crates' tests call, compiled for tests alone (feature `conformance`): what it unwraps is what it
//! checks.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mms_model::port::{
    Enqueue, Enqueued, Finish, JournalEntry, JournalState, Lease, Mailing, MailingState, RequestFilter,
    RequestStore, StoreError, TokenStore, UndoEntry,
};
use mms_model::{
    Address, ApiToken, AuditEntry, Counts, EventId, InstanceId, MeetingOutcome, MeetingRecord,
    MigrationRequest, RequestId, Role, State, Summary, User, Version,
};
use uuid::Uuid;

const LEASE: Duration = Duration::from_secs(300);

/// Opens the store under test again.
pub type Reopen<'a> = dyn Fn() -> std::pin::Pin<Box<dyn Future<Output = Arc<dyn RequestStore>> + Send>> + 'a;

fn at(minutes: i64) -> Timestamp {
    "2026-03-01T08:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minutes)
}

fn user(n: u128) -> User {
    User {
        skype: None,
        id: Uuid::from_u128(n),
        upn: format!("user{n}@corp.test"),
        sip: None,
        logon: None,
        display_name: None,
        distinguished_name: None,
        addresses: vec![],
        calendar: None,
    }
}

fn trigger(id: u128, of: u128, now: i64, grace: u64) -> Enqueue {
    Enqueue {
        id: RequestId(Uuid::from_u128(id)),
        user: user(of),
        migration: "SfbToTeams".parse().unwrap(),
        now: at(now),
        grace: Duration::from_secs(grace * 60),
        not_before: None,
        requested_by: "admin".to_owned(),
    }
}

fn record(event: &str, outcome: MeetingOutcome) -> MeetingRecord {
    MeetingRecord {
        event: EventId(event.to_owned()),
        uid: "uid".to_owned(),
        subject: "Grüße 🎉".to_owned(),
        outcome,
        code: None,
        message: String::new(),
        platform: None,
        old_url: None,
        new_url: None,
        instances: vec![InstanceId::Master],
        attendees_told: 2,
        at: at(0),
    }
}

fn entry(request: RequestId, event: &str) -> JournalEntry {
    JournalEntry {
        request,
        event: EventId(event.to_owned()),
        uid: "uid".to_owned(),
        state: JournalState::Planned,
        version: Version("1".to_owned()),
        original: b"BEGIN:VEVENT\r\nold".to_vec(),
        written: b"BEGIN:VEVENT\r\nnew".to_vec(),
        undone: vec![],
        targets: vec![(InstanceId::Exception("20260301".to_owned()), "https://new".to_owned())],
        record: record(event, MeetingOutcome::Migrated),
        at: at(0),
    }
}

async fn claim(store: &dyn RequestStore, now: i64) -> Option<(MigrationRequest, Lease)> {
    store.claim("worker", at(now), LEASE).await.unwrap()
}

/// Runs every check, each on a store that `empty` makes.
pub async fn run<'a, F>(empty: impl Fn() -> F)
where
    F: Future<Output = (Arc<dyn RequestStore>, Box<Reopen<'a>>)>,
{
    triggers_join_while_the_request_waits(&*empty().await.0).await;
    one_request_of_a_user_at_a_time(&*empty().await.0).await;
    a_lost_lease_fences_every_write(&*empty().await.0).await;
    retries_and_hand_backs_go_to_pending(&*empty().await.0).await;
    a_clock_that_is_set_back_stalls_nothing(&*empty().await.0).await;
    summary_counts_each_user_once(&*empty().await.0).await;
    lists_by_period_state_and_page(&*empty().await.0).await;
    let (store, reopen) = empty().await;
    the_journal_lasts(store, &*reopen).await;
    rollbacks_are_journalled_and_found_again(&*empty().await.0).await;
    prune_forgets_originals_then_history(&*empty().await.0).await;
    what_was_done_is_kept_in_order(&*empty().await.0).await;
}

async fn what_was_done_is_kept_in_order(store: &dyn RequestStore) {
    let entry = |second: i64| AuditEntry {
        at: at(second),
        actor: "ada".to_owned(),
        action: "StartMigration".to_owned(),
        target: format!("user{second}@x.test"),
        detail: "ZoomToJitsi".to_owned(),
    };
    for second in 0..5 {
        store.audit(&entry(second)).await.unwrap();
    }
    let newest = store.audit_trail(None, 2).await.unwrap();
    assert_eq!(newest.iter().map(|(_, e)| e.clone()).collect::<Vec<_>>(), [entry(4), entry(3)]);
    let rest = store.audit_trail(newest.last().map(|(number, _)| *number), 9).await.unwrap();
    assert_eq!(rest.iter().map(|(_, e)| e.clone()).collect::<Vec<_>>(), [entry(2), entry(1), entry(0)]);
    assert_eq!(store.prune(at(0), at(3)).await.unwrap(), 3, "the trail is as long as the history");
    assert_eq!(store.audit_trail(None, 9).await.unwrap().len(), 2);
}

/// Runs every check of a store of tokens on `store`, which is empty.
pub async fn tokens(store: &dyn TokenStore) {
    let token = |number: u8, expires: Option<i64>| ApiToken {
        id: Uuid::from_u128(number.into()),
        name: "ci".to_owned(),
        role: Role::Operator,
        created: at(number.into()),
        expires: expires.map(at),
        revoked: None,
    };
    let first = token(1, Some(10));
    assert!(store.add_token(&first, &[1; 32]).await.unwrap());
    assert!(!store.add_token(&token(2, None), &[2; 32]).await.unwrap(), "the name is taken");
    assert_eq!(store.token_of(&[1; 32]).await.unwrap(), Some(first));
    assert_eq!(store.token_of(&[2; 32]).await.unwrap(), None);
    assert!(store.add_token(&token(11, None), &[3; 32]).await.unwrap(), "the first expired");
    assert_eq!(store.revoke_token("nobody", at(12)).await.unwrap(), None);
    let revoked = store.revoke_token("ci", at(12)).await.unwrap().unwrap();
    assert_eq!((revoked.id, revoked.revoked), (Uuid::from_u128(11), Some(at(12))));
    assert_eq!(store.revoke_token(&revoked.id.to_string(), at(13)).await.unwrap(), None, "once");
    assert!(!store.token_of(&[3; 32]).await.unwrap().unwrap().holds(at(12)));
    assert_eq!(store.tokens().await.unwrap().iter().map(|t| t.created).collect::<Vec<_>>(), [at(11), at(1)]);
}

async fn triggers_join_while_the_request_waits(store: &dyn RequestStore) {
    let Enqueued::New(first) = store.enqueue(trigger(1, 1, 0, 90)).await.unwrap() else { panic!("not new") };
    assert_eq!(first.due, at(90));
    let again = Enqueue { migration: "ToSameType".parse().unwrap(), ..trigger(2, 1, 60, 90) };
    let Enqueued::Joined(joined) = store.enqueue(again.clone()).await.unwrap() else { panic!("not joined") };
    assert_eq!(
        (joined.id, joined.due, joined.migration.to_string().as_str()),
        (first.id, at(150), "AllToTeams")
    );
    assert!(matches!(store.enqueue(again).await.unwrap(), Enqueued::Known(r) if r.id == first.id));
    let late = store.enqueue(trigger(3, 1, 330, 90)).await.unwrap();
    assert_eq!(late.request().due, at(360), "at most four grace periods after the first");
    let batch = Enqueue { not_before: Some(at(9_000)), ..trigger(4, 1, 340, 0) };
    assert_eq!(store.enqueue(batch).await.unwrap().request().due, at(360), "a pace holds nothing up");
    assert_eq!(store.enqueue(trigger(5, 1, 341, 0)).await.unwrap().request().due, at(341), "at once");
    assert_eq!(store.transitions(first.id).await.unwrap().len(), 5);
}

async fn one_request_of_a_user_at_a_time(store: &dyn RequestStore) {
    store.enqueue(trigger(1, 1, 0, 0)).await.unwrap();
    let (first, lease) = claim(store, 0).await.unwrap();
    assert_eq!(first.state, State::InProgress);
    assert!(matches!(store.enqueue(trigger(2, 1, 1, 0)).await.unwrap(), Enqueued::New(_)));
    store.enqueue(trigger(3, 2, 2, 0)).await.unwrap();
    assert_eq!(store.pending_before(at(2)).await.unwrap(), 1, "one is in progress, one due at the instant");
    assert_eq!(claim(store, 3).await.unwrap().0.user.id, Uuid::from_u128(2));
    assert!(claim(store, 3).await.is_none());
    assert!(store.claim_request(RequestId(Uuid::from_u128(2)), "w", at(3), LEASE).await.unwrap().is_none());
    store.finish(&lease, Finish::Succeeded, Counts::default(), "", at(4)).await.unwrap();
    assert_eq!(claim(store, 4).await.unwrap().0.id, RequestId(Uuid::from_u128(2)));
    assert!(!store.cancel(RequestId(Uuid::from_u128(2)), "admin", at(4)).await.unwrap());
}

async fn a_lost_lease_fences_every_write(store: &dyn RequestStore) {
    store.enqueue(trigger(1, 1, 0, 0)).await.unwrap();
    let (request, old) = claim(store, 0).await.unwrap();
    assert!(claim(store, 4).await.is_none());
    store.heartbeat(&old, at(8)).await.unwrap();
    assert!(claim(store, 7).await.is_none());
    let (_, new) = claim(store, 8).await.expect("the lease has run out");
    assert!(new.token > old.token);
    let lost = |result: Result<(), StoreError>| {
        assert!(matches!(result, Err(StoreError::LeaseLost(_))), "{result:?}")
    };
    let event = EventId("a".to_owned());
    lost(store.heartbeat(&old, at(20)).await);
    lost(store.progress(&old, Counts::default(), at(8)).await);
    lost(store.record(&old, &[record("a", MeetingOutcome::Failed)]).await);
    lost(store.journal(&old, &[(entry(request.id, "a"), vec![])]).await);
    lost(store.undo(&old, &[]).await);
    lost(store.advance(&old, JournalState::Closed, &[(event.clone(), None)]).await);
    lost(store.mailed(&old, &event, &Address::new("a@b.c"), MailingState::Sent).await);
    lost(store.finish(&old, Finish::Failed, Counts::default(), "", at(8)).await);
    store.finish(&new, Finish::Succeeded, Counts::default(), "", at(9)).await.unwrap();
    lost(store.heartbeat(&new, at(20)).await);
}

async fn retries_and_hand_backs_go_to_pending(store: &dyn RequestStore) {
    store.enqueue(trigger(1, 1, 0, 0)).await.unwrap();
    let (request, lease) = claim(store, 0).await.unwrap();
    let counts = Counts { total: 3, succeeded: 2, failed: 1, invites: 2 };
    store
        .finish(&lease, Finish::Retry { at: at(10), counted: true }, counts, "Code: x", at(1))
        .await
        .unwrap();
    assert!(claim(store, 9).await.is_none());
    assert!(
        matches!(store.enqueue(trigger(2, 1, 2, 600)).await.unwrap(), Enqueued::New(_)),
        "what ran is not joined"
    );
    let (again, lease) = claim(store, 10).await.unwrap();
    assert_eq!(
        (again.id, again.retries, again.counts, again.last_message.as_str()),
        (request.id, 1, counts, "Code: x")
    );
    store.finish(&lease, Finish::Retry { at: at(20), counted: false }, counts, "", at(11)).await.unwrap();
    let (again, lease) = claim(store, 20).await.unwrap();
    assert_eq!(again.retries, 1);
    store.finish(&lease, Finish::HandedBack, counts, "", at(21)).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(at(21)));
    assert!(store.cancel(request.id, "admin", at(22)).await.unwrap());
    assert_eq!(store.attempts(request.id).await.unwrap().len(), 3);
}

async fn a_clock_that_is_set_back_stalls_nothing(store: &dyn RequestStore) {
    const YEAR: i64 = 365 * 24 * 60;
    store.enqueue(trigger(1, 1, YEAR, 90)).await.unwrap();
    let (_, lease) = claim(store, 0).await.expect("a grace period that began in the future is over");
    store.heartbeat(&lease, at(YEAR)).await.unwrap();
    assert!(claim(store, 1).await.is_some(), "a lease from the future has run out");
    let batch = Enqueue { not_before: Some(at(YEAR)), ..trigger(2, 2, 0, 0) };
    store.enqueue(batch).await.unwrap();
    assert!(claim(store, 1).await.is_none(), "a batch's pace is no such thing");
}

async fn summary_counts_each_user_once(store: &dyn RequestStore) {
    for of in 1..=3 {
        store.enqueue(trigger(of, of, 0, 0)).await.unwrap();
    }
    let (_, lease) = claim(store, 0).await.unwrap();
    store.finish(&lease, Finish::Failed, Counts::default(), "", at(1)).await.unwrap();
    let (_, lease) = claim(store, 1).await.unwrap();
    let summary = Summary { pending: 1, in_progress: 1, failed: 1, succeeded: 0 };
    assert_eq!(store.summary().await.unwrap(), summary);
    store.finish(&lease, Finish::Succeeded, Counts::default(), "", at(2)).await.unwrap();
    store.enqueue(trigger(9, 1, 3, 0)).await.unwrap();
    let summary = Summary { pending: 2, in_progress: 0, failed: 0, succeeded: 1 };
    assert_eq!(store.summary().await.unwrap(), summary);
}

async fn lists_by_period_state_and_page(store: &dyn RequestStore) {
    for n in 0..5 {
        store.enqueue(trigger(n + 1, n + 1, i64::try_from(n).unwrap() * 10, 0)).await.unwrap();
    }
    let ids = |filter: RequestFilter| async move {
        store.list(&filter).await.unwrap().iter().map(|r| r.id.0.as_u128()).collect::<Vec<_>>()
    };
    assert_eq!(ids(RequestFilter::default()).await, [5, 4, 3, 2, 1]);
    let page = RequestFilter {
        limit: Some(2),
        after: Some(RequestId(Uuid::from_u128(4))),
        ..RequestFilter::default()
    };
    assert_eq!(ids(page).await, [3, 2]);
    let period = RequestFilter { start: Some(at(10)), end: Some(at(30)), ..RequestFilter::default() };
    assert_eq!(ids(period).await, [4, 3, 2]);
    let failed = RequestFilter { states: vec![State::Failed, State::InProgress], ..RequestFilter::default() };
    assert!(ids(failed).await.is_empty());
    let of = RequestFilter { user: Some(Uuid::from_u128(2)), ..RequestFilter::default() };
    assert_eq!(ids(of).await, [2]);
    let other = RequestFilter { migration: Some("AllToTeams".parse().unwrap()), ..RequestFilter::default() };
    assert!(ids(other).await.is_empty());
}

async fn mails(store: &dyn RequestStore, id: RequestId, event: &EventId) -> Vec<Mailing> {
    store.mailings(id, std::slice::from_ref(event)).await.unwrap().remove(event).unwrap_or_default()
}

async fn the_journal_lasts(store: Arc<dyn RequestStore>, reopen: &Reopen<'_>) {
    store.enqueue(trigger(1, 1, 0, 0)).await.unwrap();
    let (request, lease) = claim(&*store, 0).await.unwrap();
    let to = vec![Address::new("B@x.test"), Address::new("a@x.test"), Address::new("A@X.test")];
    let entries = [(entry(request.id, "é1"), to), (entry(request.id, "e2"), vec![])];
    store.journal(&lease, &entries).await.unwrap();
    store.journal(&lease, &entries).await.expect("what is only planned may be planned again");
    drop(store);
    let store = reopen().await;
    let open = store.journalled(request.id, &[JournalState::Planned], None, 1).await.unwrap();
    assert_eq!((open.len(), open[0].event.0.as_str()), (1, "e2"));
    let rest = store.journalled(request.id, &[JournalState::Planned], Some(&open[0].event), 9).await.unwrap();
    let first = &rest[0];
    assert_eq!((&first.original, &first.written), (&entries[0].0.original, &entries[0].0.written));
    assert_eq!((&first.targets, &first.record), (&entries[0].0.targets, &entries[0].0.record));
    let mails = mails(&*store, request.id, &first.event).await;
    assert_eq!(mails.iter().map(|m| m.to.as_str()).collect::<Vec<_>>(), ["a@x.test", "B@x.test"]);
    store.mailed(&lease, &first.event, &Address::new("b@X.TEST"), MailingState::Committing).await.unwrap();
    assert!(store.mailed(&lease, &first.event, &Address::new("nobody@x"), MailingState::Sent).await.is_err());
    let done = [(first.event.clone(), Some(record("é1", MeetingOutcome::Migrated)))];
    store.advance(&lease, JournalState::Closed, &done).await.unwrap();
    assert!(store.journal(&lease, &entries).await.is_err(), "what was written is not planned again");
    assert_eq!(self::mails(&*store, request.id, &first.event).await[1].state, MailingState::Committing);
    store
        .record(&lease, &[record("é1", MeetingOutcome::Failed), record("z", MeetingOutcome::Skipped)])
        .await
        .unwrap();
    let records = store.records(request.id, None, 1).await.unwrap();
    assert_eq!(store.records(request.id, Some(&records[0].event), 5).await.unwrap().len(), 1);
    let some =
        store.records_of(request.id, &[EventId("é1".to_owned()), EventId("q".to_owned())]).await.unwrap();
    assert_eq!(some, [record("é1", MeetingOutcome::Failed)]);
    store.set_setting("x", "1").await.unwrap();
    store.set_setting("x", "2").await.unwrap();
    assert_eq!(store.setting("x").await.unwrap().as_deref(), Some("2"));
}

async fn rollbacks_are_journalled_and_found_again(store: &dyn RequestStore) {
    store.enqueue(trigger(1, 1, 0, 0)).await.unwrap();
    let (request, lease) = claim(store, 0).await.unwrap();
    let event = EventId("e".to_owned());
    store.journal(&lease, &[(entry(request.id, "e"), vec![Address::new("a@x.test")])]).await.unwrap();
    store.mailed(&lease, &event, &Address::new("a@x.test"), MailingState::Sent).await.unwrap();
    store.advance(&lease, JournalState::Closed, &[(event.clone(), None)]).await.unwrap();
    assert!(store.claim_rollback(request.id, "w", at(1), LEASE).await.unwrap().is_none(), "it has not ended");
    store.finish(&lease, Finish::Succeeded, Counts::default(), "", at(1)).await.unwrap();
    let (_, lease) = store.claim_rollback(request.id, "w", at(1), LEASE).await.unwrap().unwrap();
    store.enqueue(trigger(2, 1, 1, 0)).await.unwrap();
    assert!(claim(store, 1).await.is_none(), "a rollback keeps the user's requests waiting");
    let undo = UndoEntry {
        event: event.clone(),
        version: Version("2".to_owned()),
        undone: b"undone".to_vec(),
        tell: vec![Address::new("b@x.test")],
    };
    store.undo(&lease, &[undo]).await.unwrap();
    assert!(store.interrupted_rollbacks(at(2)).await.unwrap().is_empty());
    assert_eq!(store.interrupted_rollbacks(at(10)).await.unwrap(), [request.id]);
    let entries = store.journalled(request.id, &[JournalState::Undoing], None, 9).await.unwrap();
    assert_eq!((entries[0].undone.as_slice(), entries[0].version.0.as_str()), (&b"undone"[..], "2"));
    let mails = mails(store, request.id, &event).await;
    assert_eq!((mails.len(), mails[0].state, mails[0].to.as_str()), (1, MailingState::Due, "b@x.test"));
    store.advance(&lease, JournalState::RolledBack, &[(event, None)]).await.unwrap();
    store.end_rollback(&lease, "done", at(3)).await.unwrap();
    let rolled_back =
        store.list(&RequestFilter { id: Some(request.id), ..RequestFilter::default() }).await.unwrap();
    assert_eq!(rolled_back[0].last_message, "done");
    assert!(store.interrupted_rollbacks(at(10)).await.unwrap().is_empty());
    assert!(claim(store, 3).await.is_some());
}

async fn prune_forgets_originals_then_history(store: &dyn RequestStore) {
    store.enqueue(trigger(1, 1, 0, 0)).await.unwrap();
    let (request, lease) = claim(store, 0).await.unwrap();
    store.journal(&lease, &[(entry(request.id, "e"), vec![Address::new("a@x.test")])]).await.unwrap();
    assert_eq!(store.prune(at(100), at(100)).await.unwrap(), 0, "what is in progress is kept");
    store.advance(&lease, JournalState::Closed, &[(EventId("e".to_owned()), None)]).await.unwrap();
    store.finish(&lease, Finish::Succeeded, Counts::default(), "", at(10)).await.unwrap();
    assert_eq!(store.prune(at(1), at(10)).await.unwrap(), 1);
    let kept = store.journalled(request.id, &[JournalState::Closed], None, 9).await.unwrap();
    assert!(kept[0].original.is_empty() && kept[0].written.is_empty());
    assert_eq!(store.prune(at(1), at(11)).await.unwrap(), 1);
    assert!(store.list(&RequestFilter::default()).await.unwrap().is_empty());
    assert_eq!(store.summary().await.unwrap(), Summary::default());
}
