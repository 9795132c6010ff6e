//! How jobs ended, in words: who cancelled, rolled back or stopped them, and where they failed. And silence.

use serde_json::json;
use spiderpig::spool::JobId;
use spiderpig::spool::inbox::JobSignal;
use spiderpig::spool::log::RecordKind;
use spiderpig::spool::outcome::Outcome;
use spiderpig::spool::status::{State, Status};

use crate::client;
use crate::hostile::HostileSpool;
use crate::support::{kill_process, wait_for, wait_until};

const CONFIGURATION: &str = r#"stop_grace = "300ms"
[lanes.many]
concurrency = 32

[job_types.deploy]
lane = "many"
command = ["sh", "-c", "{script}"]
params = [{ name = "script", kind = "string" }]
outcomes = [
    { outcome = "rolled_back", prompt = '\ARoll back', answer = "Yes" },
    { outcome = "cancelled_at_prompt", prompt = 'Deploy\?\z', answer = "n" },
    { outcome = "failed", status = "^Half of it", exit = 0 },
]

[job_types.limited]
lane = "many"
command = ["sh", "-c", "{script}"]
params = [{ name = "script", kind = "string" }]
time_limit = "1s"

[job_types.quiet]
lane = "many"
command = ["sh", "-c", "{script}"]
params = [{ name = "script", kind = "string" }]
quiet_after = "500ms"

[job_types.missing]
command = ["/no/such/program"]
"#;

/// What somebody does to a job.
#[derive(Clone, Copy)]
enum Act {
    Answer(u32, &'static str, &'static str),
    /// A signal, when the job has printed `up`.
    Signal(&'static str, JobSignal),
}
use Act::{Answer, Signal};

/// A job, what is done to it, and how it is told: outcome, by whom, phase, last line that looks like an error, reason.
struct Story {
    kind: &'static str,
    script: &'static str,
    acts: &'static [Act],
    expected: &'static str,
}

const STORIES: &[Story] = &[
    Story { kind: "deploy", script: "echo an error", acts: &[], expected: "succeeded | - | - | - | -" },
    Story {
        kind: "deploy",
        script: "ask 'Deploy?'; exit 0",
        acts: &[Answer(1, "bob", "n")],
        expected: "cancelled_at_prompt | bob | - | - | cancelled by bob at the prompt “Deploy?”",
    },
    Story {
        kind: "deploy",
        script: "ask 'Deploy?'; status '\"Syncing\"'; ask 'Roll back the changes?'; status '\"Rolling back\"'; exit 1",
        acts: &[Answer(1, "alice", "y"), Answer(2, "carol", "y")],
        expected: "rolled_back | carol | - | - | rolled back by carol at the prompt “Roll back the changes?”",
    },
    Story {
        kind: "deploy",
        script: "status '\"Syncing\"'; echo 'Error: host 1 is down'; echo all is well; echo '0 errors'\n\
                 message line '\"line\":\"error: hunter2\",\"sensitive\":true'; status null; exit 3",
        acts: &[],
        expected: "failed | - | Syncing | Error: host 1 is down | failed in the phase “Syncing”: exited with status 3",
    },
    Story {
        kind: "deploy",
        script: "printf '\\033[31mred\\033[0m is enough\\n'; exit 2",
        acts: &[],
        expected: "failed | - | - | red is enough | failed: exited with status 2",
    },
    Story {
        kind: "deploy",
        script: "status '\"Half of it is done\"'; exit 0",
        acts: &[],
        expected: "failed | - | Half of it is done | - | failed in the phase “Half of it is done”: exited with status 0",
    },
    Story {
        kind: "deploy",
        script: "trap 'exit 0' INT; status '\"Waiting\"'; echo up; while :; do sleep 0.02; done",
        acts: &[Signal("carol", JobSignal::Interrupt)],
        expected: "stopped | carol | Waiting | - | interrupted by carol, and exited with status 0",
    },
    Story {
        kind: "deploy",
        script: "status '\"Waiting\"'; kill -9 $$",
        acts: &[],
        expected: "killed | - | Waiting | - | killed by signal 9 (SIGKILL) in the phase “Waiting”; nobody sent it \
                   through SpiderPig",
    },
    Story {
        kind: "limited",
        script: "trap 'exit 5' INT; while :; do sleep 0.02; done",
        acts: &[],
        expected: "timed_out | - | - | - | stopped at the time limit of 1s",
    },
];

fn begin(spool: &HostileSpool, story: &Story, before: &str) -> JobId {
    let status = "status() { message status \"\\\"status\\\":$1\"; }\n";
    spool.shell_as(story.kind, &format!("{status}{before}{}", story.script))
}

fn act(spool: &HostileSpool, id: JobId, acts: &[Act]) {
    for act in acts {
        match *act {
            Answer(prompt, user, answer) => {
                spool.wait_prompt(id, prompt);
                spool.answer(id, prompt, user, answer);
            }
            Signal(user, signal) => {
                spool.wait_line(id, "up");
                spool.signal(id, user, signal);
            }
        }
    }
}

fn told(spool: &HostileSpool, status: &Status) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let last_error = status.last_error.as_ref().map(|error| {
        let record = &spool.log(status.id)[usize::try_from(error.record).unwrap() - 1];
        assert!(matches!(&record.kind, RecordKind::Line(line) if line.line.contains(error.line.as_str().split(' ').next().unwrap())));
        error.line.clone()
    });
    let outcome = status.outcome.map_or("-", Outcome::word);
    let [by, phase, reason] = [&status.outcome_by, &status.phase, &status.reason].map(text);
    format!("{outcome} | {by} | {phase} | {} | {reason}", text(&last_error))
}

