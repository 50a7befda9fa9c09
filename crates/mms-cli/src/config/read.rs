//! Reads the configuration's text. An error names file, line, section and key, and the key that was
//! most likely meant.
//!
//! The document is walked by hand down to the sections, so that `kind` can choose a section's type
//! and the place of an error is kept; within a section serde reads. On the way, in every section,
//! secrets are fetched from the environment and paths are taken from the file's folder.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use mms_model::Platform;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::sections::{CalendarKind, Config, DirectoryKind, PlatformKind};
use crate::nearest::nearest;

const SECTIONS: &[&str] = &[
    "admin",
    "calendar",
    "directory",
    "engine",
    "organisation",
    "platform",
    "recognise",
    "retention",
    "smtp",
    "store",
    "templates",
];

/// Reads `text`, which stands in the file `path`; relative paths in it are taken from its folder.
///
/// # Errors
/// One line: file, line, section, what is wrong, what was meant.
pub fn parse(text: &str, path: &Path) -> Result<Config, String> {
    let mut config = Config::new(path.to_owned());
    let base = config.base().to_owned();
    let reader = Reader { text, path, base: &base };
    let document = DeTable::parse(text).map_err(|e| reader.not_toml(&e))?;
    let mut has_directory = false;
    for (key, value) in document.into_inner() {
        let span = key.span();
        match key.get_ref().as_ref() {
            "organisation" => config.organisation = reader.section("organisation", value)?,
            "directory" => {
                has_directory = true;
                config.directory = reader.directory(span, value)?;
            }
            "calendar" => config.calendars = reader.calendars(value)?,
            "platform" => config.platforms = reader.platforms(value)?,
            "smtp" => config.smtp = Some(reader.section("smtp", value)?),
            "engine" => config.engine = reader.section("engine", value)?,
            "retention" => config.retention = reader.section("retention", value)?,
            "store" => config.store = reader.section("store", value)?,
            "admin" => config.admin = reader.section("admin", value)?,
            "templates" => config.templates = reader.section("templates", value)?,
            "recognise" => config.recognise = reader.section("recognise", value)?,
            unknown => return Err(reader.error("", Some(span), &unknown_key(unknown, SECTIONS))),
        }
    }
    if !has_directory {
        return Err(reader.error(
            "",
            None,
            "the section [directory] is missing: add it with file = \"users.csv\"",
        ));
    }
    config.check().map_err(|(section, message)| reader.error(&section, reader.header(&section), &message))?;
    Ok(config)
}

/// A section by its name, with the name's place.
type NamedSection<'i> = (String, Range<usize>, Spanned<DeValue<'i>>);

struct Reader<'a> {
    text: &'a str,
    path: &'a Path,
    base: &'a Path,
}

