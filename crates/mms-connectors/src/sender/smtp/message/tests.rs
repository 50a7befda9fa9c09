use mail_parser::{MessageParser, MimeHeaders, PartType};
use proptest::prelude::*;

use super::*;

const ITIP: &[u8] = b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Budg\xC3\xA9t\r\n.dot\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

fn invitation() -> Invitation {
    Invitation {
        message_id: "abc.1@mms.example.org".into(),
        from: Address::new("ken@example.org"),
        from_name: Some("Ken Myér".into()),
        to: Address::new("pilar@example.net"),
        subject: "Budgét 2027".into(),
        language: "de".into(),
        join_url: "https://meet.example.org/room?a=1&b=2".into(),
        itip: ITIP.to_vec(),
    }
}

fn mail(invitation: &Invitation, extra: &str) -> Result<Mail, PortError> {
    let settings: SmtpSettings = toml::from_str(&format!("host = \"localhost\"\n{extra}")).unwrap();
    Mail::of(invitation, &settings, "2026-11-23T08:00:00Z".parse().unwrap())
}

/// What the server takes the data for: without the dots that were stuffed in.
fn unstuffed(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in data.split_inclusive(|&b| b == b'\n') {
        out.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
    }
    out
}

#[test]
fn the_readable_parts_name_the_meeting_and_its_start() {
    let text = |start: &str| {
        let itip =
            format!("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\n{start}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n");
        let mail = mail(&Invitation { itip: itip.into_bytes(), ..invitation() }, "").unwrap();
        let raw = unstuffed(&mail.data);
        let message = MessageParser::default().parse(&raw).unwrap();
        (message.body_text(0).unwrap().into_owned(), message.body_html(0).unwrap().into_owned())
    };
    for (start, shown) in [
        (
            "DTSTART;TZID=Europe/Berlin:20270505T090000",
            "Budgét 2027\r\n2027-05-05 09:00 (Europe/Berlin)\r\n\r\n",
        ),
        ("DTSTART:20270505T090000Z", "Budgét 2027\r\n2027-05-05 09:00 (UTC)\r\n\r\n"),
        ("DTSTART:20270505T090000", "Budgét 2027\r\n2027-05-05 09:00\r\n\r\n"),
        ("DTSTART;VALUE=DATE:20270505", "Budgét 2027\r\n2027-05-05\r\n\r\n"),
        ("DTSTART:20200505T090000Z\r\nRRULE:FREQ=DAILY", "Budgét 2027\r\n\r\n"),
        ("DTSTART:soon", "Budgét 2027\r\n\r\n"),
        ("DTSTART:2027050é", "Budgét 2027\r\n\r\n"),
    ] {
        let (plain, html) = text(start);
        assert!(plain.contains(shown), "{start}: {plain}");
        assert!(html.contains("<p>Budgét 2027"), "{html}");
    }
}

#[test]
fn the_message_is_what_rfc_6047_asks_for() {
    let mail = mail(&invitation(), "").unwrap();
    assert_eq!(
        (mail.envelope_from.as_str(), mail.recipient.as_str()),
        ("ken@example.org", "pilar@example.net")
    );
    let raw = unstuffed(&mail.data);
    let message = MessageParser::default().parse(&raw).unwrap();
    let address = |header: Option<&mail_parser::Address<'_>>| {
        let first = header.unwrap().first().unwrap();
        (first.name().map(str::to_owned), first.address().unwrap().to_owned())
    };
    assert_eq!(address(message.from()), (Some("Ken Myér".into()), "ken@example.org".into()));
    assert_eq!(address(message.reply_to()), (Some("Ken Myér".into()), "ken@example.org".into()));
    assert_eq!(address(message.to()), (None, "pilar@example.net".into()));
    assert_eq!(message.subject(), Some("Aktualisiert: Budgét 2027"));
    assert_eq!(message.message_id(), Some("abc.1@mms.example.org"));
    assert_eq!(message.date().unwrap().to_rfc3339(), "2026-11-23T08:00:00Z");
    assert_eq!(message.header_raw("Auto-Submitted").unwrap().trim(), "auto-generated");
    assert!(message.header("Sender").is_none());

    let kinds: Vec<String> = message
        .parts
        .iter()
        .map(|part| {
            part.content_type().map(|t| format!("{}/{}", t.ctype(), t.subtype().unwrap_or(""))).unwrap()
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "multipart/mixed",
            "multipart/alternative",
            "text/plain",
            "text/html",
            "text/calendar",
            "application/ics"
        ]
    );
    let calendar = &message.parts[4];
    let content_type = calendar.content_type().unwrap();
    assert_eq!(content_type.attribute("method"), Some("REQUEST"));
    assert_eq!(content_type.attribute("charset"), Some("UTF-8"));
    assert_eq!(calendar.contents(), ITIP);
    assert_eq!(message.parts[5].contents(), ITIP);
    assert_eq!(message.parts[5].attachment_name(), Some("invite.ics"));
    let text = message.body_text(0).unwrap();
    assert!(text.contains("Online-Ort") && text.contains("https://meet.example.org/room?a=1&b=2"));
    assert!(matches!(&message.parts[3].body, PartType::Html(html) if html.contains("?a=1&amp;b=2")));
}

