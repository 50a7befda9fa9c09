//! JSON, properties in the order of the columns.

use std::io::{self, Write};

use super::{Rows, Value};

/// One array, indented.
pub fn write_array(rows: &Rows, to: &mut dyn Write) -> io::Result<()> {
    let all = Value::List(rows.iter().map(|row| rows.object(row)).collect());
    serde_json::to_writer_pretty(&mut *to, &all)?;
    to.write_all(b"\n")
}

/// One object a line.
pub fn write_lines(rows: &Rows, to: &mut dyn Write) -> io::Result<()> {
    for row in rows.iter() {
        serde_json::to_writer(&mut *to, &rows.object(row))?;
        to.write_all(b"\n")?;
    }
    Ok(())
}
