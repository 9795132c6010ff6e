//! A temporary spool with the real programs on it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use spiderpig::runner::process;
use spiderpig::spool::history::HistoryLine;
use spiderpig::spool::job::{self, Job};
use spiderpig::spool::status::{State, Status};
use spiderpig::spool::{JobId, Spool, atomic, history};
use spiderpig::state::StateDirectory;

use super::{Result, disk};

/// The suite gives up on any step after this time.
const DEADLINE: Duration = Duration::from_mins(1);
/// The pause between two looks at a state that another process changes. No measured duration depends on it.
const LOOK: Duration = Duration::from_millis(1);

/// A spool. On drop, its programs are stopped. Its files stay until the suite ends.
#[derive(Debug)]
pub struct Stage {
    directory: PathBuf,
    daemons: Vec<Child>,
}

impl Stage {
    /// A spool with a runner.
    pub fn new(root: &Path) -> Result<Self> {
        let mut stage = Self::without_runner(root)?;
        let mut runner = stage.program(env!("CARGO_BIN_EXE_spiderpig-runner"));
        stage.start_runner(&mut runner)?;
        Ok(stage)
    }

    /// A spool without its directories.
    pub fn without_runner(root: &Path) -> Result<Self> {
        let stage = Self { directory: disk::directory(root)?, daemons: Vec::new() };
        let own = std::env::current_exe()?;
        let command = own.display();
        let text = format!(
            "spool = '{}'\n\
             [api]\nlisten = \"127.0.0.1:0\"\nstate_directory = '{}'\n\
             [auth]\nmode = \"none\"\ndev_user = \"bench\"\n\
             [gerrit]\nurl = \"\"\n\
             [lanes.four]\nconcurrency = 4\n\
             [job_types.noop]\ncommand = [\"true\"]\n\
             [job_types.noop-four]\ncommand = [\"true\"]\nlane = \"four\"\n\
             [job_types.sleep]\ncommand = [\"sleep\", \"600\"]\n\
             [job_types.seq]\ncommand = [\"seq\", \"1\", \"2000000\"]\n\
             [job_types.flood]\ncommand = ['{command}', \"job\", \"flood\"]\n\
             [job_types.questions]\ncommand = ['{command}', \"job\", \"questions\"]\n\
             [job_types.stamp]\ncommand = ['{command}', \"job\", \"stamp\"]\n\
             [job_types.ticks]\ncommand = ['{command}', \"job\", \"ticks\", \"350\"]\n\
             [job_types.ticks-long]\ncommand = ['{command}', \"job\", \"ticks\", \"1200\"]\n",
            stage.root().display(),
            stage.path("state").display(),
        );
        fs::write(stage.configuration(), text)?;
        Ok(stage)
    }

    /// Lets people sign in with this users file, without a second factor.
    pub fn with_users(self, users: &str) -> Result<Self> {
        let file = self.users_file();
        atomic::replace(&file, users.as_bytes(), 0o600, atomic::Durability::Ordered)?;
        let local = format!("mode = \"local\"\ntwo_factor = false\nusers_file = '{}'", file.display());
        let text = fs::read_to_string(self.configuration())?.replace("mode = \"none\"", &local);
        fs::write(self.configuration(), text)?;
        Ok(self)
    }

    /// Trusts the forwarded address of any client on this machine, as if the client were a proxy.
    pub fn behind_a_proxy(self) -> Result<Self> {
        let text =
            fs::read_to_string(self.configuration())?.replace("[api]\n", "[api]\ntrusted_proxies = [\"127.0.0.1\"]\n");
        fs::write(self.configuration(), text)?;
        Ok(self)
    }

    /// The file of the users who may sign in.
    pub fn users_file(&self) -> PathBuf {
        self.path("users.toml")
    }

