//! Whether a daemon runs.

use std::os::unix::net::UnixStream;
use std::path::Path;

/// Whether a daemon answers on its socket. One that this account may not ask runs, too.
pub fn is_running(socket: &Path) -> bool {
    use std::io::ErrorKind::{ConnectionRefused, NotFound};
    match UnixStream::connect(socket) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), NotFound | ConnectionRefused),
    }
}
