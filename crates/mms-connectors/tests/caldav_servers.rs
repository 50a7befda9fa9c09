//! The CalDAV connector against real servers, which another client fills and looks at.

// A broken set-up is to fail loudly.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use mms_connectors::calendar::caldav::{CalDavSettings, diagnose};
use mms_connectors::diagnosis::DiagnosticOutcome;
use mms_model::port::{Scheduling, Update, Updated, UserCalendar};
use mms_model::{AttendeeChoice, Code, ErrorKind, Meeting, PortError};
use mms_testkit::{Server, TestUser};
use support::{OtherClient, all, epoch, event, open, settings, user};

/// Servers that are always there, and those of `./test all`.
fn servers() -> Vec<&'static str> {
    let mut names = vec!["radicale", "xandikos", "cyrus"];
    if std::env::var_os("MMS_TEST_ALL_SERVERS").is_some_and(|v| v == "1") {
        names.extend(["davical", "sogo"]);
    }
    names
}

fn client(user: &TestUser) -> OtherClient {
    OtherClient::new(&user.name, &user.password)
}

fn own_settings(server: &Server, user: &TestUser) -> CalDavSettings {
    settings(&server.url, &user.name, &user.password)
}

async fn open_as(server: &Server, name: &str) -> Box<dyn UserCalendar> {
    let who = server.user(name);
    open(own_settings(server, who), &user(name, "")).await.unwrap_or_else(|e| panic!("{}: {e}", server.name))
}

async fn write(
    calendar: &dyn UserCalendar,
    meeting: &Meeting,
    content: String,
    notify: AttendeeChoice,
) -> Result<Updated, PortError> {
    let update = Update {
        id: meeting.id.clone(),
        version: meeting.version.clone(),
        content: content.into_bytes(),
        notify,
    };
    calendar.update(vec![update]).await.remove(0)
}

fn text(meeting: &Meeting) -> String {
    String::from_utf8(meeting.content.clone()).unwrap()
}

/// The text with the link exchanged, as `rewrite` would return it.
fn moved(meeting: &Meeting) -> String {
    text(meeting).replace("https://old/1", "https://new/1")
}

async fn only_meeting(calendar: &dyn UserCalendar) -> Meeting {
    let (mut meetings, errors, _) = all(calendar).await;
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(meetings.len(), 1);
    meetings.remove(0)
}

/// A sibling of a calendar.
fn beside(calendar: &str, name: &str) -> String {
    let home = calendar.trim_end_matches('/').rsplit_once('/').unwrap().0;
    format!("{home}/{name}/")
}

