//! The loop that leads a running command.
//!
//! One thread, one loop. Each turn waits for output, letters, room for an answer, the end of the command, or the next
//! deadline, deals with what there is, and publishes what changed. Nothing in it waits for anything else: files are
//! local, answers that do not fit into the pipe are kept, and no reader of the log is known here at all.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

use super::command::Running;
use super::descendants;
use super::helpers::{Heard, Helpers};
use super::journal::Journal;
use super::prompts::Asker;
use super::reach;
use super::stdin::JobInput;
use crate::protocol::Decoder;
use crate::runner::cgroup::Group;
use crate::runner::hints::Hints;
use crate::runner::process;
use crate::spool::inbox::JobSignal;
use crate::spool::log::Exit;
use crate::spool::status::ProcessIdentity;

/// How much output is read in one turn, at most, in bytes.
const READ_AT_ONCE: usize = 256 * 1024;
/// How long the rest of the output is waited for after the command has ended.
const DRAIN: Duration = Duration::from_secs(2);

/// A running command with all that leads it.
pub struct Leader {
    journal: Journal,
    hints: Hints,
    decoder: Decoder,
    /// `None` after all writers have closed it.
    output: Option<File>,
    input: JobInput,
    helpers: Helpers,
    command: ProcessIdentity,
    /// The control group of the job.
    cgroup: Option<Group>,
    /// Becomes readable when the command ends.
    end_of_command: Option<OwnedFd>,
    /// How the command ended, and until when its output is waited for.
    ended: Option<(Exit, Instant)>,
    /// When the time limit is reached.
    limit: Option<Instant>,
    /// When a job that did not stop at its time limit is killed.
    kill_at: Option<Instant>,
    killed: bool,
    /// When the inbox is looked into without a hint.
    rescan_at: Instant,
    buffer: Vec<u8>,
}

impl Leader {
    /// Takes the lead of a command that was just executed.
    #[must_use]
    pub fn new(journal: Journal, hints: Hints, decoder: Decoder, helpers: Helpers, running: Running) -> Self {
        let command = process::identity(running.pid).unwrap_or(ProcessIdentity { pid: running.pid, start_time: 0 });
        // Letters that came after the look before the start have left a hint.
        let rescan = hints.rescan(Duration::from_millis(journal.plan().rescan_ms));
        let limit = journal.plan().time_limit_ms.map(|limit| Instant::now() + Duration::from_millis(limit));
        Self {
            journal,
            hints,
            decoder,
            output: Some(running.output),
            input: JobInput::new(running.stdin),
            helpers,
            command,
            cgroup: running.cgroup,
            end_of_command: process::open_child(running.pid),
            ended: None,
            limit,
            kill_at: None,
            killed: false,
            rescan_at: Instant::now() + rescan,
            buffer: vec![0; READ_AT_ONCE],
        }
    }

    /// Leads the command to its end, stops what it left behind, and hands back the journal for the last words.
    pub fn lead(mut self) -> Journal {
        self.journal.set_process(self.command, Instant::now());
        let exit = loop {
            self.journal.flush();
            self.journal.publish(Instant::now());
            if let Some((exit, until)) = self.ended
                && (self.output.is_none() || Instant::now() >= until)
            {
                break exit;
            }
            self.wait();
            self.take_turn();
        };
        self.decoder.finish(&mut self.journal);
        let holds_output = self.output.take().is_some();
        self.journal.record_exit(exit);
        if self.journal.plan().stop_leftovers || self.killed {
            descendants::stop_leftovers(&mut self.journal, self.cgroup.as_ref());
        } else if holds_output {
            descendants::note_left_running(&mut self.journal, self.cgroup.as_ref());
        }
        if let Some(cgroup) = self.cgroup {
            self.journal.record_usage(cgroup.usage());
            // Processes that continue are in it; the runner removes it after they have ended.
            let _ = cgroup.remove();
        }
        self.journal
    }

