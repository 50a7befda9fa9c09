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
    exchange(UnixStream::connect(it.path("state/admin.sock")).unwrap(), method, path, "", body)
}

/// The same with more headers, over whatever connects.
fn exchange(
    mut stream: impl std::io::Read + std::io::Write,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> (u16, serde_json::Value) {
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: mms\r\nConnection: close\r\nContent-Type: application/json\r\n\
         {headers}Content-Length: {length}\r\n\r\n{body}"
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

/// The API at a port of this machine.
struct Network {
    address: std::net::SocketAddr,
}

impl Network {
    /// Configures a port that is free.
    fn configure(it: &Installation) -> Self {
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        std::fs::write(it.path("mms.toml"), format!("{CONFIGURATION}[admin]\nlisten = \"{address}\"\n"))
            .unwrap();
        Self { address }
    }

    /// An exchange by a bearer of `token`.
    fn ask(&self, token: &str, method: &str, path: &str, body: &str) -> (u16, serde_json::Value) {
        self.with(&format!("Authorization: Bearer {token}\r\n"), method, path, body)
    }

    fn with(&self, headers: &str, method: &str, path: &str, body: &str) -> (u16, serde_json::Value) {
        exchange(std::net::TcpStream::connect(self.address).unwrap(), method, path, headers, body)
    }
}

/// Makes a token and returns its secret.
fn token(it: &Installation, arguments: &[&str]) -> String {
    it.mms(&[&["token", "create"], arguments].concat()).ends(0).out.trim().to_owned()
}

#[test]
fn over_the_network_nothing_is_open() {
    let it = Installation::new();
    let network = Network::configure(&it);
    let viewer = token(&it, &["dash board"]);
    let _daemon = Daemon::start(&it);
    for path in ["/", "/api/v1/health", "/api/v1/requests", "/api/v1/nothing"] {
        for headers in [
            "",
            "Authorization: Bearer mms_00000000000000000000000000000000\r\n",
            "Authorization: Basic bW1zOm1tcw==\r\n",
            &format!("Authorization: Bearer {viewer}x\r\n"),
            &format!("Authorization: Bearer {viewer}\r\nAuthorization: Bearer {viewer}\r\n"),
            &format!("X-Token: {viewer}\r\n"),
        ] {
            let (status, problem) = network.with(headers, "GET", path, "");
            assert_eq!((status, &problem["code"]), (401, &"Unauthorised".into()), "{path} {headers}");
        }
        assert_eq!(
            network.with("", "GET", &format!("{path}?token={viewer}"), "").0,
            401,
            "no secrets in URLs"
        );
    }
    assert_eq!(network.ask(&viewer, "GET", "/api/v1/summary", "").0, 200);
    let (status, problem) = network.ask(&viewer, "GET", "/api/v1/nothing", "");
    assert_eq!((status, &problem["code"]), (404, &"NotFound".into()));
    let (status, problem) = network.ask(&viewer, "DELETE", "/api/v1/summary", "");
    assert_eq!((status, &problem["code"]), (405, &"MethodNotAllowed".into()));
}

#[test]
fn half_a_request_does_not_hold_the_daemon_up() {
    let it = Installation::new();
    let network = Network::configure(&it);
    token(&it, &["reader"]);
    let daemon = Daemon::start(&it);
    let mut half = std::net::TcpStream::connect(network.address).unwrap();
    half.write_all(b"GET /api/v1/health HTTP/1.1\r\nHost: mms\r\n").unwrap();
    let mut other_half = UnixStream::connect(it.path("state/admin.sock")).unwrap();
    other_half.write_all(b"GET /api/v1/health HTTP/1.1\r\n").unwrap();
    assert_eq!(daemon.terminate().0, Some(0));
}

#[test]
fn a_token_may_what_its_role_may_and_the_trail_says_who_did_it() {
    let it = Installation::new();
    let network = Network::configure(&it);
    let viewer = token(&it, &["reader"]);
    let operator = token(&it, &["helpdesk", "--role", "operator"]);
    let admin = token(&it, &["ops", "--role", "admin", "--expires", "0"]);
    let _daemon = Daemon::start(&it);
    let start = r#"{"Identity":"alice@example.test","TargetMeetingType":"Jitsi"}"#;
    let off = r#"{"MeetingMigrationEnabled":false}"#;
    let (status, problem) = network.ask(&viewer, "POST", "/api/v1/requests", start);
    assert_eq!((status, &problem["code"]), (403, &"Forbidden".into()));
    assert!(problem["detail"].as_str().unwrap().contains("operator"), "{problem}");
    let (status, record) = network.ask(&operator, "POST", "/api/v1/requests", start);
    assert_eq!(status, 201, "{record}");
    assert_eq!(network.ask(&operator, "PUT", "/api/v1/settings", off).0, 403);
    assert_eq!(network.ask(&operator, "GET", "/api/v1/audit", "").0, 403);
    let cancel = format!("/api/v1/requests/{}/cancel", record["CorrelationId"].as_str().unwrap());
    assert_eq!(network.ask(&viewer, "POST", &cancel, "").0, 403);
    assert_eq!(network.ask(&operator, "POST", &cancel, "").0, 200);
    assert_eq!(network.ask(&admin, "PUT", "/api/v1/settings", off).0, 200);
    let (status, trail) = network.ask(&admin, "GET", "/api/v1/audit?limit=3", "");
    let of = |key: &str| -> Vec<String> {
        trail.as_array().unwrap().iter().map(|e| e[key].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(status, 200);
    assert_eq!(of("Action"), ["ChangeSetting", "CancelMigration", "StartMigration"]);
    assert_eq!(of("Actor"), ["token ops", "token helpdesk", "token helpdesk"]);
    assert_eq!(of("Target")[2], "alice@example.test");
    let rows = it.mms(&["audit", "-o", "json"]).ends(0).json();
    assert_eq!(rows.as_array().unwrap().len(), 6, "three tokens were made as well: {rows}");
    assert!(!rows.to_string().contains("mms_"), "no secrets");
}

#[test]
fn events_come_in_over_the_network() {
    let it = Installation::new();
    let network = Network::configure(&it);
    let (viewer, watcher) = (token(&it, &["reader"]), token(&it, &["watcher", "--role", "operator"]));
    let admin = token(&it, &["ops", "--role", "admin"]);
    let _daemon = Daemon::start(&it);
    let event = r#"{"Event":"BridgeChanged","Identity":"alice@example.test"}"#;
    assert_eq!(network.ask(&viewer, "POST", "/api/v1/events", event).0, 403);
    let (status, outcome) = network.ask(&watcher, "POST", "/api/v1/events", event);
    assert_eq!((status, &outcome["Outcome"]), (200, &"Started".into()), "{outcome}");
    let id = outcome["CorrelationId"].as_str().unwrap();
    let (_, record) = network.ask(&viewer, "GET", &format!("/api/v1/requests/{id}"), "");
    assert_eq!(record["MigrationType"], "ToSameType");
    for (wrong, status, told) in [
        (r#"{"Event":"Moved","Identity":"alice@example.test"}"#, 400, "MovedToCloud"),
        (r#"{"Event":"BridgeChanged","Identity":"nobody@example.test"}"#, 404, "nobody"),
        (r#"{"Event":"UpgradePolicyGranted","Identity":"alice@example.test"}"#, 400, "policy is missing"),
        (r#"{"Event":"MovedToCloud","Identity":"bob@example.test"}"#, 422, "Teams is not configured"),
        (r#"{"Event":"BridgeChanged","Identity":"bob@example.test","Extra":1}"#, 400, "Extra"),
        (r#"{"Event":"#, 400, ""),
        (r#"["BridgeChanged","bob@example.test"]"#, 400, "JSON object"),
        (&format!("\"{}\"", "x".repeat(100_000)), 413, "65536"),
    ] {
        let (answered, problem) = network.ask(&watcher, "POST", "/api/v1/events", wrong);
        let detail = problem["detail"].as_str().unwrap();
        assert!(answered == status && detail.contains(told), "{wrong}: {answered} {problem}");
    }
    let off = r#"{"AutomaticallyMigrateUserMeetings":false}"#;
    let (status, settings) = network.ask(&admin, "PUT", "/api/v1/settings", off);
    assert_eq!(
        (status, &settings["AutomaticallyMigrateUserMeetings"], &settings["MeetingMigrationEnabled"]),
        (200, &false.into(), &true.into())
    );
    let (_, outcome) = network.ask(&watcher, "POST", "/api/v1/events", event);
    assert_eq!(outcome["Outcome"], "Nothing", "{outcome}");
}

#[test]
fn a_token_that_is_revoked_or_expired_holds_no_more() {
    let it = Installation::new();
    let network = Network::configure(&it);
    let revoked = token(&it, &["old"]);
    let expired = token(&it, &["short", "--expires", "1s"]);
    let _daemon = Daemon::start(&it);
    assert_eq!(network.ask(&revoked, "GET", "/api/v1/health", "").0, 200);
    it.mms(&["token", "revoke", "old"]).ends(0);
    assert_eq!(network.ask(&revoked, "GET", "/api/v1/health", "").0, 401);
    until(|| network.ask(&expired, "GET", "/api/v1/health", "").0 == 401);
    let again = it.mms(&["token", "revoke", "old"]).ends(3);
    assert!(again.err.contains("mms token list"), "{}", again.err);
    let states = it.mms(&["token", "list", "-o", "json"]).ends(0).json();
    assert_eq!(
        (&states[0]["State"], &states[1]["State"]),
        (&"Expired".into(), &"Revoked".into()),
        "{states}"
    );
    let taken = it.mms(&["token", "create", "short"]);
    assert_eq!(taken.ends(0).out.trim().len(), 68, "an expired token gives its name up");
    assert!(it.mms(&["token", "create", "short"]).ends(1).err.contains("holds already"));
    assert!(it.mms(&["token", "create", "x", "--role", "root"]).ends(2).err.contains("viewer"));
    for name in [revoked.as_str(), "79dc260a-d067-4c06-8c03-f9274ad12381", "", "a\nb"] {
        it.mms(&["token", "create", name]).ends(2);
    }
    for file in std::fs::read_dir(it.path("state")).unwrap() {
        let kept = std::fs::read(file.unwrap().path()).unwrap_or_default();
        assert!(!kept.windows(revoked.len()).any(|bytes| bytes == revoked.as_bytes()), "the secret is kept");
    }
}

#[test]
fn a_first_start_prints_a_token_once() {
    let it = Installation::new();
    let network = Network::configure(&it);
    let mut child =
        command(&it.path(".")).arg("serve").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let secret = lines.by_ref().map(Result::unwrap).find(|line| line.starts_with("mms_")).unwrap();
    until(|| std::net::TcpStream::connect(network.address).is_ok());
    assert_eq!(network.ask(&secret, "GET", "/api/v1/audit", "").0, 200);
    child.kill().unwrap();
    child.wait().unwrap();
    let _second = Daemon::start(&it);
    let tokens = it.mms(&["token", "list", "-o", "json"]).ends(0).json();
    assert_eq!(tokens.as_array().unwrap().len(), 1, "{tokens}");
}

#[test]
fn the_api_is_for_this_machine_alone() {
    let it = Installation::new();
    std::fs::write(it.path("mms.toml"), format!("{CONFIGURATION}[admin]\nlisten = \"0.0.0.0:8480\"\n"))
        .unwrap();
    let refused = it.mms(&["config", "check"]).ends(2);
    assert!(
        refused.err.contains("[admin] \"listen\"") && refused.err.contains("reverse proxy"),
        "{}",
        refused.err
    );
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
fn a_store_is_backed_up_beside_a_daemon_and_restored() {
    let it = Installation::new();
    it.invite("alice", "a.ics", &invite("uid-1", "alice@example.test", "Weekly sync"));
    let early = it.mms(&["backup", "early.db"]).ends(1);
    assert!(early.err.contains("no store"), "{}", early.err);
    let daemon = Daemon::start(&it);
    it.mms(&["start", "alice@example.test", "--to", "Jitsi", "--now"]).ends(0);
    until(|| it.mms(&["status", "--summary"]).ends(0).out.contains("Succeeded          1"));
    it.mms(&["backup", "backup.db"]).ends(0);
    assert!(it.mms(&["backup", "backup.db"]).ends(1).err.contains("backup.db"));
    drop(daemon);
    for file in std::fs::read_dir(it.path("state")).unwrap() {
        let path = file.unwrap().path();
        if path.to_string_lossy().contains("mms.db") {
            std::fs::remove_file(path).unwrap();
        }
    }
    std::fs::copy(it.path("backup.db"), it.path("state/mms.db")).unwrap();
    let records = it.mms(&["status", "-o", "json"]).ends(0).json();
    assert_eq!((records.as_array().unwrap().len(), &records[0]["State"]), (1, &"Succeeded".into()));
    it.mms(&["rollback", "alice@example.test"]).ends(0);
}

#[test]
fn status_says_when_a_migration_is_due() {
    let it = Installation::new();
    let _daemon = Daemon::start(&it);
    for user in ["bob@example.test", "alice@example.test"] {
        it.mms(&["start", user, "--to", "Jitsi"]).ends(0);
    }
    let told = it.mms(&["status", "alice@example.test"]).ends(0).err;
    assert!(
        told.contains("is due in 90 min") && told.contains("1 of those that wait are due before"),
        "{told}"
    );
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
