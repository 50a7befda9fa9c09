//! Skype for Business Server as a platform, against the sandbox and against servers that answer what they should not.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write as _;
use std::sync::Arc;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use mms_connectors::platform::skype::Skype;
use mms_model::port::{MeetingPlatform as _, ProvisionRequest};
use mms_model::{Address, Clock as _, Code, ErrorKind, OnlineMeeting, Platform, SystemClock};
use mms_sandbox::{Faults, Sandbox, Settings};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const ALICE: &str = "user00001@contoso.example";
const BOB: &str = "user00002@contoso.example";

/// A deployment with the passwords of its users in a file.
struct Deployment {
    sandbox: Sandbox,
    file: NamedTempFile,
    skype: Skype,
}

async fn deployment() -> Deployment {
    deployment_with("").await
}

async fn deployment_with(more: &str) -> Deployment {
    let sandbox = Sandbox::start(&Settings { users: 4, ..Settings::default() }).await.unwrap();
    let about = sandbox.description()["ucwa"].clone();
    let mut file = NamedTempFile::new().unwrap();
    writeln!(file, "address,username,password").unwrap();
    for user in &about["users"].as_array().unwrap()[..2] {
        let text = |name: &str| user[name].as_str().unwrap().to_owned();
        writeln!(file, "{},{},{}", text("address"), text("user"), text("password")).unwrap();
    }
    let skype = skype(
        about["discover"].as_str().unwrap(),
        &format!("credentials_file = '{}'\n{more}", file.path().display()),
    );
    Deployment { sandbox, file, skype }
}

fn skype(discover_url: &str, more: &str) -> Skype {
    let text = format!(
        "sip_domains = ['contoso.example']\nmeet_urls = ['https://meet2.contoso.example']\n\
         discover_url = '{discover_url}'\ntimeout = 10\n{more}"
    );
    Skype::new("SfB", toml::from_str(&text).unwrap(), Arc::new(SystemClock)).unwrap()
}

fn request(id: &str, organizer: &str) -> ProvisionRequest {
    ProvisionRequest {
        external_id: id.to_owned(),
        old: meeting("https://meet.contoso.example/user0/P1O2I3U4"),
        subject: "Budget – Übersicht".to_owned(),
        organizer: Address::new(organizer),
        start: None,
        last_end: None,
        language: "de".to_owned(),
    }
}

fn meeting(url: &str) -> OnlineMeeting {
    OnlineMeeting {
        platform: Platform::SFB,
        join_url: Some(url.to_owned()),
        meeting_id: None,
        passcode: None,
        has_dial_in: false,
        language: Some("de".to_owned()),
        key: url.to_owned(),
    }
}

fn in_days(days: i64) -> Timestamp {
    SystemClock.now() + SignedDuration::from_hours(24 * days)
}

impl Deployment {
    /// What stands on the server.
    fn meetings(&self) -> Vec<Value> {
        self.sandbox.state()["ucwa"]["meetings"].as_array().unwrap().clone()
    }

    fn requests(&self, name: &str) -> u64 {
        self.sandbox.state()["requests"][name].as_u64().unwrap_or(0)
    }

    fn applications(&self) -> u64 {
        self.sandbox.state()["ucwa"]["applications"].as_u64().unwrap()
    }
}

fn expiration(meeting: &Value) -> Timestamp {
    let text = meeting["expirationTime"].as_str().unwrap();
    let milliseconds = text.trim_start_matches("/Date(").trim_end_matches(")/");
    Timestamp::from_millisecond(milliseconds.parse().unwrap()).unwrap()
}

