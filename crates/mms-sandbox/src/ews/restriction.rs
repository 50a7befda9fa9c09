//! Restrictions and sort orders of FindItem and FindFolder.

use std::cmp::Ordering;

use jiff::Timestamp;
use roxmltree::Node;

use super::property::{Path, Value, Valued, time};
use super::shape::schema;
use super::{Fault, child};

/// How deep search expressions may stand in each other, and how many there may be.
const DEPTH: usize = 32;
const MOST: usize = 255;

/// A search expression.
#[derive(Debug)]
pub(super) enum Restriction<'r> {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Exists(Path<'r>),
    Compares(Path<'r>, Comparison, Operand<'r>),
    Contains { path: Path<'r>, mode: Mode, ignores_case: bool, text: String },
}

/// How two values are compared.
#[derive(Debug, Clone, Copy)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// Where a text has to stand in another.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mode {
    FullString,
    Prefixed,
    Substring,
}

/// What a property is compared with.
#[derive(Debug)]
pub(super) enum Operand<'r> {
    Property(Path<'r>),
    Constant { text: &'r str, time: Option<Timestamp> },
}

fn invalid() -> Fault {
    Fault::new("ErrorInvalidRestriction", "Restriction is invalid.")
}

impl<'r> Restriction<'r> {
    /// The restriction of an operation, if it has one.
    ///
    /// # Errors
    /// It is none, or names what cannot be searched for.
    pub(super) fn of(operation: Node<'r, '_>) -> Result<Option<Self>, Fault> {
        let Some(restriction) = child(operation, "Restriction") else { return Ok(None) };
        let expression = restriction.first_element_child().ok_or_else(invalid)?;
        let mut room = MOST;
        Self::read(expression, DEPTH, &mut room).map(Some)
    }

    /// Reads an expression in which others may stand `depth` deep, `room` of them in all.
    fn read(node: Node<'r, '_>, depth: usize, room: &mut usize) -> Result<Self, Fault> {
        let (Some(depth), Some(left)) = (depth.checked_sub(1), room.checked_sub(1)) else {
            let text = "The restriction or sort order is too complex for this operation.";
            return Err(Fault::new("ErrorRestrictionTooComplex", text));
        };
        *room = left;
        let mut inside = || -> Result<Vec<Self>, Fault> {
            node.children().filter(Node::is_element).map(|inside| Self::read(inside, depth, room)).collect()
        };
        Ok(match node.tag_name().name() {
            "And" => Self::All(inside()?),
            "Or" => Self::Any(inside()?),
            "Not" => Self::Not(Box::new(inside()?.pop().ok_or_else(invalid)?)),
            "Exists" => Self::Exists(Path::read(node)?),
            "Contains" => Self::contains(node)?,
            "IsEqualTo" => Self::compares(node, Comparison::Equal)?,
            "IsNotEqualTo" => Self::compares(node, Comparison::NotEqual)?,
            "IsGreaterThan" => Self::compares(node, Comparison::Greater)?,
            "IsGreaterThanOrEqualTo" => Self::compares(node, Comparison::GreaterOrEqual)?,
            "IsLessThan" => Self::compares(node, Comparison::Less)?,
            "IsLessThanOrEqualTo" => Self::compares(node, Comparison::LessOrEqual)?,
            other => return Err(schema(&format!("the sandbox searches by no {other}"))),
        })
    }

    fn compares(node: Node<'r, '_>, comparison: Comparison) -> Result<Self, Fault> {
        let path = Path::read(node)?;
        let operand = child(node, "FieldURIOrConstant").ok_or_else(invalid)?;
        let operand = match child(operand, "Constant") {
            Some(constant) => {
                let text = constant.attribute("Value").ok_or_else(invalid)?;
                Operand::Constant { text, time: time(text) }
            }
            None => Operand::Property(Path::read(operand)?),
        };
        if path.is_time() && matches!(operand, Operand::Constant { time: None, .. }) {
            let text = "The specified value is invalid for property.";
            return Err(Fault::new("ErrorInvalidValueForProperty", text));
        }
        Ok(Self::Compares(path, comparison, operand))
    }

    fn contains(node: Node<'r, '_>) -> Result<Self, Fault> {
        let path = Path::read(node)?;
        let text =
            child(node, "Constant").and_then(|constant| constant.attribute("Value")).ok_or_else(invalid)?;
        let mode = match node.attribute("ContainmentMode") {
            Some("FullString") => Mode::FullString,
            Some("Prefixed") => Mode::Prefixed,
            Some("Substring") | None => Mode::Substring,
            Some(_) => return Err(invalid()),
        };
        let ignores_case = match node.attribute("ContainmentComparison") {
            Some("Exact") | None => false,
            Some(_) => true,
        };
        let text = if ignores_case { text.to_lowercase() } else { text.to_owned() };
        Ok(Self::Contains { path, mode, ignores_case, text })
    }

    /// Whether it holds for an item or a folder.
    pub(super) fn holds(&self, of: &dyn Valued) -> bool {
        match self {
            Self::All(inside) => inside.iter().all(|restriction| restriction.holds(of)),
            Self::Any(inside) => inside.iter().any(|restriction| restriction.holds(of)),
            Self::Not(inside) => !inside.holds(of),
            Self::Exists(path) => of.value(path).is_some(),
            Self::Compares(path, comparison, operand) => {
                let ordering = of.value(path).and_then(|value| operand.compared(&value, of));
                comparison.holds(ordering)
            }
            Self::Contains { path, mode, ignores_case, text } => {
                let Some(Value::Text(value)) = of.value(path) else { return false };
                let value = if *ignores_case { value.to_lowercase() } else { value };
                match mode {
                    Mode::FullString => value == *text,
                    Mode::Prefixed => value.starts_with(text),
                    Mode::Substring => value.contains(text),
                }
            }
        }
    }
}

impl Operand<'_> {
    /// How `value` stands to it; none where the two cannot be compared.
    fn compared(&self, value: &Value, of: &dyn Valued) -> Option<Ordering> {
        match self {
            Self::Property(path) => Some(value.cmp(&of.value(path)?)),
            Self::Constant { text, time } => match value {
                Value::Flag(flag) => Some(flag.cmp(&matches!(*text, "true" | "True" | "1"))),
                Value::Number(number) => Some(number.cmp(&text.parse().ok()?)),
                Value::Time(value) => Some(value.cmp(&(*time)?)),
                Value::Text(value) => Some(value.as_str().cmp(text)),
            },
        }
    }
}

