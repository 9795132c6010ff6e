//! Lanes: how many jobs of a kind run at once, and who has which slot.
//!
//! A slot belongs to its job until the status of the job is final, even if the job's `flock` is free. So two things
//! reserve a slot: this table, and the lock, which an operator may hold too.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::spool::error::Result;
use crate::spool::lock::SlotLock;
use crate::spool::{JobId, Spool};

/// The result of a request for a slot.
#[derive(Debug)]
pub enum Slot {
    /// The caller has the slot, and records the job with [`Lanes::assign`].
    Free(SlotLock),
    /// Jobs have all slots.
    Busy,
    /// A slot has no job, but another process holds its lock.
    HeldByStranger,
}

/// The job that has a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotHolder {
    /// The job.
    pub id: JobId,
    /// The job's user.
    pub user: String,
}

/// The table of slots.
#[derive(Debug, Default)]
pub struct Lanes {
    /// Lane → slot → job.
    slots: BTreeMap<String, BTreeMap<u32, SlotHolder>>,
    /// Jobs whose slot is unknown, because their plan cannot be read. They block their lane.
    blocked: BTreeMap<JobId, String>,
}

impl Lanes {
    /// Takes the lock of the slot that a job has, or of a free one of its lane.
    ///
    /// # Errors
    /// A lock file cannot be opened.
    pub fn take(&self, spool: &Spool, config: &Config, lane: &str, job: JobId) -> Result<Slot> {
        if let Some((own, _)) = self.holders(lane).find(|(_, holder)| holder.id == job) {
            return Ok(SlotLock::try_take(spool, lane, own)?.map_or(Slot::HeldByStranger, Slot::Free));
        }
        if self.blocked.values().any(|blocked| blocked == lane) {
            return Ok(Slot::Busy);
        }
        let mut outcome = Slot::Busy;
        for slot in 1..=config.lane_concurrency(lane) {
            if self.slots.get(lane).is_some_and(|slots| slots.contains_key(&slot)) {
                continue;
            }
            match SlotLock::try_take(spool, lane, slot)? {
                Some(lock) => return Ok(Slot::Free(lock)),
                None => outcome = Slot::HeldByStranger,
            }
        }
        Ok(outcome)
    }

    /// Records that a job has a slot.
    pub fn assign(&mut self, lane: &str, slot: u32, id: JobId, user: &str) {
        self.slots.entry(lane.to_owned()).or_default().insert(slot, SlotHolder { id, user: user.to_owned() });
    }

    /// Records that a job has an unknown slot of a lane.
    pub fn block(&mut self, lane: &str, job: JobId) {
        self.blocked.insert(job, lane.to_owned());
    }

    /// The jobs that have an unknown slot of a lane.
    pub fn blocking(&self, lane: &str) -> impl Iterator<Item = JobId> {
        self.blocked.iter().filter(move |(_, blocked)| *blocked == lane).map(|(id, _)| *id)
    }

    /// The job is final: its slot is free.
    pub fn release(&mut self, job: JobId) {
        self.blocked.remove(&job);
        for slots in self.slots.values_mut() {
            slots.retain(|_, holder| holder.id != job);
        }
    }

    /// Whether the job has a slot.
    #[must_use]
    pub fn has_slot(&self, job: JobId) -> bool {
        self.slots.values().flat_map(BTreeMap::values).any(|holder| holder.id == job)
    }

    /// The lanes in which jobs have had slots.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.slots.keys()
    }

    /// The slots of a lane that jobs have, in order.
    pub fn holders(&self, lane: &str) -> impl Iterator<Item = (u32, &SlotHolder)> {
        self.slots.get(lane).into_iter().flatten().map(|(slot, holder)| (*slot, holder))
    }
}
