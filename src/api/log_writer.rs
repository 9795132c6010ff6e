//! Where the daemon's own log goes: a thread writes it, so that nobody waits for whoever reads standard error.
//!
//! Lines wait in memory. If the reader is too slow for too long they are lost, and counted, and when there is room again
//! a line says how many it were. The event loop never blocks.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How many bytes of log wait at most: some 15,000 lines.
const CAPACITY: usize = 4 << 20;

/// How long the thread lets lines come together after it has written some. Each write costs a system call.
const GATHER: Duration = Duration::from_millis(2);

/// The pause before the next attempt on an output that would block and is not allowed to.
const RETRY: Duration = Duration::from_millis(50);

/// Takes lines of log without ever blocking, for as many threads as like.
#[derive(Clone, Debug)]
pub struct LogWriter(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    lost: u64,
    is_closed: bool,
    is_done: bool,
}

impl LogWriter {
    /// Starts the thread that writes to `output`.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(output: impl io::Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let writing = Arc::clone(&shared);
        thread::Builder::new().name("log".to_owned()).spawn(move || writing.write_all_to(output))?;
        Ok(Self(shared))
    }

    /// Waits until everything is written, but not for an output that takes nothing. Lines that come later are lost.
    pub fn finish(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut state = self.0.state();
        state.is_closed = true;
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
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn write_all_to(&self, mut output: impl io::Write) {
        let mut batch = Vec::new();
        while self.take(&mut batch) {
            write(&mut output, &batch);
            let lost = std::mem::take(&mut self.state().lost);
            if lost > 0 {
                // It comes back as a line like any other, now that there is room.
                tracing::warn!(lost, "lines of this log are lost: nobody read standard error fast enough");
            }
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

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes everything, unless the output is broken: then nobody can be told.
fn write(output: &mut impl io::Write, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match output.write(bytes) {
            Ok(0) => return,
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(RETRY),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn every_line_is_written_in_order_before_the_end() {
        let (mut reader, output) = io::pipe().unwrap();
        let log = LogWriter::start(output).unwrap();
        for number in 0..1000 {
            (&log).write_all(format!("line {number}\n").as_bytes()).unwrap();
        }
        log.finish(PATIENCE);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let expected: Vec<String> = (0..1000).map(|number| format!("line {number}")).collect();
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_output_that_nobody_reads_blocks_nobody_and_costs_no_more_than_the_capacity() {
        let (reader, output) = io::pipe().unwrap();
        let log = LogWriter::start(output).unwrap();
        let line = [b'x'; 1024];
        for _ in 0..3 * CAPACITY / line.len() {
            (&log).write_all(&line).unwrap();
        }
        let state = log.0.state();
        assert!(state.waiting.len() <= CAPACITY);
        assert!(state.lost >= (CAPACITY / line.len()) as u64, "{} are lost", state.lost);
        drop(state);
        log.finish(Duration::from_millis(1));
        drop(reader);
    }
}
