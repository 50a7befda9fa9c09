//! Where the configuration is looked for.

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Environment variable that names the configuration file.
pub const VARIABLE: &str = "MMS_CONFIG";
/// The file in the working directory.
pub const LOCAL: &str = "mms.toml";
/// The file of the system.
pub const SYSTEM: &str = "/etc/mms/mms.toml";

/// The configuration file: what `--config` names, then `$MMS_CONFIG`, `./mms.toml`, `/etc/mms/mms.toml`.
///
/// # Errors
/// There is none.
pub fn locate(named: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(path) = named {
        return Ok(path.to_owned());
    }
    if let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    [LOCAL, SYSTEM].iter().map(PathBuf::from).find(|path| path.exists()).ok_or_else(|| {
        Failure::usage(format!(
            "no configuration was found (--config, ${VARIABLE}, ./{LOCAL}, {SYSTEM}): write one with `mms config init`"
        ))
    })
}

/// Where the store is when the configuration does not say: with root `/var/lib/mms/mms.db`, else
/// `$XDG_STATE_HOME/mms/mms.db` (`~/.local/state/mms/mms.db`).
pub fn default_store() -> PathBuf {
    default_state_folder().join("mms.db")
}

/// The socket of the admin API when the configuration does not say: `admin.sock` beside the store.
pub fn default_socket(store: &Path) -> PathBuf {
    store.with_file_name("admin.sock")
}

fn default_state_folder() -> PathBuf {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(state) = absolute("XDG_STATE_HOME") {
        return state.join("mms");
    }
    match absolute("HOME") {
        // root's home tells root apart without a system call; a service has /var/lib either way.
        Some(home) if home != Path::new("/root") => home.join(".local/state/mms"),
        _ => PathBuf::from("/var/lib/mms"),
    }
}
