//! The shell script that deploys a service.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;
use spiderpig::spool::inbox::JobSignal;
use spiderpig::spool::outcome::Outcome;

use super::{Examples, script, text};
use crate::demo::{by_hand, search_path};
use crate::support::wait_until;

/// What runs on a host.
fn release(hosts: &Path, host: &str) -> Option<String> {
    Some(fs::read_link(hosts.join(host).join("wiki")).ok()?.to_str().unwrap().to_owned())
}

fn run(hosts: &Path, more: &[&str], input: &str) -> (Option<i32>, String) {
    let mut command = script("shell/deploy.sh");
    command.env("DEPLOY_DIRECTORY", hosts).env("DEPLOY_SECONDS", "0").args(more);
    let output = by_hand(&mut command, input);
    (output.status.code(), text(&output))
}

#[test]
fn a_release_goes_to_one_host_and_then_to_the_others() {
    let examples = Examples::new();
    let params = json!({ "service": "wiki", "release": "1.2", "restart": true, "task": "T123" });
    let id = examples.post("deploy", &params);
    let question = examples.answer(id, 1, "");
    assert!(question.starts_with("web1 runs nothing\n"), "{question}");
    examples.answer(id, 2, "It is \"better\"; $(false)");
    assert_eq!(examples.answer(id, 3, "c"), "wiki 1.2 runs on web1. Go on with the others?");
    examples.ends_with(id, 0);

    let hosts = examples.path("hosts");
    for host in ["web1", "web2", "web3"] {
        assert_eq!(release(&hosts, host).as_deref(), Some("1.2"));
    }
    let log = fs::read_to_string(hosts.join("deployments.log")).unwrap();
    assert_eq!(log, "demo: wiki 1.2: It is \"better\"; $(false)\n");
    let statuses = [
        "Looking at wiki",
        "Deploying to web1",
        "Deploying to web2",
        "Deploying to web3",
        "Deployed wiki 1.2 to 3 hosts",
    ];
    assert!(examples.statuses(id).starts_with(&statuses.map(str::to_owned)), "{:?}", examples.statuses(id));
    assert_eq!(examples.progress(id).last(), Some(&("Hosts".to_owned(), 3, 3)));
    assert_eq!(examples.sensitive_lines(id), ["This release is for T123."]);
    assert!(examples.spool.lines(id).contains(&"web3: wiki is restarted".to_owned()));
    let job = examples.api.get(&format!("/api/jobs/{id}")).1;
    assert_eq!(job["job"]["params"]["task"], "•••");
}

#[test]
fn a_release_is_taken_back_if_somebody_says_so_or_a_host_does_not_get_well() {
    let examples = Examples::with(&[("/hosts\" }", "/hosts\", DEPLOY_SECONDS = \"0\" }")]);
    let hosts = examples.path("hosts");
    let deploy = |release| examples.drop("deploy", &json!({ "service": "wiki", "release": release }));

    let id = deploy("1");
    examples.answer(id, 1, "a");
    examples.answer(id, 2, "");
    examples.ends_with(id, 0);
    let log = fs::read_to_string(hosts.join("deployments.log")).unwrap();
    assert_eq!(log, "carol: wiki 1: no reason given\n");

    let id = deploy("2");
    examples.answer(id, 1, "o");
    examples.answer(id, 2, "");
    examples.answer(id, 3, "");
    assert_eq!(examples.ends_with(id, 1).outcome, Some(Outcome::RolledBack));
    assert!(examples.statuses(id).contains(&"Rolled back: wiki 2 is not deployed".to_owned()));
    assert_eq!(release(&hosts, "web1").as_deref(), Some("1"));

    fs::write(hosts.join("web2/broken"), "").unwrap();
    let id = deploy("3");
    examples.answer(id, 1, "a");
    examples.answer(id, 2, "");
    assert_eq!(examples.ends_with(id, 3).outcome, Some(Outcome::RolledBack));
    let lines = examples.spool.lines(id);
    assert!(lines.contains(&"Error: web2 does not get well with 3.".to_owned()), "{lines:?}");
    for host in ["web1", "web2", "web3"] {
        assert_eq!(release(&hosts, host).as_deref(), Some("1"));
    }

    let id = deploy("4");
    examples.answer(id, 1, "n");
    assert_eq!(examples.ends_with(id, 1).outcome, Some(Outcome::CancelledAtPrompt));
    assert!(examples.statuses(id).contains(&"Cancelled: wiki 4 is not deployed".to_owned()));
}

