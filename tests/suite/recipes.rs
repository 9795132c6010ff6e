//! The recipes of `spool-layout.md`, each as it stands there, on a spool with a runner.

use std::fmt::Display;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::json;
use spiderpig::spool::queue::{self, NewJob};
use spiderpig::spool::status::State;
use spiderpig::spool::{JobId, history};

use crate::support::{ASK, Daemon, TestSpool, wait_for, wait_until};

mod acting;
mod finding;

const LAYOUT: &str = include_str!("../../spool-layout.md");

/// The recipes: heading and text of every block of shell.
fn recipes() -> Vec<(&'static str, String)> {
    let mut recipes = Vec::new();
    let (mut heading, mut inside) = ("", false);
    for line in LAYOUT.lines() {
        match line {
            "```sh" => {
                recipes.push((heading, String::new()));
                inside = true;
            }
            "```" => inside = false,
            _ if inside => {
                let (_, text) = recipes.last_mut().unwrap();
                text.push_str(line);
                text.push('\n');
            }
            _ => heading = line.strip_prefix("### ").unwrap_or(heading),
        }
    }
    recipes
}

/// A recipe on its way to the shell.
struct Recipe<'a> {
    spool: &'a TestSpool,
    command: Command,
}

/// Finds a recipe by its heading.
fn recipe<'a>(spool: &'a TestSpool, heading: &str) -> Recipe<'a> {
    let (_, text) = recipes().into_iter().find(|(name, _)| *name == heading).unwrap();
    let mut command = Command::new("sh");
    command.arg("-euc").arg(text).current_dir("/");
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("LANG", "C.UTF-8");
    command.env("SPOOL", spool.root());
    Recipe { spool, command }
}

impl Recipe<'_> {
    /// Sets a variable.
    fn set(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.command.env(name, value.to_string());
        self
    }

    fn output(&mut self) -> Output {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap()
    }

    /// What it prints. It must succeed, without a complaint.
    #[track_caller]
    fn prints(&mut self) -> String {
        let output = self.output();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What it prints and what it complains of. It must fail with this status.
    #[track_caller]
    fn fails(&mut self, status: i32) -> (String, String) {
        let output = self.output();
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    /// Starts it; what it prints is in the log of what is returned.
    fn start(&mut self) -> Daemon {
        self.spool.daemon(&mut self.command, "recipe.log")
    }
}

/// Waits until a recipe that was started has ended, and gives what it printed.
#[track_caller]
fn wait_end(mut started: Daemon) -> String {
    let status = wait_for("the recipe ends", || started.child.try_wait().unwrap());
    assert!(status.success(), "{status}: {}", started.log());
    started.log()
}

/// A job that is at its first prompt.
fn asking(spool: &TestSpool) -> JobId {
    let id = spool.submit_script(&format!("{ASK} ask go"));
    spool.wait_prompt(id, 1);
    id
}

/// A job of another user than the usual one.
fn submit_as(spool: &TestSpool, user: &str, script: &str) -> JobId {
    let serde_json::Value::Object(params) = json!({ "script": script }) else { unreachable!() };
    let new = NewJob { job_type: "sh".into(), params, user: user.into(), ..NewJob::default() };
    queue::submit(&spool.spool(), new).unwrap().id
}

/// Shell code that waits for a file.
fn wait_for_file(path: &Path) -> String {
    format!("until [ -e {} ]; do sleep 0.02; done", path.display())
}

fn is_queued(spool: &TestSpool, id: JobId) -> bool {
    spool.root().join(format!("queue/{id}.json")).exists()
}

#[test]
fn every_recipe_is_run_by_one_test() {
    let sources = [include_str!("recipes/acting.rs"), include_str!("recipes/finding.rs")].concat();
    let recipes = recipes();
    assert!(!recipes.is_empty());
    for (heading, _) in &recipes {
        assert_eq!(recipes.iter().filter(|(other, _)| other == heading).count(), 1, "{heading} is there once");
        let tests = sources.matches(&format!("recipe(&spool, \"{heading}\")")).count();
        assert_eq!(tests, 1, "`{heading}` is run by one test");
    }
    assert_eq!(sources.matches("recipe(&spool, ").count(), recipes.len());
}
