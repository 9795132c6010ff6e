//! Writes the lines of a daemon's own log in a thread, so that the daemon never waits for the reader.
//!
//! Lines wait in memory. If the reader is too slow for too long, or if there is no reader, or no room on the disk,
//! lines are lost and counted. When writing works again, a line says how many were lost. If the system has no thread
//! for the writer, the writer writes as much as it can without waiting. The rest waits for the next line.

use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::shortage::Shortage;

/// The maximum log in memory in bytes: about 15,000 lines.
const CAPACITY: usize = 4 << 20;

/// The pause after a write, in which the thread collects more lines. Each write costs a system call.
const BATCH_PAUSE: Duration = Duration::from_millis(2);

/// The pause before the next attempt if the output would block and must not.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// The number of bytes that a pipe takes without blocking if it takes any (`PIPE_BUF`).
const ATOMIC_WRITE: usize = 4096;

/// An output for lines.
trait Output: io::Write + AsFd + Send {}
impl<T: io::Write + AsFd + Send> Output for T {}

/// Takes lines of the log without ever blocking, for any number of threads.
#[derive(Clone)]
pub struct LogWriter(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// The thread holds this lock for a whole write. Without a thread, it is held only for moments.
    output: Mutex<Box<dyn Output>>,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    lost: u64,
    is_closed: bool,
    is_done: bool,
    /// If there is no thread: the cause, and the time of the next attempt.
    shortage: Option<Shortage>,
}

impl LogWriter {
    /// Starts writing to `output` in a thread. If there is no thread now, later lines try again.
    #[must_use]
    pub fn start(output: impl io::Write + AsFd + Send + 'static) -> Self {
        let shared = Shared { state: Mutex::default(), changed: Condvar::new(), output: Mutex::new(Box::new(output)) };
        let shared = Arc::new(shared);
        shared.start_thread(&mut shared.state());
        Self(shared)
    }

    /// Waits until all lines are written, but gives up if the output takes nothing. Later lines are lost.
    pub fn finish(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut state = self.0.state();
        state.is_closed = true;
        if state.shortage.is_some() {
            self.0.write_without_waiting(&mut state);
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

    /// The body of the thread.
    fn write_all(&self) {
        let mut batch = Vec::new();
        while self.take(&mut batch) {
            let lost = write(&mut **self.output(), &batch);
            count(self.state(), lost);
            if !self.state().is_closed {
                thread::sleep(BATCH_PAUSE);
            }
        }
        self.state().is_done = true;
        self.changed.notify_all();
    }

    /// Waits for lines, and exchanges them for the empty buffer. Returns false if no more lines will come.
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
            let lost = self.write_without_waiting(&mut state);
            count(state, lost);
        }
    }

    /// Writes as much as the output takes without waiting. Returns the number of lost lines.
    fn write_without_waiting(&self, state: &mut State) -> u64 {
        let mut output = self.output();
        let mut written = 0;
        let mut lost = 0;
        while written < state.waiting.len() && is_ready(&**output) {
            let rest = &state.waiting[written..];
            match output.write(&rest[..rest.len().min(ATOMIC_WRITE)]) {
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

/// Counts the lines that the last write lost. If it lost none and there is room for a line, reports the earlier losses.
fn count(mut state: MutexGuard<'_, State>, lost: u64) {
    state.lost += lost;
    let is_taken = lost == 0 && state.waiting.len() <= CAPACITY / 2;
    let tell = if is_taken { std::mem::take(&mut state.lost) } else { 0 };
    drop(state);
    if tell > 0 {
        // The warning comes back as an ordinary line, and now there is room for it.
        tracing::warn!(lost = tell, "lines of this log are lost: standard error took them too slowly, or not at all");
    }
}

/// Writes everything unless the output is broken. A broken output cannot be reported. Returns the number of lost lines.
fn write(output: &mut dyn Output, mut bytes: &[u8]) -> u64 {
    while !bytes.is_empty() {
        match output.write(bytes) {
            Ok(written) if written > 0 => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(RETRY_PAUSE),
            Ok(_) | Err(_) => return lines(bytes),
        }
    }
    0
}

/// Whether a write of [`ATOMIC_WRITE`] bytes succeeds or fails without waiting.
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

    /// Writes three times the capacity.
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

    /// A log that gets no thread.
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
            thread::sleep(BATCH_PAUSE);
        }
        is_full.store(false, Ordering::SeqCst);
        say(&log, 3);
        let mut line = [0; 7];
        reader.read_exact(&mut line).unwrap();
        assert_eq!(&line, b"line 3\n");
        while log.0.state().lost > 0 {
            assert!(Instant::now() < deadline, "it was told");
            thread::sleep(BATCH_PAUSE);
        }
    }
}