/// The history tells the same as the status.
fn assert_in_history(spool: &HostileSpool, status: &Status) {
    let history = std::fs::read_to_string(spool.root().join("history.jsonl")).unwrap();
    let line = history.lines().find(|line| line.starts_with(&format!("{{\"id\":{},", status.id))).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let status = serde_json::to_value(status).unwrap();
    for member in ["outcome", "outcome_by", "phase", "last_error", "reason", "state"] {
        assert_eq!(line[member], status[member], "{member} of {line}");
    }
}

#[test]
fn each_end_is_told_by_its_outcome() {
    let spool = HostileSpool::with_configuration(CONFIGURATION);
    let ids: Vec<JobId> = STORIES.iter().map(|story| begin(&spool, story, "")).collect();
    for (id, story) in ids.into_iter().zip(STORIES) {
        act(&spool, id, story.acts);
        let status = spool.wait_final(id);
        assert_eq!(told(&spool, &status), story.expected);
        assert_in_history(&spool, &status);
    }
    let root = spool.root();
    let written = ["history.jsonl"].map(|name| std::fs::read_to_string(root.join(name)).unwrap()).concat();
    assert!(!written.contains("hunter2"), "what is sensitive is told nowhere");
}

#[test]
fn recovery_comes_to_the_same_end_from_the_log() {
    let spool = HostileSpool::with_configuration(CONFIGURATION);
    // It is waited for after the end, and so the supervisor can be killed between the end and the last status.
    let leave = "setsid sh -c 'trap \"\" INT TERM; while :; do sleep 0.1; done' >/dev/null 2>&1 &\n";
    for story in STORIES {
        let id = begin(&spool, story, leave);
        act(&spool, id, story.acts);
        let is_exit = |kind: &RecordKind| matches!(kind, RecordKind::Exit(_));
        wait_until("its end is on record", || spool.log(id).iter().any(|record| is_exit(&record.kind)));
        let status = spool.status(id).unwrap();
        assert!(!status.state.is_final(), "it was too fast: {}", story.script);
        kill_process(status.supervisor.unwrap().pid.unsigned_abs());
        let status = spool.wait_final(id);
        assert!(spool.notes(id).iter().any(|note| note.contains("the supervisor of the job died")));
        assert_eq!(told(&spool, &status), story.expected);
        assert_in_history(&spool, &status);
    }
}

