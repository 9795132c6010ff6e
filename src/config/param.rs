//! `[[job_types.NAME.params]]`: the parameters of a job type and their rules.

use regex::Regex;
use serde_json::Value;

use super::error::Fault;
use super::gerrit::{GerritConfig, GerritUrl};
use super::names;
use super::node::{Node, Section};
use super::units;

const KEYS: &[&str] = &[
    "name",
    "kind",
    "title",
    "help",
    "many",
    "required",
    "default",
    "sensitive",
    "allow_dash",
    "pattern",
    "min",
    "max",
    "choices",
];

/// One parameter of a job type.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own, any combination has a meaning")]
pub struct Param {
    /// The identifier in the command's placeholders and in the job's `params`.
    pub name: String,
    /// The title for people. It is the name if the file has none.
    pub title: String,
    /// An explanation for people.
    pub help: Option<String>,
    /// The kind of value that it takes.
    pub kind: ParamKind,
    /// Whether it takes a list of values instead of one.
    pub many: bool,
    /// Whether a job must give it at least one value.
    pub required: bool,
    /// Whether its values are hidden from people. The process list of the machine still shows them: put secrets into
    /// `env_file`.
    pub sensitive: bool,
    /// Whether a value may begin with `-`. The command may take such a value for an option.
    pub allow_dash: bool,
    /// The value in a job that does not mention the parameter. It obeys the rules.
    pub default: Option<Value>,
}

/// The kinds of values of a parameter.
#[derive(Debug, Clone)]
pub enum ParamKind {
    /// Text.
    String {
        /// The pattern that the whole text must match.
        pattern: Option<Pattern>,
    },
    /// A whole number.
    Integer {
        /// The minimum.
        min: Option<i64>,
        /// The maximum.
        max: Option<i64>,
    },
    /// True or false. It includes or omits a group of the command.
    Boolean,
    /// One of several texts.
    Choice {
        /// The texts, at least one.
        choices: Vec<String>,
    },
    /// A change in Gerrit: its number or its address. The command gets the number.
    GerritChange {
        /// The Gerrit whose addresses are accepted. Without a Gerrit, addresses of any host are.
        gerrit: Option<GerritUrl>,
    },
}

impl ParamKind {
    /// The word for it in the configuration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::String { .. } => "string",
            Self::Integer { .. } => "integer",
            Self::Boolean => "boolean",
            Self::Choice { .. } => "choice",
            Self::GerritChange { .. } => "gerrit-change",
        }
    }

    /// Whether the values name changes in Gerrit.
    #[must_use]
    pub fn is_change(&self) -> bool {
        matches!(self, Self::GerritChange { .. })
    }
}

/// A regular expression that must match the whole value.
#[derive(Debug, Clone)]
pub struct Pattern {
    source: String,
    whole: Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Pattern {}

impl Pattern {
    fn new(source: &str) -> Result<Self, regex::Error> {
        // The expression is also compiled alone, so that `a)|(b` cannot close the group that anchors it.
        Regex::new(source)?;
        Ok(Self { source: source.to_owned(), whole: Regex::new(&format!(r"\A(?:{source})\z"))? })
    }

    /// The expression as in the file.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether all of `text` matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.whole.is_match(text)
    }
}

impl Param {
    /// The default for people.
    #[must_use]
    pub fn shown_default(&self) -> Option<Value> {
        self.default.as_ref().map(|value| self.shown(value))
    }

    pub(super) fn read(node: &Node, gerrit: &GerritConfig) -> Result<Self, Fault> {
        let section = node.section(KEYS)?;
        let name = section.read("name", identifier)?.ok_or_else(|| section.fault("has no `name`"))?;
        let mut param = Self {
            title: section.read("title", units::name)?.unwrap_or_else(|| name.clone()),
            name,
            help: section.read("help", units::optional_name)?.flatten(),
            kind: kind(&section, gerrit)?,
            many: section.read("many", Node::boolean)?.unwrap_or(false),
            required: section.read("required", Node::boolean)?.unwrap_or(false),
            sensitive: section.read("sensitive", Node::boolean)?.unwrap_or(false),
            allow_dash: section.read("allow_dash", Node::boolean)?.unwrap_or(false),
            default: None,
        };
        param.check_rules(&section)?;
        param.default = section.read("default", |node| param.default_value(node))?;
        Ok(param)
    }

    /// Refuses rules that contradict each other.
    fn check_rules(&self, section: &Section) -> Result<(), Fault> {
        for (key, kind) in [("pattern", "string"), ("min", "integer"), ("max", "integer"), ("choices", "choice")] {
            if let Some(node) = section.get(key).filter(|_| kind != self.kind.name()) {
                return Err(node.fault(format!(
                    "is for parameters of kind \"{kind}\"; `{}` is of kind \"{}\"",
                    self.name,
                    self.kind.name()
                )));
            }
        }
        if let Some(node) = section.get("many").filter(|_| self.many && matches!(self.kind, ParamKind::Boolean)) {
            return Err(node.fault("cannot be used with kind \"boolean\", which switches one group"));
        }
        for choice in section.read("choices", Node::items)?.unwrap_or_default() {
            let text = choice.text("a string")?;
            self.check_text(text).map_err(|problem| choice.fault(problem))?;
        }
        match &self.kind {
            ParamKind::Integer { min: Some(min), .. } if *min < 0 && !self.allow_dash => Err(section.fault(&format!(
                "has `min` = {min}, but a number below 0 begins with `-`; set `allow_dash = true` or `min = 0`"
            ))),
            _ => Ok(()),
        }
    }

    fn default_value(&self, node: &Node) -> Result<Value, Fault> {
        let value = node.json()?;
        match self.accept(Some(&value)) {
            Ok(_) => Ok(value),
            Err(error) => Err(node.fault(format!("breaks the parameter's own rules: {error}"))),
        }
    }
}

fn identifier(node: &Node) -> Result<String, Fault> {
    let name = node.text("a string")?;
    names::check_parameter(name).map_err(|problem| node.fault(problem))?;
    Ok(name.to_owned())
}

fn kind(section: &Section, gerrit: &GerritConfig) -> Result<ParamKind, Fault> {
    let node = section.get("kind").ok_or_else(|| section.fault("has no `kind`, such as \"string\""))?;
    match node.text("a string")? {
        "string" => Ok(ParamKind::String { pattern: section.read("pattern", pattern)? }),
        "integer" => range(section),
        "boolean" => Ok(ParamKind::Boolean),
        "choice" => match section.read("choices", units::names)? {
            Some(choices) if !choices.is_empty() => Ok(ParamKind::Choice { choices }),
            _ => Err(node.fault("is \"choice\", which needs `choices`, a list with at least one string")),
        },
        "gerrit-change" => Ok(ParamKind::GerritChange { gerrit: gerrit.url.clone() }),
        _ => Err(node.fault("must be \"string\", \"integer\", \"boolean\", \"choice\" or \"gerrit-change\"")),
    }
}

pub(super) fn pattern(node: &Node) -> Result<Pattern, Fault> {
    units::regular_expression(node, Pattern::new)
}

fn range(section: &Section) -> Result<ParamKind, Fault> {
    let min = section.read("min", Node::integer)?;
    let max = section.read("max", Node::integer)?;
    match (min, max, section.get("min")) {
        (Some(least), Some(greatest), Some(node)) if least > greatest => {
            Err(node.fault(format!("is {least}, which is more than `max`, {greatest}")))
        }
        _ => Ok(ParamKind::Integer { min, max }),
    }
}
