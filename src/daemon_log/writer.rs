//! Where the lines of a daemon's own log go: a thread writes them, so that nobody waits for whoever reads them.
//!
//! Lines wait in memory. If the reader is too slow for too long, or there is none, or no room on a disk, they are lost and
//! counted, and when something can be written again a line says how many it were. Where the system gives no thread, what
//! can be written at once is written at once, and the rest waits for the next line.

use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::shortage::Shortage;

/// How many bytes of log wait at most: some 15,000 lines.
const CAPACITY: usize = 4 << 20;

/// How long the thread lets lines come together after it has written some. Each write costs a system call.
const GATHER: Duration = Duration::from_millis(2);

/// The pause before the next attempt on an output that would block and is not allowed to.
const RETRY: Duration = Duration::from_millis(50);

/// What a pipe takes without blocking if it takes anything (`PIPE_BUF`).
const AT_ONCE: usize = 4096;

/// What lines can be written to.
trait Output: io::Write + AsFd + Send {}
impl<T: io::Write + AsFd + Send> Output for T {}

/// Takes lines of log without ever blocking, for as many threads as like.
#[derive(Clone)]
pub struct LogWriter(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Locked by the thread while it writes, for as long as that takes; without a thread, for moments.
    output: Mutex<Box<dyn Output>>,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    lost: u64,
    is_closed: bool,
    is_done: bool,
    /// There is no thread, and another attempt is made then.
    shortage: Option<Shortage>,
}

impl LogWriter {
    /// Starts writing to `output`, by a thread if there is one to be had, now or later.
    #[must_use]
    pub fn start(output: impl io::Write + AsFd + Send + 'static) -> Self {
        let shared = Shared { state: Mutex::default(), changed: Condvar::new(), output: Mutex::new(Box::new(output)) };
        let shared = Arc::new(shared);
        shared.start_thread(&mut shared.state());
        Self(shared)
    }

