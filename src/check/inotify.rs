//! inotify: whether all processes that watch for new files can do so.

use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags};

use crate::config::Config;

use super::finding::{Finding, Findings};

/// Instances that other programs of the same account may need.
const SPARE: u64 = 64;
/// A few for each process. Many distributions have this as their default.
const LEAST_WATCHES: u64 = 8192;

/// Checks the limits, unless the runner is told not to watch.
pub(super) fn check(config: &Config, findings: &mut Findings) {
    if !config.runner.watch {
        return;
    }
    let lanes = config.lane_names().into_iter().map(|lane| u64::from(config.lane_concurrency(lane)));
    // The runner has one instance, and each supervisor has another.
    let wanted = lanes.fold(SPARE + 1, u64::saturating_add);
    check_limit("max_user_instances", wanted, findings);
    check_limit("max_user_watches", LEAST_WATCHES, findings);
    check_now(findings);
}

/// Checks that this account can get an instance now.
pub(super) fn check_now(findings: &mut Findings) {
    if let Err(error) = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK) {
        findings.add(Finding::new(
            "fs.inotify.max_user_instances",
            format!("this account cannot get another inotify instance: {error}"),
            "sysctl -w fs.inotify.max_user_instances=1024",
        ));
    }
}

fn check_limit(name: &str, wanted: u64, findings: &mut Findings) {
    let path = Path::new("/proc/sys/fs/inotify").join(name);
    // A kernel without the file has no inotify, or hides it. `check_now` finds that out.
    let Ok(text) = std::fs::read_to_string(path) else { return };
    if let Ok(limit) = text.trim().parse()
        && let Some(finding) = judge(name, limit, wanted)
    {
        findings.add(finding);
    }
}

fn judge(name: &str, limit: u64, wanted: u64) -> Option<Finding> {
    let better = wanted.checked_next_power_of_two().unwrap_or(wanted).max(512);
    (limit < wanted).then(|| {
        Finding::new(
            format!("fs.inotify.{name}"),
            format!("is {limit}, but should be at least {wanted}"),
            format!("echo 'fs.inotify.{name} = {better}' > /etc/sysctl.d/60-spiderpig-{name}.conf && sysctl --system"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_too_low_is_named_with_a_better_one() {
        assert_eq!(judge("max_user_instances", 128, 128), None);
        assert_eq!(
            judge("max_user_instances", 128, 600).unwrap().to_string(),
            "fs.inotify.max_user_instances: is 128, but should be at least 600\n  fix: echo \
             'fs.inotify.max_user_instances = 1024' > /etc/sysctl.d/60-spiderpig-max_user_instances.conf \
             && sysctl --system"
        );
        assert!(judge("max_user_watches", 0, u64::MAX).unwrap().fix.contains("= 18446744073709551615'"));
    }
}
