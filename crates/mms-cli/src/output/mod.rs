//! What commands print: rows of named values, in the format that was asked for.

mod csv;
mod json;
mod list;
mod style;
mod table;
mod value;

pub use style::{Style, printable};
pub use table::cut;
pub use value::{Rows, Value};

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ValueEnum;

use crate::failure::Failure;

/// The format of `-o`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON array.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a header; cells that a spreadsheet would run are disarmed.
    Csv,
    /// Columns.
    Table,
    /// One `Name : value` a line, records separated by a blank line.
    List,
}

/// Where a command's rows go and how they look.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    format: Option<Format>,
    style: Style,
}

impl Output {
    /// Output in `format`, or in what suits the rows where none was asked for.
    pub fn new(format: Option<Format>, style: Style) -> Self {
        Self { format, style }
    }

    /// The format that was asked for.
    pub fn format(&self) -> Option<Format> {
        self.format
    }

    /// The style of text for people.
    pub fn style(&self) -> Style {
        self.style
    }

    /// Prints rows to stdout. Where there are none, `nothing` goes to stderr and stdout gets what
    /// the format has for no rows.
    ///
    /// # Errors
    /// Writing failed.
    pub fn print(&self, rows: &Rows, default: Format, nothing: &str) -> Result<(), Failure> {
        if rows.is_empty() {
            tell(nothing);
        }
        let stdout = io::stdout().lock();
        let mut to = io::BufWriter::new(stdout);
        self.write(rows, default, &mut to)
            .and_then(|()| to.flush())
            .or_else(|error| ignore_closed_pipe(&error))
    }

    fn write(&self, rows: &Rows, default: Format, to: &mut dyn Write) -> io::Result<()> {
        match self.format.unwrap_or(default) {
            Format::Json => json::write_array(rows, to),
            Format::Jsonl => json::write_lines(rows, to),
            Format::Csv => csv::write(rows, to),
            Format::Table => table::write(rows, self.style, to),
            Format::List => list::write(rows, self.style, to),
        }
    }
}

/// Prints text to stdout.
///
/// # Errors
/// Writing failed.
pub fn print_text(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .or_else(|error| ignore_closed_pipe(&error))
}

/// Prints a line to stderr, made safe to show. That nobody reads it any more is no reason to stop: work that was
/// begun goes on to its end.
pub fn tell(line: &str) {
    tell_raw(&format!("{}\n", one_line(line)));
}

/// Prints text to stderr as it is; the same holds.
pub fn tell_raw(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// A line for people is cut behind so many characters; what is longer came from outside and fills the screen.
const LONGEST_LINE: usize = 2_000;

/// A number of things: `1 user`, `2 users`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Text from anywhere in one line that is safe to show, and not longer than a screen.
pub fn one_line(text: &str) -> String {
    let mut line = String::new();
    for part in text.split(['\r', '\n']).map(str::trim).filter(|part| !part.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(part);
        if line.len() > LONGEST_LINE * 4 {
            break;
        }
    }
    match line.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => printable(line.get(..end).unwrap_or_default()) + "…",
        None => printable(&line),
    }
}

/// `mms status | head` is no failure.
fn ignore_closed_pipe(error: &io::Error) -> Result<(), Failure> {
    if error.kind() != io::ErrorKind::BrokenPipe {
        return Err(Failure::output(error));
    }
    CLOSED.store(true, Ordering::Relaxed);
    Ok(())
}

static CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether nobody reads stdout any more: a command that only shows things may end then.
pub fn is_closed() -> bool {
    CLOSED.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Rows {
        let mut rows = Rows::new(&["Name", "Count", "LastMessage"]);
        rows.push(vec![Value::text("Ana 日本"), Value::Number(7), Value::text("")]);
        rows.push(vec![Value::text("=cmd|x"), Value::Number(12), Value::text("two\nlines \u{1b}[31m")]);
        rows
    }

    fn in_format(format: Format, rows: &Rows) -> String {
        let mut bytes = Vec::new();
        Output::new(Some(format), Style::plain()).write(rows, format, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_is_safe_and_not_endless() {
        assert_eq!(one_line(" a\u{1b}[2J\r\n\n b "), "a\u{fffd}[2J b");
        assert_eq!(one_line(&"é".repeat(5_000)).chars().count(), LONGEST_LINE + 1);
        assert_eq!(one_line(&"é\n".repeat(50_000)).chars().count(), LONGEST_LINE + 1);
    }

    #[test]
    fn a_table_aligns_by_terminal_cells() {
        insta::assert_snapshot!(in_format(Format::Table, &rows()), @r"
        Name     Count LastMessage
        ----     ----- -----------
        Ana 日本     7
        =cmd|x      12 two lines �[31m
        ");
    }

    #[test]
    fn on_a_terminal_texts_are_cut_and_ids_are_not() {
        let mut rows = Rows::new(&["UserPrincipalName", "Subject", "Count", "Message"]);
        let long = "日本 a subject that goes on and on";
        rows.push(vec![
            Value::text("somebody@a-rather-long-domain.example"),
            Value::text(long),
            Value::Number(7),
            Value::text("x".repeat(200)),
        ]);
        rows.push(vec![Value::text("b@c"), Value::text("short"), Value::Number(123_456), Value::text("")]);
        let in_width = |width: usize| {
            let mut bytes = Vec::new();
            Output::new(Some(Format::Table), Style::plain().within(width))
                .write(&rows, Format::Table, &mut bytes)
                .unwrap();
            String::from_utf8(bytes).unwrap()
        };
        insta::assert_snapshot!(in_width(90), @"
        UserPrincipalName                     Subject                  Count Message
        -----------------                     -------                  ----- -------
        somebody@a-rather-long-domain.example 日本 a subject that go…      7 xxxxxxxxxxxxxxxxxxxx…
        b@c                                   short                   123456
        ");
        assert!(in_width(90).lines().all(|line| unicode_width::UnicodeWidthStr::width(line) <= 90));
        insta::assert_snapshot!(in_width(10), @"
        UserPrincipalName                     Subject       Count Message
        -----------------                     -------       ----- -------
        somebody@a-rather-long-domain.example 日本 a subj…      7 xxxxxxxxxxx…
        b@c                                   short        123456
        ");
        assert_eq!(in_width(1_000), in_format(Format::Table, &rows), "there is room");
    }

    #[test]
    fn a_list_aligns_as_the_seed() {
        insta::assert_snapshot!(in_format(Format::List, &rows()), @r"
        Name        : Ana 日本
        Count       : 7
        LastMessage :

        Name        : =cmd|x
        Count       : 12
        LastMessage : two
                      lines �[31m
        ");
    }

    #[test]
    fn csv_disarms_formulas() {
        insta::assert_snapshot!(in_format(Format::Csv, &rows()), @r#"
        Name,Count,LastMessage
        Ana 日本,7,
        '=cmd|x,12,"two
        lines �[31m"
        "#);
    }

    #[test]
    fn json_keeps_the_order_of_properties() {
        assert_eq!(
            in_format(Format::Jsonl, &rows()),
            "{\"Name\":\"Ana 日本\",\"Count\":7,\"LastMessage\":\"\"}\n\
             {\"Name\":\"=cmd|x\",\"Count\":12,\"LastMessage\":\"two\\nlines \\u001b[31m\"}\n"
        );
        assert_eq!(in_format(Format::Json, &Rows::new(&["A"])), "[]\n");
        let mut hidden = Rows::new(&["A"]);
        hidden.push(vec![Value::text("a\u{9b}2J\u{202e}b\u{7f}")]);
        assert_eq!(in_format(Format::Jsonl, &hidden), "{\"A\":\"a\\u009b2J\\u202eb\\u007f\"}\n");
        let read: serde_json::Value = serde_json::from_str(&in_format(Format::Json, &hidden)).unwrap();
        assert_eq!(read[0]["A"], "a\u{9b}2J\u{202e}b\u{7f}", "the value is the same");
    }

    #[test]
    fn no_rows_print_nothing_but_what_the_format_needs() {
        let none = Rows::new(&["A", "B"]);
        assert_eq!(in_format(Format::Table, &none), "");
        assert_eq!(in_format(Format::List, &none), "");
        assert_eq!(in_format(Format::Jsonl, &none), "");
        assert_eq!(in_format(Format::Csv, &none), "A,B\n");
    }
}
