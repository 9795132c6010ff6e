//! What changed lately, so that those who know an earlier state can be told of the difference.
//!
//! Each change has a number. Of a thing that changes again only the latest number is kept, so whoever is slow is told
//! of every thing once, as it is then.

use std::collections::{BTreeMap, HashMap};

use tokio::sync::watch;
use uuid::Uuid;

use crate::spool::JobId;

/// How many things with a change are remembered.
const REMEMBERED: usize = 1000;

/// Something that changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Thing {
    /// A job, as it is shown.
    Job(JobId),
    /// What the runner does.
    Runner,
    /// What other programs tell in `monitoring/`.
    Monitoring,
}

/// The latest change of each thing.
#[derive(Clone, Debug)]
pub struct Changes {
    /// Tells these numbers from those of another process.
    instance: String,
    /// The number of the latest change; its receivers are those who wait for one.
    latest: watch::Sender<u64>,
    things: BTreeMap<u64, Thing>,
    numbers: HashMap<Thing, u64>,
    /// Changes up to this one may have been forgotten.
    forgotten: u64,
}

impl Default for Changes {
    fn default() -> Self {
        Self {
            instance: Uuid::new_v4().simple().to_string(),
            latest: watch::Sender::new(0),
            things: BTreeMap::new(),
            numbers: HashMap::new(),
            forgotten: 0,
        }
    }
}

impl Changes {
    /// Names the process that counts.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// The number of the latest change.
    #[must_use]
    pub fn latest(&self) -> u64 {
        *self.latest.borrow()
    }

    /// Is told the number of each change from now on.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    /// What changed after a change, each with the number of its latest change, in their order. `None` if that is not
    /// known any more, or the number is none of this process.
    #[must_use]
    pub fn since(&self, number: u64) -> Option<Vec<(u64, Thing)>> {
        if number < self.forgotten || number > self.latest() {
            return None;
        }
        Some(self.things.range(number + 1..).map(|(number, thing)| (*number, *thing)).collect())
    }

    /// The number of the latest change of a thing, if that is remembered.
    #[must_use]
    pub fn number_of(&self, thing: Thing) -> Option<u64> {
        self.numbers.get(&thing).copied()
    }

    /// A thing has changed.
    pub(crate) fn note(&mut self, thing: Thing) {
        let number = self.latest() + 1;
        if let Some(earlier) = self.numbers.insert(thing, number) {
            self.things.remove(&earlier);
        }
        self.things.insert(number, thing);
        if self.things.len() > REMEMBERED
            && let Some((oldest, thing)) = self.things.pop_first()
        {
            self.numbers.remove(&thing);
            self.forgotten = oldest;
        }
        self.latest.send_replace(number);
    }

    /// Anything may have changed: what was known is forgotten.
    pub(crate) fn note_everything(&mut self) {
        self.things.clear();
        self.numbers.clear();
        self.forgotten = self.latest() + 1;
        self.latest.send_replace(self.forgotten);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(number: u64) -> Thing {
        Thing::Job(JobId::try_from(number).unwrap())
    }

    #[test]
    fn each_thing_is_told_once_with_its_latest_number() {
        let mut changes = Changes::default();
        for thing in [job(1), Thing::Runner, job(2), job(1)] {
            changes.note(thing);
        }
        assert_eq!(changes.since(0), Some(vec![(2, Thing::Runner), (3, job(2)), (4, job(1))]));
        assert_eq!(changes.since(3), Some(vec![(4, job(1))]));
        assert_eq!(changes.since(4), Some(vec![]));
        assert_eq!(changes.since(5), None);
    }

    #[test]
    fn after_a_change_of_everything_nothing_earlier_can_be_resumed() {
        let mut changes = Changes::default();
        changes.note(job(1));
        changes.note_everything();
        assert_eq!((changes.since(1), changes.since(2)), (None, Some(vec![])));
        changes.note(job(2));
        assert_eq!(changes.since(2), Some(vec![(3, job(2))]));
    }

    #[test]
    fn what_was_forgotten_is_not_told_as_if_it_were_all() {
        let mut changes = Changes::default();
        for number in 1..=2000 {
            changes.note(job(number));
        }
        assert_eq!(changes.since(999), None);
        assert_eq!(changes.since(1000).map(|things| things.len()), Some(REMEMBERED));
    }
}
