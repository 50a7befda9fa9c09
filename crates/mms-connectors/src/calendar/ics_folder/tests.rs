use std::fs;

use mms_model::{Address, AttendeeChoice, CalendarLocation, Instance, InstanceId, Recognition, Version};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// Reads no more of an event than these tests look at: its UID, and whether it says so itself that it is
/// past.
struct PlainInvites;

impl Invites for PlainInvites {
    fn meetings(&self, content: &[u8], _: &User, _: Timestamp) -> Result<Vec<Meeting>, String> {
        let text = std::str::from_utf8(content).map_err(|_| "is not UTF-8".to_owned())?;
        let line =
            |name: &str| text.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_default().to_owned();
        Ok(vec![Meeting {
            id: EventId(String::new()),
            version: Version(String::new()),
            uid: line("UID:"),
            subject: line("SUMMARY:"),
            organizer: None,
            organised_by_owner: true,
            attendees: Vec::new(),
            last_end: None,
            instances: vec![Instance {
                id: InstanceId::Master,
                upcoming: !text.contains("X-PAST"),
                cancelled: false,
                start: None,
                recognition: Recognition::None,
            }],
            content: Vec::new(),
        }])
    }

    fn rewrite(&self, _: &Meeting, _: &Rewrite) -> Result<Rewritten, PortError> {
        unreachable!("these tests change contents themselves")
    }

    fn undo(&self, _: &[u8], _: &[u8], _: &Meeting, _: Timestamp) -> Result<Rewritten, PortError> {
        unreachable!("these tests change contents themselves")
    }

    fn invitation(&self, content: &[u8]) -> Result<Vec<u8>, PortError> {
        Ok(content.to_vec())
    }
}

fn user(place: &str) -> User {
    User {
        skype: None,
        id: uuid::Uuid::nil(),
        upn: "ken@example.org".into(),
        sip: None,
        logon: None,
        display_name: None,
        distinguished_name: None,
        addresses: vec![Address::new("ken@example.org")],
        calendar: Some(CalendarLocation { connector: "files".into(), place: place.into() }),
    }
}

struct Fixture {
    root: TempDir,
    calendars: IcsFolder,
}

impl Fixture {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut IcsFolderSettings)) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("ken")).unwrap();
        let mut settings = IcsFolderSettings::below(root.path());
        change(&mut settings);
        Self { calendars: IcsFolder::new(settings, Arc::new(PlainInvites)), root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("ken").join(name)
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    async fn open(&self) -> Box<dyn UserCalendar> {
        self.calendars.open(&user("ken")).await.unwrap()
    }
}

fn from() -> Timestamp {
    "2026-11-23T00:00:00Z".parse().unwrap()
}

fn event(uid: &str, rest: &str) -> String {
    format!("BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTART:20270101T100000Z\r\n{rest}END:VEVENT\r\n")
}

fn calendar(body: &str) -> String {
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{body}END:VCALENDAR\r\n")
}

async fn read_all(calendar: &dyn UserCalendar) -> (Vec<Meeting>, Vec<(EventId, PortError)>) {
    let mut pages = calendar.meetings(from());
    let (mut meetings, mut failures) = (Vec::new(), Vec::new());
    while let Some(page) = pages.next().await.unwrap() {
        assert!(page.len() <= 1_001);
        for found in page {
            match found {
                Ok(meeting) => meetings.push(meeting),
                Err(failure) => failures.push(failure),
            }
        }
    }
    (meetings, failures)
}

fn change(meeting: &Meeting, from: &str, to: &str) -> Update {
    let content = String::from_utf8(meeting.content.clone()).unwrap().replace(from, to).into_bytes();
    Update { id: meeting.id.clone(), version: meeting.version.clone(), content, notify: AttendeeChoice::All }
}

fn ids(meetings: &[Meeting]) -> Vec<&str> {
    meetings.iter().map(|m| m.id.0.as_str()).collect()
}