#[test]
fn sender_and_envelope_follow_the_settings() {
    let head = |extra: &str| {
        let mail = mail(&invitation(), extra).unwrap();
        let raw = unstuffed(&mail.data);
        let message = MessageParser::default().parse(&raw).unwrap();
        let first = |a: Option<&mail_parser::Address<'_>>| {
            a.and_then(|a| a.first()).and_then(|a| a.address()).map(str::to_owned)
        };
        (mail.envelope_from, first(message.from()), first(message.sender()), first(message.reply_to()))
    };
    let ken = || Some("ken@example.org".to_owned());
    let mms = || Some("mms@example.org".to_owned());
    assert_eq!(head("sender = \"mms@example.org\""), ("mms@example.org".into(), ken(), mms(), ken()));
    assert_eq!(head("envelope_from = \"bounce@example.org\"").0, "bounce@example.org");
    assert_eq!(
        head("sender = \"mms@example.org\"\nfrom = \"sender\""),
        ("mms@example.org".into(), mms(), None, ken())
    );
}

#[test]
fn addresses_that_would_inject_are_refused() {
    for address in
        ["a@b\r\nBcc: x@y", "a b@c", "<a@b>", "a@b>\r\nRCPT TO:<x@y", "nobody", "@b", "a@", "a@b,c@d"]
    {
        let mut evil = invitation();
        evil.to = Address::new(address);
        assert_eq!(mail(&evil, "").map(|_| ()).unwrap_err().code, Code::MailRejected, "{address}");
        let mut evil = invitation();
        evil.from = Address::new(address);
        assert!(mail(&evil, "").is_err(), "{address}");
    }
    for id in ["a@b>\r\nX: y", "", "no-at", "a @b"] {
        let mut evil = invitation();
        evil.message_id = id.into();
        assert!(mail(&evil, "").is_err(), "{id}");
    }
    let mut beyond_ascii = invitation();
    assert!(!mail(&beyond_ascii, "").unwrap().needs_smtputf8);
    beyond_ascii.to = Address::new("zoë@example.net");
    assert!(mail(&beyond_ascii, "").unwrap().needs_smtputf8);
}

proptest! {
    #[test]
    fn no_text_can_inject_a_header_or_end_the_mail(
        subject in "(.|\r|\n|\\.|Bcc: evil@x\\.test){0,80}",
        name in "(.|\r|\n|\"|<|>|,|evil@x\\.test){0,60}",
        url in "(.|\r|\n){0,80}",
        itip in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut invitation = invitation();
        invitation.subject = subject;
        invitation.from_name = Some(name);
        invitation.join_url = url;
        invitation.itip = itip.clone();
        let mail = mail(&invitation, "").unwrap();
        let ended = mail.data.windows(5).any(|w| w == b"\r\n.\r\n") || mail.data.starts_with(b".\r\n");
        prop_assert!(!ended);
        prop_assert!(mail.data.ends_with(b"\r\n"));
        prop_assert!(mail.data.split(|&b| b == b'\n').all(|line| line.len() <= 999));
        let raw = unstuffed(&mail.data);
        let message = MessageParser::default().parse(&raw).unwrap();
        let mut names: Vec<&str> = message.headers().iter().map(|h| h.name()).collect();
        names.sort_unstable();
        let expected =
            ["Auto-Submitted", "Content-Type", "Date", "From", "MIME-Version", "Message-ID", "Reply-To", "Subject", "To"];
        prop_assert!(names.iter().zip(expected).all(|(a, b)| a.eq_ignore_ascii_case(b)) && names.len() == expected.len(), "{names:?}");
        prop_assert_eq!(message.to().unwrap().iter().count(), 1);
        prop_assert_eq!(message.from().unwrap().iter().count(), 1);
        // The text/calendar part is the same base64, but the parser turns it into UTF-8.
        prop_assert_eq!(message.parts[5].contents(), &itip[..]);
    }

    #[test]
    fn stuffing_keeps_the_lines_and_adds_nothing_but_dots(text in "(\\.|a|\r\n){0,60}") {
        let data = dot_stuffed(text.as_bytes());
        let mut expected = text.clone().into_bytes();
        if !expected.is_empty() && !text.ends_with("\r\n") {
            expected.extend_from_slice(b"\r\n");
        }
        prop_assert_eq!(unstuffed(&data), expected);
    }

    #[test]
    fn stuffed_data_has_no_lone_line_ends(bytes in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'.'), any::<u8>()], 0..200)) {
        let data = dot_stuffed(&bytes);
        for (position, &byte) in data.iter().enumerate() {
            match byte {
                b'\r' => prop_assert_eq!(data.get(position + 1), Some(&b'\n')),
                b'\n' => prop_assert_eq!(data.get(position.wrapping_sub(1)), Some(&b'\r')),
                _ => {}
            }
        }
        prop_assert!(!data.windows(5).any(|w| w == b"\r\n.\r\n"));
    }
}
