//! What a failure of the file system means for a meeting.

use std::io;
use std::path::Path;

use mms_model::{Code, ErrorKind, PortError};

use super::shown;

/// Reading `path` failed.
pub(super) fn reading(path: &Path, error: &io::Error) -> PortError {
    failed("read", path, error)
}

/// Writing `path`, or what takes its place, failed; the file is as it was.
pub(super) fn writing(path: &Path, error: &io::Error) -> PortError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            PortError::retry(
                Code::StorageFull,
                format!("no room to write {}: {error}; the file is as it was, make room", shown(path)),
            )
        }
        io::ErrorKind::ReadOnlyFilesystem => PortError::permanent(
            Code::StorageFull,
            format!("{} lies on a read-only file system; mount it writable", shown(path)),
        ),
        _ => failed("write", path, error),
    }
}

fn failed(verb: &str, path: &Path, error: &io::Error) -> PortError {
    let path = shown(path);
    if error.kind() == io::ErrorKind::PermissionDenied {
        return PortError::new(
            ErrorKind::Unauthorised,
            Code::CalendarAccessDenied,
            format!("{path} may not be {}: {error}; give the account of MMS the right", participle(verb)),
        );
    }
    PortError::retry(Code::FileAccess, format!("{path} could not be {}: {error}", participle(verb)))
}

fn participle(verb: &str) -> &'static str {
    if verb == "read" { "read" } else { "written" }
}

/// The file changed since it was read.
pub(super) fn conflict(path: &Path) -> PortError {
    PortError::new(
        ErrorKind::Conflict,
        Code::EventConflict,
        format!("{} was changed by somebody else meanwhile", shown(path)),
    )
}

/// The event is no longer there.
pub(super) fn gone(path: &Path, uid: &str) -> PortError {
    PortError::new(
        ErrorKind::Gone,
        Code::EventGone,
        format!("the event with UID {uid} is no longer in {}", shown(path)),
    )
}

/// The file cannot be taken for a calendar.
pub(super) fn unreadable(path: &Path, what: &str) -> PortError {
    PortError::permanent(Code::UnreadableEvent, format!("{} {what}", shown(path)))
}
