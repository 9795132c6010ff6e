//! `command`: an argument vector with placeholders. It never passes through a shell.
//!
//! | in the file | in the argument vector |
//! |---|---|
//! | `"{name}"`, one value | the value; no argument if it is absent |
//! | `"{name}"`, many values | as many arguments |
//! | `"{name:,}"`, many values | one argument, the values joined with what follows the colon |
//! | `"--x={name}"` | one argument; the parameter must be required |
//! | `["--x", "{name}"]` | all of the group, or nothing if the parameter is absent or empty |
//! | `["--force", "{name}"]`, a boolean | `--force` if true, else nothing |
//! | `{{` and `}}` | `{` and `}` |

use std::collections::BTreeMap;

use super::error::Fault;
use super::names::{quoted, suggestion};
use super::node::Node;
use super::param::{Param, ParamKind};
use super::value::Texts;

/// The texts that each declared parameter puts into the command.
pub(super) type Values<'p> = BTreeMap<&'p str, Texts>;

/// A command after the check against the parameters of its job type, before the values are filled in.
#[derive(Debug, Clone)]
pub(super) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
enum Part {
    Argument(Argument),
    /// The group is omitted as a whole if the parameter `switch` is absent, empty or false.
    Group {
        switch: String,
        arguments: Vec<Argument>,
    },
}

#[derive(Debug, Clone)]
enum Argument {
    /// A placeholder alone: zero, one or many arguments.
    Whole(Placeholder),
    /// Exactly one argument.
    Pieces(Vec<Piece>),
}

#[derive(Debug, Clone)]
enum Piece {
    Literal(String),
    Placeholder(Placeholder),
}

#[derive(Debug, Clone)]
struct Placeholder {
    param: String,
    /// The separator that joins many values into one text.
    separator: Option<String>,
}

impl Template {
    pub(super) fn read(node: &Node, params: &[Param]) -> Result<Self, Fault> {
        let items = node.items()?;
        let program = items.first().ok_or_else(|| node.fault("is empty; the first element is the program to run"))?;
        let parts = items.iter().map(|item| Part::read(item, params)).collect::<Result<Vec<_>, _>>()?;
        // People who start a job choose among declared programs. They never name a program themselves.
        if parts.first().and_then(Part::program).is_none() {
            return Err(program.fault("is the program to run, and must be a string without placeholders"));
        }
        Ok(Self { parts })
    }

    /// The program to run. [`Template::read`] has checked that it exists in the template.
    pub(super) fn program(&self) -> &str {
        self.parts.first().and_then(Part::program).unwrap_or_default()
    }

    /// The parameters whose values are joined, with their separators.
    pub(super) fn joins(&self) -> impl Iterator<Item = (&str, &str)> {
        let arguments = self.parts.iter().flat_map(|part| match part {
            Part::Argument(argument) => std::slice::from_ref(argument),
            Part::Group { arguments, .. } => arguments,
        });
        arguments.flat_map(Argument::placeholders).filter_map(Placeholder::join)
    }

    /// Builds the argument vector from these values.
    pub(super) fn render(&self, values: &Values) -> Vec<String> {
        let mut arguments = Vec::new();
        for part in &self.parts {
            match part {
                Part::Argument(argument) => argument.render(values, &mut arguments),
                Part::Group { switch, .. } if texts(values, switch).is_none() => {}
                Part::Group { arguments: group, .. } => group.iter().for_each(|one| one.render(values, &mut arguments)),
            }
        }
        arguments
    }
}

impl Part {
    fn read(item: &Node, params: &[Param]) -> Result<Self, Fault> {
        if !item.is_list() {
            return Argument::read(item, params, false).map(Self::Argument);
        }
        let read = |item: &Node| Argument::read(item, params, true);
        let arguments = item.items()?.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let placeholders: Vec<_> = arguments.iter().flat_map(Argument::placeholders).collect();
        let [only] = &placeholders[..] else {
            return Err(item
                .fault("is a group, which needs exactly one placeholder; its parameter decides if the group is used"));
        };
        let switch = only.param.clone();
        if let ([Argument::Whole(_)], ParamKind::Boolean) = (&arguments[..], &declared(item, params, &switch)?.kind) {
            return Err(item
                .fault(format!("is a group of only the boolean `{{{switch}}}`; add the arguments that it switches")));
        }
        Ok(Self::Group { switch, arguments })
    }

    /// The name of a program, if this part is one: a literal that is not empty.
    fn program(&self) -> Option<&str> {
        let Self::Argument(Argument::Pieces(pieces)) = self else { return None };
        match &pieces[..] {
            [Piece::Literal(name)] if !name.is_empty() => Some(name),
            _ => None,
        }
    }
}

