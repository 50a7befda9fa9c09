//! Replacing the meeting in a calendar item.

use std::ops::Range;

use mms_model::{JoinInformation, PartChange, Platform, Recognition, Replacement, Rewrite, Rewritten};

use super::property::{self, digits};
use super::{Body, Component, Item, Location, NamedProperty, OnlineMeeting};
use crate::recognise::{BodyFormat, BodyPart, Findings, visible};
use crate::render::{FRAME, Templates};
use crate::rewrite::splice::{self, Splice};
use crate::rewrite::{Editor, RewriteError, part_name};

impl Editor {
    /// Replaces what `rewrite` names in the content of an Exchange item, and renames attendees; who organizes an
    /// item nobody can change. Content that says it all already
    /// comes back as it was, with no changes. The stamp and the sequence are Exchange's own affair.
    ///
    /// # Errors
    /// [`RewriteError`]; the content is not touched then.
    pub fn rewrite_item(&self, content: &[u8], rewrite: &Rewrite) -> Result<Rewritten, RewriteError> {
        let before = Item::from_bytes(content)?;
        let mut after = before.clone();
        let mut changes = Vec::new();
        for replacement in &rewrite.replacements {
            let component = after
                .components
                .iter_mut()
                .find(|c| c.instance == replacement.instance)
                .ok_or_else(|| RewriteError::NoSuchInstance(replacement.instance.clone()))?;
            let new = self.component(component, &before, replacement)?;
            note(component, &new, &mut changes);
            *component = new;
        }
        let ahead = |c: &Component| !c.is_cancelled && before.is_upcoming(c, rewrite.stamp);
        let renamed = after.components.iter_mut().filter(|c| !rewrite.identities.is_empty() && ahead(c));
        for component in renamed {
            let old = component.clone();
            component.rename(&rewrite.identities);
            note(&old, component, &mut changes);
        }
        if changes.is_empty() {
            return Ok(Rewritten { content: content.to_vec(), changes });
        }
        self.verify_item(&after, rewrite)?;
        after.mark(&before);
        Ok(Rewritten { content: after.to_bytes(), changes })
    }

    /// The result must be recognised as the target and as nothing else.
    fn verify_item(&self, item: &Item, rewrite: &Rewrite) -> Result<(), RewriteError> {
        for replacement in &rewrite.replacements {
            let found = item.component(&replacement.instance).map(|c| c.find(self.recogniser()));
            let recognition = found.as_ref().map_or(&Recognition::None, |found| &found.recognition);
            self.must_be_target(recognition, &replacement.target).map_err(|found| {
                RewriteError::NotReplaceable { part: part_name(&replacement.instance), found }
            })?;
        }
        Ok(())
    }

    fn component(
        &self,
        old: &Component,
        item: &Item,
        replacement: &Replacement,
    ) -> Result<Component, RewriteError> {
        let findings = old.find(self.recogniser());
        let Recognition::One(meeting) = &findings.recognition else {
            return Err(RewriteError::NotFound { key: replacement.key.clone() });
        };
        let target = &replacement.target;
        let stays = self.is_target(meeting, target);
        if !stays && meeting.key != replacement.key {
            return Err(RewriteError::NotFound { key: replacement.key.clone() });
        }
        let mut new = old.clone();
        let shown = stays && self.shows(old, &findings, replacement)?;
        let blocks = if shown { Vec::new() } else { self.blocks(old, &findings, replacement)? };
        let mut places =
            splice::location(&old.location, &findings.location, stays || !blocks.is_empty(), target);
        if stays {
            places.retain(|(range, _)| self.is_stale_link(old.location.get(range.clone()), target));
        }
        if let Some(body) = &mut new.body {
            let mut splices = blocks.clone();
            if !stays {
                splices.extend(splice::mentions(body.format, findings.mentions.iter(), target));
                splices.sort_by_key(|(range, _)| range.start);
            }
            body.content = splice::apply(&body.content, &splices);
        }
        if !stays && blocks.is_empty() && places.is_empty() {
            // Nowhere in the item would people find the link.
            new.body = Some(self.appended(old.body.as_ref(), replacement)?);
        }
        new.location = splice::apply(&old.location, &places);
        new.locations = locations(old, &places);
        let organizer = item.organizer.as_ref();
        if stays {
            new.properties = property::refreshed(&old.properties, target, organizer);
        } else {
            let url_names_meeting = old.names(&findings, NamedProperty::NetShowUrl);
            new.properties = property::moved(&old.properties, url_names_meeting, target, organizer);
            new.online_meeting = OnlineMeeting::default();
        }
        Ok(new)
    }

