//! Reads the rest of a cmdlet line as PowerShell does: names without case, unambiguous prefixes,
//! `-Name value`, `-Name:value`, switches, positional arguments. Quotes are the shell's business.
//!
//! Beside the cmdlet's own parameters `-o FORMAT`, `--output` and `--config` are taken, as before the
//! cmdlet.

use crate::cmdlet::table::{COMMON, Cmdlet, Kind, Parameter};
use crate::nearest::nearest;

/// The parameters of a line, with their values as written.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Line {
    values: Vec<(&'static str, Given)>,
    /// `-o` or `--output`.
    pub output: Option<String>,
    /// `--config`.
    pub config: Option<String>,
    /// `-?`, `-h` or `--help`.
    pub help: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Given {
    Text(String),
    Boolean(bool),
}

impl Line {
    /// The text of a parameter.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.iter().find_map(|(n, given)| match given {
            Given::Text(text) if *n == name => Some(text.as_str()),
            _ => None,
        })
    }

    /// The boolean or switch.
    pub fn boolean(&self, name: &str) -> Option<bool> {
        self.values.iter().find_map(|(n, given)| match given {
            Given::Boolean(boolean) if *n == name => Some(*boolean),
            _ => None,
        })
    }

    /// Whether the switch is on.
    pub fn is_on(&self, name: &str) -> bool {
        self.boolean(name).unwrap_or(false)
    }
}

/// Reads the arguments that follow the cmdlet's name.
///
/// # Errors
/// A sentence that names the argument and says how to write it.
pub fn parse(cmdlet: &Cmdlet, arguments: &[String]) -> Result<Line, String> {
    let mut line = Line::default();
    let mut loose = Vec::new();
    let mut rest = arguments.iter();
    let mut names_ended = false;
    while let Some(argument) = rest.next() {
        let name = if names_ended { None } else { name_of(argument) };
        match name {
            Some(Name::End) => names_ended = true,
            Some(Name::Help) => line.help = true,
            Some(Name::Ours(option, value)) => {
                let value = match value {
                    Some(value) => value.to_owned(),
                    None => {
                        rest.next().cloned().ok_or_else(|| format!("--{option} needs a value behind it"))?
                    }
                };
                if option == "config" { line.config = Some(value) } else { line.output = Some(value) }
            }
            Some(Name::Parameter(name, value)) => {
                let parameter = resolve(cmdlet, name)?;
                let given = value_of(parameter, value, &mut rest)?;
                set(&mut line, parameter, given)?;
            }
            None => loose.push(argument),
        }
    }
    place(cmdlet, &mut line, &loose)?;
    if !line.help {
        check_mandatory(cmdlet, &line)?;
    }
    Ok(line)
}

enum Name<'a> {
    Parameter(&'a str, Option<&'a str>),
    Ours(&'static str, Option<&'a str>),
    Help,
    End,
}

/// What a token that starts with a dash names. PowerShell takes the dashes that word processors make
/// of a hyphen for one too, and runbooks are full of them.
fn name_of(argument: &str) -> Option<Name<'_>> {
    match argument {
        "--" => return Some(Name::End),
        "-?" | "-h" | "--help" => return Some(Name::Help),
        "-o" => return Some(Name::Ours("output", None)),
        _ => {}
    }
    if let Some(long) = argument.strip_prefix("--") {
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
        return match name {
            "output" => Some(Name::Ours("output", value)),
            "config" => Some(Name::Ours("config", value)),
            _ => Some(Name::Parameter(argument, None)),
        };
    }
    let bare = argument.strip_prefix(['-', '\u{2013}', '\u{2014}', '\u{2015}'])?;
    if !bare.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        return None;
    }
    Some(match bare.split_once(':') {
        Some((name, value)) => Name::Parameter(name, Some(value)),
        None => Name::Parameter(bare, None),
    })
}

fn resolve(cmdlet: &Cmdlet, name: &str) -> Result<&'static Parameter, String> {
    let all = || cmdlet.parameters.iter().chain(COMMON);
    if let Some(exact) = all().find(|p| {
        p.name.eq_ignore_ascii_case(name) || p.alias.is_some_and(|alias| alias.eq_ignore_ascii_case(name))
    }) {
        return Ok(exact);
    }
    let starts = |p: &&Parameter| p.name.get(..name.len()).is_some_and(|s| s.eq_ignore_ascii_case(name));
    let matches: Vec<&'static Parameter> = all().filter(starts).collect();
    match matches.as_slice() {
        [one] => Ok(one),
        [] => {
            let near = nearest(name.trim_start_matches('-'), all().map(|p| p.name));
            let advice = near.map_or_else(
                || format!("see `mms {} -?`", cmdlet.name),
                |near| format!("did you mean -{near}?"),
            );
            let dash = if name.starts_with('-') { "" } else { "-" };
            Err(format!("{} has no parameter {dash}{name}: {advice}", cmdlet.name))
        }
        several => Err(format!(
            "-{name} is ambiguous: it may be {}; write more of the name",
            several.iter().map(|p| format!("-{}", p.name)).collect::<Vec<_>>().join(" or ")
        )),
    }
}

