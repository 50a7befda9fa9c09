//! FindItem: the items of folders, page by page or as occurrences in a span of time.

use jiff::{SignedDuration, Timestamp};
use roxmltree::Node;

use super::answer::{response, success};
use super::folder::{Folder, Folders};
use super::made::MadeItem;
use super::operations::{NO_FOLDER, Refused, elements, refuse, root_folder};
use super::property::{Path, Value, Valued, time};
use super::restriction::{Restriction, SortOrder};
use super::shape::{Shape, schema};
use super::{Fault, child};
use crate::item::{Id, Item, OCCURRENCES};
use crate::organisation::Kind;
use crate::state::Shared;

/// Entries of a listing in one answer (`EWSFindCountLimit`).
const LISTED: usize = 1000;
/// What a CalendarView may span: two years.
const SPAN: SignedDuration = SignedDuration::from_hours(24 * (366 + 365));

const TOO_MANY: Refused = (
    "ErrorExceededFindCountLimit",
    "You have exceeded the maximum number of objects that can be returned for the find operation. Use paging to reduce the \
     result size and try your request again.",
);
const NO_CALENDAR: Refused = (
    "ErrorCalendarFolderIsInvalidForCalendarView",
    "The folder is not a calendar folder for a CalendarView.",
);

/// What can stand in a listing.
pub(super) trait Listed: Valued {
    /// As an element with the fields that were asked for; `full` is GetItem, which alone shows bodies and attendees.
    fn xml(&self, shape: &Shape<'_>, full: bool) -> String;
}

/// An item that has not been read yet.
#[derive(Clone)]
enum Entry {
    Event(usize),
    Made(MadeItem),
}

pub(super) fn find_item(shared: &Shared, user: usize, operation: Node<'_, '_>) -> Result<String, Fault> {
    let shape = Shape::read(child(operation, "ItemShape"))?;
    let unknown =
        ["QueryString", "GroupBy", "DistinguishedGroupBy", "FractionalPageItemView", "ContactsView"];
    if let Some(other) = unknown.iter().find(|name| child(operation, name).is_some()) {
        return Err(Fault::new("ErrorInvalidRequest", format!("The sandbox offers no {other}.")));
    }
    if operation.attribute("Traversal") != Some("Shallow") {
        return Err(Fault::new(
            "ErrorInvalidRequest",
            "The sandbox searches with the Traversal Shallow alone.",
        ));
    }
    let listing = Listing::read(operation)?;
    let folders = Folders::of(shared, user);
    let messages: Vec<String> = elements(operation, "ParentFolderIds")
        .map(|id| {
            let found = folders.named(id).ok_or(NO_FOLDER);
            match found.and_then(|folder| listing.of(shared, user, folder, &shape)) {
                Ok(inside) => success("FindItem", &inside),
                Err(refused) => refuse(shared, "FindItem", refused),
            }
        })
        .collect();
    Ok(response("FindItem", &messages))
}

/// What to list, and how.
enum Listing<'r> {
    Pages { page: Page, restriction: Option<Restriction<'r>>, order: SortOrder<'r> },
    Calendar(CalendarView),
}

impl<'r> Listing<'r> {
    fn read(operation: Node<'r, '_>) -> Result<Self, Fault> {
        let (restriction, order) = (Restriction::of(operation)?, SortOrder::of(operation)?);
        match child(operation, "CalendarView") {
            None => Ok(Self::Pages {
                page: Page::of(child(operation, "IndexedPageItemView"))?,
                restriction,
                order,
            }),
            Some(view) if restriction.is_none() && order.is_none() => {
                CalendarView::read(view).map(Self::Calendar)
            }
            Some(_) => {
                let text = "Restrictions and sort order may not be specified for a CalendarView.";
                Err(Fault::new("ErrorInvalidOperation", text))
            }
        }
    }

