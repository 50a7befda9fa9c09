//! What of the budget of recipients was spent, in a file for each day: a line for each write, which every process of an
//! installation appends to and reads. What a process wrote is there after it was killed.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// The files of today and yesterday, which cover every window of 24 hours.
pub(super) struct Spending {
    path: PathBuf,
    /// How much of each was read.
    read: [(Date, u64); 2],
}

/// Who spent how much, and when. Negative where it was given back.
pub(super) type Entry = (String, i64, Timestamp);

impl Spending {
    /// Prepares files whose names begin with `path`, and removes those of days that do not count any more.
    pub(super) fn open(path: &Path, now: Timestamp) -> Self {
        let days = days(now);
        let spending = Self { path: path.to_owned(), read: days.map(|day| (day, 0)) };
        spending.remove_before(days[0]);
        spending
    }

    fn file(&self, day: Date) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!("-{day}"));
        name.into()
    }

    fn remove_before(&self, first: Date) {
        let (Some(folder), Some(name)) =
            (self.path.parent(), self.path.file_name().and_then(|name| name.to_str()))
        else {
            return;
        };
        for file in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let day = file
                .file_name()
                .to_str()
                .and_then(|file| file.strip_prefix(name)?.strip_prefix('-')?.parse::<Date>().ok());
            if day.is_some_and(|day| day < first) {
                // What stays behind is removed the next time.
                let _ = std::fs::remove_file(file.path());
            }
        }
    }

    /// Appends a line; whether that worked.
    pub(super) fn note(&mut self, organizer: &str, recipients: i64, now: Timestamp) -> bool {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let path = self.file(days(now)[1]);
        // One short write, so that lines of several processes do not mix.
        let line =
            format!("{} {recipients} {}\n", now.as_second(), organizer.replace(char::is_whitespace, "_"));
        let written = options.open(&path).and_then(|mut file| file.write_all(line.as_bytes()));
        if let Err(error) = &written {
            tracing::warn!("{} cannot be written: {error}", path.display());
        }
        written.is_ok()
    }

    /// What was written down since the last time.
    pub(super) fn news(&mut self, now: Timestamp) -> Vec<Entry> {
        let known = self.read;
        self.read =
            days(now).map(|day| known.into_iter().find(|(other, _)| *other == day).unwrap_or((day, 0)));
        let mut news = Vec::new();
        for index in 0..self.read.len() {
            let (day, from) = self.read[index];
            let text = read_from(&self.file(day), from).unwrap_or_default();
            // A line that somebody is just writing is read the next time.
            let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            let lines = String::from_utf8_lossy(text.get(..whole).unwrap_or_default()).into_owned();
            news.extend(lines.lines().filter_map(entry));
            self.read[index].1 = from + whole as u64;
        }
        news
    }
}

fn entry(line: &str) -> Option<Entry> {
    let mut words = line.split(' ');
    let (at, recipients, organizer) = (words.next()?, words.next()?, words.next()?);
    Some((organizer.to_owned(), recipients.parse().ok()?, Timestamp::from_second(at.parse().ok()?).ok()?))
}

/// Yesterday and today.
fn days(now: Timestamp) -> [Date; 2] {
    let today = now.to_zoned(TimeZone::UTC).date();
    [today.checked_sub(1.day()).unwrap_or(today), today]
}

fn read_from(path: &Path, from: u64) -> Option<Vec<u8>> {
    let mut file = File::open(path).ok()?;
    if file.metadata().ok()?.len() <= from {
        return None;
    }
    file.seek(SeekFrom::Start(from)).ok()?;
    let mut text = Vec::new();
    file.read_to_end(&mut text).ok()?;
    Some(text)
}
