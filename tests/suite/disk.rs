//! A disk that is full: the job is never blocked, its result is recorded, and the log says what is missing.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::json;
use spiderpig::spool::log::RecordKind;
use spiderpig::spool::status::State;

use crate::client::start;
use crate::hostile::HostileSpool;
use crate::support::{TestSpool, is_alive, wait_for, wait_until};

/// A small filesystem of its own for the spool.
pub struct SmallDisk {
    pub spool: HostileSpool,
}

impl SmallDisk {
    /// None where nobody may mount, as without root.
    pub fn new(size: &str) -> Option<Self> {
        let spool = TestSpool::new();
        fs::create_dir(spool.root()).unwrap();
        let options = format!("size={size},mode=2750");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(spool.root()).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self { spool: HostileSpool::on(spool) });
        }
        // Said past the capturing of the test's output.
        let _ = writeln!(std::io::stderr(), "SKIPPED: no filesystem can be mounted here, so none can be filled");
        None
    }

    /// Takes all the space that is left, and gives the file that holds it.
    pub fn fill(&self) -> std::path::PathBuf {
        let ballast = self.spool.root().join("incoming/ballast");
        let mut file = fs::File::create(&ballast).unwrap();
        while file.write_all(&[b'x'; 4096]).is_ok() {}
        ballast
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // At once out of the tree, in use or not, so that the directory around it can be removed.
        let _ = Command::new("umount").arg("--lazy").arg(self.spool.root()).status();
    }
}

#[test]
fn a_job_that_fills_the_disk_is_not_blocked_and_its_result_is_recorded() {
    let Some(disk) = SmallDisk::new("4m") else { return };
    let spool = &disk.spool;
    let id = spool.shell("seq 1000000; touch $HERE/printed; gate end; exit 3");
    wait_until("everything is printed", || spool.path().join("printed").exists());
    spool.open_gate("end");
    let status = spool.wait_status(id, "it is final", |status| status.state.is_final());
    assert_eq!((status.state, status.exit_status), (State::Failed, Some(3)));
    assert!(status.dropped_bytes > 1_000_000, "{}", status.dropped_bytes);
    assert_eq!(status.log_records, spool.log(id).len() as u64, "what the status says is in the log");
    spool.assert_no_key_anywhere();
}

#[test]
fn when_there_is_room_again_the_log_says_what_is_missing_and_goes_on() {
    let Some(disk) = SmallDisk::new("64m") else { return };
    let spool = &disk.spool;
    let id = spool.shell(
        "echo before; gate full; seq 1000000; touch $HERE/printed; gate room; echo after; ask go; echo the end; exit 4",
    );
    spool.wait_line(id, "before");
    let ballast = disk.fill();
    spool.open_gate("full");
    wait_until("everything is printed", || spool.path().join("printed").exists());
    fs::remove_file(ballast).unwrap();
    spool.open_gate("room");
    spool.wait_prompt(id, 1);
    spool.wait_note(id, "the log has a gap here");
    spool.answer(id, 1, "alice", "y");
    let status = spool.wait_final(id);
    assert_eq!((status.exit_status, status.log_records), (Some(4), spool.log(id).len() as u64));
    assert!(status.dropped_bytes > 1_000_000, "{}", status.dropped_bytes);
    let lines = spool.lines(id);
    assert_eq!(lines.first().unwrap(), "before");
    assert_eq!(lines[lines.len() - 3..], ["go [y/n]: ", "got:y", "the end"]);
    assert!(lines.contains(&"after".to_owned()));
    spool.assert_no_key_anywhere();
}

#[test]
fn a_job_can_be_interrupted_on_a_full_disk_and_the_next_runs_when_there_is_room() {
    let Some(disk) = SmallDisk::new("4m") else { return };
    let spool = &disk.spool;
    let id = spool.shell("echo up; while :; do sleep 0.05; done");
    spool.wait_line(id, "up");
    let letter = format!("inbox/{id}.signal.x.json");
    let text = json!({ "user": "carol", "signal": "interrupt" }).to_string();
    let staged = spool.root().join("incoming/signal");
    fs::write(&staged, text).unwrap();
    fs::set_permissions(&staged, fs::Permissions::from_mode(0o640)).unwrap();
    let ballast = disk.fill();
    fs::rename(staged, spool.root().join(letter)).unwrap();
    let status = spool.wait_status(id, "it is final", |status| status.state.is_final());
    assert_eq!((status.signal, status.reason.as_deref()), (Some(2), Some("interrupted by carol")));
    fs::remove_file(ballast).unwrap();
    let next = spool.shell("echo room");
    assert_eq!(spool.wait_final(next).state, State::Succeeded);
    assert_eq!(spool.wait_final(id).state, State::Failed, "it is in the history too");
    spool.assert_no_key_anywhere();
}

