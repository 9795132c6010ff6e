//! Limits of the process that checks, which are those of the runner if both are started in the same way.

use crate::process_state;

use super::finding::{Finding, Findings};

pub(super) fn check(findings: &mut Findings) {
    if let Some(limit) = process_state::file_size_limit() {
        findings.add(Finding::new(
            "RLIMIT_FSIZE",
            format!("files can have {limit} bytes at most, and logs of jobs end there"),
            "LimitFSIZE=infinity in the unit of the service, or `ulimit -Hf unlimited` where the runner is started",
        ));
    }
}