    /// The state directory of this spool.
    pub fn state_directory(&self) -> StateDirectory {
        StateDirectory::new(&self.path("state"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The spool directory.
    pub fn root(&self) -> PathBuf {
        self.path("spool")
    }

    fn configuration(&self) -> PathBuf {
        self.path("spiderpig.toml")
    }

    /// The spool through the library.
    pub fn spool(&self) -> Result<Spool> {
        Ok(Spool::open(&self.root())?)
    }

    /// The command line of a program on this spool. It takes no further arguments.
    pub fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("--config").arg(self.configuration());
        command
    }

    /// Starts a runner and waits until it is up. Returns its process number.
    pub fn start_runner(&mut self, command: &mut Command) -> Result<u32> {
        let (pid, log) = self.start(command, "runner.log")?;
        wait_for("the runner is up", || Ok(fs::read_to_string(&log)?.contains("the runner is up").then_some(())))?;
        Ok(pid)
    }

    /// Starts the API. Returns its process number and its port.
    pub fn start_api(&mut self) -> Result<(u32, u16)> {
        let mut command = self.program(env!("CARGO_BIN_EXE_spiderpig-api"));
        let (pid, log) = self.start(&mut command, "api.log")?;
        let port = wait_for("the API listens", || {
            let text = fs::read_to_string(&log)?;
            let port =
                text.split_once("http://127.0.0.1:").map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit));
            Ok(port.and_then(|digits| digits.collect::<String>().parse().ok()))
        })?;
        Ok((pid, port))
    }

    fn start(&mut self, command: &mut Command, log: &str) -> Result<(u32, PathBuf)> {
        let log = self.path(log);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?).spawn()?;
        let pid = child.id();
        self.daemons.push(child);
        Ok((pid, log))
    }

    /// The process number of the runner. Starts the runner first.
    pub fn runner(&self) -> Result<u32> {
        Ok(self.daemons.first().ok_or("there is no runner")?.id())
    }

    /// The number of jobs in the history.
    pub fn finished(&self) -> Result<usize> {
        let text = fs::read(self.spool()?.history()).unwrap_or_default();
        Ok(memchr::memchr_iter(b'\n', &text).count())
    }

    /// Waits until the history has this many jobs, and checks that all of them succeeded.
    pub fn wait_finished(&self, count: usize) -> Result<()> {
        wait_for(&format!("{count} jobs have finished"), || Ok((self.finished()? >= count).then_some(())))?;
        let mut failed = 0;
        history::for_each(&self.spool()?, |line: HistoryLine| failed += usize::from(line.state != State::Succeeded))?;
        if failed == 0 { Ok(()) } else { Err(format!("{failed} of {count} jobs failed").into()) }
    }

    /// Waits until the command of a job runs. Returns its status.
    pub fn wait_running(&self, id: JobId) -> Result<Status> {
        let job = self.job(id)?;
        wait_for("the job runs", || Ok(job.status().ok().flatten().filter(|status| status.process.is_some())))
    }

    /// The directory of a job.
    pub fn job(&self, id: JobId) -> Result<Job> {
        Ok(Job::new(&self.spool()?, id))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for mut daemon in self.daemons.drain(..) {
            // If it has ended by itself, the step that needed it has failed already.
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        if let Ok(spool) = self.spool() {
            kill_jobs(&spool);
        }
    }
}

/// Kills the supervisors that are left on a spool, and their jobs.
fn kill_jobs(spool: &Spool) {
    for id in job::list(spool).map(|(jobs, _)| jobs).unwrap_or_default() {
        if let Ok(Some(status)) = Job::new(spool, id).status()
            && !status.state.is_final()
        {
            for process in status.supervisor.into_iter().chain([status.process].into_iter().flatten()) {
                let _ = process::signal(process, Signal::KILL);
            }
        }
    }
}

/// Waits until `look` returns something.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() > deadline {
            return Err(format!("waited in vain: {what}").into());
        }
        std::thread::sleep(LOOK);
    }
}
