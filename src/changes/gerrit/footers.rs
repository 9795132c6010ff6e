//! `Depends-On:` in commit messages.

use super::Change;
use crate::config::GerritUrl;
use crate::outbound::cut;

/// A change that another one needs, as its commit message names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    /// By its number, or its address in the same Gerrit.
    Number(u32),
    /// By its Change-Id, which several changes may have.
    Id(String),
    /// By something else.
    Other(String),
}

/// Footers of one message that are followed.
const MOST_FOOTERS: usize = 20;

/// How much is told of what is no change of this Gerrit, in characters.
const MAX_OTHER: usize = 200;

impl Change {
    /// What its commit message says that it depends on.
    #[must_use]
    pub fn depends_on(&self, gerrit: &GerritUrl) -> Vec<Reference> {
        let mut references = Vec::new();
        for reference in self.message.lines().filter_map(footer).map(|value| Reference::parse(value, gerrit)) {
            if !references.contains(&reference) && references.len() < MOST_FOOTERS {
                references.push(reference);
            }
        }
        references
    }
}

fn footer(line: &str) -> Option<&str> {
    let (key, value) = line.split_once(':')?;
    let value = value.trim();
    (key.eq_ignore_ascii_case("depends-on") && !value.is_empty()).then_some(value)
}

impl Reference {
    fn parse(text: &str, gerrit: &GerritUrl) -> Self {
        let is_id = |id: &str| id.len() == 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        match gerrit.change_number(text) {
            Some(number) => Self::Number(number),
            None if text.strip_prefix('I').is_some_and(is_id) => Self::Id(text.to_owned()),
            None => Self::Other(cut(text, MAX_OTHER).into_owned()),
        }
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(formatter, "{number}"),
            Self::Id(text) | Self::Other(text) => formatter.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{change, gerrit_url};

    #[test]
    fn every_form_of_a_footer_is_understood() {
        let id = "I0123456789abcdef0123456789abcdef01234567";
        let message = format!(
            "Subject\n\nDepends-On: {id}\ndepends-on:https://gerrit.test/r/c/a/b/+/7/2  \nDepends-On: 8\nDepends-On: \n\
             Depends-On: https://example.org/pull/9\nDepends-On: {id}\nIt Depends-On: 10\nChange-Id: I11\n"
        );
        let references = [
            Reference::Id(id.to_owned()),
            Reference::Number(7),
            Reference::Number(8),
            Reference::Other("https://example.org/pull/9".to_owned()),
        ];
        assert_eq!(Change { message, ..change(1) }.depends_on(&gerrit_url()), references);
        let long = Change { message: format!("Depends-On: {}", "x".repeat(1 << 16)), ..change(1) };
        assert!(long.depends_on(&gerrit_url())[0].to_string().len() < 2 * MAX_OTHER);
    }
}
