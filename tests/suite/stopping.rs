//! Stopping jobs: by people, by the clock, and what they leave behind.

use std::fs;

use spiderpig::spool::JobId;
use spiderpig::spool::inbox::JobSignal;
use spiderpig::spool::log::RecordKind;
use spiderpig::spool::outcome::Outcome;
use spiderpig::spool::status::State;

use crate::hostile::HostileSpool;
use crate::support::{is_alive, kill_process, wait_for, wait_until};

/// The number that a job printed as `child:NUMBER`.
fn child(spool: &HostileSpool, id: JobId) -> i32 {
    wait_for("the child is up", || {
        spool.lines(id).iter().find_map(|line| line.strip_prefix("child:").and_then(|number| number.parse().ok()))
    })
}

fn signals(spool: &HostileSpool, id: JobId) -> Vec<(String, String)> {
    let signal = |kind| match kind {
        RecordKind::Signal { user, signal } => Some((user, signal)),
        _ => None,
    };
    spool.log(id).into_iter().filter_map(|record| signal(record.kind)).collect()
}

#[test]
fn a_child_that_keeps_the_output_open_does_not_keep_the_job() {
    let spool = HostileSpool::new();
    let id = spool.shell("setsid sleep 600 & echo child:$!; exit 3");
    let child = child(&spool, id);
    assert_eq!(spool.wait_final(id).exit_status, Some(3));
    assert!(!is_alive(child), "it is stopped");
    spool.wait_note(id, &format!("interrupted processes that the job left behind: process {child}"));
}

#[test]
fn what_is_left_and_ignores_the_interrupt_is_killed() {
    let spool = HostileSpool::new();
    let id = spool.shell("setsid sh -c 'trap \"\" INT TERM HUP; echo child:$$; while :; do sleep 1; done' & gate end");
    let child = child(&spool, id);
    spool.open_gate("end");
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    assert!(!is_alive(child));
    assert!(
        spool.notes(id).iter().any(|note| note.contains("because they did not end: process")),
        "{:?}",
        spool.notes(id)
    );
}

#[test]
fn leftovers_are_spared_where_the_job_type_says_so() {
    let spool = HostileSpool::with_configuration(
        "[job_types.daemon]\ncommand = [\"sh\", \"-c\", \"{script}\"]\nleftovers = \"leave\"\n\
         params = [{ name = \"script\", kind = \"string\" }]\n",
    );
    let id = spool.shell_as("daemon", "setsid sleep 600 & echo child:$!");
    let child = child(&spool, id);
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    assert!(is_alive(child));
    spool.wait_note(
        id,
        &format!("left processes of the job running (leftovers = \"leave\"): process {child}. They still have the output of the job"),
    );
    kill_process(child.unsigned_abs());

    let quiet = spool.shell_as("daemon", "echo child:$$; setsid sleep 600 >/dev/null 2>&1 & sleep 0.1; echo quiet:$!");
    spool.wait_final(quiet);
    assert!(
        !spool.notes(quiet).iter().any(|note| note.contains("left processes of the job running")),
        "{:?}",
        spool.notes(quiet)
    );
    let left = spool.lines(quiet).iter().find_map(|line| line.strip_prefix("quiet:")?.parse().ok());
    kill_process(left.unwrap());
}

#[test]
fn a_job_that_exits_0_because_it_was_stopped_is_not_shown_as_done() {
    let spool = HostileSpool::new();
    let id = spool.python("try:\n  put(question('go?') + '\\n'); answer()\nexcept KeyboardInterrupt: sys.exit(0)");
    spool.wait_prompt(id, 1);
    spool.signal(id, "carol", JobSignal::Interrupt);
    let status = spool.wait_final(id);
    assert_eq!((status.exit_status, status.outcome), (Some(0), Some(Outcome::Stopped)));
    assert_eq!(status.reason.as_deref(), Some("interrupted by carol, and exited with status 0"));
    assert_eq!(signals(&spool, id), [("carol".to_owned(), "interrupt".to_owned())]);
}

#[test]
fn a_signal_to_a_finished_job_is_noted_and_removed() {
    let spool = HostileSpool::new();
    let id = spool.shell("true");
    let before = spool.wait_final(id);
    spool.signal(id, "carol", JobSignal::Kill);
    spool.wait_note(id, "kill of carol refused: the job had ended");
    wait_until("the inbox is empty", || spool.names("inbox").is_empty());
    assert_eq!(spool.status(id).unwrap(), before);
    assert_eq!(spool.history_lines(id), 1);
}

#[test]
fn a_job_that_is_stopped_before_it_starts_is_cancelled_and_has_a_log() {
    let spool = HostileSpool::new();
    fs::write(spool.root().join("paused"), "maintenance").unwrap();
    let id = spool.shell("echo never");
    spool.signal(id, "carol", JobSignal::Kill);
    let status = spool.wait_final(id);
    assert_eq!((status.state, status.started_at), (State::Cancelled, None));
    assert_eq!(status.reason.as_deref(), Some("cancelled by carol before it started"));
    assert_eq!(signals(&spool, id), [("carol".to_owned(), "kill".to_owned())]);
    assert!(spool.lines(id).is_empty());
    wait_until("nothing is left of it", || spool.names("queue").is_empty() && spool.names("inbox").is_empty());
}

