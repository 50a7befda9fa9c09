//! Messages to a domain controller, over TCP (RFC 4120 section 7.2.2).

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::Url;

/// Where domain controllers listen.
const PORT: u16 = 88;
/// How long one of them may take to be connected to.
const CONNECT: Duration = Duration::from_secs(3);
/// How long an answer may take in all.
const PATIENCE: Duration = Duration::from_secs(15);
/// The largest answer: a ticket with the groups of its user is some ten kilobytes.
const LARGEST: u32 = 1 << 20;

/// Sends a message that begins with its length; the answer begins with its own.
pub(super) async fn ask(server: &Url, message: &[u8]) -> io::Result<Vec<u8>> {
    let host = server.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = server.port().unwrap_or(PORT);
    tokio::time::timeout(PATIENCE, round(host, port, message))
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")))
}

/// Connects to the first that comes up; the name of a domain leads to all of its controllers.
async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "its name leads nowhere");
    for address in tokio::net::lookup_host((host, port)).await? {
        match tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failed = error,
            Err(_) => failed = io::Error::new(io::ErrorKind::TimedOut, "no connection in time"),
        }
    }
    Err(failed)
}

async fn round(host: &str, port: u16, message: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = connect(host, port).await?;
    stream.write_all(message).await?;
    let length = stream.read_u32().await?;
    if length > LARGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is too large"));
    }
    let mut answer = length.to_be_bytes().to_vec();
    let read = stream.take(u64::from(length)).read_to_end(&mut answer).await?;
    if u32::try_from(read).ok() != Some(length) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(answer)
}
