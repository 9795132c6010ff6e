//! Recipes that change something.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[test]
fn answer_a_prompt() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let gate = spool.path().join("gate");
    let id = spool.submit_script(&format!("{ASK} ask go; {}", wait_for_file(&gate)));
    spool.wait_prompt(id, 1);
    let mut recipe = recipe(&spool, "Answer a prompt");
    recipe.set("N", id).set("PROMPT", 1);
    assert_eq!(recipe.set("ANSWER", "y").prints(), "");
    wait_until("the job has it", || spool.lines(id).last().is_some_and(|line| line == "got:y"));
    let (_, complaint) = recipe.set("ANSWER", "n").fails(1);
    assert_eq!(complaint, format!("too late: somebody has answered prompt 1 of job {id}\n"));
    assert!(spool.names("incoming").is_empty());
    fs::write(gate, "").unwrap();
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
}

#[test]
fn stop_a_job() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let mut recipe = recipe(&spool, "Stop a job");
    for (signal, script, number, reason) in [
        ("interrupt", "echo up; exec sleep 600", 2, "interrupted by root"),
        ("kill", "trap '' INT; echo up; sleep 600", 9, "killed by root"),
    ] {
        let id = spool.submit_script(script);
        wait_until("it is up", || spool.lines(id) == ["up"]);
        assert_eq!(recipe.set("N", id).set("SIGNAL", signal).prints(), "");
        let status = spool.wait_final(id);
        assert_eq!((status.signal, status.reason.as_deref()), (Some(number), Some(reason)));
    }
    wait_until("the inbox is empty", || spool.names("inbox").is_empty());
}

#[test]
fn stop_a_job_on_a_full_disk() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    spiderpig::spool::room::set_aside(&spool.spool()).unwrap();
    let id = spool.submit_script("echo up; exec sleep 600");
    wait_until("it is up", || spool.lines(id) == ["up"]);
    let mut recipe = recipe(&spool, "Stop a job on a full disk");
    assert_eq!(recipe.set("N", id).set("SIGNAL", "interrupt").prints(), "");
    assert_eq!(spool.wait_final(id).reason.as_deref(), Some("interrupted by root"));
    wait_until("the inbox is empty", || spool.names("inbox").is_empty());
}

#[test]
fn cancel_a_queued_job() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let (first, second) = (asking(&spool), spool.submit_script("echo never"));
    let mut recipe = recipe(&spool, "Cancel a queued job");
    assert_eq!(recipe.set("N", second).prints(), "");
    let status = spool.wait_final(second);
    assert_eq!(status.reason.as_deref(), Some("cancelled by root before it started"));
    assert_eq!(recipe.set("N", first).fails(1).1, format!("job {first} does not wait\n"));
    assert_eq!(spool.status(first).unwrap().state, State::Waiting);
}

#[test]
fn submit_a_job() {
    let spool = TestSpool::new();
    let runner = spool.runner();
    let mut recipe = recipe(&spool, "Submit a job");
    recipe.set("TYPE", "sh").set("PARAMS", json!({ "script": "echo draft" }));
    recipe.set("EDITOR", "sed -i s/draft/edited/");
    assert_eq!(recipe.prints(), "1\n");
    let id = JobId::try_from(1).unwrap();
    assert_eq!(spool.wait_final(id).user, "root");
    assert_eq!(spool.lines(id), ["edited"]);
    let commands: Vec<_> = (0..8).map(|_| recipe.command.stdout(Stdio::piped()).spawn().unwrap()).collect();
    let mut numbers: Vec<String> = commands
        .into_iter()
        .map(|child| String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim().to_owned())
        .collect();
    numbers.sort();
    assert_eq!(numbers, ["2", "3", "4", "5", "6", "7", "8", "9"]);
    for number in 2..=9 {
        spool.wait_final(JobId::try_from(number).unwrap());
    }
    assert_eq!(fs::read_to_string(spool.root().join("sequence")).unwrap(), "00000000000000000009\n");
    assert!(spool.names("incoming").is_empty());
    runner.terminate();
    let taken = spool.root().join("queue/10.json");
    fs::write(&taken, "somebody else's").unwrap();
    let (_, complaint) = recipe.fails(1);
    assert!(complaint.starts_with("not submitted: there is a job 10 already"), "{complaint}");
    assert_eq!(fs::read_to_string(taken).unwrap(), "somebody else's");
    assert_eq!(spool.names("incoming").len(), 1, "the request is kept");
}

#[test]
fn pause() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    assert_eq!(recipe(&spool, "Pause").set("REASON", "switchover").prints(), "");
    let paused = spool.root().join("paused");
    wait_until("it is paused", || fs::read_to_string(&paused).is_ok_and(|text| text == "switchover (root)\n"));
    let id = spool.submit_script("true");
    wait_until("the runner says so", || waits_because(&spool, id, "the runner is paused: switchover (root)"));
    assert!(is_queued(&spool, id));
}

#[test]
fn resume() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    fs::write(spool.root().join("paused"), "by hand\n").unwrap();
    let id = spool.submit_script("true");
    assert_eq!(recipe(&spool, "Resume").prints(), "");
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    assert!(!spool.root().join("paused").exists());
}

