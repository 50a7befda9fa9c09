//! `mms serve` and its admin API.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::installation::{CONFIGURATION, Installation, command, invite};

/// A daemon that ends with the value.
struct Daemon {
    child: Child,
    /// None once nobody reads it any more.
    log: Option<BufReader<std::process::ChildStderr>>,
}

impl Daemon {
    /// Starts it and waits until it says that it runs.
    fn start(it: &Installation) -> Self {
        Self::start_with(it, &["serve"])
    }

    fn start_with(it: &Installation, arguments: &[&str]) -> Self {
        let mut child = command(&it.path(".")).args(arguments).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("the daemon runs") {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "the daemon ended before it ran");
        }
        Self { child, log: Some(log) }
    }

    /// Asks it to end; its exit code and the rest of its log.
    fn terminate(mut self) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let mut rest = String::new();
        if let Some(log) = &mut self.log {
            log.read_to_string(&mut rest).unwrap();
        }
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One exchange with the admin API: the status and the body.
fn ask(it: &Installation, method: &str, path: &str, body: &str) -> (u16, serde_json::Value) {
    let mut stream = UnixStream::connect(it.path("state/admin.sock")).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: mms\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {body}")))
}

/// Looks until it is so; the limit only ends a test that fails.
fn until(mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it did not come to be");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_daemon_does_what_is_asked_for_and_stops_when_told() {
    let it = Installation::new();
    it.invite("alice", "a.ics", &invite("uid-1", "alice@example.test", "Weekly sync"));
    it.invite("bob", "b.ics", &invite("uid-2", "bob@example.test", "Planning"));
    let daemon = Daemon::start(&it);
    let mode = std::fs::metadata(it.path("state/admin.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let second = it.mms(&["serve"]).ends(4);
    assert!(second.err.contains("another mms serve"), "{}", second.err);

    it.mms(&["start", "alice@example.test", "--to", "Jitsi", "--now"]).ends(0);
    let start = r#"{"Identity":"bob@example.test","TargetMeetingType":"Jitsi","SkipGracePeriod":true}"#;
    let (status, record) = ask(&it, "POST", "/api/v1/requests", start);
    assert_eq!((status, &record["State"]), (201, &"Pending".into()), "{record}");
    let date = record["CreateDate"].as_str().unwrap();
    assert_eq!((date.len(), &date[19..20]), ("2024-04-27T00:24:00.1442688Z".len(), "."), "{date}");
    until(|| {
        it.mms(&["status", "--state", "succeeded", "-o", "json"]).ends(0).json().as_array().unwrap().len()
            == 2
    });

    let (status, stopped) = daemon.terminate();
    assert_eq!(status, Some(0), "{stopped}");
    assert!(!it.path("state/admin.sock").exists());
}

#[test]
fn a_daemon_goes_on_when_nobody_reads_its_log() {
    let it = Installation::new();
    it.invite("alice", "a.ics", &invite("uid-1", "alice@example.test", "Weekly sync"));
    let mut daemon = Daemon::start_with(&it, &["-vv", "serve"]);
    daemon.log.take();
    it.mms(&["start", "alice@example.test", "--to", "Jitsi", "--now"]).ends(0);
    until(|| it.mms(&["status", "--summary"]).ends(0).out.contains("Succeeded          1"));
    assert_eq!(ask(&it, "GET", "/api/v1/health", "").0, 200);
    assert_eq!(daemon.terminate().0, Some(0));
}

#[test]
fn a_daemon_forgets_what_is_past_retention() {
    let it = Installation::new();
    it.invite("alice", "a.ics", &invite("uid-1", "alice@example.test", "Weekly sync"));
    it.mms(&["migrate", "alice@example.test", "--to", "Jitsi"]).ends(0);
    let kept = |it: &Installation| it.mms(&["status", "-o", "json"]).ends(0).json().as_array().unwrap().len();
    assert_eq!(kept(&it), 1);
    let configuration = format!("{CONFIGURATION}[retention]\noriginals = \"0\"\nhistory = \"0\"\n");
    std::fs::write(it.path("mms.toml"), configuration).unwrap();
    let _daemon = Daemon::start(&it);
    until(|| kept(&it) == 0);
}

#[test]
fn the_api_answers_with_problems_that_name_their_code() {
    let it = Installation::new();
    let _daemon = Daemon::start(&it);
    assert_eq!(ask(&it, "GET", "/api/v1/health", "").0, 200);
    let (status, problem) = ask(&it, "POST", "/api/v1/requests", r#"{"Identity":"nobody@example.test"}"#);
    assert_eq!((status, &problem["code"]), (404, &"UserNotFound".into()));
    let (status, problem) = ask(&it, "POST", "/api/v1/requests", r#"{"Identity":"Sam Same"}"#);
    assert_eq!((status, &problem["code"]), (409, &"UserAmbiguous".into()));
    let source = r#"{"Identity":"alice@example.test","SourceMeetingType":"Zom","TargetMeetingType":"Jitsi"}"#;
    let (status, problem) = ask(&it, "POST", "/api/v1/requests", source);
    assert!(status == 400 && problem["detail"].as_str().unwrap().contains("Zoom"), "{problem}");
    let target = r#"{"Identity":"alice@example.test","TargetMeetingType":"Teams"}"#;
    let (status, problem) = ask(&it, "POST", "/api/v1/requests", target);
    assert_eq!((status, &problem["code"]), (422, &"PlatformNotConfigured".into()));
    assert_eq!(ask(&it, "POST", "/api/v1/requests", "{").0, 400);
    assert_eq!(ask(&it, "GET", "/api/v1/requests?state=odd", "").0, 400);
    assert_eq!(ask(&it, "GET", "/api/v1/requests/00000000-0000-0000-0000-000000000001", "").0, 404);
    assert_eq!(ask(&it, "PUT", "/api/v1/settings", r#"{"MeetingMigrationEnabled":false}"#).0, 200);
    let (status, problem) = ask(&it, "POST", "/api/v1/requests", r#"{"Identity":"alice@example.test"}"#);
    assert_eq!((status, &problem["code"]), (403, &"MigrationDisabled".into()));
    let (_, summary) = ask(&it, "GET", "/api/v1/summary", "");
    assert_eq!(summary.as_array().unwrap().len(), 4);
}