#[tokio::test(flavor = "multi_thread")]
async fn meetings_of_every_calendar_are_found_and_no_others() {
    for name in servers() {
        let server = Server::start(name, &["alice", "bob"]);
        let alice = server.user("alice");
        let other = client(alice);
        let (work, tasks) = (beside(&alice.calendar, "work"), beside(&alice.calendar, "tasks"));
        other.make_calendar(&work, "VEVENT").await;
        other.make_calendar(&tasks, "VTODO").await;
        other.put(&format!("{}one.ics", alice.calendar), &event("one", "https://old/1", "")).await;
        other
            .put(&format!("{work}two.ics"), &event("two", "https://old/2", "RRULE:FREQ=WEEKLY;COUNT=5\r\n"))
            .await;
        let past = event("past", "https://old/3", "").replace(":20300107", ":20200106");
        other.put(&format!("{work}past.ics"), &past).await;
        // Began long ago, goes on.
        let series =
            event("series", "https://old/4", "RRULE:FREQ=WEEKLY\r\n").replace(":20300107", ":20200106");
        other.put(&format!("{work}series.ics"), &series).await;

        let calendar = open_as(&server, "alice").await;
        let (meetings, errors, _) = all(&*calendar).await;
        let mut uids: Vec<_> = meetings.iter().map(|m| m.uid.as_str()).collect();
        uids.sort_unstable();
        assert_eq!(uids, ["one", "series", "two"], "{name}");
        assert!(errors.is_empty(), "{name}: {errors:?}");
        for meeting in &meetings {
            let again = calendar.get(&meeting.id, epoch()).await.unwrap().unwrap();
            assert_eq!(text(&again), text(meeting), "{name}: one by one and by multiget it is the same");
            assert_eq!(again.version, meeting.version, "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_is_verified_and_its_version_can_be_written_again() {
    for name in servers() {
        let server = Server::start(name, &["alice", "bob"]);
        let alice = server.user("alice");
        let url = format!("{}one.ics", alice.calendar);
        client(alice).put(&url, &event("one", "https://old/1", "X-ODD;P=\"a:b\":kept\r\n")).await;
        let calendar = open_as(&server, "alice").await;
        let meeting = only_meeting(&*calendar).await;

        let updated = write(&*calendar, &meeting, moved(&meeting), AttendeeChoice::All).await.unwrap();
        assert_eq!(updated.remarks, [], "{name}");
        assert_eq!(updated.attendees_told, 0, "{name}: there is nobody to tell");
        let stored = client(alice).get(&url).await;
        assert!(stored.contains("https://new/1") && !stored.contains("https://old"), "{name}: {stored}");
        assert!(stored.contains("X-ODD") && stored.contains("kept"), "{name}: {stored}");

        let mut again = calendar.get(&meeting.id, epoch()).await.unwrap().unwrap();
        assert_eq!(again.version, updated.version, "{name}");
        again.version = updated.version;
        let back = text(&again).replace("https://new/1", "https://old/1");
        write(&*calendar, &again, back, AttendeeChoice::All).await.unwrap();
        assert!(client(alice).get(&url).await.contains("https://old/1"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_made_meanwhile_is_never_overwritten() {
    for name in servers() {
        let server = Server::start(name, &["alice", "bob"]);
        let alice = server.user("alice");
        let other = client(alice);
        let url = format!("{}one.ics", alice.calendar);
        let attendees = "ORGANIZER:mailto:alice@example.test\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@example.test\r\n\
             ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bob@example.test\r\n";
        let original =
            event("one", "https://old/1", &format!("{attendees}X-ALT-DESC;FMTTYPE=text/html:<p>a</p>\r\n"));
        other.put(&url, &original).await;
        let calendar = open_as(&server, "alice").await;

        // The last is the one that a Schedule-Tag may not see.
        for edit in [("SUMMARY:Meeting", "SUMMARY:Moved"), ("<p>a</p>", "<p>edited by hand</p>")] {
            let meeting = only_meeting(&*calendar).await;
            let edited = other.get(&url).await.replace(edit.0, edit.1);
            assert!(edited.contains(edit.1), "{name}: {edited}");
            other.put(&url, &edited).await;
            let error = write(&*calendar, &meeting, moved(&meeting), AttendeeChoice::All).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Conflict, "{name}: {error}");
            let stored = other.get(&url).await;
            assert!(stored.contains(edit.1) && stored.contains("https://old/1"), "{name}: {stored}");
        }
        let meeting = only_meeting(&*calendar).await;
        write(&*calendar, &meeting, moved(&meeting), AttendeeChoice::All).await.unwrap();
        let stored = other.get(&url).await;
        assert!(stored.contains("edited by hand") && stored.contains("https://new/1"), "{name}: {stored}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_event_is_gone() {
    for name in servers() {
        let server = Server::start(name, &["alice", "bob"]);
        let alice = server.user("alice");
        let url = format!("{}one.ics", alice.calendar);
        client(alice).put(&url, &event("one", "https://old/1", "")).await;
        let calendar = open_as(&server, "alice").await;
        let meeting = only_meeting(&*calendar).await;
        let (status, _) = client(alice).send("DELETE", &url, &[], String::new()).await;
        assert!((200..300).contains(&status));
        assert!(calendar.get(&meeting.id, epoch()).await.unwrap().is_none(), "{name}");
        let error = write(&*calendar, &meeting, moved(&meeting), AttendeeChoice::All).await.unwrap_err();
        // RFC 9110 allows either: with no event there is none that matches.
        assert!(matches!(error.kind, ErrorKind::Gone | ErrorKind::Conflict), "{name}: {error}");
        let (status, _) = client(alice).send("GET", &url, &[], String::new()).await;
        assert!(matches!(status, 404 | 410), "{name}: nothing was made anew");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exceptions_travel_with_their_series() {
    for name in servers() {
        let server = Server::start(name, &["alice", "bob"]);
        let alice = server.user("alice");
        let url = format!("{}one.ics", alice.calendar);
        let series = event("one", "https://old/1", "RRULE:FREQ=DAILY;COUNT=5\r\n");
        let exception = "BEGIN:VEVENT\r\nUID:one\r\nDTSTAMP:20260101T000000Z\r\nSEQUENCE:0\r\nRECURRENCE-ID:20300108T090000Z\r\n\
             DTSTART:20300108T110000Z\r\nDTEND:20300108T120000Z\r\nSUMMARY:Meeting one\\, later\r\nDESCRIPTION:https://old/1\r\n\
             END:VEVENT\r\nEND:VCALENDAR\r\n";
        client(alice).put(&url, &series.replace("END:VCALENDAR\r\n", exception)).await;
        let calendar = open_as(&server, "alice").await;
        let meeting = only_meeting(&*calendar).await;
        assert_eq!(meeting.instances.len(), 2, "{name}");
        let updated = write(&*calendar, &meeting, moved(&meeting), AttendeeChoice::All).await.unwrap();
        assert_eq!(updated.remarks, [], "{name}");
        let stored = client(alice).get(&url).await;
        assert_eq!(stored.matches("https://new/1").count(), 2, "{name}: {stored}");
        assert!(stored.contains("RECURRENCE-ID") && stored.contains("one\\, later"), "{name}: {stored}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_updates_is_told_right() {
    for name in servers() {
        let server = Server::start(name, &["alice", "bob"]);
        let calendar = open_as(&server, "alice").await;
        let expected = if server.scheduling { Scheduling::Server } else { Scheduling::Client };
        assert_eq!(calendar.scheduling(), expected, "{name}");
    }
}

const INVITED: &str = "ORGANIZER:mailto:alice@example.test\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@example.test\r\n\
    ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bob@example.test\r\n";

async fn copy_of(other: &OtherClient, calendar: &str) -> (String, String) {
    let members = other.members(calendar).await;
    assert_eq!(members.len(), 1, "one copy: {members:?}");
    let content = other.get(&members[0]).await;
    (members[0].clone(), content)
}

/// Whether the attendee's line says so.
fn has_accepted(text: &str, name: &str) -> bool {
    text.lines()
        .filter(|line| line.starts_with("ATTENDEE") && line.contains(&format!("{name}@example.test")))
        .any(|line| line.contains("PARTSTAT=ACCEPTED"))
}

/// Has alice invite bob to a meeting with lines of `more` in it, and bob accept.
async fn invite_and_accept(server: &Server, url: &str, more: &str) {
    let (alice, bob) = (client(server.user("alice")), client(server.user("bob")));
    alice.put(url, &event("one", "https://old/1", &format!("{INVITED}{more}"))).await;
    let (copy, invited) = copy_of(&bob, &server.user("bob").calendar).await;
    let accepted = invited.replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED");
    assert_ne!(accepted, invited, "{}", server.name);
    bob.put(&copy, &accepted).await;
    assert!(has_accepted(&alice.get(url).await, "bob"), "{}: the answer came", server.name);
}

fn codes(updated: &Updated) -> Vec<Code> {
    updated.remarks.iter().map(|(code, _)| *code).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduling_server_tells_attendees_once_and_keeps_their_answers() {
    for name in servers() {
        let server = Server::start(name, &["alice", "bob"]);
        if !server.scheduling {
            continue;
        }
        let (alice, bob) = (server.user("alice"), server.user("bob"));
        let url = format!("{}one.ics", alice.calendar);
        // The attendee's calendar is there from the first sign-in on.
        open_as(&server, "bob").await;
        invite_and_accept(&server, &url, "").await;

        let calendar = open_as(&server, "alice").await;
        let meeting = only_meeting(&*calendar).await;
        let updated = write(&*calendar, &meeting, moved(&meeting), AttendeeChoice::All).await.unwrap();
        assert_eq!(updated.attendees_told, 1, "{name}");
        let (_, copied) = copy_of(&client(bob), &bob.calendar).await;
        assert!(copied.contains("https://new/1") && !copied.contains("https://old/1"), "{name}: {copied}");
        assert!(has_accepted(&client(alice).get(&url).await, "bob"), "{name}: the answer is kept");
        assert!(has_accepted(&copied, "bob"), "{name}: {copied}");
        assert_eq!(updated.remarks, [], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn davicals_old_links_in_attendees_copies_are_told() {
    if !servers().contains(&"davical") {
        return;
    }
    const LINK: &str = "X-MICROSOFT-SKYPETEAMSMEETINGURL:https://old/1\r\n";
    // The link exchanged, and taken out.
    for new_link in [LINK.replace("old", "new"), String::new()] {
        let server = Server::start("davical", &["alice", "bob"]);
        let (alice, bob) = (server.user("alice"), server.user("bob"));
        let url = format!("{}one.ics", alice.calendar);
        invite_and_accept(&server, &url, LINK).await;
        let calendar = open_as(&server, "alice").await;
        let meeting = only_meeting(&*calendar).await;
        let unlinked = Meeting { content: text(&meeting).replace(LINK, "").into_bytes(), ..meeting.clone() };
        let content = moved(&unlinked).replace("END:VEVENT", &format!("{new_link}END:VEVENT"));
        let updated = write(&*calendar, &meeting, content, AttendeeChoice::All).await.unwrap();
        assert_eq!(codes(&updated), [Code::StaleAttendeeCopy], "{updated:?}");

        assert!(!client(alice).get(&url).await.contains("https://old/1"));
        let (_, copied) = copy_of(&client(bob), &bob.calendar).await;
        assert!(copied.contains("DESCRIPTION:https://new/1"), "{copied}");
        assert!(
            copied.contains(LINK.trim_end()),
            "DAViCal no longer does what the remark tells of: {copied}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_sogo_resets_are_told() {
    if !servers().contains(&"sogo") {
        return;
    }
    let server = Server::start("sogo", &["alice", "bob"]);
    let (alice, bob) = (server.user("alice"), server.user("bob"));
    let url = format!("{}one.ics", alice.calendar);
    open_as(&server, "bob").await;
    invite_and_accept(&server, &url, "LOCATION:https://old/1\r\n").await;
    let calendar = open_as(&server, "alice").await;
    let meeting = only_meeting(&*calendar).await;
    let updated = write(&*calendar, &meeting, moved(&meeting), AttendeeChoice::All).await.unwrap();
    assert_eq!((codes(&updated), updated.attendees_told), (vec![Code::AnswersReset], 1), "{updated:?}");
    assert!(updated.remarks[0].1.contains("bob@example.test"), "{updated:?}");

    let (_, copied) = copy_of(&client(bob), &bob.calendar).await;
    for kept in [client(alice).get(&url).await, copied] {
        let reset = !has_accepted(&kept, "bob") && kept.contains("SEQUENCE:1");
        assert!(reset, "SOGo no longer does what the remark tells of: {kept}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sogo_tells_attendees_whatever_their_schedule_agent() {
    if !servers().contains(&"sogo") {
        return;
    }
    for agent in ["CLIENT", "NONE"] {
        let server = Server::start("sogo", &["alice", "bob"]);
        let (alice, bob) = (server.user("alice"), server.user("bob"));
        let url = format!("{}one.ics", alice.calendar);
        open_as(&server, "bob").await;
        let invited = INVITED.replace("RSVP=TRUE", &format!("RSVP=TRUE;SCHEDULE-AGENT={agent}"));
        client(alice).put(&url, &event("one", "https://old/1", &invited)).await;
        let calendar = open_as(&server, "alice").await;
        let meeting = only_meeting(&*calendar).await;

        let refused = write(&*calendar, &meeting, moved(&meeting), AttendeeChoice::None).await.unwrap_err();
        assert_eq!(refused.code, Code::AttendeeChoiceNotPossible, "{agent}: {refused}");
        let updated = write(&*calendar, &meeting, moved(&meeting), AttendeeChoice::All).await.unwrap();
        assert_eq!(updated.attendees_told, 1, "{agent}");
        let (_, copied) = copy_of(&client(bob), &bob.calendar).await;
        assert!(copied.contains("https://new/1"), "{agent}: {copied}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_write_is_at_most_one_scheduling_message() {
    let server = Server::start("cyrus", &["alice", "bob"]);
    let (alice, bob) = (server.user("alice"), server.user("bob"));
    client(alice).put(&format!("{}one.ics", alice.calendar), &event("one", "https://old/1", INVITED)).await;
    let inbox = beside(&bob.calendar, "Inbox");
    let before = client(bob).members(&inbox).await;
    assert_eq!(before.len(), 1, "the invitation");
    let calendar = open_as(&server, "alice").await;
    let meeting = only_meeting(&*calendar).await;
    write(&*calendar, &meeting, moved(&meeting), AttendeeChoice::All).await.unwrap();
    // Cyrus puts an update that moves nothing straight into the attendee's copy, with no second message.
    assert_eq!(client(bob).members(&inbox).await, before);
    let (_, copied) = copy_of(&client(bob), &bob.calendar).await;
    assert_eq!(copied.matches("BEGIN:VEVENT").count(), 1, "{copied}");
    assert!(copied.contains("https://new/1"), "{copied}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_silently_where_the_server_cannot_leave_anybody_out() {
    let server = Server::start("cyrus", &["alice", "bob"]);
    let alice = server.user("alice");
    let url = format!("{}one.ics", alice.calendar);
    client(alice).put(&url, &event("one", "https://old/1", INVITED)).await;
    client(alice).put(&format!("{}two.ics", alice.calendar), &event("two", "https://old/1", "")).await;
    let calendar = open_as(&server, "alice").await;
    let (meetings, ..) = all(&*calendar).await;
    for meeting in &meetings {
        let outcome = write(&*calendar, meeting, moved(meeting), AttendeeChoice::None).await;
        if meeting.uid == "two" {
            assert_eq!(outcome.unwrap().attendees_told, 0, "a meeting without attendees is no matter");
        } else {
            let error = outcome.unwrap_err();
            assert_eq!((error.kind, error.code), (ErrorKind::Permanent, Code::AttendeeChoiceNotPossible));
            assert!(client(alice).get(&url).await.contains("https://old/1"), "nothing was written");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attendees_whom_the_server_mails_count_as_told() {
    let server = Server::start("cyrus", &["alice", "bob"]);
    let alice = server.user("alice");
    let url = format!("{}one.ics", alice.calendar);
    let with_guest = format!("{INVITED}ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:guest@other.test\r\n");
    client(alice).put(&url, &event("one", "https://old/1", &with_guest)).await;
    let calendar = open_as(&server, "alice").await;
    let meeting = only_meeting(&*calendar).await;
    let updated = write(&*calendar, &meeting, moved(&meeting), AttendeeChoice::All).await.unwrap();
    assert_eq!((updated.attendees_told, updated.remarks), (2, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_of_a_thousand_comes_in_pages() {
    let server = Server::start("radicale", &["alice"]);
    let alice = server.user("alice");
    let other = client(alice);
    let texts: String = (0..1000).map(|n| event(&format!("e{n:04}"), "https://old/1", "")).collect();
    let between = "END:VCALENDAR\r\nBEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n";
    // Radicale takes a whole calendar at once.
    other.put(&beside(&alice.calendar, "big"), &texts.replace(between, "")).await;
    let calendar = open_as(&server, "alice").await;
    let (meetings, errors, sizes) = all(&*calendar).await;
    assert!(errors.is_empty());
    assert_eq!(sizes, [100; 10]);
    let mut uids: Vec<_> = meetings.iter().map(|m| m.uid.clone()).collect();
    let ids: Vec<_> = meetings.iter().map(|m| m.id.clone()).collect();
    assert!(ids.is_sorted(), "in a stable order");
    uids.sort_unstable();
    uids.dedup();
    assert_eq!(uids.len(), 1000, "each once");

    let updates = meetings
        .iter()
        .take(50)
        .map(|m| Update {
            id: m.id.clone(),
            version: m.version.clone(),
            content: moved(m).into_bytes(),
            notify: AttendeeChoice::All,
        })
        .collect();
    let outcomes = calendar.update(updates).await;
    assert!(outcomes.iter().all(Result::is_ok));
    for (at, meeting) in meetings.iter().enumerate().step_by(33) {
        let now = calendar.get(&meeting.id, epoch()).await.unwrap().unwrap();
        assert_eq!(text(&now).contains("https://new/1"), at < 50, "{at}");
        if let Some(Ok(updated)) = outcomes.get(at) {
            assert_eq!(updated.version, now.version, "the results are in the order of the updates");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_as_such() {
    for name in servers() {
        // Xandikos checks no passwords over plain HTTP.
        if name == "xandikos" {
            continue;
        }
        let server = Server::start(name, &["alice", "bob"]);
        let wrong = settings(&server.url, "alice", "wrong");
        let error = open(wrong.clone(), &user("alice", "")).await.err().expect("it is refused");
        assert_eq!((error.kind, error.code), (ErrorKind::Unauthorised, Code::CalendarAccessDenied), "{name}");
        assert!(!error.message.contains("wrong"), "{name}: {error}");
        let steps = diagnose(&wrong, &user("alice", "")).await;
        assert_eq!(
            steps.iter().find(|s| s.is_failure()).map(|s| s.name.as_str()),
            Some("sign-in"),
            "{steps:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_calendars_of_another_are_not_taken_for_the_users() {
    let server = Server::start("cyrus", &["alice", "bob"]);
    let alice = server.user("alice");
    let error = open(own_settings(&server, alice), &user("bob", "")).await.err().expect("it is refused");
    assert_eq!(error.code, Code::CalendarNotFound, "{error}");
    assert!(error.message.contains("alice@example.test"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_found_by_template_principal_and_home() {
    for name in servers() {
        let server = Server::start(name, &["alice", "bob"]);
        let alice = server.user("alice");
        client(alice).put(&format!("{}one.ics", alice.calendar), &event("one", "https://old/1", "")).await;
        let home = beside(&alice.calendar, "").replace("//", "/").replacen(":/", "://", 1);
        let template = home.replace("/alice/", "/{user}/");
        assert_ne!(template, home, "{name}");
        for (url, place) in
            [(template.as_str(), ""), (template.as_str(), "alice"), (server.url.as_str(), home.as_str())]
        {
            let calendar = open(settings(url, "alice", &alice.password), &user("alice", place)).await;
            let calendar = calendar.unwrap_or_else(|e| panic!("{name}, {url}, {place}: {e}"));
            assert_eq!(only_meeting(&*calendar).await.uid, "one", "{name}");
            let expected = if server.scheduling { Scheduling::Server } else { Scheduling::Client };
            assert_eq!(calendar.scheduling(), expected, "{name}: the owner is found from the home");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_a_sound_configuration_sound() {
    for name in servers() {
        let server = Server::start(name, &["alice", "bob"]);
        let alice = server.user("alice");
        client(alice).put(&format!("{}one.ics", alice.calendar), &event("one", "https://old/1", "")).await;
        let steps = diagnose(&own_settings(&server, alice), &user("alice", "")).await;
        assert_eq!(steps.len(), 9);
        for step in &steps {
            assert!(matches!(step.outcome, DiagnosticOutcome::Passed(_)), "{name}: {step:?}");
        }
        assert_eq!(steps[7].outcome, DiagnosticOutcome::Passed("1 events".into()), "{name}");
    }
}
