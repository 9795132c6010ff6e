//! The processes that SpiderPig is made of: what each consists of, and what happens where the system gives no more.

use std::fs;

use crate::support::{ASK, TestSpool, wait_for};

/// How many threads a process has.
fn threads(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/task")).unwrap().count()
}

#[test]
fn a_supervisor_is_one_thread_and_hears_what_is_for_its_job() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let id = spool.submit_script(&format!("{ASK} ask go"));
    spool.wait_prompt(id, 1);
    let supervisor = wait_for("there is one supervisor", || match *spool.supervisors() {
        [supervisor] => Some(supervisor),
        _ => None,
    });
    assert_eq!(threads(supervisor), 1);
    spool.answer(id, 1, "alice", "y");
    spool.wait_final(id);
    assert!(spool.lines(id).contains(&"got:y".to_owned()), "{:?}", spool.lines(id));
}
