use mms_model::Code;

use super::*;

fn csv(text: &str) -> Result<FileDirectory, ImportErrors> {
    FileDirectory::parse("users.csv", FileFormat::Csv, text.as_bytes(), None)
}

fn toml(text: &str) -> Result<FileDirectory, ImportErrors> {
    FileDirectory::parse("users.toml", FileFormat::Toml, text.as_bytes(), None)
}

async fn resolve(directory: &FileDirectory, identity: &str) -> Result<String, (Code, String)> {
    let identity: Identity = identity.parse().unwrap();
    directory.resolve(&identity).await.map(|u| u.upn).map_err(|e| (e.code, e.message))
}

const STAFF: &str = "\
id,upn,sip,logon,display_name,distinguished_name,addresses,calendar,place
27c6ee67-c71d-4386-bf84-ebfdc7c3a171,KenM@litwareinc.test,sip:ken@litwareinc.test,LITWAREINC\\kenmyer,Ken Myer,\"CN=Ken Myer,OU=Sales,DC=litwareinc,DC=test\",ken.myer@litwareinc.test;km@litwareinc.test,files,ken
,pilar@litwareinc.test,,LITWAREINC\\pilar,Pilar Ackerman,,shared@litwareinc.test,,
,other@litwareinc.test,,,ken myer,,shared@litwareinc.test,,
";

#[tokio::test]
async fn every_form_of_identity_finds_its_user_without_case() {
    let directory = csv(STAFF).unwrap();
    for identity in [
        "kenm@LITWAREINC.test",
        "SIP:Ken@litwareinc.test",
        "ken@litwareinc.test",
        "km@litwareinc.test",
        "litwareinc\\KENMYER",
        "cn=ken myer, ou=sales, dc=litwareinc, dc=test",
        "27C6EE67-C71D-4386-BF84-EBFDC7C3A171",
    ] {
        assert_eq!(resolve(&directory, identity).await.as_deref(), Ok("KenM@litwareinc.test"), "{identity}");
    }
    assert_eq!(resolve(&directory, "pilar ackerman").await.as_deref(), Ok("pilar@litwareinc.test"));
}

#[tokio::test]
async fn unknown_and_ambiguous_are_different_and_name_what_was_looked_for() {
    let directory = csv(STAFF).unwrap();
    let (code, message) = resolve(&directory, "Ken Myer").await.unwrap_err();
    assert_eq!(code, Code::UserAmbiguous);
    assert!(message.contains("\"Ken Myer\"") && message.contains("KenM@") && message.contains("other@"));
    let (code, _) = resolve(&directory, "shared@litwareinc.test").await.unwrap_err();
    assert_eq!(code, Code::UserAmbiguous);
    for unknown in ["Ken*", "sip:pilar@litwareinc.test", "nobody@litwareinc.test", "X\\y", "CN=a,DC=b"] {
        let (code, message) = resolve(&directory, unknown).await.unwrap_err();
        assert_eq!(code, Code::UserNotFound);
        assert!(message.contains(unknown), "{message}");
    }
}

#[tokio::test]
async fn at_most_five_candidates_are_listed() {
    let mut text = "upn,display_name\n".to_owned();
    (0..9).for_each(|n| text += &format!("u{n}@x.test,Same Name\n"));
    let (_, message) = resolve(&csv(&text).unwrap(), "same name").await.unwrap_err();
    assert!(message.starts_with("9 users") && message.contains("u4@") && !message.contains("u5@"));
    assert!(message.contains("and 4 more"));
}

#[tokio::test]
async fn toml_and_csv_give_the_same_user() {
    let from_toml = toml(
        r#"
        [[user]]
        id = "27c6ee67-c71d-4386-bf84-ebfdc7c3a171"
        upn = "KenM@litwareinc.test"
        sip = "ken@litwareinc.test"
        logon = 'LITWAREINC\kenmyer'
        display_name = "Ken Myer"
        distinguished_name = "CN=Ken Myer,OU=Sales,DC=litwareinc,DC=test"
        addresses = ["ken.myer@litwareinc.test", "km@litwareinc.test"]
        calendar = "files"
        place = "ken"
        "#,
    )
    .unwrap();
    assert_eq!(from_toml.users().await.unwrap()[0], csv(STAFF).unwrap().users().await.unwrap()[0]);
}

#[tokio::test]
async fn an_id_that_is_not_given_follows_from_the_upn() {
    let id = |text: &str| csv(text).unwrap().users[0].id;
    assert_eq!(id("upn\na@x.test\n"), id("upn,sip\nA@X.test,b@x.test\n"));
    assert_ne!(id("upn\na@x.test\n"), id("upn\nb@x.test\n"));
    assert_eq!(id("upn\na@x.test\n").get_version_num(), 5);
}

#[test]
fn a_default_calendar_serves_rows_that_name_none() {
    let read =
        |text: &str| FileDirectory::parse("f", FileFormat::Csv, text.as_bytes(), Some("files")).unwrap();
    let directory = read("upn,calendar,place\na@x.test,,sub/a\nb@x.test,dav,\n");
    let calendars: Vec<_> = directory.users.iter().map(|u| u.calendar.clone().unwrap()).collect();
    assert_eq!((calendars[0].connector.as_str(), calendars[0].place.as_str()), ("files", "sub/a"));
    assert_eq!((calendars[1].connector.as_str(), calendars[1].place.as_str()), ("dav", ""));
}

