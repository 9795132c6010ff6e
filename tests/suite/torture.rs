//! Random kills: the runner, its supervisors and the jobs under strace, which kills whoever comes to the Nth system call
//! of a kind that changes files or starts processes.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use spiderpig::spool::status::State;

use crate::support::{TestSpool, kill_process, processes, program, wait_for, wait_until};

/// System calls at whose entry a process is killed.
const ANY: &str = "openat,open,mkdir,renameat2,renameat,rename,fsync,fdatasync,write,pwrite64,ftruncate,unlink,rmdir,\
                   unlinkat,symlink,flock,execve,fork,vfork,clone,clone3,pidfd_open,wait4,getdents64";
/// The same, but only those that a supervisor makes and the claiming runner does not, which would be hit first.
const OF_SUPERVISORS: &str = "fsync,fdatasync,pwrite64,ftruncate,poll,prctl,setsid,fork,clone3,unlink";

/// A small generator of its own, so that a seed means the same for ever (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % limit
    }
}

#[test]
fn torture_random_kills_never_run_a_job_twice_and_every_job_ends() {
    let setting = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let kills = setting("SPIDERPIG_TORTURE_KILLS").unwrap_or(40);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let first_seed = setting("SPIDERPIG_TORTURE_SEED").unwrap_or(now);
    let mut ends: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in first_seed..first_seed + kills {
        println!("torture: SPIDERPIG_TORTURE_SEED={seed} SPIDERPIG_TORTURE_KILLS=1 repeats this round");
        let (runner_was_hit, states) = torture(seed);
        *ends.entry("runner killed").or_default() += u32::from(runner_was_hit);
        for state in states {
            *ends.entry(state.word()).or_default() += 1;
        }
    }
    println!("torture: {ends:?}");
    let hit = |what: &str| ends.get(what).is_some_and(|count| *count > 0);
    assert!(
        kills < 20 || hit("runner killed") && (hit("lost") || hit("failed")),
        "the kills do not hit what they are for: {ends:?}"
    );
}

/// One round. Returns whether the runner was killed, and how each job ended.
fn torture(seed: u64) -> (bool, Vec<State>) {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let spool = TestSpool::with_configuration("stop_grace = \"100ms\"");
    let mark = spool.path().join("executed");
    let submit = |number: u32| spool.submit_script(&format!("echo {number} >> {}; seq 50", mark.display()));
    let mut kill_at = |targets: &str, limit: u64| {
        let when = 1 + random.below(limit);
        let mut command = Command::new("strace");
        command.args(["-f", "-o", "/dev/null", "-e", &format!("trace={targets}")]);
        command.args(["-e", &format!("inject={targets}:signal=SIGKILL:when={when}")]);
        command
    };
    // The runner from its start, with jobs that wait; or a runner at rest to which jobs come; or supervisors only.
    let (mut strace, mut runner, jobs) = if seed.is_multiple_of(3) {
        spool.runner().terminate();
        let jobs: Vec<_> = (1..=3).map(submit).collect();
        let mut command = kill_at(ANY, 300);
        command.arg(program("spiderpig-runner")).arg("--config").arg(spool.configuration());
        (spool.daemon(&mut command, "strace.log"), None, jobs)
    } else {
        let runner = spool.runner();
        let mut command = if seed % 3 == 1 { kill_at(ANY, 100) } else { kill_at(OF_SUPERVISORS, 12) };
        let strace = spool.daemon(command.args(["-p", &runner.pid().to_string()]), "strace.log");
        wait_until("strace follows the runner", || strace.log().contains("attached"));
        (strace, Some(runner), (1..=3).map(submit).collect())
    };
    let ended = || jobs.iter().all(|id| spool.history_lines(*id) > 0);
    let mut runner_was_hit = false;
    wait_until(&format!("seed {seed}: the runner is killed or all ends"), || {
        let traced = runner.as_mut().unwrap_or(&mut strace);
        runner_was_hit = traced.child.try_wait().unwrap().is_some();
        runner_was_hit || ended()
    });
    // Without its tracer a runner that was not hit would go on; the supervisors and jobs may.
    let configuration = spool.configuration();
    let name = program("spiderpig-runner");
    processes(|command| command.starts_with(name) && command.contains(configuration.to_str().unwrap()))
        .into_iter()
        .for_each(kill_process);
    strace.kill();

    let _healthy = spool.runner();
    let mut ends = Vec::new();
    for id in &jobs {
        let status = wait_for(&format!("seed {seed}: job {id} ends"), || {
            spool.status(*id).filter(|status| status.state.is_final() && spool.history_lines(*id) > 0)
        });
        let executions = fs::read_to_string(&mark).unwrap_or_default();
        let executions = executions.lines().filter(|line| *line == id.to_string()).count();
        assert!(executions <= 1, "seed {seed}: job {id} was executed {executions} times");
        assert_eq!(spool.history_lines(*id), 1, "seed {seed}: job {id}");
        match status.state {
            State::Succeeded => assert_eq!(executions, 1, "seed {seed}: job {id}"),
            State::Failed | State::Lost => {}
            other => panic!("seed {seed}: job {id} is {other:?}"),
        }
        ends.push(status.state);
    }
    assert!(spool.names("queue").is_empty(), "seed {seed}");
    (runner_was_hit, ends)
}
