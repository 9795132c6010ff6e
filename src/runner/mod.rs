//! The runner: a daemon that claims jobs and repairs after crashes, and one supervisor per running job.
//!
//! The daemon ([`Daemon`]) leads no job. Its loop waits for hints, ended supervisors and deadlines, and then looks: it
//! admits queued files, reads letters, recovers jobs without a leader, and fills lanes. Each look depends only on the
//! spool and on what earlier looks found there, so a daemon that starts again reaches the same state.
//!
//! Which file answers which question:
//!
//! - What does the daemon wait for, and what does it do then? `daemon.rs`.
//! - When does it look next, and at what? `schedule.rs`; what has no hints and is looked at now and then: `rescan.rs`.
//! - What does it know? `queue.rs` (waiting jobs), `jobs.rs` (claimed jobs), `lanes.rs` (slots), `starts.rs` (attempts
//!   that failed), `problems.rs` (what a person should look at).
//! - When does a job start? `claims.rs`. How do people learn why it waits? `report.rs`.
//! - What happens after a crash? `recovery.rs` (the table), `stop.rs` (processes of a dead job), `tidy.rs`.
//! - How does a supervisor lead a job? [`supervise`].
//! - How did a job end, and who made it end so? [`outcome`].
//! - How does a helper of a script ask? [`job_script`], and `helper_line.rs`, which helper and supervisor share.
//! - In which control group is a job, and where can groups be made? [`cgroup`].

pub mod cgroup;
mod claims;
mod daemon;
mod helper_line;
pub mod hidepid;
pub mod hints;
pub mod job_script;
mod jobs;
mod lanes;
mod letters;
mod orphans;
mod outcome;
mod plan;
mod problems;
pub mod process;
mod queue;
mod readable;
mod recovery;
mod report;
mod rescan;
mod schedule;
mod starts;
mod stop;
pub mod supervise;
mod supervisor;
mod tidy;

pub use daemon::Daemon;
pub use plan::AccountEnvironment;
