//! `Name : value`, aligned, as PowerShell's Format-List and the seed show records.

use std::io::{self, Write};

use super::{Rows, Style, style::printable};

/// Every row; a blank line between two.
pub fn write(rows: &Rows, style: Style, to: &mut dyn Write) -> io::Result<()> {
    let widest = rows.columns().iter().map(|name| name.len()).max().unwrap_or(0);
    for (number, row) in rows.iter().enumerate() {
        if number > 0 {
            writeln!(to)?;
        }
        for (name, value) in rows.columns().iter().zip(row) {
            let text = value.plain();
            let mut lines = text.lines().map(printable);
            match lines.next() {
                None => writeln!(to, "{name:widest$} :")?,
                Some(first) => writeln!(to, "{name:widest$} : {}", style.value(name, &first))?,
            }
            for line in lines {
                writeln!(to, "{:widest$}   {line}", "")?;
            }
        }
    }
    Ok(())
}
