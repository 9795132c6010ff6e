//! Random kills: the runner, its supervisors and the jobs under strace, which kills whoever comes to the Nth system call
//! of a kind that changes files or starts processes.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use spiderpig::spool::status::State;

use crate::support::{TestSpool, kill_process, processes, program, wait_for, wait_until};

/// System calls at whose entry a process is killed.
const TARGETS: &str = "openat,mkdir,renameat2,rename,fsync,fdatasync,write,pwrite64,ftruncate,unlink,rmdir,unlinkat,\
                       symlink,flock,execve,fork,vfork,clone,clone3,pidfd_open,wait4,getdents64";

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
        for state in torture(seed) {
            *ends.entry(state.word()).or_default() += 1;
        }
    }
    println!("torture: how the jobs ended: {ends:?}");
}

/// One round. Returns how each job ended.
fn torture(seed: u64) -> Vec<State> {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let spool = TestSpool::with_configuration("stop_grace = \"100ms\"");
    spool.runner().terminate();
    let mark = spool.path().join("executed");
    let jobs: Vec<_> =
        (1..=3).map(|number| spool.submit_script(&format!("echo {number} >> {}; seq 50", mark.display()))).collect();

    // A low number hits the start of every process, a high one only those that live long.
    let limit = [20, 100, 400][usize::try_from(random.below(3)).unwrap()];
    let when = 1 + random.below(limit);
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={TARGETS}")]);
    command.args(["-e", &format!("inject={TARGETS}:signal=SIGKILL:when={when}")]);
    command.arg(program("spiderpig-runner")).arg("--config").arg(spool.configuration());
    let mut strace = spool.daemon(&mut command, "strace.log");
    let ended = |spool: &TestSpool| jobs.iter().all(|id| spool.history_lines(*id) > 0);
    wait_until(&format!("seed {seed}: somebody is killed or all ends"), || {
        strace.child.try_wait().unwrap().is_some() || ended(&spool)
    });
    // Without its tracer a runner that was not hit would go on; the supervisors and jobs may.
    let configuration = spool.configuration();
    let runner = program("spiderpig-runner");
    processes(|command| command.starts_with(runner) && command.contains(configuration.to_str().unwrap()))
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
    ends
}
