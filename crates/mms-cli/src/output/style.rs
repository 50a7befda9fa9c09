//! Colour, only where a person looks; and text from outside made safe to show.

use std::io::IsTerminal;

/// Whether text is coloured, and how wide it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    colour: bool,
    /// The cells of a line, where it goes to a terminal.
    pub(super) width: Option<usize>,
}

impl Style {
    /// Colour where stdout is a terminal that takes it and `NO_COLOR` (no-color.org) is not set.
    pub fn of_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
            || std::env::var_os("TERM").is_some_and(|v| v == "dumb");
        let stdout = std::io::stdout();
        let width = terminal_size::terminal_size_of(&stdout).map(|(width, _)| usize::from(width.0));
        Self { colour: stdout.is_terminal() && !refused, width: width.filter(|width| *width > 0) }
    }

    /// No colour.
    pub fn plain() -> Self {
        Self { colour: false, width: None }
    }

    /// The same, no wider than `width` cells.
    #[cfg(test)]
    pub fn within(self, width: usize) -> Self {
        Self { width: Some(width), ..self }
    }

    /// A value in the colour of what it means under its column's name.
    pub fn value(self, column: &str, text: &str) -> String {
        let meaning = match (column, text) {
            ("State" | "Outcome" | "Result", "Failed") => "31",
            ("State" | "Outcome" | "Result", "Succeeded" | "Migrated" | "AlreadyThere" | "Passed") => "32",
            ("State" | "Outcome" | "Result", "InProgress" | "WillRetry" | "Warning") => "33",
            _ => return text.to_owned(),
        };
        self.paint(meaning, text)
    }

    /// Removed text.
    pub fn removed(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// Added text.
    pub fn added(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// A heading.
    pub fn heading(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn paint(self, sgr: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{sgr}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Text with control characters and direction overrides made visible: an invite's subject must not
/// steer the administrator's terminal.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control() || steers_direction(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// Embeddings, overrides and isolates, by which text shows in another order than it has.
pub fn steers_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_not_sent() {
        assert_eq!(printable("a\u{1b}[2J\u{9b}1mb\u{202e}c\td"), "a\u{fffd}[2J\u{fffd}1mb\u{fffd}c d");
    }

    #[test]
    fn colour_follows_the_meaning() {
        let colour = Style { colour: true, width: None };
        assert_eq!(colour.value("State", "Failed"), "\u{1b}[31mFailed\u{1b}[0m");
        assert_eq!(colour.value("Name", "Failed"), "Failed");
        assert_eq!(Style::plain().value("State", "Failed"), "Failed");
    }
}