    fn of(
        &self,
        shared: &Shared,
        user: usize,
        folder: &Folder,
        shape: &Shape<'_>,
    ) -> Result<String, Refused> {
        match self {
            Self::Pages { page, restriction, order } => {
                let entries = entries(shared, user, folder);
                let (items, total) = page.fill(shared, user, entries, restriction.as_ref(), order);
                let xml: String = items.iter().map(|item| item.xml(shape, false)).collect();
                Ok(root_folder(&format!("<t:Items>{xml}</t:Items>"), page.offset, items.len(), total))
            }
            Self::Calendar(view) if folder.is_calendar() => {
                let (items, is_whole) = view.fill(shared, user, folder)?;
                let xml: String = items.iter().map(|item| item.xml(shape, false)).collect();
                Ok(format!(
                    "<m:RootFolder TotalItemsInView=\"{}\" IncludesLastItemInRange=\"{is_whole}\"><t:Items>{xml}</t:Items>\
                     </m:RootFolder>",
                    items.len()
                ))
            }
            Self::Calendar(_) => Err(NO_CALENDAR),
        }
    }
}

fn entries<'s>(shared: &'s Shared, user: usize, folder: &'s Folder) -> impl Iterator<Item = Entry> + 's {
    let organisation = &shared.organisation;
    let kept = move |event: &usize| folder.holds(organisation.kind(user, *event));
    let made = shared.made.items(user, folder.key());
    (0..organisation.mailbox(user).len())
        .filter(kept)
        .map(Entry::Event)
        .chain(made.into_iter().map(Entry::Made))
}

impl Entry {
    fn read(self, shared: &Shared, user: usize) -> Option<Box<dyn Listed + '_>> {
        Some(match self {
            Self::Event(event) => Box::new(Item::read(&shared.organisation, Id::new(user, event))?),
            Self::Made(item) => Box::new(item),
        })
    }
}

/// An IndexedPageItemView or IndexedPageFolderView.
pub(super) struct Page {
    pub(super) offset: usize,
    pub(super) most: usize,
}

impl Page {
    /// # Errors
    /// It counts from the end, or its numbers are none.
    pub(super) fn of(view: Option<Node<'_, '_>>) -> Result<Self, Fault> {
        let Some(view) = view else { return Ok(Self { offset: 0, most: LISTED }) };
        if view.attribute("BasePoint") != Some("Beginning") {
            return Err(Fault::new("ErrorInvalidRequest", "The sandbox pages from the Beginning alone."));
        }
        let number = |name: &str, otherwise: usize| match view.attribute(name).map(str::parse) {
            Some(Ok(number)) => Ok(number),
            Some(Err(_)) => Err(schema(&format!("{name} is no number"))),
            None => Ok(otherwise),
        };
        Ok(Self { offset: number("Offset", 0)?, most: number("MaxEntriesReturned", LISTED)?.min(LISTED) })
    }

    /// The items of this page, and how many there are in all. Items are read only as far as they are needed.
    fn fill<'s>(
        &self,
        shared: &'s Shared,
        user: usize,
        entries: impl Iterator<Item = Entry>,
        restriction: Option<&Restriction<'_>>,
        order: &SortOrder<'_>,
    ) -> (Vec<Box<dyn Listed + 's>>, usize) {
        let read = |entry: Entry| entry.read(shared, user);
        if restriction.is_none() && order.is_none() {
            let (mut items, mut total) = (Vec::new(), 0);
            for entry in entries {
                if total >= self.offset && items.len() < self.most {
                    items.extend(read(entry));
                }
                total += 1;
            }
            return (items, total);
        }
        let entries: Vec<Entry> = entries.collect();
        let mut found: Vec<(usize, Vec<_>)> = Vec::new();
        for (number, entry) in entries.iter().enumerate() {
            let Some(item) = read(entry.clone()) else { continue };
            if restriction.is_none_or(|restriction| restriction.holds(item.as_ref())) {
                found.push((number, order.key(item.as_ref())));
            }
        }
        found.sort_by(|one, other| one.1.cmp(&other.1));
        let page = found.iter().skip(self.offset).take(self.most);
        let items = page.filter_map(|(number, _)| entries.get(*number).cloned().and_then(read)).collect();
        (items, found.len())
    }
}