#[tokio::test]
async fn a_meeting_is_made_once_and_has_every_coordinate() {
    let deployment = deployment().await;
    let skype = &deployment.skype;
    let info = skype.provision(&request("e1", ALICE)).await.unwrap();
    assert!(info.join_url.starts_with("https://meet2.contoso.example/user00001/"), "{}", info.join_url);
    assert!(skype.holds(&meeting(&info.join_url)));
    let numbers: Vec<_> = info.dial_in.iter().map(|d| (d.number.as_str(), d.label.as_str())).collect();
    assert_eq!(numbers, [("+49305550142", "Berlin"), ("+14255550142", "Redmond")]);
    assert_eq!(info.conference_id.as_deref().map(str::len), Some(7));
    assert_eq!((info.display_name.as_str(), info.passcode), ("Skype Meeting", None));
    // Another run, which remembers nothing.
    let about = deployment.sandbox.description()["ucwa"]["discover"].as_str().unwrap().to_owned();
    let again = self::skype(&about, &format!("credentials_file = '{}'", deployment.file.path().display()));
    assert_eq!(again.provision(&request("e1", ALICE)).await.unwrap().join_url, info.join_url);
    assert_ne!(again.provision(&request("e2", ALICE)).await.unwrap().join_url, info.join_url);
    let meetings = deployment.meetings();
    assert_eq!(meetings.len(), 2);
    assert_eq!(meetings[0]["subject"], "Budget – Übersicht");
    for meeting in &meetings {
        assert!(expiration(meeting) > in_days(3600), "not the default of eight hours: {meeting}");
    }
    assert_eq!(deployment.applications(), 0, "applications are deleted");
}

#[tokio::test]
async fn meetings_asked_for_together_share_an_application() {
    let deployment = deployment().await;
    let requests: Vec<_> = (0..12).map(|n| request(&format!("e{n}"), ALICE)).collect();
    let answers = join_all(requests.iter().map(|request| deployment.skype.provision(request))).await;
    let links: std::collections::HashSet<String> = answers.into_iter().map(|a| a.unwrap().join_url).collect();
    assert_eq!(links.len(), 12);
    assert_eq!(deployment.requests("ucwa POST application"), 1);
    assert_eq!(deployment.requests("ucwa DELETE application"), 1);
    assert_eq!(deployment.requests("ucwa GET meetings"), 1, "the list is read once");
    assert_eq!(deployment.requests("ucwa POST token"), 1);
}

#[tokio::test]
async fn everybody_acts_as_himself() {
    let deployment = deployment().await;
    let mine = deployment.skype.provision(&request("e", ALICE)).await.unwrap();
    let theirs = deployment.skype.provision(&request("e", BOB)).await.unwrap();
    assert!(mine.join_url.contains("/user00001/") && theirs.join_url.contains("/user00002/"));
}

