//! Integration tests: the real binaries on real files in a temporary spool.

#![expect(clippy::disallowed_methods, reason = "tests do to the spool what people, crashes and disks do")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod api;
mod crash;
mod demo;
mod examples;
mod faults;
mod jobs;
mod recipes;
mod recovery;
mod strangers;
mod support;
mod torture;