impl Reader<'_> {
    fn section<T: DeserializeOwned>(&self, name: &str, value: Spanned<DeValue<'_>>) -> Result<T, String> {
        let value = self.prepared(name, value)?;
        T::deserialize(ValueDeserializer::from(value))
            .map_err(|e| self.error(name, e.span(), &explained(e.message())))
    }

    /// Fetches secrets and resolves paths, at every depth.
    fn prepared<'i>(
        &self,
        section: &str,
        value: Spanned<DeValue<'i>>,
    ) -> Result<Spanned<DeValue<'i>>, String> {
        let span = value.span();
        let table = match value.into_inner() {
            DeValue::Table(table) => table,
            other => return Ok(Spanned::new(span, other)),
        };
        let mut prepared = DeTable::new();
        for (key, value) in table {
            let (at, place) = (key.span(), value.span());
            let wrong = |message: String| self.error(section, Some(at.clone()), &message);
            if SECRETS.contains(&key.get_ref().as_ref()) {
                return Err(wrong(format!(
                    "secrets do not stand in the configuration: use {0}_file or {0}_env",
                    key.get_ref()
                )));
            }
            let secret =
                key.get_ref().strip_suffix("_env").filter(|key| SECRETS.contains(key)).map(str::to_owned);
            let (key, value) = match (value.get_ref().as_str(), secret) {
                (Some(variable), Some(secret)) => {
                    let read = environment(variable).map_err(wrong)?;
                    (Spanned::new(at, secret.into()), Spanned::new(place, DeValue::String(read.into())))
                }
                (Some(text), None) if is_path(key.get_ref()) => {
                    let path = self.base.join(text).to_string_lossy().into_owned();
                    (key, Spanned::new(place, DeValue::String(path.into())))
                }
                _ => (key, self.prepared(section, value)?),
            };
            prepared.insert(key, value);
        }
        Ok(Spanned::new(span, DeValue::Table(prepared)))
    }

    /// A file where nothing else is said.
    fn directory(&self, span: Range<usize>, value: Spanned<DeValue<'_>>) -> Result<DirectoryKind, String> {
        let has_kind = value.get_ref().as_table().is_some_and(|table| table.contains_key("kind"));
        let (kind, rest) = if has_kind {
            self.kind("directory", span, value, &["file", "graph", "ldap"])?
        } else {
            ("file".to_owned(), value)
        };
        Ok(match kind.as_str() {
            "graph" => DirectoryKind::Graph(Box::new(self.section("directory", rest)?)),
            "ldap" => DirectoryKind::Ldap(Box::new(self.section("directory", rest)?)),
            _ => DirectoryKind::File(self.section("directory", rest)?),
        })
    }

    fn calendars(&self, value: Spanned<DeValue<'_>>) -> Result<BTreeMap<String, CalendarKind>, String> {
        let mut calendars = BTreeMap::new();
        for (name, span, section) in self.named("calendar", value)? {
            let place = format!("calendar.{name}");
            let (kind, rest) = self.kind(&place, span, section, &["caldav", "ews", "graph", "ics"])?;
            let calendar = match kind.as_str() {
                "caldav" => CalendarKind::CalDav(Box::new(self.section(&place, rest)?)),
                "ews" => CalendarKind::Ews(Box::new(self.section(&place, rest)?)),
                "graph" => CalendarKind::Graph(Box::new(self.section(&place, rest)?)),
                _ => CalendarKind::Ics(Box::new(self.section(&place, rest)?)),
            };
            calendars.insert(name, calendar);
        }
        Ok(calendars)
    }

    fn platforms(&self, value: Spanned<DeValue<'_>>) -> Result<BTreeMap<Platform, PlatformKind>, String> {
        let mut platforms = BTreeMap::new();
        for (name, span, section) in self.named("platform", value)? {
            let place = format!("platform.{name}");
            let platform = name
                .parse::<Platform>()
                .map_err(|e| self.error(&place, Some(span.clone()), &e.to_string()))?;
            let (kind, rest) =
                self.kind(&place, span.clone(), section, &["jitsi", "skype", "teams", "template"])?;
            let kind = match kind.as_str() {
                "jitsi" => PlatformKind::Jitsi(Box::new(self.section(&place, rest)?)),
                "skype" => PlatformKind::Skype(Box::new(self.section(&place, rest)?)),
                "teams" => PlatformKind::Teams(Box::new(self.section(&place, rest)?)),
                _ => PlatformKind::Template(Box::new(self.section(&place, named(rest, &name))?)),
            };
            if platforms.insert(platform, kind).is_some() {
                return Err(self.error(
                    &place,
                    Some(span),
                    "this platform is configured twice; names compare without case",
                ));
            }
        }
        Ok(platforms)
    }

    /// The tables of `[calendar.NAME]` and `[platform.NAME]`.
    fn named<'i>(&self, section: &str, value: Spanned<DeValue<'i>>) -> Result<Vec<NamedSection<'i>>, String> {
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => Ok(table
                .into_iter()
                .map(|(name, value)| (name.get_ref().to_string(), name.span(), value))
                .collect()),
            _ => Err(self.error(section, Some(span), &format!("give it a name: [{section}.NAME]"))),
        }
    }

    /// Takes `kind` out of a section.
    fn kind<'i>(
        &self,
        place: &str,
        span: Range<usize>,
        value: Spanned<DeValue<'i>>,
        kinds: &[&str],
    ) -> Result<(String, Spanned<DeValue<'i>>), String> {
        let whole = value.span();
        let DeValue::Table(table) = value.into_inner() else {
            return Err(self.error(place, Some(span), &format!("this is not a section: write [{place}]")));
        };
        let quoted: Vec<String> = kinds.iter().map(|kind| format!("\"{kind}\"")).collect();
        let choice = one_of(&quoted.iter().map(String::as_str).collect::<Vec<_>>());
        let mut kind = None;
        let mut rest = DeTable::new();
        for (key, value) in table {
            if key.get_ref() == "kind" {
                kind = Some(value)
            } else {
                rest.insert(key, value);
            }
        }
        let kind = kind.ok_or_else(|| {
            self.error(place, Some(span), &format!("the key \"kind\" is missing: set it to {choice}"))
        })?;
        match kind.get_ref().as_str() {
            Some(text) if kinds.contains(&text) => {
                Ok((text.to_owned(), Spanned::new(whole, DeValue::Table(rest))))
            }
            _ => Err(self.error(place, Some(kind.span()), &format!("\"kind\" must be {choice}"))),
        }
    }

    fn error(&self, section: &str, span: Option<Range<usize>>, message: &str) -> String {
        let line = span.map(|span| format!(":{}", self.line(span.start))).unwrap_or_default();
        let section = if section.is_empty() { String::new() } else { format!("[{section}] ") };
        let message = message.trim_end().replace('\n', ", ");
        format!("{}{line}: {section}{message}", self.path.display())
    }

    fn not_toml(&self, error: &toml::de::Error) -> String {
        let span = error.span();
        let named = span.clone().and_then(|span| self.text.get(span)).filter(|key| !key.is_empty());
        match (error.message(), named) {
            ("duplicate key", Some(key)) => {
                let above = span.as_ref().and_then(|span| self.text.get(..span.start)).unwrap_or_default();
                let line = above.rsplit('\n').next().unwrap_or_default();
                if line.trim_start().starts_with('[') {
                    return self.error(
                        "",
                        span,
                        &format!("the section \"{key}\" is there twice: make it one"),
                    );
                }
                self.error(last_header(above), span, &format!("the key \"{key}\" is given twice: keep one"))
            }
            (message, _) => self.error("", span, message),
        }
    }

    fn line(&self, at: usize) -> usize {
        line_at(self.text, at)
    }

    /// Where the header of a section stands, for errors about it as a whole.
    fn header(&self, section: &str) -> Option<Range<usize>> {
        header(self.text, section)
    }
}

