//! The CalDAV connector against servers that answer oddly, or not at all.

// A broken set-up is to fail loudly.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mms_connectors::calendar::caldav::{CalDavSettings, Listing, diagnose};
use mms_model::port::{Scheduling, Update, Updated, UserCalendar};
use mms_model::{AttendeeChoice, Code, ErrorKind, PortError};
use support::{all, epoch, event, open, settings, user};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

const MULTISTATUS: &str =
    r#"<?xml version="1.0"?><d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav">"#;

fn multistatus(inner: &str) -> ResponseTemplate {
    ResponseTemplate::new(207).set_body_string(format!("{MULTISTATUS}{inner}</d:multistatus>"))
}

fn found(href: &str, properties: &str) -> String {
    format!(
        "<d:response><d:href>{href}</d:href><d:propstat><d:prop>{properties}</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
    )
}

async fn on(server: &MockServer, verb: &str, at: &str, answer: ResponseTemplate) {
    Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(server).await;
}

const PRINCIPAL: &str = "<c:calendar-home-set><d:href>/home/</d:href></c:calendar-home-set>\
    <c:calendar-user-address-set><d:href>mailto:alice@example.test</d:href></c:calendar-user-address-set>\
    <c:schedule-outbox-URL><d:href>/out/</d:href></c:schedule-outbox-URL>";

const CURRENT_USER: &str = "<d:current-user-principal><d:href>/p/</d:href></d:current-user-principal>";

/// A server with a principal and a home that has these members.
async fn server_of(members: &str, options: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    on(&server, "PROPFIND", "/", multistatus(&found("/", CURRENT_USER))).await;
    on(&server, "PROPFIND", "/p/", multistatus(&found("/p/", PRINCIPAL))).await;
    on(&server, "PROPFIND", "/home/", multistatus(members)).await;
    Mock::given(method("OPTIONS")).respond_with(options).mount(&server).await;
    server
}

fn one_calendar() -> String {
    found("/home/cal/", "<d:resourcetype><c:calendar/></d:resourcetype>")
}

/// A server with one calendar and these compliance classes.
async fn server_with(dav: &str) -> MockServer {
    server_of(&one_calendar(), ResponseTemplate::new(200).insert_header("DAV", dav)).await
}

const SCHEDULES: &str = "1, access-control, calendar-access, calendar-auto-schedule";

async fn with_event(server: &MockServer, content: &str) {
    listing(server, multistatus(&found("/home/cal/1.ics", "<d:getetag>\"1\"</d:getetag>"))).await;
    let data = found(
        "/home/cal/1.ics",
        &format!("<d:getetag>\"1\"</d:getetag><c:calendar-data>{content}</c:calendar-data>"),
    );
    // Once: what was written is read back by itself.
    Mock::given(method("REPORT"))
        .and(|request: &Request| String::from_utf8_lossy(&request.body).contains("calendar-multiget"))
        .respond_with(multistatus(&data))
        .up_to_n_times(1)
        .mount(server)
        .await;
}

async fn listing(server: &MockServer, answer: ResponseTemplate) {
    report(server, "calendar-query", answer).await;
}

async fn report(server: &MockServer, kind: &'static str, answer: ResponseTemplate) {
    Mock::given(method("REPORT"))
        .and(move |request: &Request| String::from_utf8_lossy(&request.body).contains(kind))
        .respond_with(answer)
        .mount(server)
        .await;
}

async fn alice(server: &MockServer) -> Result<Box<dyn UserCalendar>, PortError> {
    open(settings(&server.uri(), "alice", "pw"), &user("alice", "")).await
}

async fn alice_by_time(server: &MockServer) -> Box<dyn UserCalendar> {
    let settings = CalDavSettings { listing: Listing::TimeRange, ..settings(&server.uri(), "alice", "pw") };
    open(settings, &user("alice", "")).await.unwrap()
}

async fn write(calendar: &dyn UserCalendar, content: &str) -> Result<Updated, PortError> {
    let meeting = all(calendar).await.0.remove(0);
    let update = Update {
        id: meeting.id,
        version: meeting.version,
        content: content.into(),
        notify: AttendeeChoice::All,
    };
    calendar.update(vec![update]).await.remove(0)
}

const PEOPLE: &str =
    "ORGANIZER:mailto:alice@example.test\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.test\r\n";

