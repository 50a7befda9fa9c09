//! Ids of events in a folder: the file's path below the folder, `#`, and the UID.
//!
//! In the path `%` and `#` are written `%25` and `%23`, so that the first `#` ends it. Two files with
//! one UID are two events.

use std::path::{Component, Path};

use mms_model::{Code, EventId, PortError};

/// The id of the event with `uid` in the file `relative`.
pub(super) fn of(relative: &str, uid: &str) -> EventId {
    EventId(format!("{}#{uid}", escaped(relative)))
}

/// The id under which a whole file is named in errors.
pub(super) fn of_file(relative: &str) -> EventId {
    EventId(escaped(relative))
}

fn escaped(relative: &str) -> String {
    relative.replace('%', "%25").replace('#', "%23")
}

/// File and UID of an id.
///
/// # Errors
/// `UnreadableEvent` where it is no id of ours, or would lead out of the folder.
pub(super) fn parts(id: &EventId) -> Result<(String, String), PortError> {
    let refused = || {
        PortError::permanent(
            Code::UnreadableEvent,
            format!("\"{}\" names no event in a folder", id.0.escape_debug()),
        )
    };
    let (path, uid) = id.0.split_once('#').ok_or_else(refused)?;
    let relative = path.replace("%23", "#").replace("%25", "%");
    let inside = !relative.is_empty()
        && !relative.contains('\0')
        && Path::new(&relative).components().all(|c| matches!(c, Component::Normal(_)));
    if inside { Ok((relative, uid.to_owned())) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_lead_out_of_the_folder_are_refused() {
        for id in
            ["../a.ics#u", "/etc/a.ics#u", "a/../../b.ics#u", "#u", "a.ics", "a\0.ics#u", "./../a.ics#u"]
        {
            assert!(parts(&EventId(id.into())).is_err(), "{id}");
        }
    }

    proptest::proptest! {
        #[test]
        fn file_and_uid_come_back(file in "[a-z#% é.]{1,20}\\.ics", folder in "[a-z#%]{1,5}", uid in ".{0,30}") {
            let relative = format!("{folder}/{file}");
            proptest::prop_assert_eq!(parts(&of(&relative, &uid)).unwrap(), (relative, uid));
        }
    }
}
