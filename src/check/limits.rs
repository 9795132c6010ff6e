//! The limits of the process that checks. The runner has the same ones if it is started in the same way.

use crate::process_state;

use super::finding::{Finding, Findings};

pub(super) fn check(findings: &mut Findings) {
    if let Some(limit) = process_state::file_size_limit() {
        findings.add(Finding::new(
            "RLIMIT_FSIZE",
            format!("limits files to {limit} bytes, so longer logs of jobs are cut off"),
            "set LimitFSIZE=infinity in the unit of the service, or run `ulimit -Hf unlimited` before the runner",
        ));
    }
}
