//! `openapi.json` against its own standard, and the API against `openapi.json`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::client::{self, Api};
use crate::support::{ASK, TestSpool, wait_until};

/// How long nonsense is sent to the API, in seconds, unless `SPIDERPIG_FUZZ_SECONDS` says otherwise.
const FUZZ_SECONDS: &str = "30";

/// A program of the tests' own Python environment.
fn python_program(name: &str) -> Command {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin").join(name);
    assert!(path.exists(), "{} is not there: `make test` installs it", path.display());
    Command::new(path)
}

/// What generates clients looks for its formatter there.
fn python_path() -> String {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin");
    format!("{}:{}", own.display(), std::env::var("PATH").unwrap())
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}:\n{}\n{}", text(&output.stdout), text(&output.stderr));
}

fn write_description(spool: &TestSpool, description: &Value) -> PathBuf {
    let path = spool.path().join("openapi.json");
    fs::write(&path, description.to_string()).unwrap();
    path
}

#[test]
fn the_description_is_valid_openapi() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let (code, description) = client::start(&spool).get("/api/openapi.json");
    assert_eq!(code, 200, "{description}");
    run(python_program("openapi-spec-validator").arg(write_description(&spool, &description)));
}

#[test]
fn a_client_that_is_generated_from_the_description_drives_a_job() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let api = client::start(&spool);
    let description = write_description(&spool, &api.get("/api/openapi.json").1);
    let generated = spool.path().join("generated");
    run(python_program("openapi-python-client")
        .env("PATH", python_path())
        .args(["generate", "--meta", "none", "--path"])
        .args([&description, Path::new("--output-path"), &generated]));
    let drive = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/drive.py");
    run(python_program("python").arg(drive).arg(spool.path()).args([&api.base, &format!("{ASK} ask go")]));
}

/// Jobs 1 and 2 have finished, 3 waits for an answer, and 4 for its lane.
fn populate(api: &Api) {
    let ended = [api.create("echo one; echo two >&2"), api.create("exit 3")];
    let asking = api.create(&format!("{ASK} ask sure; ask again; ask and again"));
    let waiting = api.create("echo late");
    assert_eq!((ended, asking, waiting), ([1, 2], 3, 4));
    wait_until("the first two are in the history", || {
        api.get("/api/jobs?limit=500&skip=2").1["jobs"][0]["state"] == "failed"
    });
    api.wait_prompt(3, 1);
}

/// Narrows the description to what the spool has: random numbers and names would never meet a job.
fn narrow(description: &mut Value) {
    description["components"]["schemas"]["NewJob"]["properties"]["type"] = json!({ "enum": ["noop", "sh", "missing"] });
    for operations in description["paths"].as_object_mut().unwrap().values_mut() {
        for operation in operations.as_object_mut().unwrap().values_mut() {
            let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
            for parameter in parameters.into_iter().flatten() {
                match parameter["name"].as_str() {
                    Some("id") => parameter["schema"] = json!({ "enum": [1, 2, 3, 4, 999_999_999] }),
                    Some("iid") => parameter["schema"] = json!({ "enum": [3_000_001, 3_000_002, 1_000_001] }),
                    Some("signal") => parameter["schema"] = json!({ "enum": ["interrupt", "kill", "hangup"] }),
                    _ => {}
                }
            }
        }
    }
}

#[test]
fn nothing_that_is_sent_leads_to_an_answer_that_is_not_described() {
    let spool = TestSpool::new();
    let runner = spool.runner();
    // Without it the status of the train is a 503, and so is one that a fault would give.
    spool.drop_file("monitoring/train.json", include_str!("../../examples/monitoring/train.json"));
    let api = client::start(&spool);
    populate(&api);
    let (_, mut description) = api.get("/api/openapi.json");
    narrow(&mut description);
    let seconds = std::env::var("SPIDERPIG_FUZZ_SECONDS").unwrap_or_else(|_| FUZZ_SECONDS.to_owned());
    run(python_program("st")
        .current_dir(spool.path())
        .args(["run", "--url", &api.base, "--max-time", &seconds, "--request-timeout", "20"])
        .args(["--checks", "all", "--exclude-checks", "positive_data_acceptance"])
        // The log of a job that waits does not end: with signs of life it is read for an hour, and without for too long.
        .args(["--exclude-path", "/api/events", "--exclude-path", "/api/jobs/{id}/log", "--no-color"])
        .arg(write_description(&spool, &description)));
    let (code, health) = api.get("/healthz");
    assert_eq!((code, &health["runner_up"]), (200, &json!(true)), "{health}");
    assert!(!api.daemon.log().contains("panicked"));
    drop(runner);
}
