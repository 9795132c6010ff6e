//! How often somebody has tried to sign in and failed: `attempts.json`.
//!
//! An attempt is counted before the password is looked at, and forgiven if it was right: so many at once do not get past
//! the limit together. What was typed as a name is counted whether there is such a user or not, so the limit tells
//! nothing; it is kept as a digest, as it may be a password in the wrong field.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::document::Document;
use super::sessions::after;
use crate::api::state_directory::StateDirectory;
use crate::config::ClientAddress;
use crate::digest;
use crate::spool::{Result, Time};

/// For so long an attempt counts.
const WINDOW: Duration = Duration::from_mins(15);

/// So many attempts that failed lock a user's password for as long as they count.
const OF_A_USER: usize = 10;

/// So many lock an address. More, as many people can have the same.
const OF_AN_ADDRESS: usize = 50;

/// How many users and addresses are kept. Those with the fewest attempts make room.
const MOST: usize = 10_000;

/// When attempts were made that have not been forgiven, by who made them.
type Content = BTreeMap<String, Tried>;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Tried {
    at: Vec<Time>,
}

/// The attempts of the last minutes.
#[derive(Debug)]
pub struct Attempts {
    file: Document<Content>,
}

/// Whether somebody may try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Yes, and it counts unless it is forgiven.
    Allowed,
    /// Yes, and it is the last one unless it is forgiven.
    Last,
    /// Not for so many seconds.
    Locked(u32),
}

impl Attempts {
    /// Reads the attempts of a state directory. A damaged file keeps nobody out: it is moved aside.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open(state: &StateDirectory) -> Result<Self> {
        Ok(Self { file: Document::open_or_move_aside(state.join("attempts.json"))? })
    }

    /// Reads them again if somebody changed them, and returns whether that is so.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged; what was known stays.
    pub fn refresh(&self) -> Result<bool> {
        self.file.refresh()
    }

    /// Counts an attempt, unless there were too many.
    ///
    /// # Errors
    /// The file cannot be changed: then nobody is let in.
    pub fn begin(&self, user: &str, address: ClientAddress, now: Time) -> Result<Turn> {
        self.file.change(|content| {
            forget(content, now);
            let limits = [(name_of(user), OF_A_USER), (place_of(address), OF_AN_ADDRESS)];
            let tried = |name: &String| content.get(name).map_or(&[][..], |tried| &tried.at);
            let free = limits.iter().filter(|(name, limit)| tried(name).len() >= *limit);
            if let Some(free) = free.filter_map(|(name, _)| tried(name).first()).max() {
                return Turn::Locked(seconds_until(after(*free, WINDOW), now));
            }
            let is_last = limits.iter().any(|(name, limit)| tried(name).len() + 1 >= *limit);
            for (name, _) in limits {
                content.entry(name).or_default().at.push(now);
            }
            if is_last { Turn::Last } else { Turn::Allowed }
        })
    }

    /// The password was right: what the user has tried before does not count any more, nor does this attempt for the
    /// address.
    ///
    /// # Errors
    /// The file cannot be changed.
    pub fn forgive(&self, user: &str, address: ClientAddress) -> Result<()> {
        self.file.change(|content| {
            content.remove(&name_of(user));
            if let Some(tried) = content.get_mut(&place_of(address)) {
                tried.at.pop();
            }
        })
    }
}

fn forget(content: &mut Content, now: Time) {
    for tried in content.values_mut() {
        // What lies ahead counts as just now: who waited for the file may be later than `now`, or the clock was set back.
        tried.at.iter_mut().for_each(|at| *at = now.min(*at));
        tried.at.retain(|at| after(*at, WINDOW) > now);
    }
    content.retain(|_, tried| !tried.at.is_empty());
    if content.len() + 2 > MOST {
        let mut counts: Vec<(usize, Option<Time>, String)> =
            content.iter().map(|(name, tried)| (tried.at.len(), tried.at.last().copied(), name.clone())).collect();
        counts.sort_unstable();
        for (_, _, name) in &counts[..content.len() + 2 - MOST] {
            content.remove(name);
        }
    }
}

fn seconds_until(time: Time, now: Time) -> u32 {
    let milliseconds = time.as_milliseconds() - now.as_milliseconds();
    u32::try_from((milliseconds + 999) / 1000).unwrap_or(1).max(1)
}

