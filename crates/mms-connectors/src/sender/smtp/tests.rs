//! Against a server in this process that does as its script says.

use std::collections::HashMap;

use mms_model::{Address, Code, ErrorKind, ManualClock};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// What the server does at a step.
#[derive(Debug, Clone, Copy)]
enum Act {
    Say(&'static str),
    Close,
}

/// What the server saw.
#[derive(Debug, Default)]
struct Seen {
    connections: usize,
    commands: Vec<String>,
    /// Mails that were ended, as their raw data.
    taken: Vec<String>,
    /// Data that was never ended.
    abandoned: usize,
}

struct Server {
    port: u16,
    seen: Arc<Mutex<Seen>>,
    changed: Arc<tokio::sync::Notify>,
}

impl Server {
    /// A server that takes everything but what `script` says otherwise: step → what it does there,
    /// each time one after the other, then as usual.
    async fn start(script: &[(&'static str, &[Act])]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let changed = Arc::new(tokio::sync::Notify::new());
        let script: HashMap<&'static str, Vec<Act>> =
            script.iter().map(|(step, acts)| (*step, acts.iter().rev().copied().collect())).collect();
        let script = Arc::new(Mutex::new(script));
        let (shared, notify) = (Arc::clone(&seen), Arc::clone(&changed));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.lock().unwrap().connections += 1;
                let (script, shared, notify) =
                    (Arc::clone(&script), Arc::clone(&shared), Arc::clone(&notify));
                tokio::spawn(async move {
                    converse(stream, &script, &shared).await;
                    notify.notify_waiters();
                    notify.notify_one();
                });
            }
        });
        Self { port, seen, changed }
    }

    fn sender(&self, extra: &str) -> SmtpSender {
        let text = format!(
            "host = \"127.0.0.1\"\nport = {}\ntls = \"none\"\ntimeout_seconds = 20\n{extra}",
            self.port
        );
        let clock = Arc::new(ManualClock::at("2026-11-23T08:00:00Z".parse().unwrap()));
        SmtpSender::new(toml::from_str(&text).unwrap(), clock).unwrap()
    }

    fn taken(&self) -> usize {
        self.seen.lock().unwrap().taken.len()
    }
}

async fn converse(stream: TcpStream, script: &Mutex<HashMap<&'static str, Vec<Act>>>, seen: &Mutex<Seen>) {
    let mut stream = BufReader::new(stream);
    let act = |step: &str, usual: &'static str| {
        script.lock().unwrap().get_mut(step).and_then(Vec::pop).unwrap_or(Act::Say(usual))
    };
    let mut step = act("greeting", "220 ready");
    loop {
        match step {
            Act::Close => return,
            Act::Say(words) => {
                if stream.write_all(format!("{words}\r\n").as_bytes()).await.is_err() {
                    return;
                }
                if words.starts_with("354") {
                    match read_data(&mut stream).await {
                        Some(data) => {
                            seen.lock().unwrap().taken.push(data);
                            step = act("end", "250 taken");
                            continue;
                        }
                        None => {
                            seen.lock().unwrap().abandoned += 1;
                            return;
                        }
                    }
                }
            }
        }
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let verb = line.get(..4).unwrap_or_default().to_ascii_lowercase();
        seen.lock().unwrap().commands.push(line.trim_end().to_owned());
        step = match verb.as_str() {
            "ehlo" => act("ehlo", "250-test\r\n250-AUTH PLAIN LOGIN\r\n250 SIZE 1000000"),
            "auth" => act("auth", "235 welcome"),
            "mail" => act("mail", "250 ok"),
            "rcpt" => act("rcpt", "250 ok"),
            "data" => act("data", "354 go on"),
            "rset" => act("rset", "250 ok"),
            "quit" => act("quit", "221 bye"),
            _ => Act::Say("500 what?"),
        };
    }
}

async fn read_data(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut data = String::new();
    loop {
        let start = data.len();
        if stream.read_line(&mut data).await.unwrap_or(0) == 0 {
            return None;
        }
        if &data[start..] == ".\r\n" {
            data.truncate(start);
            return Some(data);
        }
    }
}

fn invitation() -> Invitation {
    Invitation {
        message_id: "abc.1@mms.example.org".into(),
        from: Address::new("ken@example.org"),
        from_name: Some("Ken".into()),
        to: Address::new("pilar@example.net"),
        subject: "Budget".into(),
        language: "en".into(),
        join_url: "https://meet.example.org/room".into(),
        itip: b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n".to_vec(),
    }
}

async fn send(sender: &SmtpSender) -> Result<(), PortError> {
    sender.prepare(&invitation()).await?.commit().await
}