#[tokio::test]
async fn files_are_read_in_order_and_what_is_none_is_passed_over() {
    let fixture = Fixture::new();
    fixture.put("b.ics", calendar(&(event("2", "") + &event("3", ""))));
    fixture.put("a.ICS", calendar(&event("2", "")));
    fixture.put("notes.txt", "nothing");
    fixture.put(".hidden.ics", calendar(&event("hidden", "")));
    fixture.put("sub/c.ics", calendar(&event("4", "")));
    fixture.put("todo.ics", calendar("BEGIN:VTODO\r\nUID:t\r\nEND:VTODO\r\n"));
    fixture.put("past.ics", calendar(&event("p", "X-PAST:1\r\n")));
    #[cfg(unix)]
    {
        let outside = fixture.root.path().join("outside.ics");
        fs::write(&outside, calendar(&event("outside", ""))).unwrap();
        std::os::unix::fs::symlink(&outside, fixture.path("link.ics")).unwrap();
        std::os::unix::fs::symlink(fixture.root.path(), fixture.path("loop")).unwrap();
    }
    let (meetings, failures) = read_all(&*fixture.open().await).await;
    assert_eq!(ids(&meetings), ["a.ICS#2", "b.ics#2", "b.ics#3"]);
    assert!(failures.is_empty(), "{failures:?}");
    let recursive = Fixture::with(|settings| settings.recursive = true);
    recursive.put("sub/deep/c.ics", calendar(&event("4", "")));
    recursive.put("a.ics", calendar(&event("5", "")));
    #[cfg(unix)]
    std::os::unix::fs::symlink(recursive.root.path(), recursive.path("loop")).unwrap();
    let (meetings, _) = read_all(&*recursive.open().await).await;
    assert_eq!(ids(&meetings), ["a.ics#5", "sub/deep/c.ics#4"]);
}

#[tokio::test]
async fn broken_files_are_named_and_the_others_go_on() {
    let fixture = Fixture::with(|settings| settings.max_file_mib = 1);
    fixture.put("cut.ics", "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDESCR");
    fixture.put("empty.ics", "");
    fixture.put("good.ics", calendar(&event("good", "")));
    fixture.put("large.ics", vec![b'x'; 1024 * 1024 + 1]);
    fixture.put(
        "latin1.ics",
        calendar(&event("l", "SUMMARY:x\r\n"))
            .replace('x', "\u{1}")
            .into_bytes()
            .iter()
            .map(|&b| if b == 1 { 0xFC } else { b })
            .collect::<Vec<_>>(),
    );
    fixture.put(
        "mixed.ics",
        calendar(&("BEGIN:VEVENT\r\nSUMMARY:no uid\r\nEND:VEVENT\r\n".repeat(3) + &event("m", ""))),
    );
    fixture.put("nul.ics", calendar(&event("n", "X:\0\r\n")));
    let (meetings, failures) = read_all(&*fixture.open().await).await;
    assert_eq!(ids(&meetings), ["good.ics#good", "mixed.ics#m"]);
    let named: Vec<(&str, Code)> = failures.iter().map(|(id, error)| (id.0.as_str(), error.code)).collect();
    assert_eq!(
        named,
        [
            ("cut.ics", Code::UnreadableEvent),
            ("empty.ics", Code::UnreadableEvent),
            ("large.ics", Code::FileAccess),
            ("latin1.ics#l", Code::UnreadableEvent),
            ("mixed.ics", Code::UnreadableEvent),
            ("nul.ics", Code::UnreadableEvent),
        ]
    );
    for ((id, error), what) in
        failures.iter().zip(["cut off", "empty", "max_file_mib", "UTF-8", "3 events", "NUL"])
    {
        let file = id.0.split('#').next().unwrap();
        assert!(error.message.contains(what) && error.message.contains(file), "{error}");
    }
}