/// The name of the last section whose header stands in `text`; empty where there is none.
fn last_header(text: &str) -> &str {
    let mut headers = text.lines().filter_map(|line| line.trim().strip_prefix('[')?.split_once(']'));
    headers.next_back().map_or("", |(name, _)| name.trim_start_matches('[').trim())
}

fn header(text: &str, section: &str) -> Option<Range<usize>> {
    if section.is_empty() {
        return None;
    }
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let written: String =
            line.chars().filter(|c| !c.is_whitespace() && !matches!(c, '"' | '\'')).collect();
        let rest = written.strip_prefix('[').and_then(|rest| rest.strip_prefix(section));
        if rest.is_some_and(|rest| rest.starts_with([']', '.'])) {
            return Some(at..at + line.len());
        }
        at += line.len();
    }
    None
}

/// The line of the header of a section, counted from 1; none where it is written some other way.
pub fn line_of_section(text: &str, section: &str) -> Option<usize> {
    header(text, section).map(|range| line_at(text, range.start))
}

fn line_at(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|b| *b == b'\n').count() + 1
}

/// A section with its own name under `platform`, as the template platform wants to know it.
fn named<'i>(section: Spanned<DeValue<'i>>, name: &str) -> Spanned<DeValue<'i>> {
    let span = section.span();
    match section.into_inner() {
        DeValue::Table(mut table) => {
            let key = Spanned::new(span.clone(), "platform".into());
            table.insert(key, Spanned::new(span.clone(), DeValue::String(name.to_owned().into())));
            Spanned::new(span, DeValue::Table(table))
        }
        other => Spanned::new(span, other),
    }
}

