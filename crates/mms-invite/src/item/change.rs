//! In which fields two states of an item differ: what a connector sends.

use std::collections::BTreeSet;

use mms_model::InstanceId;
use serde::{Deserialize, Serialize};

use super::{Body, Component, Invitee, Item, Location, NamedProperty};

/// A field of a component that a migration may change. There are no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Field {
    /// The body.
    Body,
    /// The location, as text and as entries.
    Location,
    /// The server's own view of the online meeting, to which nothing can be written directly.
    OnlineMeeting,
    /// The attendees.
    Attendees,
    /// A named property.
    Property(NamedProperty),
}

/// What to write to one component: `SetItemField` and `DeleteItemField` of EWS, the members of a PATCH
/// of Graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Which component.
    pub instance: InstanceId,
    /// The new body.
    pub body: Option<Body>,
    /// The new location as text; empty to clear it.
    pub location: Option<String>,
    /// The new `locations`, whole, to be sent instead of `location` where there are any.
    pub locations: Option<Vec<Location>>,
    /// All attendees, where one of them got another address.
    pub attendees: Option<Vec<Invitee>>,
    /// Named properties to set.
    pub set: Vec<(NamedProperty, String)>,
    /// Named properties to delete; in Graph, to empty.
    pub delete: Vec<NamedProperty>,
    /// The server's own view of the online meeting ([`Component::online_meeting`]) is to change: it leaves a
    /// meeting that the server knows, or an undo brings one back. How, is the connector's strategy.
    pub changes_online_meeting: bool,
}

/// What leads from `before` to `after`, component by component; those without a change are left out.
/// Everything that a migration does not change is passed over.
pub fn diff(before: &Item, after: &Item) -> Vec<Changes> {
    let pairs = after.components.iter().filter_map(|c| Some((before.component(&c.instance)?, c)));
    let marked = pairs.map(|(before, after)| (after, fields(before, after)));
    marked.filter(|(_, fields)| !fields.is_empty()).map(|(after, fields)| changes(after, &fields)).collect()
}

impl Item {
    /// What to write, for content that was made by `rewrite_item` or `undo`; nothing for content that
    /// was read.
    pub fn changes(&self) -> Vec<Changes> {
        let pending = self.components.iter().filter(|c| !c.pending.is_empty());
        pending.map(|c| changes(c, &c.pending)).collect()
    }

    /// Marks what differs from `before` as to be written.
    pub(super) fn mark(&mut self, before: &Self) {
        for component in &mut self.components {
            component.pending =
                before.component(&component.instance).map(|b| fields(b, component)).unwrap_or_default();
        }
    }
}

fn fields(before: &Component, after: &Component) -> Vec<Field> {
    let mut fields = Vec::new();
    if before.body != after.body {
        fields.push(Field::Body);
    }
    if before.location != after.location || before.locations != after.locations {
        fields.push(Field::Location);
    }
    if before.online_meeting != after.online_meeting {
        fields.push(Field::OnlineMeeting);
    }
    if before.invited() != after.invited() {
        fields.push(Field::Attendees);
    }
    let properties: BTreeSet<_> = before.properties.keys().chain(after.properties.keys()).copied().collect();
    let changed = properties.into_iter().filter(|p| before.property(*p) != after.property(*p));
    fields.extend(changed.map(Field::Property));
    fields
}

fn changes(component: &Component, fields: &[Field]) -> Changes {
    let mut changes = Changes {
        instance: component.instance.clone(),
        body: None,
        location: None,
        locations: None,
        attendees: None,
        set: Vec::new(),
        delete: Vec::new(),
        changes_online_meeting: false,
    };
    for field in fields {
        match field {
            Field::Body => changes.body.clone_from(&component.body),
            Field::Location => {
                changes.location = Some(component.location.clone());
                changes.locations = Some(component.locations.clone()).filter(|l| !l.is_empty());
            }
            Field::Attendees => changes.attendees = Some(component.attendees.clone()),
            Field::OnlineMeeting => changes.changes_online_meeting = true,
            Field::Property(property) => match component.property(*property) {
                Some(value) => changes.set.push((*property, value.to_owned())),
                None => changes.delete.push(*property),
            },
        }
    }
    changes
}