#[tokio::test]
async fn an_update_changes_its_event_and_no_other_byte() {
    let fixture = Fixture::new();
    let zone = |id: &str| format!("BEGIN:VTIMEZONE\r\nTZID:{id}\r\nEND:VTIMEZONE\r\n");
    let master = event("1", "SUMMARY:old\r\nRRULE:FREQ=DAILY\r\n");
    let exception = event("1", "RECURRENCE-ID;TZID=He\r\n re:20270102T100000\r\nSUMMARY:old\r\n");
    let odd = "X-odd;p=\"a:b\":kept\n \tfold\n".to_owned();
    let body = [&zone("Here"), &zone("There"), &master, &event("2", "SUMMARY:old\r\n"), &odd, &exception]
        .map(String::as_str)
        .concat();
    let before = calendar(&body);
    fixture.put("many.ics", &before);
    let opened = fixture.open().await;
    let (meetings, _) = read_all(&*opened).await;
    assert_eq!(ids(&meetings), ["many.ics#1", "many.ics#2"]);
    let content = String::from_utf8(meetings[0].content.clone()).unwrap();
    assert!(content.contains("TZID:Here") && !content.contains("TZID:There") && !content.contains("UID:2"));
    assert!(
        content.starts_with("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n") && content.ends_with("END:VCALENDAR\r\n")
    );

    let results = opened.update(vec![change(&meetings[0], "SUMMARY:old", "SUMMARY:new and longer")]).await;
    let version = results.into_iter().next().unwrap().unwrap().version;
    let after = fs::read_to_string(fixture.path("many.ics")).unwrap();
    let new = |text: &str| text.replace("SUMMARY:old", "SUMMARY:new and longer");
    assert_eq!(after, before.replace(&master, &new(&master)).replace(&exception, &new(&exception)));
    let again = opened.get(&meetings[0].id, from()).await.unwrap().unwrap();
    assert_eq!(again.version, version);
    assert_eq!(opened.get(&meetings[1].id, from()).await.unwrap().unwrap().version, meetings[1].version);
}

#[tokio::test]
async fn a_page_of_updates_has_its_results_in_order_and_one_failure_touches_no_other() {
    let fixture = Fixture::new();
    fixture.put("a.ics", calendar(&(event("1", "SUMMARY:old\r\n") + &event("2", "SUMMARY:old\r\n"))));
    fixture.put("b.ics", calendar(&event("3", "SUMMARY:old\r\n")));
    fixture.put("c.ics", calendar(&event("4", "SUMMARY:old\r\n")));
    fixture.put("d.ics", calendar(&event("5", "SUMMARY:old\r\n")));
    let opened = fixture.open().await;
    let (meetings, _) = read_all(&*opened).await;
    // Somebody edits event 2, deletes event 4's file and takes event 5 out of its file.
    fixture.put("a.ics", calendar(&(event("1", "SUMMARY:old\r\n") + &event("2", "SUMMARY:edited\r\n"))));
    fs::remove_file(fixture.path("c.ics")).unwrap();
    fixture.put("d.ics", calendar(&event("6", "")));
    let mut updates: Vec<Update> = meetings.iter().rev().map(|m| change(m, "old", "new")).collect();
    updates.push(change(&meetings[0], "old", "second"));
    let mut outside = change(&meetings[0], "old", "new");
    outside.id = EventId("../../etc/x.ics#1".into());
    updates.push(outside);
    let results = opened.update(updates).await;
    let outcomes: Vec<Result<(), ErrorKind>> =
        results.into_iter().map(|r| r.map(|_| ()).map_err(|e| e.kind)).collect();
    use ErrorKind::{Conflict, Gone, Permanent};
    assert_eq!(
        outcomes,
        [Err(Gone), Err(Gone), Ok(()), Err(Conflict), Ok(()), Err(Conflict), Err(Permanent)]
    );
    let a = fs::read_to_string(fixture.path("a.ics")).unwrap();
    assert_eq!(a, calendar(&(event("1", "SUMMARY:new\r\n") + &event("2", "SUMMARY:edited\r\n"))));
    assert!(!fixture.path("c.ics").exists());
    assert!(opened.get(&meetings[3].id, from()).await.unwrap().is_none());
    assert!(opened.get(&meetings[4].id, from()).await.unwrap().is_none());
}

