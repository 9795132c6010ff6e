//! The report on the chosen changes: what is found of each, and whether they can be deployed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;

use super::chain::Chain;
use super::finding::{Finding, Findings};
use super::in_job;
use super::state::{Mergeable, judge};
use crate::changes::gerrit::{Change, Gerrit, Lookup, Missing, NO_GERRIT, Shown, Status};
use crate::config::Config;
use crate::mirror::Mirror;

/// How long Gerrit may take in all for what is asked beside the changes themselves.
const PATIENCE: Duration = Duration::from_secs(15);

/// What is found of the chosen changes.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    /// There are at most warnings, and Gerrit, if there is one, answered.
    ready: bool,
    /// Why Gerrit did not answer, in words.
    problem: Option<String>,
    /// In the order in which they were chosen.
    changes: Vec<Examined<'a>>,
}

/// A chosen change, and what was found of it.
#[derive(Debug, Serialize)]
struct Examined<'a> {
    input: &'a str,
    change: Option<Shown<'a>>,
    #[serde(flatten)]
    findings: Findings,
}

/// What Gerrit said of the chosen changes beside what they are.
#[derive(Debug, Default)]
struct Details {
    mergeable: BTreeMap<u32, Mergeable>,
    chain: Chain,
}

/// Examines changes that were looked up: what Gerrit says of them, and in which jobs of the mirror they are.
pub async fn examine<'a>(gerrit: &Gerrit, mirror: &Mirror, config: &Config, lookups: &'a [Lookup]) -> Report<'a> {
    let changes: BTreeMap<u32, &Change> =
        lookups.iter().filter_map(|lookup| lookup.found.as_ref().ok()).map(|change| (change.number, change)).collect();
    let found: Vec<&Change> = changes.values().copied().collect();
    let numbers: BTreeSet<u32> = changes.keys().copied().collect();
    let mut problem = lookups.iter().find_map(|lookup| match &lookup.found {
        Err(Missing::Unanswered(error)) => Some(error.to_string()),
        _ => None,
    });
    let details = tokio::time::timeout(PATIENCE, ask(gerrit, &found)).await.unwrap_or_else(|_| {
        let slow = format!("Gerrit at {} is slow: it was not waited for beyond {} s", gerrit.url, PATIENCE.as_secs());
        problem.get_or_insert(slow);
        Details::default()
    });
    let in_jobs = in_job::all(&mirror.view(), config, gerrit);
    let mut seen = BTreeSet::new();
    let examined = lookups.iter().map(|lookup| {
        let (change, findings) = match &lookup.found {
            Ok(change) if !seen.insert(change.number) => {
                let twice = Finding::new("twice", format!("Change {} is chosen more than once", change.number));
                (Some(change), Findings { blockers: vec![twice.about(change, &gerrit.url)], warnings: Vec::new() })
            }
            Ok(change) => {
                let mergeable = details.mergeable.get(&change.number).unwrap_or(&None);
                let mut findings = judge(change, mergeable, &config.gerrit);
                findings.blockers.extend(in_jobs.get(&change.number).map(|job| job.finding(change.number)));
                for finding in findings.blockers.iter_mut().chain(&mut findings.warnings) {
                    *finding = finding.clone().about(change, &gerrit.url);
                }
                findings.extend(details.chain.judge(change.number, &numbers, &gerrit.url));
                (Some(change), findings)
            }
            Err(missing) => (None, judge_missing(missing)),
        };
        Examined { input: &lookup.input, change: change.map(|change| change.shown(&gerrit.url)), findings }
    });
    let examined: Vec<Examined> = examined.collect();
    let is_free = examined.iter().all(|examined| examined.findings.blockers.is_empty());
    Report { ready: is_free && problem.is_none(), problem, changes: examined }
}

/// A problem of Gerrit itself is told once, for the whole report.
fn judge_missing(missing: &Missing) -> Findings {
    let code = match missing {
        Missing::Invalid(_) => "invalid",
        Missing::Unknown(_) => "unknown",
        Missing::Unanswered(_) => return Findings::default(),
    };
    Findings { blockers: vec![Finding::new(code, missing.to_string())], warnings: Vec::new() }
}

async fn ask(gerrit: &Gerrit, changes: &[&Change]) -> Details {
    let open = changes.iter().filter(|change| change.status == Status::New);
    let mergeable = open.map(|change| async { (change.number, Some(gerrit.is_mergeable(change.number).await)) });
    let (mergeable, chain) = tokio::join!(join_all(mergeable), Chain::follow(gerrit, changes));
    Details { mergeable: mergeable.into_iter().collect(), chain }
}

impl<'a> Report<'a> {
    /// Where there is no Gerrit to be asked. What is started there needs no "anyway" either.
    #[must_use]
    pub fn without_gerrit(inputs: &'a [String]) -> Self {
        let changes = inputs.iter().map(|input| Examined { input, change: None, findings: Findings::default() });
        Self { ready: true, problem: Some(NO_GERRIT.into()), changes: changes.collect() }
    }

    /// What speaks against a start, in words.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let blockers = self.changes.iter().flat_map(|examined| &examined.findings.blockers);
        self.problem.iter().chain(blockers.map(|finding| &finding.message)).cloned().collect()
    }
}
