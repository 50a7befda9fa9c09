//! A mail server on this machine that takes every mail, counts it and throws it away: so that the demo
//! can send its updates through the real sender and tell how many each attendee got.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Mails by recipient and meeting.
type Counts = BTreeMap<(String, String), u64>;

/// The server; it ends with the program.
#[derive(Debug, Clone)]
pub struct PostBox {
    address: SocketAddr,
    counts: Arc<Mutex<Counts>>,
}

impl PostBox {
    /// Opens it on a free port of the loopback interface.
    ///
    /// # Errors
    /// No port is free.
    pub async fn open() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let post_box = Self { address: listener.local_addr()?, counts: Arc::default() };
        let taker = post_box.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let taker = taker.clone();
                tokio::spawn(async move {
                    // A connection that breaks is the sender's to report.
                    let _ = taker.converse(stream).await;
                });
            }
        });
        Ok(post_box)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Mails taken, and the most that one attendee got for one meeting.
    pub fn taken(&self) -> (u64, u64) {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        (counts.values().sum(), counts.values().copied().max().unwrap_or(0))
    }

    /// SMTP (RFC 5321) as far as a sender needs it.
    async fn converse(&self, stream: TcpStream) -> std::io::Result<()> {
        let (reading, mut writing) = stream.into_split();
        let mut reading = BufReader::new(reading);
        writing.write_all(b"220 demo ESMTP\r\n").await?;
        let (mut line, mut recipients) = (String::new(), Vec::new());
        loop {
            line.clear();
            if reading.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let upper = line.to_ascii_uppercase();
            let answer: &[u8] = match upper.get(..4).unwrap_or_default() {
                "EHLO" => b"250-demo\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
                "RCPT" => {
                    recipients.push(address_in(&line));
                    b"250 ok\r\n"
                }
                "DATA" => {
                    writing.write_all(b"354 go ahead\r\n").await?;
                    let meeting = take_mail(&mut reading).await?;
                    self.count(&meeting, recipients.drain(..));
                    b"250 taken\r\n"
                }
                "RSET" => {
                    recipients.clear();
                    b"250 ok\r\n"
                }
                "QUIT" => {
                    writing.write_all(b"221 bye\r\n").await?;
                    return Ok(());
                }
                _ => b"250 ok\r\n",
            };
            writing.write_all(answer).await?;
        }
    }

    fn count(&self, meeting: &str, recipients: impl Iterator<Item = String>) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for recipient in recipients {
            *counts.entry((recipient, meeting.to_owned())).or_default() += 1;
        }
    }
}

/// The mail address between the angle brackets.
fn address_in(line: &str) -> String {
    line.split(['<', '>']).nth(1).unwrap_or_default().to_ascii_lowercase()
}

/// Reads a mail to its final dot; what it says of the meeting is its Message-ID, which is the same
/// for the same meeting, attendee and update.
async fn take_mail(reading: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> std::io::Result<String> {
    let (mut line, mut id) = (Vec::new(), String::new());
    loop {
        line.clear();
        if reading.read_until(b'\n', &mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" {
            return Ok(id);
        }
        let text = String::from_utf8_lossy(&line);
        if id.is_empty() && text.to_ascii_lowercase().starts_with("message-id:") {
            id = text.trim_end().to_owned();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_counts_what_it_takes() {
        let post_box = PostBox::open().await.unwrap();
        let mut stream = TcpStream::connect(post_box.address).await.unwrap();
        let mail = "EHLO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<B@x>\r\nDATA\r\nMessage-ID: <1>\r\n\r\nhi\r\n.\r\n";
        stream.write_all(format!("{mail}{mail}QUIT\r\n").as_bytes()).await.unwrap();
        let mut answers = BufReader::new(stream).lines();
        while let Ok(Some(_)) = answers.next_line().await {}
        assert_eq!(post_box.taken(), (2, 2), "the same mail twice is told apart from two mails");
    }
}
