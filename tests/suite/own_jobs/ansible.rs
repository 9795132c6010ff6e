//! The Ansible playbook. `make test` installs Ansible into `target/python`; nothing here needs a network.

use std::fs;
use std::path::Path;

use serde_json::json;
use spiderpig::spool::JobId;
use spiderpig::spool::inbox::JobSignal;
use spiderpig::spool::outcome::Outcome;

use super::{Examples, script, text};
use crate::demo::{by_hand, repository};
use crate::support::wait_until;

/// The release that runs on a host.
fn release(hosts: &Path, host: &str) -> Option<String> {
    Some(fs::read_link(hosts.join(host).join("current")).ok()?.to_str().unwrap().to_owned())
}

/// Waits until a job does something. Ansible takes its time, and each wait has its own deadline.
#[track_caller]
fn reaches(examples: &Examples, id: JobId, phase: &str) {
    wait_until(phase, || examples.statuses(id).iter().any(|status| status == phase));
}

#[test]
fn a_playbook_shows_what_it_would_do_and_asks_in_its_middle() {
    let examples = Examples::new();
    let hosts = examples.path("web");
    let id = examples.post("ansible", &json!({ "release": "1.0", "limit": ["web1", "web2"], "verbosity": "-v" }));
    reaches(&examples, id, "Check: Deploy to the other hosts");
    assert_eq!(examples.answer(id, 1, "y"), "This is what 1.0 would change. Deploy it?");
    assert!(examples.spool.lines(id).iter().any(|line| line.contains("release = 1.0")), "the difference is shown");
    examples.spool.wait_prompt(id, 2);
    assert_eq!((release(&hosts, "web1").as_deref(), release(&hosts, "web2")), (Some("1.0"), None));
    assert_eq!(examples.answer(id, 2, "c"), "1.0 runs on web1. Go on with the others?");
    reaches(&examples, id, "Deploy to the other hosts");
    examples.ends_with(id, 0);

    assert_eq!(release(&hosts, "web2").as_deref(), Some("1.0"));
    assert_eq!(fs::read_to_string(hosts.join("web2/1.0/settings")).unwrap(), "host = web2\nrelease = 1.0\n");
    assert!(!hosts.join("web3").exists(), "the job was limited to two hosts");
    let statuses = [
        "Check: Deploy to the first host",
        "Check: Deploy to the other hosts",
        "Deploy to the first host",
        "Deploy to the other hosts",
        "Deployed 1.0",
    ];
    assert!(examples.statuses(id).starts_with(&statuses.map(str::to_owned)), "{:?}", examples.statuses(id));
    let progress = examples.progress(id);
    assert_eq!(progress.last(), Some(&("See that the host is well".to_owned(), 5, 6)), "{progress:?}");
    assert_eq!(progress.iter().filter(|(task, ..)| task == "Ask whether to go on").count(), 2, "{progress:?}");
}

#[test]
fn a_playbook_rolls_back_if_somebody_says_so_or_a_host_does_not_get_well() {
    let examples = Examples::new();
    let hosts = examples.path("web");
    let id = examples.drop("ansible", &json!({ "release": "1.0", "limit": ["web1", "web2"] }));
    reaches(&examples, id, "Check: Deploy to the other hosts");
    examples.answer(id, 1, "y");
    examples.answer(id, 2, "");
    assert_eq!(examples.ends_with(id, 2).outcome, Some(Outcome::RolledBack));
    assert_eq!((release(&hosts, "web1"), hosts.join("web2").exists()), (None, false));
    let lines = examples.spool.lines(id);
    let error = "Error: web1 failed at “End as a failure”: Rolled back, as somebody said so";
    assert!(lines.contains(&error.to_owned()), "{lines:#?}");

    fs::create_dir(hosts.join("web2")).unwrap();
    fs::write(hosts.join("web2/broken"), "").unwrap();
    let id = examples.post("ansible", &json!({ "release": "1.1", "limit": ["web2"] }));
    examples.answer(id, 1, "y");
    examples.ends_with(id, 2);
    assert_eq!(release(&hosts, "web2"), None);
    let lines = examples.spool.lines(id);
    let error = "Error: web2 failed at “See that the host is well”: It does not get well";
    assert!(lines.contains(&error.to_owned()), "{lines:#?}");
}

#[test]
fn a_playbook_that_asks_can_be_stopped() {
    let examples = Examples::new();
    let params = json!({ "release": "1.0", "limit": ["web1"], "tags": ["install", "activate"] });
    let id = examples.post("ansible", &params);
    examples.answer(id, 1, "y");
    examples.spool.wait_prompt(id, 2);
    examples.spool.signal(id, "carol", JobSignal::Interrupt);
    examples.ends_with(id, 130);

    let id = examples.post("ansible", &params);
    examples.answer(id, 1, "");
    assert_eq!(examples.ends_with(id, 1).outcome, Some(Outcome::CancelledAtPrompt));
    assert_eq!(examples.statuses(id)[1], "Check: Deploy to the other hosts");
    assert!(examples.statuses(id).contains(&"Cancelled: nothing was changed".to_owned()));
}

#[test]
fn without_ansible_it_says_how_to_get_it() {
    let examples = Examples::with(&[("@ROOT@/target/python/bin/ansible-playbook", "/nowhere/ansible-playbook")]);
    let id = examples.drop("ansible", &json!({ "release": "1.0" }));
    examples.ends_with(id, 127);
    let lines = examples.spool.lines(id);
    assert!(lines[0].starts_with("Error: /nowhere/ansible-playbook is not there. Install Ansible"), "{lines:?}");
}

#[test]
fn by_hand_a_question_that_nobody_can_answer_is_a_failure() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = script("ansible/run.sh");
    command.args(["1.0", "--limit", "web1"]).env("DEPLOY_DIRECTORY", directory.path());
    command.env("ANSIBLE_PLAYBOOK", repository().join("target/python/bin/ansible-playbook"));
    let output = by_hand(&mut command, "y\n");
    let text = text(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("Standard input ended before the question was answered"), "{text}");
    assert!(text.contains("1.0 runs on web1. Go on with the others? (default: [r]): "), "{text}");
    assert!(!text.contains("iokey"));
}
