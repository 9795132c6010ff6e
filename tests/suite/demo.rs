//! The examples: the recorded deployment, the shell script with helpers, and their configuration.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use spiderpig::config::Config;
use spiderpig::protocol::{Prompt, PromptKind};
use spiderpig::spool::JobId;
use spiderpig::spool::inbox::{Answered, JobSignal};
use spiderpig::spool::log::RecordKind;
use spiderpig::spool::outcome::Outcome;
use spiderpig::spool::status::{State, Status};

use crate::support::{Daemon, TestSpool, program, wait_for};

const BEFORE_TESTSERVERS: &str = "prep_and_testservers_sync.jsonl";
const AFTER_TESTSERVERS: &str = "sync_remainder.jsonl";

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn backport_script() -> PathBuf {
    repository().join("examples/backport/backport.py")
}

/// The configuration of the examples, as `make run` makes it.
fn example_configuration() -> String {
    let text = fs::read_to_string(repository().join("examples/spiderpig.toml")).unwrap();
    text.replace("@ROOT@", repository().to_str().unwrap())
}

/// A `PATH` with the programs in front.
pub fn search_path() -> String {
    let programs = Path::new(program("spiderpig-runner")).parent().unwrap();
    format!("{}:{}", programs.display(), std::env::var("PATH").unwrap())
}

/// A runner with the configuration of the examples on a spool of the test.
fn example_runner() -> (TestSpool, Daemon) {
    let spool = TestSpool::new();
    let watch = crate::support::has_watch();
    let configuration = example_configuration().replace("watch = true", &format!("watch = {watch}"));
    fs::write(spool.configuration(), configuration).unwrap();
    let mut command = spool.command("spiderpig-runner");
    let runner = spool.start_runner(command.env("PATH", search_path()).arg("--spool").arg(spool.root()));
    (spool, runner)
}

fn start_backport(spool: &TestSpool) -> JobId {
    spool.submit("backport", json!({ "change_url": ["42"], "speed": 100_000 }))
}

/// What scap said in a recording.
fn recorded(recording: &str) -> Vec<Value> {
    let text = fs::read_to_string(repository().join("examples/backport").join(recording)).unwrap();
    let payload = |line: &str| serde_json::from_str::<Value>(line).unwrap()["payload"].take();
    text.lines().map(payload).collect()
}

/// The members `name` of the messages of type `name` in a recording.
fn recorded_members(recording: &str, name: &str) -> Vec<Value> {
    recorded(recording).into_iter().filter(|payload| payload["type"] == name).map(|mut it| it[name].take()).collect()
}

fn recorded_lines(recording: &str) -> Vec<String> {
    recorded_members(recording, "line").iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

/// The open question as lines of a log.
fn question(status: &Status) -> Vec<String> {
    let open = status.interaction.clone().unwrap();
    Prompt {
        prompt: open.prompt,
        sensitive: false,
        kind: PromptKind::Choices { choices: open.choices, default: open.default },
    }
    .render()
}

/// What a job was told on how to speak to SpiderPig, from its environment.
fn io_key(spool: &TestSpool, id: JobId) -> String {
    let process = wait_for("the process is known", || spool.status(id).unwrap().process);
    let environment = fs::read(format!("/proc/{}/environ", process.pid)).unwrap();
    let mut variables = environment.split(|byte| *byte == 0).map(|variable| str::from_utf8(variable).unwrap());
    variables.find_map(|variable| variable.strip_prefix("SPIDERPIG_IO_KEY=")).unwrap().to_owned()
}

/// Every file below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let below = |entry: fs::DirEntry| match entry.file_type().unwrap() {
        kind if kind.is_dir() => files(&entry.path()),
        kind if kind.is_file() => vec![entry.path()],
        _ => Vec::new(),
    };
    entries.flat_map(below).collect()
}

