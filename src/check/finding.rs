//! A finding, and the list of findings.

use std::collections::BTreeMap;
use std::fmt;

/// How many findings with the same problem are listed one by one. A spool copied by the wrong account has the same one
/// hundreds of thousands of times.
const MOST: usize = 10;

/// One thing that is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The path, the key of the configuration or the setting of the kernel that it is about. Safe to print.
    pub subject: String,
    /// What is wrong.
    pub problem: String,
    /// How to fix it: a shell command if there is one, else a sentence.
    pub fix: String,
}

impl Finding {
    pub(super) fn new(subject: impl Into<String>, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { subject: subject.into(), problem: problem.into(), fix: fix.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, problem, fix } = self;
        write!(formatter, "{subject}: {problem}\n  fix: {fix}")
    }
}

/// Collects findings.
#[derive(Debug, Default)]
pub(super) struct Findings {
    listed: Vec<Finding>,
    /// Problem → how often it was found.
    counts: BTreeMap<String, usize>,
}

impl Findings {
    pub(super) fn add(&mut self, finding: Finding) {
        let count = self.counts.entry(finding.problem.clone()).or_default();
        *count += 1;
        if *count <= MOST {
            self.listed.push(finding);
        }
    }

    pub(super) fn into_vec(self) -> Vec<Finding> {
        let mut listed = self.listed;
        for (problem, count) in self.counts.into_iter().filter(|(_, count)| *count > MOST) {
            let more = count - MOST;
            listed.push(Finding::new(
                format!("{more} more like this"),
                problem,
                "fix them in the same way as the ones above, then check again",
            ));
        }
        listed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_problem_is_counted_after_the_tenth() {
        let mut findings = Findings::default();
        for number in 0..25 {
            findings.add(Finding::new(format!("/spool/{number}"), "is green", "paint it"));
        }
        findings.add(Finding::new("/spool", "is red", "paint it"));
        let texts: Vec<String> = findings.into_vec().iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), 12);
        assert_eq!(texts[10], "/spool: is red\n  fix: paint it");
        assert!(texts[11].starts_with("15 more like this: is green\n  fix: "), "{}", texts[11]);
    }
}
