//! Recipes that only look.

use super::*;

#[test]
fn what_runs() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let mut recipe = recipe(&spool, "What runs");
    assert_eq!(recipe.prints(), "", "nothing runs");
    let id = asking(&spool);
    let printed = recipe.prints();
    assert!(printed.starts_with(&format!("{id}\twaiting\tsh\talice\t20")), "{printed}");
    assert_eq!(printed.lines().count(), 1);
}

#[test]
fn what_waits_and_why() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let (first, second, third) = (asking(&spool), spool.submit_script("true"), spool.submit_script("true"));
    let mut recipe = recipe(&spool, "What waits, and why");
    let expected = [
        format!("job {second} waits in lane default: lane default is busy with job {first} of alice"),
        format!("job {third} waits in lane default: job {second} is before it in lane default"),
    ];
    wait_until("it says why", || recipe.prints().lines().eq(&expected));
    // The runner mends this by itself, and without its watcher so soon that nobody sees it; that it leaves as it is.
    fs::write(spool.root().join("jobs/99"), "").unwrap();
    fs::write(spool.root().join("sequence"), "damaged\n").unwrap();
    spool.drop_file("queue/4.json", "{}");
    wait_until("it tells of the problem", || recipe.prints().contains("\nproblem: "));
}

#[test]
fn why_was_a_file_rejected() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    for content in ["{", "[]"] {
        spool.drop_file("queue/7.json", content);
        wait_until("it is gone", || spool.names("queue").is_empty());
    }
    spool.wait_rejected("7.2.reason");
    let mut recipe = recipe(&spool, "Why was a file rejected");
    let printed = recipe.set("N", 7).prints();
    let rejected = spool.root().join("rejected");
    let reason = "its number is above `sequence`; take numbers from there";
    let expected = ["7.reason", "7.2.reason"].map(|name| format!("{}/{name}:{reason}\n", rejected.display()));
    assert_eq!(printed, expected.concat());
    assert_eq!(recipe.set("N", 8).prints(), "");
}

#[test]
fn follow_the_output_of_a_job() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let gate = spool.path().join("gate");
    let id = spool.submit_script(&format!("echo one; {}; echo two", wait_for_file(&gate)));
    wait_until("it has begun", || spool.lines(id) == ["one"]);
    let mut recipe = recipe(&spool, "Follow the output of a job");
    let followed = recipe.set("N", id).start();
    wait_until("the first line is shown", || followed.log() == "one\n");
    fs::write(gate, "").unwrap();
    assert_eq!(wait_end(followed), "one\ntwo\n");
}

#[test]
fn follow_the_log_of_a_job() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let secret = r#"printf '{"type":"line","line":"secret","sensitive":true,"iokey":"%s"}\n' "$SPIDERPIG_IO_KEY""#;
    let id = spool.submit_script(&format!("{ASK} {secret}; ask go; exit 3"));
    spool.wait_prompt(id, 1);
    let mut recipe = recipe(&spool, "Follow the log of a job");
    let followed = recipe.set("N", id).start();
    wait_until("the prompt is shown", || followed.log().contains(r#"{"type":"interaction","id":1,"#));
    spool.answer(id, 1, "alice", "y");
    let log = wait_end(followed);
    let untimed: Vec<&str> = log.lines().filter_map(|line| line.split_once("Z ")).map(|(_, rest)| rest).collect();
    assert_eq!(untimed[..2], ["(sensitive)", "go [y/n]: "]);
    assert_eq!(
        untimed[3..],
        [
            r#"{"type":"response","user":"alice","response":"y","interaction":1}"#,
            "got:y",
            r#"{"type":"exit","status":3,"signal":null}"#,
        ]
    );
    assert!(!log.contains("secret"));
}

#[test]
fn read_the_last_lines_of_a_job() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let id = spool.submit_script("seq 30");
    spool.wait_final(id);
    let mut recipe = recipe(&spool, "Read the last lines of a job");
    assert_eq!(recipe.set("N", id).prints().lines().count(), 20);
    assert_eq!(recipe.set("COUNT", 2).prints(), "29\n30\n");
}

#[test]
fn see_what_is_asked() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let mut recipe = recipe(&spool, "See what is asked");
    let quiet = spool.submit("parallel", json!({ "script": "sleep 600" }));
    spool.wait_status(quiet, "it runs", |status| status.state == State::Running);
    assert_eq!(recipe.prints(), "");
    let id = asking(&spool);
    let expected = format!("job {id} of alice asks, prompt 1: go\n    y  Yes\n    n  No\n");
    assert_eq!(recipe.prints(), expected);
}

