use std::io::{self, BufRead, Read};

use tokio::sync::mpsc;

/// A body that is read while it arrives, for parsers that want a [`BufRead`]; it belongs on a
/// blocking thread. Fails where the connection broke or the body grew too large.
pub struct BodyReader {
    chunks: mpsc::Receiver<io::Result<Vec<u8>>>,
    current: Vec<u8>,
    at: usize,
}

impl BodyReader {
    /// A reader and the end that feeds it.
    pub(super) fn channel() -> (mpsc::Sender<io::Result<Vec<u8>>>, Self) {
        // Few chunks in flight: a slow parser slows the server down, not memory up.
        let (sender, chunks) = mpsc::channel(4);
        (sender, Self { chunks, current: Vec::new(), at: 0 })
    }
}

impl BufRead for BodyReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.at >= self.current.len() {
            match self.chunks.blocking_recv() {
                Some(chunk) => {
                    self.current = chunk?;
                    self.at = 0;
                }
                None => return Ok(&[]),
            }
        }
        Ok(self.current.get(self.at..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount;
    }
}

impl Read for BodyReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..count), available.get(..count)) {
            to.copy_from_slice(from);
        }
        self.consume(count);
        Ok(count)
    }
}
