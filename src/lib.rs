//! SpiderPig: a filesystem-spool job system with a thin HTTP front.
//!
//! The library prints nothing and reads no environment; the two binaries in `src/bin` do both.

pub mod admin;
pub mod api;
pub mod check;
pub mod config;
pub mod daemon_log;
pub mod digest;
pub mod output;
pub mod process_state;
pub mod protocol;
pub mod runner;
pub mod shortage;
pub mod spool;