impl Comparison {
    /// Whether it holds; what is not there is equal to nothing.
    fn holds(self, ordering: Option<Ordering>) -> bool {
        match self {
            Self::Equal => ordering.is_some_and(Ordering::is_eq),
            Self::NotEqual => ordering.is_none_or(Ordering::is_ne),
            Self::Greater => ordering.is_some_and(Ordering::is_gt),
            Self::GreaterOrEqual => ordering.is_some_and(Ordering::is_ge),
            Self::Less => ordering.is_some_and(Ordering::is_lt),
            Self::LessOrEqual => ordering.is_some_and(Ordering::is_le),
        }
    }
}

/// By what a listing is sorted.
#[derive(Debug, Default)]
pub(super) struct SortOrder<'r>(Vec<(Path<'r>, bool)>);

impl<'r> SortOrder<'r> {
    /// # Errors
    /// It names what cannot be sorted by.
    pub(super) fn of(operation: Node<'r, '_>) -> Result<Self, Fault> {
        let orders = child(operation, "SortOrder").into_iter().flat_map(|order| order.children());
        let read = |order: Node<'r, '_>| {
            let falls = match order.attribute("Order") {
                Some("Descending") => true,
                Some("Ascending") => false,
                _ => return Err(schema("a FieldOrder has no Order")),
            };
            let path = Path::read(order).map_err(|fault| match fault.code {
                "ErrorUnsupportedPathForQuery" => Fault::new(
                    "ErrorUnsupportedPathForSortGroup",
                    "The property can not be used for sorting or grouping.",
                ),
                _ => fault,
            })?;
            Ok((path, falls))
        };
        orders.filter(Node::is_element).map(read).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// What an item or a folder is sorted by.
    pub(super) fn key(&self, of: &dyn Valued) -> Vec<Key> {
        self.0.iter().map(|(path, falls)| Key(of.value(path), *falls)).collect()
    }
}

/// A value to sort by, and whether the order falls.
#[derive(PartialEq, Eq)]
pub(super) struct Key(Option<Value>, bool);

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        let rising = self.0.cmp(&other.0);
        if self.1 { rising.reverse() } else { rising }
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use roxmltree::Document;

    use super::*;

    /// A thing with one property of each kind.
    struct Thing;

    impl Valued for Thing {
        fn value(&self, path: &Path<'_>) -> Option<Value> {
            match path {
                Path::Field("item:Subject") => Value::text("Budget review"),
                Path::Field("calendar:Start") => time("2030-01-07T08:00:00Z").map(Value::Time),
                Path::Field("calendar:IsRecurring") => Some(Value::Flag(true)),
                Path::Extended(extended) if extended.key == "0xe23" => Some(Value::Number(9)),
                _ => None,
            }
        }
    }

