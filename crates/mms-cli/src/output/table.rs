//! Columns under underlined names; numbers to the right. On a terminal, columns of text are cut to its width.

use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{Rows, Style, Value, style::printable};

/// What is copied from one command into the next is never cut, nor are dates, which would lose their time.
const NEVER_CUT: [&str; 9] = [
    "CorrelationId",
    "CreateDate",
    "Date",
    "DueDate",
    "Identity",
    "ModifiedDate",
    "Uid",
    "UserId",
    "UserPrincipalName",
];

/// No column of text gets narrower than that.
const NARROWEST: usize = 12;

/// The header and every row; nothing where there are no rows.
pub fn write(rows: &Rows, style: Style, to: &mut dyn Write) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let names = rows.columns();
    let mut cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|value| printable(&value.plain().replace(['\r', '\n'], " "))).collect())
        .collect();
    let mut widths: Vec<usize> = names
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

    if let Some(width) = style.width {
        let may_cut: Vec<bool> =
            names.iter().zip(&right).map(|(name, number)| !number && !NEVER_CUT.contains(name)).collect();
        narrow(names, &may_cut, &mut widths, width);
        for row in &mut cells {
            for (cell, width) in row.iter_mut().zip(&widths) {
                cut(cell, *width);
            }
        }
    }
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

/// Takes from the widest columns that may be cut until a line fits, or nothing more may be taken.
fn narrow(names: &[&str], may_cut: &[bool], widths: &mut [usize], line: usize) {
    let mut excess = (widths.iter().sum::<usize>() + widths.len().saturating_sub(1)).saturating_sub(line);
    while excess > 0 {
        let room = |column: usize, width: usize| {
            let least = names.get(column).map_or(0, |name| name.len()).max(NARROWEST);
            may_cut
                .get(column)
                .is_some_and(|may| *may)
                .then(|| width.saturating_sub(least))
                .filter(|room| *room > 0)
        };
        let widest = widths
            .iter()
            .enumerate()
            .filter_map(|(column, width)| Some((*width, column, room(column, *width)?)))
            .max_by_key(|(width, ..)| *width);
        let Some((_, column, room)) = widest else { return };
        // Half of it at most, so that several wide columns share.
        let taken = excess.min(room.div_ceil(2));
        if let Some(width) = widths.get_mut(column) {
            *width -= taken;
        }
        excess -= taken;
    }
}

/// Cuts a cell to so many cells of the terminal, with a mark where something is missing.
pub fn cut(cell: &mut String, most: usize) {
    if cell.width() <= most {
        return;
    }
    let mut width = 1;
    let end = cell.char_indices().find_map(|(at, c)| {
        width += c.width().unwrap_or(0);
        (width > most).then_some(at)
    });
    cell.truncate(end.unwrap_or(cell.len()));
    cell.push('…');
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
