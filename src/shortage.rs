//! The system gives no process or thread for now. That is nobody's fault and passes: one tries again, and says so.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

/// Before the second attempt; each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Between two attempts at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What the system lacks, in words for people, if it is a lack that may pass.
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

/// Attempts that failed, and when the next one is made.
#[derive(Debug)]
pub struct Shortage {
    words: String,
    pause: Duration,
    until: Instant,
}

impl Shortage {
    /// Another attempt has failed, because of what `words` say.
    #[must_use]
    pub fn after(before: Option<&Self>, words: impl Into<String>) -> Self {
        let pause = before.map_or(FIRST_PAUSE, |before| (before.pause * 2).min(LONGEST_PAUSE));
        Self { words: words.into(), pause, until: Instant::now() + pause }
    }

    /// When the next attempt is made.
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

/// Asks for a thread before something asks that cannot be told that there is none.
///
/// # Errors
/// There is none to be had.
pub fn ask_for_thread() -> io::Result<()> {
    let started = std::thread::Builder::new().spawn(|| ())?;
    // It does nothing, so it cannot have failed.
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
    fn only_what_may_pass_is_a_shortage() {
        let of = |number| words(&io::Error::from_raw_os_error(number));
        assert!(of(libc::EAGAIN).is_some() && of(libc::ENOMEM).is_some());
        assert_eq!(of(libc::ENOENT), None);
        assert_eq!(words(&io::Error::other("a text")), None);
    }
}
