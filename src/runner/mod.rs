//! The runner: a daemon that claims jobs and repairs after crashes, and one supervisor per running job.
//!
//! The daemon ([`Daemon`]) owns no job's life. One loop waits for hints, ended supervisors and deadlines, and then looks:
//! queued files are admitted, letters read, jobs without a leader recovered, lanes filled. What a look does
//! depends on nothing but the spool and the table of jobs that the looks before have built from it, so a daemon that
//! starts anew comes to the same end.

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
