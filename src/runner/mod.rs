//! The runner: what starts jobs, leads them, and helps their scripts.

pub mod job_script;
