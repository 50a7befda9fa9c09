//! Turns a cmdlet line into the native command of the same meaning.

use std::ffi::OsString;
use std::str::FromStr;

use clap::ValueEnum;
use mms_engine::{Effect, Event, Switch, UpgradeMode, effect};
use mms_model::{Identity, SourceMeetingType, TargetMeetingType};

use crate::arguments::{Command, Global};
use crate::cmdlet::help;
use crate::cmdlet::parse::{Line, parse};
use crate::cmdlet::table::{self, Cmdlet, Verb};
use crate::commands::{config, event, history, preview, start, status};
use crate::dates::{self, Bound};
use crate::failure::Failure;
use crate::nearest::nearest;
use crate::output::Format;
use crate::users::Choice;

/// What a cmdlet line comes down to.
#[derive(Debug)]
pub struct Translation {
    /// The global options, those on the line included.
    pub global: Global,
    /// What to do.
    pub action: Action,
    /// Errors stay off stderr (`-ErrorAction SilentlyContinue`).
    pub silent: bool,
}

/// What to do.
#[derive(Debug)]
pub enum Action {
    /// Print this.
    Print(String),
    /// Run this; where there is a question, only after a yes.
    Run(Box<Command>, Option<String>),
}

/// Reads a line that is no native command.
///
/// # Errors
/// It is no cmdlet, or is written wrong.
pub fn translate(mut global: Global, words: &[OsString], natives: &[&str]) -> Result<Translation, Failure> {
    let words = words
        .iter()
        .map(|word| word.to_str().map(str::to_owned))
        .collect::<Option<Vec<String>>>()
        .ok_or_else(|| Failure::usage("an argument is not UTF-8: write it in UTF-8"))?;
    let Some((name, rest)) = words.split_first() else {
        return Err(Failure::usage("no command is given: see `mms --help`"));
    };
    let Some(cmdlet) = table::find(name) else { return Err(unknown(name, natives)) };
    let line = parse(cmdlet, rest).map_err(Failure::usage)?;
    if let Some(config) = &line.config {
        global.config = Some(config.into());
    }
    if let Some(output) = &line.output {
        let format = Format::from_str(output, true).map_err(|_| {
            Failure::usage(format!("-o takes json, jsonl, csv, table or list, not \"{output}\""))
        })?;
        global.output = Some(format);
    }
    global.verbose += u8::from(line.is_on("Verbose")) + 2 * u8::from(line.is_on("Debug"));
    let silent = matches!(line.text("ErrorAction"), Some("SilentlyContinue" | "Ignore"));
    let action = if line.help { Action::Print(help::text(cmdlet)) } else { action(cmdlet, &line)? };
    Ok(Translation { global, action, silent })
}

fn unknown(name: &str, natives: &[&str]) -> Failure {
    let known = natives.iter().map(|name| (*name).to_owned()).chain(table::names().map(str::to_owned));
    let known: Vec<String> = known.collect();
    Failure::usage(match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("mms has no command \"{name}\": did you mean {near}?"),
        None => format!("mms has no command \"{name}\": `mms --help` lists them"),
    })
}

fn action(cmdlet: &Cmdlet, line: &Line) -> Result<Action, Failure> {
    let run = |command| Ok(Action::Run(Box::new(command), None));
    match cmdlet.verb {
        Verb::Status => run(Command::Status(status::Arguments {
            identity: value(line, "Identity")?,
            state: value(line, "State")?,
            migration: value(line, "MigrationType")?,
            period: period(line)?,
            summary: line.is_on("SummaryOnly"),
        })),
        Verb::History => run(Command::History(history::Arguments {
            identity: required(line, "Identity")?,
            correlation_id: value(line, "CorrelationId")?,
            period: period(line)?,
            meetings: false,
        })),
        Verb::Start => start_or_preview(line),
        Verb::GetTenantConfiguration => shown(line, tenant(None)),
        Verb::SetTenantConfiguration => set_switch(line, Switch::MeetingMigration, tenant),
        Verb::GetDialInSettings => shown(line, dial_in(None)),
        Verb::SetDialInSettings => set_switch(line, Switch::AutomaticMigration, dial_in),
        Verb::GrantUpgradePolicy => grant_upgrade_policy(line),
    }
}

/// The one configuration, where it is asked for.
fn shown(line: &Line, command: Command) -> Result<Action, Failure> {
    check_global(line)?;
    if line.text("Filter").is_none_or(|pattern| wildcard(pattern, "Global")) {
        return Ok(Action::Run(Box::new(command), None));
    }
    Ok(Action::Print(String::new()))
}

