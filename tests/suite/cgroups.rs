//! Jobs with processes of another account, which the runner's may not signal: with a control group for each job, and
//! without one.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use spiderpig::spool::JobId;
use spiderpig::spool::inbox::JobSignal;
use spiderpig::spool::outcome::Outcome;
use spiderpig::spool::status::State;

use crate::support::{Daemon, TestSpool, is_alive, kill_process, wait_for, wait_until};

/// The account of the runner in these tests: that of `nobody`.
const ACCOUNT: u32 = 65534;

/// Becomes root, as `sudo` would, and executes its arguments.
const BECOME_ROOT: &str = "#define _GNU_SOURCE\n#include <unistd.h>\nint main(int c, char **v) {\n\
    if (setresgid(0, 0, 0) || setresuid(0, 0, 0)) return 9;\n execvp(v[1], v + 1);\n return 8;\n}\n";

/// A spool of another account, with a program by which that account becomes root.
struct Scene {
    spool: TestSpool,
    /// Where groups may be made, with one below for the runner itself.
    cgroup: Option<PathBuf>,
}

/// Ends the test, with a word, where the machine or the account does not allow it.
macro_rules! scene_or_skip {
    ($scene:expr) => {
        match $scene {
            Ok(scene) => scene,
            Err(reason) => {
                eprintln!("SKIPPED: {reason}");
                return;
            }
        }
    };
}

impl Scene {
    fn new(more: &str) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("only root can run a runner as another account".into());
        }
        let spool = TestSpool::with_configuration(&format!(
            "stop_grace = \"200ms\"\nrescan = \"1s\"\ntrusted_submitters = [\"root\"]\n{more}"
        ));
        let source = spool.path().join("root.c");
        fs::write(&source, BECOME_ROOT).unwrap();
        let program = spool.path().join("root");
        let compiled = Command::new("cc").arg("-o").arg(&program).arg(&source).status();
        if !compiled.is_ok_and(|status| status.success()) {
            return Err("there is no C compiler".into());
        }
        fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
        let fifo = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, spool.path().join("gate"), fifo, 0o644.into(), 0).unwrap();
        fs::create_dir(spool.root()).unwrap();
        for path in [spool.path(), &spool.root()] {
            chown(path, Some(ACCOUNT), Some(ACCOUNT)).unwrap();
        }
        fs::set_permissions(spool.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Ok(Self { spool, cgroup: None })
    }

    /// With a part of the tree of control groups that is delegated to the account.
    fn with_cgroup() -> Result<Self, String> {
        let parent = delegate()?;
        let scene = Self::new(&format!("cgroup = \"{}\"\n", parent.display()));
        let mut scene = scene.inspect_err(|_| remove_tree(&parent))?;
        scene.cgroup = Some(parent);
        Ok(scene)
    }

    /// Starts the runner behind a command of a shell.
    fn runner_after(&self, preparation: &str) -> Daemon {
        let runner = self.spool.command("spiderpig-runner");
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-euc", &format!("{preparation}\nexec \"$@\""), "sh"]);
        command.args(["setpriv", &format!("--reuid={ACCOUNT}"), &format!("--regid={ACCOUNT}"), "--clear-groups"]);
        command.arg(runner.get_program()).args(runner.get_args());
        command.env_clear().envs(runner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        self.spool.start_runner(&mut command)
    }

    fn runner(&self) -> Daemon {
        let enter = |cgroup: &PathBuf| format!("echo $$ >{}/runner/cgroup.procs", cgroup.display());
        self.runner_after(&self.cgroup.as_ref().map(enter).unwrap_or_default())
    }

    /// Submits a script in which `$ROOT` becomes root, and `gate` waits until the test opens it.
    fn submit(&self, script: &str) -> JobId {
        let here = self.spool.path().display();
        let text = format!("ROOT={here}/root; gate='read line <{here}/gate'; {script}");
        self.spool.submit("sh", json!({ "script": text }))
    }

    fn open_gate(&self) {
        fs::write(self.spool.path().join("gate"), "\n").unwrap();
    }

    #[track_caller]
    fn wait_note(&self, id: JobId, text: &str) -> String {
        wait_for(&format!("job {id} notes: {text}"), || {
            self.spool.notes(id).into_iter().find(|note| note.contains(text))
        })
    }

    /// The number that a job printed as `root:NUMBER`.
    fn root_process(&self, id: JobId) -> i32 {
        wait_for("root's process is up", || {
            let lines = self.spool.lines(id);
            lines.iter().find_map(|line| line.strip_prefix("root:").and_then(|number| number.parse().ok()))
        })
    }

    fn groups(&self) -> Vec<String> {
        let entries = fs::read_dir(self.cgroup.as_ref().unwrap()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("job-")).collect()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if let Some(cgroup) = &self.cgroup {
            fs::write(cgroup.join("cgroup.kill"), "1").unwrap();
            wait_until("the groups are empty", || {
                fs::read_to_string(cgroup.join("cgroup.events")).unwrap().contains("populated 0")
            });
            remove_tree(cgroup);
        }
    }
}

