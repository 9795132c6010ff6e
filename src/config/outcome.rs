//! `outcomes` of a job type: the rules that determine the outcome of a job.

mod scap;

use std::path::Path;

use regex::Regex;

use super::error::Fault;
use super::names::{quoted, suggestion};
use super::node::{Node, Section};
use super::units;
use crate::spool::outcome::{Outcome, OutcomeRule};

const KEYS: &[&str] = &["outcome", "prompt", "answer", "status", "exit"];

/// The outcomes that a rule may give. The others need no rules.
const OUTCOMES: [Outcome; 4] = [Outcome::Succeeded, Outcome::CancelledAtPrompt, Outcome::RolledBack, Outcome::Failed];

/// The word for the built-in rules, which is also the name of their program.
const SCAP: &str = "scap";

/// Reads the rules in the order of the file. The built-in rules take the place of their word.
pub(super) fn rules(node: &Node) -> Result<Vec<OutcomeRule>, Fault> {
    let mut rules = Vec::new();
    for entry in node.items()? {
        if entry.is_table() {
            rules.push(rule(&entry)?);
        } else {
            let expected = "\"scap\", or a table such as { outcome = \"rolled_back\", exit = 3 }";
            match entry.text(expected)? {
                SCAP => rules.extend(scap::rules()),
                _ => return Err(entry.fault(format!("must be {expected}"))),
            }
        }
    }
    Ok(rules)
}

/// The rules of a job type without `outcomes` in the file.
pub(super) fn default_rules(program: &str) -> Vec<OutcomeRule> {
    let is_scap = Path::new(program).file_name().is_some_and(|name| name == SCAP);
    if is_scap { scap::rules() } else { Vec::new() }
}

fn rule(node: &Node) -> Result<OutcomeRule, Fault> {
    let section = node.section(KEYS)?;
    let expected = || format!("such as \"{}\"", Outcome::RolledBack.word());
    let rule = OutcomeRule {
        outcome: section
            .read("outcome", outcome)?
            .ok_or_else(|| section.fault(&format!("has no `outcome`, {}", expected())))?,
        prompt: section.read("prompt", pattern)?,
        answer: section.read("answer", pattern)?,
        status: section.read("status", pattern)?,
        exit: section.read("exit", exit_statuses)?,
    };
    refuse_without_condition(&section, &rule)?;
    Ok(rule)
}

fn refuse_without_condition(section: &Section, rule: &OutcomeRule) -> Result<(), Fault> {
    let patterns = [&rule.prompt, &rule.answer, &rule.status];
    if rule.exit.is_none() && patterns.into_iter().all(Option::is_none) {
        return Err(section.fault("would apply to every job; add `prompt`, `answer`, `status` or `exit`"));
    }
    Ok(())
}

fn outcome(node: &Node) -> Result<Outcome, Fault> {
    let word = node.text("a string")?;
    let words = OUTCOMES.map(Outcome::word);
    let known = OUTCOMES.into_iter().find(|outcome| outcome.word() == word);
    known.ok_or_else(|| node.fault(format!("cannot be {}; {}", quoted(word), suggestion(word, words))))
}

fn pattern(node: &Node) -> Result<String, Fault> {
    if node.text("a regular expression")?.is_empty() {
        return Err(node.fault("must not be empty: it would fit everything; leave it out"));
    }
    units::regular_expression(node, |source| Regex::new(source).map(|_| source.to_owned()))
}

fn exit_statuses(node: &Node) -> Result<Vec<i32>, Fault> {
    let status = |node: &Node| {
        let number = i32::try_from(node.integer()?).ok().filter(|status| (0..=255).contains(status));
        number.ok_or_else(|| node.fault("must be an exit status, from 0 to 255"))
    };
    if !node.is_list() {
        return Ok(vec![status(node)?]);
    }
    let statuses: Vec<i32> = node.items()?.iter().map(status).collect::<Result<_, _>>()?;
    if statuses.is_empty() { Err(node.fault("must have at least one exit status")) } else { Ok(statuses) }
}
