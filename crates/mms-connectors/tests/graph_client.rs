//! The way to Graph: throttling, foreign links, answers that are too large, tokens.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use mms_connectors::calendar::graph::GraphCalendarSettings;
use mms_connectors::graph::{GraphAccess, GraphClient, GraphError, Side, SubRequest};
use mms_connectors::transport::TransportError;
use mms_model::{Code, ErrorKind};
use serde_json::{Value, json};
use wiremock::matchers::{method, path, path_regex};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

async fn server() -> MockServer {
    let server = MockServer::start().await;
    let token = json!({"access_token": "t", "expires_in": "3599"});
    Mock::given(path_regex("/token$"))
        .respond_with(ResponseTemplate::new(200).set_body_json(token))
        .mount(&server)
        .await;
    server
}

fn access(server: &MockServer) -> GraphAccess {
    let url = server.uri();
    let text = format!(
        "tenant = 'contoso.example'\nclient_id = 'a'\nsecret = 'x'\nurl = '{url}'\nauthority = '{url}'"
    );
    toml::from_str::<GraphCalendarSettings>(&text).unwrap().access().unwrap()
}

fn client(server: &MockServer) -> GraphClient {
    GraphClient::new(&access(server)).unwrap()
}

/// Answers each request of a batch with this text.
fn each(request: &Request, text: &str) -> ResponseTemplate {
    let batch: Value = serde_json::from_slice(&request.body).unwrap();
    let all: Vec<Value> = batch["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sub| json!({"id": sub["id"], "status": 200, "body": {"url": sub["url"], "text": text}}))
        .collect();
    ResponseTemplate::new(200).set_body_json(json!({"responses": all}))
}

#[tokio::test]
async fn a_throttled_batch_is_sent_again_and_a_long_wait_is_told() {
    let server = server().await;
    Mock::given(path("/v1.0/$batch"))
        .respond_with(ResponseTemplate::new(503).insert_header("Retry-After", "0"))
        .up_to_n_times(2)
        .mount(&server)
        .await;
    Mock::given(path("/v1.0/$batch")).respond_with(|r: &Request| each(r, "")).mount(&server).await;
    Mock::given(path("/v1.0/busy"))
        .respond_with(ResponseTemplate::new(429).insert_header("Retry-After", "120"))
        .expect(1)
        .mount(&server)
        .await;
    let client = client(&server);
    let replies = client.batch(vec![SubRequest::get("/a"), SubRequest::get("/b")], None).await;
    let urls: Vec<_> = replies.into_iter().map(|r| r.unwrap().body["url"].clone()).collect();
    assert_eq!(urls, ["/a", "/b"]);
    let error = client.get("/busy", &[], None).await.unwrap_err().into_port(Side::Calendar, "reading");
    assert_eq!(
        (error.kind, error.code),
        (ErrorKind::RetryAfter(Duration::from_secs(120)), Code::CalendarThrottled)
    );
}

#[tokio::test]
async fn a_server_that_names_no_pause_or_one_that_is_over_is_not_asked_without_one() {
    for header in ["0", "Mon, 23 Nov 2020 09:00:00 GMT"] {
        let server = server().await;
        let throttled = |request: &Request, header: &str| {
            let batch: Value = serde_json::from_slice(&request.body).unwrap();
            let id = &batch["requests"][0]["id"];
            let one = json!({"id": id, "status": 429, "headers": {"Retry-After": header}, "body": {}});
            ResponseTemplate::new(200).set_body_json(json!({"responses": [one]}))
        };
        Mock::given(path("/v1.0/$batch"))
            .respond_with(move |r: &Request| throttled(r, header))
            .mount(&server)
            .await;
        Mock::given(path("/v1.0/busy"))
            .respond_with(ResponseTemplate::new(429).insert_header("Retry-After", header))
            .mount(&server)
            .await;
        let client = client(&server);
        let asking = async {
            tokio::join!(client.get("/busy", &[], None), client.batch(vec![SubRequest::get("/a")], None))
        };
        // It goes on for half a minute; two seconds show whether there are pauses.
        assert!(tokio::time::timeout(Duration::from_secs(2), asking).await.is_err());
        let asked = server.received_requests().await.unwrap();
        for end in ["/busy", "/$batch"] {
            let count = asked.iter().filter(|r| r.url.path().ends_with(end)).count();
            assert!((2..=3).contains(&count), "{header}: {count} requests to {end} in two seconds");
        }
    }
}

#[tokio::test]
async fn the_token_goes_to_no_other_server() {
    let (server, other) = (server().await, MockServer::start().await);
    let error = client(&server).get(&format!("{}/v1.0/next", other.uri()), &[], None).await.unwrap_err();
    assert!(matches!(error, GraphError::Transport(TransportError::ForeignServer { .. })), "{error}");
    assert!(other.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn answers_too_large_for_one_batch_come_in_smaller_ones() {
    let server = server().await;
    let text = "x".repeat(1000);
    Mock::given(path("/v1.0/$batch")).respond_with(move |r: &Request| each(r, &text)).mount(&server).await;
    let mut access = access(&server);
    access.transport.max_body = 4000;
    let client = GraphClient::new(&access).unwrap();
    let requests = (0..20).map(|n| SubRequest::get(format!("/{n}"))).collect();
    let replies = client.batch(requests, None).await;
    let urls: Vec<_> = replies.into_iter().map(|r| r.unwrap().body["url"].clone()).collect();
    assert_eq!(urls, (0..20).map(|n| format!("/{n}")).collect::<Vec<_>>());
    access.transport.max_body = 900;
    let client = GraphClient::new(&access).unwrap();
    let replies = client.batch(vec![SubRequest::get("/a"), SubRequest::get("/b")], None).await;
    for reply in replies {
        let error = reply.unwrap_err();
        assert!(matches!(error, GraphError::Transport(TransportError::BodyTooLarge { .. })), "{error}");
    }
}

#[tokio::test]
async fn a_request_that_is_not_answered_fails_alone() {
    let server = server().await;
    let body = json!({"responses": [{"id": "1", "status": 200, "body": {}}, {"id": "0", "status": "?"}]});
    Mock::given(path("/v1.0/$batch"))
        .respond_with(ResponseTemplate::new(200).set_body_json(body))
        .mount(&server)
        .await;
    let replies = client(&server).batch(vec![SubRequest::get("/a"), SubRequest::get("/b")], None).await;
    assert!(replies[0].as_ref().unwrap_err().is_unclear() && replies[1].is_ok());
}

#[tokio::test]
async fn one_token_serves_all_who_ask_together_and_a_broken_token_service_is_told() {
    let server = server().await;
    Mock::given(path("/v1.0/me"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({})))
        .mount(&server)
        .await;
    let client = client(&server);
    let all = futures_util::future::join_all((0..20).map(|_| client.get("/me", &[], None))).await;
    assert!(all.iter().all(Result::is_ok));
    let tokens =
        server.received_requests().await.unwrap().into_iter().filter(|r| r.url.path().ends_with("/token"));
    assert_eq!(tokens.count(), 1);

    for (answer, kind) in [
        (ResponseTemplate::new(503), ErrorKind::Retry),
        (ResponseTemplate::new(200).set_body_string("<html>"), ErrorKind::Unauthorised),
        (
            ResponseTemplate::new(400).set_body_json(json!({"error": "unauthorized_client"})),
            ErrorKind::Unauthorised,
        ),
    ] {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(answer).mount(&server).await;
        let error = self::client(&server).get("/me", &[], None).await.unwrap_err();
        let error = error.into_port(Side::Calendar, "reading");
        assert_eq!(error.kind, kind, "{error}");
    }
}
