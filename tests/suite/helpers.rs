//! The helpers of job scripts: each gets the answer to its own question, from a person, and never what happens to stand
//! on its standard input.

use std::fs;
use std::io::Write as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};

use spiderpig::spool::JobId;
use spiderpig::spool::inbox::JobSignal;
use spiderpig::spool::log::RecordKind;
use spiderpig::spool::outcome::Outcome;
use spiderpig::spool::status::State;

use crate::client;
use crate::demo::search_path;
use crate::hostile::HostileSpool;
use crate::support::{TestSpool, pid_namespace, program, wait_until};

/// A loop that reads a list, which a helper in it shares.
const LIST: &str = r#"#!/bin/bash
printf 'mw1\nmw2\n' | while read host; do
    v=$(spiderpig-runner job ask "Which version for $host?") || exit 1
    echo "deploying version [$v] to $host"
done
"#;

/// Two parts of a job that ask at the same time.
const TWO: &str = r#"#!/bin/bash
exec 3<&0
(a=$(spiderpig-runner job choose "Drop the database?" --choice Yes=y --choice No=n <&3); echo "DROP=$a") &
sleep 0.7
(b=$(spiderpig-runner job choose "Continue with the cache?" --choice Yes=y --choice No=n <&3); echo "CONTINUE=$b") &
wait
"#;

/// Starts a script that calls helpers by their name. `job` is a helper, too.
fn start(spool: &HostileSpool, script: &str) -> JobId {
    spool.shell(&format!("PATH='{}'; job() {{ spiderpig-runner job \"$@\"; }}\n{script}", search_path()))
}

/// Starts a program in a file of its own, as a job type would.
fn start_file(spool: &HostileSpool, name: &str, text: &str) -> JobId {
    let file = spool.path().join(name);
    fs::write(&file, text).unwrap();
    start(spool, &format!("exec bash {}", file.display()))
}

/// Waits for a question with this text. Returns its number.
#[track_caller]
fn wait_question(spool: &HostileSpool, id: JobId, text: &str) -> u32 {
    let is_it = |open: &spiderpig::spool::status::Interaction| open.prompt == text;
    let status = spool.wait_status(id, text, |status| status.interaction.as_ref().is_some_and(is_it));
    status.interaction.unwrap().id
}

/// The name of the socket at which a job's supervisor listens.
fn socket(spool: &HostileSpool, id: JobId) -> String {
    let status = spool.wait_status(id, "its process is known", |status| status.process.is_some());
    let environment = fs::read(format!("/proc/{}/environ", status.process.unwrap().pid)).unwrap();
    let variables = String::from_utf8_lossy(&environment).into_owned();
    let socket = variables.split('\0').find_map(|variable| variable.strip_prefix("SPIDERPIG_ASK_SOCKET="));
    socket.unwrap().to_owned()
}

/// Waits until so many are connected to a supervisor.
#[track_caller]
fn wait_connections(socket: &str, count: usize) {
    wait_until(&format!("{count} are connected"), || {
        let sockets = fs::read_to_string("/proc/net/unix").unwrap();
        sockets.lines().filter(|line| line.ends_with(&format!(" @{socket}"))).count() == count + 1
    });
}

fn connect(socket: &str) -> UnixStream {
    UnixStream::connect_addr(&SocketAddr::from_abstract_name(socket).unwrap()).unwrap()
}

/// Who answered what.
fn answers(spool: &TestSpool, id: JobId) -> Vec<(u32, String)> {
    let answer = |kind| match kind {
        RecordKind::Response { response, interaction, .. } => Some((interaction, response)),
        _ => None,
    };
    spool.log(id).into_iter().filter_map(|record| answer(record.kind)).collect()
}

#[test]
fn a_list_that_a_loop_reads_answers_nothing() {
    let spool = HostileSpool::new();
    let id = start_file(&spool, "list", LIST);
    assert_eq!(wait_question(&spool, id, "Which version for mw1?"), 1);
    spool.answer(id, 1, "alice", "1.44");
    assert_eq!(wait_question(&spool, id, "Which version for mw2?"), 2);
    spool.answer(id, 2, "bob", "1.45");
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    let lines: Vec<_> = spool.lines(id).into_iter().filter(|line| line.starts_with("deploying")).collect();
    assert_eq!(lines, ["deploying version [1.44] to mw1", "deploying version [1.45] to mw2"]);
    assert_eq!(answers(&spool, id), [(1, "1.44".to_owned()), (2, "1.45".to_owned())]);
}

