//! The values that a job has for its parameters: whether they are allowed, and what they are as text.

use serde_json::Value;

use super::error::ParamError;
use super::gerrit;
use super::gerrit::GerritUrl;
use super::param::{Param, ParamKind};
use super::{names, units};

/// The text that people see instead of a sensitive value.
pub const MASK: &str = "•••";

/// The longest single value, in bytes. Linux refuses an argument of 128 KiB, and a value may be a part of one.
const MAX_VALUE: usize = 64 * 1024;

/// The texts that a parameter puts into the command, `None` if it is absent, empty or false.
///
/// A boolean that is true is there but has no text: it only switches a group.
pub(super) type Texts = Option<Vec<String>>;

impl Param {
    /// Checks what a job has for this parameter. What is missing or null becomes the default, what is empty does not:
    /// somebody who empties a field does not mean the default.
    pub(super) fn accept(&self, given: Option<&Value>) -> Result<Texts, ParamError> {
        let value = given.filter(|value| !value.is_null()).or(self.default.as_ref()).unwrap_or(&Value::Null);
        let texts = match value {
            Value::Null => None,
            Value::Array(values) if self.many => self.each(values)?,
            _ if self.many => return Err(self.refuse(value, "takes a list of values, not one")),
            Value::Array(_) => return Err(self.refuse(value, "takes one value, not a list")),
            Value::String(text) if text.is_empty() => None,
            Value::Bool(switch) if matches!(self.kind, ParamKind::Boolean) => {
                // `false` is an answer where one is required, but nothing for the command.
                return Ok(switch.then(Vec::new));
            }
            one => Some(vec![self.text(one).map_err(|problem| self.refuse(one, &problem))?]),
        };
        match texts {
            None if self.required => Err(self.refuse(value, "is required and must not be empty")),
            texts => Ok(texts),
        }
    }

    /// Whether this text can be a value.
    #[must_use]
    pub fn allows(&self, text: &str) -> bool {
        !text.is_empty() && self.text(&Value::from(text)).is_ok()
    }

    fn each(&self, values: &[Value]) -> Result<Texts, ParamError> {
        let checked = |value| match self.text(value) {
            Ok(text) if text.is_empty() => Err(self.refuse(value, "has an empty value in its list; leave it out")),
            Ok(text) => Ok(text),
            Err(problem) => Err(self.refuse(value, &format!("has a value in its list that {problem}"))),
        };
        let texts = values.iter().map(checked).collect::<Result<Vec<_>, _>>()?;
        Ok(Some(texts).filter(|texts| !texts.is_empty()))
    }

    /// One value as text, or how it breaks the rules.
    fn text(&self, value: &Value) -> Result<String, String> {
        let text = match (&self.kind, value) {
            (ParamKind::Integer { min, max }, Value::Number(_)) => whole_number(value, *min, *max)?,
            (ParamKind::GerritChange { .. }, Value::Number(number)) => number.to_string(),
            (ParamKind::Integer { .. }, _) => return Err("must be a whole number".to_owned()),
            (ParamKind::Boolean, _) => return Err("must be true or false".to_owned()),
            (_, Value::String(text)) => text.clone(),
            (ParamKind::GerritChange { gerrit }, _) => return Err(no_change(gerrit.as_ref())),
            (_, _) => return Err("must be a string".to_owned()),
        };
        self.check_text(&text)?;
        match &self.kind {
            ParamKind::String { pattern: Some(pattern) } if !pattern.matches(&text) => {
                Err(format!("must match the pattern `{}`", pattern.as_str()))
            }
            ParamKind::Choice { choices } if !choices.contains(&text) => {
                Err(format!("must be one of {}", names::list(choices)))
            }
            ParamKind::GerritChange { gerrit } => {
                change(&text, gerrit.as_ref()).ok_or_else(|| no_change(gerrit.as_ref()))
            }
            _ => Ok(text),
        }
    }

    /// The rules of every text that becomes an argument.
    pub(super) fn check_text(&self, text: &str) -> Result<(), String> {
        if text.len() > MAX_VALUE {
            return Err(format!("must be at most {MAX_VALUE} bytes long"));
        }
        if text.contains(char::is_control) {
            return Err("must not contain control characters such as line ends or tabs".to_owned());
        }
        if text.starts_with('-') && !self.allow_dash {
            return Err("must not begin with `-`".to_owned());
        }
        Ok(())
    }

    /// An error about the value of this parameter.
    pub(super) fn refuse(&self, value: &Value, problem: &str) -> ParamError {
        ParamError {
            param: self.name.clone(),
            message: format!("parameter `{}` {problem}", self.name),
            input: self.shown(value),
        }
    }

    /// The part of a value that people may see.
    pub(super) fn shown(&self, value: &Value) -> Value {
        if self.sensitive && !value.is_null() { Value::from(MASK) } else { value.clone() }
    }
}

fn no_change(gerrit: Option<&GerritUrl>) -> String {
    let address = gerrit.map_or_else(|| "http(s) address".to_owned(), |gerrit| format!("address at {gerrit}"));
    format!("must be the number of a Gerrit change or its {address}")
}

fn whole_number(value: &Value, min: Option<i64>, max: Option<i64>) -> Result<String, String> {
    let number = value.as_i64().ok_or("must be a whole number of at most 64 bits")?;
    match (min, max) {
        (Some(least), _) if number < least => Err(format!("must be at least {least}")),
        (_, Some(greatest)) if number > greatest => Err(format!("must be at most {greatest}")),
        _ => Ok(number.to_string()),
    }
}

/// A change as the command gets it: its number, however it was given. So no command meets a form of an address that it
/// does not know. Of which change it is the address can only be said of a Gerrit that is known.
fn change(text: &str, gerrit: Option<&GerritUrl>) -> Option<String> {
    match gerrit {
        Some(gerrit) => gerrit.change_number(text).map(|number| number.to_string()),
        None => Some(text).filter(|text| gerrit::number(text).is_some() || units::is_http_url(text)).map(str::to_owned),
    }
}
