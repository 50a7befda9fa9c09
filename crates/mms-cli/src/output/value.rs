//! Rows of named values.

use serde::ser::{Serialize, SerializeMap, Serializer};

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Not known or not there.
    Null,
    /// Text.
    Text(String),
    /// A count.
    Number(u64),
    /// Yes or no.
    Boolean(bool),
    /// Several.
    List(Vec<Value>),
    /// Named values in it, in order.
    Object(Vec<(&'static str, Value)>),
}

impl Value {
    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Text, or null where there is none.
    pub fn optional(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Null, |text| Self::Text(text.into()))
    }

    /// The value as people read it.
    pub fn plain(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Boolean(true) => "True".to_owned(),
            Self::Boolean(false) => "False".to_owned(),
            Self::List(values) => values.iter().map(Self::plain).collect::<Vec<_>>().join(", "),
            Self::Object(fields) => fields
                .iter()
                .map(|(name, value)| format!("{name} {}", value.plain()))
                .collect::<Vec<_>>()
                .join(" "),
        }
    }
}

impl From<toml::Value> for Value {
    fn from(value: toml::Value) -> Self {
        match value {
            toml::Value::Integer(number) if number >= 0 => Self::Number(number.unsigned_abs()),
            toml::Value::Boolean(boolean) => Self::Boolean(boolean),
            toml::Value::Array(values) => Self::List(values.into_iter().map(Self::from).collect()),
            toml::Value::String(text) => Self::Text(text),
            other => Self::Text(other.to_string()),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Boolean(boolean) => serializer.serialize_bool(*boolean),
            Self::List(values) => values.serialize(serializer),
            Self::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, value) in fields {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

/// Rows under columns.
#[derive(Debug, Clone)]
pub struct Rows {
    columns: &'static [&'static str],
    rows: Vec<Vec<Value>>,
}

impl Rows {
    /// No rows yet, under these columns.
    pub fn new(columns: &'static [&'static str]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row: one value for each column.
    pub fn push(&mut self, row: Vec<Value>) {
        debug_assert_eq!(row.len(), self.columns.len(), "a value for each column");
        self.rows.push(row);
    }

    /// The columns.
    pub fn columns(&self) -> &'static [&'static str] {
        self.columns
    }

    /// The rows.
    pub fn iter(&self) -> impl Iterator<Item = &[Value]> {
        self.rows.iter().map(Vec::as_slice)
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// One row as named values in order.
    pub fn object(&self, row: &[Value]) -> Value {
        Value::Object(self.columns.iter().copied().zip(row.iter().cloned()).collect())
    }
}
