//! How often somebody has tried to sign in and failed: `attempts.json`.
//!
//! An attempt is counted before the password is looked at, and forgiven if the password was right. So many attempts at
//! once do not get past the limit together. A name is counted whether there is such a user or not, so the limit does not
//! tell. It is kept as a digest: somebody may have typed their password into the wrong field.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::sessions::after;
use crate::config::ClientAddress;
use crate::digest;
use crate::spool::{Result, Time};
use crate::state::StateDirectory;
use crate::state::document::Document;

/// How long an attempt counts.
const WINDOW: Duration = Duration::from_mins(15);

/// The number of failed attempts that locks the password of a user, for as long as they count.
const OF_A_USER: usize = 10;

/// The number that locks an address. It is larger, because many people can share one.
const OF_AN_ADDRESS: usize = 50;

/// The most addresses, and names without an account, that are kept. Those with the fewest attempts make room. Attempts on
/// accounts are never forgotten early, or a flood of names would be a way round their limit.
const MOST: usize = 10_000;

/// The beginning of the keys of accounts.
const ACCOUNT: &str = "account:";

/// When the attempts were made that have not been forgiven, by the key of whom or where they count for.
type Content = BTreeMap<String, Failures>;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Failures {
    at: Vec<Time>,
}

/// The attempts of the last minutes.
#[derive(Debug)]
pub struct Attempts {
    file: Document<Content>,
}

