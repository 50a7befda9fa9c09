//! The directory by its wire: what another client cannot be brought to send.

use std::time::Duration;

use proptest::prelude::*;
use tokio::net::TcpStream;

use super::ber::{OCTETS, Reader, SEQUENCE};
use super::message::PAGED_RESULTS;
use super::*;
use crate::{Sandbox, Settings};

const DISCONNECTION: &[u8] = b"1.3.6.1.4.1.1466.20036";

fn message(id: i64, operation: &[u8], controls: &[u8]) -> Vec<u8> {
    ber::element(SEQUENCE, &[&ber::integer(id), operation, controls])
}

fn bind(id: i64, name: &str, password: &str) -> Vec<u8> {
    let password = ber::element(0x80, &[password.as_bytes()]);
    message(id, &ber::element(0x60, &[&ber::integer(3), &ber::octets(name), &password]), &[])
}

fn search(id: i64, base: &str, scope: i64, size_limit: i64, controls: &[u8]) -> Vec<u8> {
    let filter = ber::element(0x87, &[b"mail"]);
    let parts = [
        ber::octets(base),
        ber::enumerated(scope),
        ber::enumerated(0),
        ber::integer(size_limit),
        ber::integer(0),
        vec![1, 1, 0],
        filter,
        ber::element(SEQUENCE, &[&ber::octets("mail")]),
    ];
    message(id, &ber::element(0x63, &[&parts.concat()]), controls)
}

fn control(kind: &str, is_critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = [1, 1, if is_critical { 0xff } else { 0 }];
    ber::element(0xa0, &[&ber::element(SEQUENCE, &[&ber::octets(kind), &critical, &ber::octets(value)])])
}

fn page(size: i64, cookie: &[u8]) -> Vec<u8> {
    control(PAGED_RESULTS, true, &ber::element(SEQUENCE, &[&ber::integer(size), &ber::octets(cookie)]))
}

/// An answer: the tag of its operation and what is in that, and its controls.
#[derive(Debug)]
struct Answer {
    tag: u8,
    body: Vec<u8>,
    controls: Vec<u8>,
}

impl Answer {
    fn code(&self) -> i64 {
        Reader::new(&self.body).enumerated().unwrap()
    }

    /// The cookie for the next page.
    fn cookie(&self) -> Vec<u8> {
        let mut control = Reader::new(&self.controls).sequence().unwrap();
        assert_eq!(control.text(), Ok(PAGED_RESULTS));
        message::page(control.octets().unwrap()).unwrap().1.to_vec()
    }
}

struct Client {
    sandbox: Sandbox,
    stream: TcpStream,
    came: Vec<u8>,
}

impl Client {
    async fn start(users: usize) -> Self {
        let sandbox = Sandbox::start(&Settings { users, meetings: 0, ..Settings::default() }).await.unwrap();
        let stream = TcpStream::connect(sandbox.directory.address).await.unwrap();
        Self { sandbox, stream, came: Vec::new() }
    }

    async fn signed_in(users: usize) -> Self {
        let mut client = Self::start(users).await;
        assert_eq!(client.ask(&bind(1, "mms@contoso.example", PASSWORD)).await.code(), 0);
        client
    }