#[test]
fn the_recorded_deployment_runs_through_both_questions() {
    let (spool, runner) = example_runner();
    let id = start_backport(&spool);

    let first = spool.wait_prompt(id, 1);
    let key = io_key(&spool, id);
    assert!(first.interaction.as_ref().unwrap().prompt.contains("│ 42 │ operations/mediawiki-config │"));
    assert_eq!(spool.answer(id, 1, "alice", "y"), Answered::First);
    let second = spool.wait_prompt(id, 2);
    assert_eq!(second.interaction.as_ref().unwrap().default.as_deref(), Some("r"));
    assert_eq!(spool.answer(id, 2, "alice", "c"), Answered::First);

    let status = spool.wait_final(id);
    assert_eq!((status.state, status.exit_status), (State::Succeeded, Some(0)));

    let lines = [question(&first), recorded_lines(BEFORE_TESTSERVERS)].concat();
    let lines = [lines, question(&second), recorded_lines(AFTER_TESTSERVERS)].concat();
    assert_eq!(spool.lines(id), lines, "every line once and in order");

    let (mut statuses, mut progress) = (Vec::new(), Vec::new());
    for record in spool.log(id) {
        match record.kind {
            RecordKind::Status { status } => statuses.push(json!(status)),
            RecordKind::Progress { progress: step } => progress.push(Value::Object(step)),
            _ => {}
        }
    }
    let both = |name| [recorded_members(BEFORE_TESTSERVERS, name), recorded_members(AFTER_TESTSERVERS, name)].concat();
    assert_eq!(statuses, both("status"));
    assert_eq!(progress, both("progress"));

    let output = fs::read_to_string(spool.job(id).directory().join("output.log")).unwrap();
    assert!(output.contains("Finished scap sync-world"));
    assert!(!output.contains("/srv/patches"), "the lines on security patches are sensitive");
    for file in files(spool.path()) {
        let content = fs::read(&file).unwrap();
        assert!(!String::from_utf8_lossy(&content).contains(&key), "the key is in {}", file.display());
    }
    drop(runner);
}

#[test]
fn a_deployment_that_is_not_wanted_is_not_a_success() {
    let (spool, _runner) = example_runner();
    let id = start_backport(&spool);
    let first = spool.wait_prompt(id, 1);
    spool.answer(id, 1, "alice", "n");
    let status = spool.wait_final(id);
    assert_eq!((status.state, status.exit_status), (State::Failed, Some(1)));
    assert_eq!(status.outcome, Some(Outcome::CancelledAtPrompt));
    assert_eq!(status.reason.as_deref(), Some("cancelled by alice at the prompt “Backport the changes?”"));
    assert_eq!(spool.lines(id), [question(&first), vec!["Backport cancelled.".to_owned()]].concat());
}

#[test]
fn the_default_on_the_testservers_is_to_roll_back() {
    let (spool, _runner) = example_runner();
    let id = start_backport(&spool);
    spool.wait_prompt(id, 1);
    spool.answer(id, 1, "alice", "y");
    spool.wait_prompt(id, 2);
    spool.answer(id, 2, "alice", "");
    let status = spool.wait_final(id);
    assert_eq!((status.state, status.exit_status), (State::Failed, Some(1)));
    assert_eq!((status.outcome, status.outcome_by.as_deref()), (Some(Outcome::RolledBack), Some("alice")));
    assert_eq!(
        status.reason.as_deref(),
        Some("rolled back by alice at the prompt “Changes synced to the testservers…”")
    );
    let lines = spool.lines(id);
    assert!(lines.iter().any(|line| line == "Rolling back."), "{lines:?}");
    assert_eq!(lines.last().unwrap(), "The changes were rolled back. Nothing was deployed to production.");
    assert!(!lines.contains(&recorded_lines(AFTER_TESTSERVERS)[0]));
}

#[test]
fn an_interrupted_deployment_says_so() {
    let (spool, _runner) = example_runner();
    let id = start_backport(&spool);
    spool.wait_prompt(id, 1);
    spool.signal(id, "carol", JobSignal::Interrupt);
    let status = spool.wait_final(id);
    assert_eq!((status.state, status.exit_status), (State::Failed, Some(130)));
    assert_eq!(status.reason.as_deref(), Some("interrupted by carol"));
    assert_eq!(spool.lines(id).last().unwrap(), "Interrupted.");
}

