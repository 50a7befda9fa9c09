//! JSON, properties in the order of the columns. Control characters beyond those that JSON escapes by itself, and
//! direction overrides, are escaped too: they stand in strings only, mean the same, and steer no terminal.

use std::io::{self, Write};

use super::{Rows, Value, style::steers_direction};

/// One array, indented.
pub fn write_array(rows: &Rows, to: &mut dyn Write) -> io::Result<()> {
    let all = Value::List(rows.iter().map(|row| rows.object(row)).collect());
    writeln!(to, "{}", escaped(serde_json::to_string_pretty(&all)?))
}

/// One object a line.
pub fn write_lines(rows: &Rows, to: &mut dyn Write) -> io::Result<()> {
    for row in rows.iter() {
        writeln!(to, "{}", escaped(serde_json::to_string(&rows.object(row))?))?;
    }
    Ok(())
}

fn escaped(json: String) -> String {
    let is_hidden = |c: char| matches!(c, '\u{7f}'..='\u{9f}') || steers_direction(c);
    if !json.contains(is_hidden) {
        return json;
    }
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if is_hidden(c) {
            text.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            text.push(c);
        }
    }
    text
}
