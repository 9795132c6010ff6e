//! What the chosen changes depend on: by `Depends-On` in their commit messages, and by their parents in Git.
//!
//! It is followed in steps, each of which asks Gerrit at once for all that comes next. What is merged or abandoned is not
//! followed further, and neither are more steps than anybody would deploy.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use super::finding::{Finding, Findings};
use crate::changes::gerrit::{Change, Gerrit, Reference, Status};
use crate::config::GerritUrl;

/// How many steps are followed.
const MOST_STEPS: usize = 10;

/// How many references are looked up in all.
const MOST_REFERENCES: usize = 100;

/// Changes, and what they need.
#[derive(Debug, Default)]
pub struct Chain {
    changes: BTreeMap<u32, Change>,
    needs: BTreeMap<u32, Vec<Need>>,
    /// Changes whose needs were not followed any more.
    cut: BTreeSet<u32>,
}

/// Something that a change needs.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Need {
    /// A change of the chain.
    Change(u32),
    /// Something of which nothing is known, in words that follow "Change 1".
    Unknown(String),
}

/// What a change says that it needs.
#[derive(Debug)]
struct Wants {
    change: u32,
    references: Vec<Reference>,
    /// Why its parents in Git are not among them.
    problem: Option<String>,
}

/// The changes that a reference means, or why they are not known, in words that follow the reference.
type Meaning = Result<Vec<u32>, String>;

impl Chain {
    /// Follows what these changes depend on.
    pub async fn follow(gerrit: &Gerrit, chosen: &[&Change]) -> Self {
        let changes = chosen.iter().map(|change| (change.number, (*change).clone())).collect();
        let mut chain = Self { changes, ..Self::default() };
        let mut wants = join_all(chosen.iter().map(|change| Wants::of_chosen(change, gerrit))).await;
        let mut known: BTreeMap<Reference, Meaning> = BTreeMap::new();
        for _ in 0..MOST_STEPS {
            let references = wants.iter().flat_map(|wants| &wants.references);
            let new: BTreeSet<Reference> = references.filter(|new| !known.contains_key(new)).cloned().collect();
            if wants.is_empty() || known.len() + new.len() > MOST_REFERENCES {
                break;
            }
            let answers = join_all(new.iter().map(|reference| chain.resolve(reference, gerrit))).await;
            let mut next = Vec::new();
            for (reference, answer) in new.into_iter().zip(answers) {
                let mut add = |change: Change| {
                    let number = change.number;
                    if let Entry::Vacant(place) = chain.changes.entry(number) {
                        next.extend((change.status == Status::New).then(|| Wants::of(&change, gerrit)));
                        place.insert(change);
                    }
                    number
                };
                known.insert(reference, answer.map(|changes| changes.into_iter().map(&mut add).collect()));
            }
            for wants in wants {
                chain.note(wants, &known);
            }
            wants = next;
        }
        chain.cut = wants.into_iter().filter(|left| !left.references.is_empty()).map(|left| left.change).collect();
        chain
    }

    async fn resolve(&self, reference: &Reference, gerrit: &Gerrit) -> Result<Vec<Change>, String> {
        let found = match reference {
            Reference::Number(number) => match self.changes.get(number) {
                Some(change) => Ok(vec![change.clone()]),
                None => gerrit.change(*number).await.map(|change| change.into_iter().collect()),
            },
            Reference::Id(id) => gerrit.changes_with_id(id).await,
            Reference::Other(_) => return Err("which is not in this Gerrit".to_owned()),
        };
        match found {
            Ok(changes) if changes.is_empty() => {
                Err("which Gerrit does not know, or does not show to everybody".to_owned())
            }
            Ok(changes) => Ok(changes),
            Err(error) => Err(format!("but {error}")),
        }
    }

    fn note(&mut self, wants: Wants, known: &BTreeMap<Reference, Meaning>) {
        let mut needs: Vec<Need> = wants.problem.map(Need::Unknown).into_iter().collect();
        for reference in &wants.references {
            match known.get(reference) {
                Some(Ok(numbers)) => {
                    needs.extend(self.on_the_branch_of(wants.change, numbers).into_iter().map(Need::Change));
                }
                Some(Err(why)) => needs.push(Need::Unknown(format!("depends on {reference}, {why}"))),
                None => {}
            }
        }
        self.needs.insert(wants.change, needs);
    }

