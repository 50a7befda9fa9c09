//! The Graph calendar against a small Graph of its own: listing, writing, throttling, and what goes wrong.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod graph_server;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use graph_server::{GraphServer, SFB, TEAMS, event, exception, series};
use jiff::Timestamp;
use mms_connectors::calendar::graph::{GraphCalendar, diagnose};
use mms_connectors::diagnosis::DiagnosticOutcome;
use mms_connectors::graph::GraphClients;
use mms_invite::item::Item;
use mms_invite::recognise::{Recogniser, RecogniserOptions};
use mms_invite::render::Templates;
use mms_invite::rewrite::Editor;
use mms_model::port::{Calendar as _, ReadBack, Update, Updated, UserCalendar};
use mms_model::{
    Address, AttendeeChoice, Code, ErrorKind, EventId, InstanceId, JoinInformation, Meeting, Platform,
    PortError, Recognition, Replacement, Rewrite, User,
};
use serde_json::json;

static EDITOR: LazyLock<Arc<Editor>> = LazyLock::new(|| {
    let recogniser = Recogniser::new(&RecogniserOptions::default()).unwrap();
    Arc::new(Editor::new(Arc::new(recogniser), Arc::new(Templates::builtin())))
});

fn alice() -> User {
    User {
        skype: None,
        id: uuid::Uuid::nil(),
        upn: "alice@contoso.example".to_owned(),
        sip: None,
        logon: None,
        display_name: None,
        distinguished_name: None,
        addresses: vec![Address::new("alice@contoso.example")],
        calendar: None,
    }
}

