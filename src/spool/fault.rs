//! Injects faults, so that tests can break the spool's writes at every step.
//!
//! Each write of [`super::atomic`] calls [`point`]. An installed plan makes the process die there, or makes the write
//! fail. Only debug builds of the binaries install a plan.

use std::io;
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

static PLAN: OnceLock<Plan> = OnceLock::new();
static PASSED: AtomicU64 = AtomicU64::new(0);

/// The fault, and the write that it hits. Written as `7:die`, `7:fail`, `7:full`, `1:norename` or `1:nolink`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The number of the write, counted from 1 in this process.
    pub at: u64,
    /// The fault.
    pub effect: Effect,
}

/// The kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The process ends at once, as by SIGKILL.
    Die,
    /// This write fails with an input/output error.
    Fail,
    /// This write and all later ones fail, because the disk is full.
    Full,
    /// From this write on, renames without replacement fail, as on some filesystems.
    NoRename,
    /// The same, and hard links fail too.
    NoLink,
}

/// The error for a text that is not a fault plan.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fault plan looks like 7:die, 7:fail, 7:full, 1:norename or 1:nolink")]
pub struct NotAPlan;

impl FromStr for Plan {
    type Err = NotAPlan;

    fn from_str(text: &str) -> Result<Self, NotAPlan> {
        let (at, effect) = text.split_once(':').ok_or(NotAPlan)?;
        let effect = match effect {
            "die" => Effect::Die,
            "fail" => Effect::Fail,
            "full" => Effect::Full,
            "norename" => Effect::NoRename,
            "nolink" => Effect::NoLink,
            _ => return Err(NotAPlan),
        };
        Ok(Self { at: at.parse().map_err(|_| NotAPlan)?, effect })
    }
}

/// Installs the plan for the rest of this process. Only the first call counts.
pub fn install(plan: Plan) {
    // A second plan would make the count of writes wrong, so the first one stays.
    let _ = PLAN.set(plan);
}

/// Counts one write, and injects the fault if its turn has come.
///
/// # Errors
/// The failure of the installed plan.
pub fn point() -> io::Result<()> {
    let Some(plan) = PLAN.get() else { return Ok(()) };
    let number = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
    match plan.effect {
        Effect::Die if number == plan.at => {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)?;
            Ok(())
        }
        Effect::Fail if number == plan.at => Err(rustix::io::Errno::IO.into()),
        Effect::Full if number >= plan.at => Err(rustix::io::Errno::NOSPC.into()),
        _ => Ok(()),
    }
}

/// Whether renames without replacement must fail.
#[must_use]
pub fn refuses_renames() -> bool {
    PLAN.get().is_some_and(|plan| matches!(plan.effect, Effect::NoRename | Effect::NoLink))
}

/// Whether hard links must fail.
#[must_use]
pub fn refuses_links() -> bool {
    PLAN.get().is_some_and(|plan| plan.effect == Effect::NoLink)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_read_from_text() {
        assert_eq!("7:die".parse(), Ok(Plan { at: 7, effect: Effect::Die }));
        assert_eq!("1:full".parse(), Ok(Plan { at: 1, effect: Effect::Full }));
        assert_eq!("1:norename".parse(), Ok(Plan { at: 1, effect: Effect::NoRename }));
        assert_eq!("1:nolink".parse(), Ok(Plan { at: 1, effect: Effect::NoLink }));
        assert_eq!("die".parse::<Plan>(), Err(NotAPlan));
        assert_eq!("x:fail".parse::<Plan>(), Err(NotAPlan));
    }
}