#[test]
fn two_parts_of_a_job_that_ask_at_once_get_the_answers_to_their_own_questions() {
    let spool = HostileSpool::new();
    let id = start_file(&spool, "two", TWO);
    assert_eq!(wait_question(&spool, id, "Drop the database?"), 1);
    wait_connections(&socket(&spool, id), 2);
    assert_eq!(wait_question(&spool, id, "Drop the database?"), 1);
    spool.answer(id, 1, "alice", "n");
    assert_eq!(wait_question(&spool, id, "Continue with the cache?"), 2);
    spool.answer(id, 2, "bob", "y");
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    let lines = spool.lines(id);
    assert!(lines.contains(&"DROP=n".to_owned()) && lines.contains(&"CONTINUE=y".to_owned()), "{lines:#?}");
    assert_eq!(spool.notes(id), [""; 0]);
}

#[test]
fn many_helpers_at_once_get_an_answer_each() {
    let spool = HostileSpool::new();
    let script = "for i in $(seq 20); do (a=$(job ask \"question $i\"); echo \"$i got $a\") & done; wait";
    let id = start(&spool, script);
    for number in 1..=20 {
        let question = spool.wait_prompt(id, number).interaction.unwrap().prompt;
        spool.answer(id, number, "alice", &format!("the answer to {question}"));
    }
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    let lines = spool.lines(id);
    for i in 1..=20 {
        assert!(lines.contains(&format!("{i} got the answer to question {i}")), "{lines:#?}");
    }
}

#[test]
fn a_helper_that_ends_takes_its_question_along() {
    let spool = HostileSpool::new();
    let id = start(
        &spool,
        "timeout 1 spiderpig-runner job ask 'Who?' || echo \"status $?\"; gate next\n\
         spiderpig-runner job ask One & one=$!; gate two; (echo \"two: $(job ask Two)\") & gate kill; kill -9 $one; wait",
    );
    spool.wait_note(id, "prompt 1 was withdrawn: the helper that asked has ended");
    let status = spool.wait_status(id, "it goes on", |status| status.state == State::Running);
    assert_eq!(status.interaction, None);
    spool.answer(id, 1, "alice", "y");
    spool.wait_note(id, "answer of alice to prompt 1 refused: prompt 1 is closed: the helper that asked has ended");
    spool.wait_line(id, "status 124");

    spool.open_gate("next");
    assert_eq!(wait_question(&spool, id, "One"), 2);
    spool.open_gate("two");
    wait_connections(&socket(&spool, id), 2);
    spool.open_gate("kill");
    spool.wait_note(id, "prompt 2 was withdrawn");
    assert_eq!(wait_question(&spool, id, "Two"), 3);
    spool.answer(id, 3, "alice", "y");
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    assert!(spool.lines(id).contains(&"two: y".to_owned()));
}

#[test]
fn a_question_that_moved_up_goes_with_its_helper() {
    let spool = HostileSpool::new();
    let id = start(
        &spool,
        "job ask First & gate second; spiderpig-runner job ask Second & second=$!; gate kill; kill -9 $second; gate end",
    );
    assert_eq!(wait_question(&spool, id, "First"), 1);
    spool.open_gate("second");
    wait_connections(&socket(&spool, id), 2);
    spool.answer(id, 1, "alice", "y");
    assert_eq!(wait_question(&spool, id, "Second"), 2);
    spool.open_gate("kill");
    spool.wait_note(id, "prompt 2 was withdrawn: the helper that asked has ended");
    spool.open_gate("end");
    assert_eq!(spool.wait_final(id).interaction, None);
}

#[test]
fn what_a_job_still_asks_at_its_end_is_told() {
    let spool = HostileSpool::new();
    let id = start(&spool, "job ask 'Who?' & gate end; kill -9 $$");
    assert_eq!(wait_question(&spool, id, "Who?"), 1);
    spool.open_gate("end");
    assert_eq!(spool.wait_final(id).interaction, None);
    assert_eq!(spool.notes(id)[0], "prompt 1 was not answered: the job has ended");
}

