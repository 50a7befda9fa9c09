//! The LDAP directory against slapd with the attributes of Active Directory.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use mms_connectors::directory::ldap::{LdapDirectory, LdapDirectorySettings, diagnose};
use mms_connectors::transport::SecretText;
use mms_model::port::Directory as _;
use mms_model::{Code, ErrorKind, User};
use mms_testkit::Slapd;

fn settings(slapd: &Slapd) -> LdapDirectorySettings {
    let text = format!(
        "url = {:?}\nbase = {:?}\nuser = {:?}\nfilter = \"(objectClass=user)\"\npage_size = 60\n\
         calendar_on_premises = \"exchange\"\ncalendar_online = \"graph\"\ntimeout_seconds = 10\n",
        slapd.url, slapd.base, slapd.user
    );
    let mut settings: LdapDirectorySettings = toml::from_str(&text).unwrap();
    settings.password = Some(SecretText::new(&slapd.password));
    settings
}

fn open(settings: LdapDirectorySettings) -> LdapDirectory {
    LdapDirectory::new(settings, None).unwrap()
}

async fn resolve(directory: &LdapDirectory, identity: &str) -> Result<User, (Code, String)> {
    directory.resolve(&identity.parse().unwrap()).await.map_err(|error| (error.code, error.message))
}

#[tokio::test]
async fn every_form_of_identity_finds_the_user() {
    let slapd = Slapd::start(&["alice", "bob"]);
    let directory = open(settings(&slapd));
    let alice = resolve(&directory, "alice@example.test").await.unwrap();
    assert_eq!(alice.id.to_string(), slapd.users[0].id);
    assert_eq!(alice.logon.as_deref(), Some("EXAMPLE\\alice"));
    assert_eq!(alice.calendar.as_ref().unwrap().connector, "exchange");
    for identity in [
        "sip:alice.sip@example.test",
        "alice.sip@example.test",
        "alice.mail@example.test",
        "ALICE.alias@example.test",
        "example\\alice",
        "Alice",
        "CN=Alice,OU=Staff,DC=example,DC=test",
        slapd.users[0].id.as_str(),
    ] {
        assert_eq!(resolve(&directory, identity).await.as_ref(), Ok(&alice), "{identity}");
    }
    let bob = resolve(&directory, "bob@example.test").await.unwrap();
    assert_eq!(bob.calendar.unwrap().connector, "graph", "his mailbox is in Exchange Online");
}

#[tokio::test]
async fn who_is_not_there_and_who_is_there_twice_are_told_apart() {
    let slapd = Slapd::start(&["alice", "alina"]);
    let directory = open(settings(&slapd));
    for identity in [
        "nobody@example.test",
        "sip:nobody@example.test",
        "OTHER\\alice",
        "CN=Nobody,OU=Staff,DC=example,DC=test",
        "CN=Nobody,DC=elsewhere",
        "a)(objectClass=*",
        "27c6ee67-c71d-4386-bf84-ebfdc7c3a171",
    ] {
        assert_eq!(resolve(&directory, identity).await.unwrap_err().0, Code::UserNotFound, "{identity}");
    }
    let (code, message) = resolve(&directory, "Ali*").await.unwrap_err();
    assert_eq!(code, Code::UserAmbiguous);
    assert!(message.contains("alice@example.test") && message.contains("alina@example.test"), "{message}");
}

#[tokio::test]
async fn all_users_come_in_pages() {
    let slapd = Slapd::start_with_count(250);
    let users = open(settings(&slapd)).users().await.unwrap();
    assert_eq!(users.len(), 250, "slapd gives 100 at a time");
    assert!(users.is_sorted_by_key(|user| user.upn.clone()));
}