#[tokio::test]
async fn contents_that_are_not_the_event_are_never_written() {
    let fixture = Fixture::new();
    let before = calendar(&(event("1", "") + &event("2", "")));
    fixture.put("a.ics", &before);
    fixture.put("b.ics", calendar(&event("3", "")));
    let opened = fixture.open().await;
    let (meetings, _) = read_all(&*opened).await;
    for (meeting, from, to) in [
        (0, "UID:1", "UID:9"),
        (0, "END:VEVENT\r\n", ""),
        (2, "END:VCALENDAR", ""),
        (2, "UID:3", "UID:4"),
        (0, "BEGIN", "X"),
    ] {
        let result = opened.update(vec![change(&meetings[meeting], from, to)]).await.pop().unwrap();
        assert_eq!(result.map(|_| ()).unwrap_err().code, Code::BlockNotReplaceable);
    }
    assert_eq!(fs::read_to_string(fixture.path("a.ics")).unwrap(), before);
}

#[test]
fn a_file_that_changes_while_it_is_written_is_left_as_it_is() {
    let fixture = Fixture::new();
    fixture.put("a.ics", "old");
    let path = fixture.path("a.ics");
    let (bytes, was) = event_file::bytes_if_there(&path, 100).unwrap().unwrap();
    for edit in [Some("edited by somebody"), Some("old"), None] {
        let prepared = replace::Prepared::write(&path, &[b"n", b"ew"], &was).unwrap();
        match edit {
            // Written anew, even with the same bytes: another file.
            Some(text) => {
                fs::write(fixture.path("other"), text).unwrap();
                fs::rename(fixture.path("other"), &path).unwrap();
            }
            None => fs::remove_file(&path).unwrap(),
        }
        assert_eq!(prepared.commit(&path, &bytes, &was).unwrap_err().kind, ErrorKind::Conflict);
        assert_eq!(fs::read_to_string(&path).ok().as_deref(), edit);
    }
    let left: Vec<_> = fs::read_dir(fixture.path("")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_replaced_file_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = Fixture::new();
    fixture.put("a.ics", calendar(&event("1", "SUMMARY:old\r\n")));
    fs::set_permissions(fixture.path("a.ics"), fs::Permissions::from_mode(0o604)).unwrap();
    let opened = fixture.open().await;
    let (meetings, _) = read_all(&*opened).await;
    opened.update(vec![change(&meetings[0], "old", "new")]).await.pop().unwrap().unwrap();
    let mode = fs::metadata(fixture.path("a.ics")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o604);
    assert_eq!(fs::read_dir(fixture.path("")).unwrap().count(), 1);
}

#[tokio::test]
async fn temporary_files_of_the_dead_are_removed_and_those_of_the_living_stay() {
    let fixture = Fixture::new();
    fixture.put(".a.ics.mms-12345678.tmp", "half a file");
    fixture.put(".somebody-elses.tmp", "kept");
    let living = temporary::Temporary::beside(&fixture.path(&format!("{}.ics", "é".repeat(120)))).unwrap();
    let opened = fixture.open().await;
    assert!(!fixture.path(".a.ics.mms-12345678.tmp").exists());
    assert!(fixture.path(".somebody-elses.tmp").exists() && living.path.exists());
    let path = living.path.clone();
    drop(living);
    assert!(!path.exists());
    assert!(read_all(&*opened).await.0.is_empty());
}

#[tokio::test]
async fn places_stay_inside_the_root() {
    let fixture = Fixture::new();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/", fixture.root.path().join("out")).unwrap();
        std::os::unix::fs::symlink(fixture.path(""), fixture.root.path().join("in")).unwrap();
        assert!(fixture.calendars.open(&user("in")).await.is_ok());
    }
    let whole = fixture.path("").display().to_string();
    assert!(fixture.calendars.open(&user(&whole)).await.is_ok());
    fs::write(fixture.root.path().join("file"), "").unwrap();
    for place in ["..", "ken/../..", "/", "/etc", "out", "out/etc", "missing", "file", "file/x", "a\0b"] {
        let error = fixture.calendars.open(&user(place)).await.map(|_| ()).unwrap_err();
        assert_eq!((error.code, error.kind), (Code::CalendarNotFound, ErrorKind::Permanent), "{place}");
    }
}

