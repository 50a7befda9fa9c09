//! Windows sign-in for Exchange: against the sandbox, which checks NTLM with code of its own, and against servers that
//! break off, answer nonsense or are too busy.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use mms_connectors::calendar::ews::{EwsCalendar, EwsSettings, diagnose};
use mms_connectors::diagnosis::DiagnosticOutcome;
use mms_connectors::transport::{
    Exchange, Lanes, SecretText, SignInError, TransportError, TransportSettings, WindowsAccount,
};
use mms_invite::recognise::{Recogniser, RecogniserOptions};
use mms_invite::render::Templates;
use mms_invite::rewrite::Editor;
use mms_model::port::{Calendar as _, UserCalendar};
use mms_model::{Address, Code, ErrorKind, PortError, User};
use mms_sandbox::{Faults, Sandbox, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

static EDITOR: LazyLock<Arc<Editor>> = LazyLock::new(|| {
    let recogniser = Recogniser::new(&RecogniserOptions::default()).unwrap();
    Arc::new(Editor::new(Arc::new(recogniser), Arc::new(Templates::builtin())))
});

/// A sandbox without Basic.
async fn sandbox(tls: bool, faults: Faults) -> Sandbox {
    let sandbox =
        Sandbox::start(&Settings { users: 8, meetings: 7, tls, ..Settings::default() }).await.unwrap();
    sandbox.set_faults(Faults { no_basic: true, ..faults });
    sandbox
}

fn settings(url: &str, user: &str, password: &str, more: &str) -> EwsSettings {
    toml::from_str(&format!(
        "url = '{url}'\ntimeout = 10\nauth = {{ type = 'ntlm', user = '{user}', password = '{password}' }}\n{more}"
    ))
    .unwrap()
}

fn of(sandbox: &Sandbox, more: &str) -> EwsSettings {
    let description = sandbox.description();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let account = &description["account"];
    settings(&text(&description["ews"]), &text(&account["user"]), &text(&account["password"]), more)
}

fn user(address: &str) -> User {
    User {
        skype: None,
        id: uuid::Uuid::nil(),
        upn: address.to_owned(),
        sip: None,
        logon: None,
        display_name: None,
        distinguished_name: None,
        addresses: vec![Address::new(address)],
        calendar: None,
    }
}

/// The calendars of all users, over one client.
async fn open(sandbox: &Sandbox, settings: &EwsSettings) -> Vec<Box<dyn UserCalendar>> {
    let calendar = EwsCalendar::new(settings, Arc::clone(&EDITOR)).unwrap();
    let mut all = Vec::new();
    for described in sandbox.description()["users"].as_array().unwrap() {
        all.push(calendar.open(&user(described["address"].as_str().unwrap())).await.unwrap());
    }
    all
}

async fn count(calendar: &dyn UserCalendar) -> Result<usize, PortError> {
    let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
    let mut pages = calendar.meetings(now);
    let mut seen = 0;
    while let Some(page) = pages.next().await? {
        seen += page.iter().filter(|meeting| meeting.is_ok()).count();
    }
    Ok(seen)
}

fn sign_ins(sandbox: &Sandbox) -> u64 {
    sandbox.state()["signIns"].as_u64().unwrap()
}

fn counted(sandbox: &Sandbox, kind: &str, of: &str) -> u64 {
    sandbox.state()[kind][of].as_u64().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_signed_in_once_and_used_again() {
    let sandbox = sandbox(false, Faults::default()).await;
    let calendars = open(&sandbox, &of(&sandbox, "concurrency = 3")).await;
    let all = futures_util::future::join_all(calendars.iter().map(|calendar| count(&**calendar))).await;
    assert!(all.into_iter().all(|seen| seen.unwrap() == 8));
    let sign_ins = sign_ins(&sandbox);
    assert!((1..=3).contains(&sign_ins), "no more lanes than requests at a time: {sign_ins}");
    assert_eq!(counted(&sandbox, "requests", "ntlmChallenge"), sign_ins);
    assert_eq!(counted(&sandbox, "requests", "unauthorised"), 0);
    assert!(counted(&sandbox, "requests", "GetItem") >= 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_principal_name_will_do() {
    let sandbox = sandbox(false, Faults::default()).await;
    let description = sandbox.description();
    let url = description["ews"].as_str().unwrap();
    for name in ["mms@contoso.example", r"contoso.example\mms", r"contoso\MMS"] {
        let steps = diagnose(
            &settings(url, name, "sandbox-pw", ""),
            Some(&user(description["users"][0]["address"].as_str().unwrap())),
        )
        .await;
        assert!(
            steps.iter().all(|step| matches!(step.outcome, DiagnosticOutcome::Passed(_))),
            "{name}: {steps:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_is_bound_to_the_servers_certificate() {
    let faults = Faults { channel_binding_required: true, ..Faults::default() };
    let sandbox = sandbox(true, faults).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), sandbox.description()["certificate"].as_str().unwrap()).unwrap();
    let calendars = open(&sandbox, &of(&sandbox, &format!("ca_file = '{}'", file.path().display()))).await;
    assert_eq!(count(&*calendars[0]).await.unwrap(), 8);
    assert_eq!(sandbox.state()["refusals"], serde_json::json!({}));
    let untrusting = open(&sandbox, &of(&sandbox, "")).await;
    let error = count(&*untrusting[0]).await.unwrap_err();
    assert_eq!(error.code, Code::CalendarUnreachable);
    assert!(error.message.contains("ca_file"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_tried_once() {
    let sandbox = sandbox(false, Faults::default()).await;
    let url = sandbox.description()["ews"].as_str().unwrap().to_owned();
    let calendars = open(&sandbox, &settings(&url, r"CONTOSO\mms", "no-such-secret", "")).await;
    let all = futures_util::future::join_all(calendars.iter().map(|calendar| count(&**calendar))).await;
    let errors: Vec<PortError> = all.into_iter().map(Result::unwrap_err).collect();
    for error in &errors {
        assert_eq!(
            (error.kind, error.code),
            (ErrorKind::Unauthorised, Code::CalendarAccessDenied),
            "{error}"
        );
        assert!(error.message.contains(r"CONTOSO\mms"), "{error}");
        assert!(!error.message.contains("no-such-secret"), "{error}");
    }
    assert_eq!(errors.iter().filter(|e| e.message.contains("check user and password")).count(), 1);
    assert_eq!(errors.iter().filter(|e| e.message.contains("not locked")).count(), errors.len() - 1);
    assert_eq!(counted(&sandbox, "refusals", "NTLM: the password is wrong"), 1, "{}", sandbox.state());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_tried_once_with_basic_too() {
    let sandbox = Sandbox::start(&Settings { users: 8, meetings: 7, ..Settings::default() }).await.unwrap();
    let url = sandbox.description()["ews"].as_str().unwrap().to_owned();
    let auth = r"{ type = 'basic', user = 'CONTOSO\mms', password = 'no-such-secret' }";
    let wrong: EwsSettings = toml::from_str(&format!("url = '{url}'\ntimeout = 10\nauth = {auth}")).unwrap();
    let calendars = open(&sandbox, &wrong).await;
    let all = futures_util::future::join_all(calendars.iter().map(|calendar| count(&**calendar))).await;
    for outcome in all {
        let error = outcome.unwrap_err();
        assert_eq!((error.kind, error.code), (ErrorKind::Unauthorised, Code::CalendarAccessDenied));
        assert!(error.message.contains("password") && !error.message.contains("no-such-secret"), "{error}");
    }
    assert_eq!(counted(&sandbox, "requests", "unauthorised"), 1, "{}", sandbox.state());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_closes_each_connection_is_signed_in_to_each_time() {
    let sandbox = sandbox(false, Faults { no_keep_alive: true, ..Faults::default() }).await;
    let calendars = open(&sandbox, &of(&sandbox, "")).await;
    assert_eq!(count(&*calendars[0]).await.unwrap(), 8);
    let state = sandbox.state();
    let asked: u64 = ["GetFolder", "FindFolder", "FindItem", "GetItem"]
        .iter()
        .map(|operation| state["requests"][*operation].as_u64().unwrap_or(0))
        .sum();
    assert_eq!(sign_ins(&sandbox), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_end_in_the_middle_of_the_sign_in_are_replaced() {
    let faults = Faults { dropped_challenges: 0.4, no_keep_alive: true, ..Faults::default() };
    let sandbox = sandbox(false, faults).await;
    let calendars = open(&sandbox, &of(&sandbox, "")).await;
    let mut seen = 0;
    for calendar in &calendars {
        match count(&**calendar).await {
            Ok(meetings) => {
                assert_eq!(meetings, 8);
                seen += 1;
            }
            Err(error) => assert_eq!(error.kind, ErrorKind::Retry, "{error}"),
        }
    }
    assert!(seen > 0);
    sandbox.set_faults(Faults { no_basic: true, dropped_challenges: 1.0, ..Faults::default() });
    let error = count(&*calendars[0]).await.unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Retry, Code::CalendarUnreachable), "{error}");
    assert_eq!(sandbox.state()["refusals"], serde_json::json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_server_is_waited_for_on_a_signed_in_connection() {
    // Seldom enough that no request meets it more often in a row than is waited for.
    let sandbox = sandbox(false, Faults { busy: 0.1, back_off_ms: 10, ..Faults::default() }).await;
    let calendars = open(&sandbox, &of(&sandbox, "page_size = 2")).await;
    while counted(&sandbox, "refusals", "ErrorServerBusy") == 0 {
        assert_eq!(count(&*calendars[0]).await.unwrap(), 8);
    }
    assert_eq!(sign_ins(&sandbox), 1);
}

/// Answers the requests of each connection with the answers of `script`, one after the other, and closes the connection after
/// the last one. Returns its address, and how many connections there were.
async fn scripted(script: &[&str]) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/EWS/Exchange.asmx", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let (script, counted): (Vec<String>, _) =
        (script.iter().map(|&answer| answer.to_owned()).collect(), Arc::clone(&connections));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(play(stream, script.clone()));
        }
    });
    (url, connections)
}

async fn play(mut stream: TcpStream, script: Vec<String>) {
    for answer in script {
        if read_request(&mut stream).await.is_none() {
            return;
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
        read.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.to_ascii_lowercase();
        let length = length.split("content-length: ").nth(1)?.lines().next()?.parse::<usize>().ok()?;
        if body.len() >= length {
            return Some(text);
        }
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// A challenge, without names: unicode, NTLM, target information.
const CHALLENGE: &str = "TlRMTVNTUAACAAAAAAAAADgAAAAFAooAASNFZ4mrze8AAAAAAAAAAAQABAA4AAAACgA5OAAAAA8AAAAA";

fn challenged() -> String {
    answer("401 Unauthorized", &format!("WWW-Authenticate: NTLM {CHALLENGE}, Negotiate\r\n"), "<html/>")
}

async fn error_of(url: &str) -> PortError {
    let calendar =
        EwsCalendar::new(&settings(url, r"X\mms", "no-such-secret", ""), Arc::clone(&EDITOR)).unwrap();
    let error = count(&*calendar.open(&user("a@x.example")).await.unwrap()).await.unwrap_err();
    assert!(!error.message.contains("no-such-secret"), "{error}");
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_challenge_is_an_error_and_no_wrong_password() {
    let hostile = [
        "WWW-Authenticate: NTLM\r\n",
        "WWW-Authenticate: NTLM !!!\r\n",
        "WWW-Authenticate: NTLM AAAA\r\n",
        "WWW-Authenticate: NTLM TlRMTVNTUAA=\r\n",
        "WWW-Authenticate: NTLM TlRMTVNTUAACAAAA\r\n",
        // A third message; target information beyond the end.
        "WWW-Authenticate: NTLM TlRMTVNTUAADAAAAAAAAADgAAAAFAooAASNFZ4mrze8AAAAAAAAAAAQABAA4AAAA\r\n",
        "WWW-Authenticate: NTLM TlRMTVNTUAACAAAAAAAAADgAAAAFAooAASNFZ4mrze8AAAAAAAAAAP////8A////CgA5OAAAAA8AAAAA\r\n",
    ];
    for headers in hostile {
        let (url, connections) = scripted(&[&answer("401 Unauthorized", headers, "")]).await;
        let error = error_of(&url).await;
        assert_eq!(
            (error.kind, error.code),
            (ErrorKind::Retry, Code::CalendarServerError),
            "{headers}: {error}"
        );
        assert_eq!(connections.load(Ordering::SeqCst), 1, "{headers}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_ntlm_says_what_it_has() {
    let headers = "WWW-Authenticate: Basic realm=\"x\"\r\nWWW-Authenticate: Negotiate\r\n";
    let (url, _) = scripted(&[&answer("401 Unauthorized", headers, "")]).await;
    let error = error_of(&url).await;
    assert_eq!((error.kind, error.code), (ErrorKind::Unauthorised, Code::CalendarAccessDenied));
    assert!(
        error.message.contains("Basic, Negotiate") && error.message.contains("WindowsAuthentication"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_after_the_proof_is_a_refusal() {
    for last in [challenged(), answer("401 Unauthorized", "WWW-Authenticate: NTLM\r\n", "")] {
        let (url, connections) = scripted(&[&challenged(), &last]).await;
        let error = error_of(&url).await;
        assert_eq!(error.kind, ErrorKind::Unauthorised, "{error}");
        assert_eq!(connections.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_too_busy_to_ask_is_busy() {
    for status in ["503 Service Unavailable", "429 Too Many Requests"] {
        for script in [vec![answer(status, "", "")], vec![challenged(), answer(status, "", "")]] {
            let script: Vec<&str> = script.iter().map(String::as_str).collect();
            let (url, _) = scripted(&script).await;
            let error = error_of(&url).await;
            assert_eq!(error.code, Code::CalendarThrottled, "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_break_are_tried_anew_and_then_given_up() {
    for script in [vec![], vec![challenged()], vec!["HTTP/1.1 401 Unauth".to_owned()]] {
        let script: Vec<&str> = script.iter().map(String::as_str).collect();
        let (url, connections) = scripted(&script).await;
        let error = error_of(&url).await;
        assert_eq!((error.kind, error.code), (ErrorKind::Retry, Code::CalendarUnreachable), "{error}");
        assert_eq!(connections.load(Ordering::SeqCst), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_closed_without_a_word_is_replaced_even_for_a_write() {
    let (url, connections) = scripted(&[&challenged(), &answer("200 OK", "", "done")]).await;
    let account = WindowsAccount::Ntlm { user: r"X\mms".to_owned(), password: SecretText::new("p") };
    let url: url::Url = url.parse().unwrap();
    let lanes = Lanes::new(TransportSettings::default(), url.clone(), account).unwrap();
    let mut write = Exchange::read(reqwest::Method::POST, url).body("x");
    write.repeatable = false;
    for request in 1..=3 {
        let reply = lanes.exchange(&write).await.unwrap();
        assert_eq!((reply.status.as_u16(), reply.body.as_slice()), (200, &b"done"[..]));
        assert_eq!(connections.load(Ordering::SeqCst), request);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_broke_off_with_its_body_is_not_sent_again() {
    let (url, connections) =
        scripted(&[&challenged(), "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"]).await;
    let account = WindowsAccount::Ntlm { user: r"X\mms".to_owned(), password: SecretText::new("p") };
    let url: url::Url = url.parse().unwrap();
    let lanes = Lanes::new(TransportSettings::default(), url.clone(), account).unwrap();
    let mut write = Exchange::read(reqwest::Method::POST, url).body("x");
    write.repeatable = false;
    let error = lanes.exchange(&write).await.unwrap_err();
    assert!(matches!(error, SignInError::Transport(TransportError::Interrupted { .. })), "{error}");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_to_a_server_that_hangs_do_not_wait_for_each_others_timeouts() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: url::Url =
        format!("http://{}/EWS/Exchange.asmx", listener.local_addr().unwrap()).parse().unwrap();
    let account = WindowsAccount::Ntlm { user: r"X\mms".to_owned(), password: SecretText::new("p") };
    let timeout = std::time::Duration::from_secs(1);
    let settings =
        TransportSettings { request_timeout: timeout, concurrency: 8, ..TransportSettings::default() };
    let lanes = Lanes::new(settings, url.clone(), account).unwrap();
    let request = Exchange::read(reqwest::Method::POST, url).body("x");
    let began = std::time::Instant::now();
    let all = futures_util::future::join_all((0..8).map(|_| lanes.exchange(&request))).await;
    for outcome in all {
        let error = outcome.unwrap_err();
        assert!(
            matches!(
                error,
                SignInError::Transport(TransportError::Timeout { .. })
                    | SignInError::Unsent(TransportError::Timeout { .. })
            ),
            "{error}"
        );
    }
    assert!(began.elapsed() < 5 * timeout, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_in_connection_is_for_its_own_server() {
    let (url, _) = scripted(&[&challenged(), &answer("200 OK", "", "a"), &answer("200 OK", "", "b")]).await;
    let (other, strangers) = scripted(&[&challenged(), &answer("200 OK", "", "c")]).await;
    let account = WindowsAccount::Ntlm { user: r"X\mms".to_owned(), password: SecretText::new("p") };
    let url: url::Url = url.parse().unwrap();
    let lanes = Lanes::new(TransportSettings::default(), url.clone(), account).unwrap();
    let ask = |url: url::Url| Exchange::read(reqwest::Method::POST, url).body("x");
    assert_eq!(lanes.exchange(&ask(url.clone())).await.unwrap().body, b"a");
    let error = lanes.exchange(&ask(other.parse().unwrap())).await.unwrap_err();
    assert!(matches!(error, SignInError::Unsent(TransportError::ForeignServer { .. })), "{error}");
    assert_eq!(strangers.load(Ordering::SeqCst), 0);
    assert_eq!(lanes.exchange(&ask(url)).await.unwrap().body, b"b");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_body_goes_with_the_proof_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/EWS/Exchange.asmx", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let first = read_request(&mut stream).await.unwrap();
        stream.write_all(challenged().as_bytes()).await.unwrap();
        let second = read_request(&mut stream).await.unwrap();
        stream.write_all(answer("403 Forbidden", "", "").as_bytes()).await.unwrap();
        (first, second)
    });
    assert_eq!(error_of(&url).await.code, Code::CalendarAccessDenied);
    let (first, second) = served.await.unwrap();
    assert!(!first.contains("Envelope") && first.contains("authorization: NTLM TlRMTVNTUAAB"), "{first}");
    assert!(second.contains("Envelope") && second.contains("authorization: NTLM TlRMTVNTUAAD"), "{second}");
}
