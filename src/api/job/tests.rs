use super::*;
use crate::api::testing::{config, job_id, prompt, request, status};

fn shown(job: &Job) -> Value {
    serde_json::to_value(job).unwrap()
}

fn claimed(status: status::Status) -> Claimed {
    let request = request(status.id.into());
    Claimed { status, request: Some(request), is_cut: false }
}

/// The members in which a job differs from the running one, so that each test shows what matters to it.
fn differences(job: &Value, others: &[&str]) -> Value {
    others.iter().map(|name| ((*name).to_owned(), job[*name].clone())).collect::<Map<_, _>>().into()
}

#[test]
fn a_queued_job_shows_the_command_that_would_run() {
    let (request, config) = (Queued { request: request(7), is_cut: false }, config());
    let wait = Wait { position: Some(2), waiting_for: Some("alice deploys".into()) };
    insta::assert_json_snapshot!(shown(&Job::queued(&request, &config, wait)), @r#"
    {
      "id": 7,
      "type": "greet",
      "user": "alice",
      "command": "[\"greet\",\"World\",\"•••\"]",
      "queued_at": 1000.25,
      "started_at": null,
      "finished_at": null,
      "duration": null,
      "exit_status": null,
      "status": {
        "status": null,
        "progress": null
      },
      "data": {},
      "running": false,
      "orphaned": false,
      "interaction": null,
      "state": "queued",
      "outcome": null,
      "outcome_by": null,
      "phase": null,
      "last_error": null,
      "reason": null,
      "cancelled_by": null,
      "quiet_since": null,
      "warning": null,
      "stop_refused": null,
      "memory_peak": null,
      "cpu_seconds": null,
      "params": {
        "name": "World",
        "key": "•••"
      },
      "retry_of": null,
      "retries": [],
      "position": 2,
      "waiting_for": "alice deploys"
    }
    "#);
}

#[test]
fn a_running_job_has_every_member() {
    let mut status = status(7, State::Running);
    status.message = Some("Syncing".into());
    status.progress = json!({ "done": 3, "total": 10 }).as_object().cloned();
    insta::assert_json_snapshot!(shown(&Job::claimed(&claimed(status), &config())), @r#"
    {
      "id": 7,
      "type": "greet",
      "user": "alice",
      "command": "[\"greet\",\"World\",\"•••\"]",
      "queued_at": 1000.25,
      "started_at": 1001.0,
      "finished_at": null,
      "duration": null,
      "exit_status": null,
      "status": {
        "status": "Syncing",
        "progress": {
          "done": 3,
          "total": 10
        }
      },
      "data": {},
      "running": true,
      "orphaned": false,
      "interaction": null,
      "state": "running",
      "outcome": null,
      "outcome_by": null,
      "phase": null,
      "last_error": null,
      "reason": null,
      "cancelled_by": null,
      "quiet_since": null,
      "warning": null,
      "stop_refused": null,
      "memory_peak": null,
      "cpu_seconds": null,
      "params": {
        "name": "World",
        "key": "•••"
      },
      "retry_of": null,
      "retries": [],
      "position": null,
      "waiting_for": null
    }
    "#);
}

#[test]
fn a_job_that_waits_shows_its_prompt_and_says_so() {
    let mut status = status(7, State::Waiting);
    status.message = Some("Syncing".into());
    status.progress = json!({ "done": 3 }).as_object().cloned();
    status.interaction = Some(prompt(2));
    let claimed = claimed(status);
    let config = config();
    let job = shown(&Job::claimed(&claimed, &config));
    insta::assert_json_snapshot!(differences(&job, &["running", "status", "interaction"]), @r#"
    {
      "running": true,
      "status": {
        "status": "Awaiting user interaction",
        "progress": null
      },
      "interaction": {
        "id": 7000002,
        "job_id": 7,
        "type": "choices",
        "prompt": "Deploy?",
        "choices": {
          "Yes": "y",
          "No": "n"
        },
        "default": "n",
        "responded_by": null,
        "response": null
      }
    }
    "#);
}

#[test]
fn ends_are_told_apart() {
    let end = |state, outcome, exit_status, signal| {
        let mut status = status(7, State::Running);
        status.finish(state, outcome, Some("why".into()));
        status.finished_at = Some(Time::from_milliseconds(1_003_500));
        (status.exit_status, status.signal) = (exit_status, signal);
        if state == State::Cancelled {
            status.started_at = None;
        }
        let line = HistoryLine::new(&status, Some(&request(7)), Map::new());
        let finished = shown(&Job::finished(&line));
        let members = ["state", "exit_status", "started_at", "finished_at", "duration", "running", "orphaned"];
        let config = config();
        let claimed = shown(&Job::claimed(&claimed(status), &config));
        assert_eq!(differences(&claimed, &members), differences(&finished, &members), "told the same by both sources");
        members.map(|member| finished[member].to_string()).join(" ")
    };
    assert_eq!(
        end(State::Succeeded, Outcome::Succeeded, Some(0), None),
        r#""succeeded" 0 1001.0 1003.5 2.5 false false"#
    );
    assert_eq!(end(State::Failed, Outcome::Failed, Some(3), None), r#""failed" 3 1001.0 1003.5 2.5 false false"#);
    assert_eq!(end(State::Failed, Outcome::Stopped, None, Some(9)), r#""failed" -9 1001.0 1003.5 2.5 false false"#);
    assert_eq!(end(State::Lost, Outcome::Lost, None, None), r#""lost" null 1001.0 1003.5 2.5 false true"#);
    assert_eq!(
        end(State::Cancelled, Outcome::Cancelled, None, None),
        r#""cancelled" null 1003.5 1003.5 0.0 false false"#
    );
}

#[test]
fn what_was_no_job_is_shown_as_far_as_it_can_be_read() {
    let rejected = |request| Rejected {
        is_cut: false,
        id: job_id(7),
        request,
        owner: Some("bob".into()),
        reason: "because".into(),
        at: Time::from_milliseconds(5000),
    };
    let config = config();
    let members = ["id", "type", "user", "state", "reason", "command", "params", "queued_at", "finished_at"];
    let job = shown(&Job::rejected(&rejected(Some(request(8))), &config));
    insta::assert_json_snapshot!(differences(&job, &members), @r#"
    {
      "id": 7,
      "type": "greet",
      "user": "alice",
      "state": "rejected",
      "reason": "because",
      "command": "[]",
      "params": {
        "name": "World",
        "key": "•••"
      },
      "queued_at": 1000.25,
      "finished_at": 5.0
    }
    "#);
    let job = shown(&Job::rejected(&rejected(None), &config));
    insta::assert_json_snapshot!(differences(&job, &members), @r#"
    {
      "id": 7,
      "type": "unknown",
      "user": "bob",
      "state": "rejected",
      "reason": "because",
      "command": "[]",
      "params": {},
      "queued_at": 5.0,
      "finished_at": 5.0
    }
    "#);
}

#[test]
fn nothing_of_a_type_that_is_not_declared_is_shown() {
    let mut request = request(7);
    request.job_type = "gone".into();
    let config = config();
    let job = shown(&Job::queued(&Queued { request, is_cut: false }, &config, Wait::default()));
    assert_eq!(job["command"], "[]");
    assert_eq!(job["params"], json!({ "name": "•••", "key": "•••" }));
}