#[tokio::test]
async fn nothing_is_taken_before_the_commit() {
    let server = Server::start(&[]).await;
    let sender = server.sender("");
    let outbound = sender.prepare(&invitation()).await.unwrap();
    assert_eq!(server.taken(), 0);
    outbound.commit().await.unwrap();
    let seen = server.seen.lock().unwrap();
    assert_eq!(seen.taken.len(), 1);
    assert!(seen.taken[0].contains("Subject: Updated: Budget"));
    assert!(seen.commands.iter().any(|c| c == "MAIL FROM:<ken@example.org>"));
    assert!(seen.commands.iter().any(|c| c == "RCPT TO:<pilar@example.net>"));
}

#[tokio::test]
async fn a_mail_that_is_dropped_is_never_taken() {
    let server = Server::start(&[]).await;
    let sender = server.sender("");
    let outbound = sender.prepare(&invitation()).await.unwrap();
    let gone = server.changed.notified();
    drop(outbound);
    gone.await;
    assert_eq!(server.taken(), 0);
    assert_eq!(server.seen.lock().unwrap().abandoned, 1);
    send(&sender).await.unwrap();
    assert_eq!(server.taken(), 1);
}

#[tokio::test]
async fn connections_are_used_again_and_given_up_after_their_share() {
    let server = Server::start(&[]).await;
    let sender = server.sender("messages_per_connection = 3");
    for _ in 0..7 {
        send(&sender).await.unwrap();
    }
    assert_eq!((server.taken(), server.seen.lock().unwrap().connections), (7, 3));
}

#[tokio::test]
async fn mails_prepared_at_the_same_time_have_connections_of_their_own() {
    let server = Server::start(&[]).await;
    let sender = server.sender("");
    let mut prepared = Vec::new();
    for _ in 0..5 {
        prepared.push(sender.prepare(&invitation()).await.unwrap());
    }
    for outbound in prepared {
        outbound.commit().await.unwrap();
    }
    assert_eq!((server.taken(), server.seen.lock().unwrap().connections), (5, 5));
}

#[tokio::test]
async fn a_waiting_connection_that_was_closed_is_replaced() {
    for act in [Act::Close, Act::Say("421 too long idle")] {
        let server = Server::start(&[("rset", &[act])]).await;
        let sender = server.sender("");
        send(&sender).await.unwrap();
        send(&sender).await.unwrap();
        assert_eq!((server.taken(), server.seen.lock().unwrap().connections), (2, 2));
    }
    let server = Server::start(&[("mail", &[Act::Say("250 ok"), Act::Close])]).await;
    let sender = server.sender("");
    send(&sender).await.unwrap();
    send(&sender).await.unwrap();
    assert_eq!(server.taken(), 2);
}

#[tokio::test]
async fn refusals_before_the_end_have_kind_and_code_and_take_nothing() {
    use ErrorKind::{Permanent, Retry, Unauthorised};
    let signed_in = "user = \"mms\"\npassword = \"hunter2hunter2\"";
    for (step, said, kind, code, named) in [
        ("greeting", "554 go away", Unauthorised, Code::MailRejected, "554 go away"),
        ("greeting", "421 busy", Retry, Code::MailUnreachable, "421 busy"),
        ("auth", "535 wrong", Unauthorised, Code::MailRejected, "mms"),
        ("auth", "454 later", Retry, Code::MailRejected, "454"),
        ("mail", "550 not yours", Unauthorised, Code::MailRejected, "sender ken@example.org"),
        ("mail", "451 later", Retry, Code::MailRejected, "ken@example.org"),
        ("rcpt", "550 nobody", Permanent, Code::MailRejected, "recipient pilar@example.net"),
        ("rcpt", "554 5.7.1 Relay access denied", Unauthorised, Code::MailRejected, "does not relay"),
        ("rcpt", "450 greylisted", Retry, Code::MailRejected, "pilar@example.net"),
        ("rcpt", "421 bye", Retry, Code::MailUnreachable, "421"),
        ("data", "554 no", Permanent, Code::MailRejected, "pilar@example.net"),
        ("data", "250 what", Retry, Code::MailUnreachable, "out of turn"),
        ("rcpt", "nonsense", Retry, Code::MailUnreachable, "not SMTP"),
    ] {
        let acts = [Act::Say(said), Act::Say(said)];
        let server = Server::start(&[(step, &acts)]).await;
        let error = send(&server.sender(signed_in)).await.unwrap_err();
        assert_eq!((error.kind, error.code), (kind, code), "{step} {said}: {error}");
        assert!(error.message.contains(named), "{step} {said}: {error}");
        assert!(!error.message.contains("hunter2"), "{error}");
        assert_eq!(server.taken(), 0);
    }
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_end_is_worth_a_retry() {
    for step in ["greeting", "ehlo", "mail", "rcpt", "data"] {
        let server = Server::start(&[(step, &[Act::Close])]).await;
        let sender = server.sender("");
        let error = send(&sender).await.unwrap_err();
        assert_eq!((error.kind, error.code), (ErrorKind::Retry, Code::MailUnreachable), "{step}: {error}");
        assert_eq!(server.taken(), 0);
        send(&sender).await.unwrap();
        assert_eq!(server.taken(), 1);
    }
}

#[tokio::test]
async fn a_refused_recipient_leaves_the_connection_usable() {
    let server = Server::start(&[("rcpt", &[Act::Say("550 nobody")])]).await;
    let sender = server.sender("");
    assert!(send(&sender).await.is_err());
    send(&sender).await.unwrap();
    assert_eq!((server.taken(), server.seen.lock().unwrap().connections), (1, 1));
}

#[tokio::test]
async fn what_the_server_says_to_the_end_decides() {
    for (said, kind) in [
        ("451 later", ErrorKind::Retry),
        ("552 too big", ErrorKind::Permanent),
        ("421 shutting down", ErrorKind::Retry),
    ] {
        let server = Server::start(&[("end", &[Act::Say(said)])]).await;
        let error = send(&server.sender("")).await.unwrap_err();
        assert_eq!((error.kind, error.code), (kind, Code::MailRejected), "{error}");
        assert!(error.message.contains("pilar@example.net"));
    }
}

#[tokio::test]
async fn an_end_without_an_answer_is_unknown_and_not_to_be_repeated() {
    for act in [Act::Close, Act::Say("nonsense"), Act::Say("354 more")] {
        let server = Server::start(&[("end", &[act])]).await;
        let error = send(&server.sender("")).await.unwrap_err();
        assert_eq!((error.kind, error.code), (ErrorKind::Permanent, Code::MailUnreachable), "{error}");
        assert!(error.message.contains("may have been sent"));
    }
}

#[tokio::test]
async fn a_mail_over_the_size_of_the_server_is_refused_before_it_is_sent() {
    let server = Server::start(&[("ehlo", &[Act::Say("250-test\r\n250 SIZE 500")])]).await;
    let error = send(&server.sender("")).await.unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Permanent, Code::MailRejected));
    assert!(error.message.contains("500 bytes"));
}

