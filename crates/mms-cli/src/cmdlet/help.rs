//! The help of a cmdlet, made from the table.

use std::fmt::Write;

use crate::cmdlet::table::{COMMON, Cmdlet, Kind, Parameter};

/// The syntax line, as PowerShell writes it.
pub fn syntax(cmdlet: &Cmdlet) -> String {
    let mut text = cmdlet.name.to_owned();
    for parameter in cmdlet.parameters {
        let _ = write!(text, " {}", usage(parameter));
    }
    text.push_str(" [<CommonParameters>]");
    text
}

fn usage(parameter: &Parameter) -> String {
    let name =
        if parameter.positional { format!("[-{}]", parameter.name) } else { format!("-{}", parameter.name) };
    let with_type = match parameter.kind.type_name() {
        Some(type_name) => format!("{name} <{type_name}>"),
        None => name,
    };
    if parameter.mandatory { with_type } else { format!("[{with_type}]") }
}

/// The whole help of a cmdlet.
pub fn text(cmdlet: &Cmdlet) -> String {
    let mut text = format!("{}\n\n  {}\n\nSyntax\n\n  {}\n", cmdlet.name, cmdlet.synopsis, syntax(cmdlet));
    if !cmdlet.aliases.is_empty() {
        let _ = write!(text, "\nAliases: {}\n", cmdlet.aliases.join(", "));
    }
    if !cmdlet.parameters.is_empty() {
        text.push_str("\nParameters\n\n");
        describe(&mut text, cmdlet.parameters);
    }
    text.push_str("\nCommon parameters\n\n");
    describe(&mut text, COMMON);
    text.push_str("\nBeside these, -o FORMAT and --config FILE are taken as everywhere in mms.\n");
    text
}

fn describe(text: &mut String, parameters: &[Parameter]) {
    for parameter in parameters {
        let _ = write!(text, "  -{}", parameter.name);
        if let Some(type_name) = parameter.kind.type_name() {
            let _ = write!(text, " <{type_name}>");
        }
        text.push('\n');
        let _ = writeln!(text, "      {}", parameter.help);
        if let Kind::Word(words) = parameter.kind {
            let _ = writeln!(text, "      One of {}.", words.join(", "));
        }
    }
}

/// The reference of every cmdlet in Markdown.
pub fn markdown(cmdlets: &[Cmdlet]) -> String {
    let mut text = String::new();
    for cmdlet in cmdlets {
        let _ =
            write!(text, "### {}\n\n{}\n\n```\n{}\n```\n\n", cmdlet.name, cmdlet.synopsis, syntax(cmdlet));
        if !cmdlet.aliases.is_empty() {
            let _ = write!(text, "Aliases: `{}`\n\n", cmdlet.aliases.join("`, `"));
        }
        for parameter in cmdlet.parameters {
            let _ = write!(text, "- `-{}`: {}", parameter.name, parameter.help);
            if let Kind::Word(words) = parameter.kind {
                let _ = write!(text, " One of {}.", words.join(", "));
            }
            text.push('\n');
        }
        if !cmdlet.parameters.is_empty() {
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmdlet::table::find;

    #[test]
    fn the_syntax_line_reads_as_the_original() {
        assert_eq!(
            syntax(find("Get-CsMeetingMigrationStatus").unwrap()),
            "Get-CsMeetingMigrationStatus [[-Identity] <String>] [-StartTime <DateTime>] [-EndTime <DateTime>] \
             [-State <Word>] [-MigrationType <String>] [-SummaryOnly] [<CommonParameters>]"
        );
    }

    #[test]
    fn the_help_names_every_parameter() {
        for cmdlet in crate::cmdlet::table::CMDLETS {
            let help = text(cmdlet);
            for parameter in cmdlet.parameters.iter().chain(COMMON) {
                assert!(
                    help.contains(&format!("  -{}", parameter.name)),
                    "{} {}",
                    cmdlet.name,
                    parameter.name
                );
            }
        }
    }
}