impl Argument {
    fn read(item: &Node, params: &[Param], in_group: bool) -> Result<Self, Fault> {
        let text = item.text("a string")?;
        if text.contains('\0') {
            return Err(item.fault("contains a NUL, which no argument can hold"));
        }
        let pieces = pieces(text).map_err(|problem| item.fault(format!("has {}, where {problem}", quoted(text))))?;
        let argument = match <[Piece; 1]>::try_from(pieces) {
            Ok([Piece::Placeholder(placeholder)]) => Self::Whole(placeholder),
            Ok(literal) => Self::Pieces(literal.into()),
            Err(pieces) => Self::Pieces(pieces),
        };
        for placeholder in argument.placeholders() {
            let param = declared(item, params, &placeholder.param)?;
            if let Some(problem) = placeholder.problem(param, matches!(argument, Self::Whole(_)), in_group) {
                return Err(item.fault(format!("has {}, but {problem}", quoted(text))));
            }
        }
        Ok(argument)
    }

    fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        let (whole, pieces) = match self {
            Self::Whole(placeholder) => (Some(placeholder), &[][..]),
            Self::Pieces(pieces) => (None, &pieces[..]),
        };
        whole.into_iter().chain(pieces.iter().filter_map(|piece| match piece {
            Piece::Literal(_) => None,
            Piece::Placeholder(placeholder) => Some(placeholder),
        }))
    }

    fn render(&self, values: &Values, arguments: &mut Vec<String>) {
        match self {
            Self::Whole(placeholder) => match (texts(values, &placeholder.param), &placeholder.separator) {
                (None, _) => {}
                (Some(texts), None) => arguments.extend_from_slice(texts),
                (Some(texts), Some(separator)) => arguments.push(texts.join(separator)),
            },
            Self::Pieces(pieces) => arguments.push(pieces.iter().map(|piece| piece.render(values)).collect()),
        }
    }
}

impl Piece {
    fn render(&self, values: &Values) -> String {
        match self {
            Self::Literal(text) => text.clone(),
            Self::Placeholder(Placeholder { param, separator }) => {
                let separator = separator.as_deref().unwrap_or_default();
                texts(values, param).map_or_else(String::new, |texts| texts.join(separator))
            }
        }
    }
}

impl Placeholder {
    fn join(&self) -> Option<(&str, &str)> {
        Some((&self.param, self.separator.as_deref()?))
    }

    /// The reason why this parameter cannot be used here, if there is one. `whole`: the placeholder is an argument of
    /// its own.
    fn problem(&self, param: &Param, whole: bool, in_group: bool) -> Option<String> {
        let name = &param.name;
        if matches!(param.kind, ParamKind::Boolean) {
            return (!whole || !in_group || self.separator.is_some())
                .then(|| format!("a boolean only switches a group; write [\"--option\", \"{{{name}}}\"]"));
        }
        match &self.separator {
            Some(_) if !param.many => {
                Some(format!("`{name}` has one value, so there is nothing to join; write `{{{name}}}`"))
            }
            Some(separator) if separator.is_empty() => {
                Some(format!("the separator after the colon is missing; write `{{{name}:,}}`"))
            }
            None if param.many && !whole => {
                Some(format!("`{name}` has many values and this is one argument; join them with `{{{name}:,}}`"))
            }
            _ if !whole && !in_group && !param.required => Some(format!(
                "`{name}` may be absent; put the argument in a group of its own, in brackets, or set `required = true`"
            )),
            _ => None,
        }
    }
}

/// The texts of a parameter. `None` if it is absent, empty or false.
pub(super) fn texts<'v>(values: &'v Values, param: &str) -> Option<&'v [String]> {
    values.get(param)?.as_deref()
}

fn declared<'p>(item: &Node, params: &'p [Param], name: &str) -> Result<&'p Param, Fault> {
    params.iter().find(|param| param.name == name).ok_or_else(|| {
        let known = params.iter().map(|param| param.name.as_str());
        item.fault(format!("uses the parameter {}, which is not declared; {}", quoted(name), suggestion(name, known)))
    })
}

/// Splits an argument into literals and placeholders.
fn pieces(text: &str) -> Result<Vec<Piece>, &'static str> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(brace) = rest.find(['{', '}']) {
        literal.push_str(&rest[..brace]);
        rest = &rest[brace..];
        if let Some(after) = rest.strip_prefix("{{").or_else(|| rest.strip_prefix("}}")) {
            literal.push_str(&rest[..1]);
            rest = after;
        } else if let Some(inside) = rest.strip_prefix('{') {
            let (placeholder, after) = inside.split_once('}').ok_or("a `{` is not closed; write `{{` for a brace")?;
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Placeholder(Placeholder::parse(placeholder)));
            rest = after;
        } else {
            return Err("a `}` has no `{` before it; write `}}` for a brace");
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

impl Placeholder {
    fn parse(text: &str) -> Self {
        match text.split_once(':') {
            Some((param, separator)) => Self { param: param.to_owned(), separator: Some(separator.to_owned()) },
            None => Self { param: text.to_owned(), separator: None },
        }
    }
}
