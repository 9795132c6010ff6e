//! `supervise N`: the process that leads one job.
//!
//! It is small and alone: it reads the frozen plan and not the configuration, holds the job's lock and its slot of the
//! lane, owns the pipes, and is the only writer of the job's files. Either daemon can die and come back without it
//! noticing. Its life has four parts, one file each:
//!
//! 1. [`start`]: decide whether to start at all, make that durable, execute the command ([`command`]).
//! 2. [`leader`]: one loop that waits for output, letters, the end of the command, and deadlines.
//! 3. [`journal`]: what is known of the job, written to its log and status, and the letters that it gets. Prompts live
//!    in [`prompts`], the connections of those who ask for the job in [`helpers`], silence in [`quiet`].
//!    Whom a signal reaches is in [`reach`].
//! 4. [`descendants`]: what is left when the command has ended.

mod arguments;
mod command;
mod descendants;
mod helpers;
mod journal;
mod leader;
mod prompts;
mod quiet;
mod reach;
mod start;
mod stdin;

pub use arguments::Arguments;
pub use start::{Inherited, SHORTAGE_STATUS, exit_status, run};
