//! Replacing the meeting in an invite: its blocks, its place in LOCATION, its properties, and nothing
//! else.

mod identity;
mod property;
pub(crate) mod splice;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mms_model::{
    InstanceId, JoinInformation, PartChange, Platform, Recognition, Replacement, Rewrite, Rewritten,
};

use crate::event::{Source, Sources, alarms, find, instance_id};
use crate::ical::{Component, Document, Edits, Line};
use crate::item::ItemError;
use crate::recognise::{BodyFormat, Findings, Recogniser};
use crate::render::{TemplateError, Templates};
use splice::Splice;

/// Why a meeting's content cannot be rewritten.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    /// The event does not hold what the plan says.
    #[error("the event has no component {0:?} any more")]
    NoSuchInstance(InstanceId),
    /// The meeting to be replaced was not found where the plan says.
    #[error("the meeting {key} is no longer in the event: it was edited meanwhile")]
    NotFound {
        /// Its key.
        key: String,
    },
    /// The event is in windows-1252, which cannot say what the new block says.
    #[error(
        "the event is no UTF-8, and its encoding cannot hold the new block: save it as UTF-8, or choose a template without such letters"
    )]
    Encoding,
    /// The result does not say what it should; nothing was changed.
    #[error(
        "after the replacement {part} would not show the new meeting ({found}): the invite is left as it was; please report it with the invite's text"
    )]
    NotReplaceable {
        /// Which component.
        part: String,
        /// What would be recognised instead.
        found: String,
    },
    /// The content is no item of an Exchange calendar.
    #[error(transparent)]
    Item(#[from] ItemError),
    /// An administrator's template failed.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

/// Rewrites invites. Cheap to share; holds no state.
#[derive(Debug, Clone)]
pub struct Editor {
    recogniser: Arc<Recogniser>,
    templates: Arc<Templates>,
}

impl Editor {
    /// An editor that finds blocks with `recogniser` and writes them with `templates`.
    pub fn new(recogniser: Arc<Recogniser>, templates: Arc<Templates>) -> Self {
        Self { recogniser, templates }
    }

    /// The templates.
    pub(crate) fn templates(&self) -> &Templates {
        &self.templates
    }

    /// The recogniser.
    pub fn recogniser(&self) -> &Recogniser {
        &self.recogniser
    }

    /// Replaces what `rewrite` names, and renames people. Content that says it all already comes back as it was, with no
    /// changes.
    ///
    /// # Errors
    /// [`RewriteError`]; the content is not touched then.
    pub fn rewrite(&self, content: &[u8], rewrite: &Rewrite) -> Result<Rewritten, RewriteError> {
        let document = Document::parse(content);
        let mut edits = Edits::default();
        let mut changes = Vec::new();
        let mut changed = BTreeSet::new();
        for replacement in &rewrite.replacements {
            let component = document
                .named("VEVENT")
                .find(|c| instance_id(&document, c) == replacement.instance)
                .ok_or_else(|| RewriteError::NoSuchInstance(replacement.instance.clone()))?;
            let mut change = ComponentChange {
                editor: self,
                document: &document,
                component,
                replacement,
                edits: &mut edits,
                changes: Vec::new(),
            };
            change.run()?;
            if !change.changes.is_empty() {
                changes.append(&mut change.changes);
                changed.insert(component.lines.start);
            }
        }
        for component in document.named("VEVENT") {
            let mut renamed = identity::rename(&document, component, &rewrite.identities, &mut edits);
            if !renamed.is_empty() {
                changes.append(&mut renamed);
                changed.insert(component.lines.start);
            }
        }
        for component in document.named("VEVENT").filter(|c| changed.contains(&c.lines.start)) {
            renew(&document, component, rewrite, &mut edits);
        }
        if changes.is_empty() {
            return Ok(Rewritten { content: content.to_vec(), changes });
        }
        let content = edits.apply(content);
        self.verify(&content, rewrite)?;
        Ok(Rewritten { content, changes })
    }

    /// The result must be recognised as the target and as nothing else.
    fn verify(&self, content: &[u8], rewrite: &Rewrite) -> Result<(), RewriteError> {
        let document = Document::parse(content);
        for replacement in &rewrite.replacements {
            let not = |found: String| RewriteError::NotReplaceable {
                part: part_name(&replacement.instance),
                found,
            };
            let component = document
                .named("VEVENT")
                .find(|c| instance_id(&document, c) == replacement.instance)
                .ok_or_else(|| not("the component is gone".to_owned()))?;
            let (_, found) = find(&document, component, &self.recogniser);
            self.must_be_target(&found.recognition, &replacement.target).map_err(not)?;
        }
        Ok(())
    }

    /// # Errors
    /// What was recognised instead.
    pub(crate) fn must_be_target(
        &self,
        recognition: &Recognition,
        target: &JoinInformation,
    ) -> Result<(), String> {
        match recognition {
            Recognition::One(meeting) if self.is_target(meeting, target) => Ok(()),
            Recognition::One(meeting) => Err(meeting.join_url.as_ref().unwrap_or(&meeting.key).clone()),
            Recognition::None => Err("no meeting".to_owned()),
            Recognition::Ambiguous(all) => {
                let keys: Vec<_> = all.iter().map(|m| m.key.as_str()).collect();
                Err(keys.join(" and "))
            }
        }
    }

    pub(crate) fn is_target(&self, found: &mms_model::OnlineMeeting, target: &JoinInformation) -> bool {
        found.join_url.as_deref() == Some(&target.join_url)
            || self.recogniser.url(&target.join_url).is_some_and(|m| m.key == found.key)
    }
}

/// A component as messages name it.
pub(crate) fn part_name(instance: &InstanceId) -> String {
    match instance {
        InstanceId::Master => "the event".to_owned(),
        InstanceId::Exception(id) => format!("the exception of {id}"),
    }
}

/// The change of one component.
struct ComponentChange<'a, 'd> {
    editor: &'a Editor,
    document: &'d Document<'d>,
    component: &'d Component,
    replacement: &'a Replacement,
    edits: &'a mut Edits,
    changes: Vec<PartChange>,
}

impl ComponentChange<'_, '_> {
    fn run(&mut self) -> Result<(), RewriteError> {
        let document = self.document;
        let component = self.component;
        let (sources, findings) = find(document, component, &self.editor.recogniser);
        let (meeting, moved) = match &findings.recognition {
            Recognition::One(meeting) if self.editor.is_target(meeting, &self.replacement.target) => {
                (meeting, false)
            }
            Recognition::One(meeting) if meeting.key == self.replacement.key => (meeting, true),
            _ => return Err(RewriteError::NotFound { key: self.replacement.key.clone() }),
        };
        let blocks = self.bodies(&sources, &findings, moved)?;
        let labels = self.location(&sources, &findings, blocks > 0)?;
        self.structured_locations(&sources, &findings, &labels)?;
        self.properties(&sources, &findings, &meeting.platform, moved)?;
        for ((format, source), findings) in alarms(document, component, &self.editor.recogniser, meeting) {
            self.body(format, &source, &findings, 0, moved)?;
        }
        Ok(())
    }

    /// Replaces the blocks and, where the meeting moved, the links elsewhere; returns in how many bodies there
    /// was a block.
    fn bodies(
        &mut self,
        sources: &Sources<'_>,
        findings: &Findings,
        moved: bool,
    ) -> Result<usize, RewriteError> {
        let mut replaced = 0;
        for (index, (format, source)) in sources.bodies.iter().enumerate() {
            replaced += usize::from(self.body(*format, source, findings, index, moved)?);
        }
        Ok(replaced)
    }

    /// Replaces what `findings` say of the body `index`; whether there was a block in it.
    fn body(
        &mut self,
        format: BodyFormat,
        source: &Source<'_>,
        findings: &Findings,
        index: usize,
        moved: bool,
    ) -> Result<bool, RewriteError> {
        let text = &source.text.decoded;
        let blocks = findings.blocks.iter().filter(|block| block.body == index);
        let mut splices = splice::blocks(text, format, blocks, self.replacement, &self.editor.templates)?;
        let replaced = !splices.is_empty();
        if moved {
            let mentions = findings.mentions.iter().filter(|mention| mention.body == index);
            splices.extend(splice::mentions(format, mentions, &self.replacement.target));
            splices.sort_by_key(|(range, _)| range.start);
        }
        self.splice_all(source, &splices)?;
        Ok(replaced)
    }

    /// Replaces what names the meeting in LOCATION. Returns what became of each.
    fn location(
        &mut self,
        sources: &Sources<'_>,
        findings: &Findings,
        has_block: bool,
    ) -> Result<Vec<(String, String)>, RewriteError> {
        let Some(source) = &sources.location else { return Ok(Vec::new()) };
        let text = &source.text.decoded;
        let splices = splice::location(text, &findings.location, has_block, &self.replacement.target);
        self.splice_all(source, &splices)?;
        let old = |range: &std::ops::Range<usize>| text.get(range.clone()).unwrap_or_default().to_owned();
        Ok(splices.into_iter().map(|(range, new)| (old(&range), new)).collect())
    }

    fn splice_all(&mut self, source: &Source<'_>, splices: &[Splice]) -> Result<(), RewriteError> {
        for (range, new) in splices {
            self.splice(source, range, new)?;
        }
        self.note(source, splice::apply(&source.text.decoded, splices));
        Ok(())
    }

    /// Exchange repeats LOCATION in structured properties, and Outlook shows those. One that lists
    /// nothing but the old meeting goes with the other properties; here are those with a room in them.
    fn structured_locations(
        &mut self,
        sources: &Sources<'_>,
        findings: &Findings,
        labels: &[(String, String)],
    ) -> Result<(), RewriteError> {
        for (index, (name, source)) in sources.properties.iter().enumerate() {
            let repeats =
                matches!(name.as_str(), "X-MICROSOFT-LOCATIONS" | "X-MICROSOFT-LOCATIONDISPLAYNAME");
            if !repeats || findings.properties.contains(&index) {
                continue;
            }
            let mut value = source.text.decoded.clone();
            for (old, new) in labels.iter().filter(|(old, _)| !old.is_empty()) {
                // The one is JSON, where a quote or backslash in a name would end the string.
                let new: String =
                    new.chars().filter(|c| !matches!(c, '"' | '\\') && !c.is_control()).collect();
                value = value.replace(old.as_str(), &new);
            }
            if value != source.text.decoded {
                self.splice(source, &(0..source.text.decoded.len()), &value)?;
                self.note(source, value);
            }
        }
        Ok(())
    }

    /// Replaces, removes or keeps each property that names the meeting. The first one that goes leaves
    /// its place to a CONFERENCE (RFC 7986 section 5.11), so that clients still have a link to follow.
    fn properties(
        &mut self,
        sources: &Sources<'_>,
        findings: &Findings,
        old: &Platform,
        moved: bool,
    ) -> Result<(), RewriteError> {
        let named = |index: usize| findings.properties.contains(&index);
        let conference = |index: usize, name: &str, source: &Source<'_>| {
            name == "CONFERENCE" && named(index) && property::is_link(&source.text.decoded)
        };
        let mut has_conference =
            sources.properties.iter().enumerate().any(|(index, (name, s))| conference(index, name, s));
        let mut conferences = 0;
        for (index, (name, source)) in sources.properties.iter().enumerate() {
            let value = &source.text.decoded;
            let target = &self.replacement.target;
            match property::change(name, value, named(index), old, target, moved, conferences) {
                property::Change::Keep => {}
                property::Change::Value(new) => {
                    self.splice(source, &(0..value.len()), &new)?;
                    self.note(source, new);
                }
                property::Change::Line(line) => {
                    self.edits.replace(source.line.raw.clone(), Vec::new());
                    self.edits.insert_line(self.document.bytes, source.line.raw.end, line.as_bytes());
                    self.note(source, target.join_url.clone());
                }
                property::Change::Remove => {
                    self.edits.replace(source.line.raw.clone(), Vec::new());
                    self.note(source, String::new());
                    if named(index) && !has_conference {
                        has_conference = true;
                        self.put_conference(source.line.raw.end);
                    }
                }
            }
            conferences += usize::from(conference(index, name, source));
        }
        Ok(())
    }

    fn put_conference(&mut self, at: usize) {
        let target = &self.replacement.target;
        let line = property::conference(target);
        self.edits.insert_line(self.document.bytes, at, line.as_bytes());
        self.changes.push(PartChange {
            instance: self.replacement.instance.clone(),
            part: "CONFERENCE".to_owned(),
            before: String::new(),
            after: target.join_url.clone(),
        });
    }

    fn splice(
        &mut self,
        source: &Source<'_>,
        range: &std::ops::Range<usize>,
        new: &str,
    ) -> Result<(), RewriteError> {
        if source.text.decoded.get(range.clone()) == Some(new) {
            return Ok(());
        }
        let raw = source
            .text
            .raw(range)
            .ok_or_else(|| RewriteError::NotFound { key: self.replacement.key.clone() })?;
        let start = source.line.value.start;
        let encoded = source.text.encode(new).ok_or(RewriteError::Encoding)?;
        self.edits.replace_in_line(self.document.bytes, start + raw.start..start + raw.end, &encoded);
        Ok(())
    }

    fn note(&mut self, source: &Source<'_>, after: String) {
        if source.text.decoded == after {
            return;
        }
        self.changes.push(PartChange {
            instance: self.replacement.instance.clone(),
            part: source.line.name(self.document.bytes).to_ascii_uppercase(),
            before: source.text.decoded.clone(),
            after,
        });
    }
}

