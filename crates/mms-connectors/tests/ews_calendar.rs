//! The EWS calendar against the sandbox: listing, writing, conflicts, a busy server, broken connections.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use mms_connectors::calendar::ews::{EwsCalendar, diagnose};
use mms_connectors::diagnosis::DiagnosticOutcome;
use mms_invite::recognise::{Recogniser, RecogniserOptions};
use mms_invite::render::Templates;
use mms_invite::rewrite::Editor;
use mms_model::port::{Calendar as _, Update, Updated, UserCalendar};
use mms_model::{
    Address, AttendeeChoice, Code, ErrorKind, InstanceId, JoinInformation, Meeting, Platform, PortError,
    Recognition, Replacement, Rewrite, User,
};
use mms_sandbox::{Faults, Sandbox, Settings};

static EDITOR: LazyLock<Arc<Editor>> = LazyLock::new(|| {
    let options = RecogniserOptions {
        skype_hosts: vec!["meet.contoso.example".to_owned()],
        ..RecogniserOptions::default()
    };
    Arc::new(Editor::new(Arc::new(Recogniser::new(&options).unwrap()), Arc::new(Templates::builtin())))
});

async fn sandbox(meetings: usize) -> Sandbox {
    Sandbox::start(&Settings { users: 4, meetings, ..Settings::default() }).await.unwrap()
}

fn user(sandbox: &Sandbox, number: usize) -> User {
    let address = sandbox.description()["users"][number]["address"].as_str().unwrap().to_owned();
    User {
        skype: None,
        id: uuid::Uuid::nil(),
        upn: address.clone(),
        sip: None,
        logon: None,
        display_name: None,
        distinguished_name: None,
        addresses: vec![Address::new(&address)],
        calendar: None,
    }
}

async fn open_with(sandbox: &Sandbox, settings: &str) -> Box<dyn UserCalendar> {
    let description = sandbox.description();
    let settings = toml::from_str(&format!(
        "url = {}\nauth = {{ type = \"basic\", user = {}, password = {} }}\n{settings}",
        description["ews"], description["account"]["user"], description["account"]["password"]
    ));
    let calendar = EwsCalendar::new(&settings.unwrap(), Arc::clone(&EDITOR)).unwrap();
    calendar.open(&user(sandbox, 0)).await.unwrap()
}

async fn open(sandbox: &Sandbox) -> Box<dyn UserCalendar> {
    open_with(sandbox, "").await
}

