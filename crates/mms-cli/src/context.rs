//! What a command runs in: the global options, the output, and who asks.

use crate::arguments::Global;
use crate::config::{self, Config};
use crate::failure::Failure;
use crate::output::{Output, Style};

/// What a command runs in.
#[derive(Debug, Clone)]
pub struct Context {
    global: Global,
    /// Where rows go.
    pub output: Output,
}

impl Context {
    /// The context of these options.
    pub fn new(global: Global) -> Self {
        let output = Output::new(global.output, Style::of_stdout());
        Self { global, output }
    }

    /// Finds and reads the configuration.
    ///
    /// # Errors
    /// There is none, or it is wrong.
    pub fn config(&self) -> Result<Config, Failure> {
        config::load(&config::locate::locate(self.global.config.as_deref())?)
    }

    /// The configuration where there is one; for commands that work without.
    ///
    /// # Errors
    /// It is named and cannot be read, or is wrong.
    pub fn config_if_any(&self) -> Result<Option<Config>, Failure> {
        match config::locate::locate(self.global.config.as_deref()) {
            Ok(path) => config::load(&path).map(Some),
            Err(_) => Ok(None),
        }
    }

    /// What `--config` names.
    pub fn named_config(&self) -> Option<&std::path::Path> {
        self.global.config.as_deref()
    }
}

/// Who asks, for the record: the login name behind `sudo`, or of this process.
pub fn administrator() -> String {
    ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| "administrator".to_owned())
}
