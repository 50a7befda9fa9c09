//! A file of events: reading it safely, taking single events out of it, putting them back.

use std::collections::{BTreeSet, HashMap};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use mms_model::{Code, PortError, Version, hex};
use sha2::{Digest, Sha256};

use super::components::{self, CalendarObject, Layout};
use super::{Opened, failure, shown};

/// Properties and zones that many events of a file share are copied into each event's content, and
/// must be small for that. Larger ones are left out there; the file keeps them.
const MAX_SHARED_BYTES: usize = 64 * 1024;

/// The version of an event: what it is, to the byte.
pub(super) fn version(content: &[u8]) -> Version {
    let digest = Sha256::digest(content);
    Version(hex(&digest))
}

/// What tells whether a file was changed: its place on the disk, size and times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: Option<std::time::SystemTime>,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let (device, inode) = {
            use std::os::unix::fs::MetadataExt;
            (metadata.dev(), metadata.ino())
        };
        #[cfg(not(unix))]
        let (device, inode) = (0, 0);
        Self { device, inode, size: metadata.len(), modified: metadata.modified().ok() }
    }
}

/// The components of one UID, in the order of the file; indexes into the layout.
#[derive(Debug, Clone, Default)]
pub(super) struct EventGroup {
    pub(super) uid: String,
    components: Vec<usize>,
}

/// A file that was read whole.
#[derive(Debug)]
pub(super) struct EventFile {
    pub(super) bytes: Vec<u8>,
    pub(super) metadata: Metadata,
    layout: Layout,
    groups: Vec<EventGroup>,
    by_uid: HashMap<String, usize>,
    /// VTIMEZONEs by VCALENDAR and TZID.
    zones: HashMap<(usize, Vec<u8>), Range<usize>>,
    /// Events that have no UID, which nothing can be done about.
    pub(super) without_uid: usize,
}

/// A file as it is to be written. Pieces, so that a large file is not held twice.
pub(super) struct Changed<'a> {
    pub(super) pieces: Vec<&'a [u8]>,
    pub(super) versions: Vec<Version>,
    pub(super) is_change: bool,
}

/// The file that was read last, where more than one page comes out of it. Its events are found and
/// written one page after the other, and without this it would be read anew for each.
#[derive(Debug, Default)]
pub(super) struct LastRead(Mutex<Option<(String, EventFile)>>);

impl LastRead {
    /// Keeps the file for the next who wants it.
    pub(super) fn keep(&self, relative: &str, file: EventFile) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((relative.to_owned(), file));
    }

    /// The file, where it is the one that was kept and looks the same on the disk. A write compares
    /// the bytes as well before it takes place.
    fn take(&self, relative: &str, path: &Path) -> Option<EventFile> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, file) = kept.take_if(|(kept, _)| kept == relative)?;
        let now = path.symlink_metadata().ok()?;
        (Stamp::of(&now) == Stamp::of(&file.metadata)).then_some(file)
    }
}

/// Reads a file below the folder; `None` where it is not there.
///
/// # Errors
/// What hinders reading it, or why it is no calendar.
pub(super) fn read_if_there(opened: &Opened, relative: &str) -> Result<Option<EventFile>, PortError> {
    let path = opened.path(relative);
    if let Some(file) = opened.last_read.take(relative, &path) {
        return Ok(Some(file));
    }
    let Some((bytes, metadata)) = bytes_if_there(&path, opened.settings.max_file_bytes())? else {
        return Ok(None);
    };
    EventFile::parse(bytes, metadata).map(Some).map_err(|why| failure::unreadable(&path, &why))
}

