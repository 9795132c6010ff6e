//! Limits how many lines of the audit trail tell that somebody was refused something: a script that asks ten thousand times
//! must not fill the disk.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::ClientAddress;

/// How long a line counts.
const WINDOW: Duration = Duration::from_mins(1);

/// The most lines within [`WINDOW`] for one user at one address.
const MOST: u32 = 5;

/// The most for all together: addresses cost nothing.
const MOST_OF_ALL: u32 = 60;

/// The most users at addresses that are told apart.
const MOST_KEYS: usize = 1000;

/// Decides which refusals get a line in the trail, and counts those that get none.
#[derive(Debug, Default)]
pub struct RefusalLimiter {
    recent: Mutex<Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    of: HashMap<Key, Count>,
    all: Count,
}

type Key = (Option<Arc<str>>, ClientAddress);

#[derive(Debug, Default)]
struct Count {
    began: Option<Instant>,
    lines: u32,
    left_out: u64,
}

/// How many refusals got no line. The next line tells it.
#[derive(Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Those of the same user at the same address, since their last line.
    pub own: u64,
    /// Those of others, of whom too many came at once.
    pub of_others: u64,
}

impl Count {
    /// Whether there is room for another line.
    fn has_room(&mut self, most: u32, now: Instant) -> bool {
        if self.began.is_none_or(|began| now.duration_since(began) >= WINDOW) {
            (self.began, self.lines) = (Some(now), 0);
        }
        self.lines < most
    }

    fn is_over(&self, now: Instant) -> bool {
        self.began.is_none_or(|began| now.duration_since(began) >= WINDOW)
    }
}

impl RefusalLimiter {
    /// Counts a refusal of `user` at `address`. If it gets a line, returns what that line has to tell of those before it;
    /// `None` if it gets none.
    pub fn count(&self, user: Option<Arc<str>>, address: ClientAddress, now: Instant) -> Option<LeftOut> {
        let mut recent = self.lock();
        let Recent { of, all } = &mut *recent;
        let key = (user, address);
        if of.len() >= MOST_KEYS && !of.contains_key(&key) {
            of.retain(|_, count| {
                let is_kept = !count.is_over(now);
                all.left_out += if is_kept { 0 } else { count.left_out };
                is_kept
            });
            if of.len() >= MOST_KEYS {
                all.left_out += 1;
                return None;
            }
        }
        let own = of.entry(key).or_default();
        if !own.has_room(MOST, now) || !all.has_room(MOST_OF_ALL, now) {
            own.left_out += 1;
            return None;
        }
        own.lines += 1;
        all.lines += 1;
        Some(LeftOut { own: std::mem::take(&mut own.left_out), of_others: std::mem::take(&mut all.left_out) })
    }

    fn lock(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> ClientAddress {
        ClientAddress::Ip(std::net::Ipv4Addr::from(n).into())
    }

    #[test]
    fn each_has_a_few_lines_a_minute_and_the_next_one_tells_how_many_are_missing() {
        let limiter = RefusalLimiter::default();
        let now = Instant::now();
        let count = |user: &str, at: u64| limiter.count(Some(user.into()), address(1), now + Duration::from_secs(at));
        let bare = LeftOut { own: 0, of_others: 0 };
        assert!((0..5).all(|second| count("alice", second).as_ref() == Some(&bare)));
        assert!((5..59).all(|second| count("alice", second).is_none()));
        assert_eq!(count("bob", 59).as_ref(), Some(&bare), "another user has lines of their own");
        assert_eq!(count("alice", 60), Some(LeftOut { own: 54, ..bare }));
        assert_eq!(count("alice", 61), Some(bare));
    }

    #[test]
    fn a_flood_from_everywhere_fills_neither_the_disk_nor_the_memory() {
        let limiter = RefusalLimiter::default();
        let now = Instant::now();
        let written = (0..100_000).filter(|n| limiter.count(None, address(*n), now).is_some()).count();
        assert_eq!(written, MOST_OF_ALL as usize);
        assert_eq!(limiter.lock().of.len(), MOST_KEYS);
        let later = limiter.count(Some("alice".into()), address(1), now + WINDOW).unwrap();
        assert_eq!(later, LeftOut { own: 0, of_others: 100_000 - u64::from(MOST_OF_ALL) });
    }
}
