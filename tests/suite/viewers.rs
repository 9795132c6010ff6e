//! Many who watch one log at once.

use std::fs;
use std::io::BufRead as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::client::{Api, start};
use crate::support::{DEADLINE, TestSpool};

/// How many lines the job prints, each when everybody has the one before.
const LINES: usize = 60;

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
    let gate = spool.path().join("gate");
    let id = api.create(&format!(
        "gate='{}'; mkfifo \"$gate\"; i=1; while [ $i -le {LINES} ]; do echo \"step $i\"; read -r _ <\"$gate\"; i=$((i + 1)); done",
        gate.display()
    ));
    let viewers: Vec<Viewer> =
        (0..20).map(|number| Viewer::new(&api, id, if number % 2 == 0 { "" } else { "?format=text" })).collect();
    // For all of it: one line that waits for a rescan, every 30 s, is no harm to see, but two are too many.
    let deadline = Instant::now() + DEADLINE;
    for line in 1..=LINES {
        while let Some(late) = viewers.iter().position(|viewer| viewer.seen.load(Ordering::Relaxed) < line) {
            assert!(Instant::now() < deadline, "line {line} has not come to viewer {late}");
            std::thread::sleep(Duration::from_millis(1));
        }
        fs::write(&gate, "\n").unwrap();
    }
    let expected: Vec<String> = (1..=LINES).map(|number| format!("step {number}")).collect();
    for (number, viewer) in viewers.into_iter().enumerate() {
        let told = viewer.reading.join().unwrap();
        if number % 2 == 0 {
            assert!(told.last().is_some_and(|line| line.contains("EOF")), "{told:?}");
        } else {
            assert_eq!(told, expected, "viewer {number}");
        }
    }
}
