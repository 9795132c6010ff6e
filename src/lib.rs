//! SpiderPig: a filesystem-spool job system with a thin HTTP front.
//!
//! The library prints nothing and reads no environment; the two binaries in `src/bin` do both.

pub mod accounts;
pub mod admin;
pub mod api;
pub mod audit;
pub mod blocking;
pub mod changes;
pub mod check;
pub mod config;
pub mod daemon_log;
pub mod digest;
pub mod health;
pub mod http;
pub mod logs;
pub mod mirror;
pub mod outbound;
pub mod output;
pub mod process_state;
pub mod protocol;
pub mod runner;
pub mod shortage;
pub mod spool;
pub mod state;
pub mod submit;
pub mod text;
