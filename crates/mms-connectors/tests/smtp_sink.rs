//! The SMTP sender against a real SMTP server (aiosmtpd) that keeps what it takes.

#![allow(clippy::expect_used, reason = "a test that cannot have its server has failed")]

use std::sync::Arc;

use mail_parser::{MessageParser, MimeHeaders};
use mms_connectors::sender::smtp::{SmtpSender, SmtpSettings};
use mms_model::port::{Invitation, InvitationSender};
use mms_model::{Address, Code, ErrorKind, ManualClock};
use mms_testkit::SmtpSink;

const ITIP: &[u8] =
    b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1\r\n.\r\n..x\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

fn sender(sink: &SmtpSink) -> SmtpSender {
    let clock = Arc::new(ManualClock::at("2026-11-23T08:00:00Z".parse().expect("an instant")));
    SmtpSender::new(SmtpSettings::local(sink.host.clone(), sink.port), clock).expect("sound settings")
}

fn invitation(to: &str) -> Invitation {
    Invitation {
        message_id: format!("update-1.{to}"),
        from: Address::new("ken@example.test"),
        from_name: Some("Ken Myér".into()),
        to: Address::new(to),
        subject: "Budgét".into(),
        language: "fr".into(),
        join_url: "https://meet.example.test/room".into(),
        itip: ITIP.to_vec(),
    }
}

#[tokio::test]
async fn a_real_server_keeps_one_mail_for_each_commit_and_none_for_a_drop() {
    let sink = SmtpSink::start();
    let sender = sender(&sink);
    let dropped = sender.prepare(&invitation("dropped@example.test")).await.expect("prepared");
    let kept = sender.prepare(&invitation("pilar@example.test")).await.expect("prepared");
    assert!(sink.mails().is_empty());
    kept.commit().await.expect("taken");
    drop(dropped);
    sender
        .prepare(&invitation("second@example.test"))
        .await
        .expect("prepared")
        .commit()
        .await
        .expect("taken");

    let mails = sink.mails();
    let to: Vec<&str> = mails.iter().flat_map(|m| m.envelope_to.iter().map(String::as_str)).collect();
    assert_eq!(to, ["pilar@example.test", "second@example.test"]);
    assert_eq!(mails[0].envelope_from, "ken@example.test");
    let message = MessageParser::default().parse(&mails[0].raw).expect("a mail");
    assert_eq!(message.subject(), Some("Mise à jour: Budgét"));
    assert_eq!(message.message_id(), Some("update-1.pilar@example.test"));
    let calendar = message
        .parts
        .iter()
        .find(|part| part.content_type().is_some_and(|t| t.subtype() == Some("calendar")))
        .expect("a text/calendar part");
    assert_eq!(calendar.contents(), ITIP);
}

#[tokio::test]
async fn faults_of_a_real_server_have_their_kinds() {
    let sink = SmtpSink::start_with(&["--reject", "nobody@example.test", "--defer", "later@example.test"]);
    let sender = sender(&sink);
    let refused = sender.prepare(&invitation("nobody@example.test")).await.map(|_| ()).expect_err("550");
    assert_eq!((refused.kind, refused.code), (ErrorKind::Permanent, Code::MailRejected));
    assert!(refused.message.contains("nobody@example.test"), "{refused}");
    let deferred = sender.prepare(&invitation("later@example.test")).await.map(|_| ()).expect_err("451");
    assert_eq!((deferred.kind, deferred.code), (ErrorKind::Retry, Code::MailRejected));
    sender.prepare(&invitation("pilar@example.test")).await.expect("prepared").commit().await.expect("taken");
    assert_eq!(sink.mails().len(), 1);
}

#[tokio::test]
async fn a_server_that_keeps_the_mail_but_does_not_answer_leaves_it_unknown() {
    let sink = SmtpSink::start_with(&["--drop-after-data", "1"]);
    let sender = sender(&sink);
    sender.prepare(&invitation("first@example.test")).await.expect("prepared").commit().await.expect("taken");
    let second = sender.prepare(&invitation("second@example.test")).await.expect("prepared");
    let unknown = second.commit().await.expect_err("no answer");
    assert_eq!((unknown.kind, unknown.code), (ErrorKind::Permanent, Code::MailUnreachable));
}