#[test]
fn was_the_answer_taken_or_refused_and_why() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let id = asking(&spool);
    let mut recipe = recipe(&spool, "Was the answer taken, or refused, and why");
    recipe.set("N", id).set("PROMPT", 1);
    assert_eq!(recipe.fails(1), (String::new(), String::new()));
    spool.answer(id, 1, "bob", "maybe");
    wait_until("it is refused", || spool.names("inbox").is_empty());
    let refused = "answer of bob to prompt 1 refused: “maybe” is not a choice; answer one of: y, n\n";
    assert_eq!(recipe.prints(), refused);
    spool.answer(id, 1, "alice", "y");
    spool.wait_final(id);
    assert_eq!(recipe.prints(), format!("{refused}alice answered: y\n"));
    recipe.set("PROMPT", 2).fails(1);
}

#[test]
fn find_all_jobs_of_a_user() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let done = submit_as(&spool, "bob", "true");
    spool.wait_final(done);
    spool.wait_final(spool.submit_script("true"));
    let running = submit_as(&spool, "bob", &format!("{ASK} ask go"));
    spool.wait_prompt(running, 1);
    let waiting = submit_as(&spool, "bob", "true");
    spool.submit_script("true");
    let mut recipe = recipe(&spool, "Find all jobs of a user");
    let printed = recipe.set("WHO", "bob").prints();
    let found: Vec<Vec<&str>> = printed.lines().map(|line| line.split('\t').take(3).collect()).collect();
    let [done, running, waiting] = [done, running, waiting].map(|id| id.to_string());
    assert_eq!(found, [[&*done, "succeeded", "sh"], [&*running, "waiting", "sh"], [&*waiting, "queued", "sh"]]);
    assert_eq!(recipe.set("WHO", "carol").prints(), "");
}

#[test]
fn list_the_failed_jobs_of_today() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let failed = spool.submit_script("exit 3");
    spool.wait_final(failed);
    spool.wait_final(spool.submit_script("true"));
    let path = spool.root().join("history.jsonl");
    let line = fs::read_to_string(&path).unwrap().lines().next().unwrap().to_owned();
    let today = line.split("\"finished_at\":\"").nth(1).unwrap()[..10].to_owned();
    let old = line.replace(&today, "2025-01-01").replace("\"id\":1,", "\"id\":900,");
    let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
    write!(file, "{old}\n{{\"id\":9, torn").unwrap();
    let printed = recipe(&spool, "List the failed jobs of today").prints();
    assert!(printed.starts_with(&format!("{failed}\tfailed\tsh\talice\t{today}")), "{printed}");
    assert!(printed.ends_with("\tfailed: exited with status 3\n"), "{printed}");
    assert_eq!(printed.lines().count(), 1);
}

#[test]
fn which_deployments_were_rolled_back() {
    let spool = TestSpool::with_configuration(
        r#"[job_types.deploy]
        command = ["sh", "-c", "{script}"]
        params = [{ name = "script", kind = "string" }]
        outcomes = [{ outcome = "rolled_back", exit = 3 }]"#,
    );
    let _runner = spool.runner();
    for script in ["exit 0", "exit 3", "exit 1"] {
        spool.wait_final(spool.submit("deploy", json!({ "script": script })));
    }
    let mut recipe = recipe(&spool, "Which deployments were rolled back");
    let printed = recipe.prints();
    assert!(printed.starts_with("2\tdeploy\talice\t20") && printed.ends_with("Z\trolled back\n"), "{printed}");
    let printed = recipe.set("OUTCOME", "failed").prints();
    assert!(printed.starts_with("3\t") && printed.ends_with("\tfailed: exited with status 1\n"), "{printed}");
}

#[test]
fn is_the_runner_alive() {
    let spool = TestSpool::new();
    let runner = spool.runner();
    let mut recipe = recipe(&spool, "Is the runner alive");
    let up = format!("up, process {}\n", runner.pid());
    wait_until("it has said who it is", || recipe.prints() == up);
    runner.terminate();
    assert_eq!(recipe.fails(1).0, "down\n");
    fs::remove_file(spool.root().join("runner.lock")).unwrap();
    recipe.fails(2);
    assert!(!spool.root().join("runner.lock").exists(), "looking makes no lock");
}

#[test]
fn is_a_job_alive() {
    let spool = TestSpool::new();
    let runner = spool.runner();
    let id = asking(&spool);
    let mut recipe = recipe(&spool, "Is a job alive");
    assert_eq!(recipe.set("N", id).prints(), "alive: waiting\n");
    runner.kill();
    assert_eq!(recipe.prints(), "alive: waiting\n");
    let supervisor = spool.status(id).unwrap().supervisor.unwrap().pid;
    crate::support::kill_process(supervisor.unsigned_abs());
    wait_until("the kernel has freed its lock", || recipe.output().status.code() == Some(1));
    assert_eq!(recipe.fails(1).0, "not alive: waiting\n");
    let _runner = spool.runner();
    spool.wait_final(id);
    wait_until("the runner is done with it", || recipe.fails(1).0 == "not alive: lost\n");
}