    /// The next answer; none where the server has closed the connection.
    async fn next(&mut self) -> Option<Answer> {
        loop {
            if let Some(size) = ber::size(&self.came).unwrap().filter(|size| self.came.len() >= *size) {
                let rest = self.came.split_off(size);
                let whole = std::mem::replace(&mut self.came, rest);
                let mut message = Reader::new(&whole).sequence().unwrap();
                message.integer().unwrap();
                let (tag, body) = message.element().unwrap();
                let controls = message.optional(0xa0).unwrap().unwrap_or_default().to_vec();
                return Some(Answer { tag, body: body.to_vec(), controls });
            }
            let reading = self.stream.read_buf(&mut self.came);
            if tokio::time::timeout(Duration::from_secs(20), reading).await.unwrap().unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    async fn ask(&mut self, request: &[u8]) -> Answer {
        self.stream.write_all(request).await.unwrap();
        self.next().await.unwrap()
    }

    /// The number of entries that a search finds, and how it ends.
    async fn search(&mut self, request: &[u8]) -> (usize, Answer) {
        let (mut answer, mut found) = (self.ask(request).await, 0);
        while answer.tag != 0x65 {
            found += usize::from(answer.tag == 0x64);
            answer = self.next().await.unwrap();
        }
        (found, answer)
    }

    /// The server ends the connection because of what it was sent.
    async fn cut_off_by(mut self, sent: &[u8]) {
        self.stream.write_all(sent).await.unwrap();
        let answer = self.next().await.unwrap();
        assert_eq!((answer.tag, answer.code()), (0x78, 2), "{sent:?}");
        assert!(answer.body.ends_with(DISCONNECTION));
        assert!(self.next().await.is_none(), "{sent:?}");
    }
}

#[tokio::test]
async fn only_the_account_is_signed_in_and_only_who_is_signed_in_may_search() {
    let mut client = Client::start(2).await;
    let all = search(9, tree::BASE, 2, 0, &[]);
    assert_eq!(client.search(&all).await.1.code(), 1, "before the sign-in");
    for (name, password) in
        [("mms@contoso.example", "wrong"), ("user00001@contoso.example", PASSWORD), ("", "x")]
    {
        assert_eq!(client.ask(&bind(1, name, password)).await.code(), 49, "{name}");
    }
    assert_eq!(client.ask(&bind(1, "mms@contoso.example", "")).await.code(), 0);
    assert_eq!(client.search(&all).await.1.code(), 1, "without a password nobody is signed in");
    for name in ["MMS@contoso.example", "contoso\\mms", "cn=MMS, cn=Users,DC=contoso,DC=example"] {
        assert_eq!(client.ask(&bind(2, name, PASSWORD)).await.code(), 0, "{name}");
        assert_eq!(client.search(&all).await.0, 2);
    }
    let own = client.sandbox.description()["users"][0]["password"].as_str().unwrap().to_owned();
    for name in
        ["user00001@contoso.example", "CONTOSO\\USER00001", "CN=Anna Adler,OU=Staff,DC=contoso,DC=example"]
    {
        assert_eq!(client.ask(&bind(2, name, &own)).await.code(), 0, "{name}");
        assert_eq!(client.search(&all).await.0, 2, "every user may read");
    }
    for name in
        ["user00002@contoso.example", "OTHER\\user00001", "user00001", tree::BASE, "mms@contoso.example"]
    {
        assert_eq!(client.ask(&bind(2, name, &own)).await.code(), 49, "{name}");
    }
    client.ask(&bind(3, "mms@contoso.example", PASSWORD)).await;
    client.ask(&bind(3, "mms@contoso.example", "wrong")).await;
    assert_eq!(client.search(&all).await.1.code(), 1, "a sign-in that fails ends the one before");
    let sasl = ber::element(0xa3, &[&ber::octets("GSSAPI")]);
    let parts = ber::element(0x60, &[&ber::integer(3), &ber::octets(""), &sasl]);
    assert_eq!(client.ask(&message(4, &parts, &[])).await.code(), 7);
    let old = ber::element(0x60, &[&ber::integer(2), &ber::octets(""), &ber::element(0x80, &[])]);
    assert_eq!(client.ask(&message(5, &old, &[])).await.code(), 2);
}

#[test]
fn nobody_signs_in_as_a_room() {
    let organisation =
        Organisation::new(&Settings { users: 2, rooms: 1, meetings: 0, ..Settings::default() });
    let signs_in = |user| {
        signs_in(&organisation, &organisation.address(user), organisation.own_password(user).as_bytes())
    };
    assert!(signs_in(1) && !signs_in(2));
}

#[tokio::test]
async fn the_description_of_the_server_is_everybodys() {
    let mut client = Client::start(2).await;
    let (found, end) = client.search(&search(1, "", 0, 0, &[])).await;
    assert_eq!((found, end.code()), (1, 0));
    assert_eq!(client.search(&search(1, "", 2, 0, &[])).await.1.code(), 1);
}

#[tokio::test]
async fn pages_follow_one_another_and_a_cookie_is_of_its_own_search() {
    let mut client = Client::signed_in(1200).await;
    let (mut cookie, mut sizes) = (Vec::new(), Vec::new());
    loop {
        let (found, end) = client.search(&search(2, tree::BASE, 2, 0, &page(500, &cookie))).await;
        assert_eq!(end.code(), 0);
        sizes.push(found);
        cookie = end.cookie();
        if cookie.is_empty() {
            break;
        }
    }
    assert_eq!(sizes, [500, 500, 200]);
    let (found, end) = client.search(&search(2, tree::BASE, 2, 0, &page(5000, &[]))).await;
    assert_eq!(found, search::MOST_ENTRIES, "the server's own limit");
    let other = search(2, "OU=Staff,DC=contoso,DC=example", 2, 0, &page(500, &end.cookie()));
    assert_eq!(client.search(&other).await.1.code(), 53, "the cookie of another search");
    assert_eq!(client.search(&search(2, tree::BASE, 2, 0, &page(5, b"x"))).await.1.code(), 53);
    let (found, end) = client.search(&search(2, tree::BASE, 2, 0, &page(0, &end.cookie()))).await;
    assert_eq!((found, end.code(), end.cookie()), (0, 0, Vec::new()), "the client wants no more");
}

#[tokio::test]
async fn limits_end_a_search_and_say_so() {
    let mut client = Client::signed_in(1200).await;
    let (found, end) = client.search(&search(2, tree::BASE, 2, 0, &[])).await;
    assert_eq!((found, end.code()), (1000, 4));
    let (found, end) = client.search(&search(2, tree::BASE, 2, 7, &[])).await;
    assert_eq!((found, end.code()), (7, 4));
    let (found, end) = client.search(&search(2, tree::BASE, 2, 7, &page(500, &[]))).await;
    assert_eq!((found, end.code()), (7, 4));
    let (found, end) = client.search(&search(2, tree::BASE, 2, 1200, &page(500, &[]))).await;
    assert_eq!((found, end.code()), (500, 0));
}

#[tokio::test]
async fn what_cannot_be_searched_says_why() {
    let mut client = Client::signed_in(2).await;
    let mut code = async |request: &[u8]| client.search(request).await.1.code();
    assert_eq!(code(&search(2, "CN=Nobody,OU=Staff,DC=contoso,DC=example", 0, 0, &[])).await, 32);
    assert_eq!(code(&search(2, "nonsense", 2, 0, &[])).await, 34);
    assert_eq!(code(&search(2, tree::BASE, 2, 0, &control("1.2.3", true, b""))).await, 12);
    assert_eq!(code(&search(2, tree::BASE, 2, 0, &control("1.2.3", false, b""))).await, 0);
    assert_eq!(code(&search(2, tree::BASE, 2, 0, &control(PAGED_RESULTS, false, b"x"))).await, 2);
    let delete = message(3, &ber::element(0x4a, &[tree::ACCOUNT.as_bytes()]), &[]);
    let answer = client.ask(&delete).await;
    assert_eq!((answer.tag, answer.code()), (0x6b, 53));
    let start_tls =
        message(4, &ber::element(0x77, &[&ber::element(0x80, &[b"1.3.6.1.4.1.1466.20037"])]), &[]);
    assert_eq!(client.ask(&start_tls).await.code(), 2);
}

#[tokio::test]
async fn requests_may_come_together_or_in_pieces() {
    let mut client = Client::signed_in(2).await;
    let abandon = message(3, &ber::element(0x50, &[&[2]]), &[]);
    let find = search(4, tree::BASE, 2, 0, &[]);
    let (found, end) = client.search(&[abandon, find.clone()].concat()).await;
    assert_eq!((found, end.code()), (2, 0), "what is abandoned has no answer");
    for byte in &find[..find.len() - 1] {
        client.stream.write_all(&[*byte]).await.unwrap();
    }
    assert_eq!(client.search(&find[find.len() - 1..]).await.0, 2);
    client.stream.write_all(&message(5, &[0x42, 0], &[])).await.unwrap();
    assert!(client.next().await.is_none(), "the client said goodbye");
    assert_eq!(client.sandbox.state()["requests"]["ldap search"], 2);
}

#[tokio::test]
async fn what_is_no_ldap_ends_the_connection() {
    let whole = search(2, tree::BASE, 2, 0, &[]);
    let mut unknown = whole.clone();
    unknown[5] = 0x7f;
    for sent in [
        b"GET / HTTP/1.1\r\n\r\n".as_slice(),
        &[0x30, 0x80, 0, 0],
        &[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff],
        &[0x30, 0],
        &ber::octets("x"),
        &message(0, &[0x42, 0], &[]),
        &message(-1, &[0x42, 0], &[]),
        &search(2, tree::BASE, 7, 0, &[]),
        &search(2, tree::BASE, 2, -1, &[]),
        &unknown,
        &message(2, &ber::element(0x60, &[&ber::integer(3), &ber::octets([0xff])]), &[]),
        &message(2, &[0x42, 0], &ber::element(0xa0, &[&ber::octets("x")])),
    ] {
        Client::signed_in(2).await.cut_off_by(sent).await;
    }
}

proptest! {
    #[test]
    fn nothing_that_comes_in_panics(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = Request::read(&bytes);
        let _ = message::page(&bytes);
        let _ = whole(&bytes, 0);
    }

    #[test]
    fn no_change_of_a_request_panics(at in 0usize..120, byte in any::<u8>(), cut in 0usize..120) {
        let parts = [(0x80, &b"a"[..]), (0x81, b"b"), (0x82, b"c")].map(|(tag, text)| ber::element(tag, &[text]));
        let substrings = ber::element(0xa4, &[&ber::octets("cn"), &ber::element(SEQUENCE, &[&parts.concat()])]);
        let equal = ber::element(0xa3, &[&ber::octets("objectCategory"), &ber::octets("CN=Person,DC=x")]);
        let either = ber::element(0xa1, &[&substrings, &ber::element(0xa2, &[&equal])]);
        let parts = [ber::octets("DC=x"), ber::enumerated(2), ber::enumerated(0), ber::integer(0), ber::integer(0),
            vec![1, 1, 0], either, ber::element(SEQUENCE, &[&ber::element(OCTETS, &[b"*"])])];
        let mut request = message(7, &ber::element(0x63, &[&parts.concat()]), &page(5, b"cookie"));
        if let Some(changed) = request.get_mut(at) {
            *changed = byte;
        }
        request.truncate(request.len().saturating_sub(cut.saturating_sub(60)));
        if let Ok(Request { operation: Operation::Search(search), .. }) = Request::read(&request) {
            let mut entry = entry::Entry::new("CN=a,DC=x");
            entry.set("cn", "abc").set("objectCategory", "CN=Person,DC=x");
            let _ = search.filter.fits(&entry);
            let _ = Name::parse(search.base);
        }
    }

    #[test]
    fn no_name_panics(text in "\\PC{0,30}|([a-c=,\\\\ 0-9]{0,20})") {
        let _ = Name::parse(&text);
    }
}