#[tokio::test]
async fn a_refused_sign_in_is_final() {
    for (status, kind) in [(401, ErrorKind::Unauthorised), (403, ErrorKind::Unauthorised)] {
        let server = MockServer::start().await;
        Mock::given(wiremock::matchers::any())
            .respond_with(ResponseTemplate::new(status))
            .mount(&server)
            .await;
        let error = alice(&server).await.err().unwrap();
        assert_eq!(error.kind, kind, "{status}: {error}");
        assert_eq!(error.code, Code::CalendarAccessDenied, "{status}: {error}");
    }
}

#[tokio::test]
async fn a_server_without_calendars_is_told_as_such() {
    let server = MockServer::start().await;
    let error = alice(&server).await.err().unwrap();
    assert_eq!((error.kind, error.code), (ErrorKind::Permanent, Code::CalendarNotFound), "{error}");

    let server = MockServer::start().await;
    let login_page = ResponseTemplate::new(207).set_body_string("<html><body>Sign in</body></html>");
    Mock::given(wiremock::matchers::any()).respond_with(login_page).mount(&server).await;
    let error = alice(&server).await.err().unwrap();
    assert_eq!((error.kind, error.code), (ErrorKind::Permanent, Code::CalendarServerError), "{error}");
}

#[tokio::test]
async fn a_pause_is_obeyed_without_asking_again() {
    let server = MockServer::start().await;
    let busy = ResponseTemplate::new(429).insert_header("Retry-After", "120");
    Mock::given(wiremock::matchers::any()).respond_with(busy).expect(1).mount(&server).await;
    let connector = mms_connectors::calendar::caldav::CalDav::new(
        settings(&server.uri(), "alice", "pw"),
        support::invites(),
    )
    .unwrap();
    for _ in 0..3 {
        let error = mms_model::port::Calendar::open(&connector, &user("alice", "")).await.err().unwrap();
        let ErrorKind::RetryAfter(wait) = error.kind else { panic!("{error}") };
        assert!(wait <= Duration::from_secs(120) && wait > Duration::from_secs(60), "{wait:?}");
        assert_eq!(error.code, Code::CalendarThrottled);
    }
}