    /// Waits until everything is written, but not for an output that takes nothing. Lines that come later are lost.
    pub fn finish(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut state = self.0.state();
        state.is_closed = true;
        if state.shortage.is_some() {
            self.0.write_what_goes(&mut state);
            return;
        }
        self.0.changed.notify_all();
        while !state.is_done {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return };
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl io::Write for &LogWriter {
    /// Takes one whole line, or loses it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.0.state();
        if state.is_closed || state.waiting.len() + line.len() > CAPACITY {
            state.lost += 1;
        } else {
            if state.waiting.is_empty() {
                self.0.changed.notify_all();
            }
            state.waiting.extend_from_slice(line);
        }
        if state.shortage.is_some() {
            self.0.go_on_without_thread(state);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn start_thread(self: &Arc<Self>, state: &mut State) {
        let writing = Arc::clone(self);
        let started = thread::Builder::new().name("log".to_owned()).spawn(move || writing.write_all());
        state.shortage = started.err().map(|error| Shortage::after(state.shortage.as_ref(), error.to_string()));
    }

    /// What the thread does.
    fn write_all(&self) {
        let mut batch = Vec::new();
        while self.take(&mut batch) {
            let lost = write(&mut **self.output(), &batch);
            count(self.state(), lost);
            if !self.state().is_closed {
                thread::sleep(GATHER);
            }
        }
        self.state().is_done = true;
        self.changed.notify_all();
    }

    /// Waits for lines, and exchanges them for the empty buffer. False if none will come any more.
    fn take(&self, batch: &mut Vec<u8>) -> bool {
        batch.clear();
        let mut state = self.state();
        while state.waiting.is_empty() {
            if state.is_closed {
                return false;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut state.waiting, batch);
        true
    }

    fn go_on_without_thread(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        if state.shortage.as_ref().is_some_and(Shortage::is_over) {
            self.start_thread(&mut state);
        }
        if state.shortage.is_some() {
            let lost = self.write_what_goes(&mut state);
            count(state, lost);
        }
    }

    /// Writes what the output takes without waiting. Returns how many lines were lost.
    fn write_what_goes(&self, state: &mut State) -> u64 {
        let mut output = self.output();
        let mut written = 0;
        let mut lost = 0;
        while written < state.waiting.len() && is_ready(&**output) {
            let rest = &state.waiting[written..];
            match output.write(&rest[..rest.len().min(AT_ONCE)]) {
                Ok(length) if length > 0 => written += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Ok(_) | Err(_) => {
                    lost = lines(rest);
                    written = state.waiting.len();
                }
            }
        }
        state.waiting.drain(..written);
        lost
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn output(&self) -> MutexGuard<'_, Box<dyn Output>> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts what was lost by the last write; if that is nothing, and there is room for a line, tells what was lost before.
fn count(mut state: MutexGuard<'_, State>, lost: u64) {
    state.lost += lost;
    let is_taken = lost == 0 && state.waiting.len() <= CAPACITY / 2;
    let tell = if is_taken { std::mem::take(&mut state.lost) } else { 0 };
    drop(state);
    if tell > 0 {
        // It comes back as a line like any other, now that there is room.
        tracing::warn!(lost = tell, "lines of this log are lost: standard error took them too slowly, or not at all");
    }
}

/// Writes everything, unless the output is broken: then nobody can be told. Returns how many lines were lost.
fn write(output: &mut dyn Output, mut bytes: &[u8]) -> u64 {
    while !bytes.is_empty() {
        match output.write(bytes) {
            Ok(written) if written > 0 => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(RETRY),
            Ok(_) | Err(_) => return lines(bytes),
        }
    }
    0
}

/// Whether a write of [`AT_ONCE`] bytes does not wait: it is taken, or fails.
fn is_ready(output: &dyn Output) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(output.as_fd(), PollFlags::OUT)];
    rustix::event::poll(&mut polled, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::fd::BorrowedFd;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn say(log: &LogWriter, number: usize) {
        let mut log = log;
        log.write_all(format!("line {number}\n").as_bytes()).unwrap();
    }

    #[test]
    fn every_line_is_written_in_order_before_the_end() {
        let (mut reader, output) = io::pipe().unwrap();
        let log = LogWriter::start(output);
        (0..1000).for_each(|number| say(&log, number));
        log.finish(PATIENCE);
        drop(log);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let expected: Vec<String> = (0..1000).map(|number| format!("line {number}")).collect();
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_output_that_nobody_reads_blocks_nobody_and_costs_no_more_than_the_capacity() {
        let (reader, output) = io::pipe().unwrap();
        let log = LogWriter::start(output);
        fill(&log);
        log.finish(Duration::from_millis(1));
        drop(reader);
    }

    /// Writes three times what there is room for.
    fn fill(log: &LogWriter) {
        let line = [b'x'; 1024];
        let mut taking = log;
        for _ in 0..3 * CAPACITY / line.len() {
            taking.write_all(&line).unwrap();
        }
        let state = log.0.state();
        assert!(state.waiting.len() <= CAPACITY);
        assert!(state.lost >= (CAPACITY / line.len()) as u64, "{} are lost", state.lost);
    }

    /// A log for which no thread is to be had.
    fn without_thread(output: impl io::Write + AsFd + Send + 'static) -> LogWriter {
        let hour = (0..20).fold(Shortage::after(None, "none"), |before, _| Shortage::after(Some(&before), "none"));
        let state = State { shortage: Some(hour), ..State::default() };
        let output: Box<dyn Output> = Box::new(output);
        LogWriter(Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new(), output: Mutex::new(output) }))
    }

    #[test]
    fn without_a_thread_what_can_be_written_is_and_the_rest_blocks_nobody() {
        let (mut reader, output) = io::pipe().unwrap();
        let log = without_thread(output);
        say(&log, 0);
        let mut first = [0; 7];
        reader.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"line 0\n");

        fill(&log);
        let waiting = log.0.state().waiting.len();
        reader.read_exact(&mut vec![0; 16_384]).unwrap();
        say(&log, 1);
        assert!(log.0.state().waiting.len() < waiting, "there was room for some of it");

        let lost = log.0.state().lost;
        drop(reader);
        say(&log, 2);
        let state = log.0.state();
        assert!(state.waiting.is_empty() && state.lost > lost, "nobody will ever read it");
    }

    #[test]
    fn a_thread_that_is_to_be_had_later_takes_over() {
        let (mut reader, output) = io::pipe().unwrap();
        let log = without_thread(output);
        log.0.start_thread(&mut log.0.state());
        assert!(log.0.state().shortage.is_none());
        say(&log, 0);
        log.finish(PATIENCE);
        drop(log);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "line 0\n");
    }

    /// A disk that is full for a while.
    struct Disk {
        descriptor: io::PipeWriter,
        is_full: Arc<AtomicBool>,
    }

    impl io::Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.is_full.load(Ordering::SeqCst) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.descriptor.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl AsFd for Disk {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.descriptor.as_fd()
        }
    }

    #[test]
    fn what_a_broken_output_lost_is_counted_until_something_can_be_written() {
        let (mut reader, descriptor) = io::pipe().unwrap();
        let is_full = Arc::new(AtomicBool::new(true));
        let log = LogWriter::start(Disk { descriptor, is_full: Arc::clone(&is_full) });
        (0..3).for_each(|number| say(&log, number));
        let deadline = Instant::now() + PATIENCE;
        while log.0.state().lost < 3 {
            assert!(Instant::now() < deadline);
            thread::sleep(GATHER);
        }
        is_full.store(false, Ordering::SeqCst);
        say(&log, 3);
        let mut line = [0; 7];
        reader.read_exact(&mut line).unwrap();
        assert_eq!(&line, b"line 3\n");
        while log.0.state().lost > 0 {
            assert!(Instant::now() < deadline, "it was told");
            thread::sleep(GATHER);
        }
    }
}