/// Renews DTSTAMP and LAST-MODIFIED; raises SEQUENCE only where that is asked for (RFC 5546 section
/// 2.1.4: a change of link is no rescheduling).
fn renew(document: &Document<'_>, component: &Component, rewrite: &Rewrite, edits: &mut Edits) {
    let stamp = utc(rewrite.stamp);
    for line in document.own_lines(component) {
        let value = |edits: &mut Edits, new: &str| {
            edits.replace_in_line(document.bytes, line.value.clone(), new.as_bytes());
        };
        if line.is(document.bytes, "DTSTAMP") || line.is(document.bytes, "LAST-MODIFIED") {
            value(edits, &stamp);
        }
        let counts =
            line.is(document.bytes, "SEQUENCE") || line.is(document.bytes, "X-MICROSOFT-CDO-APPT-SEQUENCE");
        if rewrite.raise_sequence && counts {
            value(edits, &raised(document, line));
        }
    }
    if document.property(component, "DTSTAMP").is_none() {
        insert(document, component, &format!("DTSTAMP:{stamp}"), edits);
    }
    if rewrite.raise_sequence && document.property(component, "SEQUENCE").is_none() {
        insert(document, component, "SEQUENCE:1", edits);
    }
}

/// Inserts a line behind BEGIN.
fn insert(document: &Document<'_>, component: &Component, line: &str, edits: &mut Edits) {
    if let Some(begin) = document.lines.get(component.lines.start) {
        edits.insert_line(document.bytes, begin.raw.end, line.as_bytes());
    }
}

fn raised(document: &Document<'_>, line: &Line) -> String {
    let sequence: u32 = line.value(document.bytes).trim().parse().unwrap_or(0);
    sequence.saturating_add(1).to_string()
}

/// An instant as iCalendar writes it in UTC.
pub(crate) fn utc(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string()
}
