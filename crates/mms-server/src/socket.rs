//! The Unix socket that the API listens on: for its owner only, never open to others for a moment.

use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// A socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Somebody listens there.
    #[error("another daemon listens on {}: stop it, or give this one another socket and store", .0.display())]
    InUse(PathBuf),
    /// What the operating system says.
    #[error("the socket {} cannot be opened: {source}; check its folder and who may write there", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A listening socket; its file goes away with it.
#[derive(Debug)]
pub struct Socket {
    /// Accepts connections.
    pub listener: UnixListener,
    _file: SocketFile,
}

/// The file of a socket, removed at the end.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Socket {
    /// Opens the socket with mode 0600. A file that a dead daemon left is replaced.
    ///
    /// # Errors
    /// Another daemon listens there, or the file cannot be made.
    pub async fn open(path: &Path) -> Result<Self, SocketError> {
        if UnixStream::connect(path).await.is_ok() {
            return Err(SocketError::InUse(path.to_owned()));
        }
        bind(path).map_err(|source| SocketError::Io { path: path.to_owned(), source })
    }

    /// The listener, and the file to keep until the end.
    pub fn into_parts(self) -> (UnixListener, SocketFile) {
        (self.listener, self._file)
    }
}

/// Binds in a folder that nobody else can enter and moves the socket to its place when its mode is
/// set, because bind(2) makes it with the mode that the umask leaves.
fn bind(path: &Path) -> io::Result<Socket> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let private = folder.join(format!(".admin-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&private);
    std::fs::DirBuilder::new().mode(0o700).create(&private)?;
    let bound: io::Result<UnixListener> = (|| {
        let at = private.join("s");
        let listener = UnixListener::bind(&at)?;
        std::fs::set_permissions(&at, std::fs::Permissions::from_mode(0o600))?;
        std::fs::rename(&at, path)?;
        Ok(listener)
    })();
    let _ = std::fs::remove_dir_all(&private);
    Ok(Socket { listener: bound?, _file: SocketFile(path.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_is_private_and_one_daemon_has_it() {
        let folder = std::env::temp_dir().join(format!("mms-socket-{}", std::process::id()));
        let path = folder.join("admin.sock");
        let first = Socket::open(&path).await.unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(matches!(Socket::open(&path).await, Err(SocketError::InUse(_))));
        drop(first);
        assert!(!path.exists());
        std::fs::write(&path, "left by a dead daemon").unwrap();
        drop(Socket::open(&path).await.unwrap());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
