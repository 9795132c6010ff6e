//! Many who watch one log at once.

use std::fs;
use std::io::{BufRead as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::client::{Api, start};
use crate::support::{ASK, DEADLINE, TestSpool, has_watch, wait_until};

/// What curl says of a body that ended before its end.
const PARTIAL: i32 = 18;

/// One who watches a log, and what came so far.
struct Viewer {
    seen: Arc<AtomicUsize>,
    reading: JoinHandle<Vec<String>>,
}

impl Viewer {
    fn new(api: &Api, id: u64, query: &str) -> Self {
        let response = Api::agent().get(format!("{}/api/jobs/{id}/log{query}", api.base)).call().unwrap();
        let lines = std::io::BufReader::new(response.into_body().into_reader()).lines();
        let seen = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&seen);
        let reading = std::thread::spawn(move || {
            let note = |line: std::io::Result<String>| {
                let line = line.unwrap();
                count.fetch_add(usize::from(line.contains("step ")), Ordering::Relaxed);
                line
            };
            lines.map(note).collect()
        });
        Self { seen, reading }
    }
}

#[test]
fn each_of_twenty_viewers_has_a_line_before_the_job_prints_the_next() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let api = start(&spool);
    // Without the watcher each line takes until a file is next looked at.
    let lines = if has_watch() { 60 } else { 5 };
    let gate = spool.path().join("gate");
    let id = api.create(&format!(
        r#"mkfifo '{gate}'; exec 3<'{gate}'; i=0; while [ $i -lt {lines} ]; do i=$((i + 1)); echo "step $i"; read -r _ <&3; done"#,
        gate = gate.display()
    ));
    wait_until("the job waits", || gate.exists());
    let mut gate = fs::OpenOptions::new().write(true).open(gate).unwrap();
    let viewers: Vec<Viewer> =
        (0..20).map(|number| Viewer::new(&api, id, if number % 2 == 0 { "" } else { "?format=text" })).collect();
    // For all of it: one line that waits for a rescan, every 30 s, is no harm to see, but two are too many.
    let deadline = Instant::now() + DEADLINE;
    for line in 1..=lines {
        while let Some(late) = viewers.iter().position(|viewer| viewer.seen.load(Ordering::Relaxed) < line) {
            assert!(Instant::now() < deadline, "line {line} has not come to viewer {late}");
            std::thread::sleep(Duration::from_millis(1));
        }
        gate.write_all(b"\n").unwrap();
    }
    let expected: Vec<String> = (1..=lines).map(|number| format!("step {number}")).collect();
    for (number, viewer) in viewers.into_iter().enumerate() {
        let told = viewer.reading.join().unwrap();
        if number % 2 == 0 {
            assert!(told.last().is_some_and(|line| line.contains("EOF")), "{told:?}");
        } else {
            assert_eq!(told, expected, "viewer {number}");
        }
    }
}

/// Follows a log as people do, into a file.
fn curl(spool: &TestSpool, api: &Api, id: u64, name: &str) -> Child {
    let url = format!("{}/api/jobs/{id}/log?format=text", api.base);
    let output = fs::File::create(spool.path().join(name)).unwrap();
    Command::new("curl").args(["--silent", "--no-buffer", &url]).stdin(Stdio::null()).stdout(output).spawn().unwrap()
}

#[test]
fn curl_tells_a_log_that_was_cut_off_from_a_whole_one() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let api = start(&spool);
    let id = api.create(&format!("{ASK} echo begun; ask go; echo done"));
    let mut cut_off = curl(&spool, &api, id, "cut-off");
    let has = |name: &str, text: &str| fs::read_to_string(spool.path().join(name)).unwrap().contains(text);
    wait_until("the first has what there is", || has("cut-off", "begun\n"));
    api.wait_prompt(id, 1);
    assert!(api.daemon.terminate().success());
    assert_eq!(cut_off.wait().unwrap().code(), Some(PARTIAL));

    let api = start(&spool);
    let mut whole = curl(&spool, &api, id, "whole");
    wait_until("the second has what there is", || has("whole", "begun\n"));
    assert_eq!(api.answer(id, 1, "y").0, 200);
    assert_eq!(whole.wait().unwrap().code(), Some(0));
    assert!(has("whole", "done\n"));
}
