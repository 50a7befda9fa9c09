//! The LDAP directory against slapd with the attributes of Active Directory, in `./test all` against Samba, which is an
//! Active Directory, and against the sandbox.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::os::unix::fs::MetadataExt as _;

use mms_connectors::directory::ldap::{LdapDirectory, LdapDirectorySettings, diagnose};
use mms_connectors::transport::SecretText;
use mms_model::port::Directory as _;
use mms_model::{Code, ErrorKind, SkypeHome, User};
use mms_sandbox::Sandbox;
use mms_testkit::DirectoryServer;

/// Users with mailboxes of each kind, named as the launcher knows them. The first two have one on a server and one in
/// Exchange Online.
const MAILBOXES: [&str; 8] = ["office", "cloud", "room", "legacy", "provisioned", "routed", "nobox", "odd"];

fn slapd(users: &[&str]) -> DirectoryServer {
    DirectoryServer::start("slapd", users)
}

/// Over TLS, as every server takes it.
fn settings(server: &DirectoryServer) -> LdapDirectorySettings {
    let text = format!(
        "url = {:?}\nca_file = {:?}\nbase = {:?}\nuser = {:?}\nfilter = {:?}\npage_size = 60\n\
         calendar_on_premises = \"exchange\"\ncalendar_online = \"graph\"\ntimeout_seconds = 10\n",
        server.tls_url, server.certificate, server.base, server.user, server.filter
    );
    let mut settings: LdapDirectorySettings = toml::from_str(&text).unwrap();
    settings.password = Some(SecretText::new(&server.password));
    settings
}

fn open(settings: LdapDirectorySettings) -> LdapDirectory {
    LdapDirectory::new(settings, None).unwrap()
}

async fn resolve(directory: &LdapDirectory, identity: &str) -> Result<User, (Code, String)> {
    directory.resolve(&identity.parse().unwrap()).await.map_err(|error| (error.code, error.message))
}

/// The code, kind and words with which the users cannot be read.
async fn refused(settings: LdapDirectorySettings) -> (ErrorKind, String) {
    let error = open(settings.clone()).users().await.unwrap_err();
    assert_eq!(error.code, Code::DirectoryError);
    assert!(!error.message.contains(settings.password.unwrap().expose()), "{}", error.message);
    (error.kind, error.message)
}

async fn every_form_of_identity_is_found(server: &DirectoryServer) {
    let directory = open(settings(server));
    let alice = resolve(&directory, "alice@example.test").await.unwrap();
    let id = &server.users.iter().find(|user| user.name == "alice").unwrap().id;
    assert_eq!(alice.id.to_string(), *id);
    assert_eq!(alice.logon.as_deref(), Some("EXAMPLE\\alice"));
    for identity in [
        "sip:alice.sip@example.test",
        "alice.sip@example.test",
        "alice.mail@example.test",
        "ALICE.alias@example.test",
        "example\\alice",
        "Alice",
        "CN=Alice,OU=Staff,DC=example,DC=test",
        id.as_str(),
    ] {
        assert_eq!(resolve(&directory, identity).await.as_ref(), Ok(&alice), "{identity}");
    }
}