/// Occurrences in a span of time.
struct CalendarView {
    start: Timestamp,
    end: Timestamp,
    most: Option<usize>,
}

impl CalendarView {
    fn read(view: Node<'_, '_>) -> Result<Self, Fault> {
        let at = |name: &str| {
            view.attribute(name)
                .and_then(time)
                .ok_or_else(|| schema(&format!("{name} of the CalendarView is no time")))
        };
        let (start, end) = (at("StartDate")?, at("EndDate")?);
        if end < start {
            let text = "EndDate is earlier than StartDate";
            return Err(Fault::new("ErrorCalendarEndDateIsEarlierThanStartDate", text));
        }
        if end.duration_since(start) > SPAN {
            let text = "The specified view range exceeds the maximum range of two years.";
            return Err(Fault::new("ErrorCalendarViewRangeTooBig", text));
        }
        let most = match view.attribute("MaxEntriesReturned").map(str::parse::<usize>) {
            None => None,
            Some(Ok(most)) if most > 0 => Some(most),
            Some(_) => return Err(schema("MaxEntriesReturned is no number")),
        };
        Ok(Self { start, end, most })
    }

    /// The single items and the occurrences in the span by their start, and whether these are all of them.
    fn fill<'s>(
        &self,
        shared: &'s Shared,
        user: usize,
        folder: &Folder,
    ) -> Result<(Vec<Box<dyn Listed + 's>>, bool), Refused> {
        let mut found: Vec<(Timestamp, Entry, Option<i64>)> = Vec::new();
        for entry in entries(shared, user, folder) {
            self.add(shared, user, entry, &mut found);
        }
        let most = self.most.unwrap_or(usize::MAX).min(LISTED);
        if found.len() > LISTED && self.most.is_none_or(|most| most > LISTED) {
            return Err(TOO_MANY);
        }
        found.sort_by_key(|(start, ..)| *start);
        let is_whole = found.len() <= most;
        let read = |(_, entry, occurrence): (Timestamp, Entry, Option<i64>)| match (entry, occurrence) {
            (Entry::Event(event), Some(_)) => {
                let id = Id { occurrence, ..Id::new(user, event) };
                Some(Box::new(Item::read(&shared.organisation, id)?) as Box<dyn Listed>)
            }
            (entry, _) => entry.read(shared, user),
        };
        Ok((found.into_iter().take(most).filter_map(read).collect(), is_whole))
    }

    fn add(
        &self,
        shared: &Shared,
        user: usize,
        entry: Entry,
        found: &mut Vec<(Timestamp, Entry, Option<i64>)>,
    ) {
        let is_in = |start: Timestamp, end: Timestamp| start < self.end && end > self.start;
        match entry {
            Entry::Made(item) => {
                if is_in(item.start, item.end) {
                    found.push((item.start, Entry::Made(item), None));
                }
            }
            Entry::Event(event) => {
                let Some(item) = Item::read(&shared.organisation, Id::new(user, event)) else { return };
                let occurrences = if item.kind() == Kind::Series { 0..OCCURRENCES } else { 0..0 };
                for number in occurrences {
                    let (start, end) = item.span_of(number);
                    if is_in(start, end) {
                        found.push((start, Entry::Event(event), Some(number)));
                    }
                }
                if item.kind() != Kind::Series && is_in(item.start(), item.end()) {
                    found.push((item.start(), Entry::Event(event), None));
                }
            }
        }
    }
}

impl Listed for Item<'_> {
    fn xml(&self, shape: &Shape<'_>, full: bool) -> String {
        self.element(shape, full)
    }
}

impl Valued for MadeItem {
    fn value(&self, path: &Path<'_>) -> Option<Value> {
        match path {
            Path::Field("item:Subject") => Value::text(self.subject.as_str()),
            Path::Field("calendar:Start") => Some(Value::Time(self.start)),
            Path::Field("calendar:End") => Some(Value::Time(self.end)),
            _ => None,
        }
    }
}