#[test]
fn a_kill_a_missing_program_a_cancelled_and_a_lost_job_have_their_words() {
    let spool = HostileSpool::with_configuration(CONFIGURATION);
    let killed = spool
        .shell_as("deploy", "message status '\"status\":\"One\"'; trap '' INT; echo up; while :; do sleep 0.02; done");
    spool.wait_line(killed, "up");
    spool.signal(killed, "carol", JobSignal::Interrupt);
    spool.wait_status(killed, "it is interrupted", |status| status.state == State::Stopping);
    spool.signal(killed, "dave", JobSignal::Kill);
    assert_eq!(told(&spool, &spool.wait_final(killed)), "stopped | dave | One | - | killed by dave");

    let missing = spool.submit("missing", json!({}));
    let status = spool.wait_final(missing);
    let reason = "could not be executed: the program /no/such/program does not exist";
    assert_eq!(told(&spool, &status), format!("not_started | - | - | - | {reason}"));
    assert_eq!((status.state, spool.notes(missing)), (State::Failed, vec![reason.to_owned()]));

    std::fs::write(spool.root().join("paused"), "lunch").unwrap();
    let cancelled = spool.shell_as("deploy", "true");
    spool.signal(cancelled, "carol", JobSignal::Interrupt);
    let status = spool.wait_final(cancelled);
    assert_eq!(told(&spool, &status), "cancelled | carol | - | - | cancelled by carol before it started");
    assert_eq!(status.cancelled_by, status.outcome_by);
    std::fs::remove_file(spool.root().join("paused")).unwrap();

    let lost = spool.shell_as("deploy", "message status '\"status\":\"Two\"'; echo failed; echo up; exec sleep 600");
    spool.wait_line(lost, "up");
    kill_process(spool.status(lost).unwrap().supervisor.unwrap().pid.unsigned_abs());
    let status = spool.wait_final(lost);
    let reason = "its supervisor died, so the result of the command is unknown; ";
    assert!(told(&spool, &status).starts_with(&format!("lost | - | Two | failed | {reason}")), "{status:?}");
    assert_in_history(&spool, &status);
}

#[test]
fn a_job_that_prints_nothing_for_long_is_called_quiet_until_it_does() {
    let spool = HostileSpool::with_configuration(CONFIGURATION);
    let api = client::start(&spool);
    let id =
        spool.shell_as("quiet", "echo one; gate more; until [ -e $HERE/end ]; do echo x; sleep 0.01; done; ask go");
    let status = spool.wait_status(id, "it is quiet", |status| status.quiet_since.is_some());
    assert_eq!(status.state, State::Running);
    let since = status.quiet_since.unwrap();
    assert!(since >= status.started_at.unwrap(), "{status:?}");
    spool.wait_note(id, "no output for 500ms");
    let shown = wait_for("the API tells of it", || {
        let (_, answer) = api.get(&format!("/api/jobs/{id}"));
        answer["job"]["quiet_since"].as_f64()
    });
    assert!((shown - since.as_seconds_f64()).abs() < 0.001, "{shown}");

    spool.open_gate("more");
    spool.wait_status(id, "it is heard again", |status| status.quiet_since.is_none());
    spool.open_gate("end");
    assert_eq!(spool.wait_prompt(id, 1).quiet_since, None);
    spool.answer(id, 1, "alice", "y");
    let status = spool.wait_final(id);
    assert_eq!((status.outcome, status.quiet_since), (Some(Outcome::Succeeded), None));
}

#[test]
fn outcomes_can_be_asked_for_and_a_retry_is_told_at_both_jobs() {
    let spool = HostileSpool::with_configuration(CONFIGURATION);
    let api = client::start(&spool);
    let cancelled = spool.shell_as("deploy", "ask 'Deploy?'; exit 0");
    spool.wait_prompt(cancelled, 1);
    spool.answer(cancelled, 1, "bob", "n");
    spool.wait_final(cancelled);
    spool.wait_final(spool.shell_as("deploy", "exit 1"));
    wait_until("both have ended in the list", || {
        let jobs = api.get("/api/jobs").1["jobs"].take();
        jobs.as_array().unwrap().iter().filter(|job| !job["outcome"].is_null()).count() == 2
    });
    let of = |arguments: &str| {
        let (status, list) = api.get(&format!("/api/jobs?{arguments}"));
        assert_eq!(status, 200, "{list}");
        let jobs = list["jobs"].as_array().unwrap();
        jobs.iter().map(|job| job["id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(of("outcome=cancelled_at_prompt"), [1]);
    assert_eq!(of("outcome=cancelled_at_prompt&outcome=failed"), [2, 1]);
    assert_eq!(of("state=succeeded&outcome=failed"), [0_u64; 0]);

    let (status, created) = api.post(&format!("/api/jobs/{cancelled}/retry"), "");
    assert_eq!(status, 200, "{created}");
    let retry = JobId::try_from(created["id"].as_u64().unwrap()).unwrap();
    let shown = |id: JobId| api.get(&format!("/api/jobs/{id}")).1["job"].take();
    assert_eq!(shown(cancelled)["retries"], json!([retry]));
    assert_eq!(shown(retry)["retry_of"], json!(cancelled));
    spool.wait_prompt(retry, 1);
    spool.answer(retry, 1, "bob", "n");
    spool.wait_final(retry);
    wait_until("the retry has ended", || shown(retry)["outcome"] == "cancelled_at_prompt");
    assert_eq!((shown(cancelled)["retries"].clone(), shown(retry)["retries"].clone()), (json!([retry]), json!([])));
}