fn value_of<'a>(
    parameter: &'static Parameter,
    attached: Option<&str>,
    rest: &mut impl Iterator<Item = &'a String>,
) -> Result<Given, String> {
    let name = parameter.name;
    if parameter.kind == Kind::Switch && attached.is_none() {
        return Ok(Given::Boolean(true));
    }
    // `-Name: value` is one parameter in PowerShell, though the shell splits it.
    let value = match attached {
        Some(value) if !value.is_empty() => value.to_owned(),
        _ => match rest.next() {
            Some(value) if attached.is_some() || !starts_name(value) => value.clone(),
            _ => return Err(missing(parameter)),
        },
    };
    match parameter.kind {
        Kind::Switch | Kind::Boolean => boolean(&value).map(Given::Boolean).ok_or_else(|| {
            format!("-{name} takes $true or $false, not \"{value}\": in a Unix shell quote it, as in '-{name}:$true'")
        }),
        Kind::Word(words) => words
            .iter()
            .find(|word| word.eq_ignore_ascii_case(&value))
            .map(|word| Given::Text((*word).to_owned()))
            .ok_or_else(|| format!("-{name} takes {}, not \"{value}\"", words.join(", "))),
        Kind::Guid => uuid::Uuid::parse_str(value.trim())
            .map(|id| Given::Text(id.to_string()))
            .map_err(|_| format!("-{name} takes a GUID, not \"{value}\": copy it from the status record")),
        Kind::Text | Kind::DateTime => Ok(Given::Text(value)),
    }
}

fn starts_name(value: &str) -> bool {
    matches!(name_of(value), Some(Name::Parameter(..) | Name::Ours(..)))
}

fn missing(parameter: &Parameter) -> String {
    let name = parameter.name;
    match parameter.kind {
        Kind::Switch | Kind::Boolean => format!(
            "-{name} has no value: a Unix shell takes $true and $false for its own variables, so quote them, as in \
             '-{name}:$true', or write true or false"
        ),
        _ => format!("-{name} needs a value behind it"),
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "$true" | "true" | "1" => Some(true),
        "$false" | "false" | "0" => Some(false),
        _ => None,
    }
}

fn set(line: &mut Line, parameter: &'static Parameter, given: Given) -> Result<(), String> {
    if line.values.iter().any(|(name, _)| *name == parameter.name) {
        return Err(format!("-{} is given twice: leave one out", parameter.name));
    }
    line.values.push((parameter.name, given));
    Ok(())
}

/// Gives what stands without a name to the positional parameters that are still free, in their order.
fn place(cmdlet: &Cmdlet, line: &mut Line, loose: &[&String]) -> Result<(), String> {
    let mut free = cmdlet
        .parameters
        .iter()
        .filter(|p| p.positional && line.text(p.name).is_none())
        .collect::<Vec<_>>()
        .into_iter();
    for argument in loose {
        match free.next() {
            Some(parameter) => set(line, parameter, Given::Text((*argument).clone()))?,
            None => {
                return Err(format!(
                    "\"{argument}\" is one argument too many for {}: put quotes around a name with blanks",
                    cmdlet.name
                ));
            }
        }
    }
    Ok(())
}