#[test]
fn a_stop_ends_a_helper_or_its_question_is_asked_again() {
    let spool = HostileSpool::new();
    let id = start(&spool, "trap 'echo interrupted; exit 3' INT; a=$(job ask 'Who?'); echo \"went on: $a\"");
    spool.wait_prompt(id, 1);
    spool.signal(id, "carol", JobSignal::Interrupt);
    let status = spool.wait_final(id);
    assert_eq!((status.exit_status, status.outcome), (Some(3), Some(Outcome::Stopped)));
    assert_eq!((spool.lines(id).last().unwrap().as_str(), spool.notes(id).len()), ("interrupted", 0));

    // What a shell starts in the background ignores interrupts.
    let id = start(&spool, "(a=$(job ask 'Who?'); echo \"got $a\") & trap : INT; while ! wait; do :; done; wait");
    spool.wait_prompt(id, 1);
    spool.signal(id, "carol", JobSignal::Interrupt);
    assert_eq!(spool.wait_prompt(id, 2).interaction.unwrap().prompt, "Who?");
    spool.answer(id, 1, "alice", "one");
    spool.wait_note(id, "answer of alice to prompt 1 refused: prompt 1 is closed");
    spool.answer(id, 2, "alice", "two");
    spool.wait_final(id);
    assert_eq!(spool.lines(id).last().unwrap(), "got two");
}

#[test]
fn what_was_printed_before_stands_before_the_question() {
    let spool = HostileSpool::new();
    let id = start(&spool, "seq 200000; printf 'no newline'; job ask 'Who?'");
    spool.wait_prompt(id, 1);
    let before: Vec<_> = spool.lines(id).into_iter().rev().take(3).collect();
    assert_eq!(before, ["Who?: ", "no newline", "200000"]);
    spool.answer(id, 1, "alice", "y");
    spool.wait_final(id);
}

#[test]
fn the_jobs_own_questions_and_those_of_helpers_wait_for_each_other() {
    let spool = HostileSpool::new();
    let id = start(
        &spool,
        "show one; gate two; show two; (echo \"helper: $(job ask Helper)\") & gate three; show three\n\
         read -r reply; echo \"own: $reply\"; wait",
    );
    spool.wait_prompt(id, 1);
    spool.open_gate("two");
    assert_eq!(wait_question(&spool, id, "two"), 2);
    spool.wait_note(id, "prompt 1 was not answered: the job has asked something else");
    let socket = socket(&spool, id);
    wait_connections(&socket, 1);
    spool.open_gate("three");
    spool.wait_note(id, "prompt 2 was not answered: the job has asked something else");
    // The helper is connected, and may ask before or after the third question of the job.
    for number in [3, 4] {
        let asked = spool.wait_prompt(id, number).interaction.unwrap().prompt;
        spool.answer(id, number, "alice", if asked == "Helper" { "for the helper" } else { "y" });
    }
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    let lines = spool.lines(id);
    for line in ["helper: for the helper", "own: y"] {
        assert!(lines.contains(&line.to_owned()), "{lines:#?}");
    }
}

#[test]
fn strangers_learn_nothing_keep_nobody_out_and_cost_little() {
    let spool = HostileSpool::new();
    let id = start(&spool, "gate ask; echo \"got $(job ask 'Who?')\"");
    let socket = socket(&spool, id);
    let silent: Vec<_> = (0..10).map(|_| connect(&socket)).collect();
    let key = format!("0x{}\n", "0".repeat(64));
    let question = "{\"type\":\"interaction\",\"subtype\":\"input_line\",\"prompt\":\"Password?\",\"iokey\":\"0x0\"}\n";
    let garbage = "x".repeat(1 << 20);
    for text in [&(key + question), question, "\n", &garbage] {
        for _ in 0..50 {
            // The supervisor closes it before it has read all that.
            let _ = connect(&socket).write_all(text.as_bytes());
        }
    }
    spool.open_gate("ask");
    assert_eq!(wait_question(&spool, id, "Who?"), 1);
    // Strangers may come while helpers ask, too.
    let more: Vec<_> = (0..100).map(|_| connect(&socket)).collect();
    spool.answer(id, 1, "alice", "y");
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    assert_eq!(spool.lines(id).last().unwrap(), "got y");
    assert_eq!((spool.notes(id).len(), answers(&spool, id).len()), (0, 1));
    drop((silent, more));
}

#[test]
fn a_supervisor_stays_small_whatever_connects() {
    let spool = HostileSpool::new();
    let id = start(&spool, "gate end");
    let socket = socket(&spool, id);
    let pid = spool.status(id).unwrap().supervisor.unwrap().pid;
    let peak = || -> u64 {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim();
        line.strip_suffix(" kB").unwrap().parse().unwrap()
    };
    let before = peak();
    let garbage = vec![b'0'; 64 << 10];
    for _ in 0..500 {
        let _ = connect(&socket).write_all(&garbage);
    }
    wait_connections(&socket, 0);
    let grown = peak() - before;
    assert!(grown < 4096, "{grown} KiB more");
    spool.open_gate("end");
    spool.wait_final(id);
}