#[tokio::test]
async fn errors_of_a_listing_have_their_kinds() {
    let http_date = ResponseTemplate::new(503)
        .insert_header("Date", "Fri, 20 Nov 2026 10:00:00 GMT")
        .insert_header("Retry-After", "Fri, 20 Nov 2026 10:05:00 GMT");
    let torn = ResponseTemplate::new(207).set_body_string(format!("{MULTISTATUS}<d:response><d:href>/ho"));
    let cases = [
        (ResponseTemplate::new(500), ErrorKind::Retry, Code::CalendarServerError),
        (ResponseTemplate::new(502), ErrorKind::Retry, Code::CalendarServerError),
        (http_date, ErrorKind::RetryAfter(Duration::from_secs(300)), Code::CalendarThrottled),
        (ResponseTemplate::new(429), ErrorKind::Retry, Code::CalendarThrottled),
        (ResponseTemplate::new(507), ErrorKind::Retry, Code::StorageFull),
        (
            ResponseTemplate::new(207).set_body_string("\u{0}\u{1}garbage"),
            ErrorKind::Retry,
            Code::CalendarServerError,
        ),
        (torn, ErrorKind::Retry, Code::CalendarServerError),
    ];
    for (answer, kind, code) in cases {
        let server = server_with("1").await;
        listing(&server, answer).await;
        let calendar = alice(&server).await.unwrap();
        let error = calendar.meetings(epoch()).next().await.err().unwrap();
        assert_eq!((error.kind, error.code), (kind, code), "{error}");
        assert!(error.message.contains("/home/cal/"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_cannot_filter_by_time_is_asked_for_all() {
    let server = server_with("1").await;
    Mock::given(method("REPORT"))
        .and(|r: &Request| String::from_utf8_lossy(&r.body).contains("time-range"))
        .respond_with(ResponseTemplate::new(403))
        .mount(&server)
        .await;
    with_event(&server, &event("1", "https://old/1", "")).await;
    let (meetings, errors, _) = all(&*alice_by_time(&server).await).await;
    assert_eq!((meetings.len(), errors.len()), (1, 0));
}

#[tokio::test]
async fn an_empty_answer_to_a_time_range_is_not_believed() {
    let server = server_with("1").await;
    Mock::given(method("REPORT"))
        .and(|r: &Request| String::from_utf8_lossy(&r.body).contains("time-range"))
        .respond_with(multistatus(""))
        .mount(&server)
        .await;
    with_event(&server, &event("1", "https://old/1", "")).await;
    assert_eq!(all(&*alice_by_time(&server).await).await.0.len(), 1);
}

#[tokio::test]
async fn events_are_read_singly_where_multiget_does_not_work() {
    let garbage =
        ResponseTemplate::new(207).set_body_bytes(b"<d:multistatus xmlns:d='DAV:'>\xff\xfe".to_vec());
    for answer in [
        ResponseTemplate::new(403),
        ResponseTemplate::new(501),
        ResponseTemplate::new(500),
        garbage,
        multistatus(""),
    ] {
        let server = server_with("1").await;
        let hrefs: Vec<_> = (1..=3).map(|n| found(&format!("/home/cal/{n}.ics"), "")).collect();
        listing(&server, multistatus(&hrefs.concat())).await;
        report(&server, "calendar-multiget", answer).await;
        on(
            &server,
            "GET",
            "/home/cal/1.ics",
            ResponseTemplate::new(200).insert_header("ETag", "\"1\"").set_body_string(event(
                "1",
                "https://old/1",
                "",
            )),
        )
        .await;
        on(
            &server,
            "GET",
            "/home/cal/2.ics",
            ResponseTemplate::new(200).set_body_string("BEGIN:VCALENDAR\r\nBEGIN:VEV"),
        )
        .await;
        on(&server, "GET", "/home/cal/3.ics", ResponseTemplate::new(404)).await;
        let (meetings, errors, _) = all(&*alice(&server).await.unwrap()).await;
        assert_eq!(meetings.len(), 1);
        assert_eq!(errors.len(), 1, "the broken one is named, the deleted one is not there");
        assert_eq!((errors[0].0.0.as_str(), errors[0].1.code), ("/home/cal/2.ics", Code::UnreadableEvent));
    }
}

#[tokio::test]
async fn line_ends_are_the_same_however_an_event_is_read() {
    let server = server_with("1").await;
    let content = event("1", "https://old/1", "");
    with_event(&server, &content.replace("\r\n", "\n")).await;
    let (meetings, ..) = all(&*alice(&server).await.unwrap()).await;
    assert_eq!(String::from_utf8(meetings[0].content.clone()).unwrap(), content);
}

#[tokio::test]
async fn references_to_other_servers_are_not_followed() {
    let evil = MockServer::start().await;
    Mock::given(wiremock::matchers::any())
        .respond_with(ResponseTemplate::new(200))
        .expect(0)
        .mount(&evil)
        .await;

    let server = MockServer::start().await;
    let away = ResponseTemplate::new(302).insert_header("Location", evil.uri().as_str());
    Mock::given(wiremock::matchers::any()).respond_with(away).mount(&server).await;
    let error = alice(&server).await.err().unwrap();
    assert_eq!((error.kind, error.code), (ErrorKind::Permanent, Code::CalendarUnreachable), "{error}");
    assert!(error.message.contains("another server"), "{error}");

    let server = MockServer::start().await;
    let elsewhere =
        format!("<d:current-user-principal><d:href>{}/p/</d:href></d:current-user-principal>", evil.uri());
    on(&server, "PROPFIND", "/", multistatus(&found("/", &elsewhere))).await;
    assert!(alice(&server).await.is_err());

    let server = server_with("1").await;
    listing(&server, multistatus(&found(&format!("{}/home/cal/1.ics", evil.uri()), ""))).await;
    let (meetings, errors, _) = all(&*alice(&server).await.unwrap()).await;
    assert_eq!((meetings.len(), errors.len()), (0, 0));
}

#[tokio::test]
async fn the_well_known_address_redirects() {
    let server = MockServer::start().await;
    on(&server, "PROPFIND", "/", ResponseTemplate::new(405)).await;
    on(
        &server,
        "PROPFIND",
        "/.well-known/caldav",
        ResponseTemplate::new(301).insert_header("Location", "/dav/"),
    )
    .await;
    on(
        &server,
        "PROPFIND",
        "/dav/",
        multistatus(&found(
            "/dav/",
            "<d:current-user-principal><d:href>/p/</d:href></d:current-user-principal>",
        )),
    )
    .await;
    on(
        &server,
        "PROPFIND",
        "/p/",
        multistatus(&found("/p/", "<c:calendar-home-set><d:href>/home/</d:href></c:calendar-home-set>")),
    )
    .await;
    on(
        &server,
        "PROPFIND",
        "/home/",
        multistatus(&found("/home/cal/", "<d:resourcetype><c:calendar/></d:resourcetype>")),
    )
    .await;
    on(&server, "OPTIONS", "/home/cal/", ResponseTemplate::new(200)).await;
    listing(&server, multistatus("")).await;
    let calendar = alice(&server).await.unwrap();
    assert_eq!(all(&*calendar).await.0.len(), 0);
}

#[tokio::test]
async fn only_the_users_own_writable_event_calendars_are_migrated() {
    let calendar = "<d:resourcetype><d:collection/><c:calendar/></d:resourcetype>";
    let members = [
        found("/home/own/", &format!("{calendar}<d:owner><d:href>/p</d:href></d:owner>")),
        found("/home/bobs/", &format!("{calendar}<d:owner><d:href>/principals/bob/</d:href></d:owner>")),
        found(
            "/home/tasks/",
            &format!(
                "{calendar}<c:supported-calendar-component-set><c:comp name='VTODO'/></c:supported-calendar-component-set>"
            ),
        ),
        found(
            "/home/readonly/",
            &format!(
                "{calendar}<d:current-user-privilege-set><d:privilege><d:read/></d:privilege></d:current-user-privilege-set>"
            ),
        ),
        found("/home/inbox/", "<d:resourcetype><c:calendar/><c:schedule-inbox/></d:resourcetype>"),
        found(
            "/home/web/",
            "<d:resourcetype><c:calendar/><s:subscribed xmlns:s='http://calendarserver.org/ns/'/></d:resourcetype>",
        ),
        found("/home/contacts/", "<d:resourcetype><d:collection/></d:resourcetype>"),
    ];
    let server = server_of(&members.concat(), ResponseTemplate::new(200)).await;
    Mock::given(method("REPORT"))
        .and(path("/home/own/"))
        .respond_with(multistatus(""))
        .expect(1)
        .mount(&server)
        .await;
    assert_eq!(all(&*alice(&server).await.unwrap()).await.0.len(), 0);
}

#[tokio::test]
async fn an_administrator_reaches_the_users_calendars_and_never_their_own() {
    let server = MockServer::start().await;
    let admin = || header("authorization", "Basic c3ZjOnB3");
    // Whoever asks is the administrator; the homes belong to the users.
    for (name, owner) in [("alice", "/principals/alice/"), ("svc", "/principals/svc/")] {
        let home = format!("/dav/{name}/");
        let properties = format!(
            "<d:current-user-principal><d:href>/principals/svc/</d:href></d:current-user-principal><d:owner><d:href>{owner}</d:href></d:owner>"
        );
        let calendar = format!(
            "<d:resourcetype><c:calendar/></d:resourcetype><d:owner><d:href>{owner}</d:href></d:owner>"
        );
        Mock::given(method("PROPFIND"))
            .and(path(home.as_str()))
            .and(header("depth", "0"))
            .and(admin())
            .respond_with(multistatus(&found(&home, &properties)))
            .mount(&server)
            .await;
        Mock::given(method("PROPFIND"))
            .and(path(home.as_str()))
            .and(header("depth", "1"))
            .and(admin())
            .respond_with(multistatus(&found(&format!("{home}cal/"), &calendar)))
            .mount(&server)
            .await;
        let addresses = format!(
            "<c:calendar-home-set><d:href>{home}</d:href></c:calendar-home-set><c:calendar-user-address-set><d:href>mailto:{name}.alias@example.test</d:href></c:calendar-user-address-set><c:schedule-outbox-URL><d:href>/out/</d:href></c:schedule-outbox-URL>"
        );
        on(&server, "PROPFIND", owner, multistatus(&found(owner, &addresses))).await;
    }
    on(
        &server,
        "PROPFIND",
        "/",
        multistatus(&found(
            "/",
            "<d:current-user-principal><d:href>/principals/svc/</d:href></d:current-user-principal>",
        )),
    )
    .await;
    Mock::given(method("OPTIONS"))
        .respond_with(ResponseTemplate::new(200).insert_header("DAV", SCHEDULES))
        .mount(&server)
        .await;
    let data = event("1", "https://old/1", "ORGANIZER:mailto:Alice.Alias@example.test\r\n");
    Mock::given(method("REPORT"))
        .and(path("/dav/alice/cal/"))
        .respond_with(multistatus(&found(
            "/dav/alice/cal/1.ics",
            &format!("<d:getetag>\"1\"</d:getetag><c:calendar-data>{data}</c:calendar-data>"),
        )))
        .mount(&server)
        .await;

    let settings = |url: &str| {
        let auth = "{ type = 'admin-proxy', user = 'svc', password = 'pw' }";
        toml::from_str(&format!("url = '{}{url}'\nauth = {auth}", server.uri())).unwrap()
    };
    let calendar = open(settings("/dav/{user}/"), &user("alice", "")).await.unwrap();
    assert_eq!(calendar.scheduling(), Scheduling::Server, "the owner's outbox counts");
    let (meetings, ..) = all(&*calendar).await;
    assert!(meetings[0].organised_by_owner, "by an address that only the server knows");
    for (url, name) in [("/", "alice"), ("/dav/{user}/", "nobody")] {
        let error = open(settings(url), &user(name, "")).await.err().expect("it is refused");
        assert_eq!((error.kind, error.code), (ErrorKind::Permanent, Code::CalendarNotFound), "{error}");
    }
}

#[tokio::test]
async fn a_claim_to_schedule_is_checked() {
    let claims = |dav: &'static str| async move {
        let server = server_with(dav).await;
        alice(&server).await.unwrap().scheduling()
    };
    assert_eq!(claims(SCHEDULES).await, Scheduling::Server);
    assert_eq!(claims("1, calendar-access, calendar-auto-schedule").await, Scheduling::Client);
    assert_eq!(claims("1, access-control, calendar-access").await, Scheduling::Client);
}

/// A server whose event, once written, reads back as `stored`.
async fn storing(dav: &str, stored: &str) -> MockServer {
    let server = server_with(dav).await;
    with_event(&server, &event("1", "https://old/1", PEOPLE)).await;
    Mock::given(method("PUT"))
        .and(path("/home/cal/1.ics"))
        .and(header("if-match", "\"1\""))
        .respond_with(ResponseTemplate::new(204))
        .expect(1)
        .mount(&server)
        .await;
    let answer = ResponseTemplate::new(200).insert_header("ETag", "\"2\"").set_body_string(stored);
    on(&server, "GET", "/home/cal/1.ics", answer).await;
    server
}

#[tokio::test]
async fn what_a_server_makes_of_a_write_is_told() {
    let written = event("1", "https://new/1", PEOPLE);
    let after = |stored: String| {
        let written = written.clone();
        async move {
            let server = storing(SCHEDULES, &stored).await;
            write(&*alice(&server).await.unwrap(), &written).await
        }
    };
    let codes = |outcome: Result<Updated, PortError>| {
        let updated = outcome.unwrap();
        (updated.attendees_told, updated.remarks.iter().map(|(code, _)| *code).collect::<Vec<_>>())
    };
    assert_eq!(codes(after(written.clone()).await), (1, vec![]));
    let undelivered = written.replace(":mailto:bob", ";SCHEDULE-STATUS=\"3.8\":mailto:bob");
    assert_eq!(codes(after(undelivered).await), (0, vec![Code::UpdateNotDelivered]));
    let reset =
        written.replace("PARTSTAT=ACCEPTED", "PARTSTAT=NEEDS-ACTION").replace("SEQUENCE:0", "SEQUENCE:1");
    assert_eq!(codes(after(reset).await), (1, vec![Code::AnswersReset]));
    assert_eq!(
        codes(after(written.replace("SEQUENCE:0", "SEQUENCE:1")).await),
        (1, vec![Code::AnswersReset])
    );
    let shortened = written.replace("SUMMARY:Meeting 1", "SUMMARY:Meeting");
    assert_eq!(codes(after(shortened).await), (1, vec![Code::WriteNotVerified]));
    // Not written again: attendees were told of something.
    let error = after(written.replace("https://new/1", "https://old/1")).await.unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Permanent, Code::WriteNotVerified), "{error}");
}

#[tokio::test]
async fn davicals_old_links_in_copies_are_told() {
    let link = "X-MICROSOFT-SKYPETEAMSMEETINGURL:https://teams.example/old\r\n";
    let options = ResponseTemplate::new(200)
        .insert_header("DAV", SCHEDULES)
        .insert_header("X-DAViCal-Version", "DAViCal/1.1.12");
    let server = server_of(&one_calendar(), options).await;
    with_event(&server, &event("1", "https://old/1", &format!("{PEOPLE}{link}"))).await;
    on(&server, "PUT", "/home/cal/1.ics", ResponseTemplate::new(204)).await;
    let before = ResponseTemplate::new(200).insert_header("ETag", "\"1\"").set_body_string(event(
        "1",
        "https://old/1",
        &format!("{PEOPLE}{link}"),
    ));
    Mock::given(method("GET")).respond_with(before).up_to_n_times(1).mount(&server).await;
    let written = event("1", "https://new/1", PEOPLE);
    let after = ResponseTemplate::new(200).insert_header("ETag", "\"2\"").set_body_string(&written);
    Mock::given(method("GET")).respond_with(after).mount(&server).await;
    let updated = write(&*alice(&server).await.unwrap(), &written).await.unwrap();
    assert_eq!(updated.remarks.iter().map(|(c, _)| *c).collect::<Vec<_>>(), [Code::StaleAttendeeCopy]);
}

#[tokio::test]
async fn refused_writes_have_their_kinds() {
    let precondition = r#"<d:error xmlns:d="DAV:"><c:allowed-organizer-scheduling-object-change xmlns:c="urn:ietf:params:xml:ns:caldav"/></d:error>"#;
    let cases = [
        (ResponseTemplate::new(412), ErrorKind::Conflict, Code::EventConflict),
        (ResponseTemplate::new(404), ErrorKind::Gone, Code::EventGone),
        (ResponseTemplate::new(403), ErrorKind::Unauthorised, Code::CalendarAccessDenied),
        (
            ResponseTemplate::new(403).set_body_string(precondition),
            ErrorKind::Permanent,
            Code::CalendarServerError,
        ),
        (ResponseTemplate::new(500), ErrorKind::Retry, Code::CalendarServerError),
        (ResponseTemplate::new(507), ErrorKind::Retry, Code::StorageFull),
        (
            ResponseTemplate::new(302).insert_header("Location", "/x"),
            ErrorKind::Permanent,
            Code::CalendarServerError,
        ),
    ];
    for (answer, kind, code) in cases {
        let server = server_with("1").await;
        with_event(&server, &event("1", "https://old/1", "")).await;
        Mock::given(method("PUT")).respond_with(answer).expect(1).mount(&server).await;
        let error =
            write(&*alice(&server).await.unwrap(), &event("1", "https://new/1", "")).await.unwrap_err();
        assert_eq!((error.kind, error.code), (kind, code), "{error}");
        assert!(error.message.contains("/home/cal/1.ics"), "{error}");
    }
}

/// Xandikos locks a whole calendar for each write.
#[tokio::test]
async fn a_locked_event_is_waited_for_but_not_for_ever() {
    for (locked, written) in [(3, true), (1000, false)] {
        let server = server_with("1").await;
        with_event(&server, &event("1", "https://old/1", "")).await;
        Mock::given(method("PUT"))
            .respond_with(ResponseTemplate::new(423))
            .up_to_n_times(locked)
            .mount(&server)
            .await;
        Mock::given(method("PUT")).respond_with(ResponseTemplate::new(204)).mount(&server).await;
        let outcome = write(&*alice(&server).await.unwrap(), &event("1", "https://new/1", "")).await;
        assert_eq!(outcome.is_ok(), written, "{outcome:?}");
        if let Err(error) = outcome {
            assert_eq!((error.kind, error.code), (ErrorKind::Retry, Code::CalendarServerError), "{error}");
        }
        let puts = server.received_requests().await.unwrap();
        let puts = puts.iter().filter(|request| request.method.as_str() == "PUT").count();
        assert_eq!(puts, if written { 4 } else { 8 });
    }
}

#[tokio::test]
async fn without_a_tag_nothing_is_written() {
    let server = server_with("1").await;
    listing(&server, multistatus(&found("/home/cal/1.ics", ""))).await;
    let data = format!("<c:calendar-data>{}</c:calendar-data>", event("1", "https://old/1", ""));
    report(&server, "calendar-multiget", multistatus(&found("/home/cal/1.ics", &data))).await;
    Mock::given(method("PUT")).respond_with(ResponseTemplate::new(204)).expect(0).mount(&server).await;
    let error = write(&*alice(&server).await.unwrap(), &event("1", "https://new/1", "")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert!(error.message.contains("ETag"), "{error}");
}

#[tokio::test]
async fn one_failed_write_does_not_touch_the_others() {
    let server = server_with("1").await;
    on(&server, "PUT", "/home/cal/1.ics", ResponseTemplate::new(412)).await;
    on(&server, "PUT", "/home/cal/2.ics", ResponseTemplate::new(204)).await;
    let stored = event("2", "https://new/1", "");
    on(
        &server,
        "GET",
        "/home/cal/2.ics",
        ResponseTemplate::new(200).insert_header("ETag", "\"2\"").set_body_string(&stored),
    )
    .await;
    let calendar = alice(&server).await.unwrap();
    let update = |number: u32| Update {
        id: mms_model::EventId(format!("/home/cal/{number}.ics")),
        version: mms_model::Version(r#"{"etag":"\"1\""}"#.into()),
        content: event(&number.to_string(), "https://new/1", "").into_bytes(),
        notify: AttendeeChoice::All,
    };
    let outcomes = calendar.update(vec![update(1), update(2)]).await;
    assert_eq!(outcomes[0].as_ref().unwrap_err().kind, ErrorKind::Conflict);
    assert!(outcomes[1].is_ok());
}

/// Answers each request on its connection with what `answer` says, and closes where it says nothing.
async fn raw_server(answer: impl Fn(u32, &str) -> Option<String> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (answer, count) = (Arc::new(answer), Arc::new(AtomicU32::new(0)));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (answer, count) = (Arc::clone(&answer), Arc::clone(&count));
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 << 10];
                loop {
                    let mut request = Vec::new();
                    // A request is complete with its head and as many bytes as that says.
                    loop {
                        let text = String::from_utf8_lossy(&request).to_lowercase();
                        if let Some(end) = text.find("\r\n\r\n") {
                            let length = text
                                .split("content-length: ")
                                .nth(1)
                                .and_then(|t| t.split('\r').next()?.parse::<usize>().ok())
                                .unwrap_or(0);
                            if request.len() >= end + 4 + length {
                                break;
                            }
                        }
                        match stream.read(&mut buffer).await {
                            Ok(0) | Err(_) => return,
                            Ok(n) => request.extend_from_slice(&buffer[..n]),
                        }
                    }
                    let number = count.fetch_add(1, Ordering::SeqCst);
                    match answer(number, &String::from_utf8_lossy(&request)) {
                        Some(reply) => stream.write_all(reply.as_bytes()).await.unwrap(),
                        None => return,
                    }
                }
            });
        }
    });
    format!("http://{address}")
}