#[test]
fn a_job_that_fills_the_disk_is_answered_and_stopped_all_the_same() {
    let Some(disk) = SmallDisk::new("4m") else { return };
    let spool = &disk.spool;
    let api = start(spool);
    let id = spool.shell(
        "seq 1000000; ask first; touch $HERE/answered; seq 1000000; ask second; \
         touch $HERE/again; while :; do seq 1000; sleep 0.05; done",
    );
    let job = u64::from(id);
    api.wait_prompt(job, 1);
    let ballast = disk.fill();
    assert_eq!(api.answer(job, 1, "y").0, 200);
    let (code, late) = api.answer(job, 1, "n");
    assert!(code == 409 && late["detail"]["response"] == "y", "{code} {late}");
    wait_until("the answer has arrived", || spool.path().join("answered").exists());
    api.wait_prompt(job, 2);
    assert_eq!(api.answer(job, 2, "n").0, 200);
    wait_until("the second answer has arrived", || spool.path().join("again").exists());
    let (code, paused) = api.post("/api/runner/pause", &json!({ "reason": "the disk is full" }).to_string());
    assert_eq!(code, 200, "{paused}");
    wait_until("the runner has paused", || spool.spool().pause_reason().is_some_and(|why| why.contains("is full")));
    let (code, stopped) = api.post(&format!("/api/jobs/{id}/signal/interrupt"), "");
    assert_eq!(code, 200, "{stopped}");
    let status = spool.wait_status(id, "it is final", |status| status.state.is_final());
    assert_eq!((status.signal, status.reason.as_deref()), (Some(2), Some("interrupted by tester")));
    wait_until("the API tells of it", || api.get(&format!("/api/jobs/{id}")).1["job"]["outcome"] == "stopped");
    let kinds = |from: usize| -> Vec<RecordKind> {
        let of_people = |kind: &RecordKind| !matches!(kind, RecordKind::Line(_) | RecordKind::Progress { .. });
        spool.log(id).into_iter().skip(from).map(|record| record.kind).filter(of_people).collect()
    };
    assert_eq!(status.log_records, spool.log(id).len() as u64, "{:?}", kinds(0));

    fs::remove_file(ballast).unwrap();
    fs::remove_file(spool.job(id).directory().join("output.log")).unwrap();
    assert_eq!(api.post("/api/runner/resume", "").0, 200);
    let next = spool.shell("echo room");
    assert_eq!(spool.wait_final(next).state, State::Succeeded);
    spool.wait_final(id);
    let kinds = kinds(0);
    let answers = kinds.iter().filter(|kind| matches!(kind, RecordKind::Response { .. })).count();
    let signals = kinds.iter().filter(|kind| matches!(kind, RecordKind::Signal { .. })).count();
    assert_eq!((answers, signals), (2, 1), "{kinds:?}");
    let notes = spool.notes(id);
    assert!(!notes.iter().any(|note| note.contains("refused")), "{notes:?}");
    spool.assert_no_key_anywhere();
}

#[test]
fn a_result_that_has_no_room_at_all_is_kept_until_there_is_some() {
    let Some(disk) = SmallDisk::new("4m") else { return };
    let spool = &disk.spool;
    let id = spool.shell("echo up; gate end");
    spool.wait_line(id, "up");
    let command = wait_for("it has a process", || spool.status(id).unwrap().process).pid;
    for room in ["reserve", "spare"] {
        let _ = fs::remove_file(spool.job(id).directory().join(room));
    }
    let ballast = disk.fill();
    spool.open_gate("end");
    wait_until("the command has ended", || !is_alive(command));
    // The supervisor had its chance to give up.
    wait_until("its end is being written", || spool.supervisors().len() == 1);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(spool.supervisors().len(), 1, "the supervisor keeps what it knows");
    fs::remove_file(ballast).unwrap();
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
}