/// Keys whose value is a secret.
const SECRETS: &[&str] = &["password", "token", "secret", "room_secret"];

/// A secret from an environment variable.
fn environment(variable: &str) -> Result<String, String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty()).ok_or_else(|| {
        format!("the environment variable {variable} is not set: set it, or use a file instead")
    })
}

/// Whether the value of a key is a path.
fn is_path(key: &str) -> bool {
    key.ends_with("_file") || ["dir", "file", "identity_map", "path", "root", "socket"].contains(&key)
}

/// serde's words in ours, with the key that was meant.
fn explained(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if message.starts_with("unknown field") {
        let (name, known) = quoted.split_first().map_or(("", [].as_slice()), |(name, known)| (*name, known));
        return unknown_key(name, known);
    }
    if let (true, Some((name, known))) = (message.starts_with("unknown variant"), quoted.split_first()) {
        return format!("\"{name}\" is not known here: use {}", one_of(known));
    }
    if let (true, Some(name)) = (message.starts_with("missing field"), quoted.first()) {
        return format!("the key \"{name}\" is missing");
    }
    if message == "wanted string or table" {
        return "this is not text: write text in quotes".to_owned();
    }
    if let Some(said) = wrong_type(message) {
        return said;
    }
    message.to_owned()
}

/// Where a value has the wrong type: what it is, and what it should be.
fn wrong_type(message: &str) -> Option<String> {
    let rest = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))?;
    let (found, expected) = rest.rsplit_once(", expected ")?;
    let expected = match expected {
        "u16" => "a whole number from 0 to 65535",
        "u8" | "u32" | "u64" | "usize" | "nonzero u32" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" | "path string" | "a string or map" => "text in quotes",
        "a sequence" => "a list in brackets",
        "a map" => "a table in braces",
        other if other.starts_with("internally tagged enum") => "a table in braces with the key \"type\"",
        other if other.starts_with("struct ") => "a table in braces",
        other => other,
    };
    let bare = |value: &str| value.replace('`', "").trim_end_matches(" as i128").to_owned();
    let found = match found.split_once(' ') {
        Some(("string", text)) => format!("the text {text}"),
        Some(("integer", number)) => format!("the number {}", bare(number)),
        Some(("floating", number)) => format!("the number {}", bare(number.trim_start_matches("point "))),
        Some(("boolean", value)) => bare(value),
        _ if found == "map" => "a table".to_owned(),
        _ if found == "sequence" => "a list".to_owned(),
        _ => bare(found),
    };
    Some(format!("this is {found}: write {expected}"))
}

fn one_of(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [some @ .., last] => format!("{} or {last}", some.join(", ")),
    }
}

