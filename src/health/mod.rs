//! How this service and its disks are: what `/healthz` and the metrics tell.

pub mod disk;
pub mod shared_look;
