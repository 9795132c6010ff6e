//! Recording that somebody was kept from something: a line in the audit trail, but not one for each try of a script that
//! asks ten thousand times.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use serde_json::json;

use super::app::App;
use super::record::Deed;
use crate::accounts::identity::{Identity, Unknown};
use crate::audit::Event;
use crate::config::ClientAddress;
use crate::http::client::Client;
use crate::http::error::ApiError;

/// For so long lines are counted.
const WINDOW: Duration = Duration::from_mins(1);

/// So many lines there are within that for one user at one address.
const MOST: u32 = 5;

/// And so many for all together: addresses cost nothing.
const MOST_OF_ALL: u32 = 60;

/// So many users and addresses are told apart.
const MOST_KEYS: usize = 1000;

/// Who was refused lately, and what of that is not recorded.
#[derive(Debug, Default)]
pub struct Refusals {
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

/// A line that may be written.
#[derive(Debug, PartialEq, Eq)]
struct Turn {
    /// What was refused since the last line, of the same user at the same address.
    left_out: u64,
    /// The same of others, of whom too many came at once.
    left_out_of_others: u64,
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

impl Refusals {
    /// Counts a refusal, and says whether it is recorded.
    fn turn(&self, user: Option<Arc<str>>, address: ClientAddress, now: Instant) -> Option<Turn> {
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
        let (left_out, left_out_of_others) = (std::mem::take(&mut own.left_out), std::mem::take(&mut all.left_out));
        Some(Turn { left_out, left_out_of_others })
    }

    fn lock(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an answer keeps somebody from what they may not do: not who has to sign in, but who is signed in, and whoever
/// shows a token that is none.
#[must_use]
pub fn is_refusal(error: &ApiError, identity: Option<&Identity>) -> bool {
    let is_token = matches!(identity, Some(Identity::Nobody(Unknown::Token)));
    error.status() == StatusCode::FORBIDDEN
        || error.code() == Some("forbidden")
        || (error.status() == StatusCode::UNAUTHORIZED && is_token)
}

/// Notes that somebody was refused what they asked for, `POST /api/jobs` say; `reason` is what they were told.
pub async fn note(app: Arc<App>, identity: Option<Identity>, client: Client, asked: String, reason: String) {
    let user = identity.as_ref().and_then(Identity::user);
    let Some(turn) = app.refusals.turn(user.cloned(), client.address, Instant::now()) else { return };
    let mut details = json!({ "what": asked, "reason": reason });
    for (name, count) in [("left_out", turn.left_out), ("left_out_of_others", turn.left_out_of_others)] {
        if count > 0 {
            details[name] = count.into();
        }
    }
    if let Some(token) = identity.as_ref().and_then(Identity::token) {
        details["token"] = token.into();
    }
    Deed { event: Event::Refused, user: user.map(|user| &**user), client: &client, details }.note(&app).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> ClientAddress {
        ClientAddress::Ip(std::net::Ipv4Addr::from(n).into())
    }

    #[test]
    fn each_has_a_few_lines_a_minute_and_the_next_one_tells_how_many_are_missing() {
        let refusals = Refusals::default();
        let now = Instant::now();
        let turn = |user: &str, at: u64| refusals.turn(Some(user.into()), address(1), now + Duration::from_secs(at));
        let bare = Turn { left_out: 0, left_out_of_others: 0 };
        assert!((0..5).all(|second| turn("alice", second).as_ref() == Some(&bare)));
        assert!((5..59).all(|second| turn("alice", second).is_none()));
        assert_eq!(turn("bob", 59).as_ref(), Some(&bare), "another user has lines of their own");
        assert_eq!(turn("alice", 60), Some(Turn { left_out: 54, ..bare }));
        assert_eq!(turn("alice", 61), Some(bare));
    }

    #[test]
    fn a_flood_from_everywhere_fills_neither_the_disk_nor_the_memory() {
        let refusals = Refusals::default();
        let now = Instant::now();
        let written = (0..100_000).filter(|n| refusals.turn(None, address(*n), now).is_some()).count();
        assert_eq!(written, MOST_OF_ALL as usize);
        assert_eq!(refusals.lock().of.len(), MOST_KEYS);
        let later = refusals.turn(Some("alice".into()), address(1), now + WINDOW).unwrap();
        assert_eq!(later, Turn { left_out: 0, left_out_of_others: 100_000 - u64::from(MOST_OF_ALL) });
    }
}
