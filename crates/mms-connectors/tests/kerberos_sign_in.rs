//! Tickets of a real domain controller, and domain controllers that answer nonsense.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mms_connectors::transport::{
    Exchange, Lanes, Principal, PrincipalKey, SecretText, SignInError, TransportSettings, WindowsAccount,
};
use mms_testkit::KerberosRealm;
use reqwest::{Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use url::Url;

fn lanes(url: &str, kdc: &str, key: PrincipalKey, service: Option<&str>) -> Lanes {
    let principal = Principal {
        name: "mms@EXAMPLE.TEST".to_owned(),
        key,
        kdc: Some(kdc.to_owned()),
        service: service.map(str::to_owned),
    };
    let base = Url::parse(url).unwrap();
    Lanes::new(TransportSettings::default(), base, WindowsAccount::Kerberos(principal)).unwrap()
}

fn post(url: &str) -> Exchange {
    Exchange::read(Method::POST, Url::parse(url).unwrap()).body("x")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_serves_more_than_one_request() {
    let realm = KerberosRealm::start();
    let url = format!("{}/x", realm.url);
    for key in [
        PrincipalKey::Keytab(realm.keytab.clone()),
        PrincipalKey::Password(SecretText::new(realm.password.clone())),
    ] {
        let before = realm.tickets();
        let lanes = lanes(&url, &realm.kdc, key, None);
        for _ in 0..3 {
            // There is nothing behind the server, but who asks is let through to it.
            let reply = lanes.exchange(&post(&url)).await.unwrap();
            assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
        }
        assert_eq!(realm.tickets() - before, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_is_not_taken_any_more_is_replaced() {
    let realm = KerberosRealm::start();
    // Takes the first, refuses the next two, and takes all others; closes each connection.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 16 * 1024];
            let _ = stream.read(&mut request).await;
            let refused = "401 Unauthorized\r\nWWW-Authenticate: Negotiate";
            let status = if counted.fetch_add(1, Ordering::SeqCst) == 1 { refused } else { "200 OK" };
            let answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let lanes = lanes(&url, &realm.kdc, PrincipalKey::Keytab(realm.keytab.clone()), Some("HTTP/localhost"));
    for tickets in [1, 2, 2] {
        assert_eq!(lanes.exchange(&post(&url)).await.unwrap().status, StatusCode::OK);
        assert_eq!(realm.tickets(), tickets);
    }
    assert_eq!(seen.load(Ordering::SeqCst), 4);
}

/// A domain controller that answers each message with the same.
async fn controller(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 16 * 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(&answer).await;
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_controller_that_answers_nonsense_gives_no_ticket() {
    let mut nonsense = vec![
        vec![],
        vec![0, 0],
        vec![0, 0, 0, 0],
        vec![0xff; 4],
        vec![0, 0, 0, 9, 1],
        vec![0, 0, 0, 2, 0x7e, 0],
        vec![0, 0, 0, 6, 0x7e, 0x84, 0xff, 0xff, 0xff, 0xff],
        vec![0, 0, 0, 6, 0x6b, 0x80, 0x30, 0x80, 0, 0],
    ];
    for seed in 0..64u8 {
        // Beginnings of an error and of a ticket, and then anything.
        let noise = (0..120u32).map(|n| (n.wrapping_mul(u32::from(seed) * 2 + 31) >> 3) as u8);
        let head = [0, 0, 0, 124, if seed % 2 == 0 { 0x7e } else { 0x6b }, 122, 0x30, 120];
        nonsense.push(head.into_iter().chain(noise).collect());
    }
    // Connects and says no more.
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", server.local_addr().unwrap());
    for answer in nonsense {
        let kdc = controller(answer.clone()).await;
        let key = PrincipalKey::Password(SecretText::new("no-such-secret"));
        let error = lanes(&url, &kdc, key, None).exchange(&post(&url)).await.unwrap_err();
        assert!(matches!(error, SignInError::NoController { .. }), "{answer:?}: {error:?}");
        assert!(!error.to_string().contains("no-such-secret"));
    }
}

#[tokio::test]
async fn a_keytab_without_the_account_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"\x05\x02").unwrap();
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", server.local_addr().unwrap());
    let lanes = lanes(&url, "127.0.0.1:9", PrincipalKey::Keytab(file.path().into()), None);
    let error = lanes.exchange(&post(&url)).await.unwrap_err().to_string();
    assert!(error.contains("ktpass") && error.contains("mms@EXAMPLE.TEST"), "{error}");
}
