//! The Gerrit that changes come from, asked without signing in.
//!
//! Every question has a time limit. The handler that needs the answer asks it, before anything is locked, so a slow Gerrit
//! delays nobody else.
//!
//! | question | file |
//! |---|---|
//! | How is Gerrit asked? | this one |
//! | What did somebody type, and which changes are that? | [`lookup`] |
//! | What is a change? | [`change`]; [`answer`] reads it, [`footers`] has what it depends on |
//! | What is stored of it with a job? | [`data`], with the links that [`links`] finds |

mod answer;
mod change;
mod data;
mod footers;
mod links;
mod lookup;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::de::DeserializeOwned;

pub use self::change::{Change, Shown, Status};
pub use self::data::change_infos;
pub use self::footers::Reference;
pub use self::lookup::{Lookup, MOST_CHANGES, Missing, NO_GERRIT, look_up};

use self::answer::{Mergeable, Related};
use crate::config::{GerritConfig, GerritUrl};
use crate::outbound::{Outbound, OutboundError};

/// The parts of a change that Gerrit is asked for.
const OPTIONS: &str = "o=CURRENT_REVISION&o=CURRENT_COMMIT&o=DETAILED_LABELS&o=DETAILED_ACCOUNTS";

/// How many changes may have the same Change-Id: a change has one for each branch that it was picked to.
const MOST_PICKS: usize = 20;

/// A Gerrit.
#[derive(Debug)]
pub struct Gerrit {
    /// Where it is.
    pub url: GerritUrl,
    service: Outbound,
}

/// Why Gerrit did not say what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Gerrit at {url} {problem}")]
pub struct GerritError {
    url: GerritUrl,
    problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    NoAnswer(#[from] OutboundError),
    #[error("sent no JSON: {0}")]
    NoJson(String),
    #[error("sent JSON that is not understood: {0}")]
    OtherJson(String),
}

impl Gerrit {
    /// The Gerrit of a configuration, if it has one. Each question is waited for so long.
    #[must_use]
    pub fn of(config: &GerritConfig, time_limit: Duration) -> Option<Self> {
        Some(Self { url: config.url.clone()?, service: Outbound::new(time_limit, "application/json") })
    }

    /// A change; `None` if there is none with this number that everybody may see.
    ///
    /// # Errors
    /// Gerrit does not say.
    pub async fn change(&self, number: u32) -> Result<Option<Change>, GerritError> {
        let found: Vec<Change> = self.ask(&format!("changes/?q=change:{number}&n=1&{OPTIONS}")).await?;
        Ok(found.into_iter().find(|change| change.number == number))
    }

    /// The changes with a Change-Id that everybody may see.
    ///
    /// # Errors
    /// Gerrit does not say.
    pub async fn changes_with_id(&self, id: &str) -> Result<Vec<Change>, GerritError> {
        self.ask(&format!("changes/?q=change:{id}&n={MOST_PICKS}&{OPTIONS}")).await
    }

    /// Whether an open change could be merged into its branch as it is.
    ///
    /// # Errors
    /// Gerrit does not say.
    pub async fn is_mergeable(&self, number: u32) -> Result<bool, GerritError> {
        let answer: Mergeable = self.ask(&format!("changes/{number}/revisions/current/mergeable")).await?;
        Ok(answer.mergeable)
    }

    /// The numbers of the changes that a change stands on in Git, as far as they are not merged.
    ///
    /// # Errors
    /// Gerrit does not say.
    pub async fn ancestors(&self, change: &Change) -> Result<Vec<u32>, GerritError> {
        let related: Related = self.ask(&format!("changes/{}/revisions/current/related", change.number)).await?;
        Ok(related.ancestors(&change.revision))
    }

    /// # Errors
    /// Gerrit does not say.
    async fn ask<T: DeserializeOwned>(&self, question: &str) -> Result<T, GerritError> {
        let answer = self.service.get(&format!("{}{question}", self.url)).await;
        let answer = answer.map_err(Problem::from).and_then(|bytes| answer::parse(&bytes));
        answer.map_err(|problem| {
            let error = GerritError { url: self.url.clone(), problem };
            tracing::warn!(question, "{error}");
            error
        })
    }
}