fn check_mandatory(cmdlet: &Cmdlet, line: &Line) -> Result<(), String> {
    match cmdlet
        .parameters
        .iter()
        .find(|p| p.mandatory && line.text(p.name).is_none_or(|t| t.trim().is_empty()))
    {
        None => Ok(()),
        Some(parameter) => Err(format!("{} needs -{}: {}", cmdlet.name, parameter.name, parameter.help)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmdlet::table::find;

    fn read(line: &str) -> Result<Line, String> {
        // A small stand-in for the shell: words, and single quotes around blanks.
        let mut words = Vec::new();
        let mut quoted = false;
        let mut word: Option<String> = None;
        for c in line.chars() {
            match c {
                '\'' => {
                    quoted = !quoted;
                    word.get_or_insert_default();
                }
                ' ' if !quoted => words.extend(word.take()),
                c => word.get_or_insert_default().push(c),
            }
        }
        words.extend(word);
        parse(find(&words[0]).unwrap(), &words[1..])
    }

    fn ok(line: &str) -> Line {
        read(line).unwrap()
    }

    #[test]
    fn the_examples_of_the_original() {
        assert!(ok("Get-CsMeetingMigrationStatus -SummaryOnly").is_on("SummaryOnly"));
        assert_eq!(
            ok("Get-CsMeetingMigrationStatus -Identity 'ashaw@contoso.com'").text("Identity"),
            Some("ashaw@contoso.com")
        );
        let line = ok("Get-CsMeetingMigrationStatus -StartTime '10/1/2018' -EndTime 10/8/2018 -State failed");
        assert_eq!(line.text("StartTime"), Some("10/1/2018"));
        assert_eq!(line.text("State"), Some("Failed"));
        let line = ok("Start-CsExMeetingMigration ashaw@contoso.com -TargetMeetingType Teams");
        assert_eq!(line.text("Identity"), Some("ashaw@contoso.com"));
        let line = ok("Set-CsTenantMigrationConfiguration -MeetingMigrationEnabled '$false'");
        assert_eq!(line.boolean("MeetingMigrationEnabled"), Some(false));
    }

    #[test]
    fn names_go_without_case_by_prefix_and_with_a_colon() {
        let line = ok("get-csmmsstatus -sum -id:ashaw@contoso.com -MIG:SfbToTeams");
        assert!(line.is_on("SummaryOnly"));
        assert_eq!(line.text("Identity"), Some("ashaw@contoso.com"));
        assert_eq!(line.text("MigrationType"), Some("SfbToTeams"));
        assert_eq!(ok("Get-CsMmsStatus -Identity: a@b").text("Identity"), Some("a@b"));
        assert_eq!(ok("Get-CsMmsStatus \u{2013}Identity a@b").text("Identity"), Some("a@b"));
        assert!(!ok("Get-CsMmsStatus '-SummaryOnly:$false'").is_on("SummaryOnly"));
    }

    #[test]
    fn the_value_of_a_colon_may_hold_colons() {
        let line = ok("Get-CsMmsStatus -StartTime:2024-01-01T10:00:00Z -Identity:sip:a@b.c");
        assert_eq!(line.text("StartTime"), Some("2024-01-01T10:00:00Z"));
        assert_eq!(line.text("Identity"), Some("sip:a@b.c"));
    }

    #[test]
    fn a_prefix_of_several_is_ambiguous_and_an_exact_name_is_not() {
        assert_eq!(
            read("Get-CsMmsStatus -S x").unwrap_err(),
            "-S is ambiguous: it may be -StartTime or -State or -SummaryOnly; write more of the name"
        );
        // A common parameter counts too, as in PowerShell.
        assert!(read("Get-CsMmsStatus -E x").unwrap_err().contains("-ErrorAction"));
        assert!(ok("Get-CsMmsStatus -State failed").text("State").is_some());
    }

    #[test]
    fn unknown_names_are_told_what_was_meant() {
        assert_eq!(
            read("Get-CsMmsStatus -Identty x").unwrap_err(),
            "Get-CsMeetingMigrationStatus has no parameter -Identty: did you mean -Identity?"
        );
        assert!(read("Get-CsMmsStatus --summary").unwrap_err().contains("no parameter --summary"));
    }

    #[test]
    fn a_variable_that_the_shell_ate_is_explained() {
        for line in [
            "Set-CsTenantMigrationConfiguration -MeetingMigrationEnabled",
            "Set-CsTenantMigrationConfiguration -MeetingMigrationEnabled -Force",
            "Start-CsExMeetingMigration a@b -Confirm:",
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains("quote them"), "{line}: {error}");
        }
        assert_eq!(ok("Start-CsExMeetingMigration a@b -Confirm:false").boolean("Confirm"), Some(false));
        assert!(
            read("Start-CsExMeetingMigration -Confirm: a@b").unwrap_err().contains("takes $true or $false")
        );
    }

    #[test]
    fn missing_doubled_and_surplus_arguments_are_errors() {
        assert!(read("Start-CsExMeetingMigration").unwrap_err().contains("needs -Identity"));
        assert!(read("Get-CsMmsStatus -Identity").unwrap_err().contains("needs a value"));
        assert!(read("Get-CsMmsStatus -Identity a -identity b").unwrap_err().contains("given twice"));
        assert!(read("Get-CsMmsStatus Ken Myer").unwrap_err().contains("one argument too many"));
        assert!(read("Get-CsMmsStatus -State Done").unwrap_err().contains("Pending, InProgress"));
        assert!(
            read("Get-CsMeetingMigrationTransactionHistory a -CorrelationId 12")
                .unwrap_err()
                .contains("GUID")
        );
    }

    #[test]
    fn common_parameters_and_our_own_options_are_taken() {
        let line =
            ok("Get-CsMmsStatus -ErrorAction SilentlyContinue -Verbose -ov x -o json --config=/a/b.toml");
        assert_eq!(line.text("ErrorAction"), Some("SilentlyContinue"));
        assert!(line.is_on("Verbose"));
        assert_eq!((line.output.as_deref(), line.config.as_deref()), (Some("json"), Some("/a/b.toml")));
        assert!(ok("Start-CsExMeetingMigration -?").help);
    }

    #[test]
    fn behind_two_dashes_all_is_positional_and_numbers_are_no_names() {
        assert_eq!(ok("Get-CsMmsStatus -- -odd").text("Identity"), Some("-odd"));
        assert_eq!(ok("Get-CsMmsStatus -5").text("Identity"), Some("-5"));
    }
}
