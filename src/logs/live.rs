//! The decisions about the end of a log that is watched: what comes next for each viewer, and which of them reads for all.
//!
//! There is no lock, thread or file here, so the tests can try every order of events.

use std::collections::VecDeque;

use bytes::Bytes;

/// How much is kept of what was read last, for those who are a little behind: in bytes, and in portions.
const KEPT: usize = 256 * 1024;
const KEPT_PORTIONS: usize = 256;

/// What a viewer knew of the job before it looked at the log. A viewer must know this before it asks what comes next. A
/// later write causes another change, which will wake the viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Known {
    /// The number of the latest change. What was written before it is in the log.
    pub change: u64,
    /// The job has ended, so its log is complete.
    pub has_ended: bool,
}

/// The end of one log in one form. `R` reads the next records.
///
/// All viewers get the same portions. So a viewer joins at the beginning of a portion only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Live<R> {
    /// None while a viewer reads with it, and before the first viewer at the end of the log has handed over its own.
    rendering: Option<R>,
    /// How many records were read. None if there is no rendering, and no viewer reads with one.
    end: Option<u64>,
    recent: VecDeque<Portion>,
    /// The bytes in them.
    size: usize,
    /// All that was written before this change has been read.
    settled: Option<u64>,
    /// The end of the stream, after the log is complete.
    ending: Option<Bytes>,
}

/// A few records, formatted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Portion {
    /// How many records come before it.
    begin: u64,
    /// How many records come before the next portion.
    end: u64,
    text: Bytes,
}

/// Whether a viewer can join the others at the end of a log.
#[derive(Debug, PartialEq, Eq)]
pub enum Joining {
    /// It can join now.
    Now,
    /// It can join after this many records.
    After(u64),
    /// It is ahead of the others, or the first.
    Ahead,
}

/// What comes next for a viewer.
#[derive(Debug)]
pub enum Next {
    /// This text. So many records come before what follows it.
    Portion(Bytes, u64),
    /// There is no new record; the viewer waits for the next change.
    Nothing,
    /// The end.
    End(Bytes),
    /// The portion is no longer kept: the viewer must read by itself.
    Passed,
}

/// What a viewer has to do.
#[derive(Debug)]
pub enum Look<R> {
    /// This comes next.
    Next(Next),
    /// The viewer reads for all with this, and looks again.
    Read(R),
    /// The viewer waits for the one that reads, and looks again.
    Wait,
}

impl<R> Default for Live<R> {
    fn default() -> Self {
        Self { rendering: None, end: None, recent: VecDeque::new(), size: 0, settled: None, ending: None }
    }
}

impl<R> Live<R> {
    /// Whether a viewer that has received so many records can join.
    pub fn joining(&self, told: u64) -> Joining {
        match self.portion(told).map(|portion| portion.begin).or(self.end) {
            Some(begin) if begin == told => Joining::Now,
            Some(begin) if begin > told => Joining::After(begin),
            _ => Joining::Ahead,
        }
    }

    /// Whether a viewer is reading at this moment.
    pub fn is_being_read(&self) -> bool {
        self.end.is_some() && self.rendering.is_none()
    }

    /// Goes on with the rendering of a viewer that is ahead of the others. The others read by themselves until they are
    /// there.
    pub fn go_on_with(&mut self, rendering: R, told: u64) {
        *self = Self { rendering: Some(rendering), end: Some(told), ..Self::default() };
    }

    /// What comes after so many records, for a viewer that knew this before it asked.
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

    /// Adds the text of the records between these.
    pub fn add(&mut self, begin: u64, end: u64, text: Bytes) {
        self.size += text.len();
        self.recent.push_back(Portion { begin, end, text });
        while (self.size > KEPT && self.recent.len() > 1) || self.recent.len() > KEPT_PORTIONS {
            self.size -= self.recent.pop_front().map_or(0, |portion| portion.text.len());
        }
    }

    /// A read that began after this change found no record. `ending`: the end of the stream, if the job had ended.
    pub fn settle(&mut self, change: u64, ending: Option<Bytes>) {
        self.settled = self.settled.max(Some(change));
        self.ending = ending;
    }

    /// Takes the rendering back from the viewer that has read.
    pub fn give_back(&mut self, rendering: R, told: u64) {
        self.rendering = Some(rendering);
        self.end = Some(told);
    }

    /// The viewer that read has finished or left. If it did not give the rendering back, all is forgotten: the viewers read
    /// by themselves until one of them hands over its own.
    pub fn end_reading(&mut self) {
        if self.is_being_read() {
            *self = Self::default();
        }
    }

    /// The portion that begins after so many records, or the first after that.
    fn portion(&self, told: u64) -> Option<&Portion> {
        self.recent.get(self.recent.partition_point(|portion| portion.begin < told))
    }
}

#[cfg(test)]
mod tests;