#[tokio::test]
async fn who_has_no_password_is_told_where_it_belongs() {
    let deployment = deployment().await;
    for outcome in [
        deployment.skype.provision(&request("e", "user00003@contoso.example")).await,
        deployment.skype.preview(&request("e", "user00003@contoso.example")).await,
    ] {
        let error = outcome.unwrap_err();
        assert_eq!((error.kind, error.code), (ErrorKind::Permanent, Code::UcwaCredentialsMissing));
        assert!(error.message.contains(&deployment.file.path().display().to_string()), "{error}");
        assert!(!error.message.contains("pw+"), "{error}");
    }
    assert_eq!(deployment.requests("ucwa POST token"), 0);
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_so_that_no_account_is_locked() {
    let mut deployment = deployment().await;
    let text = format!("address,username,password\n{ALICE},CONTOSO\\user00001,wrong\n");
    std::fs::write(deployment.file.path(), text).unwrap();
    for id in ["e1", "e2", "e3"] {
        let error = deployment.skype.provision(&request(id, ALICE)).await.unwrap_err();
        assert_eq!((error.kind, error.code), (ErrorKind::Unauthorised, Code::PlatformError));
        assert!(error.message.contains("CONTOSO\\user00001") && !error.message.contains("wrong,"), "{error}");
        assert!(error.message.contains(&format!("the line of {ALICE}")), "{error}");
    }
    assert_eq!(deployment.requests("ucwa POST token"), 1);
    // Another password is tried at once.
    let about = deployment.sandbox.description();
    let password = about["ucwa"]["users"][0]["password"].as_str().unwrap().to_owned();
    writeln!(deployment.file, "address,username,password\n{ALICE},CONTOSO\\user00001,{password}").unwrap();
    std::fs::write(
        deployment.file.path(),
        format!("address,username,password\n{ALICE},CONTOSO\\user00001,{password}\n"),
    )
    .unwrap();
    assert!(deployment.skype.provision(&request("e1", ALICE)).await.is_ok());
}

#[tokio::test]
async fn a_delegate_makes_meetings_that_the_organizer_leads() {
    let sandbox = Sandbox::start(&Settings { users: 4, ..Settings::default() }).await.unwrap();
    let about = sandbox.description()["ucwa"].clone();
    let delegate = &about["users"][3];
    let (user, password) = (delegate["user"].as_str().unwrap(), delegate["password"].as_str().unwrap());
    let more = format!("delegate = {{ user = '{user}', password = '{password}' }}");
    let skype = skype(about["discover"].as_str().unwrap(), &more);
    let info = skype.provision(&request("e1", ALICE)).await.unwrap();
    assert!(info.join_url.contains("/user00004/"), "{}", info.join_url);
    // A mail address need not be a SIP address: the server knows no such leader.
    skype.provision(&request("e2", "alice.adler@contoso.example")).await.unwrap();
    // That of another organisation is not even asked for.
    skype.provision(&request("e3", "eve@fabrikam.example")).await.unwrap();
    let state = sandbox.state();
    let leaders = |id: &str| {
        let all = state["ucwa"]["meetings"].as_array().unwrap();
        all.iter().find(|m| m["description"] == format!("MMS {id}")).unwrap()["leaders"].clone()
    };
    assert_eq!(leaders("e1"), json!([format!("sip:{ALICE}")]));
    assert_eq!((leaders("e2"), leaders("e3")), (json!([]), json!([])));
    assert_eq!(state["refusals"]["400 BadRequest ParameterValidationFailure"], 1);
    let refreshed = skype.refresh(&meeting(&info.join_url)).await.unwrap();
    assert_eq!(refreshed, info);
    assert!(!format!("{skype:?}").contains(password));
}

#[tokio::test]
async fn values_that_the_policies_do_not_allow_are_named() {
    let deployment = deployment_with("access_level = 'Everyone'\nlobby_bypass_for_phone_users = true").await;
    deployment.skype.provision(&request("e", ALICE)).await.unwrap();
    let meetings = deployment.meetings();
    assert_eq!(
        (&meetings[0]["accessLevel"], &meetings[0]["lobbyBypassForPhoneUsers"]),
        (&json!("Everyone"), &json!("Enabled"))
    );
    let deployment = deployment_with("access_level = 'None'").await;
    let error = deployment.skype.provision(&request("e", ALICE)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Permanent);
    for word in ["access_level = \"None\"", "SameEnterprise", "Get-CsConferencingPolicy"] {
        assert!(error.message.contains(word), "{error}");
    }
    assert_eq!(deployment.meetings(), Vec::<Value>::new());
}

#[tokio::test]
async fn a_ticket_that_expires_in_between_is_renewed() {
    let deployment = deployment().await;
    deployment.sandbox.set_faults(Faults { token_seconds: Some(1), ..Faults::default() });
    deployment.skype.provision(&request("e1", ALICE)).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    deployment.skype.provision(&request("e2", ALICE)).await.unwrap();
    assert_eq!(deployment.meetings().len(), 2);
    assert!(deployment.requests("ucwa POST token") >= 2);
    // One that is no good from the start is not asked for again and again.
    deployment.sandbox.set_faults(Faults { token_seconds: Some(0), ..Faults::default() });
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let before = deployment.requests("ucwa POST token");
    let error = deployment.skype.provision(&request("e3", ALICE)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorised, "{error}");
    assert!(deployment.requests("ucwa POST token") - before <= 2);
}

#[tokio::test]
async fn who_was_moved_to_another_pool_is_found_there() {
    let deployment = deployment().await;
    let first = deployment.skype.provision(&request("e1", ALICE)).await.unwrap();
    deployment.sandbox.set_faults(Faults { pool: 7, ..Faults::default() });
    assert_eq!(deployment.skype.provision(&request("e1", ALICE)).await.unwrap().join_url, first.join_url);
    deployment.skype.provision(&request("e2", ALICE)).await.unwrap();
    assert_eq!(deployment.meetings().len(), 2);
    let refusals = &deployment.sandbox.state()["refusals"];
    assert_eq!(refusals["410 Gone CannotRedirect"], 1);
}

#[tokio::test]
async fn who_is_homed_online_is_not_signed_in_there() {
    let deployment = deployment().await;
    deployment.sandbox.set_faults(Faults { homed_online: Some(ALICE.to_owned()), ..Faults::default() });
    let error = deployment.skype.provision(&request("e", ALICE)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert!(error.message.contains("online.lync.com") && error.message.contains("trusted_hosts"), "{error}");
}

#[tokio::test]
async fn a_meeting_that_would_end_too_early_is_prolonged_whoever_changes_it_meanwhile() {
    let deployment = deployment().await;
    let ends = |days| ProvisionRequest { last_end: Some(in_days(days)), ..request("e", ALICE) };
    let info = deployment.skype.provision(&ends(10)).await.unwrap();
    let short = expiration(&deployment.meetings()[0]);
    assert!(short > in_days(23) && short < in_days(25), "the last occurrence and two weeks: {short}");
    deployment.skype.provision(&ends(9)).await.unwrap();
    assert_eq!(deployment.requests("ucwa PUT meeting"), 0, "long enough");
    // The ETag is stale now and then.
    deployment.sandbox.set_faults(Faults { answers_meanwhile: 0.5, ..Faults::default() });
    let mut prolonged = false;
    for _ in 0..20 {
        match deployment.skype.provision(&ends(400)).await {
            Ok(again) => {
                assert_eq!(again.join_url, info.join_url);
                prolonged = true;
                break;
            }
            Err(error) => assert_eq!(error.kind, ErrorKind::Retry, "{error}"),
        }
    }
    assert!(prolonged);
    let meetings = deployment.meetings();
    assert_eq!(meetings.len(), 1);
    assert!(expiration(&meetings[0]) > in_days(413));
    assert_eq!(
        (&meetings[0]["description"], &meetings[0]["subject"]),
        (&json!("MMS e"), &json!("Budget – Übersicht"))
    );
    // Always stale: given up, to be tried later.
    deployment.sandbox.set_faults(Faults { answers_meanwhile: 1.0, ..Faults::default() });
    let error = deployment.skype.provision(&ends(800)).await.unwrap_err();
    assert!(error.kind == ErrorKind::Retry && error.message.contains("changed"), "{error}");
}

#[tokio::test]
async fn answers_that_are_lost_or_half_make_no_second_meeting() {
    let deployment = deployment().await;
    for faults in [
        Faults { lost_answers: 1.0, ..Faults::default() },
        Faults { broken: 0.3, lost_answers: 0.3, ..Faults::default() },
        Faults { busy: 0.4, back_off_ms: 0, ..Faults::default() },
    ] {
        deployment.sandbox.set_faults(faults);
        for id in ["a", "b", "c"] {
            for _ in 0..8 {
                match deployment.skype.provision(&request(id, ALICE)).await {
                    Ok(_) => break,
                    Err(error) => {
                        assert!(matches!(error.kind, ErrorKind::Retry | ErrorKind::RetryAfter(_)), "{error}");
                    }
                }
            }
        }
    }
    deployment.sandbox.set_faults(Faults::default());
    for id in ["a", "b", "c"] {
        deployment.skype.provision(&request(id, ALICE)).await.unwrap();
    }
    assert_eq!(deployment.meetings().len(), 3);
}

#[tokio::test]
async fn lists_without_descriptions_do_not_lead_to_second_meetings() {
    let deployment = deployment().await;
    let first = deployment.skype.provision(&request("e1", ALICE)).await.unwrap();
    deployment.skype.provision(&request("e2", ALICE)).await.unwrap();
    deployment.sandbox.set_faults(Faults { short_listings: true, ..Faults::default() });
    let again = deployment.skype.provision(&request("e1", ALICE)).await.unwrap();
    assert_eq!(
        (again.join_url.as_str(), again.conference_id),
        (first.join_url.as_str(), first.conference_id)
    );
    assert_eq!(deployment.skype.refresh(&meeting(&first.join_url)).await.unwrap().join_url, first.join_url);
    assert_eq!(deployment.meetings().len(), 2);
}

#[tokio::test]
async fn a_meeting_is_refreshed_by_its_link() {
    let deployment = deployment().await;
    let info = deployment.skype.provision(&request("e", ALICE)).await.unwrap();
    let refreshed = deployment.skype.refresh(&meeting(&format!("{}?sl=1", info.join_url))).await.unwrap();
    assert_eq!(refreshed, info);
    let gone = "https://meet2.contoso.example/user00001/AAAAAAAA";
    let error = deployment.skype.refresh(&meeting(gone)).await.unwrap_err();
    assert!(error.kind == ErrorKind::Permanent && error.message.contains("does not know"), "{error}");
    let other = "https://meet.contoso.example/user00001/AAAAAAAA";
    assert!(deployment.skype.refresh(&meeting(other)).await.unwrap_err().message.contains("not one of"));
    let stranger = "https://meet2.contoso.example/user00004/AAAAAAAA";
    let error = deployment.skype.refresh(&meeting(stranger)).await.unwrap_err();
    assert_eq!(error.code, Code::UcwaCredentialsMissing);
}

#[tokio::test]
async fn a_preview_asks_no_server_and_shows_a_link_of_the_right_form() {
    let deployment = deployment().await;
    let info = deployment.skype.preview(&request("0123abcd99", ALICE)).await.unwrap();
    assert_eq!(info.join_url, "https://meet2.contoso.example/user00001/0123ABCD");
    assert!(deployment.skype.holds(&meeting(&info.join_url)));
    assert_eq!(deployment.sandbox.state()["requestsInAll"], 0);
}

#[tokio::test]
async fn doctor_tries_each_step_and_leaves_nothing() {
    let deployment = deployment().await;
    let steps = deployment.skype.diagnose(None).await;
    assert!(steps.iter().all(|step| !step.is_failure()), "{steps:?}");
    assert!(steps.iter().any(|step| step.name == "dial-in"), "{steps:?}");
    assert_eq!((deployment.applications(), deployment.meetings().len()), (0, 0));
    let steps = deployment.skype.diagnose(Some(&Address::new(BOB))).await;
    assert!(format!("{steps:?}").contains(&format!("{BOB} is at")), "{steps:?}");
    let steps = deployment.skype.diagnose(Some(&Address::new("user00003@contoso.example"))).await;
    assert!(steps.iter().any(|step| step.is_failure() && step.name == "credentials"), "{steps:?}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(deployment.file.path(), open).unwrap();
        let steps = deployment.skype.diagnose(None).await;
        assert!(format!("{steps:?}").contains("chmod 600"), "{steps:?}");
    }
    let nowhere = skype("http://127.0.0.1:9/", "");
    let steps = nowhere.diagnose(None).await;
    assert!(steps[0].is_failure() && steps[0].name == "discovery of contoso.example", "{steps:?}");
}

/// A server whose root leads to `user`, which asks for tickets from `ticket` and then answers `applications`.
async fn server(user: &str, challenge: &str, applications: Value) -> MockServer {
    let server = MockServer::start().await;
    let answers = |body: Value| ResponseTemplate::new(200).set_body_json(body);
    Mock::given(path("/root"))
        .respond_with(answers(json!({"_links": {"user": {"href": user}}})))
        .mount(&server)
        .await;
    Mock::given(path("/user"))
        .and(wiremock::matchers::header_exists("authorization"))
        .respond_with(answers(applications))
        .mount(&server)
        .await;
    Mock::given(path("/user"))
        .respond_with(ResponseTemplate::new(401).insert_header("WWW-Authenticate", challenge))
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .and(path("/ticket"))
        .respond_with(answers(json!({"access_token": "cwt=x", "expires_in": "3600"})))
        .mount(&server)
        .await;
    server
}

const DELEGATE: &str = "delegate = { user = 'CONTOSO\\mms', password = 'hush-hush' }";

async fn refused(server: &MockServer) -> mms_model::PortError {
    let skype = skype(&format!("{}/root", server.uri()), DELEGATE);
    let error = skype.provision(&request("e", ALICE)).await.unwrap_err();
    assert!(!error.message.contains("hush-hush") && !error.message.contains("cwt="), "{error}");
    error
}

async fn password_was_sent(server: &MockServer) -> bool {
    let all = server.received_requests().await.unwrap();
    all.iter().any(|request| String::from_utf8_lossy(&request.body).contains("hush-hush"))
}

#[tokio::test]
async fn a_password_goes_to_no_server_that_nobody_named() {
    // 127.0.0.1 is the configured server, localhost another.
    let elsewhere = MockServer::start().await;
    let elsewhere_url = elsewhere.uri().replace("127.0.0.1", "localhost");
    let good = "MsRtcOAuth href=\"/ticket\"";
    let applications = |href: &str| json!({"_links": {"applications": {"href": href}}});
    let redirect = |href: &str| json!({"_links": {"redirect": {"href": href}}});
    let stranger = format!("{elsewhere_url}/x");
    for (user, challenge, after) in [
        (stranger.as_str(), good, Value::Null),
        ("https://evil.example/user", good, Value::Null),
        ("/user", &format!("MsRtcOAuth href=\"{stranger}\"") as &str, Value::Null),
        ("/user", "MsRtcOAuth href=https://contoso.example.evil.example/t", Value::Null),
        ("/user", good, applications(&stranger)),
        ("/user", good, redirect(&stranger)),
        ("/user", good, redirect("//evil.example/x")),
    ] {
        let server = server(user, challenge, after).await;
        let error = refused(&server).await;
        assert_eq!(error.kind, ErrorKind::Permanent, "{error}");
        assert!(error.message.contains("trusted_hosts"), "{error}");
    }
    assert_eq!(elsewhere.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn an_http_redirect_to_another_server_is_not_followed() {
    let elsewhere = MockServer::start().await;
    let server = MockServer::start().await;
    let answer =
        ResponseTemplate::new(302).insert_header("Location", format!("{}/root", elsewhere.uri()).as_str());
    Mock::given(path("/root")).respond_with(answer).mount(&server).await;
    let error = refused(&server).await;
    assert!(error.kind == ErrorKind::Permanent && error.message.contains("another server"), "{error}");
    assert_eq!(elsewhere.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_service_that_takes_no_password_is_told_none() {
    let challenge =
        "Bearer trusted_issuers=\"\", MsRtcOAuth href=\"/ticket\",grant_type=\"urn:microsoft.rtc:windows\"";
    let server = server("/user", challenge, Value::Null).await;
    let error = refused(&server).await;
    assert!(
        error.kind == ErrorKind::Permanent && error.message.contains("urn:microsoft.rtc:windows"),
        "{error}"
    );
    assert!(error.message.contains("Get-CsWebServiceConfiguration"), "{error}");
    assert!(!password_was_sent(&server).await);
}

#[tokio::test]
async fn what_is_not_the_protocol_is_said_and_does_no_harm() {
    let good = "MsRtcOAuth href=\"/ticket\",grant_type=\"password\"";
    for (challenge, after, said) in [
        ("Negotiate", Value::Null, "MsRtcOAuth"),
        (good, json!([]), "no pool"),
        (good, json!({"_links": {"redirect": {"href": "/user"}}}), "on and on"),
        (good, json!({"_links": {"applications": {"href": 5}}}), "no pool"),
        (good, json!({"_links": {"applications": {"href": "/root"}}}), "without"),
    ] {
        let server = server("/user", challenge, after).await;
        let error = refused(&server).await;
        assert!(error.message.contains(said), "{said}: {error}");
    }
    for body in ["<html>", "", "[[[[", "{\"_links\"", &"[".repeat(100_000)] {
        let server = MockServer::start().await;
        Mock::given(path("/root"))
            .respond_with(ResponseTemplate::new(200).set_body_string(body))
            .mount(&server)
            .await;
        let error = refused(&server).await;
        assert_eq!((error.kind, error.code), (ErrorKind::Retry, Code::PlatformError), "{error}");
    }
}

#[tokio::test]
async fn a_ticket_that_no_header_can_hold_is_none() {
    for answer in
        [json!({"access_token": "a\r\nb"}), json!({"access_token": ""}), json!({"token": "x"}), json!(5)]
    {
        let server = MockServer::start().await;
        let user = json!({"_links": {"user": {"href": "/user"}}});
        Mock::given(path("/root"))
            .respond_with(ResponseTemplate::new(200).set_body_json(user))
            .mount(&server)
            .await;
        let challenge =
            ResponseTemplate::new(401).insert_header("WWW-Authenticate", "MsRtcOAuth href=\"/ticket\"");
        Mock::given(path("/user")).respond_with(challenge).mount(&server).await;
        Mock::given(path("/ticket"))
            .respond_with(ResponseTemplate::new(200).set_body_json(answer))
            .mount(&server)
            .await;
        let error = refused(&server).await;
        assert!(error.message.contains("no ticket"), "{error}");
    }
}

#[tokio::test]
async fn a_join_link_of_another_deployment_is_not_written_into_invites() {
    let base = "MsRtcOAuth href=\"/ticket\"";
    let server = server("/user", base, json!({"_links": {"applications": {"href": "/applications"}}})).await;
    let links = json!({"myOnlineMeetings": {"href": "/meetings"}});
    let application = json!({"_links": {"self": {"href": "/applications/1"}}, "_embedded": {"onlineMeetings": {"_links": links}}});
    let made = json!({"onlineMeetingId": "ABCD1234", "joinUrl": "https://evil.example/alice/ABCD1234"});
    for (verb, at, status, body) in [
        ("POST", "/applications", 201, application),
        ("GET", "/meetings", 200, json!({})),
        ("POST", "/meetings", 201, made),
        ("DELETE", "/applications/1", 204, Value::Null),
    ] {
        let answer = ResponseTemplate::new(status);
        let answer = if body.is_null() { answer } else { answer.set_body_json(body) };
        Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(&server).await;
    }
    let error = refused(&server).await;
    assert!(error.kind == ErrorKind::Permanent && error.message.contains("meet_urls"), "{error}");
}

/// What a pool answers: the method, the path, the status and the body, and how often; 0 for always.
type Answered<'a> = (&'a str, &'a str, u16, Value, u64);

async fn answers(server: &MockServer, all: Vec<Answered<'_>>) {
    for (verb, at, status, body, times) in all {
        let answer = ResponseTemplate::new(status);
        let answer = if body.is_null() { answer } else { answer.set_body_json(body) };
        let mock = Mock::given(method(verb)).and(path(at)).respond_with(answer);
        let mock = if times == 0 { mock } else { mock.up_to_n_times(times) };
        mock.mount(server).await;
    }
}

fn application(number: u32) -> Value {
    let links = json!({"myOnlineMeetings": {"href": format!("/applications/{number}/meetings")}});
    json!({"_links": {"self": {"href": format!("/applications/{number}")}}, "_embedded": {"onlineMeetings": {"_links": links}}})
}

#[tokio::test]
async fn an_application_that_ended_meanwhile_is_made_anew() {
    let after = json!({"_links": {"applications": {"href": "/applications"}}});
    let server = server("/user", "MsRtcOAuth href=\"/ticket\"", after).await;
    let made = json!({"onlineMeetingId": "ABCD1234", "joinUrl": "https://meet2.contoso.example/mms/ABCD1234", "conferenceId": "1"});
    let gone = json!({"code": "NotFound", "subcode": "ApplicationNotFound", "message": "gone"});
    answers(
        &server,
        vec![
            ("POST", "/applications", 201, application(1), 1),
            ("POST", "/applications", 201, application(2), 1),
            ("GET", "/applications/1/meetings", 404, gone, 0),
            ("GET", "/applications/2/meetings", 200, json!({}), 0),
            ("POST", "/applications/2/meetings", 201, made, 1),
            ("DELETE", "/applications/2", 204, Value::Null, 1),
        ],
    )
    .await;
    let skype = skype(&format!("{}/root", server.uri()), DELEGATE);
    let info = skype.provision(&request("e", ALICE)).await.unwrap();
    // There is no number to dial, so the conference id is not shown.
    assert_eq!((info.dial_in.len(), info.conference_id), (0, None));
    let all = server.received_requests().await.unwrap();
    assert_eq!(all.iter().filter(|request| request.url.path() == "/root").count(), 2, "discovered again");
    assert_eq!(
        all.iter().filter(|request| request.url.path() == "/ticket").count(),
        1,
        "with the same ticket"
    );
    // One that is gone each time is not made for ever.
    answers(&server, vec![("POST", "/applications", 201, application(1), 0)]).await;
    let error = skype.provision(&request("f", ALICE)).await.unwrap_err();
    assert!(error.kind == ErrorKind::Retry && error.message.contains("ApplicationNotFound"), "{error}");
}

#[tokio::test]
async fn a_meeting_without_an_etag_is_not_written_over() {
    let after = json!({"_links": {"applications": {"href": "/applications"}}});
    let server = server("/user", "MsRtcOAuth href=\"/ticket\"", after).await;
    let url = "https://meet2.contoso.example/mms/ABCD1234";
    let short = json!({"onlineMeetingId": "ABCD1234", "joinUrl": url, "description": "MMS e",
        "expirationTime": "2026-01-01T00:00:00Z"});
    answers(
        &server,
        vec![
            ("POST", "/applications", 201, application(1), 1),
            ("GET", "/applications/1/meetings", 200, json!({"_embedded": {"myOnlineMeeting": [short]}}), 0),
            ("GET", "/applications/1/meetings/ABCD1234", 200, short.clone(), 0),
            ("PUT", "/applications/1/meetings/ABCD1234", 200, short, 0),
            ("DELETE", "/applications/1", 204, Value::Null, 1),
        ],
    )
    .await;
    let skype = skype(&format!("{}/root", server.uri()), DELEGATE);
    assert_eq!(skype.provision(&request("e", ALICE)).await.unwrap().join_url, url);
    let all = server.received_requests().await.unwrap();
    assert!(all.iter().any(|request| request.url.path().ends_with("/ABCD1234")), "it was looked at");
    assert!(all.iter().all(|request| request.method.as_str() != "PUT"));
}

#[tokio::test]
async fn a_long_list_without_descriptions_is_not_read_one_by_one() {
    let after = json!({"_links": {"applications": {"href": "/applications"}}});
    let server = server("/user", "MsRtcOAuth href=\"/ticket\"", after).await;
    let links: Vec<Value> =
        (0..1_001).map(|n| json!({"href": format!("/applications/1/meetings/M{n}")})).collect();
    answers(
        &server,
        vec![
            ("POST", "/applications", 201, application(1), 1),
            ("GET", "/applications/1/meetings", 200, json!({"_links": {"myOnlineMeeting": links}}), 0),
            ("DELETE", "/applications/1", 204, Value::Null, 1),
        ],
    )
    .await;
    let error = refused(&server).await;
    assert_eq!(error.kind, ErrorKind::Permanent, "{error}");
    assert!(error.message.contains("1001 online meetings") && error.message.contains("delete"), "{error}");
    assert!(server.received_requests().await.unwrap().len() < 20);
}

#[tokio::test]
async fn a_ticket_is_tried_where_it_is_from() {
    // What is in front knows no tickets of the pool behind it, whose ticket service it names.
    let after = json!({"_links": {"applications": {"href": "/applications"}}});
    let pool = server("/user", "MsRtcOAuth href=\"/ticket\"", after).await;
    let made =
        json!({"onlineMeetingId": "ABCD1234", "joinUrl": "https://meet2.contoso.example/mms/ABCD1234"});
    answers(
        &pool,
        vec![
            ("POST", "/applications", 201, application(1), 1),
            ("GET", "/applications/1/meetings", 200, json!({}), 0),
            ("POST", "/applications/1/meetings", 201, made, 1),
            ("DELETE", "/applications/1", 204, Value::Null, 1),
        ],
    )
    .await;
    let front = MockServer::start().await;
    let user = json!({"_links": {"user": {"href": "/user"}}});
    answers(&front, vec![("GET", "/root", 200, user, 0)]).await;
    let challenge = format!("MsRtcOAuth href=\"{}/ticket\",grant_type=\"password\"", pool.uri());
    let refuses = ResponseTemplate::new(401).insert_header("WWW-Authenticate", challenge.as_str());
    Mock::given(path("/user")).respond_with(refuses).mount(&front).await;
    let skype = skype(&format!("{}/root", front.uri()), DELEGATE);
    let info = skype.provision(&request("e", ALICE)).await.unwrap();
    assert_eq!(info.join_url, "https://meet2.contoso.example/mms/ABCD1234");
}
