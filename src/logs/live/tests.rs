//! Every order in which lines are written, viewers come, look, read and sleep, and reads end or fail.
//!
//! A step is what happens without anybody being able to come in between. What decides is [`Live`] itself; what a viewer
//! does with the decision is told here as `viewer.rs` has it.

use std::collections::HashSet;

use super::*;

const END: &[u8] = b"end";

#[derive(Clone, PartialEq, Eq, Hash)]
struct World {
    live: Live<u64>,
    /// How many lines are in the file. Each is one record, and its text its number.
    lines: u64,
    /// How many more will be written.
    to_come: u64,
    job: Job,
    /// Something has changed that nobody was told of yet.
    is_untold: bool,
    /// The number of the latest change that was told.
    change: u64,
    reading: Option<Reading>,
    /// Whether a read may still fail, once.
    may_fail: bool,
    /// In no order: they are all alike.
    viewers: Vec<Viewer>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Job {
    /// It prints its lines, and then does not end as long as anybody watches.
    RunsOn,
    /// It ends after its lines.
    WillEnd,
    HasEnded,
}

/// The read for all that is under way.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Reading {
    begin: u64,
    known: Known,
    /// How far it came, once it has read.
    end: Option<u64>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Viewer {
    phase: Phase,
    told: u64,
    got: Vec<u8>,
    own: Option<Own>,
}

/// The rendering of a viewer who has not come to the tail.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Own {
    told: u64,
    has_log: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Phase {
    Awake,
    /// It knows the change, and not yet whether the job has ended.
    Knows(u64),
    Looks(u64, bool),
    /// It reads for itself, at most so many.
    ReadsAlone(u64, bool, u64),
    /// It is at the end of the log with its own rendering.
    Arrives(u64),
    /// The same, while somebody reads.
    WaitsToArrive(u64),
    /// It reads for all.
    Reads(u64, bool),
    Waits(u64, bool),
    /// Until there is a change behind this one.
    Sleeps(u64),
    /// It has been told the end.
    Ended,
    /// It was told that the log cannot be read.
    BrokeOff,
}

impl Viewer {
    fn new() -> Self {
        let own = Some(Own { told: 0, has_log: false });
        Self { phase: Phase::Awake, told: 0, got: Vec::new(), own }
    }

    fn got(&mut self, text: &[u8], told: u64) {
        self.got.extend_from_slice(text);
        self.told = told;
        self.phase = Phase::Awake;
        let told = u8::try_from(told).unwrap();
        assert_eq!(self.got, (1..=told).collect::<Vec<_>>(), "each line once, in order");
    }
}

fn text(begin: u64, end: u64) -> Bytes {
    (begin + 1..=end).map(|line| u8::try_from(line).unwrap()).collect()
}

impl World {
    fn new(viewers: usize, lines: u64, job: Job, may_fail: bool) -> Self {
        Self {
            live: Live::default(),
            lines: 0,
            to_come: lines,
            job,
            is_untold: false,
            change: 0,
            reading: None,
            may_fail,
            viewers: vec![Viewer::new(); viewers],
        }
    }

    /// All worlds that one step leads to.
    fn next(&self) -> Vec<Self> {
        let mut next = Vec::new();
        let mut step = |change: &dyn Fn(&mut Self)| {
            let mut world = self.clone();
            change(&mut world);
            world.viewers.sort_unstable();
            next.push(world);
        };
        if self.to_come > 0 {
            step(&|world| {
                world.lines += 1;
                world.to_come -= 1;
                world.is_untold = true;
            });
        } else if self.job == Job::WillEnd {
            step(&|world| (world.job, world.is_untold) = (Job::HasEnded, true));
        }
        if self.is_untold {
            step(&|world| {
                world.change += 1;
                world.is_untold = false;
            });
        }
        match &self.reading {
            Some(Reading { begin, end: None, .. }) => {
                for found in self.found(*begin, u64::MAX) {
                    step(&|world| world.reading.as_mut().unwrap().end = Some(found));
                }
                if self.may_fail {
                    step(&|world| world.fail(true));
                    step(&|world| world.fail(false));
                }
            }
            Some(Reading { end: Some(_), .. }) => step(&Self::end_reading),
            None => {}
        }
        for (number, viewer) in self.viewers.iter().enumerate() {
            match viewer.phase {
                Phase::Awake => step(&|world| world.viewers[number].phase = Phase::Knows(world.change)),
                Phase::Knows(change) => {
                    step(&|world| world.viewers[number].phase = Phase::Looks(change, world.job == Job::HasEnded));
                }
                Phase::Looks(change, has_ended) => step(&|world| world.look(number, Known { change, has_ended })),
                Phase::ReadsAlone(change, has_ended, limit) => {
                    for found in self.found(viewer.own.unwrap().told, limit) {
                        step(&|world| world.read_alone(number, Known { change, has_ended }, found));
                    }
                }
                Phase::Arrives(change) => step(&|world| world.arrive(number, change)),
                Phase::Sleeps(change) if self.change > change => {
                    step(&|world| world.viewers[number].phase = Phase::Awake);
                }
                _ => {}
            }
        }
        next
    }

    /// How far a read may come: a portion is of bounded size.
    fn found(&self, begin: u64, limit: u64) -> HashSet<u64> {
        let end = self.lines.min(begin.saturating_add(limit));
        [end.min(begin + 1), end].into()
    }