    /// Of changes with the same Change-Id those that are for the branch of the dependent one; all, if none is.
    fn on_the_branch_of(&self, dependent: u32, numbers: &[u32]) -> Vec<u32> {
        let branch = |number: &u32| self.changes.get(number).map(|change| change.branch.as_str());
        let same: Vec<u32> = numbers.iter().copied().filter(|number| branch(number) == branch(&dependent)).collect();
        if same.is_empty() { numbers.to_vec() } else { same }
    }

    /// What is found of a chosen change for what it depends on. Of what another chosen one depends on that one tells.
    pub fn judge(&self, number: u32, chosen: &BTreeSet<u32>, gerrit: &GerritUrl) -> Findings {
        let mut findings = Findings::default();
        self.walk(&mut Walk { chosen, gerrit, path: vec![number], seen: BTreeSet::new(), findings: &mut findings });
        if let Some(circle) = self.circle(&mut vec![number], &mut BTreeSet::new()) {
            let names: Vec<String> = circle.iter().map(ToString::to_string).collect();
            let message = format!("Change {number} leads into a circle of dependencies: {}", names.join(" → "));
            findings.blockers.push(Finding::new("dependency_cycle", message));
        }
        findings
    }

    fn walk(&self, walk: &mut Walk) {
        let Some(&at) = walk.path.last() else { return };
        if self.cut.contains(&at) {
            let message = format!(
                "Change {} depends on a long chain of changes: what {at} depends on was not looked at",
                walk.root()
            );
            walk.findings.warnings.push(Finding::new("chain_long", message));
        }
        for need in self.needs.get(&at).into_iter().flatten() {
            match need {
                Need::Unknown(words) => {
                    let message = format!("Change {at} {words}");
                    walk.findings.warnings.push(Finding::new("dependency_unknown", message));
                }
                Need::Change(number) if walk.chosen.contains(number) || !walk.seen.insert(*number) => {}
                Need::Change(number) => {
                    let Some(change) = self.changes.get(number) else { continue };
                    walk.judge(change);
                    walk.path.push(*number);
                    self.walk(walk);
                    walk.path.pop();
                }
            }
        }
    }

    /// A way from the end of `path` that comes back to itself, without the way to it.
    fn circle(&self, path: &mut Vec<u32>, done: &mut BTreeSet<u32>) -> Option<Vec<u32>> {
        let at = *path.last()?;
        for need in self.needs.get(&at).into_iter().flatten() {
            let Need::Change(number) = need else { continue };
            if let Some(start) = path.iter().position(|earlier| earlier == number) {
                return Some(path[start..].iter().chain([number]).copied().collect());
            }
            if done.insert(*number) {
                path.push(*number);
                let circle = self.circle(path, done);
                path.pop();
                if circle.is_some() {
                    return circle;
                }
            }
        }
        None
    }
}

/// A walk from one chosen change along what it depends on.
struct Walk<'a> {
    chosen: &'a BTreeSet<u32>,
    gerrit: &'a GerritUrl,
    /// From the chosen one to the one that is looked at.
    path: Vec<u32>,
    seen: BTreeSet<u32>,
    findings: &'a mut Findings,
}

impl Walk<'_> {
    fn root(&self) -> u32 {
        self.path.first().copied().unwrap_or_default()
    }

    /// Judges a change that the last one of the path depends on.
    fn judge(&mut self, change: &Change) {
        let (code, state) = match change.status {
            Status::Merged => return,
            Status::Abandoned => ("dependency_abandoned", "which is abandoned"),
            Status::New => ("dependency_open", "which is not merged and not chosen"),
        };
        let way: Vec<String> = self.path.iter().skip(1).map(ToString::to_string).collect();
        let way = if way.is_empty() { String::new() } else { format!(" by way of {}", way.join(", ")) };
        let message = format!("Change {} depends on {}{way}, {state}: {}", self.root(), change.number, change.subject);
        self.findings.blockers.push(Finding::new(code, message).about(change, self.gerrit));
    }
}

impl Wants {
    fn of(change: &Change, gerrit: &Gerrit) -> Self {
        Self { change: change.number, references: change.depends_on(&gerrit.url), problem: None }
    }

