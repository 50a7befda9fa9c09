//! Teams as a platform, against a Graph of wiremock's.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use futures_util::future::join_all;
use mms_connectors::graph::GraphClients;
use mms_connectors::platform::teams::Teams;
use mms_model::port::{MeetingPlatform as _, ProvisionRequest};
use mms_model::{Address, Code, ErrorKind, OnlineMeeting, Platform};
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path, path_regex, query_param};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const ALICE: &str = "66666666-7777-8888-9999-000000000000";

fn link(id: &str) -> String {
    format!(
        "https://teams.microsoft.com/l/meetup-join/19%3ameeting_{id}%40thread.v2/0?context=%7b%22Tid%22%3a%22{TENANT}%22%2c%22Oid%22%3a%22{ALICE}%22%7d"
    )
}

fn made(id: &str) -> Value {
    json!({
        "id": id, "joinWebUrl": link(id), "externalId": id,
        "joinMeetingIdSettings": {"joinMeetingId": "291633251", "passcode": "aB3dE5", "isPasscodeRequired": true},
        "audioConferencing": {"conferenceId": "123456789", "tollNumber": "+1 425-555-0100",
            "dialinUrl": "https://dialin.teams.microsoft.com/x"},
        "videoTeleconferenceId": "1260851038",
        "chatInfo": {"threadId": format!("19:meeting_{id}@thread.v2")},
    })
}

async fn server() -> MockServer {
    let server = MockServer::start().await;
    let token = json!({"access_token": "t", "expires_in": 3599});
    Mock::given(method("POST"))
        .and(path(format!("/{TENANT}/oauth2/v2.0/token")))
        .respond_with(ResponseTemplate::new(200).set_body_json(token))
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path("/v1.0/users/alice@contoso.example"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"id": ALICE})))
        .mount(&server)
        .await;
    server
}

fn teams(server: &MockServer) -> Teams {
    let url = server.uri();
    let text = format!(
        "tenant = '{TENANT}'\nclient_id = 'app'\nsecret = 'x'\nurl = '{url}'\nauthority = '{url}'\n\
                 video_address = 'contoso@video.example'"
    );
    Teams::new("Teams", toml::from_str(&text).unwrap(), &GraphClients::default()).unwrap()
}

fn request(id: &str, organizer: &str) -> ProvisionRequest {
    ProvisionRequest {
        external_id: id.to_owned(),
        old: meeting("https://meet.contoso.example/alice/P1O2I3U4"),
        subject: "Budget".to_owned(),
        organizer: Address::new(organizer),
        start: None,
        last_end: None,
        language: "de".to_owned(),
    }
}

fn meeting(url: &str) -> OnlineMeeting {
    OnlineMeeting {
        platform: Platform::TEAMS,
        join_url: Some(url.to_owned()),
        meeting_id: None,
        passcode: None,
        has_dial_in: false,
        language: Some("de".to_owned()),
        key: url.to_owned(),
    }
}

/// Answers `createOrGet` in batches: the same meeting for the same external id.
async fn answers_batches(server: &MockServer) {
    Mock::given(method("POST"))
        .and(path("/v1.0/$batch"))
        .respond_with(|batch: &Request| {
            let batch: Value = serde_json::from_slice(&batch.body).unwrap();
            let answer = |sub: &Value| {
                assert_eq!(sub["url"], format!("/users/{ALICE}/onlineMeetings/createOrGet"));
                assert_eq!(sub["headers"]["Accept-Language"], "de");
                let id = sub["body"]["externalId"].as_str().unwrap();
                json!({"id": sub["id"], "status": 201, "body": made(id)})
            };
            let all: Vec<Value> = batch["requests"].as_array().unwrap().iter().map(answer).collect();
            ResponseTemplate::new(200).set_body_json(json!({"responses": all}))
        })
        .mount(server)
        .await;
}