#[test]
fn where_the_supervisor_cannot_be_reached_only_the_jobs_own_input_answers() {
    let spool = HostileSpool::new();
    let id = start(
        &spool,
        "export SPIDERPIG_ASK_SOCKET=nowhere; exec 3<&0\n\
         echo y | job ask 'From a pipe?' || echo \"status $?\"\n\
         echo \"own: $(job ask 'From the job?')\"\n\
         # As a supervisor of an earlier version left it.\n\
         unset SPIDERPIG_ASK_SOCKET SPIDERPIG_STDIN\n\
         echo y | job ask 'From a pipe?' || echo \"status $?\"\n\
         echo y | (echo \"again: $(job ask 'From the job?' <&3)\")",
    );
    spool.wait_prompt(id, 1);
    spool.answer(id, 1, "alice", "one");
    spool.wait_prompt(id, 2);
    spool.answer(id, 2, "alice", "two");
    spool.wait_final(id);
    let lines: Vec<_> = spool.lines(id).into_iter().filter(|line| !line.contains("exec 3<&0")).collect();
    let expected =
        ["status 1", "From the job?: ", "own: one", "status 1", "From the job?: ", "again: two"].map(str::to_owned);
    assert_eq!(lines, expected);
    let told = spool.lines(id).into_iter().filter(|line| {
        line.starts_with("spiderpig-runner: cannot ask anybody: ")
            && line.contains("give it the job's own standard input")
    });
    assert_eq!(told.count(), 2);
}

#[test]
fn a_choice_that_nobody_could_answer_ends_the_helper() {
    let spool = HostileSpool::new();
    let long = "x".repeat(4001);
    let id =
        start(&spool, &format!("set -e; job choose 'On?' --choice Odd={long} || echo \"status $?\"; job status done"));
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    let lines = spool.lines(id);
    assert!(lines[0].contains("the question was not asked: the code of the choice “Odd” has 4001 bytes"), "{lines:?}");
    assert_eq!((lines.last().unwrap().as_str(), answers(&spool, id).len()), ("status 1", 0));
}

#[test]
fn the_answer_to_a_sensitive_question_reaches_the_job_and_nobody_else() {
    let spool = TestSpool::with_api("");
    let runner = spool.start_runner(spool.command("spiderpig-runner").env("PATH", search_path()));
    let api = client::start(&spool);
    let gate = spool.path().join("gate");
    let id = spool.submit_script(&format!(
        "p=$(spiderpig-runner job ask --sensitive Password?); echo \"${{#p}} letters\"; until [ -e {} ]; do sleep 0.01; done",
        gate.display()
    ));
    let interaction = spool.wait_prompt(id, 1).interaction.unwrap();
    assert!(interaction.sensitive);
    wait_until("the answer is taken", || api.answer(id.into(), 1, "hunter2!").0 == 200);
    wait_until("the job has it", || spool.lines(id).contains(&"8 letters".to_owned()));
    // The first answer wins, and is hidden from those that come later.
    let (code, late) = api.answer(id.into(), 1, "other");
    assert_eq!((code, &late["detail"]["response"]), (409, &serde_json::json!("•••")), "{late}");
    assert_eq!(answers(&spool, id), [(1, "•••".to_owned())]);
    let everything = Command::new("grep").args(["-r", "-l", "hunter2!"]).arg(spool.path()).output().unwrap();
    assert_eq!(String::from_utf8(everything.stdout).unwrap(), "");
    fs::write(&gate, "").unwrap();
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    wait_until("it is tidied up", || spool.history_lines(id) == 1);
    assert_eq!(spool.notes(id), [""; 0]);
    let output = fs::read_to_string(spool.job(id).directory().join("output.log")).unwrap();
    assert!(output.contains(" answered: •••]"), "{output}");
    drop(runner);
}

