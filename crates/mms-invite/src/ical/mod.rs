//! iCalendar (RFC 5545) without loss: content lines as ranges of the input, and edits that replace
//! ranges and leave every other byte as it was.
//!
//! Nothing here fails on odd input. A physical line that cannot start a content line (as in
//! descriptions that somebody wrote without escaping or folding) belongs to the line before it.

mod component;
mod edit;
mod line;
mod text;

pub use component::{Component, Document};
pub use edit::Edits;
pub use line::Line;
pub(crate) use line::outside_quotes;
pub use text::{Text, escape};

/// The line ending that a file uses: the first one in it, CRLF where there is none.
pub fn line_ending(bytes: &[u8]) -> &'static str {
    match memchr::memchr(b'\n', bytes) {
        Some(at) if at > 0 && bytes.get(at - 1) == Some(&b'\r') => "\r\n",
        Some(_) => "\n",
        None => "\r\n",
    }
}
