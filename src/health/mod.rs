//! How this service and its disks are: what `/healthz` and the metrics tell.
//!
//! | question | file |
//! |---|---|
//! | What do the disks of the spool and of the state directory say when they are asked? | [`disk`] |
//! | How is a disk asked that may hang? | [`shared_look`] |
//! | What is wrong with them, in words? | [`problems`] |
//! | What is counted, and how does Prometheus read it? | [`metrics`] |

pub mod disk;
pub mod metrics;
pub mod problems;
pub mod shared_look;