    fn blocks(
        &self,
        old: &Component,
        findings: &Findings,
        replacement: &Replacement,
    ) -> Result<Vec<Splice>, RewriteError> {
        let Some(body) = &old.body else { return Ok(Vec::new()) };
        let blocks = findings.blocks.iter();
        Ok(splice::blocks(&body.content, body.format, blocks, replacement, self.templates())?)
    }

    /// Whether a place in LOCATION is a link that the target's takes the place of. Of a meeting that stays,
    /// labels stay, and so does either of the links of a Teams meeting, the short and the long one.
    fn is_stale_link(&self, old: Option<&str>, target: &JoinInformation) -> bool {
        old.is_some_and(|old| old.contains("://") && !self.is_link_of(old, target))
    }

    /// Whether a link in an item that was recognised as the target's meeting, and no other, is as good as the
    /// target's.
    fn is_link_of(&self, link: &str, target: &JoinInformation) -> bool {
        link == target.join_url
            || target.platform == Platform::TEAMS
                && self.recogniser().url(link).is_some_and(|meeting| meeting.platform == Platform::TEAMS)
    }

    /// Whether the body shows the target's coordinates already. Exchange rewrites the markup of what it is
    /// given, and Teams has blocks of its own; neither is a reason to mail everybody.
    fn shows(
        &self,
        old: &Component,
        findings: &Findings,
        replacement: &Replacement,
    ) -> Result<bool, RewriteError> {
        let Some(body) = &old.body else { return Ok(false) };
        let Recognition::One(meeting) = &findings.recognition else { return Ok(false) };
        let target = &replacement.target;
        let shown: String = findings.blocks.iter().filter_map(|b| seen(body, &b.range)).collect();
        if shown.contains(FRAME) {
            // What is left of a damaged old block may count to ours, and tell of another language.
            for language in Templates::languages() {
                let fresh = self.templates().render(body.format, target, language)?;
                if shown.contains(&visible(BodyPart { format: body.format, text: &fresh })) {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        Ok(!shown.is_empty() && self.shows_foreign(&shown, meeting.has_dial_in, target))
    }

    /// Whether a block of the platform's own client shows the target's coordinates.
    fn shows_foreign(&self, shown: &str, has_dial_in: bool, target: &JoinInformation) -> bool {
        let numbers = digits(shown);
        let has_digits = |text: &str| numbers.contains(&digits(text));
        let linked =
            shown.split(['<', '>']).any(|link| link.contains("://") && self.is_link_of(link, target));
        let identified = target.meeting_id.as_deref().is_none_or(has_digits)
            && target.passcode.as_deref().is_none_or(|code| shown.contains(code));
        let dials = match target.dial_in.first() {
            Some(first) => {
                has_digits(&first.number) && target.conference_id.as_deref().is_none_or(has_digits)
            }
            None => !has_dial_in,
        };
        let video = target.video.as_ref().is_none_or(|v| shown.contains(&v.address) && has_digits(&v.id));
        linked && identified && dials && video
    }

    /// The body with the block behind all that stands in it.
    fn appended(&self, body: Option<&Body>, replacement: &Replacement) -> Result<Body, RewriteError> {
        let format = body.map_or(BodyFormat::Html, |body| body.format);
        let old = body.map(|body| body.content.as_str()).unwrap_or_default();
        let block = self.templates().render(format, &replacement.target, &replacement.language)?;
        let (at, block) = match format {
            BodyFormat::Html => (end_of_html(old), block),
            BodyFormat::Text if old.trim().is_empty() => (old.len(), block.replace('\n', "\r\n")),
            BodyFormat::Text => (old.len(), format!("\r\n\r\n{}", block.replace('\n', "\r\n"))),
        };
        Ok(Body { format, content: splice::apply(old, &[(at..at, block)]) })
    }
}

/// What people see of a range of the body.
pub(super) fn seen(body: &Body, range: &Range<usize>) -> Option<String> {
    Some(visible(BodyPart { format: body.format, text: body.content.get(range.clone())? }))
}

/// Before the last `</body>`, or before `</html>`, or at the end.
fn end_of_html(html: &str) -> usize {
    let lower = html.to_ascii_lowercase();
    lower.rfind("</body").or_else(|| lower.rfind("</html")).unwrap_or(html.len())
}

/// Graph's entries, in step with the location's text: an entry that is what was replaced there becomes
/// what it became, one that lists it among rooms keeps the rooms.
fn locations(old: &Component, places: &[Splice]) -> Vec<Location> {
    let became = |name: &str| {
        let place = places.iter().find(|(range, _)| old.location.get(range.clone()) == Some(name));
        place.map(|(_, new)| new.as_str())
    };
    let mut new = Vec::with_capacity(old.locations.len());
    for location in &old.locations {
        let name = location.display_name.trim();
        let display_name = match became(name) {
            Some(new) => new.to_owned(),
            None => by_parts(&location.display_name, became),
        };
        if display_name == location.display_name {
            new.push(location.clone());
        } else if !display_name.trim_matches([' ', ';', ',', '|']).is_empty() {
            // The other members (a URI, an id made from the name) speak of the old place.
            let kind = location.other.get_key_value("locationType");
            let other = kind.map(|(name, kind)| (name.clone(), kind.clone())).into_iter().collect();
            new.push(Location { display_name, other });
        }
    }
    new
}

fn by_parts<'a>(name: &str, became: impl Fn(&str) -> Option<&'a str>) -> String {
    name.split_inclusive([';', ',', '|'])
        .map(|part| {
            let bare = part.trim_end_matches([';', ',', '|']).trim();
            match became(bare).filter(|_| !bare.is_empty()) {
                Some(new) => part.replacen(bare, new, 1),
                None => part.to_owned(),
            }
        })
        .collect()
}

fn text(component: &Component) -> &str {
    component.body.as_ref().map(|body| body.content.as_str()).unwrap_or_default()
}

/// Notes each part in which two states of a component differ, for preview and history.
pub(super) fn note(before: &Component, after: &Component, changes: &mut Vec<PartChange>) {
    let mut note = |part: &str, old: &str, new: &str| {
        if old != new {
            changes.push(PartChange {
                instance: after.instance.clone(),
                part: part.to_owned(),
                before: old.to_owned(),
                after: new.to_owned(),
            });
        }
    };
    note("body", text(before), text(after));
    note("location", &before.location, &after.location);
    let names = |component: &Component| {
        let names: Vec<&str> = component.locations.iter().map(|l| l.display_name.as_str()).collect();
        names.join("; ")
    };
    if before.locations != after.locations {
        note("locations", &names(before), &names(after));
    }
    for property in NamedProperty::ALL {
        note(
            property.name(),
            before.property(*property).unwrap_or_default(),
            after.property(*property).unwrap_or_default(),
        );
    }
    note_attendees(before, after, changes);
}

fn note_attendees(before: &Component, after: &Component, changes: &mut Vec<PartChange>) {
    if before.invited() == after.invited() {
        return;
    }
    let list = |component: &Component| {
        component.invited().iter().map(|address| address.as_str()).collect::<Vec<_>>().join("; ")
    };
    changes.push(PartChange {
        instance: after.instance.clone(),
        part: "attendees".to_owned(),
        before: list(before),
        after: list(after),
    });
}