fn now() -> Timestamp {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

async fn open_with(server: &GraphServer, settings: &str) -> Box<dyn UserCalendar> {
    let settings = toml::from_str(&server.settings(settings)).unwrap();
    let calendar = GraphCalendar::new(settings, Arc::clone(&EDITOR), &GraphClients::default()).unwrap();
    calendar.open(&alice()).await.unwrap()
}

async fn open(server: &GraphServer) -> Box<dyn UserCalendar> {
    open_with(server, "secret = 's3cret'").await
}

async fn list(calendar: &dyn UserCalendar) -> Vec<Meeting> {
    let mut pages = calendar.meetings(now());
    let mut all = Vec::new();
    while let Some(page) = pages.next().await.unwrap() {
        all.extend(page.into_iter().map(Result::unwrap));
    }
    all
}

fn teams() -> JoinInformation {
    JoinInformation::new(Platform::TEAMS, "Microsoft Teams Meeting".to_owned(), TEAMS.to_owned())
}

fn to_teams(calendar: &dyn UserCalendar, meeting: &Meeting) -> Update {
    let replacements = meeting
        .instances
        .iter()
        .filter(|i| i.upcoming)
        .filter_map(|i| match &i.recognition {
            Recognition::One(old) => Some(Replacement {
                instance: i.id.clone(),
                key: old.key.clone(),
                target: teams(),
                language: "en".to_owned(),
            }),
            _ => None,
        })
        .collect();
    let rewrite =
        Rewrite { replacements, stamp: now(), raise_sequence: false, identities: Default::default() };
    Update {
        id: meeting.id.clone(),
        version: meeting.version.clone(),
        content: calendar.rewrite(meeting, &rewrite).unwrap().content,
        notify: AttendeeChoice::All,
    }
}

async fn migrate(calendar: &dyn UserCalendar) -> Vec<Result<Updated, PortError>> {
    let updates = list(calendar).await.iter().map(|m| to_teams(calendar, m)).collect();
    calendar.update(updates).await
}

/// Whether the server holds the event with the new meeting.
fn is_moved(server: &GraphServer, id: &str) -> bool {
    server.event(id)["body"]["content"].as_str().unwrap().contains("19%3ameeting")
}

/// The join URLs of the instances that were read back.
fn read_back(updated: &Updated) -> Vec<Option<String>> {
    let ReadBack::Differs(meeting) = &updated.read_back else { panic!("{:?}", updated.read_back) };
    let url = |recognition: &Recognition| match recognition {
        Recognition::One(online) => online.join_url.clone(),
        _ => None,
    };
    meeting.instances.iter().map(|i| url(&i.recognition)).collect()
}

#[tokio::test]
async fn a_hundred_meetings_move_with_few_requests_and_nothing_else_changes() {
    let server = GraphServer::start((0..100).map(|n| event(&format!("E{n}")))).await;
    let calendar = open(&server).await;
    let results = migrate(&*calendar).await;
    assert_eq!(results.len(), 100);
    for (n, result) in results.into_iter().enumerate() {
        let updated = result.unwrap();
        assert_eq!(updated.attendees_told, 2);
        assert!(updated.remarks.is_empty(), "{:?}", updated.remarks);
        assert!(matches!(updated.read_back, ReadBack::AsWritten));
        assert!(is_moved(&server, &format!("E{n}")));
    }
    // Token, calendars, listing; five batches each to read, to write and to read back.
    assert_eq!(server.requests(), 18);
    let after = server.event("E7");
    let body = after["body"]["content"].as_str().unwrap();
    assert!(
        body.contains("<p>Agenda: öäü</p>") && body.contains("<p>Bye</p>") && !body.contains(SFB),
        "{body}"
    );
    assert_eq!(after["location"]["displayName"], "Room 7; Microsoft Teams Meeting");
    assert_eq!(after["subject"], "E7");
    for patch in server.patches() {
        let sent: Vec<_> = patch.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(sent, ["body", "location", "singleValueExtendedProperties"]);
    }
}

#[tokio::test]
async fn what_was_migrated_is_undone_to_what_it_was() {
    let server = GraphServer::start([event("A")]).await;
    let calendar = open(&server).await;
    let original = list(&*calendar).await.remove(0);
    let update = to_teams(&*calendar, &original);
    let written = update.content.clone();
    calendar.update(vec![update]).await.remove(0).unwrap();
    let current = calendar.get(&original.id, now()).await.unwrap().unwrap();
    let undone = calendar.undo(&original.content, &written, &current, now()).unwrap();
    let update = Update {
        id: current.id.clone(),
        version: current.version.clone(),
        content: undone.content,
        notify: AttendeeChoice::All,
    };
    calendar.update(vec![update]).await.remove(0).unwrap();
    let after = server.event("A");
    assert_eq!(after["body"]["content"], event("A")["body"]["content"]);
    assert_eq!(after["location"], event("A")["location"]);
}

#[tokio::test]
async fn a_series_moves_with_its_exceptions_whose_versions_follow_the_master() {
    let server =
        GraphServer::start([series("S"), exception("S", "X1", 8), exception("S", "X2", 15), event("A")])
            .await;
    let calendar = open(&server).await;
    let meetings = list(&*calendar).await;
    assert_eq!(meetings.len(), 2);
    let weekly = meetings.iter().find(|m| m.id.0 == "S").unwrap();
    let instances: Vec<_> = weekly.instances.iter().map(|i| i.id.clone()).collect();
    assert_eq!(
        instances,
        [
            InstanceId::Master,
            InstanceId::Exception("2026-12-08T09:00:00Z".to_owned()),
            InstanceId::Exception("2026-12-15T09:00:00Z".to_owned()),
        ]
    );
    for result in migrate(&*calendar).await {
        assert!(matches!(result.unwrap().read_back, ReadBack::AsWritten));
    }
    for id in ["S", "X1", "X2", "A"] {
        assert!(is_moved(&server, id), "{id}");
    }
}

#[tokio::test]
async fn an_answer_about_another_event_is_none_for_the_one_that_was_asked_for() {
    let server = GraphServer::start([event("A"), event("B")]).await;
    let calendar = open(&server).await;
    server.edit("A", |event| event["id"] = json!("B"));
    let error = calendar.get(&EventId("A".to_owned()), now()).await.unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Permanent, Code::UnreadableEvent), "{error}");
    assert!(calendar.get(&EventId("B".to_owned()), now()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_location_without_a_name_is_written_back_with_the_others() {
    let mut with_rooms = event("A");
    with_rooms["location"] = json!({"displayName": "Skype Meeting"});
    with_rooms["locations"] = json!([
        {"displayName": null, "locationType": "conferenceRoom", "locationUri": "room@contoso.example"},
        {"displayName": "Skype Meeting", "locationType": "default"},
        {"locationType": "streetAddress", "address": {"city": "Berlin"}},
    ]);
    let server = GraphServer::start([with_rooms]).await;
    let calendar = open(&server).await;
    migrate(&*calendar).await.remove(0).unwrap();
    assert_eq!(
        server.event("A")["locations"],
        json!([
            {"displayName": "", "locationType": "conferenceRoom", "locationUri": "room@contoso.example"},
            {"displayName": "Microsoft Teams Meeting", "locationType": "default"},
            {"displayName": "", "locationType": "streetAddress", "address": {"city": "Berlin"}},
        ])
    );
}

#[tokio::test]
async fn instances_that_go_round_in_a_circle_are_an_error_of_their_series() {
    let server = GraphServer::start([series("S"), event("A")]).await;
    server.go_round();
    let calendar = open(&server).await;
    let page = calendar.meetings(now()).next().await.unwrap().unwrap();
    let (read, failed): (Vec<_>, Vec<_>) = page.into_iter().partition(Result::is_ok);
    assert_eq!(read.into_iter().map(|m| m.unwrap().id.0).collect::<Vec<_>>(), ["A"]);
    let [Err((id, error))] = failed.as_slice() else { panic!("{failed:?}") };
    assert_eq!(
        (id.0.as_str(), error.kind, error.code),
        ("S", ErrorKind::Permanent, Code::CalendarServerError)
    );
    assert!(error.message.contains("circle"), "{error}");
    // Token, calendars, listing, the batch, and the same page twice.
    assert_eq!(server.requests(), 6);
}

#[tokio::test]
async fn a_series_whose_occurrences_are_over_is_passed_over_and_one_with_an_exception_ahead_is_not() {
    let mut over = series("S");
    over["recurrence"]["range"] =
        json!({"type": "endDate", "startDate": "2026-11-03", "endDate": "2026-11-23"});
    let mut late = over.clone();
    late["id"] = json!("L");
    let server = GraphServer::start([over, late, exception("L", "X", 8)]).await;
    server.occurrences("S", &[]);
    server.occurrences("L", &[]);
    let calendar = open(&server).await;
    let mut pages = calendar.meetings(now());
    let page = pages.next().await.unwrap().unwrap();
    let meeting = page[0].as_ref().unwrap();
    assert_eq!((page.len(), meeting.id.0.as_str()), (1, "L"));
    let upcoming: Vec<_> = meeting.instances.iter().map(|i| i.upcoming).collect();
    assert_eq!(upcoming, [false, true]);
    assert!(pages.next().await.unwrap().is_none());
    assert_eq!(pages.passed_over(), 1);
}

#[tokio::test]
async fn an_edit_since_is_a_conflict_and_an_answer_since_is_none() {
    let server = GraphServer::start([event("A"), event("B"), event("C")]).await;
    let calendar = open(&server).await;
    let updates: Vec<_> = list(&*calendar).await.iter().map(|m| to_teams(&*calendar, m)).collect();
    server.edit("A", |event| event["body"]["content"] = json!("<p>mine</p>"));
    server.edit("B", |event| event["attendees"][0]["status"]["response"] = json!("declined"));
    server.edit("C", |event| event["start"]["dateTime"] = json!("2026-12-02T09:00:00"));
    let results = calendar.update(updates).await;
    for place in [0, 2] {
        let error = results[place].as_ref().unwrap_err();
        assert_eq!((error.kind, error.code), (ErrorKind::Conflict, Code::EventConflict));
    }
    assert_eq!(server.event("A")["body"]["content"], "<p>mine</p>", "the edit stands");
    assert!(results[1].is_ok());
    assert_eq!(server.event("B")["attendees"][0]["status"]["response"], "declined", "the answer stands");
}

#[tokio::test]
async fn a_short_throttling_is_waited_out_and_a_long_one_is_told() {
    let server = GraphServer::start([event("A"), event("B")]).await;
    let calendar = open(&server).await;
    let updates: Vec<_> = list(&*calendar).await.iter().map(|m| to_teams(&*calendar, m)).collect();
    server.fail("PATCH", "/events/A", 429, json!({"Retry-After": "0"}), "MailboxConcurrency");
    server.fail("PATCH", "/events/B", 429, json!({"Retry-After": 3600}), "ApplicationThrottled");
    let results = calendar.update(updates.clone()).await;
    assert!(matches!(results[0].as_ref().unwrap().read_back, ReadBack::AsWritten));
    assert!(is_moved(&server, "A"));
    let error = results[1].as_ref().unwrap_err();
    assert_eq!(error.kind, ErrorKind::RetryAfter(Duration::from_secs(3600)));
    assert_eq!(error.code, Code::CalendarThrottled);
    assert!(!server.event("B")["body"]["content"].as_str().unwrap().contains("19%3ameeting"));
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_told_by_reading_back() {
    let server = GraphServer::start([event("A"), event("B")]).await;
    let calendar = open(&server).await;
    let updates: Vec<_> = list(&*calendar).await.iter().map(|m| to_teams(&*calendar, m)).collect();
    server.lose("PATCH", "/events/A");
    server.fail("PATCH", "/events/B", 504, json!({}), "timeout");
    let results = calendar.update(updates).await;
    assert!(matches!(results[0].as_ref().unwrap().read_back, ReadBack::AsWritten));
    assert!(is_moved(&server, "A"));
    assert_eq!(results[1].as_ref().unwrap_err().kind, ErrorKind::Retry);
    assert_eq!(server.patches().len(), 1, "nothing is sent twice");
}

#[tokio::test]
async fn a_token_that_expires_on_the_way_is_renewed() {
    let server = GraphServer::start([event("A")]).await;
    let calendar = open(&server).await;
    let update = to_teams(&*calendar, &list(&*calendar).await[0]);
    assert_eq!(server.tokens(), 1);
    server.expire_tokens();
    calendar.update(vec![update]).await.remove(0).unwrap();
    assert_eq!(server.tokens(), 2);
    server.fail("GET", "/events/A", 401, json!({}), "InvalidAuthenticationToken");
    assert!(calendar.get(&list(&*calendar).await[0].id, now()).await.unwrap().is_some());
    assert_eq!(server.tokens(), 3);
}

#[tokio::test]
async fn attendees_cannot_be_left_out_so_nothing_is_written() {
    let mut alone = event("B");
    alone["attendees"] = json!([]);
    let server = GraphServer::start([event("A"), alone]).await;
    let calendar = open(&server).await;
    let mut updates: Vec<_> = list(&*calendar).await.iter().map(|m| to_teams(&*calendar, m)).collect();
    updates.iter_mut().for_each(|update| update.notify = AttendeeChoice::External);
    let results = calendar.update(updates).await;
    assert_eq!(results[0].as_ref().unwrap_err().code, Code::AttendeeChoiceNotPossible);
    assert_eq!(results[1].as_ref().unwrap().attendees_told, 0);
    assert_eq!(server.patches().len(), 1);
}

#[tokio::test]
async fn changes_that_the_organizer_has_not_sent_are_left_alone() {
    let mut draft = event("A");
    draft["isDraft"] = json!(true);
    let server = GraphServer::start([draft]).await;
    let results = migrate(&*open(&server).await).await;
    assert_eq!(results[0].as_ref().unwrap_err().code, Code::UnsentChanges);
    assert!(server.patches().is_empty());
}

#[tokio::test]
async fn what_is_over_the_days_budget_waits() {
    let server = GraphServer::start([event("A"), event("B"), event("C")]).await;
    let calendar = open_with(&server, "secret = 'x'\nrecipients_per_day = 4").await;
    let results = migrate(&*calendar).await;
    assert!(results[0].is_ok() && results[1].is_ok());
    let error = results[2].as_ref().unwrap_err();
    assert_eq!(error.code, Code::RecipientBudget);
    assert!(matches!(error.kind, ErrorKind::RetryAfter(wait) if wait > Duration::from_secs(23 * 3600)));
    assert!(error.message.contains("recipients_per_day"), "{}", error.message);
}

#[tokio::test]
async fn an_online_meeting_that_exchange_keeps_is_remarked_on() {
    let mut online = event("A");
    online["isOnlineMeeting"] = json!(true);
    online["onlineMeetingUrl"] = json!(SFB);
    let server = GraphServer::start([online]).await;
    server.keep_online_meetings();
    let updated = migrate(&*open(&server).await).await.remove(0).unwrap();
    assert_eq!(updated.remarks[0].0, Code::OldMeetingKept);
    assert_eq!(read_back(&updated), [Some(TEAMS.to_owned())]);
}

#[tokio::test]
async fn hostile_events_do_not_hold_up_the_others() {
    let mut nobody = event("A");
    nobody.as_object_mut().unwrap().remove("organizer");
    nobody.as_object_mut().unwrap().remove("isOrganizer");
    let mut odd = event("B");
    odd["sensitivity"] = json!("topSecret");
    odd["attendees"] = json!({"x": 1});
    odd["locations"] = json!(7);
    let mut large = event("C");
    let body = large["body"]["content"].as_str().unwrap().to_owned();
    large["body"]["content"] = json!(format!("{body}{}", "<p>x</p>".repeat(5 << 17)));
    let server = GraphServer::start([nobody, odd, large, event("D")]).await;
    server.fail("GET", "/events/D", 200, json!({}), "no event at all");
    let calendar = open(&server).await;
    let mut pages = calendar.meetings(now());
    let page = pages.next().await.unwrap().unwrap();
    let (read, failed): (Vec<_>, Vec<_>) = page.into_iter().partition(Result::is_ok);
    assert_eq!((read.len(), failed.len()), (3, 1));
    let (id, error) = failed.into_iter().next().unwrap().unwrap_err();
    assert_eq!((id.0.as_str(), error.code), ("D", Code::UnreadableEvent));
    assert!(read[0].as_ref().unwrap().organised_by_owner, "nobody else is named");
}

#[tokio::test]
async fn what_is_not_ours_cancelled_or_over_is_not_even_read() {
    let mut foreign = event("A");
    foreign["isOrganizer"] = json!(false);
    let mut cancelled = event("B");
    cancelled["isCancelled"] = json!(true);
    let mut over = event("C");
    over["end"]["dateTime"] = json!("2026-11-01T10:00:00");
    let server = GraphServer::start([foreign, cancelled, over, event("D")]).await;
    let calendar = open(&server).await;
    let ids: Vec<_> = list(&*calendar).await.into_iter().map(|m| m.id.0).collect();
    assert_eq!(ids, ["D"]);
    assert_eq!(server.requests(), 4);
}

#[tokio::test]
async fn every_calendar_of_the_owners_is_listed_and_no_other() {
    let server = GraphServer::start([event("A")]).await;
    server.calendars(&json!([
        {"id": "C1", "isDefaultCalendar": true, "canEdit": true, "owner": {"address": "alice.adams@contoso.example"}},
        {"id": "C2", "canEdit": true, "owner": {"address": "Alice.Adams@contoso.example"}},
        {"id": "C3", "canEdit": false, "owner": {"address": "alice@contoso.example"}},
        {"id": "C4", "canEdit": true, "owner": {"address": "bob@contoso.example"}},
    ]));
    let calendar = open(&server).await;
    list(&*calendar).await;
    let mut listed = server.listed();
    listed.sort();
    assert_eq!(listed, ["C1", "C2"]);
}

#[tokio::test]
async fn failures_of_the_mailbox_as_a_whole_have_their_codes() {
    for (status, code, kind, expected) in [
        (404, "ErrorInvalidUser", ErrorKind::Gone, Code::CalendarNotFound),
        (403, "ErrorAccessDenied", ErrorKind::Unauthorised, Code::CalendarAccessDenied),
        (404, "MailboxNotEnabledForRESTAPI", ErrorKind::Permanent, Code::CalendarNotFound),
        (500, "InternalServerError", ErrorKind::Retry, Code::CalendarServerError),
    ] {
        let server = GraphServer::start([event("A")]).await;
        server.fail("GET", "/calendars", status, json!({}), code);
        let calendar = open(&server).await;
        let error = calendar.meetings(now()).next().await.unwrap_err();
        assert_eq!((error.kind, error.code), (kind, expected), "{error}");
        assert!(error.message.contains(code) && error.message.contains("alice@contoso.example"));
    }
}

#[tokio::test]
async fn truncated_answers_are_an_error_and_not_an_end() {
    let server = GraphServer::start([event("A")]).await;
    server.truncate("$batch");
    let calendar = open(&server).await;
    let mut pages = calendar.meetings(now());
    assert_eq!(pages.next().await.unwrap_err().kind, ErrorKind::Retry);
    assert_eq!(pages.next().await.unwrap().unwrap().len(), 1, "asked again, it comes");
}

#[tokio::test]
async fn a_wrong_secret_says_what_to_do_and_shows_none() {
    let server = GraphServer::start([event("A")]).await;
    let calendar = open_with(&server, "secret = 'wr0ng'").await;
    let error = calendar.meetings(now()).next().await.unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Unauthorised, Code::CalendarAccessDenied));
    assert!(error.message.contains("AADSTS7000215") && error.message.contains("secret's value"), "{error}");
    assert!(!error.message.contains("wr0ng"));
}

#[tokio::test]
async fn a_certificate_signs_the_assertion() {
    for (signing, name) in [("", "PS256"), ("signing = 'RS256'", "RS256")] {
        let server = GraphServer::start([event("A")]).await;
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/entra");
        let settings = format!(
            "certificate_file = '{folder}/certificate.pem'\nkey_file = '{folder}/key.pem'\n{signing}"
        );
        let calendar = open_with(&server, &settings).await;
        assert_eq!(list(&*calendar).await.len(), 1);
        assert_eq!(server.signed_with().as_deref(), Some(name));
    }
}

#[tokio::test]
async fn the_diagnosis_goes_step_by_step() {
    let server = GraphServer::start([event("A")]).await;
    let of = |text: &str| toml::from_str(&server.settings(text)).unwrap();
    let steps = diagnose(&of("secret = 's3cret'"), Some(&alice())).await;
    let passed = steps.iter().all(|step| matches!(step.outcome, DiagnosticOutcome::Passed(_)));
    assert!(passed && steps.len() == 3, "{steps:?}");
    let steps = diagnose(&of("secret = 'wr0ng'"), Some(&alice())).await;
    assert!(steps.len() == 1 && steps[0].is_failure(), "{steps:?}");
}

#[tokio::test]
async fn content_of_another_calendar_is_refused() {
    let server = GraphServer::start([event("A")]).await;
    let calendar = open(&server).await;
    let mut update = to_teams(&*calendar, &list(&*calendar).await[0]);
    assert!(Item::from_bytes(&update.content).is_ok());
    update.content = b"BEGIN:VCALENDAR".to_vec();
    let error = calendar.update(vec![update]).await.remove(0).unwrap_err();
    assert_eq!(error.code, Code::UnreadableEvent);
}
