//! Rows from TOML: `[[user]]` tables.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::row::Field;
use super::{ImportError, ImportErrors, Row};

pub(super) fn read(text: &str, errors: &mut ImportErrors) -> Vec<Row> {
    let lines = LineStarts::of(text);
    let (document, broken) = DeTable::parse_recoverable(text);
    for error in broken {
        let line = error.span().map_or(1, |span| lines.line_of(span.start));
        errors.push(ImportError::at(line, format!("not readable as TOML: {}", error.message())));
    }
    let mut rows = Vec::new();
    for (key, value) in document.get_ref() {
        let line = lines.line_of(key.span().start);
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("user", DeValue::Array(users)) => {
                rows.extend(users.iter().filter_map(|user| row(user, &lines, errors)));
            }
            (name, _) => errors.push(ImportError::at(
                line,
                format!("\"{}\" is not expected here; users stand in [[user]] tables", name.escape_debug()),
            )),
        }
    }
    rows
}

fn row(user: &Spanned<DeValue<'_>>, lines: &LineStarts, errors: &mut ImportErrors) -> Option<Row> {
    let line = lines.line_of(user.span().start);
    let Some(table) = user.get_ref().as_table() else {
        errors.push(ImportError::at(line, "a user is a table: [[user]] and its keys below"));
        return None;
    };
    let mut row = Row::new(line);
    let mut sound = true;
    for (key, value) in table {
        let at = lines.line_of(key.span().start);
        let outcome = match (Field::named(key.get_ref()), value.get_ref()) {
            (None, _) => Err(Field::unknown(key.get_ref())),
            (Some(Field::Addresses), DeValue::Array(addresses)) => {
                addresses.iter().try_for_each(|address| match address.get_ref().as_str() {
                    Some(address) => {
                        row.addresses.push(address.trim().to_owned());
                        Ok(())
                    }
                    None => Err("addresses is a list of texts".to_owned()),
                })
            }
            (Some(field), DeValue::String(text)) => {
                row.set(field, text);
                Ok(())
            }
            (Some(field), other) => Err(format!("{} is a text, not {}", field.name(), other.type_str())),
        };
        if let Err(message) = outcome {
            errors.push(ImportError::at(at, message));
            sound = false;
        }
    }
    sound.then_some(row)
}

/// Where lines start, to turn byte positions into line numbers.
struct LineStarts(Vec<usize>);

impl LineStarts {
    fn of(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|&(_, b)| b == b'\n').map(|(position, _)| position).collect())
    }

    fn line_of(&self, position: usize) -> u64 {
        self.0.partition_point(|&end| end < position) as u64 + 1
    }
}
