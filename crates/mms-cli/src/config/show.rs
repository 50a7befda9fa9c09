//! The configuration in effect.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Config;

/// The file's content with what is in effect where the file does not say. Secrets are not in it,
/// because they are not in the file.
///
/// # Errors
/// The text is not the configuration's any more.
pub fn effective(text: &str, config: &Config) -> Result<Table, String> {
    let mut table: Table = text.parse().map_err(|error: toml::de::Error| error.message().to_owned())?;
    let mut store = config.store.clone();
    store.path = Some(config.store_path());
    let mut admin = config.admin.clone();
    admin.socket = Some(config.socket_path());
    let sections = [
        ("engine", Value::try_from(&config.engine)),
        ("retention", Value::try_from(&config.retention)),
        ("store", Value::try_from(&store)),
        ("admin", Value::try_from(&admin)),
    ];
    for (name, section) in sections {
        table.insert(name.to_owned(), section.map_err(|error| error.to_string())?);
    }
    Ok(table)
}

/// Every setting under its full name, `engine.workers`.
pub fn settings(table: &Table) -> Vec<(String, Value)> {
    let mut settings = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(inner) => {
                let below = self::settings(inner).into_iter();
                settings.extend(below.map(|(name, value)| (format!("{key}.{name}"), value)));
            }
            value => settings.push((key.clone(), value.clone())),
        }
    }
    settings
}

/// Every file that a section names (`KEY_file`), under the name of its key.
pub fn named_files(text: &str, base: &Path) -> Vec<(String, PathBuf)> {
    let mut files = Vec::new();
    if let Ok(table) = text.parse::<Table>() {
        collect("", &table, base, &mut files);
    }
    files
}

fn collect(section: &str, table: &Table, base: &Path, files: &mut Vec<(String, PathBuf)>) {
    for (key, value) in table {
        let name = if section.is_empty() { key.clone() } else { format!("{section}.{key}") };
        match value {
            // Deep nesting is refused by the parser, so this ends.
            Value::Table(inner) => collect(&name, inner, base, files),
            Value::String(path) if key.ends_with("_file") => files.push((name, base.join(path))),
            _ => {}
        }
    }
}
