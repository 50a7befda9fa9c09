//! CSV (RFC 4180) that no spreadsheet runs.

use std::io::{self, Write};

use super::{Rows, Value, style::steers_direction};

/// A header and a line for each row.
pub fn write(rows: &Rows, to: &mut dyn Write) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    csv.write_record(rows.columns())?;
    for row in rows.iter() {
        csv.write_record(row.iter().map(|value| match value {
            Value::Text(text) => disarmed(text),
            other => disarmed(&other.plain()),
        }))?;
    }
    csv.flush()
}

/// A cell that starts like a formula gets an apostrophe in front, as OWASP's note on CSV injection
/// advises: subjects and names come from outside.
fn disarmed(cell: &str) -> String {
    let cell = cell.replace(
        |c: char| (c.is_control() || steers_direction(c)) && !matches!(c, '\n' | '\r' | '\t'),
        "\u{fffd}",
    );
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell }
}