fn start_or_preview(line: &Line) -> Result<Action, Failure> {
    let identity: Identity = required(line, "Identity")?;
    let from = value(line, "SourceMeetingType")?.unwrap_or(SourceMeetingType::All);
    let to = value(line, "TargetMeetingType")?.unwrap_or(TargetMeetingType::Current);
    let question = format!("Start the migration of the {from} meetings of {identity} to {to}?");
    let users = Choice { identities: vec![identity], ..Choice::default() };
    if line.is_on("WhatIf") {
        let arguments = preview::Arguments { users, from, to, diff: false };
        return Ok(Action::Run(Box::new(Command::Preview(arguments)), None));
    }
    let command = Command::Start(start::Arguments { users, from, to, ..start::Arguments::default() });
    Ok(Action::Run(Box::new(command), line.is_on("Confirm").then_some(question)))
}

fn set_switch(line: &Line, switch: Switch, command: fn(Option<bool>) -> Command) -> Result<Action, Failure> {
    check_global(line)?;
    let name = switch.name();
    if line.text("Instance").is_some() {
        return Err(Failure::usage(
            "-Instance takes an object from the pipeline: only the PowerShell module has one",
        ));
    }
    let Some(on) = line.boolean(name) else {
        return Err(Failure::usage(format!("nothing is to be set: give -{name} true or false")));
    };
    let what = if on { "True" } else { "False" };
    if line.is_on("WhatIf") {
        return Ok(Action::Print(format!("What if: {name} of Global would be set to {what}.\n")));
    }
    let question = format!("Set {name} of Global to {what}?");
    Ok(Action::Run(Box::new(command(Some(on))), line.is_on("Confirm").then_some(question)))
}

fn tenant(meeting_migration_enabled: Option<bool>) -> Command {
    Command::Config(config::Arguments { action: config::Action::Tenant { meeting_migration_enabled } })
}

fn dial_in(automatically_migrate_user_meetings: Option<bool>) -> Command {
    let action = config::Action::DialIn { automatically_migrate_user_meetings };
    Command::Config(config::Arguments { action })
}

fn grant_upgrade_policy(line: &Line) -> Result<Action, Failure> {
    let policy = line.text("PolicyName").ok_or_else(|| {
        Failure::usage("-PolicyName is missing: which policy was granted, such as UpgradeToTeams?")
    })?;
    let mode: UpgradeMode = required(line, "PolicyName")?;
    let identity: Option<Identity> = value(line, "Identity")?;
    if line.is_on("Global") {
        return match identity {
            Some(_) => {
                Err(Failure::usage("-Global is for the whole tenant: leave the Identity out, or -Global"))
            }
            None => {
                let granted = Event::UpgradePolicyGranted { mode, to_user: false, migrate: true };
                let Effect::Nothing(why) = effect(granted, true) else {
                    return Err(Failure::failed(
                        "a grant to the whole tenant cannot be recorded: name the user",
                    ));
                };
                Ok(Action::Print(format!("Nothing follows: {why}.\n")))
            }
        };
    }
    let identity =
        identity.ok_or_else(|| Failure::usage("-Identity is missing: to whom was the policy granted?"))?;
    if line.is_on("WhatIf") {
        return Ok(Action::Print(format!(
            "What if: {identity} would be taken to have the policy {policy}.\n"
        )));
    }
    let question = format!("Take {identity} to have the policy {policy}, and start what follows?");
    let command = Command::Event(event::Arguments {
        event: "UpgradePolicyGranted".to_owned(),
        identity,
        policy: Some(policy.to_owned()),
        migrate_meetings_to_teams: line.boolean("MigrateMeetingsToTeams"),
        third_party_provider: false,
    });
    Ok(Action::Run(Box::new(command), line.is_on("Confirm").then_some(question)))
}

fn check_global(line: &Line) -> Result<(), Failure> {
    match line.text("Identity") {
        Some(identity) if !identity.eq_ignore_ascii_case("Global") => Err(Failure::not_found(format!(
            "there is no configuration \"{identity}\": the only one is Global"
        ))),
        _ => Ok(()),
    }
}

/// PowerShell's `*` and `?`, without case. Linear in the product of both lengths.
fn wildcard(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    // The lengths of the beginnings of `text` that the pattern so far matches.
    let mut matched = vec![false; text.len() + 1];
    if let Some(none) = matched.first_mut() {
        *none = true;
    }
    for p in pattern.to_lowercase().chars() {
        let mut next = vec![false; text.len() + 1];
        for (at, is_match) in next.iter_mut().enumerate() {
            let before = at.checked_sub(1);
            let char_fits = before.and_then(|b| text.get(b)).is_some_and(|c| p == '?' || *c == p);
            *is_match = if p == '*' {
                matched.iter().take(at + 1).any(|m| *m)
            } else {
                char_fits && before.and_then(|b| matched.get(b)).copied().unwrap_or(false)
            };
        }
        matched = next;
    }
    matched.last().copied().unwrap_or(false)
}

