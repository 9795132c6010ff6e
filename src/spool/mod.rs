//! The on-disk format (layout version 1): every path, every document, every lock.
//!
//! `spool-layout.md` is the contract for people and other programs; this module is its only implementation.
//! It does not use the runner or the API. Any account with the file permissions may read. All writes go through
//! [`atomic`]. If the contract demands a lock for a write, the function takes a lock of [`lock`] as an argument.
//!
//! Which file answers which question:
//!
//! - Where is a path, and which mode has it? [`layout`].
//! - How is a file written, so that it is never seen half done, and never lost? [`atomic`]. On a full disk: [`room`].
//! - What does a document hold? [`request`] (job.json), [`plan`], [`status`], [`history`], [`runner_state`]
//!   (runner.json), [`inbox`], [`monitoring`], and [`log`] for the records of a log.
//! - Who holds which lock, and what may be done under it? [`lock`], and `LockedJob` in [`job`]. For the device numbers
//!   of `/proc/locks`: [`mount`].
//! - How is a file of another account opened and checked? [`open`], [`strict`] (JSON), [`submitter`] (whose it is),
//!   [`queue`], [`reject`].
//! - Does a runner or supervisor hang, although it holds its lock? [`stall`].
//! - How much room is left? [`space`].
//! - How do tests break each write? [`fault`].

pub mod atomic;
pub mod error;
pub mod fault;
pub mod history;
pub mod id;
pub mod inbox;
pub mod job;
pub mod layout;
pub mod lock;
pub mod log;
pub mod monitoring;
pub mod mount;
pub mod open;
pub mod outcome;
pub mod plan;
pub mod printable;
pub mod process;
pub mod queue;
pub mod reject;
pub mod request;
pub mod room;
pub mod runner_state;
pub mod sequence;
pub mod space;
pub mod stall;
pub mod status;
pub mod strict;
pub mod submitter;
pub mod time;
pub mod watch;

pub use error::{Error, Result};
pub use id::JobId;
pub use layout::Spool;
pub use time::Time;
