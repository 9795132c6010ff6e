//! The job's standard input: answers go in, and never make the supervisor wait.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The writing end of the job's standard input.
#[derive(Debug)]
pub struct JobInput {
    /// `None` after the job has closed its end, or has ended.
    pipe: Option<OwnedFd>,
    pending: Vec<u8>,
}

impl JobInput {
    /// Wraps a pipe that does not block.
    #[must_use]
    pub fn new(pipe: OwnedFd) -> Self {
        Self { pipe: Some(pipe), pending: Vec::new() }
    }

    /// The input of a job that has ended.
    #[must_use]
    pub fn closed() -> Self {
        Self { pipe: None, pending: Vec::new() }
    }

    /// Sends a line. The rest of a line that does not fit into the pipe goes out as the job reads.
    ///
    /// # Errors
    /// The job has closed its standard input: a text for people. Nothing was sent.
    pub fn send_line(&mut self, line: &str) -> Result<(), String> {
        let before = self.pending.len();
        self.pending.extend_from_slice(line.as_bytes());
        self.pending.push(b'\n');
        self.push();
        if self.pipe.is_some() {
            return Ok(());
        }
        self.pending.truncate(before);
        Err("the job has closed its standard input".into())
    }

    /// Writes as much as the pipe takes.
    pub fn push(&mut self) {
        while let Some(pipe) = &self.pipe
            && !self.pending.is_empty()
        {
            match rustix::io::write(pipe, &self.pending) {
                Ok(written) => drop(self.pending.drain(..written)),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return,
                Err(_) => self.close(),
            }
        }
    }

    /// Closes the pipe: the job has ended.
    pub fn close(&mut self) {
        self.pipe = None;
        self.pending.clear();
    }

    /// The pipe, while something waits to be written.
    #[must_use]
    pub fn waits(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().filter(|_| !self.pending.is_empty()).map(AsFd::as_fd)
    }
}

#[cfg(test)]
mod tests {
    use rustix::pipe::{PipeFlags, pipe_with};

    use super::*;

    #[test]
    fn a_full_pipe_holds_answers_back_and_a_closed_one_refuses_them() {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap();
        let mut input = JobInput::new(write);
        let line = "x".repeat(3999);
        for _ in 0..40 {
            input.send_line(&line).unwrap();
        }
        assert!(input.waits().is_some());
        let mut total = 0;
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length) = rustix::io::read(&read, &mut buffer) {
            total += length;
            input.push();
        }
        assert_eq!(total, 40 * 4000);
        assert!(input.waits().is_none());
        drop(read);
        assert_eq!(input.send_line("y"), Err("the job has closed its standard input".into()));
    }
}
