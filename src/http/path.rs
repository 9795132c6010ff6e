//! The paths of routes, such as `/api/jobs/{id:number}`, and what a request's path says where they have parameters.

use super::error::{ApiError, Invalid};
use super::percent;

/// The path of a route. Its segments are literal, `{name:number}` (a positive whole number), or `{name:text}` (any text
/// that is not empty).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pattern(pub &'static str);

/// One segment of a route's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segment {
    /// Itself.
    Literal(&'static str),
    /// `{name:number}`: a positive whole number.
    Number(&'static str),
    /// `{name:text}`: any text that is not empty.
    Text(&'static str),
}

impl Segment {
    /// Reads one segment of a route's path.
    fn parse(text: &'static str) -> Self {
        let param = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match param.and_then(|param| param.split_once(':')) {
            Some((name, "number")) => Self::Number(name),
            Some((name, "text")) => Self::Text(name),
            _ => Self::Literal(text),
        }
    }

    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Literal(literal) => *literal == text,
            Self::Number(_) | Self::Text(_) => !text.is_empty(),
        }
    }
}

impl Pattern {
    /// Its segments.
    pub fn segments(self) -> impl Iterator<Item = Segment> {
        self.0.split('/').skip(1).map(Segment::parse)
    }

    /// Whether a request's path with these segments fits it. Their values are not read yet: see [`params`](Self::params).
    #[must_use]
    pub fn fits(self, texts: &[String]) -> bool {
        self.segments().count() == texts.len() && self.segments().zip(texts).all(|(segment, text)| segment.fits(text))
    }

    /// Whether only one path fits it.
    #[must_use]
    pub fn is_literal(self) -> bool {
        self.segments().all(|segment| matches!(segment, Segment::Literal(_)))
    }

    /// Its parameters, from the segments of a path that fits.
    ///
    /// # Errors
    /// 422 if the value of a `{name:number}` is not a positive whole number.
    pub fn params(self, texts: Vec<String>) -> Result<PathParams, ApiError> {
        let params = self.segments().zip(texts).filter_map(|(segment, text)| match segment {
            Segment::Literal(_) => None,
            Segment::Number(name) => Some(parse_number(name, text)),
            Segment::Text(name) => Some(Ok((name, PathParam::Text(text)))),
        });
        params.collect::<Result<_, _>>().map(PathParams)
    }
}

/// The segments of a request's path, decoded. None for a path that no route can have.
#[must_use]
pub fn decode_segments(path: &str) -> Option<Vec<String>> {
    path.strip_prefix('/')?.split('/').map(percent::decode).collect()
}

/// What the path of a request said where its route has `{name:…}`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PathParams(Vec<(&'static str, PathParam)>);

#[derive(Debug, PartialEq, Eq)]
enum PathParam {
    Number(u64),
    Text(String),
}

impl PathParams {
    /// The value of `{name:number}`, which is at least 1.
    ///
    /// # Errors
    /// 500 if the route has no such parameter.
    pub fn number(&self, name: &str) -> Result<u64, ApiError> {
        match self.get(name) {
            Some(PathParam::Number(number)) => Ok(*number),
            _ => Err(ApiError::internal(format!("the route has no {{{name}:number}}"))),
        }
    }

    /// The value of `{name:text}`, decoded: it may contain slashes and control characters.
    ///
    /// # Errors
    /// 500 if the route has no such parameter.
    pub fn text(&self, name: &str) -> Result<&str, ApiError> {
        match self.get(name) {
            Some(PathParam::Text(text)) => Ok(text),
            _ => Err(ApiError::internal(format!("the route has no {{{name}:text}}"))),
        }
    }

    fn get(&self, name: &str) -> Option<&PathParam> {
        let param = self.0.iter().find(|(key, _)| *key == name);
        param.map(|(_, value)| value)
    }
}

fn parse_number(name: &'static str, text: String) -> Result<(&'static str, PathParam), ApiError> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number @ 1..) if is_digits => Ok((name, PathParam::Number(number))),
        _ => Err(ApiError::invalid(Invalid {
            kind: "int_parsing",
            location: vec!["path".into(), name.into()],
            message: "Input should be a positive whole number".into(),
            input: text.into(),
        })),
    }
}
