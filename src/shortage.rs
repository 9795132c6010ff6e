//! A shortage: the system has no process or thread for now. It is nobody's fault and passes, so the caller reports it
//! and tries again.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

/// The pause before the second attempt. Each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Describes the missing resource to people. `None` if the error is not a shortage that may pass.
#[must_use]
pub fn words(error: &io::Error) -> Option<&'static str> {
    Some(match error.raw_os_error()? {
        libc::EAGAIN => "the limit of processes is reached (TasksMax of the service, or `ulimit -u` of the account)",
        libc::ENOMEM => "the machine has no memory left",
        libc::EMFILE => "too many files are open in the process (`ulimit -n`)",
        libc::ENFILE => "too many files are open on the machine (fs.file-max)",
        _ => return None,
    })
}

/// Failed attempts, and the time of the next one.
#[derive(Debug)]
pub struct Shortage {
    words: String,
    pause: Duration,
    until: Instant,
}

impl Shortage {
    /// Another attempt has failed, for the reason in `words`.
    #[must_use]
    pub fn after(before: Option<&Self>, words: impl Into<String>) -> Self {
        let pause = before.map_or(FIRST_PAUSE, |before| (before.pause * 2).min(LONGEST_PAUSE));
        Self { words: words.into(), pause, until: Instant::now() + pause }
    }

    /// The time of the next attempt.
    #[must_use]
    pub fn until(&self) -> Instant {
        self.until
    }

    /// Whether it is time for the next attempt.
    #[must_use]
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { words, pause, .. } = self;
        write!(formatter, "no process could be started: {words}; tried again within {} s", pause.as_secs())
    }
}

/// Tests whether a thread can be started. Call it before code that cannot report the failure.
///
/// # Errors
/// The system has no thread.
pub fn check_for_thread() -> io::Result<()> {
    let started = std::thread::Builder::new().spawn(|| ())?;
    // The thread does nothing, so it cannot have failed.
    let _ = started.join();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_half_a_minute_and_are_told() {
        let mut shortage = Shortage::after(None, "none left");
        let mut pauses = vec![shortage.pause.as_secs()];
        for _ in 0..6 {
            assert!(!shortage.is_over());
            shortage = Shortage::after(Some(&shortage), "none left");
            pauses.push(shortage.pause.as_secs());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(shortage.to_string(), "no process could be started: none left; tried again within 30 s");
    }

    #[test]
    fn only_errors_that_may_pass_are_a_shortage() {
        let of = |number| words(&io::Error::from_raw_os_error(number));
        assert!(of(libc::EAGAIN).is_some() && of(libc::ENOMEM).is_some());
        assert_eq!(of(libc::ENOENT), None);
        assert_eq!(words(&io::Error::other("a text")), None);
    }
}
