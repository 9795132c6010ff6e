//! The Python script that migrates a database.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use spiderpig::spool::inbox::JobSignal;
use spiderpig::spool::outcome::Outcome;

use super::{Examples, script, text};
use crate::demo::{by_hand, repository};
use crate::support::wait_until;

/// How many users have the new form, as Python finds them.
fn migrated(database: &Path) -> u32 {
    let query = "import sqlite3, sys\n\
                 query = 'SELECT count(*) FROM user WHERE registered_on GLOB \"20??-??-??\"'\n\
                 print(sqlite3.connect(sys.argv[1]).execute(query).fetchone()[0])";
    let output = Command::new("python3").args(["-c", query]).arg(database).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

#[test]
fn it_looks_by_default_and_acts_if_it_is_told_to() {
    let examples = Examples::new();
    let staging = examples.path("databases/staging.sqlite");
    let id = examples.post("migrate", &json!({}));
    examples.ends_with(id, 0);
    assert_eq!(examples.spool.lines(id).last().unwrap(), "1000 rows would be migrated. Nothing was changed.");
    assert_eq!(migrated(&staging), 0);

    let id = examples.drop("migrate", &json!({ "dry_run": false, "batch_size": 300, "pause": 0 }));
    assert_eq!(examples.answer(id, 1, "y"), "1000 rows of staging will be migrated. Go on?");
    assert_eq!(examples.answer(id, 2, "s"), "A row has no date. What now?");
    examples.ends_with(id, 0);
    assert_eq!(migrated(&staging), 999);
    assert_eq!(examples.statuses(id)[..2], ["Counting", "Migrating staging"]);
    let steps = [300, 600, 900, 1000].map(|done| ("Rows".to_owned(), done, 1000));
    assert_eq!(examples.progress(id), steps);
    assert_eq!(examples.sensitive_lines(id), ["The row is that of user700@example.org."]);
    assert!(examples.spool.lines(id).contains(&"999 rows were migrated, 1 skipped.".to_owned()));
}

#[test]
fn production_is_asked_about_twice_and_can_be_undone() {
    let examples = Examples::new();
    let params = json!({ "target": "production", "dry_run": false, "pause": 0 });
    let id = examples.drop("migrate", &params);
    examples.answer(id, 1, "");
    assert_eq!(examples.ends_with(id, 1).outcome, Some(Outcome::CancelledAtPrompt));

    let id = examples.post("migrate", &params);
    examples.answer(id, 1, "y");
    examples.answer(id, 2, "prod");
    examples.answer(id, 3, "production");
    examples.answer(id, 4, "");
    assert_eq!(examples.ends_with(id, 1).outcome, Some(Outcome::RolledBack));
    assert_eq!(examples.spool.lines(id).last().unwrap(), "The migration was undone in 650 rows.");
    assert_eq!(migrated(&examples.path("databases/production.sqlite")), 0);
}

#[test]
fn an_interrupt_leaves_whole_batches() {
    let examples = Examples::new();
    let staging = examples.path("databases/staging.sqlite");
    let params = json!({ "dry_run": false, "pause": 60000, "batch_size": 300 });
    let id = examples.post("migrate", &params);
    examples.answer(id, 1, "y");
    wait_until("a batch is done", || !examples.progress(id).is_empty());
    examples.spool.signal(id, "carol", JobSignal::Interrupt);
    examples.ends_with(id, 130);
    assert_eq!(migrated(&staging), 300);
    let only = json!({ "only": "user5@example.org" });
    let id = examples.post("migrate", &only);
    examples.ends_with(id, 0);
    assert_eq!(examples.spool.lines(id).last().unwrap(), "0 rows would be migrated. Nothing was changed.");
}

#[test]
fn it_works_by_hand() {
    let directory = tempfile::tempdir().unwrap();
    let run = |input| {
        let mut command = script("python/migrate.py");
        command.args(["staging"]).env("MIGRATE_DIRECTORY", directory.path()).env("PYTHONDONTWRITEBYTECODE", "1");
        let output = by_hand(&mut command, input);
        (output.status.code(), text(&output))
    };
    let (code, text) = run("maybe\ny\ns\n");
    assert!(code == Some(0) && text.contains("Answer one of: y, n") && !text.contains("iokey"), "{text}");
    let (code, text) = run("y\n");
    assert_eq!(code, Some(1), "{text}");
    assert!(text.ends_with("Standard input ended before the question was answered.\n"), "{text}");
}

/// What the module prints is what `spiderpig-runner job` prints.
#[test]
fn the_module_speaks_as_the_helpers_do() {
    let program = "import spiderpig as s\n\
                   s.status('a')\ns.status(None)\ns.line('é', sensitive=True)\ns.progress('p', 1, 3)\n\
                   print(repr(s.ask('q?')), flush=True)\n\
                   print(s.choose('q?', {'Yes': 'y', 'No': 'n'}, 'n'), flush=True)";
    let python = Command::new("python3")
        .args(["-c", program])
        .env("PYTHONPATH", repository().join("examples/python"))
        .envs([("SPIDERPIG_IO_KEY", "0xkey"), ("PYTHONDONTWRITEBYTECODE", "1")])
        .stdin(std::fs::File::open(answers().path()).unwrap())
        .output()
        .unwrap();
    let shell = "exec 2>&1; job() { spiderpig-runner job \"$@\"; }; job status a; job status ''\n\
                 job line --sensitive é; job progress p 1 3; a=$(job ask 'q?'); echo \"'$a'\"\n\
                 job choose 'q?' --choice Yes=y --choice No=n --default n";
    let file = answers();
    let metadata = std::fs::metadata(file.path()).unwrap();
    let shell = Command::new("sh")
        .args(["-c", shell])
        .envs([("SPIDERPIG_IO_KEY", "0xkey"), ("PATH", &crate::demo::search_path())])
        // As if this file were the standard input of a job: no supervisor is there to be asked.
        .env("SPIDERPIG_STDIN", format!("{}:{}", metadata.dev(), metadata.ino()))
        .stdin(std::fs::File::open(file.path()).unwrap())
        .output()
        .unwrap();
    let parsed = |output: &[u8]| -> Vec<serde_json::Value> {
        let lines = std::str::from_utf8(output).unwrap().lines();
        lines.map(|line| serde_json::from_str(line).unwrap_or_else(|_| json!(line))).collect()
    };
    assert_eq!(parsed(&python.stdout), parsed(&shell.stdout), "{}", text(&python));
    assert_eq!(parsed(&python.stdout).last().unwrap(), "n");
}

/// Two answers, of which the second is empty.
fn answers() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "an answer\n\n").unwrap();
    file
}