#[test]
fn a_job_that_ignores_the_interrupt_goes_on_until_it_is_killed() {
    let spool = HostileSpool::new();
    let id = spool.shell("trap 'echo ignored' INT; echo up; while :; do sleep 0.05; done");
    spool.wait_line(id, "up");
    spool.signal(id, "carol", JobSignal::Interrupt);
    spool.wait_line(id, "ignored");
    assert_eq!(spool.status(id).unwrap().state, State::Stopping);
    spool.signal(id, "dave", JobSignal::Kill);
    let status = spool.wait_final(id);
    assert_eq!((status.signal, status.reason.as_deref()), (Some(9), Some("killed by dave")));
    let expected =
        [("carol", "interrupt"), ("dave", "kill")].map(|(user, signal)| (user.to_owned(), signal.to_owned()));
    assert_eq!(signals(&spool, id), expected);
}

#[test]
fn an_interrupt_reaches_what_has_left_the_process_group() {
    let spool = HostileSpool::new();
    let inner = "trap \"echo inner; exit 3\" INT; echo up; while :; do sleep 0.05; done";
    let id = spool.shell(&format!("trap 'echo outer' INT; timeout 600 sh -c '{inner}'; echo after:$?"));
    spool.wait_line(id, "up");
    spool.signal(id, "carol", JobSignal::Interrupt);
    let status = spool.wait_final(id);
    assert_eq!(status.reason.as_deref(), Some("interrupted by carol, and exited with status 0"));
    for line in ["inner", "outer", "after:3"] {
        assert_eq!(spool.lines(id).iter().filter(|there| *there == line).count(), 1, "{:?}", spool.lines(id));
    }
}

#[test]
fn a_stopped_process_can_be_interrupted() {
    let spool = HostileSpool::new();
    let id = spool.python("put('up\\n')\nos.kill(os.getpid(), signal.SIGSTOP)");
    spool.wait_line(id, "up");
    let pid = spool.wait_status(id, "it says who it is", |status| status.process.is_some()).process.unwrap().pid;
    wait_until("it has stopped", || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") T "));
    spool.signal(id, "carol", JobSignal::Interrupt);
    let status = spool.wait_final(id);
    assert_eq!((status.state, status.reason.as_deref()), (State::Failed, Some("interrupted by carol")));
}

#[test]
fn a_kill_outruns_processes_that_multiply() {
    let spool = HostileSpool::new();
    // Each process starts the next in a session of its own and ends.
    let id = spool.python(
        "put('up\\n')\nif os.fork() == 0:\n  end = time.monotonic() + 30\n  while time.monotonic() < end:\n    \
         os.setsid() if os.getpid() != os.getsid(0) else None\n    time.sleep(0.002)\n    if os.fork(): os._exit(0)\n  \
         os._exit(0)\ntime.sleep(600)",
    );
    spool.wait_line(id, "up");
    spool.signal(id, "carol", JobSignal::Kill);
    let status = spool.wait_final(id);
    assert_eq!(status.reason.as_deref(), Some("killed by carol"));
    let marker = status.marker.unwrap();
    let left = spiderpig::runner::process::belonging(&marker, None, &std::collections::BTreeSet::new());
    assert_eq!(left, []);
}

#[test]
fn a_signal_that_is_no_signal_is_refused() {
    let spool = HostileSpool::new();
    let id = spool.shell("ask go");
    spool.wait_prompt(id, 1);
    for (number, text) in [r#"{"user":"bob","signal":"hangup"}"#, r#"{"user":"bob"}"#, "kill"].iter().enumerate() {
        spool.drop_file(&format!("inbox/{id}.signal.{number}.json"), text);
    }
    wait_until("all are refused", || {
        spool.notes(id).iter().filter(|note| note.contains("refused: it is not valid")).count() == 3
    });
    assert_eq!(spool.status(id).unwrap().state, State::Waiting);
    spool.answer(id, 1, "alice", "y");
    assert_eq!(spool.wait_final(id).outcome, Some(Outcome::Succeeded));
}

#[test]
fn a_job_is_stopped_at_its_time_limit() {
    let spool = HostileSpool::with_configuration(
        "stop_grace = \"500ms\"\n[job_types.limited]\ncommand = [\"sh\", \"-c\", \"{script}\"]\ntime_limit = \"1s\"\n\
         params = [{ name = \"script\", kind = \"string\" }]\n",
    );
    let obedient = spool.shell_as("limited", "ask forever");
    let status = spool.wait_final(obedient);
    assert_eq!((status.signal, status.outcome), (Some(2), Some(Outcome::TimedOut)));
    assert_eq!(status.reason.as_deref(), Some("stopped at the time limit of 1s"));
    spool.wait_note(obedient, "the time limit of 1s is reached; interrupting the job");

    let stubborn = spool.shell_as("limited", "trap '' INT; while :; do sleep 0.05; done");
    let status = spool.wait_final(stubborn);
    assert_eq!((status.signal, status.reason.as_deref()), (Some(9), Some("stopped at the time limit of 1s")));
    spool.wait_note(stubborn, "the job did not stop in time; killing it");

    let quick = spool.shell_as("limited", "true");
    assert_eq!(spool.wait_final(quick).outcome, Some(Outcome::Succeeded));
}
