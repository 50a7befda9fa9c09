//! The identity map of a move between tenants, from CSV: the columns `source` and `target`, each an address, or a
//! domain with `@` in front; comma, semicolon or tab between them. Other columns are for people.

use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};
use mms_model::{IdentityMap, IdentityMapRow};

use super::file::csv_rows::{Lines, delimiter};
use super::file::{ImportError, ImportErrors, text_of};

/// The largest file that is read: some 500,000 addresses.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// Reads the map in the file `path`.
///
/// # Errors
/// What is wrong with the file, by line.
pub fn load(path: &Path) -> Result<IdentityMap, ImportErrors> {
    let name = path.display().to_string();
    let cannot = |reason: String| ImportErrors::whole_file(&name, reason);
    let unreadable = |error: std::io::Error| cannot(format!("cannot be read: {error}"));
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > MAX_FILE_BYTES {
        return Err(cannot(format!(
            "is {length} bytes long; an identity map may have up to {MAX_FILE_BYTES}"
        )));
    }
    parse(&name, &std::fs::read(path).map_err(unreadable)?)
}

/// Reads a map; `name` is what errors call the file.
///
/// # Errors
/// What is wrong with it, by line.
pub fn parse(name: &str, bytes: &[u8]) -> Result<IdentityMap, ImportErrors> {
    let mut errors = ImportErrors::none(name);
    let (rows, lines) = match text_of(bytes) {
        Ok(text) => read(text, &mut errors),
        Err(error) => {
            errors.push(error);
            (Vec::new(), Vec::new())
        }
    };
    let (rows, lines) = errors.into_result((rows, lines))?;
    IdentityMap::new(&rows).map_err(|(index, error)| {
        let mut errors = ImportErrors::none(name);
        errors.push(ImportError::at(lines.get(index).copied().unwrap_or(1), error.to_string()));
        errors
    })
}

/// The rows of the text, and the line of each.
fn read(text: &str, errors: &mut ImportErrors) -> (Vec<IdentityMapRow>, Vec<u64>) {
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter(text))
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let (mut position, mut record) = (Lines::of(text), ByteRecord::new());
    let (mut rows, mut lines) = (Vec::new(), Vec::new());
    let mut columns = None;
    while reader.read_byte_record(&mut record).is_ok_and(|more| more) {
        let line = position.first_at_or_after(record.position().map_or(0, csv::Position::byte));
        let value =
            |column: usize| String::from_utf8_lossy(record.get(column).unwrap_or_default()).trim().to_owned();
        match columns {
            None => {
                let Some(found) = header(&record) else {
                    let message = "the first line must name the columns \"source\" and \"target\"";
                    errors.push(ImportError::at(line, message));
                    return (rows, lines);
                };
                columns = Some(found);
            }
            Some(_) if record.iter().all(|value| value.trim_ascii().is_empty()) => {}
            Some((source, target)) => {
                rows.push(IdentityMapRow { source: value(source), target: value(target) });
                lines.push(line);
            }
        }
    }
    if columns.is_none() {
        errors.push(ImportError::at(1, "the file is empty; its first line is source,target"));
    }
    (rows, lines)
}

/// The places of the two columns.
fn header(record: &ByteRecord) -> Option<(usize, usize)> {
    let place = |name: &str| {
        record.iter().position(|column| column.trim_ascii().eq_ignore_ascii_case(name.as_bytes()))
    };
    Some((place("source")?, place("target")?))
}

#[cfg(test)]
mod tests {
    use mms_model::Address;

    use super::*;

    fn error(text: &str) -> String {
        parse("map.csv", text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn columns_and_separators_are_found() {
        for text in [
            "source,target\nann@old.example,anna@new.example\n\n@old.example,@new.example\n",
            "\u{feff}Name;Target;Source\r\n\"Ann; A\";anna@new.example;ann@old.example\r\nall;@new.example;*@old.example\r\n",
            "target\tSOURCE\nanna@new.example\tann@old.example\n @new.example \t @old.example ",
        ] {
            let map = parse("map.csv", text.as_bytes()).unwrap();
            let target = |address: &str| map.target(&Address::new(address)).map(|a| a.to_string());
            assert_eq!(target("Ann@old.example").as_deref(), Some("anna@new.example"), "{text}");
            assert_eq!(target("bob@old.example").as_deref(), Some("bob@new.example"), "{text}");
        }
        assert!(parse("map.csv", b"source,target\n").unwrap().is_empty());
    }

    #[test]
    fn errors_name_the_line() {
        assert_eq!(error(""), "map.csv:1: the file is empty; its first line is source,target");
        assert_eq!(
            error("from,to\na@b.c,d@e.f\n"),
            "map.csv:1: the first line must name the columns \"source\" and \"target\""
        );
        assert_eq!(
            error("source,target\na@b.example,d@e.example\n\nx@b.example\n"),
            "map.csv:4: \"\" is neither a mail address nor a domain (@contoso.com)"
        );
        assert_eq!(
            error("source,target\na@b.example,b@b.example\nb@b.example,c@b.example\n"),
            "map.csv:2: \"b@b.example\" is a target and, by another row, becomes \"c@b.example\": name the last address \
             directly"
        );
        let latin = parse("map.csv", b"source,target\n\xfc@b.example,c@b.example\n").unwrap_err();
        assert_eq!(latin.to_string(), "map.csv:2: this is not UTF-8; save the file as UTF-8");
    }
}