/// The bytes of a regular file of up to `limit` bytes, and what it was when they were read.
pub(super) fn bytes_if_there(path: &Path, limit: u64) -> Result<Option<(Vec<u8>, Metadata)>, PortError> {
    let read = || -> io::Result<Result<(Vec<u8>, Metadata), PortError>> {
        let named = path.symlink_metadata()?;
        // Neither links nor devices; a pipe would wait for a writer for ever.
        if !named.is_file() {
            return Ok(Err(PortError::permanent(
                Code::FileAccess,
                format!("{} is no regular file; links are not followed", shown(path)),
            )));
        }
        let too_large = |size: u64| {
            PortError::permanent(
                Code::FileAccess,
                format!(
                    "{} is {size} bytes long; files over max_file_mib ({limit} bytes) are not read",
                    shown(path)
                ),
            )
        };
        if named.len() > limit {
            return Ok(Err(too_large(named.len())));
        }
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if Stamp::of(&metadata) != Stamp::of(&named) {
            return Ok(Err(failure::conflict(path)));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
        (&mut file).take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Ok(Err(too_large(bytes.len() as u64)));
        }
        Ok(Ok((bytes, metadata)))
    };
    match read() {
        Ok(Ok(found)) => Ok(Some(found)),
        Ok(Err(refused)) => Err(refused),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failure::reading(path, &error)),
    }
}

impl EventFile {
    /// # Errors
    /// Why `bytes` are no calendar, as the rest of a sentence that begins with the file.
    fn parse(bytes: Vec<u8>, metadata: Metadata) -> Result<Self, String> {
        let layout = components::scan(&bytes)?;
        let mut groups: Vec<EventGroup> = Vec::new();
        let mut by_uid: HashMap<String, usize> = HashMap::new();
        let mut without_uid = 0;
        for (position, event) in layout.events.iter().enumerate() {
            let Some(uid) = &event.uid else {
                without_uid += 1;
                continue;
            };
            let group = *by_uid.entry(uid.clone()).or_insert_with(|| {
                groups.push(EventGroup { uid: uid.clone(), components: Vec::new() });
                groups.len() - 1
            });
            if let Some(group) = groups.get_mut(group) {
                group.components.push(position);
            }
        }
        let zones = layout.calendars.iter().enumerate().flat_map(|(position, calendar)| {
            calendar.zones.iter().map(move |zone| ((position, zone.tzid.clone()), zone.range.clone()))
        });
        let zones = zones.collect();
        Ok(Self { bytes, metadata, layout, groups, by_uid, zones, without_uid })
    }

    /// Every event, in the order of the file.
    pub(super) fn events(&self) -> &[EventGroup] {
        &self.groups
    }

    /// The event with `uid`.
    pub(super) fn event(&self, uid: &str) -> Option<&EventGroup> {
        self.by_uid.get(uid).and_then(|&group| self.groups.get(group))
    }

    /// Whether every component of the event certainly ended before the day `yyyymmdd`.
    pub(super) fn ended_before(&self, event: &EventGroup, day: u32) -> bool {
        self.components_of(event).all(|component| component.last_day.is_some_and(|last| last < day))
    }

    fn components_of<'a>(&'a self, event: &'a EventGroup) -> impl Iterator<Item = &'a components::Event> {
        event.components.iter().filter_map(|&position| self.layout.events.get(position))
    }

    /// Whether the file is this one event, so that its bytes are the event's.
    fn is_alone(&self) -> bool {
        self.groups.len() == 1
            && self.without_uid == 0
            && self.layout.others == 0
            && self.layout.calendars.len() == 1
    }

    /// The event as a calendar of its own: the file's bytes where it stands alone; otherwise the
    /// properties of its VCALENDAR, the time zones that it names, and its components, byte for byte.
    pub(super) fn content(&self, event: &EventGroup) -> Vec<u8> {
        if self.is_alone() {
            return self.bytes.clone();
        }
        let mut components = Vec::new();
        for component in self.components_of(event) {
            components.extend_from_slice(self.slice(&component.range));
        }
        self.content_with(event, &components)
    }

    /// The event as a calendar of its own, with `components` in place of its own.
    fn content_with(&self, event: &EventGroup, components: &[u8]) -> Vec<u8> {
        let first = self.components_of(event).next().map_or(0, |component| component.calendar);
        let Some(calendar) = self.layout.calendars.get(first) else { return components.to_vec() };
        let mut content = Vec::with_capacity(components.len() + 1024);
        for range in self.leading_properties(calendar) {
            content.extend_from_slice(self.slice(&range));
        }
        for zone in zones_named(components) {
            if let Some(range) = self.zones.get(&(first, zone)).filter(|r| r.len() <= MAX_SHARED_BYTES) {
                content.extend_from_slice(self.slice(range));
            }
        }
        content.extend_from_slice(components);
        content.extend_from_slice(self.slice(&calendar.end));
        content
    }

