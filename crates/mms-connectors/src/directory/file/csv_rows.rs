//! Rows from CSV: header row, comma, semicolon or tab, CRLF or LF.

use csv::{ByteRecord, ReaderBuilder};

use super::row::Field;
use super::{ImportError, ImportErrors, Row, line_at};

pub(super) fn read(text: &str, errors: &mut ImportErrors) -> Vec<Row> {
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter(text))
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut lines = Lines::of(text);
    let mut record = ByteRecord::new();
    let mut rows = Vec::new();
    let mut columns: Option<Vec<Field>> = None;
    loop {
        // The reader steps over blank lines before it reads; where it stands then is the line.
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                errors.push(ImportError::at(1, format!("not readable as CSV: {error}")));
                return rows;
            }
        }
        let line = lines.first_at_or_after(record.position().map_or(0, csv::Position::byte));
        match &columns {
            None => match header(&record, line, errors) {
                Some(found) => columns = Some(found),
                None => return rows,
            },
            Some(columns) => rows.extend(row(&record, columns, line, errors)),
        }
    }
    if columns.is_none() {
        errors.push(ImportError::at(1, "the file is empty; its first line names the columns"));
    }
    rows
}

/// The character between fields: the one that the header row has most of. A header holds names
/// only, so that nothing in it can be mistaken for one.
pub(in crate::directory) fn delimiter(text: &str) -> u8 {
    let header = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let count = |delimiter: u8| header.bytes().filter(|&b| b == delimiter).count();
    [b',', b';', b'\t'].into_iter().rev().max_by_key(|&delimiter| count(delimiter)).unwrap_or(b',')
}

fn header(record: &ByteRecord, line: u64, errors: &mut ImportErrors) -> Option<Vec<Field>> {
    let mut columns = Vec::with_capacity(record.len());
    let mut sound = true;
    for name in record {
        let name = String::from_utf8_lossy(name);
        let name = name.trim();
        match Field::named(name) {
            Some(field) if columns.contains(&field) => {
                errors.push(ImportError::at(line, format!("column \"{name}\" stands there twice")));
                sound = false;
            }
            Some(field) => columns.push(field),
            None => {
                errors.push(ImportError::at(line, Field::unknown(name)));
                sound = false;
            }
        }
    }
    if sound && !columns.contains(&Field::Upn) {
        errors.push(ImportError::at(line, "column \"upn\" is missing"));
        sound = false;
    }
    sound.then_some(columns)
}

fn row(record: &ByteRecord, columns: &[Field], line: u64, errors: &mut ImportErrors) -> Option<Row> {
    if record.iter().all(|value| value.trim_ascii().is_empty()) {
        return None;
    }
    if record.len() != columns.len() {
        errors.push(ImportError::at(
            line,
            format!(
                "this row has {} fields, the header has {}; put a field that holds the separator into quotes",
                record.len(),
                columns.len()
            ),
        ));
        return None;
    }
    let mut row = Row::new(line);
    for (&field, value) in columns.iter().zip(record) {
        row.set(field, &String::from_utf8_lossy(value));
    }
    Some(row)
}

/// Turns byte positions that only grow into line numbers, in one pass over the text.
pub(in crate::directory) struct Lines<'a> {
    text: &'a [u8],
    position: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    pub(in crate::directory) fn of(text: &'a str) -> Self {
        Self { text: text.as_bytes(), position: 0, line: 1 }
    }

    /// The line of the first byte at or after `position` that ends no line.
    pub(in crate::directory) fn first_at_or_after(&mut self, position: u64) -> u64 {
        let mut end = usize::try_from(position).unwrap_or(usize::MAX).min(self.text.len());
        while self.text.get(end).is_some_and(|b| matches!(b, b'\r' | b'\n')) {
            end += 1;
        }
        let passed = self.text.get(self.position..end).unwrap_or_default();
        self.line += line_at(passed) - 1;
        self.position = end.max(self.position);
        self.line
    }
}