#[test]
fn pause_by_hand() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    assert_eq!(recipe(&spool, "Pause by hand").set("REASON", "stop the line").prints(), "");
    let id = spool.submit_script("true");
    wait_until("the runner says so", || waits_because(&spool, id, "the runner is paused: stop the line"));
    let mode = fs::metadata(spool.root().join("paused")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o640);
}

#[test]
fn resume_by_hand() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    fs::write(spool.root().join("paused"), "").unwrap();
    let id = spool.submit_script("true");
    wait_until("it waits", || waits_because(&spool, id, "the runner is paused"));
    assert_eq!(recipe(&spool, "Resume by hand").prints(), "");
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
}

#[test]
fn take_a_lane() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let first = asking(&spool);
    let (began, gate) = (spool.path().join("began"), spool.path().join("gate"));
    let mut recipe = recipe(&spool, "Take a lane");
    // What it leaves running goes with the directory, and does not keep the lane.
    let service = format!("while [ -d {} ]; do sleep 0.1; done", spool.path().display());
    recipe.set("COMMAND", format!("({service}) & touch {}; {}", began.display(), wait_for_file(&gate)));
    let taken = recipe.set("LANE", "default").start();
    let lock = spool.root().join("lanes/default.1.lock");
    wait_until("it waits for the lane", || is_waited_for(&lock));
    assert!(!began.exists());
    spool.answer(first, 1, "alice", "y");
    wait_until("it has the lane", || began.exists());
    // Were it there before, it could have the lane first: who waits for a lock has no place in a queue.
    let second = spool.submit_script("true");
    let reason = "slot 1 of lane default is locked by another process";
    wait_until("the job waits for it", || waits_because(&spool, second, reason));
    fs::write(gate, "").unwrap();
    wait_end(taken);
    assert_eq!(spool.wait_final(second).state, State::Succeeded);

    assert_eq!(recipe.set("LANE", "wide").set("COMMAND", "echo all four").prints(), "all four\n");
    let locks = ["default.1", "wide.1", "wide.2", "wide.3", "wide.4"].map(|name| format!("{name}.lock"));
    assert_eq!(spool.names("lanes"), locks);
    let mode = fs::metadata(spool.root().join("lanes/wide.4.lock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o640);
    spool.wait_final(spool.submit("parallel", json!({ "script": "true" })));

    let (printed, _) = recipe.set("LANE", "no-such-lane").set("COMMAND", "echo without a lock").fails(1);
    assert_eq!(printed, "");
}

#[test]
fn remove_old_jobs() {
    let spool = TestSpool::new();
    let runner = spool.runner();
    let old = spool.submit_script("true");
    spool.wait_final(old);
    let held = spool.submit_script("true");
    spool.wait_final(held);
    let running = asking(&spool);
    wait_until("the others are tidied", || spool.names("running") == [running.to_string()]);
    fs::create_dir(spool.root().join("jobs/.99.removed")).unwrap();
    let mut recipe = recipe(&spool, "Remove old jobs");
    assert_eq!(recipe.set("DAYS", 1).prints(), "");
    let lock = fs::File::open(spool.job(held).directory().join("lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(recipe.set("DAYS", 0).prints(), format!("{old}\n"));
    assert_eq!(spool.names("jobs"), [held.to_string(), running.to_string()]);
    drop(lock);
    assert_eq!(recipe.prints(), format!("{held}\n"));
    runner.terminate();
    let _runner = spool.runner();
    let next = spool.submit_script("true");
    assert!(next > running);
    spool.answer(running, 1, "alice", "y");
    spool.wait_final(next);
    let finished = history::ids(&spool.spool()).unwrap();
    assert!([old, held, running, next].into_iter().all(|id| finished.contains(id)));
}

#[test]
fn tell_where_the_train_is() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let told = spool.root().join("monitoring/mediawiki.json");
    let mut recipe = recipe(&spool, "Tell where the train is, or the errors");
    recipe.set("NAME", "mediawiki");
    let document = r#"{"format":1,"time":"2026-11-24T08:00:00Z","log":{}}"#;
    assert_eq!(recipe.set("COMMAND", format!("echo '{document}'")).prints(), "");
    assert_eq!(fs::read_to_string(&told).unwrap(), format!("{document}\n"));
    assert_eq!(fs::metadata(&told).unwrap().permissions().mode() & 0o7777, 0o640);
    for (command, status) in [("echo '{}'", 1), ("true", 1), ("exit 7", 7)] {
        recipe.set("COMMAND", command).fails(status);
        assert_eq!(fs::read_to_string(&told).unwrap(), format!("{document}\n"), "{command}");
    }
    assert!(spool.names("incoming").is_empty());
}

/// Whether `runner.json` says that a job waits for this reason.
fn waits_because(spool: &TestSpool, id: JobId, reason: &str) -> bool {
    let text = fs::read_to_string(spool.root().join("runner.json")).unwrap_or_default();
    text.contains(&format!("\"{id}\":\"{reason}"))
}

/// Whether somebody waits for a lock that somebody else has.
fn is_waited_for(lock: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let inode = format!(":{} ", fs::metadata(lock).unwrap().ino());
    let locks = fs::read_to_string("/proc/locks").unwrap();
    locks.lines().any(|line| line.contains(" -> ") && line.contains(&inode))
}