fn now() -> Timestamp {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

async fn list(calendar: &dyn UserCalendar) -> Vec<Meeting> {
    let mut pages = calendar.meetings(now());
    let mut all = Vec::new();
    while let Some(page) = pages.next().await.unwrap() {
        all.extend(page.into_iter().map(Result::unwrap));
    }
    all
}

fn target(instance: &InstanceId, uid: &str) -> JoinInformation {
    JoinInformation::new(
        Platform::JITSI,
        "Jitsi Meet".to_owned(),
        format!("https://meet.jit.si/{uid}-{}", matches!(instance, InstanceId::Master)),
    )
}

fn moved(calendar: &dyn UserCalendar, meeting: &Meeting, notify: AttendeeChoice) -> Update {
    let replacements = meeting.instances.iter().filter(|i| i.upcoming).filter_map(|i| match &i.recognition {
        Recognition::One(old) => Some(Replacement {
            instance: i.id.clone(),
            key: old.key.clone(),
            target: target(&i.id, &meeting.uid),
            language: "en".to_owned(),
        }),
        _ => None,
    });
    let rewrite = Rewrite {
        replacements: replacements.collect(),
        stamp: now(),
        raise_sequence: false,
        identities: Default::default(),
    };
    Update {
        id: meeting.id.clone(),
        version: meeting.version.clone(),
        content: calendar.rewrite(meeting, &rewrite).unwrap().content,
        notify,
    }
}

/// Meetings that are held online, as the engine picks them.
fn online(meetings: Vec<Meeting>) -> Vec<Meeting> {
    let is_online = |meeting: &Meeting| {
        meeting.instances.iter().any(|i| i.upcoming && matches!(i.recognition, Recognition::One(_)))
    };
    meetings.into_iter().filter(is_online).collect()
}

async fn migrate(calendar: &dyn UserCalendar) -> Vec<Result<Updated, PortError>> {
    let meetings = online(list(calendar).await);
    calendar.update(meetings.iter().map(|m| moved(calendar, m, AttendeeChoice::All)).collect()).await
}

fn urls(meeting: &Meeting) -> Vec<String> {
    let url = |recognition: &Recognition| match recognition {
        Recognition::One(online) => online.join_url.clone(),
        _ => None,
    };
    meeting.instances.iter().filter_map(|i| url(&i.recognition)).collect()
}

fn most_mails(sandbox: &Sandbox) -> u64 {
    let state = sandbox.state();
    state["mails"].as_array().unwrap().iter().map(|mail| mail["count"].as_u64().unwrap()).max().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_meetings_move_with_few_requests() {
    let sandbox = sandbox(100).await;
    let calendar = open(&sandbox).await;
    let results = migrate(&*calendar).await;
    assert_eq!(results.len(), 100);
    for result in &results {
        let updated = result.as_ref().unwrap();
        assert!(updated.remarks.is_empty(), "{:?}", updated.remarks);
        assert!(updated.attendees_told > 0);
    }
    let requests = sandbox.state()["requestsInAll"].as_u64().unwrap();
    assert!(requests <= 15, "0.15 a meeting, and it took {requests}: {}", sandbox.state());
    assert_eq!(most_mails(&sandbox), 1, "each attendee is told once");
    let after = online(list(&*calendar).await);
    assert_eq!(after.len(), 100);
    for meeting in &after {
        assert!(
            urls(meeting).iter().all(|url| url.starts_with("https://meet.jit.si/")),
            "{:?}",
            urls(meeting)
        );
        let text = String::from_utf8_lossy(&meeting.content);
        assert!(text.contains("Agenda: numbers") && text.contains("wiki.contoso.example/minutes"), "{text}");
        for old in ["meet.contoso.example", "teams.microsoft.com", "zoom.us", "27999194", "pA7xk2"] {
            assert!(!text.contains(old), "{old} is left in {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_calendar_and_the_series_are_there_and_others_are_not() {
    let sandbox = sandbox(7).await;
    let calendar = open(&sandbox).await;
    let mut pages = calendar.meetings(now());
    let mut all = Vec::new();
    while let Some(page) = pages.next().await.unwrap() {
        all.extend(page.into_iter().map(Result::unwrap));
    }
    assert_eq!(pages.passed_over(), 1, "the one that is over");
    // Seven, and one without a link; not the one that somebody else organises.
    assert_eq!(all.len(), 8);
    assert_eq!(online(all.clone()).len(), 7, "with the confidential one of the second calendar");
    let series: Vec<&Meeting> = all.iter().filter(|meeting| meeting.instances.len() > 1).collect();
    assert_eq!(series.len(), 1);
    let before = series[0].clone();
    calendar.update(vec![moved(&*calendar, &before, AttendeeChoice::All)]).await.remove(0).unwrap();
    let after = calendar.get(&before.id, now()).await.unwrap().unwrap();
    let mut urls = urls(&after);
    urls.sort_unstable();
    urls.dedup();
    assert_eq!(urls.len(), 2, "the exception has the block that was made for it: {urls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_made_meanwhile_is_never_overwritten() {
    let sandbox = sandbox(7).await;
    let calendar = open(&sandbox).await;
    let updates: Vec<Update> =
        online(list(&*calendar).await).iter().map(|m| moved(&*calendar, m, AttendeeChoice::All)).collect();
    for event in 0..7 {
        sandbox.edit(0, event);
    }
    for result in calendar.update(updates).await {
        let error = result.unwrap_err();
        assert_eq!((error.kind, error.code), (ErrorKind::Conflict, Code::EventConflict), "{error}");
    }
    assert_eq!(most_mails(&sandbox), 0);
    for meeting in online(list(&*calendar).await) {
        assert!(meeting.subject.contains("Changed by the organizer"), "{}", meeting.subject);
        assert!(urls(&meeting).iter().all(|url| !url.contains("jit.si")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_come_in_meanwhile_are_no_edits() {
    let sandbox = sandbox(60).await;
    let calendar = open(&sandbox).await;
    sandbox.set_faults(Faults { answers_meanwhile: 0.3, ..Faults::default() });
    let results = migrate(&*calendar).await;
    let moved = results.iter().filter(|result| result.is_ok()).count();
    assert!(moved > 40, "of 60: {moved}");
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        assert_eq!(error.code, Code::EventConflict, "{error}");
    }
    assert_eq!(most_mails(&sandbox), 1);
    // What kept changing is tried again from the start.
    sandbox.set_faults(Faults::default());
    let left: Vec<Meeting> = online(list(&*calendar).await)
        .into_iter()
        .filter(|meeting| urls(meeting).iter().any(|url| !url.contains("jit.si")))
        .collect();
    let updates = left.iter().map(|m| self::moved(&*calendar, m, AttendeeChoice::None)).collect();
    assert!(calendar.update(updates).await.iter().all(Result::is_ok));
    assert_eq!(most_mails(&sandbox), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_server_is_waited_for() {
    let sandbox = sandbox(30).await;
    sandbox.set_faults(Faults { busy: 0.4, back_off_ms: 20, ..Faults::default() });
    let calendar = open_with(&sandbox, "page_size = 5").await;
    let results = migrate(&*calendar).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 30, "{results:?}");
    assert!(sandbox.state()["refusals"]["ErrorServerBusy"].as_u64().unwrap() > 0);
    assert_eq!(most_mails(&sandbox), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_is_lost_is_looked_up_and_not_repeated() {
    let sandbox = sandbox(20).await;
    let calendar = open(&sandbox).await;
    let updates =
        online(list(&*calendar).await).iter().map(|m| moved(&*calendar, m, AttendeeChoice::All)).collect();
    sandbox.set_faults(Faults { lost_answers: 1.0, ..Faults::default() });
    for result in calendar.update(updates).await {
        // A series is written in two rounds, and the second is not begun where the first is unclear.
        if let Err(error) = result {
            assert_eq!(error.kind, ErrorKind::Retry, "{error}");
        }
    }
    assert_eq!(most_mails(&sandbox), 1);
    sandbox.set_faults(Faults::default());
    let again: Vec<Meeting> = online(list(&*calendar).await);
    assert!(again.iter().filter(|m| urls(m).iter().all(|url| url.contains("jit.si"))).count() >= 16);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_answer_is_an_error_and_never_half_a_mailbox() {
    let sandbox = sandbox(20).await;
    let calendar = open(&sandbox).await;
    sandbox.set_faults(Faults { broken: 1.0, ..Faults::default() });
    let error = calendar.meetings(now()).next().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Retry, "{error}");
    sandbox.set_faults(Faults { broken: 0.2, ..Faults::default() });
    // Reads are repeated; the listing is whole or an error.
    let mut pages = calendar.meetings(now());
    let (mut seen, mut failures) = (0, 0);
    while failures < 50 {
        match pages.next().await {
            Ok(Some(page)) => seen += page.iter().filter(|meeting| meeting.is_ok()).count(),
            Ok(None) => break,
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Retry, "{error}");
                failures += 1;
            }
        }
    }
    assert_eq!(seen, 21);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_says_what_to_do() {
    let sandbox = sandbox(7).await;
    let calendar = open(&sandbox).await;
    sandbox.set_faults(Faults { impersonation_denied: true, ..Faults::default() });
    let error = calendar.meetings(now()).next().await.unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Unauthorised, Code::CalendarAccessDenied));
    assert!(error.message.contains("ApplicationImpersonation"), "{error}");
    let gone = user(&sandbox, 0).upn;
    sandbox.set_faults(Faults { vanished: Some(gone.clone()), ..Faults::default() });
    let error = calendar.meetings(now()).next().await.unwrap_err();
    assert_eq!(error.code, Code::CalendarNotFound);
    assert!(error.message.contains(&gone), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_that_vanishes_in_the_middle_fails_its_meetings_and_writes_nothing() {
    let sandbox = sandbox(7).await;
    let calendar = open(&sandbox).await;
    let updates: Vec<Update> =
        online(list(&*calendar).await).iter().map(|m| moved(&*calendar, m, AttendeeChoice::All)).collect();
    sandbox.set_faults(Faults { vanished: Some(user(&sandbox, 0).upn), ..Faults::default() });
    for result in calendar.update(updates).await {
        assert_eq!(result.unwrap_err().code, Code::CalendarNotFound);
    }
    assert_eq!(most_mails(&sandbox), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_told_is_what_was_chosen() {
    let sandbox = sandbox(7).await;
    let calendar = open(&sandbox).await;
    let meetings = online(list(&*calendar).await);
    let of = |notify| meetings.iter().map(|m| moved(&*calendar, m, notify)).collect::<Vec<_>>();
    for result in calendar.update(of(AttendeeChoice::External)).await {
        assert_eq!(result.unwrap_err().code, Code::AttendeeChoiceNotPossible);
    }
    assert!(online(list(&*calendar).await).iter().all(|m| urls(m).iter().all(|url| !url.contains("jit.si"))));
    for result in calendar.update(of(AttendeeChoice::None)).await {
        assert_eq!(result.unwrap().attendees_told, 0);
    }
    assert_eq!(most_mails(&sandbox), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_migrated_is_undone_to_what_it_was() {
    let sandbox = sandbox(7).await;
    let calendar = open(&sandbox).await;
    for before in online(list(&*calendar).await) {
        let update = moved(&*calendar, &before, AttendeeChoice::None);
        let written = update.content.clone();
        calendar.update(vec![update]).await.remove(0).unwrap();
        let current = calendar.get(&before.id, now()).await.unwrap().unwrap();
        let undone = calendar.undo(&before.content, &written, &current, now()).unwrap();
        let update = Update {
            id: current.id.clone(),
            version: current.version.clone(),
            content: undone.content,
            notify: AttendeeChoice::None,
        };
        calendar.update(vec![update]).await.remove(0).unwrap();
        let after = calendar.get(&before.id, now()).await.unwrap().unwrap();
        assert_eq!(urls(&after), urls(&before));
        let body = |meeting: &Meeting| {
            mms_invite::item::Item::from_bytes(&meeting.content).unwrap().components[0].body.clone()
        };
        assert_eq!(body(&after), body(&before));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_tells_a_good_server_from_a_wrong_password() {
    let sandbox = sandbox(7).await;
    let description = sandbox.description();
    for (password, passes) in
        [(description["account"]["password"].clone(), true), ("\"wrong\"".into(), false)]
    {
        let settings = toml::from_str(&format!(
            "url = {}\nauth = {{ type = \"basic\", user = {}, password = {password} }}",
            description["ews"], description["account"]["user"]
        ));
        let steps = diagnose(&settings.unwrap(), Some(&user(&sandbox, 1))).await;
        let good = steps.iter().all(|step| matches!(step.outcome, DiagnosticOutcome::Passed(_)));
        assert_eq!(good, passes, "{steps:?}");
    }
}