fn period(line: &Line) -> Result<status::Period, Failure> {
    let date = |name: &str, bound| {
        line.text(name)
            .map(|text| {
                dates::parse(text, bound).map_err(|message| Failure::usage(format!("-{name}: {message}")))
            })
            .transpose()
    };
    Ok(status::Period {
        start_time: date("StartTime", Bound::Start)?,
        end_time: date("EndTime", Bound::End)?,
    })
}

fn value<T: FromStr>(line: &Line, name: &str) -> Result<Option<T>, Failure>
where
    T::Err: std::fmt::Display,
{
    line.text(name)
        .map(|text| text.parse().map_err(|error| Failure::usage(format!("-{name}: {error}"))))
        .transpose()
}

fn required<T: FromStr>(line: &Line, name: &str) -> Result<T, Failure>
where
    T::Err: std::fmt::Display,
{
    value(line, name)?.ok_or_else(|| Failure::usage(format!("-{name} is missing")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(words: &[&str]) -> Result<Translation, Failure> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        translate(Global::default(), &words, &["status", "start"])
    }

    #[test]
    fn a_line_becomes_the_native_command() {
        let it = translated(&["get-csmmsstatus", "-Sum", "-End", "10/1/2018", "-o", "json", "-vb"]).unwrap();
        assert_eq!((it.global.output, it.global.verbose), (Some(Format::Json), 1));
        let Action::Run(command, None) = it.action else { panic!("a command without a question") };
        let Command::Status(arguments) = *command else { panic!("status") };
        assert!(arguments.summary);
        assert_eq!(arguments.period.end_time.unwrap().to_string(), "2018-10-01T23:59:59.999999999Z");
    }

    #[test]
    fn what_if_is_a_preview() {
        let it =
            translated(&["Start-CsExMeetingMigration", "a@b.test", "-Target", "Jitsi", "-WhatIf"]).unwrap();
        assert!(matches!(it.action, Action::Run(command, None) if matches!(*command, Command::Preview(_))));
        let it = translated(&["Start-CsExMeetingMigration", "a@b.test", "-Confirm"]).unwrap();
        assert!(matches!(it.action, Action::Run(_, Some(question)) if question.contains("a@b.test")));
    }

    #[test]
    fn the_tenant_has_one_configuration() {
        let exit = |words: &[&str]| translated(words).map(|_| ()).map_err(|f| f.exit);
        use crate::failure::Exit;
        assert_eq!(exit(&["Get-CsTenantMigrationConfiguration", "Global"]), Ok(()));
        assert_eq!(exit(&["Get-CsTenantMigrationConfiguration", "Other"]), Err(Exit::NotFound));
        assert_eq!(exit(&["Set-CsTenantMigrationConfiguration"]), Err(Exit::Usage));
        assert_eq!(exit(&["Set-CsOnlineDialInConferencingTenantSettings"]), Err(Exit::Usage));
        assert_eq!(exit(&["Get-CsOnlineDialInConferencingTenantSettings", "Other"]), Err(Exit::NotFound));
    }

    #[test]
    fn a_policy_is_granted_to_somebody_or_to_all() {
        let it = |words: &[&str]| translated(&[&["Grant-CsTeamsUpgradePolicy"], words].concat());
        let line = ["a@b.test", "-PolicyName", "UpgradeToTeams", "-MigrateMeetingsToTeams", "$false"];
        let Action::Run(command, None) = it(&line).unwrap().action else { panic!("a command") };
        let Command::Event(arguments) = *command else { panic!("an event") };
        assert_eq!(
            (arguments.policy.as_deref(), arguments.migrate_meetings_to_teams),
            (Some("UpgradeToTeams"), Some(false))
        );
        assert!(matches!(it(&["-Global", "-PolicyName", "Islands"]).unwrap().action, Action::Print(_)));
        for wrong in [
            &["a@b.test"][..],
            &["-PolicyName", "UpgradeToTeams"],
            &["a@b.test", "-PolicyName", "Teams"],
            &["a@b.test", "-Global", "-PolicyName", "UpgradeToTeams"],
        ] {
            assert!(it(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_unknown_command_is_told_what_was_meant() {
        assert_eq!(
            translated(&["statsu"]).unwrap_err().message,
            "mms has no command \"statsu\": did you mean status?"
        );
        assert!(
            translated(&["Get-CsMeetingMigrationStatsu"])
                .unwrap_err()
                .message
                .ends_with("did you mean Get-CsMeetingMigrationStatus?")
        );
    }

    #[test]
    fn wildcards() {
        assert!(wildcard("g*", "Global") && wildcard("*", "Global") && wildcard("Gl?bal", "Global"));
        assert!(!wildcard("x*", "Global") && !wildcard("Glo", "Global") && !wildcard("", "Global"));
    }
}