    fn holds(expression: &str) -> Result<bool, &'static str> {
        let xml = format!("<FindItem><Restriction>{expression}</Restriction></FindItem>");
        let document = Document::parse(&xml).unwrap();
        let restriction = Restriction::of(document.root_element()).map_err(|fault| fault.code)?;
        Ok(restriction.is_some_and(|restriction| restriction.holds(&Thing)))
    }

    fn compared(comparison: &str, property: &str, constant: &str) -> String {
        format!(
            "<{comparison}>{property}<FieldURIOrConstant><Constant Value=\"{constant}\"/></FieldURIOrConstant></{comparison}>"
        )
    }

    const SUBJECT: &str = "<FieldURI FieldURI=\"item:Subject\"/>";
    const START: &str = "<FieldURI FieldURI=\"calendar:Start\"/>";
    const RECURS: &str = "<FieldURI FieldURI=\"calendar:IsRecurring\"/>";
    const LOCATION: &str = "<FieldURI FieldURI=\"calendar:Location\"/>";
    const NUMBER: &str = "<ExtendedFieldURI PropertyTag=\"0x0E23\" PropertyType=\"Integer\"/>";

    #[test]
    fn values_are_compared_by_their_kind() {
        for (comparison, property, constant, expected) in [
            ("IsEqualTo", SUBJECT, "Budget review", true),
            ("IsEqualTo", SUBJECT, "budget review", false),
            ("IsGreaterThan", START, "2030-01-07T08:59:59+01:00", true),
            ("IsGreaterThan", START, "2030-01-07T09:00:00+01:00", false),
            ("IsGreaterThanOrEqualTo", START, "2030-01-07T08:00:00", true),
            ("IsLessThan", START, "2030-01-07T08:00:01Z", true),
            ("IsLessThanOrEqualTo", START, "2030-01-07T07:59:59Z", false),
            ("IsEqualTo", RECURS, "true", true),
            ("IsEqualTo", RECURS, "0", false),
            ("IsGreaterThan", NUMBER, "10", false),
            ("IsLessThan", NUMBER, "10", true),
            ("IsEqualTo", NUMBER, "nine", false),
            ("IsEqualTo", LOCATION, "", false),
            ("IsNotEqualTo", LOCATION, "Room 7", true),
        ] {
            let expression = compared(comparison, property, constant);
            assert_eq!(holds(&expression), Ok(expected), "{expression}");
            assert_eq!(holds(&format!("<Not>{expression}</Not>")), Ok(!expected), "{expression}");
        }
    }

    #[test]
    fn expressions_stand_in_each_other() {
        let (yes, no) = (format!("<Exists>{SUBJECT}</Exists>"), format!("<Exists>{LOCATION}</Exists>"));
        assert_eq!(holds(&format!("<And>{yes}<Or>{no}{yes}</Or></And>")), Ok(true));
        assert_eq!(holds(&format!("<And>{yes}<Or>{no}{no}</Or></And>")), Ok(false));
        let contains = |mode: &str, case: &str, text: &str| {
            holds(&format!(
                "<Contains ContainmentMode=\"{mode}\" ContainmentComparison=\"{case}\">{SUBJECT}<Constant Value=\"{text}\"/>\
                 </Contains>"
            ))
        };
        assert_eq!(contains("Prefixed", "IgnoreCase", "BUDGET"), Ok(true));
        assert_eq!(contains("Prefixed", "Exact", "BUDGET"), Ok(false));
        assert_eq!(contains("Substring", "Exact", "get rev"), Ok(true));
        assert_eq!(contains("FullString", "IgnoreCase", "budget"), Ok(false));
    }

    #[test]
    fn what_cannot_be_searched_for_is_refused() {
        let uid = compared("IsEqualTo", "<FieldURI FieldURI=\"calendar:UID\"/>", "1");
        assert_eq!(holds(&uid), Err("ErrorUnsupportedPathForQuery"));
        assert_eq!(holds(&compared("IsGreaterThan", START, "soon")), Err("ErrorInvalidValueForProperty"));
        assert_eq!(holds(""), Err("ErrorInvalidRestriction"));
        assert_eq!(holds("<Not/>"), Err("ErrorInvalidRestriction"));
        assert_eq!(holds("<Excludes/>"), Err("ErrorSchemaValidation"));
        let deep = format!("{}{}", "<Not>".repeat(DEPTH), "</Not>".repeat(DEPTH));
        assert_eq!(holds(&format!("<Not>{deep}</Not>")), Err("ErrorRestrictionTooComplex"));
        let wide = format!("<Exists>{SUBJECT}</Exists>").repeat(MOST);
        assert_eq!(holds(&format!("<Or>{wide}</Or>")), Err("ErrorRestrictionTooComplex"));
    }
}