#[test]
fn what_does_not_fit_a_sensitive_question_is_refused_without_telling_it() {
    let spool = HostileSpool::new();
    let id = start(&spool, "job choose 'Which?' --sensitive --choice Red=r --choice Blue=b");
    spool.wait_prompt(id, 1);
    spool.answer(id, 1, "alice", "hunter2");
    spool.wait_note(id, "answer of alice to prompt 1 refused: it is no answer to this prompt");
    // The note comes before the letter goes.
    let letter = format!("{id}.response.1.json");
    wait_until("the answer is gone", || !spool.names("inbox").contains(&letter));
    spool.drop_file(&format!("inbox/{letter}"), r#"{"user":"alice","response":222333444}"#);
    spool.wait_note(id, "refused: it is not valid");
    wait_until("that is gone, too", || !spool.names("inbox").contains(&letter));
    spool.answer(id, 1, "alice", "r");
    spool.wait_final(id);
    let told = spool.notes(id).concat();
    assert!(!told.contains("hunter2") && !told.contains("222333444"), "{told}");
    assert_eq!(answers(&spool, id), [(1, "•••".to_owned())]);
}

/// Runs a shell script at a terminal, and types this.
fn at_terminal(script: &str, typed: &str) -> String {
    const TERMINAL: &str = "import os, pty, sys, signal\n\
        signal.alarm(60)\n\
        child, terminal = pty.fork()\n\
        if child == 0: os.execv('/bin/sh', ['sh', '-c', sys.argv[1]])\n\
        os.write(terminal, sys.argv[2].encode())\n\
        shown = b''\n\
        try:\n\
        \x20 while piece := os.read(terminal, 4096): shown += piece\n\
        except OSError: pass\n\
        os.waitpid(child, 0)\n\
        sys.stdout.write(shown.decode())";
    let mut command = Command::new("python3");
    command.args(["-c", TERMINAL, script, typed]).env_remove("SPIDERPIG_IO_KEY").env("PATH", search_path());
    let output = command.stdin(Stdio::null()).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn at_a_terminal_people_answer_and_no_list() {
    let directory = tempfile::tempdir().unwrap();
    let got = directory.path().join("got");
    let loops = format!(
        "printf 'mw1\\nmw2\\n' | while read host; do spiderpig-runner job ask \"Version for $host?\" >>{}; done",
        got.display()
    );
    let shown = at_terminal(&loops, "one\ntwo\n");
    assert_eq!(fs::read_to_string(&got).unwrap(), "one\ntwo\n", "{shown}");
    assert!(shown.contains("Version for mw2?: "), "{shown}");

    // The question is seen, wherever messages go.
    let hidden = format!("echo y | spiderpig-runner job ask 'Who?' 2>/dev/null >{}", got.display());
    let shown = at_terminal(&hidden, "three\n");
    assert!(shown.contains("Who?: "), "{shown}");
    assert_eq!(fs::read_to_string(&got).unwrap(), "three\n");

    // Without a terminal there is nobody but who wrote into the pipe.
    let mut command = Command::new("setsid");
    command.args(["--wait", "sh", "-c", "yes | spiderpig-runner job choose Go? --choice Yes=y --choice No=n"]);
    let output = command.env_remove("SPIDERPIG_IO_KEY").env("PATH", search_path()).output().unwrap();
    assert_eq!(output.stdout, b"y\n");
}

#[test]
fn a_helper_by_hand_with_a_key_of_nowhere_says_what_to_do() {
    let helper = |input: Stdio| {
        let mut command = Command::new(program("spiderpig-runner"));
        command.args(["job", "ask", "Who?"]).env_clear().env("SPIDERPIG_IO_KEY", "0xkey").stdin(input);
        command.output().unwrap()
    };
    let output = helper(fs::File::open(Path::new("/dev/null")).unwrap().into());
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]));
    assert!(text.contains("the variable SPIDERPIG_ASK_SOCKET is not set"), "{text}");
    // A job whose supervisor has gone.
    let mut command = Command::new(program("spiderpig-runner"));
    command
        .args(["job", "ask", "Who?"])
        .env("SPIDERPIG_IO_KEY", "0xkey")
        .env("SPIDERPIG_ASK_SOCKET", "spiderpig-ask-gone");
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("the socket spiderpig-ask-gone cannot be reached"));
}

#[test]
fn a_helper_whose_session_is_led_from_another_namespace_says_what_to_do() {
    let Some(namespace) = pid_namespace() else { return };
    for input in [Stdio::null(), Stdio::piped()] {
        let mut command = Command::new("unshare");
        command.args(namespace).arg(program("spiderpig-runner")).args(["job", "ask", "Who?"]);
        let output = command.env("SPIDERPIG_IO_KEY", "0xkey").stdin(input).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]), "{text}");
        assert!(text.contains("the variable SPIDERPIG_ASK_SOCKET is not set"), "{text}");
    }
}