#[tokio::test]
async fn the_password_goes_over_tls_that_is_trusted() {
    let slapd = Slapd::start(&["alice"]);
    let encrypted = LdapDirectorySettings { url: slapd.tls_url.clone(), ..settings(&slapd) };
    let error = open(encrypted.clone()).users().await.unwrap_err();
    assert!(error.message.contains("ca_file"), "{}", error.message);
    let trusting = LdapDirectorySettings { ca_file: Some(slapd.certificate.clone()), ..encrypted };
    assert_eq!(open(trusting.clone()).users().await.unwrap().len(), 1);
    let url = slapd.url.replace("127.0.0.1", "localhost");
    let start_tls = LdapDirectorySettings { url, start_tls: true, ..trusting };
    assert_eq!(open(start_tls).users().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_the_server_refuses_says_what_to_do() {
    let slapd = Slapd::start(&["alice"]);
    let message = |settings: LdapDirectorySettings| async move {
        let error = open(settings).users().await.unwrap_err();
        assert_eq!(error.code, Code::DirectoryError);
        assert!(!error.message.contains("mms-pw"), "{}", error.message);
        (error.kind, error.message)
    };
    let wrong = LdapDirectorySettings { password: Some(SecretText::new("wrong")), ..settings(&slapd) };
    let (kind, told) = message(wrong).await;
    assert!(kind == ErrorKind::Unauthorised && told.contains("correct user and password_file"), "{told}");
    let nowhere =
        LdapDirectorySettings { base: "OU=Nowhere,DC=example,DC=test".to_owned(), ..settings(&slapd) };
    let (_, told) = message(nowhere).await;
    assert!(told.contains("there is no OU=Nowhere,DC=example,DC=test"), "{told}");
    let greedy = LdapDirectorySettings { page_size: 1000, ..settings(&slapd) };
    let (_, told) = message(greedy).await;
    assert!(told.contains("set a smaller page_size"), "{told}");
    let closed = LdapDirectorySettings { url: "ldap://127.0.0.1:1".to_owned(), ..settings(&slapd) };
    let (kind, told) = message(closed).await;
    assert!(kind == ErrorKind::Retry && told.contains("127.0.0.1:1"), "{told}");
}

#[tokio::test]
async fn each_kind_of_mailbox_has_its_calendar_or_says_why_not() {
    let names = ["office", "cloud", "room", "legacy", "provisioned", "routed", "nobox", "odd"];
    let slapd = Slapd::start(&names);
    let directory = open(settings(&slapd));
    let mut connectors = Vec::new();
    for name in names {
        let user = resolve(&directory, &format!("{name}@example.test")).await.unwrap();
        assert_eq!(directory.why_no_calendar(&user).await.is_some(), user.calendar.is_none(), "{name}");
        connectors.push(user.calendar.map(|place| place.connector));
    }
    let (exchange, graph) = (Some("exchange".to_owned()), Some("graph".to_owned()));
    let wanted = [&exchange, &graph, &exchange, &exchange, &graph, &graph, &None, &None];
    assert_eq!(connectors.iter().collect::<Vec<_>>(), wanted);

    let one = LdapDirectorySettings { calendar_online: None, ..settings(&slapd) };
    let steps = diagnose(&one, Some("exchange")).await;
    let text = format!("{steps:?}");
    assert!(text.contains("8 users, 5 without a calendar"), "{text}");
    for told in [
        "cloud@example.test has no calendar: the mailbox is in Exchange Online",
        "nobox@example.test has no calendar: the directory shows no Exchange mailbox",
        "odd@example.test has no calendar: msExchRecipientTypeDetails is",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    assert!(!steps.iter().any(|step| step.is_failure()), "{text}");
}

#[tokio::test]
async fn doctor_goes_step_by_step() {
    let slapd = Slapd::start(&["alice"]);
    let steps = diagnose(&settings(&slapd), None).await;
    assert_eq!(steps.len(), 2);
    assert!(!steps.iter().any(|step| step.is_failure()), "{steps:?}");
    let nobody = LdapDirectorySettings { filter: "(cn=nobody)".to_owned(), ..settings(&slapd) };
    assert!(diagnose(&nobody, None).await[1].is_failure());
}
