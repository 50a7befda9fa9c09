//! Components (RFC 5545 section 3.6) over content lines.

use std::ops::Range;

use super::line::{Line, lines};

/// Deeper nesting is not followed.
const MAX_DEPTH: usize = 16;

/// An iCalendar text cut into lines and components.
#[derive(Debug)]
pub struct Document<'a> {
    /// The input.
    pub bytes: &'a [u8],
    /// Every content line, in order.
    pub lines: Vec<Line>,
    /// Every component, in the order of their BEGIN lines.
    pub components: Vec<Component>,
}

/// A component by its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Name in capitals.
    pub name: String,
    /// Depth; 0 for VCALENDAR.
    pub depth: usize,
    /// Its lines, BEGIN and END included. Ends with the input where END is missing.
    pub lines: Range<usize>,
    /// Whether its END was found.
    pub complete: bool,
}

impl<'a> Document<'a> {
    /// Cuts the input.
    pub fn parse(bytes: &'a [u8]) -> Self {
        let lines = lines(bytes);
        let mut components: Vec<Component> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            if line.is(bytes, "BEGIN") && open.len() < MAX_DEPTH {
                components.push(Component {
                    name: line.value(bytes).trim().to_ascii_uppercase(),
                    depth: open.len(),
                    lines: index..lines.len(),
                    complete: false,
                });
                open.push(components.len() - 1);
            } else if line.is(bytes, "END") {
                let name = line.value(bytes).trim().to_ascii_uppercase();
                // An END that closes an outer component closes what was left open inside, too.
                if let Some(depth) =
                    open.iter().rposition(|c| components.get(*c).is_some_and(|c| c.name == name))
                {
                    for inner in open.drain(depth..).rev() {
                        if let Some(component) = components.get_mut(inner) {
                            component.lines.end = index + 1;
                            component.complete = component.name == name;
                        }
                    }
                }
            }
        }
        Self { bytes, lines, components }
    }

    /// The components with a name.
    pub fn named<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Component> {
        self.components.iter().filter(move |c| c.name == name)
    }

    /// The components with a name inside a component, however deep.
    pub fn inside<'s>(
        &'s self,
        component: &'s Component,
        name: &'s str,
    ) -> impl Iterator<Item = &'s Component> {
        self.named(name).filter(move |inner| {
            inner.lines.start > component.lines.start && inner.lines.end <= component.lines.end
        })
    }

    /// The lines of a component itself, without those of components inside it.
    pub fn own_lines<'s>(&'s self, component: &'s Component) -> impl Iterator<Item = &'s Line> {
        let mut depth = 0usize;
        self.lines.get(component.lines.clone()).unwrap_or_default().iter().filter(move |line| {
            if line.is(self.bytes, "BEGIN") {
                depth += 1;
                return false;
            }
            if line.is(self.bytes, "END") {
                depth = depth.saturating_sub(1);
                return false;
            }
            depth == 1
        })
    }

    /// The first line of a property of a component.
    pub fn property<'s>(&'s self, component: &'s Component, name: &str) -> Option<&'s Line> {
        self.own_lines(component).find(|line| line.is(self.bytes, name))
    }

    /// The value of a property, unfolded, trimmed.
    pub fn value(&self, component: &Component, name: &str) -> Option<String> {
        self.property(component, name).map(|line| line.value(self.bytes).trim().to_owned())
    }

    /// The bytes of a component.
    pub fn raw(&self, component: &Component) -> Range<usize> {
        let start = self.lines.get(component.lines.start).map_or(0, |l| l.raw.start);
        let end =
            component.lines.end.checked_sub(1).and_then(|n| self.lines.get(n)).map_or(start, |l| l.raw.end);
        start..end
    }
}
