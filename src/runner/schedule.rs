//! When the daemon looks next, and at what.

use std::time::{Duration, Instant};

/// Between two looks at something that gives no hint when it changes: a slot whose lock another process holds, a lock
/// whose holder has not said yet who it is.
const SOON: Duration = Duration::from_secs(2);

/// What the next look covers, and when it is due.
#[derive(Debug)]
pub(super) struct Schedule {
    /// Something may have come into `queue/` or `inbox/` since they were listed, or concerns the daemon only now.
    drops: bool,
    /// Something that gives no hint is looked at again soon.
    soon: bool,
    rescan_at: Instant,
}

impl Schedule {
    /// The first look covers everything.
    pub(super) fn new() -> Self {
        Self { drops: true, soon: false, rescan_at: Instant::now() }
    }

    /// The next look lists what people drop.
    pub(super) fn look_at_drops(&mut self) {
        self.drops = true;
    }

    /// Another look is due soon, and lists what people drop.
    pub(super) fn look_again_soon(&mut self) {
        self.soon = true;
    }

    /// The next look covers everything.
    pub(super) fn rescan_now(&mut self) {
        self.rescan_at = Instant::now();
    }

    /// Begins a look. Returns whether it covers everything; the next one that does is then due after `rescan`.
    pub(super) fn begin_look(&mut self, rescan: impl FnOnce() -> Duration) -> bool {
        self.drops |= std::mem::take(&mut self.soon);
        let everything = Instant::now() >= self.rescan_at;
        if everything {
            self.rescan_at = Instant::now() + rescan();
        }
        everything
    }

    /// Whether this look lists what people drop. The next one does not, unless something asks for it.
    pub(super) fn takes_drops(&mut self) -> bool {
        std::mem::take(&mut self.drops)
    }

    /// When the next look is due, if nothing happens before.
    pub(super) fn next_look(&self) -> Instant {
        if self.soon { self.rescan_at.min(Instant::now() + SOON) } else { self.rescan_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn the_first_look_covers_everything_and_the_next_what_is_asked_for() {
        let mut schedule = Schedule::new();
        assert!(schedule.begin_look(|| HOUR) && schedule.takes_drops());
        assert!(!schedule.begin_look(|| HOUR) && !schedule.takes_drops());
        schedule.look_at_drops();
        assert!(!schedule.begin_look(|| HOUR) && schedule.takes_drops());
        schedule.rescan_now();
        assert!(schedule.begin_look(|| HOUR));
    }

    #[test]
    fn a_look_again_is_due_soon_and_lists_drops() {
        let mut schedule = Schedule::new();
        schedule.begin_look(|| HOUR);
        schedule.takes_drops();
        schedule.look_again_soon();
        assert!(schedule.next_look() <= Instant::now() + SOON);
        schedule.begin_look(|| HOUR);
        assert!(schedule.takes_drops());
        assert!(schedule.next_look() > Instant::now() + SOON);
    }
}
