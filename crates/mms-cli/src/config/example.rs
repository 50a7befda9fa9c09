//! The commented example that `mms config init` writes.

/// The example.
pub const EXAMPLE: &str = include_str!("example.toml");

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::parse;
    use super::super::sections::{DirectoryKind, Engine, Retention};
    use super::EXAMPLE;

    #[test]
    fn the_example_is_a_configuration() {
        let config = parse(EXAMPLE, Path::new("/etc/mms/mms.toml")).unwrap();
        assert_eq!(config.calendars.len(), 1);
        assert!(
            matches!(&config.directory, DirectoryKind::File(users) if users.file == Path::new("/etc/mms/users.csv"))
        );
    }

    /// Every key that is only shown as a comment is a key, and its value is the default where it has one.
    #[test]
    fn the_commented_lines_are_configuration_too() {
        let text: String = EXAMPLE
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(rest)
                    if rest.starts_with('[')
                        || rest.split_once(" = ").is_some_and(|(k, _)| !k.contains(' ')) =>
                {
                    format!("{rest}\n")
                }
                _ => format!("{line}\n"),
            })
            .collect();
        let config = parse(&text, Path::new("mms.toml")).unwrap();
        assert_eq!((config.calendars.len(), config.platforms.len()), (4, 4));
        assert_eq!(config.engine, Engine::default());
        assert_eq!(config.retention, Retention::default());
        assert!(config.smtp.is_some());
    }
}
