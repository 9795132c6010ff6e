//! Integration tests: the real binaries on real files in a temporary spool.

#![expect(clippy::disallowed_methods, reason = "tests do to the spool what people, crashes and disks do")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod accounts;
mod answers;
mod api;
mod architecture;
mod attacks;
mod audit;
mod cas;
mod cgroups;
mod client;
mod compatibility;
mod crash;
mod daemon_log;
mod demo;
mod disk;
mod documents;
mod events;
mod examples;
mod faults;
mod front;
mod gerrit;
mod helpers;
mod hostile;
mod jobs;
mod large;
mod monitoring;
mod openapi;
mod otp;
mod outcomes;
mod output;
mod own_jobs;
mod pausing;
mod process_state;
mod processes;
mod recipes;
mod recovery;
mod server;
mod stopping;
mod strangers;
mod submitting;
mod support;
mod tokens;
mod torture;
mod truth;
mod users;
mod viewers;
