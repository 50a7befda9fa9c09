//! The SMTP server and what it kept.

use std::{fs, path::PathBuf};

use serde::Deserialize;

use crate::launcher::Launcher;

/// An SMTP server on loopback that keeps every mail it accepts.
pub struct SmtpSink {
    /// The address that it listens on.
    pub host: String,
    /// The port that it listens on.
    pub port: u16,
    maildir: PathBuf,
    _launcher: Launcher,
}

/// One accepted mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The sender of the envelope (`MAIL FROM`).
    pub envelope_from: String,
    /// The recipients of the envelope (`RCPT TO`), in the order given.
    pub envelope_to: Vec<String>,
    /// The mail as it came, headers and body.
    pub raw: Vec<u8>,
}

#[derive(Deserialize)]
struct Ready {
    host: String,
    port: u16,
    maildir: PathBuf,
}

impl SmtpSink {
    /// Starts one that accepts everything.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with the faults of `serve.py`: `--reject ADDRESS` (550), `--defer ADDRESS` (451),
    /// `--delay SECONDS`, `--drop-after-data N` (keep mails after the Nth, but close instead of answering).
    pub fn start_with(faults: &[&str]) -> Self {
        let (launcher, ready): (_, Ready) = Launcher::start(&[&["smtp"], faults].concat());
        Self { host: ready.host, port: ready.port, maildir: ready.maildir, _launcher: launcher }
    }

    /// What was accepted up to now, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        let mut paths: Vec<_> = fs::read_dir(self.maildir.join("new"))
            .expect("the sink has a maildir")
            .map(|entry| entry.expect("the maildir can be read").path())
            .collect();
        paths.sort();
        paths.iter().map(|path| Mail::parse(&fs::read(path).expect("a kept mail can be read"))).collect()
    }
}

impl Mail {
    /// Splits off the two envelope headers that the sink wrote in front.
    fn parse(kept: &[u8]) -> Self {
        let (from, rest) = split_header(kept, b"X-Envelope-From: ");
        let (to, raw) = split_header(rest, b"X-Envelope-To: ");
        Self {
            envelope_from: from,
            envelope_to: to.split(", ").map(str::to_owned).collect(),
            raw: raw.to_vec(),
        }
    }
}

fn split_header<'a>(mail: &'a [u8], name: &[u8]) -> (String, &'a [u8]) {
    let value = mail.strip_prefix(name).expect("the sink writes the envelope first");
    let end = value.windows(2).position(|pair| pair == b"\r\n").expect("a header ends");
    (String::from_utf8_lossy(&value[..end]).into_owned(), &value[end + 2..])
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Write},
        net::TcpStream,
    };

    use super::*;

    /// Speaks SMTP line by line and returns the code of each answer.
    fn converse(sink: &SmtpSink, lines: &[&str]) -> Vec<String> {
        let connection = TcpStream::connect((sink.host.as_str(), sink.port)).expect("it listens");
        let mut answers = BufReader::new(connection.try_clone().expect("a socket can be cloned")).lines();
        let mut connection = connection;
        let mut codes = vec![answers.next().expect("a greeting").expect("text")[..3].to_owned()];
        for line in lines {
            connection.write_all(format!("{line}\r\n").as_bytes()).expect("it reads");
            codes.push(answers.next().expect("an answer").expect("text")[..3].to_owned());
        }
        codes
    }

    #[test]
    fn a_mail_is_kept_as_it_came_with_its_envelope() {
        let sink = SmtpSink::start_with(&["--reject", "nobody@example.test"]);
        let codes = converse(
            &sink,
            &[
                "HELO test",
                "MAIL FROM:<alice@example.test>",
                "RCPT TO:<bob@example.test>",
                "RCPT TO:<nobody@example.test>",
                "RCPT TO:<carol@example.test>",
                "DATA",
                "Subject: Zoë\r\n\r\nHello\r\n.",
            ],
        );
        assert_eq!(codes, ["220", "250", "250", "250", "550", "250", "354", "250"]);
        assert_eq!(
            sink.mails(),
            [Mail {
                envelope_from: "alice@example.test".into(),
                envelope_to: vec!["bob@example.test".into(), "carol@example.test".into()],
                raw: "Subject: Zoë\r\n\r\nHello\r\n".as_bytes().to_vec(),
            }]
        );
    }
}