/// Makes a control group that belongs to the account, as systemd does for `Delegate=yes`.
fn delegate() -> Result<PathBuf, String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 ")).and_then(|line| line.split(' ').nth(4));
    let mount = Path::new(mount.ok_or("control groups of version 2 are not mounted")?);
    let parent = mount.join(format!("spiderpig-test-{}", uuid::Uuid::new_v4().simple()));
    fs::create_dir(&parent).map_err(|error| format!("no control group can be made here: {error}"))?;
    if !parent.join("cgroup.kill").exists() {
        remove_tree(&parent);
        return Err("this kernel cannot kill a control group".into());
    }
    fs::create_dir(parent.join("runner")).unwrap();
    for directory in [parent.clone(), parent.join("runner")] {
        for file in ["", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"] {
            let path = if file.is_empty() { directory.clone() } else { directory.join(file) };
            chown(path, Some(ACCOUNT), Some(ACCOUNT)).unwrap();
        }
    }
    Ok(parent)
}

fn remove_tree(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().unwrap().is_dir() {
            remove_tree(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
}

/// A process of root's that does not end before the gate is opened.
const AS_ROOT: &str = r#"$ROOT sh -c "echo root:\$\$; $gate""#;

#[test]
fn a_stop_that_reaches_nobody_stops_nothing_and_says_so() {
    let scene = scene_or_skip!(Scene::new(""));
    let _runner = scene.runner();
    let id = scene.submit(&format!("exec {AS_ROOT}"));
    let root = scene.root_process(id);
    for (signal, word) in [(JobSignal::Interrupt, "interrupt"), (JobSignal::Kill, "kill")] {
        scene.spool.signal(id, "carol", signal);
        let name = if word == "kill" { "KILL" } else { "INT" };
        let expected = format!(
            "the {word} of carol did not reach process {root} (root), which the runner's account may not signal: the job \
             continues; as root: kill -{name} {root}"
        );
        assert_eq!(scene.wait_note(id, &format!("the {word} of carol did not reach")), expected);
        let status =
            scene.spool.wait_status(id, "the refusal is shown", |s| s.stop_refused.as_ref() == Some(&expected));
        assert_eq!(status.state, State::Running);
    }
    scene.open_gate();
    let status = scene.spool.wait_final(id);
    assert_eq!((status.state, status.outcome, status.reason), (State::Succeeded, Some(Outcome::Succeeded), None));
    assert_eq!(status.stop_refused, None);
}

#[test]
fn a_stop_that_reaches_a_part_of_the_job_says_so() {
    let scene = scene_or_skip!(Scene::new(""));
    let _runner = scene.runner();
    let id = scene.submit(&format!("trap 'echo interrupted' INT; {AS_ROOT}; echo done"));
    let root = scene.root_process(id);
    scene.spool.signal(id, "carol", JobSignal::Interrupt);
    scene.wait_note(
        id,
        &format!("did not reach process {root} (root), which the runner's account may not signal: that part"),
    );
    assert_eq!(scene.spool.wait_status(id, "it is shown", |s| s.stop_refused.is_some()).state, State::Stopping);
    scene.open_gate();
    let status = scene.spool.wait_final(id);
    let reason = "interrupted by carol, which did not reach all processes, and exited with status 0";
    assert_eq!((status.outcome, status.reason.as_deref()), (Some(Outcome::Stopped), Some(reason)));
}

#[test]
fn what_is_left_and_may_not_be_signalled_keeps_the_lane_and_is_named() {
    let scene = scene_or_skip!(Scene::new(""));
    let _runner = scene.runner();
    let id = scene.submit(&format!("{AS_ROOT} & echo started"));
    let root = scene.root_process(id);
    let status = scene.spool.wait_status(id, "it is explained", |status| {
        status.message.as_ref().is_some_and(|message| message.starts_with("Cannot stop"))
    });
    let expected = format!(
        "Cannot stop processes that the job left behind (process {root} (root)): the runner's account may not signal \
         them; as root: kill -KILL {root}"
    );
    assert!(status.message.as_ref().unwrap().starts_with(&expected), "{status:?}");
    assert!(!status.state.is_final());
    kill_process(root.unsigned_abs());
    assert_eq!(scene.spool.wait_final(id).outcome, Some(Outcome::Succeeded));
}

#[test]
fn a_lost_job_keeps_its_slot_as_long_as_a_process_of_it_may_not_be_signalled() {
    let scene = scene_or_skip!(Scene::new(""));
    let _runner = scene.runner();
    let id = scene.submit(&format!("{AS_ROOT} & sleep 600"));
    let root = scene.root_process(id);
    let status = scene.spool.wait_status(id, "its process is known", |status| status.process.is_some());
    kill_process(status.supervisor.unwrap().pid.unsigned_abs());
    let told = format!("as root: kill -KILL {root}. No other job gets the slot until they have ended");
    wait_problem(&scene.spool, &told);
    let next = scene.submit("echo next");
    // The command that led the session is gone by now, and a new runner remembers nothing.
    wait_until("a rescan has met it again", || !is_alive(status.process.unwrap().pid));
    assert!(!scene.spool.status(id).unwrap().state.is_final());
    kill_process(root.unsigned_abs());
    let lost = scene.spool.wait_final(id);
    assert_eq!(lost.state, State::Lost);
    assert!(
        lost.reason.unwrap().contains("it had no control group of its own, so the runner cannot recognise processes")
    );
    assert!(lost.finished_at <= scene.spool.wait_final(next).started_at);
}

#[track_caller]
fn wait_problem(spool: &TestSpool, text: &str) {
    wait_until(&format!("the runner tells: {text}"), || {
        fs::read_to_string(spool.root().join("runner.json")).unwrap_or_default().contains(text)
    });
}

#[test]
fn where_other_accounts_are_hidden_a_lost_job_keeps_its_slot_until_somebody_has_looked() {
    let scene = scene_or_skip!(Scene::new(""));
    let _runner = scene.runner_after("mount -t proc -o hidepid=2 proc /proc");
    let id = scene.submit(&format!("{AS_ROOT} & sleep 600"));
    let root = scene.root_process(id);
    scene.spool.signal(id, "carol", JobSignal::Interrupt);
    scene.wait_note(id, &format!("did not reach process {root} (of another account)"));
    let status = scene.spool.status(id).unwrap();
    kill_process(status.supervisor.unwrap().pid.unsigned_abs());
    let file = scene.spool.job(id).directory().join("nothing-left");
    wait_problem(&scene.spool, &format!("confirm that: touch {}", file.display()));
    assert!(is_alive(root) && !scene.spool.status(id).unwrap().state.is_final());
    kill_process(root.unsigned_abs());
    fs::write(&file, "").unwrap();
    let lost = scene.spool.wait_final(id);
    assert_eq!(lost.state, State::Lost);
    assert!(lost.reason.as_deref().unwrap().ends_with("an operator has confirmed that none is left"), "{lost:?}");
    wait_until("the word is taken", || !file.exists());
}

#[test]
fn a_kill_reaches_everything_in_the_control_group_of_a_job() {
    let scene = scene_or_skip!(Scene::with_cgroup());
    let _runner = scene.runner();
    // Root's process is in a session of its own, and nobody's child who is known.
    let id = scene.submit(&format!("{} & while :; do :; done", AS_ROOT.replacen("$ROOT", "$ROOT setsid", 1)));
    let root = scene.root_process(id);
    let status = scene.spool.wait_status(id, "its process is known", |status| status.process.is_some());
    let group = status.cgroup.unwrap();
    assert!(group.starts_with(scene.cgroup.as_ref().unwrap()));
    let inside = fs::read_to_string(group.join("cgroup.procs")).unwrap();
    assert!(inside.lines().any(|pid| pid == root.to_string()), "{inside}");
    assert!(!inside.lines().any(|pid| pid == status.supervisor.unwrap().pid.to_string()), "{inside}");
    scene.spool.signal(id, "carol", JobSignal::Kill);
    let status = scene.spool.wait_final(id);
    assert_eq!((status.outcome, status.reason.as_deref()), (Some(Outcome::Stopped), Some("killed by carol")));
    assert!(!is_alive(root) && !group.exists());
    assert!(status.cpu_seconds.unwrap() > 0.0);
}

#[test]
fn what_is_left_of_a_lost_job_is_ended_through_its_control_group() {
    let scene = scene_or_skip!(Scene::with_cgroup());
    let runner = scene.runner();
    let id = scene.submit(&format!("{} & sleep 600", AS_ROOT.replacen("$ROOT", "$ROOT setsid", 1)));
    let root = scene.root_process(id);
    let next = scene.submit("echo next");
    let status = scene.spool.wait_status(id, "its process is known", |status| status.process.is_some());
    runner.kill();
    kill_process(status.supervisor.unwrap().pid.unsigned_abs());
    wait_until("the supervisor is gone", || scene.spool.supervisors().is_empty());
    kill_process(status.process.unwrap().pid.unsigned_abs());
    // A job may make groups within its own.
    let below = status.cgroup.as_ref().unwrap().join("a");
    fs::create_dir_all(below.join("b")).unwrap();
    chown(below, Some(ACCOUNT), Some(ACCOUNT)).unwrap();
    let _runner = scene.runner();
    let lost = scene.spool.wait_final(id);
    assert_eq!(lost.state, State::Lost);
    assert!(!is_alive(root) && lost.cpu_seconds.is_some());
    assert!(lost.reason.as_deref().unwrap().ends_with(" of it were left and were stopped"), "{lost:?}");
    let next = scene.spool.wait_final(next);
    assert!(lost.finished_at <= next.started_at);
    wait_until("no group is left", || scene.groups().is_empty());
}

#[test]
fn a_group_that_cannot_be_used_is_told_and_jobs_run_without() {
    let spool = TestSpool::with_configuration("cgroup = \"/tmp\"");
    let _runner = spool.runner();
    wait_problem(&spool, "jobs run without a control group of their own: /tmp: is not a control group of version 2");
    let id = spool.submit_script("true");
    let status = spool.wait_final(id);
    assert_eq!((status.state, status.cgroup, status.memory_peak), (State::Succeeded, None, None));
}