    /// The parents of the others are not asked for: that they are open is bad enough.
    async fn of_chosen(change: &Change, gerrit: &Gerrit) -> Self {
        let mut wants = Self::of(change, gerrit);
        match change.status {
            Status::Abandoned => wants.references.clear(),
            Status::Merged => {}
            Status::New => match gerrit.ancestors(change).await {
                Ok(ancestors) => {
                    let parents = ancestors.into_iter().map(Reference::Number);
                    wants.references.extend(parents.take(MOST_REFERENCES));
                }
                Err(error) => wants.problem = Some(format!("may stand on others that are not merged, but {error}")),
            },
        }
        wants
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{change, gerrit_url};

    /// `1 > 2 3` is change 1, which needs 2 and 3; `2!` is one that is merged, `3?` one that is abandoned.
    fn chain(text: &str) -> Chain {
        let mut chain = Chain::default();
        for line in text.split(';') {
            let (name, needs) = line.split_once('>').unwrap_or((line, ""));
            let status = match name.trim().trim_start_matches(|symbol: char| symbol.is_ascii_digit()) {
                "!" => Status::Merged,
                "?" => Status::Abandoned,
                _ => Status::New,
            };
            let number = name.trim().trim_end_matches(['!', '?']).parse().unwrap();
            chain.changes.insert(number, Change { status, ..change(number) });
            let needs = needs.split_whitespace().map(|need| match need.parse() {
                Ok(number) => Need::Change(number),
                Err(_) => Need::Unknown(format!("depends on {need}")),
            });
            chain.needs.insert(number, needs.collect());
        }
        chain
    }

    /// The findings about change 1, in few words.
    fn found(chain: &Chain, chosen: &[u32]) -> Vec<String> {
        let Findings { blockers, warnings } = chain.judge(1, &chosen.iter().copied().collect(), &gerrit_url());
        let words = |finding: Finding| {
            finding.change.map_or(finding.code.to_owned(), |change| format!("{} {change}", finding.code))
        };
        blockers.into_iter().chain(warnings).map(words).collect()
    }

    #[test]
    fn what_is_open_is_missed_unless_it_is_chosen_or_merged() {
        let chain = chain("1 > 2 3 4; 2 > 5; 3!; 4? > 6; 5; 6");
        let expected = ["dependency_open 2", "dependency_open 5", "dependency_abandoned 4", "dependency_open 6"];
        assert_eq!(found(&chain, &[1]), expected);
        assert_eq!(found(&chain, &[1, 2]), ["dependency_abandoned 4", "dependency_open 6"], "2 tells of 5");
        let message = &chain.judge(1, &[1].into(), &gerrit_url()).blockers[1].message;
        assert_eq!(message, "Change 1 depends on 5 by way of 2, which is not merged and not chosen: Subject 5");
    }

    #[test]
    fn each_dependency_is_told_once() {
        assert_eq!(found(&chain("1 > 2 3 2; 2 > 4; 3 > 4; 4"), &[1]).len(), 3);
    }

    #[test]
    fn a_circle_is_found_wherever_it_begins_and_whatever_is_chosen() {
        for (text, circle) in [
            ("1 > 2; 2 > 1", "1 → 2 → 1"),
            ("1 > 1", "1 → 1"),
            ("1 > 2; 2 > 3; 3 > 4; 4 > 2", "2 → 3 → 4 → 2"),
            ("1 > 5 2; 5; 2 > 5 3; 3 > 2", "2 → 3 → 2"),
        ] {
            for chosen in [&[1][..], &[1, 2, 3, 4]] {
                let blockers = chain(text).judge(1, &chosen.iter().copied().collect(), &gerrit_url()).blockers;
                let cycle = blockers.iter().find(|finding| finding.code == "dependency_cycle").unwrap();
                assert!(cycle.message.ends_with(&format!(": {circle}")), "{}", cycle.message);
            }
        }
        let diamond = found(&chain("1 > 2 3; 2 > 4; 3 > 4; 4"), &[1, 2, 3, 4]);
        assert_eq!(diamond, [""; 0], "two ways to one change are no circle");
    }

    #[test]
    fn what_is_not_known_is_told() {
        let mut chain = chain("1 > what 2; 2 > which; 3");
        assert_eq!(found(&chain, &[1]), ["dependency_open 2", "dependency_unknown", "dependency_unknown"]);
        chain.cut.insert(2);
        assert_eq!(found(&chain, &[1])[2..], ["chain_long", "dependency_unknown"]);
    }

    #[test]
    fn of_several_changes_with_one_id_the_one_on_the_same_branch_counts() {
        let mut chain = chain("1; 2; 3");
        for (number, branch) in [(1, "wmf/1"), (2, "master"), (3, "wmf/1")] {
            chain.changes.get_mut(&number).unwrap().branch = branch.to_owned();
        }
        assert_eq!(chain.on_the_branch_of(1, &[2, 3]), [3]);
        assert_eq!(chain.on_the_branch_of(1, &[2]), [2], "else any");
    }
}
