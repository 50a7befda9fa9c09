//! From what the directory says to a user's folder, and never out of the root.

use std::io;
use std::path::{Component, Path, PathBuf};

use mms_model::{Code, ErrorKind, PortError, User};

use super::{IcsFolderSettings, failure, shown};

/// The root, with links resolved.
///
/// # Errors
/// `CalendarNotFound`, `CalendarAccessDenied`.
pub(super) fn root(root: &Path) -> Result<PathBuf, PortError> {
    let found = root.canonicalize().and_then(|found| Ok((found.metadata()?.is_dir(), found)));
    match found {
        Ok((true, found)) => Ok(found),
        Ok((false, _)) => Err(not_found(format!("{} is no folder; set root to one", shown(root)))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(not_found(format!("the root {} is not there; set root to an existing folder", shown(root))))
        }
        Err(error) => Err(failure::reading(root, &error)),
    }
}

/// The folder of `user`.
///
/// # Errors
/// `CalendarNotFound` where it is missing or outside the root, `CalendarAccessDenied`.
pub(super) fn folder(settings: &IcsFolderSettings, user: &User) -> Result<PathBuf, PortError> {
    let root = root(&settings.root)?;
    let named = user.calendar.as_ref().map(|c| c.place.trim()).filter(|place| !place.is_empty());
    let place = match named {
        Some(place) => place.to_owned(),
        None => of_upn(&settings.place, &user.upn)?,
    };
    let outside = || {
        not_found(format!(
            "the calendar place \"{}\" of {} leads out of the root {}; correct it in the directory",
            place.escape_debug(),
            user.upn,
            shown(&root)
        ))
    };
    let place_path = Path::new(&place);
    // A place may be given whole, where it lies in the root; `..` may lead out through a link.
    if place_path.components().any(|c| matches!(c, Component::ParentDir | Component::Prefix(_)))
        || place.contains('\0')
    {
        return Err(outside());
    }
    let path = root.join(place_path);
    let found = match path.canonicalize() {
        Ok(found) => found,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Err(not_found(format!(
                "the folder {} of {} is not there; make it, or correct the user's place in the directory",
                shown(&path),
                user.upn
            )));
        }
        Err(error) => return Err(failure::reading(&path, &error)),
    };
    if !found.starts_with(&root) {
        return Err(outside());
    }
    let metadata = found.metadata().map_err(|error| failure::reading(&found, &error))?;
    if !metadata.is_dir() {
        return Err(not_found(format!("{} is no folder; a place is a folder of .ics files", shown(&found))));
    }
    // Reading the list now tells a missing right from an empty calendar.
    std::fs::read_dir(&found).map_err(|error| failure::reading(&found, &error))?;
    Ok(found)
}

/// The place template with the UPN in it. A UPN is one name of a folder, not a path.
fn of_upn(template: &str, upn: &str) -> Result<String, PortError> {
    if template.contains("{upn}") && (upn.contains(['/', '\\', '\0']) || upn.starts_with('.')) {
        return Err(not_found(format!(
            "the user principal name \"{}\" cannot name a folder; give the user a place in the directory",
            upn.escape_debug()
        )));
    }
    Ok(template.replace("{upn}", upn))
}

fn not_found(message: String) -> PortError {
    PortError::new(ErrorKind::Permanent, Code::CalendarNotFound, message)
}