    fn look(&mut self, number: usize, known: Known) {
        let Known { change, has_ended } = known;
        let viewer = &mut self.viewers[number];
        if let Some(own) = viewer.own {
            let joining = if own.has_log && !has_ended { self.live.joining(own.told) } else { Joining::Ahead };
            match joining {
                Joining::Now => viewer.own = None,
                Joining::After(records) => {
                    viewer.phase = Phase::ReadsAlone(change, has_ended, records - own.told);
                    return;
                }
                Joining::Ahead => {
                    viewer.phase = Phase::ReadsAlone(change, has_ended, u64::MAX);
                    return;
                }
            }
        }
        match self.live.look(viewer.told, known) {
            Look::Next(Next::Portion(text, told)) => viewer.got(&text, told),
            Look::Next(Next::Nothing) => viewer.phase = Phase::Sleeps(change),
            Look::Next(Next::End(text)) => {
                assert_eq!(text, END);
                viewer.phase = Phase::Ended;
            }
            Look::Next(Next::Passed) => {
                viewer.own = Some(Own { told: viewer.told, has_log: false });
                viewer.phase = Phase::Awake;
            }
            Look::Read(begin) => {
                assert!(self.reading.is_none(), "one reads");
                assert_eq!(begin, viewer.told);
                self.reading = Some(Reading { begin, known, end: None });
                viewer.phase = Phase::Reads(change, has_ended);
            }
            Look::Wait => viewer.phase = Phase::Waits(change, has_ended),
        }
    }

    fn read_alone(&mut self, number: usize, known: Known, found: u64) {
        let viewer = &mut self.viewers[number];
        let own = viewer.own.as_mut().unwrap();
        own.has_log = self.lines > 0;
        if found > own.told {
            let text = text(own.told, found);
            own.told = found;
            viewer.got(&text, found);
        } else if known.has_ended {
            viewer.phase = Phase::Ended;
        } else if own.has_log {
            viewer.phase = Phase::Arrives(known.change);
        } else {
            viewer.phase = Phase::Sleeps(known.change);
        }
    }

    fn arrive(&mut self, number: usize, change: u64) {
        let viewer = &mut self.viewers[number];
        let told = viewer.own.unwrap().told;
        if self.live.joining(told) != Joining::Ahead {
            viewer.phase = Phase::Awake;
        } else if self.live.is_being_read() {
            viewer.phase = Phase::WaitsToArrive(change);
        } else {
            self.live.go_on_with(told, told);
            viewer.own = None;
            viewer.phase = Phase::Sleeps(change);
        }
    }

    fn end_reading(&mut self) {
        let Reading { begin, known, end } = self.reading.take().unwrap();
        let end = end.unwrap();
        if end > begin {
            self.live.add(begin, end, text(begin, end));
        } else {
            self.live.settle(known.change, known.has_ended.then(|| Bytes::from_static(END)));
        }
        self.live.give_back(end, end);
        self.tell_of_reading();
    }

    /// A read fails, or panics, and its viewer is gone.
    fn fail(&mut self, panics: bool) {
        self.may_fail = false;
        let Reading { begin, .. } = self.reading.take().unwrap();
        if !panics {
            self.live.give_back(begin, begin);
        }
        for viewer in &mut self.viewers {
            if let Phase::Reads(..) = viewer.phase {
                viewer.phase = Phase::BrokeOff;
            }
        }
        self.tell_of_reading();
    }

    fn tell_of_reading(&mut self) {
        self.live.end_reading();
        for viewer in &mut self.viewers {
            viewer.phase = match viewer.phase {
                Phase::Reads(change, has_ended) | Phase::Waits(change, has_ended) => Phase::Looks(change, has_ended),
                Phase::WaitsToArrive(change) => Phase::Arrives(change),
                other => other,
            };
        }
    }

    /// Nothing will happen any more: who watches has been told of everything.
    fn assert_is_told(&self, history: &str) {
        for viewer in self.viewers.iter().filter(|viewer| viewer.phase != Phase::BrokeOff) {
            assert_eq!(viewer.told, self.lines, "a viewer was not told of all lines: {history}");
            let is_at_rest = matches!(viewer.phase, Phase::Sleeps(_));
            assert!(
                if self.job == Job::HasEnded { viewer.phase == Phase::Ended } else { is_at_rest },
                "one waits: {history}"
            );
        }
    }
}

/// Goes through all worlds, and returns how many there are.
fn explore(viewers: usize, lines: u64, job: Job, may_fail: bool) -> usize {
    let history = format!("{viewers} viewers, {lines} lines");
    let first = World::new(viewers, lines, job, may_fail);
    let mut known = HashSet::from([first.clone()]);
    let mut open = vec![first];
    while let Some(world) = open.pop() {
        let next = world.next();
        if next.is_empty() {
            world.assert_is_told(&history);
        }
        open.extend(next.into_iter().filter(|world| known.insert(world.clone())));
    }
    known.len()
}

#[test]
fn in_whatever_order_things_happen_each_viewer_is_told_of_each_line() {
    for (viewers, lines, job, may_fail) in
        [(1, 3, Job::WillEnd, true), (2, 2, Job::WillEnd, true), (2, 3, Job::RunsOn, false), (3, 2, Job::RunsOn, false)]
    {
        assert!(explore(viewers, lines, job, may_fail) > 1000);
    }
}