#[tokio::test]
async fn a_user_without_a_place_has_the_folder_of_their_upn() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.root.path().join("ken@example.org")).unwrap();
    assert!(fixture.calendars.open(&user("")).await.is_ok());
    for upn in ["../x@y", "..", "a/b@c", ".hidden@x"] {
        let mut evil = user("");
        evil.upn = upn.into();
        assert!(fixture.calendars.open(&evil).await.is_err(), "{upn}");
    }
    let gone = IcsFolder::new(IcsFolderSettings::below("/no/such/root"), Arc::new(PlainInvites));
    assert_eq!(gone.open(&user("")).await.map(|_| ()).unwrap_err().code, Code::CalendarNotFound);
    assert!(gone.diagnose().await[0].is_failure());
    assert!(!fixture.calendars.diagnose().await[0].is_failure());
}

#[test]
fn failures_of_the_file_system_have_their_codes() {
    use std::io::{Error, ErrorKind as Io};
    let code = |kind: Io| {
        let error = failure::writing(Path::new("/x/a.ics"), &Error::from(kind));
        assert!(error.message.contains("/x/a.ics"));
        (error.kind, error.code)
    };
    assert_eq!(code(Io::StorageFull), (ErrorKind::Retry, Code::StorageFull));
    assert_eq!(code(Io::QuotaExceeded), (ErrorKind::Retry, Code::StorageFull));
    assert_eq!(code(Io::ReadOnlyFilesystem), (ErrorKind::Permanent, Code::StorageFull));
    assert_eq!(code(Io::PermissionDenied), (ErrorKind::Unauthorised, Code::CalendarAccessDenied));
    assert_eq!(code(Io::Other), (ErrorKind::Retry, Code::FileAccess));
}

#[tokio::test]
async fn a_listing_of_many_files_comes_in_pages_and_ends() {
    let fixture = Fixture::new();
    for n in 0..1_203 {
        fixture.put(&format!("{n:05}.ics"), calendar(&event(&n.to_string(), "")));
    }
    let many: String = (0..1_203).map(|n| event(&format!("m{n}"), "")).collect();
    fixture.put("many.ics", calendar(&many));
    let (meetings, failures) = read_all(&*fixture.open().await).await;
    assert_eq!((meetings.len(), failures.len()), (2_406, 0));
    let mut unique: Vec<&str> = ids(&meetings);
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), 2_406);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_is_updated_the_other_bytes_stay(
        uids in proptest::collection::vec(0u8..6, 1..10),
        line_end in prop_oneof![Just("\r\n"), Just("\n")],
        between in "[A-Z]{1,5}",
        chosen in proptest::collection::vec(any::<bool>(), 6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let fixture = Fixture::new();
            let text = |changed: &dyn Fn(u8) -> bool| {
                let mut body = String::new();
                for (position, &uid) in uids.iter().enumerate() {
                    let summary = if changed(uid) { format!("new-{}", "y".repeat(usize::from(uid) * 7)) } else { "old".into() };
                    body += &event(&format!("u{uid}"), &format!("X-N:{position}\r\nSUMMARY:{summary}\r\n"));
                    body += &format!("X-{between}{position}:kept\r\n");
                }
                calendar(&body).replace("\r\n", line_end)
            };
            fixture.put("many.ics", text(&|_| false));
            let opened = fixture.open().await;
            let (meetings, failures) = read_all(&*opened).await;
            assert!(failures.is_empty());
            let is_chosen = |uid: u8| chosen[usize::from(uid)];
            let updates: Vec<Update> = meetings
                .iter()
                .filter_map(|m| {
                    let uid: u8 = m.uid.trim_start_matches('u').parse().unwrap();
                    is_chosen(uid).then(|| change(m, "SUMMARY:old", &format!("SUMMARY:new-{}", "y".repeat(usize::from(uid) * 7))))
                })
                .collect();
            for result in opened.update(updates).await {
                result.unwrap();
            }
            assert_eq!(fs::read_to_string(fixture.path("many.ics")).unwrap(), text(&is_chosen));
        });
    }
}