#[test]
fn a_shell_script_asks_and_reports_through_the_helpers() {
    let (spool, _runner) = example_runner();
    let id = spool.submit("hello", json!({ "times": 2 }));
    assert_eq!(spool.wait_prompt(id, 1).interaction.unwrap().prompt, "Who is to be greeted?");
    spool.answer(id, 1, "alice", "Zoë $(id) \\ ");
    let choices = spool.wait_prompt(id, 2).interaction.unwrap();
    assert_eq!((choices.default.as_deref(), choices.choices.len()), (Some("p"), 2));
    spool.answer(id, 2, "alice", "l");
    let status = spool.wait_final(id);
    assert_eq!(status.state, State::Succeeded, "{:?}", spool.lines(id));

    let records: Vec<RecordKind> = spool.log(id).into_iter().map(|record| record.kind).collect();
    let greetings = spool.lines(id).into_iter().filter(|line| line == "HELLO, Zoë $(id) \\ !");
    assert_eq!(greetings.count(), 2, "{:?}", spool.lines(id));
    assert!(
        records.iter().any(|kind| matches!(kind, RecordKind::Status { status: Some(text) } if text.contains("Zoë")))
    );
    let steps = records.iter().filter_map(|kind| match kind {
        RecordKind::Progress { progress } => Some((progress["name"].clone(), progress["tasksPercentComplete"].clone())),
        _ => None,
    });
    assert_eq!(steps.collect::<Vec<_>>(), [(json!("Greetings"), json!(50)), (json!("Greetings"), json!(100))]);
    let output = fs::read_to_string(spool.job(id).directory().join("output.log")).unwrap();
    assert!(spool.lines(id).iter().any(|line| line.contains("secret")) && !output.contains("secret"));
}

/// Runs an example by hand, without SpiderPig and without a terminal, which would be asked instead of this input.
pub fn by_hand(example: &mut Command, input: &str) -> Output {
    let mut command = Command::new("setsid");
    command.arg("--wait").arg(example.get_program()).args(example.get_args());
    let set = example.get_envs().filter_map(|(name, value)| Some((name, value?)));
    command.envs(set).env_remove("SPIDERPIG_IO_KEY").env("PATH", search_path());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A script that does not ask may be gone before this.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

#[test]
fn the_examples_work_without_spiderpig() {
    let output = by_hand(Command::new(backport_script()).args(["--speed", "100000", "42"]), "maybe\ny\nc\n");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("'maybe' is not a choice.") && text.contains("Finished scap sync-world"));
    assert!(!text.contains("iokey"));

    let output = by_hand(Command::new(repository().join("examples/hello.sh")).arg("1"), "Alice\np\n");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "Good day, Alice.\n");
}

#[test]
fn the_examples_end_if_nobody_can_be_asked() {
    let hello = repository().join("examples/hello.sh");
    for (script, argument) in [(backport_script(), "42"), (hello, "1")] {
        for shell in [r#"exec "$0" "$1" </dev/null"#, r#"exec "$0" "$1" <&-"#] {
            let output = by_hand(Command::new("sh").args(["-c", shell]).arg(&script).arg(argument), "");
            assert_eq!(output.status.code(), Some(1), "{} {shell}: {output:?}", script.display());
        }
    }
}

#[test]
fn the_configuration_of_the_examples_is_valid_and_their_programs_are_there() {
    let config = Config::parse(Path::new("examples/spiderpig.toml"), &example_configuration()).unwrap();
    assert_eq!(
        config.job_types.keys().collect::<Vec<_>>(),
        ["backport", "train", "hello", "deploy", "migrate", "ansible", "noop"]
    );
    let params = json!({ "change_url": ["42", "http://127.0.0.1:8001/r/c/43"] });
    let command = config.job_type("backport").unwrap().render(params.as_object().unwrap()).unwrap();
    let script = backport_script();
    let expected = [script.to_str().unwrap(), "--speed", "10", "42", "43"];
    assert_eq!(command.arguments, expected);
    for lane in config.lanes.keys() {
        assert!(config.job_types.values().any(|job_type| job_type.lane == *lane), "lane {lane} is not used");
    }
}
