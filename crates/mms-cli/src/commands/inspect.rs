//! `mms inspect`

use std::collections::HashSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use mms_invite::input::{BlockPlace, Inspected, MAX_SIZE, inspect};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Format, Rows, Value, tell};
use crate::wiring;

/// Arguments of `mms inspect`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// .ics, .eml, .html, .txt files, or events of Graph (JSON) or EWS (XML); - reads standard input.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

/// Shows what is recognised. With a configuration its own servers are known, without one it works too.
///
/// # Errors
/// A file cannot be read; the others are shown all the same.
pub fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let config = context.config_if_any()?;
    let recogniser = wiring::recogniser(config.as_ref())?;
    let mut rows = Rows::new(&[
        "file",
        "platform",
        "join_url",
        "meeting_id",
        "passcode",
        "has_dial_in",
        "language",
        "blocks",
    ]);
    let mut unreadable = 0;
    for file in &arguments.files {
        let shown = file.display().to_string();
        let found = read(file)
            .map_err(|error| format!("{shown} cannot be read: {error}; check the path and who may read it"))
            .and_then(|bytes| {
                let found = inspect(&shown, &bytes, &recogniser).map_err(|error| error.to_string())?;
                tell_of_others(&shown, events(&bytes), found.first());
                Ok(found)
            });
        match found {
            Ok(found) => {
                for one in found {
                    tell_of_ambiguity(&one);
                    rows.push(row(one));
                }
            }
            Err(message) => {
                unreadable += 1;
                tell(&format!("mms: {message}"));
            }
        }
    }
    context.output.print(&rows, Format::List, "nothing could be read")?;
    if unreadable > 0 {
        return Err(Failure::failed(format!(
            "{unreadable} of {} files could not be inspected",
            arguments.files.len()
        )));
    }
    Ok(())
}

fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    // One byte more than is inspected, so that what is too large shows.
    let most = MAX_SIZE as u64 + 1;
    let mut bytes = Vec::new();
    if file.as_os_str() == "-" {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes)?;
    } else {
        std::fs::File::open(file)?.take(most).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Says that it cannot be told which meeting the event is, where that is so; the row shows the first.
fn tell_of_ambiguity(found: &Inspected) {
    if found.ambiguous.len() < 2 {
        return;
    }
    let meetings: Vec<String> = found
        .ambiguous
        .iter()
        .map(|meeting| {
            format!("{} {}", meeting.platform, meeting.join_url.as_deref().unwrap_or("without a link"))
        })
        .collect();
    tell(&format!(
        "{}: ambiguous: the event names {} different meetings ({}); shown is the first, and a migration leaves the \
         event as it is",
        found.file,
        meetings.len(),
        meetings.join(", ")
    ));
}

/// Says that a file holds more than is shown.
fn tell_of_others(file: &str, events: usize, shown: Option<&Inspected>) {
    if events < 2 {
        return;
    }
    let which = match shown.filter(|shown| shown.platform.is_some()) {
        Some(shown) => match shown.subject.as_deref().map(str::trim).filter(|subject| !subject.is_empty()) {
            Some(subject) => format!("shown is the first with an online meeting, \"{subject}\""),
            None => "shown is the first with an online meeting".to_owned(),
        },
        None => "none has an online meeting".to_owned(),
    };
    tell(&format!("{file}: holds {events} events; {which}"));
}

/// The events of an iCalendar file: a series and its exceptions, which have one UID, are one.
fn events(bytes: &[u8]) -> usize {
    let mut uids = HashSet::new();
    let (mut without, mut depth, mut uid) = (0, 0_usize, None);
    for line in bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end) {
        if line.eq_ignore_ascii_case(b"BEGIN:VEVENT") {
            (depth, uid) = (1, None);
        } else if depth == 0 {
            continue;
        } else if line.eq_ignore_ascii_case(b"END:VEVENT") {
            depth = 0;
            match uid.take() {
                Some(uid) => _ = uids.insert(uid),
                None => without += 1,
            }
        } else if line.get(..6).is_some_and(|begin| begin.eq_ignore_ascii_case(b"BEGIN:")) {
            depth += 1;
        } else if line.get(..4).is_some_and(|end| end.eq_ignore_ascii_case(b"END:")) {
            depth = depth.saturating_sub(1).max(1);
        } else if depth == 1 && line.get(..4).is_some_and(|name| name.eq_ignore_ascii_case(b"UID:")) {
            uid = Some(line);
        }
    }
    uids.len() + without
}

fn row(found: Inspected) -> Vec<Value> {
    vec![
        Value::text(found.file),
        Value::optional(found.platform),
        Value::optional(found.join_url),
        Value::optional(found.meeting_id),
        Value::optional(found.passcode),
        Value::Boolean(found.has_dial_in),
        Value::optional(found.language),
        Value::List(found.blocks.into_iter().map(block).collect()),
    ]
}

fn block(block: BlockPlace) -> Value {
    Value::Object(vec![
        ("part", Value::text(block.part)),
        ("start", Value::Number(block.start as u64)),
        ("end", Value::Number(block.end as u64)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_with_its_exceptions_is_one_event() {
        let event = |uid: &str| {
            format!("begin:vevent\r\n{uid}BEGIN:VALARM\r\nUID:alarm\r\nEND:VALARM\r\nEND:VEVENT\r\n")
        };
        let text = format!("BEGIN:VCALENDAR\r\n{}", event("UID:a\r\n"));
        assert_eq!(events(text.as_bytes()), 1);
        let series = format!("{text}{}", event("UID:a\r\n"));
        assert_eq!(events(series.as_bytes()), 1);
        let more = format!("{series}{}{}{}", event("uid:b\r\n"), event(""), event(""));
        assert_eq!(events(more.as_bytes()), 4);
        assert_eq!(events(b"Lunch\nUID:x\n"), 0);
    }
}
