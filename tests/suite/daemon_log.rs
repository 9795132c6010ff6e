//! The daemons' own logs: whoever takes their lines, or does not, keeps no job from running.

use std::fs;
use std::io::{PipeReader, PipeWriter, Read as _, Write as _, pipe};
use std::process::Stdio;

use rustix::io::ioctl_fionbio;
use spiderpig::spool::status::State;

use crate::support::{Daemon, TestSpool, wait_for, wait_until};

/// A pipe that takes not one byte more, and its other end.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    ioctl_fionbio(&writer, true).unwrap();
    while writer.write(&[b'x'; 4096]).is_ok() {}
    ioctl_fionbio(&writer, false).unwrap();
    (reader, writer)
}

/// A runner that says all that it can to this standard error.
fn runner(spool: &TestSpool, stderr: impl Into<Stdio>) -> Daemon {
    let mut command = spool.command("spiderpig-runner");
    let runner = spool.spawn(command.env("RUST_LOG", "trace").stdout(Stdio::null()).stderr(stderr));
    wait_until("the runner is up", || spool.root().join("runner.json").exists());
    runner
}

/// Fifty jobs run and end, and so does the runner.
#[track_caller]
fn works_and_leaves(spool: &TestSpool, runner: Daemon) {
    let jobs: Vec<_> = (0..50).map(|_| spool.submit("noop", serde_json::json!({}))).collect();
    for id in jobs {
        assert_eq!(spool.wait_final(id).state, State::Succeeded);
    }
    assert!(runner.terminate().success());
}

#[test]
fn a_runner_whose_log_nobody_reads_goes_on() {
    let spool = TestSpool::new();
    let (_reader, writer) = full_pipe();
    let runner = runner(&spool, writer);
    works_and_leaves(&spool, runner);
}

#[test]
fn a_runner_whose_log_has_lost_its_reader_goes_on() {
    let spool = TestSpool::new();
    let (reader, writer) = pipe().unwrap();
    let runner = runner(&spool, writer);
    drop(reader);
    works_and_leaves(&spool, runner);
}

#[test]
fn a_runner_whose_log_is_on_a_full_disk_goes_on() {
    let spool = TestSpool::new();
    let runner = runner(&spool, fs::File::options().write(true).open("/dev/full").unwrap());
    works_and_leaves(&spool, runner);
}

#[test]
fn a_runner_says_what_it_has_to_say_when_somebody_reads_again() {
    let spool = TestSpool::new();
    let (mut reader, writer) = full_pipe();
    let runner = runner(&spool, writer);
    let id = spool.submit("noop", serde_json::json!({}));
    spool.wait_final(id);
    let text = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).map(|_| text).unwrap()
    });
    assert!(runner.terminate().success());
    let text = text.join().unwrap();
    assert!(text.contains("the runner is up") && text.contains("claimed job=1"), "{text}");
}

#[test]
fn a_runner_that_cannot_start_says_why_or_ends_without_a_word() {
    let spool = TestSpool::new();
    let _first = spool.runner();
    let mut second = spool.command("spiderpig-runner");
    let output = second.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.lines().last().unwrap().starts_with("spiderpig-runner: "), "{said}");
    assert_eq!(output.status.code(), Some(1));

    let (_reader, writer) = full_pipe();
    let mut third = spool.spawn(second.stdout(Stdio::null()).stderr(writer));
    let status = wait_for("it ends all the same", || third.child.try_wait().unwrap());
    assert_eq!(status.code(), Some(1));
}

#[test]
fn an_api_whose_log_cannot_be_written_answers() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let socket = spool.path().join("api.socket");
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = spool.command("spiderpig-api");
    command.arg("--listen").arg(format!("unix:{}", socket.display()));
    let api = spool.spawn(command.env("RUST_LOG", "trace").stdout(Stdio::null()).stderr(full));
    wait_until("the API listens", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
    assert!(api.terminate().success());
}
