//! Values and tables of the parsed file, while it is read. Each knows its name and its place, for errors.
//!
//! Serde could deserialize the settings. But its errors lack the section of a key and the likely meaning, and errors
//! about two keys would have no line.

use std::ops::Range;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::Fault;
use super::names::{quoted, suggestion};

/// The label of a list element begins with this, at any depth.
const ENTRY: &str = "an entry of ";

/// One value of the file.
pub(super) struct Node<'t> {
    /// Its key and section, as messages begin with them.
    label: String,
    /// The name of its table header, without the brackets.
    path: String,
    value: &'t DeValue<'t>,
    offset: usize,
}

/// One table of the file, with only known keys.
pub(super) struct Section<'t> {
    header: String,
    path: String,
    /// `None` if the file lacks the table; that is the same as an empty one.
    table: Option<&'t DeTable<'t>>,
    offset: usize,
}

impl<'t> Node<'t> {
    /// Makes an error at this place: the key and its section, followed by the problem.
    pub(super) fn fault(&self, problem: impl AsRef<str>) -> Fault {
        self.fault_about(format!("{} {}", self.label, problem.as_ref()))
    }

    /// Makes an error at this place with a message that does not begin with the key.
    pub(super) fn fault_about(&self, message: String) -> Fault {
        Fault { offset: self.offset, message }
    }

    fn wrong_type(&self, expected: &str) -> Fault {
        self.fault(format!("must be {expected}, not {}", type_name(self.value)))
    }

    /// Reads a string. `expected` describes the expected value in an error.
    pub(super) fn text(&self, expected: &str) -> Result<&'t str, Fault> {
        self.value.as_str().ok_or_else(|| self.wrong_type(expected))
    }

    pub(super) fn boolean(&self) -> Result<bool, Fault> {
        self.value.as_bool().ok_or_else(|| self.wrong_type("true or false"))
    }

    pub(super) fn integer(&self) -> Result<i64, Fault> {
        let integer = self.value.as_integer().ok_or_else(|| self.wrong_type("a whole number"))?;
        i64::from_str_radix(integer.as_str(), integer.radix())
            .map_err(|_| self.fault("must be a number of at most 64 bits"))
    }

    pub(super) fn is_list(&self) -> bool {
        self.value.is_array()
    }

    pub(super) fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// The elements of a list, each with its own place.
    pub(super) fn items(&self) -> Result<Vec<Node<'t>>, Fault> {
        let array = self.value.as_array().ok_or_else(|| self.wrong_type("a list"))?;
        let label = if self.label.starts_with(ENTRY) { self.label.clone() } else { format!("{ENTRY}{}", self.label) };
        let item = |element: &'t Spanned<DeValue<'t>>| Node {
            label: label.clone(),
            path: format!("[{}]", self.path),
            value: element.get_ref(),
            offset: element.span().start,
        };
        Ok(array.iter().map(item).collect())
    }

    /// Reads a table that may only have the known keys.
    pub(super) fn section(&self, known: &[&str]) -> Result<Section<'t>, Fault> {
        let section = Section {
            header: format!("[{}]", self.path),
            path: self.path.clone(),
            table: Some(self.value.as_table().ok_or_else(|| self.wrong_type("a table"))?),
            offset: self.offset,
        };
        section.refuse_unknown(known)?;
        Ok(section)
    }

    /// The same value as JSON, as jobs get it.
    pub(super) fn json(&self) -> Result<Value, Fault> {
        match self.value {
            DeValue::String(text) => Ok(Value::from(text.as_ref())),
            DeValue::Boolean(boolean) => Ok(Value::from(*boolean)),
            DeValue::Integer(_) => Ok(Value::from(self.integer()?)),
            DeValue::Array(_) => self.items()?.iter().map(Node::json).collect(),
            _ => Err(self.wrong_type("a string, a whole number, true or false, or a list of them")),
        }
    }
}

impl<'t> Section<'t> {
    /// The top level of the file.
    pub(super) fn document(document: &'t Spanned<DeTable<'t>>, known: &[&str]) -> Result<Self, Fault> {
        let section = Self { header: String::new(), path: String::new(), table: Some(document.get_ref()), offset: 0 };
        section.refuse_unknown(known)?;
        Ok(section)
    }

    fn refuse_unknown(&self, known: &[&str]) -> Result<(), Fault> {
        let keys = self.table.into_iter().flat_map(DeTable::keys);
        match keys.into_iter().find(|key| !known.contains(&key.get_ref().as_ref())) {
            None => Ok(()),
            Some(key) => Err(Fault {
                offset: key.span().start,
                message: format!(
                    "unknown key {}; {}",
                    in_section(key.get_ref(), &self.header),
                    suggestion(key.get_ref(), known.iter().copied())
                ),
            }),
        }
    }

    /// Makes an error about the section as a whole.
    pub(super) fn fault(&self, problem: &str) -> Fault {
        Fault { offset: self.offset, message: format!("{} {problem}", self.header) }
    }

    /// The value of a key, if the file has it.
    pub(super) fn get(&self, key: &str) -> Option<Node<'t>> {
        let (name, value) = self.table?.get_key_value(key)?;
        Some(self.node(name.get_ref(), value.span(), value.get_ref()))
    }

    /// The value of a key, parsed with `read`, if the file has the key.
    pub(super) fn read<T>(
        &self,
        key: &str,
        read: impl FnOnce(&Node<'t>) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        self.get(key).as_ref().map(read).transpose()
    }

    /// The section under a key. It is empty if the file lacks it.
    pub(super) fn section(&self, key: &str, known: &[&str]) -> Result<Section<'t>, Fault> {
        let absent = || Section { header: String::new(), path: String::new(), table: None, offset: self.offset };
        Ok(self.read(key, |node| node.section(known))?.unwrap_or_else(absent))
    }

    /// The names and values of a table in which the file chooses the keys, in the order of the file.
    pub(super) fn entries(&self, key: &str) -> Result<Vec<(&'t str, Node<'t>)>, Fault> {
        let Some(node) = self.get(key) else {
            return Ok(Vec::new());
        };
        let table = node.value.as_table().ok_or_else(|| node.wrong_type("a table"))?;
        let section =
            Section { header: format!("[{}]", node.path), path: node.path, table: Some(table), offset: node.offset };
        let entry = |(name, value): (&'t Spanned<_>, &'t Spanned<_>)| {
            let name: &std::borrow::Cow<'t, str> = name.get_ref();
            (name.as_ref(), section.node(name, value.span(), value.get_ref()))
        };
        Ok(table.iter().map(entry).collect())
    }

    fn node(&self, key: &str, span: Range<usize>, value: &'t DeValue<'t>) -> Node<'t> {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Node { label: in_section(key, &self.header), path, value, offset: span.start }
    }
}

fn in_section(key: &str, header: &str) -> String {
    if header.is_empty() { quoted(key) } else { format!("{} in {header}", quoted(key)) }
}

fn type_name(value: &DeValue) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