    /// Waits until something can be done.
    fn wait(&self) {
        let mut polled = vec![PollFd::new(&self.hints, PollFlags::IN)];
        polled.extend(self.output.as_ref().map(|output| PollFd::new(output, PollFlags::IN)));
        polled.extend(self.end_of_command.as_ref().map(|pidfd| PollFd::new(pidfd, PollFlags::IN)));
        polled.extend(self.input.waits().map(|pipe| PollFd::from_borrowed_fd(pipe, PollFlags::OUT)));
        polled.extend(self.helpers.polled());
        let left = self.next_deadline().saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).ok();
        // An interrupted wait only causes a turn without work.
        let _ = rustix::event::poll(&mut polled, timeout.as_ref());
    }

    fn next_deadline(&self) -> Instant {
        let drained = self.ended.map(|(_, until)| until);
        let limits = [drained, self.limit, self.kill_at];
        let others = [self.decoder.deadline(), self.journal.deadline(), self.helpers.deadline()];
        let deadlines = limits.into_iter().chain(others);
        deadlines.flatten().fold(self.rescan_at, Instant::min)
    }

    /// Does whatever can be done without waiting.
    fn take_turn(&mut self) {
        self.read_output();
        self.input.push();
        self.look_for_end();
        self.hear_helpers();
        let now = Instant::now();
        self.decoder.wake(now, &mut self.journal);
        if self.ended.is_none() {
            self.keep_time_limit(now);
            self.journal.ask_again(now);
            self.journal.watch_quiet(now);
        }
        if self.hints.clear() || now >= self.rescan_at {
            self.read_letters();
        }
    }

    /// Reads a portion of the job's output. Returns its size in bytes.
    fn read_output(&mut self) -> usize {
        let Some(output) = &mut self.output else { return 0 };
        match output.read(&mut self.buffer) {
            Ok(0) => self.output = None,
            Ok(length) => {
                let now = Instant::now();
                self.journal.hear_output(now);
                self.decoder.feed(&self.buffer[..length], now, &mut self.journal);
                return length;
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => {
                self.journal.note(format!("the output of the job cannot be read any more: {error}"));
                self.output = None;
            }
        }
        0
    }

    fn hear_helpers(&mut self) {
        for heard in self.helpers.hear(Instant::now()) {
            match heard {
                Heard::Question(helper, prompt) => {
                    self.catch_up_with_output();
                    self.journal.ask(Asker::Helper(helper), prompt);
                }
                Heard::Note(note) => self.journal.note(note),
                Heard::Gone(helper) => self.journal.withdraw(helper),
            }
        }
    }

    /// What was printed before a helper asked stands before its question. What is printed from now on may wait.
    fn catch_up_with_output(&mut self) {
        let there = self.output.as_ref().and_then(|output| rustix::io::ioctl_fionread(output).ok());
        let mut left = there.map_or(0, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        while left > 0 {
            match self.read_output() {
                0 => break,
                length => left = left.saturating_sub(length),
            }
        }
        self.decoder.show(Instant::now(), &mut self.journal);
    }

    fn look_for_end(&mut self) {
        let (exit, _) = descendants::reap(self.command.pid);
        if let Some(exit) = exit {
            self.ended = Some((exit, Instant::now() + DRAIN));
            (self.end_of_command, self.limit, self.kill_at) = (None, None, None);
            self.input.close();
            self.helpers.close();
            self.journal.command_ended();
        }
    }

    fn keep_time_limit(&mut self, now: Instant) {
        if self.limit.take_if(|limit| *limit <= now).is_some() {
            let limit = Duration::from_millis(self.journal.plan().time_limit_ms.unwrap_or_default());
            self.journal.record_time_limit(limit, now);
            self.deliver(JobSignal::Interrupt, "the interrupt at the time limit");
            self.kill_at = Some(now + Duration::from_millis(self.journal.plan().stop_grace_ms));
        }
        if self.kill_at.take_if(|at| *at <= now).is_some() {
            self.journal.record_time_limit_kill(now);
            self.deliver(JobSignal::Kill, "the kill after the time limit");
        }
    }

    fn read_letters(&mut self) {
        let now = Instant::now();
        self.rescan_at = now + self.hints.rescan(Duration::from_millis(self.journal.plan().rescan_ms));
        if self.ended.is_some() {
            return self.journal.refuse_letters();
        }
        loop {
            let signals = self.journal.read_inbox(&mut self.input, &mut self.helpers);
            if signals.is_empty() {
                return;
            }
            for (letter, request) in signals {
                self.journal.record_signal(&request, now);
                self.deliver(request.signal, &format!("the {} of {}", request.signal.word(), request.user));
                self.journal.signal_delivered(letter);
            }
        }
    }

    /// Sends a signal to all of the job, and records whom it did not reach.
    fn deliver(&mut self, signal: JobSignal, what: &str) {
        let (command, cgroup) = (self.command.pid, self.cgroup.as_ref());
        let delivery = match signal {
            JobSignal::Interrupt => reach::interrupt(command, cgroup),
            JobSignal::Kill => {
                self.killed = true;
                reach::kill(command, cgroup)
            }
        };
        self.journal.record_delivery(what, signal, &delivery, cgroup.is_some());
    }
}
