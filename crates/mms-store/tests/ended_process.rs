//! A request whose worker's process has ended can be taken up at once, and not before.

use std::time::Duration;

use jiff::Timestamp;
use mms_model::port::{Enqueue, Lease, RequestStore};
use mms_model::{Counts, MigrationType, RequestId, SourceMeetingType, State, TargetMeetingType, User};
use mms_store::{Access, SqliteStore};
use uuid::Uuid;

const LEASE: Duration = Duration::from_secs(300);

fn trigger(id: RequestId, now: Timestamp) -> Enqueue {
    Enqueue {
        id,
        user: User {
            skype: None,
            id: Uuid::from_u128(1),
            upn: "alice@example.test".into(),
            sip: None,
            logon: None,
            display_name: None,
            distinguished_name: None,
            addresses: Vec::new(),
            calendar: None,
        },
        migration: MigrationType { source: SourceMeetingType::All, target: TargetMeetingType::Current },
        now,
        grace: Duration::ZERO,
        not_before: None,
        requested_by: "test".into(),
    }
}

#[tokio::test]
async fn a_lease_ends_with_its_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mms.db");
    let now: Timestamp = "2026-05-04T09:00:00Z".parse().unwrap();
    let soon = now.checked_add(Duration::from_secs(1)).unwrap();
    let id = RequestId(Uuid::from_u128(7));

    // Each store that is opened stands for a process.
    let first = SqliteStore::open(&path, Access::Command).await.unwrap();
    first.enqueue(trigger(id, now)).await.unwrap();
    let (_, stale): (_, Lease) = first.claim_request(id, "first", now, LEASE).await.unwrap().unwrap();

    let second = SqliteStore::open(&path, Access::Command).await.unwrap();
    assert!(second.claim_request(id, "second", soon, LEASE).await.unwrap().is_none(), "the first one lives");
    assert!(second.claim("second", soon, LEASE).await.unwrap().is_none());

    drop(first);
    let (request, lease) = second.claim_request(id, "second", soon, LEASE).await.unwrap().unwrap();
    assert_eq!(request.state, State::InProgress);
    assert!(lease.token > stale.token, "what the first one might still write is refused");
    assert!(second.progress(&stale, Counts::default(), soon).await.is_err());

    // The same for a daemon that looks for whatever is due.
    drop(second);
    let daemon = SqliteStore::open(&path, Access::Daemon).await.unwrap();
    assert!(daemon.claim("daemon", soon, LEASE).await.unwrap().is_some());
}
