//! Progress of long work: a bar on a terminal, plain lines elsewhere, both on stderr.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::{cut, one_line, tell};

/// Progress through a known number of things.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    done: u64,
    total: u64,
    what: &'static str,
}

impl Progress {
    /// Progress through `total` things, `what` in the plural.
    pub fn new(total: u64, what: &'static str) -> Self {
        let bar = (std::io::stderr().is_terminal() && total > 0).then(|| {
            let bar = ProgressBar::new(total);
            let style = ProgressStyle::with_template("{bar:16} {pos}/{len} {prefix} {elapsed}  {wide_msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━━┄"));
            bar.set_prefix(what);
            // Time goes on while a server takes its time.
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        Self { bar, done: 0, total, what }
    }

    /// Says what is being worked on.
    pub fn note(&self, message: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(self.fitting(message));
        }
    }

    /// The message as it fits behind the bar: one that wraps would leave lines behind.
    fn fitting(&self, message: &str) -> String {
        let total = self.total.to_string().len();
        let before = 16 + 1 + 2 * total + 1 + 1 + self.what.len() + 1 + "59m".len() + 2;
        let terminal = terminal_size::terminal_size_of(std::io::stderr());
        let width = terminal.map_or(80, |(width, _)| usize::from(width.0));
        let mut message = one_line(message);
        cut(&mut message, width.saturating_sub(before).max(12));
        message
    }

    /// One more is done.
    pub fn advance(&mut self, message: &str) {
        self.done += 1;
        match &self.bar {
            Some(bar) => {
                bar.set_message(self.fitting(message));
                bar.inc(1);
            }
            None => tell(&format!("{}/{} {}: {message}", self.done, self.total, self.what)),
        }
    }

    /// Ends it; a bar goes away.
    pub fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