#[tokio::test]
async fn addresses_beyond_ascii_need_a_server_that_takes_them() {
    let mut invitation = invitation();
    invitation.to = Address::new("zoë@example.net");
    let server = Server::start(&[]).await;
    let refused = server.sender("").prepare(&invitation).await.map(|_| ()).unwrap_err();
    assert!(refused.message.contains("zoë@example.net") && refused.kind == ErrorKind::Permanent);
    let server = Server::start(&[("ehlo", &[Act::Say("250-test\r\n250 SMTPUTF8")])]).await;
    server.sender("").prepare(&invitation).await.unwrap().commit().await.unwrap();
    let seen = server.seen.lock().unwrap();
    assert!(seen.commands.iter().any(|c| c == "MAIL FROM:<ken@example.org> SMTPUTF8"));
}

#[tokio::test]
async fn tls_is_insisted_on() {
    let server = Server::start(&[]).await;
    let text = format!("host = \"127.0.0.1\"\nport = {}", server.port);
    let clock = Arc::new(ManualClock::at(jiff::Timestamp::UNIX_EPOCH));
    let sender = SmtpSender::new(toml::from_str(&text).unwrap(), clock).unwrap();
    let error = send(&sender).await.unwrap_err();
    assert!(error.message.contains("no STARTTLS") && error.kind == ErrorKind::Permanent, "{error}");
    assert!(sender.diagnose().await[0].is_failure());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let clock = Arc::new(ManualClock::at(jiff::Timestamp::UNIX_EPOCH));
    let sender = SmtpSender::new(SmtpSettings::local("127.0.0.1", port), clock).unwrap();
    let error = send(&sender).await.unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Retry, Code::MailUnreachable));
    assert!(error.message.contains(&format!("127.0.0.1:{port}")));
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let refusal = |text: &str| {
        let clock = Arc::new(ManualClock::at(jiff::Timestamp::UNIX_EPOCH));
        SmtpSender::new(toml::from_str(text).unwrap(), clock).map(|_| ()).unwrap_err().to_string()
    };
    for (text, expected) in [
        ("host = \"\"", "host"),
        ("host = \"mail.example.org\"\ntls = \"none\"", "allow_plaintext"),
        ("host = \"h\"\npassword = \"x\"", "no user"),
        ("host = \"h\"\nuser = \"x\"", "no password"),
        ("host = \"h\"\nuser = \"x\"\npassword_file = \"/no/file\"", "/no/file"),
        ("host = \"h\"\nuser = \"x\"\npassword = \"a\"\npassword_file = \"b\"", "not both"),
        ("host = \"h\"\nfrom = \"sender\"", "sender"),
        ("host = \"h\"\nca_file = \"/no/ca.pem\"", "/no/ca.pem"),
        ("host = \"h\"\nhelo_name = \"a b\"", "helo_name"),
        ("host = \"h\"\ntimeout_seconds = 0", "timeout_seconds"),
    ] {
        let message = refusal(text);
        assert!(message.starts_with("smtp: ") && message.contains(expected), "{message}");
    }
}