#[tokio::test]
async fn meetings_asked_for_together_go_together_and_have_every_coordinate() {
    let server = server().await;
    answers_batches(&server).await;
    let teams = teams(&server);
    let ids: Vec<String> = (0..25).map(|n| format!("e{n}")).collect();
    let requests: Vec<_> = ids.iter().map(|id| request(id, "alice@contoso.example")).collect();
    let answers = join_all(requests.iter().map(|request| teams.provision(request))).await;
    for (id, answer) in ids.iter().zip(answers) {
        let info = answer.unwrap();
        assert_eq!(info.join_url, link(id));
        assert_eq!(info.meeting_id.as_deref(), Some("291633251"));
        assert_eq!(info.passcode.as_deref(), Some("aB3dE5"));
        assert_eq!(info.conference_id.as_deref(), Some("123456789"));
        assert_eq!(info.dial_in[0].number, "+1 425-555-0100");
        assert_eq!(info.numbers_url.as_deref(), Some("https://dialin.teams.microsoft.com/x"));
        let video = info.video.unwrap();
        assert_eq!((video.address.as_str(), video.id.as_str()), ("contoso@video.example", "1260851038"));
        assert!(
            info.options_url.unwrap().starts_with("https://teams.microsoft.com/meetingOptions/?organizerId=")
        );
        assert_eq!(info.help_url.as_deref(), Some("https://aka.ms/JoinTeamsMeeting?omkt=de"));
    }
    // A token, one look-up of the organizer, and two batches.
    assert_eq!(server.received_requests().await.unwrap().len(), 4);
}

#[tokio::test]
async fn a_missing_policy_is_an_administrators_to_mend() {
    let server = server().await;
    let fault = json!({"error": {"code": "Unauthorized",
        "message": "App app is not authorized to Create meeting on behalf of user 66666666", "innerError": {}}});
    let answer = json!({"responses": [{"id": "0", "status": 403, "body": fault}]});
    Mock::given(path("/v1.0/$batch"))
        .respond_with(ResponseTemplate::new(200).set_body_json(answer))
        .mount(&server)
        .await;
    let error = teams(&server).provision(&request("e", "alice@contoso.example")).await.unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Permanent, Code::ApplicationAccessPolicyMissing));
    assert!(error.message.contains("Grant-CsApplicationAccessPolicy"), "{error}");
}

#[tokio::test]
async fn an_organizer_is_found_by_another_address_and_a_stranger_is_named() {
    let server = server().await;
    answers_batches(&server).await;
    Mock::given(path_regex("^/v1.0/users/(ally|eve)@"))
        .respond_with(
            ResponseTemplate::new(404).set_body_json(json!({"error": {"code": "Request_ResourceNotFound"}})),
        )
        .mount(&server)
        .await;
    Mock::given(path("/v1.0/users"))
        .and(query_param("$filter", "proxyAddresses/any(p:p eq 'smtp:ally@contoso.example')"))
        .and(header("ConsistencyLevel", "eventual"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"value": [{"id": ALICE}]})))
        .mount(&server)
        .await;
    Mock::given(path("/v1.0/users"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"value": []})))
        .mount(&server)
        .await;
    let teams = teams(&server);
    assert!(teams.provision(&request("e", "ally@contoso.example")).await.is_ok());
    let error = teams.provision(&request("e", "eve@contoso.example")).await.unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Permanent, Code::PlatformError));
    assert!(error.message.contains("eve@contoso.example"), "{error}");
}

#[tokio::test]
async fn a_meeting_is_refreshed_by_its_link_in_the_language_of_its_block() {
    let server = server().await;
    Mock::given(path(format!("/v1.0/users/{ALICE}/onlineMeetings")))
        .and(query_param("$filter", format!("JoinWebUrl eq '{}'", link("old"))))
        .and(header("Accept-Language", "de"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"value": [made("old")]})))
        .mount(&server)
        .await;
    Mock::given(path(format!("/v1.0/users/{ALICE}/onlineMeetings")))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"value": []})))
        .mount(&server)
        .await;
    let teams = teams(&server);
    let info = teams.refresh(&meeting(&link("old"))).await.unwrap();
    assert_eq!((info.join_url, info.conference_id.as_deref()), (link("old"), Some("123456789")));
    let error = teams.refresh(&meeting(&link("gone"))).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Permanent);
    let foreign = link("x").replace(TENANT, "99999999-2222-3333-4444-555555555555");
    assert!(teams.refresh(&meeting(&foreign)).await.unwrap_err().message.contains("not one of"));
}

#[tokio::test]
async fn a_preview_makes_nothing_and_shows_a_link_that_is_recognised() {
    let server = server().await;
    let teams = teams(&server);
    let info = teams.preview(&request("0123abcd", "alice@contoso.example")).await.unwrap();
    assert!(teams.holds(&meeting(&info.join_url)), "{}", info.join_url);
    let posts = server.received_requests().await.unwrap();
    assert!(
        posts.iter().all(|r| !r.url.path().contains("onlineMeetings") && !r.url.path().contains("batch"))
    );
}