fn answer_207(body: &str) -> String {
    let body = format!("{MULTISTATUS}{body}</d:multistatus>");
    format!("HTTP/1.1 207 Multi-Status\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn route(request: &str) -> String {
    match request.split(' ').take(2).collect::<Vec<_>>()[..] {
        ["PROPFIND", "/"] => answer_207(&found(
            "/",
            "<d:current-user-principal><d:href>/p/</d:href></d:current-user-principal>",
        )),
        ["PROPFIND", "/p/"] => {
            answer_207(&found("/p/", "<c:calendar-home-set><d:href>/home/</d:href></c:calendar-home-set>"))
        }
        ["PROPFIND", "/home/"] => {
            answer_207(&found("/home/cal/", "<d:resourcetype><c:calendar/></d:resourcetype>"))
        }
        ["OPTIONS", _] => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(),
        ["GET", _] => {
            let body = event("1", "https://new/1", "");
            format!("HTTP/1.1 200 OK\r\nETag: \"2\"\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        }
        _ => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
    }
}

#[tokio::test]
async fn a_closed_connection_is_opened_again_for_reads() {
    // Every other request meets a connection that closes instead of answering.
    let url = raw_server(|number, request| (number % 2 == 1).then(|| route(request))).await;
    let calendar = open(settings(&url, "alice", "pw"), &user("alice", "")).await.unwrap();
    let id = mms_model::EventId("/home/cal/1.ics".into());
    assert!(calendar.get(&id, epoch()).await.unwrap().is_some());
}

fn update_of_1() -> Update {
    Update {
        id: mms_model::EventId("/home/cal/1.ics".into()),
        version: mms_model::Version(r#"{"etag":"\"1\""}"#.into()),
        content: event("1", "https://new/1", "").into_bytes(),
        notify: AttendeeChoice::All,
    }
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_looked_up_and_never_sent_twice() {
    let writes = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&writes);
    let url = raw_server(move |_, request| {
        if request.starts_with("PUT") {
            counted.fetch_add(1, Ordering::SeqCst);
            return None;
        }
        Some(route(request))
    })
    .await;
    let calendar = open(settings(&url, "alice", "pw"), &user("alice", "")).await.unwrap();
    let updated = calendar.update(vec![update_of_1()]).await.remove(0).unwrap();
    assert_eq!(updated.version, mms_model::Version(r#"{"etag":"\"2\""}"#.into()));
    assert_eq!(writes.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_write_that_did_not_arrive_is_to_be_tried_again() {
    for (etag, kind) in [("\"1\"", ErrorKind::Retry), ("\"9\"", ErrorKind::Conflict)] {
        let url = raw_server(move |_, request| match request.split(' ').next() {
            Some("PUT") => None,
            Some("GET") => {
                let body = event("1", "https://old/1", "");
                Some(format!(
                    "HTTP/1.1 200 OK\r\nETag: {etag}\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                ))
            }
            _ => Some(route(request)),
        })
        .await;
        let calendar = open(settings(&url, "alice", "pw"), &user("alice", "")).await.unwrap();
        let error = calendar.update(vec![update_of_1()]).await.remove(0).unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
    }
}

#[tokio::test]
async fn silence_and_torn_answers_end_in_a_retry() {
    let torn =
        raw_server(|_, _| Some("HTTP/1.1 207 Multi-Status\r\nContent-Length: 500\r\n\r\n<d:mul".to_owned()))
            .await;
    let nothing = raw_server(|_, _| Some(String::new())).await;
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    for url in [torn, nothing, nobody] {
        let mut impatient = settings(&url, "alice", "pw");
        impatient.timeout = 1;
        let error = open(impatient, &user("alice", "")).await.err().unwrap();
        assert_eq!((error.kind, error.code), (ErrorKind::Retry, Code::CalendarUnreachable), "{error}");
    }
}

#[tokio::test]
async fn a_server_without_tls_on_its_tls_port_is_explained() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
        }
    });
    let steps = diagnose(&settings(&url, "alice", "pw"), &user("alice", "")).await;
    let failed: Vec<_> = steps.iter().filter(|s| s.is_failure()).map(|s| s.name.as_str()).collect();
    assert_eq!(failed, ["TLS"], "{steps:?}");
    assert_eq!(steps.len(), 9, "the others are told as skipped");
}

/// A CalDAV server behind TLS, with a certificate of the authority in `fixtures/tls/authority.pem`.
async fn tls_server() -> String {
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::pem::PemObject as _;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let certificate = CertificateDer::from_pem_slice(include_bytes!("fixtures/tls/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("fixtures/tls/server.key.pem")).unwrap();
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let plain = raw_server(|_, request| Some(route(request))).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, plain) = (acceptor.clone(), plain.clone());
            tokio::spawn(async move {
                let Ok(mut secure) = acceptor.accept(stream).await else { return };
                let mut inner =
                    tokio::net::TcpStream::connect(plain.trim_start_matches("http://")).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut secure, &mut inner).await;
            });
        }
    });
    url
}

#[tokio::test]
async fn a_private_authority_is_trusted_where_it_is_configured_and_explained_where_not() {
    let url = tls_server().await;
    let mut trusting = settings(&url, "alice", "pw");
    let authority = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls/authority.pem");
    trusting.ca_file = Some(authority);
    open(trusting, &user("alice", "")).await.map(drop).unwrap();

    let error = open(settings(&url, "alice", "pw"), &user("alice", "")).await.err().unwrap();
    assert_eq!(error.code, Code::CalendarUnreachable);
    assert!(error.message.contains("ca_file"), "{error}");
    let steps = diagnose(&settings(&url, "alice", "pw"), &user("alice", "")).await;
    assert_eq!(steps.iter().find(|s| s.is_failure()).map(|s| s.name.as_str()), Some("TLS"), "{steps:?}");
}

#[tokio::test]
async fn a_password_does_not_travel_over_plain_http() {
    let error =
        open(settings("http://dav.example.test/", "alice", "pw"), &user("alice", "")).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert!(error.message.contains("allow_plaintext"), "{error}");
}
