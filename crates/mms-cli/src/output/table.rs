//! Columns under underlined names; numbers to the right.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use super::{Rows, Style, Value, style::printable};

/// The header and every row; nothing where there are no rows.
pub fn write(rows: &Rows, style: Style, to: &mut dyn Write) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let names = rows.columns();
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|value| printable(&value.plain().replace(['\r', '\n'], " "))).collect())
        .collect();
    let widths: Vec<usize> = names
        .iter()
        .enumerate()
        .map(|(column, name)| {
            cells
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.width())
                .max()
                .unwrap_or(0)
                .max(name.len())
        })
        .collect();
    let right: Vec<bool> = (0..names.len())
        .map(|column| rows.iter().all(|row| matches!(row.get(column), Some(Value::Number(_)))))
        .collect();

    let headers: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let rules: Vec<String> = names.iter().map(|name| "-".repeat(name.len())).collect();
    for line in [&headers, &rules] {
        write_line(line, names, &widths, &right, Style::plain(), to)?;
    }
    for row in &cells {
        write_line(row, names, &widths, &right, style, to)?;
    }
    Ok(())
}

fn write_line(
    cells: &[String],
    names: &[&str],
    widths: &[usize],
    right: &[bool],
    style: Style,
    to: &mut dyn Write,
) -> io::Result<()> {
    let mut line = String::new();
    let mut pending = 0;
    for (((cell, name), width), right) in cells.iter().zip(names).zip(widths).zip(right) {
        let gap = width.saturating_sub(cell.width());
        let (before, after) = if *right { (gap, 0) } else { (0, gap) };
        // Blanks are held back until something follows them, so that no line ends in blanks.
        if !cell.is_empty() {
            line.extend(std::iter::repeat_n(' ', pending + before));
            line.push_str(&style.value(name, cell));
            pending = after + 1;
        } else {
            pending += width + 1;
        }
    }
    writeln!(to, "{line}")
}