/// The server has alice and alina.
async fn unknown_and_ambiguous_are_told_apart(server: &DirectoryServer) {
    let directory = open(settings(server));
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

/// The server has [`MAILBOXES`].
async fn each_mailbox_has_its_calendar_or_says_why_not(server: &DirectoryServer) {
    let directory = open(settings(server));
    let mut connectors = Vec::new();
    for name in MAILBOXES {
        let user = resolve(&directory, &format!("{name}@example.test")).await.unwrap();
        assert_eq!(directory.why_no_calendar(&user).await.is_some(), user.calendar.is_none(), "{name}");
        connectors.push(user.calendar.map(|place| place.connector));
    }
    let (exchange, graph) = (Some("exchange".to_owned()), Some("graph".to_owned()));
    let wanted = [&exchange, &graph, &exchange, &exchange, &graph, &graph, &None, &None];
    assert_eq!(connectors.iter().collect::<Vec<_>>(), wanted);
}

/// `count` users come in pages, in an order.
async fn all_users_are_listed(server: &DirectoryServer, page_size: u16, count: usize) {
    let users = open(LdapDirectorySettings { page_size, ..settings(server) }).users().await.unwrap();
    assert_eq!(users.len(), count);
    assert!(users.is_sorted_by_key(|user| user.upn.clone()));
}

async fn the_password_goes_over_trusted_tls(server: &DirectoryServer) {
    let trusting = settings(server);
    let (_, told) = refused(LdapDirectorySettings { ca_file: None, ..trusting.clone() }).await;
    assert!(told.contains("ca_file"), "{told}");
    let url = server.url.clone();
    let start_tls = LdapDirectorySettings { url, start_tls: true, ..trusting };
    assert!(resolve(&open(start_tls), "alice@example.test").await.is_ok());
}

async fn refusals_say_what_to_do(server: &DirectoryServer) {
    let wrong = LdapDirectorySettings { password: Some(SecretText::new("no-such-pw")), ..settings(server) };
    let (kind, told) = refused(wrong).await;
    assert!(kind == ErrorKind::Unauthorised && told.contains("correct user and password_file"), "{told}");
    let nowhere =
        LdapDirectorySettings { base: "OU=Nowhere,DC=example,DC=test".to_owned(), ..settings(server) };
    let (_, told) = refused(nowhere).await;
    assert!(told.contains("there is no OU=Nowhere,DC=example,DC=test"), "{told}");
}

#[tokio::test]
async fn every_form_of_identity_finds_the_user() {
    every_form_of_identity_is_found(&slapd(&["alice", "bob"])).await;
}

#[tokio::test]
async fn who_is_not_there_and_who_is_there_twice_are_told_apart() {
    unknown_and_ambiguous_are_told_apart(&slapd(&["alice", "alina"])).await;
}

#[tokio::test]
async fn all_users_come_in_pages() {
    let server = DirectoryServer::start_with_count("slapd", &[], 250);
    // slapd gives 100 at a time.
    all_users_are_listed(&server, 60, 250).await;
}

#[tokio::test]
async fn the_password_goes_over_tls_that_is_trusted() {
    the_password_goes_over_trusted_tls(&slapd(&["alice"])).await;
}

#[tokio::test]
async fn what_the_server_refuses_says_what_to_do() {
    let server = slapd(&["alice"]);
    refusals_say_what_to_do(&server).await;
    let (_, told) = refused(LdapDirectorySettings { page_size: 1000, ..settings(&server) }).await;
    assert!(told.contains("set a smaller page_size"), "{told}");
    let closed = LdapDirectorySettings { url: "ldap://127.0.0.1:1".to_owned(), ..settings(&server) };
    let (kind, told) = refused(closed).await;
    assert!(kind == ErrorKind::Retry && told.contains("127.0.0.1:1"), "{told}");
}

#[tokio::test]
async fn each_kind_of_mailbox_has_its_calendar_or_says_why_not() {
    let server = slapd(&MAILBOXES);
    each_mailbox_has_its_calendar_or_says_why_not(&server).await;

    let one = LdapDirectorySettings { calendar_online: None, ..settings(&server) };
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
    let server = slapd(&["alice"]);
    let steps = diagnose(&settings(&server), None).await;
    assert_eq!(steps.len(), 2);
    assert!(!steps.iter().any(|step| step.is_failure()), "{steps:?}");
    let nobody = LdapDirectorySettings { filter: "(cn=nobody)".to_owned(), ..settings(&server) };
    assert!(diagnose(&nobody, None).await[1].is_failure());
}

/// One domain controller for all of it, since it takes some seconds to make.
#[tokio::test]
async fn active_directory_is_read_as_slapd_is() {
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    // Its ports are root's.
    if std::env::var_os("MMS_TEST_ALL_SERVERS").is_none_or(|v| v != "1") || !is_root {
        return;
    }
    let names = [&MAILBOXES[..], &["alice", "alina"]].concat();
    let server = DirectoryServer::start_with_count("samba", &names, 1100);
    every_form_of_identity_is_found(&server).await;
    unknown_and_ambiguous_are_told_apart(&server).await;
    each_mailbox_has_its_calendar_or_says_why_not(&server).await;
    // Active Directory gives at most 1000 entries at once.
    for page_size in [500, 1000] {
        all_users_are_listed(&server, page_size, 1110).await;
    }
    the_password_goes_over_trusted_tls(&server).await;
    refusals_say_what_to_do(&server).await;
    let readable = LdapDirectorySettings { url: server.url.clone(), ..settings(&server) };
    let (_, told) = refused(readable).await;
    assert!(told.contains("over TLS only"), "{told}");
    // Accounts that nobody named, the administrator's among them, are no users with a mailbox.
    let everybody = settings(&server).filter.replace("(mail=*)", "");
    let all = open(LdapDirectorySettings { filter: everybody, ..settings(&server) }).users().await.unwrap();
    let others: Vec<&str> =
        all.iter().filter(|user| user.calendar.is_none()).map(|u| u.upn.as_str()).collect();
    assert_eq!(others, ["mms@example.test", "nobox@example.test", "odd@example.test"]);
    let catalog = LdapDirectorySettings { url: format!("{}:3269", server.tls_url), ..settings(&server) };
    assert_eq!(open(catalog).users().await.unwrap().len(), 1110);
}

async fn sandbox(users: usize, rooms: usize, tls: bool) -> Sandbox {
    let settings = mms_sandbox::Settings { users, rooms, tls, meetings: 0, ..Default::default() };
    Sandbox::start(&settings).await.unwrap()
}

/// As the sandbox describes itself; everything but that is the default.
fn settings_of(sandbox: &Sandbox) -> LdapDirectorySettings {
    let description = sandbox.description();
    let ldap = &description["ldap"];
    let text = format!(
        "url = {}\nbase = {}\nuser = {}\ncalendar_on_premises = \"office\"\ncalendar_online = \"cloud\"\n\
         calendar = \"none\"\n",
        ldap["url"], ldap["base"], ldap["user"]
    );
    let mut settings: LdapDirectorySettings = toml::from_str(&text).unwrap();
    settings.password = Some(SecretText::new(ldap["password"].as_str().unwrap()));
    settings
}

#[tokio::test]
async fn the_sandbox_has_every_form_of_identity() {
    let sandbox = sandbox(3, 2, false).await;
    let directory = open(settings_of(&sandbox));
    let user = resolve(&directory, "user00002@contoso.example").await.unwrap();
    assert_eq!(user.id.to_string(), sandbox.description()["users"][1]["id"].as_str().unwrap());
    assert_eq!(user.logon.as_deref(), Some("CONTOSO\\user00002"));
    assert_eq!(user.addresses.len(), 2);
    assert_eq!(user.calendar.as_ref().unwrap().connector, "cloud");
    let on_premises = resolve(&directory, "user00001@contoso.example").await.unwrap();
    assert!(
        matches!(on_premises.skype, Some(SkypeHome::OnPremises { pool: Some(_) })),
        "{:?}",
        on_premises.skype
    );
    for identity in [
        "sip:USER00002@contoso.example",
        "user00002@mail.contoso.example",
        "contoso\\user00002",
        "Bernd Adler",
        "Bernd*",
        "CN=Bernd Adler,OU=Staff,DC=contoso,DC=example",
        &user.id.to_string(),
    ] {
        assert_eq!(resolve(&directory, identity).await.as_ref(), Ok(&user), "{identity}");
    }
    for identity in ["user00009@contoso.example", "OTHER\\user00002", "CN=No,OU=Staff,DC=contoso,DC=example"]
    {
        assert_eq!(resolve(&directory, identity).await.unwrap_err().0, Code::UserNotFound, "{identity}");
    }
    assert_eq!(resolve(&directory, "*Adler").await.unwrap_err().0, Code::UserAmbiguous);
    let calendars: Vec<String> = directory
        .users()
        .await
        .unwrap()
        .into_iter()
        .map(|user| format!("{} {}", user.upn, user.calendar.unwrap().connector))
        .collect();
    let wanted = [
        "mms@contoso.example none",
        "user00001@contoso.example office",
        "user00002@contoso.example cloud",
        "user00003@contoso.example office",
        "user00004@contoso.example cloud",
        "user00005@contoso.example office",
    ];
    assert_eq!(calendars, wanted, "the last two are rooms");
}

#[tokio::test]
async fn the_sandbox_lists_thousands_in_pages() {
    let sandbox = sandbox(2500, 0, false).await;
    for page_size in [7, 1000] {
        let users = open(LdapDirectorySettings { page_size, ..settings_of(&sandbox) }).users().await.unwrap();
        assert_eq!(users.len(), 2501, "the service account is a user, too");
    }
    let searches = sandbox.state()["requests"]["ldap search"].as_u64().unwrap();
    assert_eq!(searches, 2 * 2 + 2501 / 7 + 1 + 3, "pages, and twice the two that ask for the domains");
}

#[tokio::test]
async fn the_sandbox_refuses_as_a_domain_controller_does() {
    let sandbox = sandbox(2, 0, true).await;
    let certificate = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(certificate.path(), sandbox.description()["certificate"].as_str().unwrap()).unwrap();
    let untrusting = settings_of(&sandbox);
    assert!(untrusting.url.starts_with("ldaps://"), "{}", untrusting.url);
    let (_, told) = refused(untrusting.clone()).await;
    assert!(told.contains("ca_file"), "{told}");
    let trusting = LdapDirectorySettings { ca_file: Some(certificate.path().to_owned()), ..untrusting };
    assert_eq!(open(trusting.clone()).users().await.unwrap().len(), 3);
    let wrong = LdapDirectorySettings { password: Some(SecretText::new("no-such-pw")), ..trusting.clone() };
    let (kind, told) = refused(wrong).await;
    assert!(kind == ErrorKind::Unauthorised && told.contains("correct user and password_file"), "{told}");
    let nowhere = LdapDirectorySettings { base: "OU=No,DC=contoso,DC=example".to_owned(), ..trusting };
    let (_, told) = refused(nowhere).await;
    assert!(told.contains("there is no OU=No,DC=contoso,DC=example"), "{told}");
}