fn unknown_key(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("the key \"{name}\" is unknown: did you mean \"{near}\"?"),
        None if known.is_empty() => format!("the key \"{name}\" is unknown: this section takes none"),
        None => format!("the key \"{name}\" is unknown: use {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str =
        "[directory]\nfile = \"users.toml\"\n[calendar.a]\nkind = \"ics\"\nroot = \"cal\"\n";

    fn error(text: &str) -> String {
        parse(text, Path::new("/etc/mms/mms.toml")).unwrap_err()
    }

    #[test]
    fn a_minimal_configuration_suffices() {
        let config = parse(MINIMAL, Path::new("/etc/mms/mms.toml")).unwrap();
        assert!(
            matches!(&config.directory, DirectoryKind::File(users) if users.file == Path::new("/etc/mms/users.toml"))
        );
        assert_eq!(config.engine.max_attendees, 250);
        assert_eq!(config.store_path().file_name().unwrap(), "mms.db");
    }

    #[test]
    fn graph_and_teams_are_read_with_a_secret_or_a_certificate() {
        let text = |more: &str| {
            format!(
                "{MINIMAL}[calendar.b]\nkind = \"graph\"\ntenant = \"contoso.example\"\nclient_id = \"a\"\n{more}"
            )
        };
        let teams = "[platform.Teams]\nkind = \"teams\"\ntenant = \"11111111-2222-3333-4444-555555555555\"\n\
                     client_id = \"a\"\ncertificate_file = \"c.pem\"\nkey_file = \"k.pem\"\n";
        let config =
            parse(&text(&format!("secret_file = \"s\"\n{teams}")), Path::new("/etc/mms/mms.toml")).unwrap();
        let Some(CalendarKind::Graph(graph)) = config.calendars.get("b") else { panic!("{config:?}") };
        assert_eq!(graph.secret_file.as_deref(), Some(Path::new("/etc/mms/s")));
        let Some(PlatformKind::Teams(teams)) = config.platforms.get(&Platform::TEAMS) else {
            panic!("{config:?}")
        };
        assert_eq!(teams.key_file.as_deref(), Some(Path::new("/etc/mms/k.pem")));
        insta::assert_snapshot!(
            error(&text("")),
            @r#"/etc/mms/mms.toml:6: [calendar.b] "secret_file": set secret_file (or secret_env), or certificate_file and key_file"#
        );
        insta::assert_snapshot!(
            error(&text("secret = \"x\"\n")),
            @r#"/etc/mms/mms.toml:10: [calendar.b] secrets do not stand in the configuration: use secret_file or secret_env"#
        );
    }

    #[test]
    fn skype_is_read_with_its_files_taken_from_the_folder_and_its_mistakes_named() {
        let skype = |more: &str| {
            format!("{MINIMAL}[platform.SfB]\nkind = \"skype\"\nsip_domains = [\"contoso.com\"]\n{more}")
        };
        let meet = "meet_urls = [\"https://meet.contoso.com\"]\n";
        let text = skype(&format!(
            "{meet}credentials_file = \"people.csv\"\ndelegate = {{ user = \"mms\", password_file = \"pw\" }}\n"
        ));
        let config = parse(&text, Path::new("/etc/mms/mms.toml")).unwrap();
        let Some(PlatformKind::Skype(settings)) = config.platforms.get(&Platform::SFB) else {
            panic!("{config:?}")
        };
        assert_eq!(settings.credentials_file.as_deref(), Some(Path::new("/etc/mms/people.csv")));
        let delegate = settings.delegate.as_ref().unwrap();
        assert_eq!(delegate.password_file.as_deref(), Some(Path::new("/etc/mms/pw")));
        insta::assert_snapshot!(
            error(&skype("")),
            @r#"/etc/mms/mms.toml:6: [platform.SfB] the key "meet_urls" is missing"#
        );
        insta::assert_snapshot!(
            error(&skype(&format!("{meet}discover_url = \"http://lyncdiscover.contoso.com/\"\n"))),
            @r#"/etc/mms/mms.toml:6: [platform.SfB] "discover_url": "http://lyncdiscover.contoso.com/" must start with https://, because passwords go there"#
        );
        insta::assert_snapshot!(
            error(&skype(&format!("{meet}delegate = {{ user = \"mms\", password = \"x\" }}\n"))),
            @r#"/etc/mms/mms.toml:10: [platform.SfB] secrets do not stand in the configuration: use password_file or password_env"#
        );
    }

    #[test]
    fn errors_name_file_line_key_and_what_was_meant() {
        insta::assert_snapshot!(
            error(&format!("{MINIMAL}[engin]\n")),
            @r#"/etc/mms/mms.toml:6: the key "engin" is unknown: did you mean "engine"?"#
        );
        insta::assert_snapshot!(
            error(&format!("{MINIMAL}[engine]\nworkers = 2\nworkers = 3\n")),
            @r#"/etc/mms/mms.toml:8: [engine] the key "workers" is given twice: keep one"#
        );
        insta::assert_snapshot!(
            error(&format!("{MINIMAL}[engine]\nworkers = 2\n[engine]\n")),
            @r#"/etc/mms/mms.toml:8: the section "engine" is there twice: make it one"#
        );
        insta::assert_snapshot!(
            error(&format!("{MINIMAL}[engine]\nworkers = 2\nmax_atendees = 3\n")),
            @r#"/etc/mms/mms.toml:8: [engine] the key "max_atendees" is unknown: did you mean "max_attendees"?"#
        );
        insta::assert_snapshot!(
            error(&format!("{MINIMAL}[calendar.b]\nkind = \"caldav\"\nulr = \"https://x\"\n")),
            @r#"/etc/mms/mms.toml:8: [calendar.b] the key "ulr" is unknown: did you mean "url"?"#
        );
        insta::assert_snapshot!(
            error(&format!("{MINIMAL}[engine]\ngrace_period = \"soon\"\n")),
            @r#"/etc/mms/mms.toml:7: [engine] "soon" is not a duration: write it as in "90min", "12h" or "30d""#
        );
        insta::assert_snapshot!(
            error(&format!("{MINIMAL}[engine]\nworkers = \"two\"\n")),
            @r#"/etc/mms/mms.toml:7: [engine] this is the text "two": write a whole number, 0 or more"#
        );
        insta::assert_snapshot!(
            error(&format!("{MINIMAL}[engine]\nworkers = -2\n")),
            @r#"/etc/mms/mms.toml:7: [engine] this is the number -2: write a whole number, 0 or more"#
        );
        insta::assert_snapshot!(
            error(&format!("{MINIMAL}[retention]\nhistory = 30\n")),
            @r#"/etc/mms/mms.toml:7: [retention] this is the number 30: write a duration in quotes, as in "90min", "12h" or "30d""#
        );
        insta::assert_snapshot!(
            error(&format!("{MINIMAL}[smtp]\nhost = \"m\"\nport = 70000\n")),
            @"/etc/mms/mms.toml:8: [smtp] this is the number 70000: write a whole number from 0 to 65535"
        );
        insta::assert_snapshot!(
            error(&format!("{MINIMAL}[calendar.b]\nkind = \"caldav\"\nurl = \"https://h/\"\nauth = \"basic\"\n")),
            @r#"/etc/mms/mms.toml:9: [calendar.b] this is the text "basic": write a table in braces with the key "type""#
        );
        insta::assert_snapshot!(
            error(&format!("{MINIMAL}[engine]\nmax_attendees = 1.5\n")),
            @"/etc/mms/mms.toml:7: [engine] this is the number 1.5: write a whole number, 0 or more"
        );
        insta::assert_snapshot!(
            error(&format!("{MINIMAL}[engine]\nnotify = true\n")),
            @"/etc/mms/mms.toml:7: [engine] this is not text: write text in quotes"
        );
        insta::assert_snapshot!(
            error(&format!("{MINIMAL}[engine]\nraise_sequence = \"yes\"\n")),
            @r#"/etc/mms/mms.toml:7: [engine] this is the text "yes": write true or false"#
        );
        insta::assert_snapshot!(
            error(&format!("{MINIMAL}[organisation]\ndomains = \"example.org\"\n")),
            @r#"/etc/mms/mms.toml:7: [organisation] this is the text "example.org": write a list in brackets"#
        );
        insta::assert_snapshot!(
            error(&format!("{MINIMAL}[engine]\nnotify = \"nobody\"\n")),
            @r#"/etc/mms/mms.toml:7: [engine] "nobody" is not known here: use all, external or none"#
        );
        insta::assert_snapshot!(
            error(&format!("{MINIMAL}[calendar.b]\nkind = \"exchange\"\n")),
            @r#"/etc/mms/mms.toml:7: [calendar.b] "kind" must be "caldav", "ews", "graph" or "ics""#
        );
        insta::assert_snapshot!(
            error("[directory]\nfile = \"users.toml\"\n"),
            @r#"/etc/mms/mms.toml: no calendar is configured: add a section [calendar.NAME] with kind = "caldav", "ews", "graph" or "ics""#
        );
        insta::assert_snapshot!(
            error("[directory]\nfile = \n"),
            @"/etc/mms/mms.toml:2: string values must be quoted, expected literal string"
        );
    }

    #[test]
    fn secrets_do_not_stand_in_the_configuration() {
        let smtp = |line: &str| error(&format!("{MINIMAL}[smtp]\nhost = \"m\"\n{line}\n"));
        insta::assert_snapshot!(
            smtp("password = \"hunter2\""),
            @"/etc/mms/mms.toml:8: [smtp] secrets do not stand in the configuration: use password_file or password_env"
        );
        insta::assert_snapshot!(
            smtp("password_env = \"MMS_NO_SUCH_VARIABLE\""),
            @"/etc/mms/mms.toml:8: [smtp] the environment variable MMS_NO_SUCH_VARIABLE is not set: set it, or use a file instead"
        );
        let url = error(&format!(
            "{MINIMAL}[calendar.b]\nkind = \"caldav\"\nurl = \"https://u:p@h/\"\nauth = {{ type = \"none\" }}\n"
        ));
        assert!(url.contains("holds credentials") && !url.contains("u:p"), "{url}");
    }

    /// The keys that a section takes, by the words of the error about one that it does not take.
    fn known_keys(section: &str) -> std::collections::BTreeSet<String> {
        let told = error(&format!("{MINIMAL}{section}\nqqqqqqqqqqqqqqqq = 1\n"));
        let keys = told.split_once("is unknown: use ").unwrap_or_else(|| panic!("{section}: {told}")).1;
        keys.split(", ").map(str::to_owned).collect()
    }

    /// The keys in the tables under a heading of docs/configuration.md.
    fn documented_keys(heading: &str) -> std::collections::BTreeSet<String> {
        let docs = include_str!("../../../../docs/configuration.md");
        let from = docs.find(heading).unwrap_or_else(|| panic!("no heading {heading}")) + heading.len();
        let part = &docs[from..];
        let part = &part[..part.find("\n#").unwrap_or(part.len())];
        let cells = part.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
        cells.flat_map(|cell| cell.split(", ")).map(|key| key.trim_matches('`').to_owned()).collect()
    }

    #[test]
    fn the_documentation_has_every_key_and_no_other() {
        let platform = |kind: &str| format!("[platform.Other]\nkind = \"{kind}\"");
        for (heading, section) in [
            ("\n## `[organisation]`", "[organisation]".to_owned()),
            ("\n### `kind = \"ics\"`", "[calendar.b]\nkind = \"ics\"".to_owned()),
            ("\n### `kind = \"caldav\"`", "[calendar.b]\nkind = \"caldav\"".to_owned()),
            ("\n### `kind = \"jitsi\"`", platform("jitsi")),
            ("\n### `kind = \"skype\"`", platform("skype")),
            ("\n### `kind = \"template\"`", platform("template")),
            ("\n## `[smtp]`", "[smtp]".to_owned()),
            ("\n## `[engine]`", "[engine]".to_owned()),
            ("\n## `[retention]`", "[retention]".to_owned()),
            ("\n## `[store]`", "[store]".to_owned()),
            ("\n## `[admin]`", "[admin]".to_owned()),
            ("\n## `[templates]`", "[templates]".to_owned()),
            ("\n## `[recognise]`", "[recognise]".to_owned()),
        ] {
            let mut known = known_keys(&section);
            // The reader puts it in.
            known.remove("platform");
            let documented = documented_keys(heading);
            // A secret is documented under the key that names its file.
            known.retain(|key| !SECRETS.contains(&key.as_str()) || documented.contains(key));
            assert_eq!(known, documented, "{heading}");
        }
        let docs = include_str!("../../../../docs/configuration.md");
        for section in SECTIONS {
            assert!(docs.contains(&format!("## `[{section}")), "{section}");
        }
    }

    #[test]
    fn calendars_that_the_directory_names_must_be_there() {
        let calendars = "[calendar.office]\nkind = \"ics\"\nroot = \"cal\"\n";
        let ldap = "[directory]\nkind = \"ldap\"\nurl = \"ldaps://dc1\"\nbase = \"DC=x\"\nuser = \"u\"\npassword_file = \"p\"\n";
        insta::assert_snapshot!(
            error(&format!("{calendars}{ldap}calendar_on_premises = \"offices\"\n")),
            @r#"/etc/mms/mms.toml:4: [directory] "calendar_on_premises": there is no [calendar.offices]: did you mean "office"?"#
        );
        insta::assert_snapshot!(
            error(&format!("{calendars}{ldap}calendar_online = \"cloud\"\n")),
            @r#"/etc/mms/mms.toml:4: [directory] "calendar_online": there is no [calendar.cloud]: correct the name, or add the section"#
        );
        let graph = "[directory]\nkind = \"graph\"\ntenant = \"t\"\nclient_id = \"c\"\nsecret_file = \"s\"\n";
        let told = error(&format!("{calendars}{graph}calendar = \"dav\"\n"));
        assert!(told.contains("[directory] \"calendar\": there is no [calendar.dav]"), "{told}");
    }

    #[test]
    fn the_documentation_has_every_key_of_an_ldap_directory() {
        let calendar = "[calendar.a]\nkind = \"ics\"\nroot = \"cal\"\n";
        let told = error(&format!("{calendar}[directory]\nkind = \"ldap\"\nqqqqqqqqqqqqqqqq = 1\n"));
        let known: std::collections::BTreeSet<&str> =
            told.split_once("is unknown: use ").unwrap().1.split(", ").collect();
        let documented = documented_keys("\n### `kind = \"ldap\"`");
        let secret = |key: &str| key.strip_suffix("_env").unwrap_or(key).to_owned();
        assert_eq!(
            known,
            documented.iter().map(|key| secret(key)).collect::<Vec<_>>().iter().map(String::as_str).collect()
        );
    }

    #[test]
    fn headers_of_sections_are_found_however_they_are_written() {
        let text = "# [calendar.b]\n[calendar.bb]\n [ calendar.\"b\" ]\n[platform.x.jwt]\n";
        assert_eq!(line_of_section(text, "calendar.b"), Some(3));
        assert_eq!(line_of_section(text, "platform.x"), Some(4));
        assert_eq!(line_of_section(text, "calendar.c"), None);
    }

    #[test]
    fn missing_sections_and_keys_are_named() {
        assert!(error("").contains("the section [directory] is missing"));
        assert!(
            error(&format!("{MINIMAL}[calendar.b]\nurl = \"x\"\n")).contains("the key \"kind\" is missing")
        );
        assert!(
            error(&format!("{MINIMAL}[calendar.b]\nkind = \"caldav\"\n"))
                .contains("the key \"url\" is missing")
        );
        assert!(
            error(&format!("{MINIMAL}[platform.all]\nkind = \"jitsi\"\n")).contains("is not a platform name")
        );
        assert!(error(&format!("{MINIMAL}[calendar]\nx = 1\n")).contains("calendar"));
    }
}
