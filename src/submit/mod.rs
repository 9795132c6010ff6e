//! Queueing a job: durably, and once for each idempotency key.

pub mod idempotency;
