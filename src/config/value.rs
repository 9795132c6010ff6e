//! The values of a job's parameters: checks them, and turns them into texts.

use serde_json::Value;

use super::error::ParamError;
use super::gerrit;
use super::gerrit::GerritUrl;
use super::param::{Param, ParamKind};
use super::{names, units};

/// The text that people see in place of a sensitive value.
pub const MASK: &str = "•••";

/// The longest single value, in bytes. Linux refuses an argument of 128 KiB, and a value may be a part of an argument.
const MAX_VALUE: usize = 64 * 1024;

/// The texts that a parameter puts into the command. `None` if the value is absent, empty or false.
///
/// A true boolean is present without texts: it only includes a group.
pub(super) type Texts = Option<Vec<String>>;

impl Param {
    /// Checks the value of a job for this parameter. A missing value or null becomes the default. An empty value does
    /// not, because people who empty a field do not mean the default.
    pub(super) fn accept(&self, given: Option<&Value>) -> Result<Texts, ParamError> {
        let value = given.filter(|value| !value.is_null()).or(self.default.as_ref()).unwrap_or(&Value::Null);
        let texts = match value {
            Value::Null => None,
            Value::Array(values) if self.many => self.each(values)?,
            _ if self.many => return Err(self.refuse(value, "takes a list of values, not one")),
            Value::Array(_) => return Err(self.refuse(value, "takes one value, not a list")),
            Value::String(text) if text.is_empty() => None,
            Value::Bool(switch) if matches!(self.kind, ParamKind::Boolean) => {
                // `false` is a value where one is required, but puts no text into the command.
                return Ok(switch.then(Vec::new));
            }
            one => Some(vec![self.text(one).map_err(|problem| self.refuse(one, &problem))?]),
        };
        match texts {
            None if self.required => Err(self.refuse(value, "is required and must not be empty")),
            texts => Ok(texts),
        }
    }

    /// Whether this text is a valid value.
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

    /// One value as text. The error is the rule that it breaks.
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

    /// Checks the rules for every text that becomes an argument.
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

    /// Makes an error about the value of this parameter.
    pub(super) fn refuse(&self, value: &Value, problem: &str) -> ParamError {
        ParamError {
            param: self.name.clone(),
            message: format!("parameter `{}` {problem}", self.name),
            input: self.shown(value),
        }
    }

    /// The value as people may see it.
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

/// A change in the form for the command: always its number, if a Gerrit is configured. So a command never meets a form
/// of address that it does not know. Without a configured Gerrit, the change behind an address is unknown, and the
/// address stays as it is.
fn change(text: &str, gerrit: Option<&GerritUrl>) -> Option<String> {
    match gerrit {
        Some(gerrit) => gerrit.change_number(text).map(|number| number.to_string()),
        None => Some(text).filter(|text| gerrit::number(text).is_some() || units::is_http_url(text)).map(str::to_owned),
    }
}