/// Who somebody tries to sign in as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptSubject<'a> {
    /// A user with an account.
    Account(&'a str),
    /// A user with an account, from an address where they are signed in. Somebody who locks them out from elsewhere does not
    /// lock them out there.
    AccountFromKnownAddress(&'a str),
    /// A name without an account.
    Stranger(&'a str),
    /// The owner of a ticket, who is not known yet.
    Ticket,
}

/// Whether an attempt is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// It is allowed, and counts unless it is forgiven.
    Allowed,
    /// It is allowed, and the last one unless it is forgiven.
    Last,
    /// None is allowed for so many seconds.
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

    /// For how many seconds no attempt is allowed, as far as this process knows; none if one is. This reads no file.
    #[must_use]
    pub fn locked(&self, subject: AttemptSubject, address: ClientAddress, now: Time) -> Option<u32> {
        locked(&self.file.get(), &limits(subject, address), now)
    }

    /// Counts an attempt, unless there were too many.
    ///
    /// # Errors
    /// The file cannot be changed: then nobody is let in.
    pub fn begin(&self, subject: AttemptSubject, address: ClientAddress, now: Time) -> Result<AttemptOutcome> {
        self.file.change(|content| {
            forget(content, now);
            let limits = limits(subject, address);
            if let Some(seconds) = locked(content, &limits, now) {
                return AttemptOutcome::Locked(seconds);
            }
            let count = |name: &String| content.get(name).map_or(0, |tries| tries.at.len());
            let is_last = limits.iter().any(|(name, limit)| count(name) + 1 >= *limit);
            for (name, _) in limits {
                content.entry(name).or_default().at.push(now);
            }
            if is_last { AttemptOutcome::Last } else { AttemptOutcome::Allowed }
        })
    }

    /// Takes back an attempt that came to nothing, which is nobody's fault. All others still count.
    ///
    /// # Errors
    /// The file cannot be changed.
    pub fn take_back(&self, subject: AttemptSubject, address: ClientAddress) -> Result<()> {
        self.file.change(|content| {
            for (name, _) in limits(subject, address) {
                if let Some(tries) = content.get_mut(&name) {
                    tries.at.pop();
                }
            }
        })
    }

    /// Forgives a user whose password was right: none of their attempts counts any more, and this one does not count for the
    /// address.
    ///
    /// # Errors
    /// The file cannot be changed.
    pub fn forgive(&self, subject: AttemptSubject, address: ClientAddress) -> Result<()> {
        self.file.change(|content| {
            if let Some(name) = name_of(subject, address) {
                content.remove(&name);
            }
            if let Some(tries) = content.get_mut(&place_of(address)) {
                tries.at.pop();
            }
        })
    }
}

/// The keys that an attempt counts for, each with its limit.
fn limits(subject: AttemptSubject, address: ClientAddress) -> Vec<(String, usize)> {
    let name = name_of(subject, address).map(|name| (name, OF_A_USER));
    name.into_iter().chain([(place_of(address), OF_AN_ADDRESS)]).collect()
}

fn locked(content: &Content, limits: &[(String, usize)], now: Time) -> Option<u32> {
    let counting = |failures: &Failures| failures.at.iter().filter(|at| after(now.min(**at), WINDOW) > now).count();
    let full = limits.iter().filter_map(|(name, limit)| {
        let tries = content.get(name).filter(|tries| counting(tries) >= *limit)?;
        // It is free again once fewer attempts count than the limit: then the oldest of the last so many is too old.
        tries.at.get(tries.at.len() - limit)
    });
    let free = full.max()?;
    Some(seconds_until(after(now.min(*free), WINDOW), now))
}

fn forget(content: &mut Content, now: Time) {
    for tries in content.values_mut() {
        // A time ahead counts as just now: another process may have waited for the file, or the clock was set back.
        tries.at.iter_mut().for_each(|at| *at = now.min(*at));
        tries.at.retain(|at| after(*at, WINDOW) > now);
    }
    content.retain(|_, tries| !tries.at.is_empty());
    let others = content.iter().filter(|(name, _)| !name.starts_with(ACCOUNT));
    let mut counts: Vec<(usize, Option<Time>, String)> =
        others.map(|(name, tries)| (tries.at.len(), tries.at.last().copied(), name.clone())).collect();
    let too_many = (counts.len() + 2).saturating_sub(MOST);
    counts.sort_unstable();
    for (_, _, name) in &counts[..too_many] {
        content.remove(name);
    }
}

fn seconds_until(time: Time, now: Time) -> u32 {
    let milliseconds = time.as_milliseconds() - now.as_milliseconds();
    u32::try_from((milliseconds + 999) / 1000).unwrap_or(1).max(1)
}

/// A time to wait, as people are told it.
pub(super) fn minutes(seconds: u32) -> String {
    let minutes = seconds.div_ceil(60);
    format!("{minutes} {}", if minutes == 1 { "minute" } else { "minutes" })
}

fn name_of(subject: AttemptSubject, address: ClientAddress) -> Option<String> {
    let digest = |text: &str| digest::sha256(text)[..32].to_owned();
    match subject {
        AttemptSubject::Account(user) => Some(format!("{ACCOUNT}{}", digest(user))),
        AttemptSubject::AccountFromKnownAddress(user) => {
            Some(format!("{ACCOUNT}{}", digest(&format!("{user} {address}"))))
        }
        AttemptSubject::Stranger(name) => Some(format!("name:{}", digest(name))),
        AttemptSubject::Ticket => None,
    }
}

/// The key of an address. Whoever has one IPv6 address has a network of them.
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
        let turn = |n: u8, seconds| {
            attempts.begin(AttemptSubject::Account("alice"), address(&format!("192.0.2.{n}")), at(seconds)).unwrap()
        };
        for n in 1..10 {
            assert_eq!(turn(n, i64::from(n)), AttemptOutcome::Allowed);
        }
        assert_eq!((turn(10, 10), turn(11, 11)), (AttemptOutcome::Last, AttemptOutcome::Locked(890)));
        assert_eq!(turn(12, 900), AttemptOutcome::Locked(1));
        assert_eq!((turn(12, 901), turn(13, 901)), (AttemptOutcome::Last, AttemptOutcome::Locked(1)));
        assert_eq!(
            attempts.begin(AttemptSubject::Account("bob"), address("192.0.2.1"), at(11)).unwrap(),
            AttemptOutcome::Allowed
        );
    }

    #[test]
    fn an_address_is_locked_whatever_names_it_tries() {
        let (_directory, attempts) = attempts();
        let turn = |n: u32, place: &str| {
            attempts.begin(AttemptSubject::Stranger(&format!("user{n}")), address(place), at(0)).unwrap()
        };
        let from = |n: u32| turn(n, &format!("2001:db8::{n:x}"));
        assert_eq!(
            (1..50).map(from).filter(|turn| *turn == AttemptOutcome::Allowed).count(),
            49,
            "one network, many addresses"
        );
        assert_eq!((from(50), from(51)), (AttemptOutcome::Last, AttemptOutcome::Locked(900)));
        assert_eq!(turn(52, "2001:db8:0:1::1"), AttemptOutcome::Allowed);
    }

    #[test]
    fn of_many_at_once_none_is_forgotten_though_they_do_not_come_in_order() {
        let (_directory, attempts) = attempts();
        let turn =
            |seconds| attempts.begin(AttemptSubject::Account("alice"), address("192.0.2.1"), at(seconds)).unwrap();
        assert!((1..10).rev().all(|seconds| turn(seconds) == AttemptOutcome::Allowed));
        assert_eq!((turn(0), turn(0)), (AttemptOutcome::Last, AttemptOutcome::Locked(900)));
        assert_eq!(
            turn(-100_000),
            AttemptOutcome::Locked(900),
            "a clock that is set back neither forgives nor locks for long"
        );
    }

    #[test]
    fn who_is_signed_in_somewhere_is_not_locked_out_there_by_others() {
        let (_directory, attempts) = attempts();
        let turn = |subject, n: u8| attempts.begin(subject, address(&format!("192.0.2.{n}")), at(0)).unwrap();
        assert_eq!(
            (0..10)
                .map(|n| turn(AttemptSubject::Account("alice"), n))
                .filter(|turn| *turn == AttemptOutcome::Allowed)
                .count(),
            9
        );
        assert_eq!(turn(AttemptSubject::Account("alice"), 99), AttemptOutcome::Locked(900));
        let here = AttemptSubject::AccountFromKnownAddress("alice");
        assert_eq!((0..9).filter(|_| turn(here, 99) == AttemptOutcome::Allowed).count(), 9);
        assert_eq!((turn(here, 99), turn(here, 99)), (AttemptOutcome::Last, AttemptOutcome::Locked(900)));
        assert_eq!(attempts.locked(here, address("192.0.2.99"), at(1)), Some(899));
        assert_eq!(attempts.locked(here, address("192.0.2.98"), at(1)), None);
    }

    #[test]
    fn who_gets_it_right_begins_anew() {
        let (_directory, attempts) = attempts();
        let turn = || attempts.begin(AttemptSubject::Account("alice"), address("unix"), at(0)).unwrap();
        for _ in 0..6 {
            assert_eq!((0..9).filter(|_| turn() == AttemptOutcome::Allowed).count(), 9);
            attempts.forgive(AttemptSubject::Account("alice"), address("unix")).unwrap();
        }
        // Eight failures of each round still count for the address.
        assert_eq!(
            (turn(), turn(), turn()),
            (AttemptOutcome::Allowed, AttemptOutcome::Last, AttemptOutcome::Locked(900))
        );
    }

    #[test]
    fn an_attempt_that_came_to_nothing_takes_no_other_with_it() {
        let (_directory, attempts) = attempts();
        let turn = || attempts.begin(AttemptSubject::Account("alice"), address("unix"), at(0)).unwrap();
        assert!((0..9).all(|_| turn() == AttemptOutcome::Allowed));
        for _ in 0..3 {
            assert_eq!(turn(), AttemptOutcome::Last);
            attempts.take_back(AttemptSubject::Account("alice"), address("unix")).unwrap();
        }
        assert_eq!((turn(), turn()), (AttemptOutcome::Last, AttemptOutcome::Locked(900)));
    }

    #[test]
    fn what_was_typed_is_not_kept_and_the_file_does_not_grow_for_ever() {
        let (directory, attempts) = attempts();
        attempts.begin(AttemptSubject::Stranger("hunter2"), address("192.0.2.1"), at(0)).unwrap();
        let written = std::fs::read_to_string(directory.path().join("attempts.json")).unwrap();
        assert!(!written.contains("hunter2"), "{written}");
        let mut content: Content =
            (0..MOST).map(|n| (format!("name:{n}"), Failures { at: vec![at(0); 1 + n % 2] })).collect();
        content.insert(format!("{ACCOUNT}alice"), Failures { at: vec![at(0)] });
        forget(&mut content, at(1));
        assert!(
            content.len() == MOST - 1
                && content.contains_key("account:alice")
                && content.values().filter(|tries| tries.at.len() == 2).count() == MOST / 2
        );
        forget(&mut content, at(1000));
        assert!(content.is_empty());
    }
}
