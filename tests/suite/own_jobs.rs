//! The examples of jobs that are not scap, with the configuration of the demo: started over HTTP and as files,
//! answered, stopped, and by hand.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use spiderpig::spool::status::Status;
use spiderpig::spool::{JobId, sequence};

use crate::client::{self, Api};
use crate::demo::{repository, search_path};
use crate::support::{Daemon, TestSpool, wait_until};

mod ansible;
mod parameters;
mod python;
mod shell;

/// Runner and API with the configuration of the demo, whose files are in the directory of the test.
struct Examples {
    spool: TestSpool,
    api: Api,
    _runner: Daemon,
}

impl Examples {
    fn new() -> Self {
        Self::with(&[])
    }

    /// The same with some texts of the configuration replaced.
    fn with(replacements: &[(&str, &str)]) -> Self {
        let spool = TestSpool::new();
        let watch = crate::support::has_watch();
        let mut text = fs::read_to_string(repository().join("examples/spiderpig.toml")).unwrap();
        for (from, to) in [("watch = true", format!("watch = {watch}").as_str())].iter().chain(replacements) {
            assert!(text.contains(from), "{from} is not in examples/spiderpig.toml");
            text = text.replace(from, to);
        }
        let text = text.replace("@ROOT@/target/demo", spool.path().to_str().unwrap());
        fs::write(spool.configuration(), text.replace("@ROOT@", repository().to_str().unwrap())).unwrap();
        let runner = spool.start_runner(spool.command("spiderpig-runner").env("PATH", search_path()));
        let api = client::start(&spool);
        Self { spool, api, _runner: runner }
    }

    /// Starts a job over HTTP.
    fn post(&self, job_type: &str, params: &Value) -> JobId {
        let (code, created) = self.api.post("/api/jobs", &json!({ "type": job_type, "params": params }).to_string());
        assert_eq!(code, 201, "{created}");
        created["id"].as_u64().unwrap().try_into().unwrap()
    }

    /// Starts a job with a file.
    fn drop(&self, job_type: &str, params: &Value) -> JobId {
        let id = sequence::take(&self.spool.spool()).unwrap();
        let submitted_at = "2026-01-01T00:00:00.000Z";
        let request = json!({
            "version": 1, "id": id, "type": job_type, "params": params, "user": "carol", "submitted_at": submitted_at,
        });
        self.spool.drop_file(&format!("queue/{id}.json"), request.to_string());
        id
    }

    /// Waits for a question, and answers it over HTTP. Returns the question.
    #[track_caller]
    fn answer(&self, id: JobId, number: u32, answer: &str) -> String {
        let status = self.spool.wait_prompt(id, number);
        wait_until("the API knows the question", || {
            let (code, _) = self.api.answer(id.into(), number.into(), answer);
            // It may read the status a moment later than this test.
            code == 200
        });
        status.interaction.unwrap().prompt
    }

    /// Waits for the end, and compares the exit status.
    #[track_caller]
    fn ends_with(&self, id: JobId, exit_status: i32) -> Status {
        let status = self.spool.wait_final(id);
        assert_eq!(status.exit_status, Some(exit_status), "{:#?}", self.spool.lines(id));
        status
    }

    /// The statuses that a job told.
    fn statuses(&self, id: JobId) -> Vec<String> {
        self.records(id, "status").iter().filter_map(|record| Some(record["status"].as_str()?.to_owned())).collect()
    }

    /// How far a job said it was: what, how many, of how many.
    fn progress(&self, id: JobId) -> Vec<(String, u64, u64)> {
        let step = |record: &Value| {
            let progress = &record["progress"];
            let number = |member: &str| progress[member].as_u64().unwrap();
            (progress["name"].as_str().unwrap().to_owned(), number("tasksFinishedTotal"), number("totalTasks"))
        };
        self.records(id, "progress").iter().map(step).collect()
    }

    fn records(&self, id: JobId, record_type: &str) -> Vec<Value> {
        let records = self.spool.log(id).into_iter().map(|record| serde_json::to_value(record).unwrap());
        records.filter(|record| record["type"] == record_type).collect()
    }

    /// The sensitive lines of a job. None of them is where everybody looks.
    fn sensitive_lines(&self, id: JobId) -> Vec<String> {
        let records = self.records(id, "line");
        let sensitive = records.iter().filter(|record| record["sensitive"] == true);
        let lines: Vec<_> = sensitive.map(|record| record["line"].as_str().unwrap().to_owned()).collect();
        let output = fs::read_to_string(self.spool.job(id).directory().join("output.log")).unwrap();
        for line in &lines {
            assert!(!output.contains(line), "{line} is in output.log");
        }
        lines
    }

    fn path(&self, name: &str) -> PathBuf {
        self.spool.path().join(name)
    }
}

/// An example without SpiderPig, with its files in a directory.
fn script(name: &str) -> Command {
    Command::new(repository().join("examples").join(name))
}

/// The text of standard output and standard error.
fn text(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

#[test]
fn the_configuration_has_no_finding() {
    let examples = Examples::new();
    let mut check = examples.spool.command("spiderpig-runner");
    let output = check.env("PATH", search_path()).arg("check").output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn what_the_readmes_say_to_paste_is_what_is_tested() {
    let configuration = fs::read_to_string(repository().join("examples/spiderpig.toml")).unwrap();
    for name in ["shell", "python", "ansible"] {
        let readme = fs::read_to_string(repository().join("examples").join(name).join("README.md")).unwrap();
        let (_, rest) = readme.split_once("```toml\n").unwrap();
        let (block, _) = rest.split_once("```").unwrap();
        assert!(block.starts_with("[job_types.") && configuration.contains(block), "examples/{name}/README.md");
    }
}
