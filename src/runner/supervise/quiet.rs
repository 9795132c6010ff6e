//! Notices that a job has printed nothing for a long time.

use std::time::{Duration, Instant};

use crate::spool::time::Time;

/// How long a job has been quiet. What it is told of comes with each read of output, so it only looks at the clock that
/// is read anyway.
#[derive(Debug)]
pub struct Quiet {
    /// The silence after which people are told; `None` for never.
    after: Option<Duration>,
    /// The last output, or when the job began to owe some.
    since: Instant,
    /// Whether the job waits for an answer, and so owes no output.
    is_paused: bool,
    was_noticed: bool,
}

/// A job prints nothing.
#[derive(Debug, PartialEq, Eq)]
pub struct Silence {
    /// For how long, at least.
    pub length: Duration,
    /// Since when.
    pub since: Time,
}

impl Quiet {
    /// For a job that begins now.
    pub fn new(after: Option<Duration>, now: Instant) -> Self {
        Self { after, since: now, is_paused: false, was_noticed: false }
    }

    /// There is output.
    pub fn hear(&mut self, now: Instant) {
        self.since = now;
        self.was_noticed = false;
    }

    /// The job waits for somebody, or has ended.
    pub fn pause(&mut self) {
        self.is_paused = true;
    }

    /// The job waits for nobody any more, if it did.
    pub fn go_on(&mut self, now: Instant) {
        if std::mem::take(&mut self.is_paused) {
            self.hear(now);
        }
    }

    /// When it will have been quiet for long, if it stays so.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.after.filter(|_| !self.is_paused && !self.was_noticed).map(|after| self.since + after)
    }

    /// That it is quiet for long now: once for each silence.
    pub fn notice(&mut self, now: Instant) -> Option<Silence> {
        self.deadline().filter(|deadline| *deadline <= now)?;
        self.was_noticed = true;
        let ago = i64::try_from(now.duration_since(self.since).as_millis()).unwrap_or(i64::MAX);
        let since = Time::from_milliseconds(Time::now().as_milliseconds().saturating_sub(ago));
        Some(Silence { length: self.after.unwrap_or_default(), since })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn a_silence_is_noticed_once_and_ends_with_output() {
        let start = Instant::now();
        let mut quiet = Quiet::new(Some(MINUTE), start);
        quiet.hear(start + MINUTE);
        assert_eq!(quiet.deadline(), Some(start + 2 * MINUTE));
        assert_eq!(quiet.notice(start + MINUTE), None);
        let silence = quiet.notice(start + 3 * MINUTE).unwrap();
        assert_eq!(silence.length, MINUTE);
        let ago = Time::now().as_milliseconds() - silence.since.as_milliseconds();
        assert!((120_000..125_000).contains(&ago), "{ago}");
        assert_eq!((quiet.deadline(), quiet.notice(start + 9 * MINUTE)), (None, None));
        quiet.hear(start + 9 * MINUTE);
        assert_eq!(quiet.deadline(), Some(start + 10 * MINUTE));
    }

    #[test]
    fn who_waits_for_an_answer_owes_no_output_until_it_comes() {
        let start = Instant::now();
        let mut quiet = Quiet::new(Some(MINUTE), start);
        quiet.pause();
        assert_eq!((quiet.deadline(), quiet.notice(start + 9 * MINUTE)), (None, None));
        quiet.go_on(start + 9 * MINUTE);
        assert_eq!(quiet.deadline(), Some(start + 10 * MINUTE));
        quiet.go_on(start + 10 * MINUTE);
        assert!(quiet.notice(start + 10 * MINUTE).is_some(), "it was not paused");
        assert_eq!(Quiet::new(None, start).notice(start + 9 * MINUTE), None);
    }
}