fn name_of(user: &str) -> String {
    format!("user:{}", &digest::sha256(user)[..32])
}

/// Who has one IPv6 address has a network of them.
fn place_of(address: ClientAddress) -> String {
    match address {
        ClientAddress::Unix => "address:unix".to_owned(),
        ClientAddress::Ip(IpAddr::V4(address)) => format!("address:{address}"),
        ClientAddress::Ip(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("address:{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_milliseconds(1_800_000_000_000 + seconds * 1000)
    }

    fn attempts() -> (tempfile::TempDir, Attempts) {
        let directory = tempfile::tempdir().unwrap();
        let attempts = Attempts::open(&StateDirectory::new(directory.path())).unwrap();
        (directory, attempts)
    }

    fn address(text: &str) -> ClientAddress {
        text.parse().unwrap()
    }

    #[test]
    fn ten_failures_lock_a_user_until_the_first_is_a_quarter_of_an_hour_old() {
        let (_directory, attempts) = attempts();
        // Each from another address: it is the user who is locked.
        let turn = |n: u8, seconds| attempts.begin("alice", address(&format!("192.0.2.{n}")), at(seconds)).unwrap();
        for n in 1..10 {
            assert_eq!(turn(n, i64::from(n)), Turn::Allowed);
        }
        assert_eq!((turn(10, 10), turn(11, 11)), (Turn::Last, Turn::Locked(890)));
        assert_eq!(turn(12, 900), Turn::Locked(1));
        assert_eq!((turn(12, 901), turn(13, 901)), (Turn::Last, Turn::Locked(1)));
        assert_eq!(attempts.begin("bob", address("192.0.2.1"), at(11)).unwrap(), Turn::Allowed);
    }

    #[test]
    fn an_address_is_locked_whatever_names_it_tries() {
        let (_directory, attempts) = attempts();
        let turn = |n: u32, place: &str| attempts.begin(&format!("user{n}"), address(place), at(0)).unwrap();
        let from = |n: u32| turn(n, &format!("2001:db8::{n:x}"));
        assert_eq!((1..50).map(from).filter(|turn| *turn == Turn::Allowed).count(), 49, "one network, many addresses");
        assert_eq!((from(50), from(51)), (Turn::Last, Turn::Locked(900)));
        assert_eq!(turn(52, "2001:db8:0:1::1"), Turn::Allowed);
    }

    #[test]
    fn of_many_at_once_none_is_forgotten_though_they_do_not_come_in_order() {
        let (_directory, attempts) = attempts();
        let turn = |seconds| attempts.begin("alice", address("192.0.2.1"), at(seconds)).unwrap();
        assert!((1..10).rev().all(|seconds| turn(seconds) == Turn::Allowed));
        assert_eq!((turn(0), turn(0)), (Turn::Last, Turn::Locked(900)));
        assert_eq!(turn(-100_000), Turn::Locked(900), "a clock that is set back neither forgives nor locks for long");
    }

    #[test]
    fn who_gets_it_right_begins_anew() {
        let (_directory, attempts) = attempts();
        let turn = || attempts.begin("alice", address("unix"), at(0)).unwrap();
        for _ in 0..6 {
            assert_eq!((0..9).filter(|_| turn() == Turn::Allowed).count(), 9);
            attempts.forgive("alice", address("unix")).unwrap();
        }
        // Eight failures of each round still count for the address.
        assert_eq!((turn(), turn(), turn()), (Turn::Allowed, Turn::Last, Turn::Locked(900)));
    }

    #[test]
    fn what_was_typed_is_not_kept_and_the_file_does_not_grow_for_ever() {
        let (directory, attempts) = attempts();
        attempts.begin("hunter2", address("192.0.2.1"), at(0)).unwrap();
        let written = std::fs::read_to_string(directory.path().join("attempts.json")).unwrap();
        assert!(!written.contains("hunter2"), "{written}");
        let mut content: Content =
            (0..MOST).map(|n| (format!("user:{n}"), Tried { at: vec![at(0); 1 + n % 2] })).collect();
        forget(&mut content, at(1));
        assert!(content.len() == MOST - 2 && content.values().filter(|tried| tried.at.len() == 2).count() == MOST / 2);
        forget(&mut content, at(1000));
        assert!(content.is_empty());
    }
}