    /// The properties of a VCALENDAR, up to what many events can bear to share.
    fn leading_properties(&self, calendar: &CalendarObject) -> Vec<Range<usize>> {
        let mut room = MAX_SHARED_BYTES;
        let fitting = calendar.properties.iter().take_while(|range| {
            let fits = range.len() <= room;
            room = room.saturating_sub(range.len());
            fits
        });
        let ranges: Vec<Range<usize>> = fitting.cloned().collect();
        if ranges.is_empty() { vec![calendar.begin.clone()] } else { ranges }
    }

    /// The file with new contents of some events, in pieces; everything else stays. With it the
    /// versions that the events have then, in the order of `contents`.
    ///
    /// # Errors
    /// Why a new content cannot take the place of the old one.
    pub(super) fn with<'a>(&'a self, contents: &[(&EventGroup, &'a [u8])]) -> Result<Changed<'a>, String> {
        let mut splices: Vec<(Range<usize>, &[u8])> = Vec::new();
        let mut versions = Vec::with_capacity(contents.len());
        for (event, content) in contents {
            let layout = components::scan(content).map_err(|why| format!("the new content {why}"))?;
            let old: Vec<&components::Event> = self.components_of(event).collect();
            let same = old.len() == layout.events.len()
                && layout.events.iter().all(|new| new.uid.as_deref() == Some(event.uid.as_str()));
            if !same {
                return Err("the new content has other components than the event".to_owned());
            }
            if self.is_alone() {
                splices.push((0..self.bytes.len(), content));
                versions.push(version(content));
                continue;
            }
            let mut components = Vec::new();
            for (old, new) in old.into_iter().zip(&layout.events) {
                let new = content.get(new.range.clone()).unwrap_or_default();
                components.extend_from_slice(new);
                splices.push((old.range.clone(), new));
            }
            versions.push(version(&self.content_with(event, &components)));
        }
        splices.retain(|(range, new)| self.slice(range) != *new);
        splices.sort_by_key(|(range, _)| range.start);
        let is_change = !splices.is_empty();
        let mut pieces = Vec::with_capacity(splices.len() * 2 + 1);
        let mut position = 0;
        for (range, content) in splices {
            pieces.push(self.slice(&(position..range.start)));
            pieces.push(content);
            position = range.end;
        }
        pieces.push(self.slice(&(position..self.bytes.len())));
        Ok(Changed { pieces, versions, is_change })
    }

    fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }
}

/// The zones that `TZID` parameters name, each once, in the order of the names.
fn zones_named(components: &[u8]) -> BTreeSet<Vec<u8>> {
    const PARAMETER: &[u8] = b"TZID=";
    let text = without_folds(components);
    let upper = text.to_ascii_uppercase();
    let mut zones = BTreeSet::new();
    for found in memchr::memmem::find_iter(&upper, PARAMETER) {
        let value = text.get(found + PARAMETER.len()..).unwrap_or_default();
        let (value, end): (&[u8], &[u8]) = match value.strip_prefix(b"\"") {
            Some(quoted) => (quoted, b"\"\n"),
            None => (value, b":;,\n"),
        };
        let length = value.iter().position(|b| end.contains(b)).unwrap_or(value.len());
        zones.insert(value.get(..length).unwrap_or_default().to_vec());
    }
    zones
}

fn without_folds(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(line_feed) = memchr::memchr(b'\n', rest) {
        let (line, after) = rest.split_at(line_feed + 1);
        if matches!(after.first(), Some(b' ' | b'\t')) {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            out.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
            rest = after.get(1..).unwrap_or_default();
        } else {
            out.extend_from_slice(line);
            rest = after;
        }
    }
    out.extend_from_slice(rest);
    out
}
