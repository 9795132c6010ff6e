//! A spool for jobs that do everything wrong. When it goes, it looks for the keys of all its jobs in all its files.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;
use spiderpig::spool::JobId;
use spiderpig::spool::log::{Line, RecordKind};

use crate::support::{Daemon, TestSpool, wait_until};

/// What every shell script can call: `ask TEXT` opens a yes/no prompt and prints the answer, `gate NAME` waits until the
/// test opens it, `message TYPE MEMBERS` prints a message with the key at its end, as scap does.
const SHELL: &str = r#"
message() { printf '{"type":"%s",%s,"iokey":"%s"}\n' "$1" "$2" "$SPIDERPIG_IO_KEY"; }
show() { message interaction '"subtype":"choices","prompt":"'"$1"'","choices":{"Yes":"y","No":"n"},"default":null'; }
ask() { show "$1"; read -r reply || exit 9; echo "got:$reply"; }
gate() { until [ -e "$HERE/$1" ]; do sleep 0.01; done; }
"#;

/// The same in Python, where `put` writes bytes with one system call.
const PYTHON: &str = r#"
import json, os, signal, subprocess, sys, time
HERE, KEY = os.environ["HERE"], os.environ["SPIDERPIG_IO_KEY"]
def put(text): os.write(1, text if isinstance(text, bytes) else text.encode())
def message(kind, **members): return json.dumps({"type": kind, **members, "iokey": KEY})
def question(prompt):
    choices = {"Yes": "y", "No": "n"}
    return message("interaction", subtype="choices", prompt=prompt, choices=choices, default=None)
def answer(): return sys.stdin.readline().rstrip("\n")
def gate(name):
    while not os.path.exists(os.path.join(HERE, name)): time.sleep(0.01)
"#;

/// A spool with a runner, for scripts whose keys must show nowhere.
pub struct HostileSpool {
    // Dropped in this order: the runner is only a handle, the spool ends all that works on it.
    _runner: Daemon,
    spool: TestSpool,
    scripts: AtomicU32,
}

impl HostileSpool {
    /// A spool with the usual job types and its runner.
    pub fn new() -> Self {
        Self::with_configuration("")
    }

    /// The same with more configuration.
    pub fn with_configuration(more: &str) -> Self {
        Self::on(TestSpool::with_configuration(more))
    }

    /// Starts the runner of a spool.
    pub fn on(spool: TestSpool) -> Self {
        Self { _runner: spool.runner(), spool, scripts: AtomicU32::new(0) }
    }

    /// Submits a shell script of any length.
    pub fn shell(&self, script: &str) -> JobId {
        self.shell_as("sh", script)
    }

    /// The same as a job of another type with the parameter `script`.
    pub fn shell_as(&self, job_type: &str, script: &str) -> JobId {
        self.run(job_type, "sh", &format!("{SHELL}{script}\n"))
    }

    /// Submits a Python program.
    pub fn python(&self, program: &str) -> JobId {
        self.run("sh", "/usr/bin/python3 -u", &format!("{PYTHON}{program}\n"))
    }

    fn run(&self, job_type: &str, interpreter: &str, text: &str) -> JobId {
        let here = self.path().display();
        let file = self.path().join(format!("script-{}", self.scripts.fetch_add(1, Ordering::Relaxed)));
        fs::write(&file, text).unwrap();
        let script = format!(
            "echo $SPIDERPIG_IO_KEY >>{}; export HERE={here}; exec {interpreter} {}",
            self.keys().display(),
            file.display()
        );
        self.submit(job_type, json!({ "script": script }))
    }

    /// Lets the jobs go on that wait at this gate.
    pub fn open_gate(&self, name: &str) {
        fs::write(self.path().join(name), "").unwrap();
    }

    /// Waits until a job has printed this line.
    #[track_caller]
    pub fn wait_line(&self, id: JobId, line: &str) {
        wait_until(&format!("job {id} prints {line}"), || self.lines(id).iter().any(|there| there == line));
    }

    /// Waits until a note in a job's log contains this text.
    #[track_caller]
    pub fn wait_note(&self, id: JobId, text: &str) {
        wait_until(&format!("job {id} notes: {text}"), || self.notes(id).iter().any(|note| note.contains(text)));
    }

    /// The `line` records of a job, with all their members.
    pub fn line_records(&self, id: JobId) -> Vec<Line> {
        let line = |kind| match kind {
            RecordKind::Line(line) => Some(line),
            _ => None,
        };
        self.log(id).into_iter().filter_map(|record| line(record.kind)).collect()
    }

    /// The plain text of a job's output, as `tail -f` shows it.
    pub fn output_log(&self, id: JobId) -> String {
        fs::read_to_string(self.job(id).directory().join("output.log")).unwrap()
    }

    /// Where the jobs leave their keys for the test.
    fn keys(&self) -> PathBuf {
        self.path().join("keys")
    }

    /// Looks for every key in every file of the spool, and across the borders of records.
    pub fn assert_no_key_anywhere(&self) {
        let keys = fs::read_to_string(self.keys()).unwrap_or_default();
        let ids = self.names("jobs").into_iter().filter_map(|name| name.parse::<JobId>().ok());
        let joined: Vec<String> = ids.map(|id| self.lines(id).concat()).collect();
        for key in keys.lines() {
            assert!(key.len() == 66, "a key is 0x and 64 digits");
            assert!(!joined.iter().any(|text| text.contains(key)), "a key lies across records");
            let finder = memchr::memmem::Finder::new(key);
            each_file(&self.root(), &mut |path| {
                let bytes = fs::read(path).unwrap_or_default();
                assert!(finder.find(&bytes).is_none(), "{} contains a key", path.display());
            });
        }
    }
}

impl Deref for HostileSpool {
    type Target = TestSpool;

    fn deref(&self) -> &TestSpool {
        &self.spool
    }
}

impl Drop for HostileSpool {
    fn drop(&mut self) {
        if !std::thread::panicking() && self.root().join("jobs").exists() {
            self.assert_no_key_anywhere();
        }
    }
}

fn each_file(directory: &Path, visit: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => each_file(&entry.path(), visit),
            Ok(kind) if kind.is_file() => visit(&entry.path()),
            _ => {}
        }
    }
}
