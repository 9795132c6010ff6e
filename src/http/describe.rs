//! Words that describe what a route takes and answers. A description for programs (OpenAPI) is made of them.

/// What a body consists of. A name is that of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// JSON.
    Json(&'static str),
    /// JSON, one value a line, as a stream of bytes that no proxy holds back.
    JsonLines(&'static str),
    /// Server-sent events.
    Events,
    /// Plain text.
    Text,
    /// A text as it is, or as a JSON string.
    TextOrJsonString,
    /// The text format of `OpenMetrics`.
    Metrics,
    /// A picture.
    Image,
    /// Nothing.
    Empty,
    /// The web page or a file of it, which is no part of the interface for programs.
    Page,
}

/// An argument after the question mark.
#[derive(Debug)]
pub struct Argument {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub kind: ArgumentKind,
    /// What it means, in one line.
    pub help: &'static str,
}

/// A header field of a request.
#[derive(Debug)]
pub struct Header {
    /// Its name.
    pub name: &'static str,
    /// What it means, in one line.
    pub help: &'static str,
}

/// What an argument may be.
#[derive(Debug)]
pub enum ArgumentKind {
    /// A whole number that is not negative.
    Number,
    /// A whole number.
    Integer,
    /// `true`, `1`, `false` or `0`.
    Switch,
    /// Any text.
    Text,
    /// One or more of these words, the name repeated for each.
    Choices(&'static [&'static str]),
    /// One or more whole numbers that are not negative, the name repeated for each.
    Numbers,
    /// One or more texts, the name repeated for each.
    Texts,
}
