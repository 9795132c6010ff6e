//! Looking up the changes that somebody typed.

use std::collections::BTreeSet;
use std::collections::HashMap;

use futures_util::future::join_all;

use super::{Change, Gerrit, GerritError};

/// Changes that are looked up at once.
pub const MOST_CHANGES: usize = 50;

/// What is said where changes would be looked up.
pub const NO_GERRIT: &str = "No Gerrit is configured, so changes are not looked up";

/// A change that somebody typed, and what Gerrit said of it.
#[derive(Debug)]
pub struct Lookup {
    /// A number or an address, as it was typed.
    pub input: String,
    /// The change.
    pub found: Result<Change, Missing>,
}

/// Why there is no change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// Neither a number nor an address of this Gerrit.
    #[error("This must be the number of a Gerrit change or its address at {0}")]
    Invalid(crate::config::GerritUrl),
    /// Gerrit has none with this number, or shows it only to some.
    #[error("Gerrit does not know a change {0}, or does not show it to everybody")]
    Unknown(u32),
    /// Gerrit does not say.
    #[error(transparent)]
    Unanswered(#[from] GerritError),
}

/// Looks up what was typed, all at once; each number is asked for once.
pub async fn look_up(gerrit: &Gerrit, inputs: impl IntoIterator<Item = String>) -> Vec<Lookup> {
    let inputs: Vec<(String, Option<u32>)> = inputs
        .into_iter()
        .map(|input| {
            let number = gerrit.url.change_number(&input);
            (input, number)
        })
        .collect();
    let numbers: BTreeSet<u32> = inputs.iter().filter_map(|(_, number)| *number).collect();
    let ask = |number| async move { (number, gerrit.change(number).await) };
    let answers: HashMap<u32, _> = join_all(numbers.into_iter().map(ask)).await.into_iter().collect();
    let found = |number: Option<u32>| {
        let number = number.ok_or_else(|| Missing::Invalid(gerrit.url.clone()))?;
        let answer = answers.get(&number).cloned().unwrap_or(Ok(None))?;
        answer.ok_or(Missing::Unknown(number))
    };
    inputs.into_iter().map(|(input, number)| Lookup { input, found: found(number) }).collect()
}