#[test]
fn an_interrupt_takes_back_what_was_done() {
    let examples = Examples::with(&[("/hosts\" }", "/hosts\", DEPLOY_SECONDS = \"600\" }")]);
    let hosts = examples.path("hosts");
    let params = json!({ "service": "wiki", "release": "1", "hosts": ["web1"] });

    let id = examples.post("deploy", &params);
    examples.answer(id, 1, "");
    examples.answer(id, 2, "");
    wait_until("the release is on its way", || release(&hosts, "web1").is_some());
    examples.spool.signal(id, "carol", JobSignal::Interrupt);
    examples.ends_with(id, 130);
    assert_eq!(release(&hosts, "web1"), None);
    assert!(examples.statuses(id).contains(&"Rolled back: wiki 1 is not deployed".to_owned()));

    // While it asks, there is nothing to take back yet.
    let id = examples.drop("deploy", &params);
    examples.answer(id, 1, "");
    examples.spool.wait_prompt(id, 2);
    examples.spool.signal(id, "carol", JobSignal::Interrupt);
    examples.spool.wait_final(id);
    assert_eq!(examples.statuses(id).first().unwrap(), "Looking at wiki");
    assert!(!examples.statuses(id).contains(&"Rolling back".to_owned()));
}

#[test]
fn it_works_by_hand() {
    let directory = tempfile::tempdir().unwrap();
    let hosts = directory.path();
    let (code, text) = run(hosts, &["--task", "T1", "wiki", "1", "web1", "web2"], "x\no\nso\nc\n");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("“x” is not a choice") && text.contains("This release is for T1."), "{text}");
    assert!(!text.contains("iokey"));

    // Nobody can say whether to go on, so it is taken back.
    let (code, text) = run(hosts, &["wiki", "2", "web1", "web2"], "o\nso\n");
    assert_eq!(code, Some(1), "{text}");
    assert_eq!(release(hosts, "web1").as_deref(), Some("1"));

    for wrong in [&["wiki", "1"][..], &["--task"], &["--no-such-option", "wiki", "1", "web1"]] {
        let (code, text) = run(hosts, wrong, "");
        assert!(code == Some(2) && text.contains("usage: "), "{text}");
    }
}

/// Whoever is interrupted while a question of its is open, ends; at a terminal and in SpiderPig alike.
#[test]
fn a_helper_that_is_interrupted_ends_the_script() {
    for shell in ["sh", "bash"] {
        let script = "set -eu; trap 'exit 130' INT; trap 'echo tidied; trap - EXIT' EXIT\n\
                      answer=$(spiderpig-runner job ask 'Who?'); echo \"went on with $answer\"";
        // A test that runs in the background ignores interrupts, and so would all that it starts.
        let mut command = Command::new("setsid");
        // A session of its own, as SpiderPig makes one: both get the signal, and no terminal is asked.
        command.args(["env", "--default-signal=INT", shell]);
        command.args(["-c", script]).env_clear().env("PATH", search_path());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut question = [0; 4];
        std::io::Read::read_exact(child.stderr.as_mut().unwrap(), &mut question).unwrap();
        let group = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process_group(group, rustix::process::Signal::INT).unwrap();
        // Standard input stays open: it is not its end that ends the script.
        let stdin = child.stdin.take();
        let output = child.wait_with_output().unwrap();
        drop(stdin);
        assert_eq!((output.status.code(), text(&output)), (Some(130), "tidied\n: ".to_owned()), "{shell}");
    }
}