#[test]
fn byte_order_mark_line_ends_and_separators_of_spreadsheets_are_read() {
    for text in [
        "\u{FEFF}upn,addresses\r\na@x.test,a@x.test;b@x.test\r\n",
        "\u{FEFF}UPN;Addresses\r\na@x.test;\"a@x.test;b@x.test\"\r\n\r\n",
        "upn\taddresses\na@x.test\ta@x.test;b@x.test",
    ] {
        let directory = csv(text).unwrap();
        assert_eq!(directory.users[0].addresses.len(), 2, "{text:?}");
    }
}

fn lines(result: Result<FileDirectory, ImportErrors>) -> Vec<(u64, String)> {
    let errors = result.map(|_| ()).unwrap_err();
    errors.kept().iter().map(|e| (e.line.unwrap_or(0), e.message.clone())).collect()
}

#[test]
fn all_errors_of_a_file_are_reported_with_their_lines() {
    let found = lines(csv("upn,id,logon\n\na@x.test,nope,\nplain,,x\n\"b@x.test\n,,\n"));
    let at: Vec<u64> = found.iter().map(|(line, _)| *line).collect();
    assert_eq!(at, [3, 4, 4, 5], "{found:?}");
    assert!(found[0].1.contains("not a GUID"));
    assert!(found[3].1.contains("fields"));
    let found =
        lines(toml("[[user]]\nupn = \"a@x.test\"\n\n[[user]]\nupn = 7\n[[user]]\ncolour = \"red\"\n"));
    assert_eq!(found.iter().map(|(l, _)| *l).collect::<Vec<_>>(), [5, 7]);
    let found = lines(toml("[[user]]\nupn = \"a@x.test\nsip = \"\"\n"));
    assert_eq!(found[0].0, 2, "{found:?}");
}

#[test]
fn duplicates_name_both_lines() {
    let found =
        lines(csv("upn,id,sip\na@x.test,27c6ee67-c71d-4386-bf84-ebfdc7c3a171,s@x.test\nA@x.test,,\n\
         c@x.test,27c6ee67-c71d-4386-bf84-ebfdc7c3a171,SIP:S@x.test\n"));
    assert_eq!(found.iter().map(|(l, _)| *l).collect::<Vec<_>>(), [3, 4, 4], "{found:?}");
    assert!(found.iter().all(|(_, message)| message.contains("line 2")));
}

#[test]
fn unknown_and_missing_columns_are_errors_that_help() {
    let found = lines(csv("upn,color\na@x.test,red\n"));
    assert!(found[0].1.contains("\"color\"") && found[0].1.contains("distinguished_name"));
    assert!(lines(csv("sip\na@x.test\n"))[0].1.contains("\"upn\""));
    assert!(lines(csv("upn,upn\na@x.test,b@x.test\n"))[0].1.contains("twice"));
    assert!(lines(csv(""))[0].1.contains("empty"));
    assert!(lines(toml("[users]\nupn = \"a@x.test\"\n"))[0].1.contains("[[user]]"));
}

#[test]
fn no_more_than_twenty_errors_are_kept_and_all_are_counted() {
    let text = format!("upn\n{}", "broken\n".repeat(50_000));
    let errors = csv(&text).map(|_| ()).unwrap_err();
    assert_eq!((errors.kept().len(), errors.total()), (20, 50_000));
    assert!(errors.to_string().contains("users.csv:2: upn \"broken\""));
    assert!(errors.to_string().ends_with("49980 more errors"));
}

#[test]
fn other_encodings_are_named() {
    let parse = |bytes: &[u8]| lines(FileDirectory::parse("f", FileFormat::Csv, bytes, None));
    assert!(parse(b"\xFF\xFEu\0p\0n\0")[0].1.contains("UTF-16"));
    assert_eq!(parse(b"upn,display_name\na@x.test,A\nb@x.test,J\xFCrgen\n")[0].0, 3);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let settings = FileDirectorySettings { path: "no/such/file.csv".into(), default_calendar: None };
    let errors = FileDirectory::load(&settings).map(|_| ()).unwrap_err();
    assert!(errors.to_string().starts_with("no/such/file.csv: cannot be read"));
}

proptest::proptest! {
    #[test]
    fn hostile_files_never_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
        let _ = FileDirectory::parse("f", FileFormat::Csv, &bytes, None);
        let _ = FileDirectory::parse("f", FileFormat::Toml, &bytes, None);
    }

    #[test]
    fn what_reads_like_a_directory_file_never_panics(text in "(\\[\\[user\\]\\]|upn|sip|=|\"|,|;|\n|\r|a@b|\\\\|'|\u{FEFF}| ){0,60}") {
        let _ = FileDirectory::parse("f", FileFormat::Csv, text.as_bytes(), Some("c"));
        let _ = FileDirectory::parse("f", FileFormat::Toml, text.as_bytes(), None);
        let prefixed = format!("upn,sip,logon,display_name,distinguished_name,addresses\n{text}");
        let _ = FileDirectory::parse("f", FileFormat::Csv, prefixed.as_bytes(), None);
    }

    #[test]
    fn everybody_is_found_by_every_identity(count in 1usize..60) {
        let mut text = "upn,sip,logon,display_name,addresses\n".to_owned();
        (0..count).for_each(|n| text += &format!("u{n}@x.test,s{n}@x.test,D\\l{n},Name {n},a{n}@x.test;b{n}@x.test\n"));
        let directory = csv(&text).unwrap();
        for n in 0..count {
            for identity in [format!("u{n}@x.test"), format!("sip:s{n}@x.test"), format!("d\\L{n}"), format!("name {n}"), format!("B{n}@x.test")] {
                let identity: Identity = identity.parse().unwrap();
                proptest::prop_assert_eq!(directory.index.find(&identity), &[n as u32][..]);
            }
        }
    }
}
