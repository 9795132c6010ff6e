//! What is known of the end of a log that is watched: what comes next for each viewer, and who reads on for all.
//!
//! Here are the decisions, without lock, thread or file, so that the tests can go through every order of events.

use std::collections::VecDeque;

use bytes::Bytes;

/// How much is kept of what was read last, for those who are a little behind: in bytes, and in portions.
const KEPT: usize = 256 * 1024;
const KEPT_PORTIONS: usize = 256;

/// What a viewer knew of the job before it looked at the log. Whoever asks what comes next has to know this first: what
/// is written later tells of itself by another change, which the viewer has not been told of yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Known {
    /// The number of the latest change. What was written before it is in the log.
    pub change: u64,
    /// The job has ended, and all that is to come is in the log.
    pub has_ended: bool,
}

/// The end of one log in one form. `R` reads it on.
///
/// Portions have the same borders for everybody, so a viewer comes in only at one of these, and from there on gets what
/// the others get.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Live<R> {
    /// None while somebody reads on with it, and until the first viewer at the end of the log has given its own.
    rendering: Option<R>,
    /// How many records were told. None if there is no rendering to read on, nor anybody who reads.
    end: Option<u64>,
    recent: VecDeque<Portion>,
    /// The bytes in them.
    size: usize,
    /// Of what was written before this change, nothing is left to be read. It says nothing of later ones.
    settled: Option<u64>,
    /// What the stream ends with, once the log is complete.
    ending: Option<Bytes>,
}

/// What was made of a few records.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Portion {
    /// How many records lie before it, and before what follows.
    begin: u64,
    end: u64,
    text: Bytes,
}

/// How a viewer stands to the end of a log.
#[derive(Debug, PartialEq, Eq)]
pub enum Meeting {
    /// The viewer can come in.
    Here,
    /// After this many records it can.
    After(u64),
    /// It is ahead of the others, or nobody has been there yet.
    Unled,
}

/// What comes next for a viewer.
#[derive(Debug)]
pub enum Next {
    /// This, and then the place behind so many records.
    Portion(Bytes, u64),
    /// Nothing before the next change.
    Nothing,
    /// The end.
    End(Bytes),
    /// This is not kept any more.
    Passed,
}

/// What a viewer has to do.
#[derive(Debug)]
pub enum Look<R> {
    /// Nothing: this comes next.
    Next(Next),
    /// Read on for all with this, and look again.
    Read(R),
    /// Wait for the one who reads on, and look again.
    Wait,
}

impl<R> Default for Live<R> {
    fn default() -> Self {
        Self { rendering: None, end: None, recent: VecDeque::new(), size: 0, settled: None, ending: None }
    }
}

impl<R> Live<R> {
    /// How a viewer who was told of so many records stands to it.
    pub fn meet(&self, told: u64) -> Meeting {
        match self.portion(told).map(|portion| portion.begin).or(self.end) {
            Some(begin) if begin == told => Meeting::Here,
            Some(begin) if begin > told => Meeting::After(begin),
            _ => Meeting::Unled,
        }
    }

    /// Whether somebody reads on at this moment.
    pub fn is_being_read(&self) -> bool {
        self.end.is_some() && self.rendering.is_none()
    }

    /// Goes on from where a viewer is who is ahead of the others, with its rendering. Those behind read for themselves
    /// until they are there.
    pub fn go_on_with(&mut self, rendering: R, told: u64) {
        *self = Self { rendering: Some(rendering), end: Some(told), ..Self::default() };
    }

    /// What comes behind so many records, for a viewer who knew this before.
    pub fn look(&mut self, told: u64, known: Known) -> Look<R> {
        if let Some(portion) = self.portion(told).filter(|portion| portion.begin == told) {
            return Look::Next(Next::Portion(portion.text.clone(), portion.end));
        }
        if self.end != Some(told) {
            return Look::Next(Next::Passed);
        }
        if let Some(ending) = &self.ending {
            return Look::Next(Next::End(ending.clone()));
        }
        if !known.has_ended && self.settled >= Some(known.change) {
            return Look::Next(Next::Nothing);
        }
        self.rendering.take().map_or(Look::Wait, Look::Read)
    }

    /// This was made of the records between these.
    pub fn add(&mut self, begin: u64, end: u64, text: Bytes) {
        self.size += text.len();
        self.recent.push_back(Portion { begin, end, text });
        while (self.size > KEPT && self.recent.len() > 1) || self.recent.len() > KEPT_PORTIONS {
            self.size -= self.recent.pop_front().map_or(0, |portion| portion.text.len());
        }
    }

    /// There was nothing to be read for somebody who knew of a change before. If the job had ended, this is what the
    /// stream ends with.
    pub fn settle(&mut self, change: u64, ending: Option<Bytes>) {
        self.settled = self.settled.max(Some(change));
        self.ending = ending;
    }

    /// Takes the rendering back from the one who has read.
    pub fn give_back(&mut self, rendering: R, told: u64) {
        self.rendering = Some(rendering);
        self.end = Some(told);
    }

    /// Whoever read has gone. If the rendering was not given back, nothing is known any more, and viewers read for
    /// themselves until one of them leads.
    pub fn end_reading(&mut self) {
        if self.is_being_read() {
            *self = Self::default();
        }
    }

    /// The portion that begins behind so many records, or the first behind it.
    fn portion(&self, told: u64) -> Option<&Portion> {
        self.recent.get(self.recent.partition_point(|portion| portion.begin < told))
    }
}

#[cfg(test)]
mod tests;
