//! A disk that is full: the job is never blocked, its result is recorded, and the log says what is missing.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::json;
use spiderpig::spool::status::State;

use crate::hostile::HostileSpool;
use crate::support::{TestSpool, wait_until};

/// A small filesystem of its own for the spool.
struct SmallDisk {
    spool: HostileSpool,
}

impl SmallDisk {
    /// None where nobody may mount, as without root.
    fn new(size: &str) -> Option<Self> {
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
    fn fill(&self) -> std::path::PathBuf {
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
