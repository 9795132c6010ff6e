//! What is found of a change before it is deployed.

use serde::Serialize;

use crate::changes::gerrit::Change;
use crate::config::GerritUrl;
use crate::spool::JobId;

/// Something that speaks against deploying a change now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is, for programs.
    pub code: &'static str,
    /// What it is, for people: a sentence that names the change.
    pub message: String,
    /// The change that it is about.
    pub change: Option<u32>,
    /// Where that change is in Gerrit.
    pub url: Option<String>,
    /// The job that it is about.
    pub job: Option<JobId>,
}

/// What is found of one change.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// With these it cannot be deployed, or should not.
    pub blockers: Vec<Finding>,
    /// These are worth a thought.
    pub warnings: Vec<Finding>,
}

impl Finding {
    /// About no change that is known.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), change: None, url: None, job: None }
    }

    /// About a change.
    #[must_use]
    pub fn about(self, change: &Change, gerrit: &GerritUrl) -> Self {
        Self { change: Some(change.number), url: Some(change.url(gerrit)), ..self }
    }
}

impl Findings {
    /// Adds others behind these.
    pub fn extend(&mut self, others: Self) {
        self.blockers.extend(others.blockers);
        self.warnings.extend(others.warnings);
    }
}
