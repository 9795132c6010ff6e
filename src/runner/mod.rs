//! The runner: a daemon that claims jobs and repairs after crashes, and one supervisor per running job.
//!
//! The daemon ([`Daemon`]) owns no job's life. One loop waits for hints, ended supervisors and deadlines, and then looks:
//! queued files are admitted, letters read, jobs without a leader recovered, lanes filled. What a look does
//! depends on nothing but the spool and the table of jobs that the looks before have built from it, so a daemon that
//! starts anew comes to the same end.
//!
//! Which file answers which question:
//!
//! - What does the daemon wait for, and what does it do then? `daemon.rs`.
//! - When does a job start, and why does it wait? `claims.rs`, `lanes.rs`; how people are told: `report.rs`.
//! - What happens after a crash? `recovery.rs` (the table), `stop.rs` (what is left of a dead job), `tidy.rs`.
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
mod lanes;
mod letters;
mod outcome;
mod plan;
pub mod process;
mod readable;
mod recovery;
mod report;
mod stop;
mod strangers;
pub mod supervise;
mod supervisor;
mod tidy;

pub use daemon::Daemon;
pub use plan::AccountEnvironment;
