//! The on-disk format (layout version 1): every path, every document, every lock.
//!
//! `spool-layout.md` is the contract for people and other programs; this module is its only implementation.
//! It knows nothing of the runner or the API. Reading is open to anyone with the file permissions; writing goes
//! through [`atomic`] and, where the contract says so, needs a lock of [`lock`] as a witness.

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
