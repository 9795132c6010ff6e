//! The helpers that ask on behalf of the job, each on a connection of its own.
//!
//! Anybody on the machine can connect, so a connection is a stranger until it has shown the job's key. Strangers get
//! little memory and little time, and make room for those who come later. A helper has room for one question, and as
//! many helpers as there may be wait here; the next ones wait in the kernel. Nothing here waits for anybody.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use subtle::ConstantTimeEq as _;

use super::prompts::HelperId;
use crate::protocol::{Decoder, IoKey, Message, Piece, Prompt, Sink};
use crate::runner::helper_line::Reply;

/// How many connections may show no key yet.
const STRANGERS: usize = 16;
/// How many helpers may wait for an answer.
const HELPERS: usize = 64;
/// After this it is tried again to accept connections.
const RETRY: Duration = Duration::from_secs(1);
/// How long a connection has to ask something.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much a stranger may send, in bytes: more than the line with a key.
const LONGEST_KEY: usize = 128;
/// The longest question, in bytes: twice what the texts of one may have, written as JSON.
const LONGEST_QUESTION: usize = 256 << 10;

/// An event of a helper.
#[derive(Debug)]
pub enum Heard {
    /// It asks, and waits for the answer.
    Question(HelperId, Prompt),
    /// A remark about its question, for the log.
    Note(String),
    /// It has gone.
    Gone(HelperId),
}

/// The helpers of a job, and those that may be some.
#[derive(Debug)]
pub struct Helpers {
    key: IoKey,
    /// `None` if no helper can connect.
    listener: Option<UnixListener>,
    /// No connection is accepted until then, because the system has no room for one.
    deaf_until: Option<Instant>,
    /// In the order in which they came.
    connections: Vec<Connection>,
    last: HelperId,
}

#[derive(Debug)]
struct Connection {
    id: HelperId,
    stream: UnixStream,
    stage: Stage,
    /// The bytes that it has sent and that were not read yet.
    received: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    /// It must show the key.
    Stranger { until: Instant },
    /// It has shown the key, and must ask.
    Known { until: Instant },
    /// It has asked.
    Asking,
}

impl Helpers {
    /// Listens for helpers of the job with this key, under an unpredictable name.
    ///
    /// # Errors
    /// The system gives no socket.
    pub fn listen(key: &IoKey) -> std::io::Result<(Self, String)> {
        let name = format!("spiderpig-ask-{}", uuid::Uuid::new_v4().simple());
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        listener.set_nonblocking(true)?;
        Ok((Self { key: key.clone(), listener: Some(listener), ..Self::none() }, name))
    }

    /// No helpers, now and later.
    #[must_use]
    pub fn none() -> Self {
        Self { key: IoKey::from_text(""), listener: None, deaf_until: None, connections: Vec::new(), last: 0 }
    }

    /// The descriptors to wait for.
    pub fn polled(&self) -> impl Iterator<Item = PollFd<'_>> {
        let listener = self.listener.as_ref().filter(|_| self.has_room() && self.deaf_until.is_none());
        let listener = listener.map(|listener| listener.as_fd());
        let connections = self.connections.iter().map(|connection| connection.stream.as_fd());
        listener.into_iter().chain(connections).map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
    }

    /// When a connection has been silent for too long, or others are to be accepted again.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.connections.iter().filter_map(Connection::deadline).chain(self.deaf_until).min()
    }

    /// Whether another connection is taken. Strangers count only among themselves.
    fn has_room(&self) -> bool {
        self.connections.iter().filter(|connection| !connection.is_stranger()).count() < HELPERS
    }

    /// Reads from the connections, without waiting.
    pub fn hear(&mut self, now: Instant) -> Vec<Heard> {
        let mut heard = Vec::new();
        self.connections.retain_mut(|connection| connection.hear(&self.key, now, &mut heard));
        self.deaf_until.take_if(|until| *until <= now);
        if self.deaf_until.is_none() {
            self.accept(now, &mut heard);
        }
        heard
    }

    fn accept(&mut self, now: Instant, heard: &mut Vec<Heard>) {
        for _ in 0..STRANGERS {
            if !self.has_room() {
                return;
            }
            let Some(listener) = &self.listener else { return };
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => return self.deaf_until = Some(now + RETRY),
            };
            if stream.set_nonblocking(true).is_err() {
                continue;
            }
            self.last += 1;
            let stage = Stage::Stranger { until: now + PATIENCE };
            let mut connection = Connection { id: self.last, stream, stage, received: Vec::new() };
            // A helper has mostly sent everything by now, and never is a stranger to anybody else.
            if !connection.hear(&self.key, now, heard) {
                continue;
            }
            self.connections.push(connection);
            let strangers = self.connections.iter().filter(|connection| connection.is_stranger()).count();
            if strangers > STRANGERS
                && let Some(first) = self.connections.iter().position(Connection::is_stranger)
            {
                self.connections.remove(first);
            }
        }
    }

    /// Gives a helper its answer, and ends the connection.
    ///
    /// # Errors
    /// It cannot be reached any more: a text for people. That it has gone is heard next.
    pub fn answer(&mut self, id: HelperId, answer: &str) -> Result<(), String> {
        let gone = || "the helper that asked has ended".to_owned();
        let place = self.connections.iter().position(|connection| connection.id == id).ok_or_else(gone)?;
        self.connections[place].reply(&Reply::Answer(answer.to_owned())).map_err(|_| gone())?;
        self.connections.remove(place);
        Ok(())
    }

    /// The command has ended: closes all connections.
    pub fn close(&mut self) {
        self.listener = None;
        self.connections.clear();
    }
}

impl Connection {
    fn is_stranger(&self) -> bool {
        matches!(self.stage, Stage::Stranger { .. })
    }

    fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Stranger { until } | Stage::Known { until } => Some(until),
            Stage::Asking => None,
        }
    }

    /// Returns whether it stays.
    fn hear(&mut self, key: &IoKey, now: Instant, heard: &mut Vec<Heard>) -> bool {
        let stays = self.deadline().is_none_or(|until| now < until) && self.receive(key, heard);
        if !stays && self.stage == Stage::Asking {
            heard.push(Heard::Gone(self.id));
        }
        stays
    }

    /// Reads what is there, up to the end of its question.
    fn receive(&mut self, key: &IoKey, heard: &mut Vec<Heard>) -> bool {
        let mut buffer = [0; 4096];
        loop {
            let most = match self.stage {
                Stage::Stranger { .. } => LONGEST_KEY - self.received.len(),
                Stage::Known { .. } | Stage::Asking => buffer.len(),
            };
            match self.stream.read(&mut buffer[..most]) {
                // It has asked and waits: it can only close the connection. Anything else does not come from a helper.
                Ok(length) if length == 0 || self.stage == Stage::Asking => return false,
                Ok(length) => self.received.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
            if !self.take_lines(key, heard) {
                return false;
            }
        }
    }

    /// Handles complete lines.
    fn take_lines(&mut self, key: &IoKey, heard: &mut Vec<Heard>) -> bool {
        if let Stage::Stranger { until } = self.stage {
            let Some(line) = self.take_line() else { return self.received.len() < LONGEST_KEY };
            if !bool::from(line.ct_eq(key.as_str().as_bytes())) {
                return false;
            }
            self.stage = Stage::Known { until };
        }
        if let Stage::Known { .. } = self.stage {
            let Some(line) = self.take_line() else {
                return self.received.len() < LONGEST_QUESTION || self.refuse("the question is too long");
            };
            return self.ask(&line, key, heard);
        }
        true
    }

    fn take_line(&mut self) -> Option<Vec<u8>> {
        let length = memchr::memchr(b'\n', &self.received)?;
        let rest = self.received.split_off(length + 1);
        let mut line = std::mem::replace(&mut self.received, rest);
        line.truncate(length);
        Some(line)
    }

    fn ask(&mut self, line: &[u8], key: &IoKey, heard: &mut Vec<Heard>) -> bool {
        let Said { question, unasked, notes } = Said::read(line, key);
        let Some(prompt) = question.filter(|_| self.received.is_empty()) else {
            return self.refuse(unasked.as_deref().unwrap_or("it is no question"));
        };
        heard.extend(notes.into_iter().map(Heard::Note));
        heard.push(Heard::Question(self.id, prompt));
        self.stage = Stage::Asking;
        self.received = Vec::new();
        true
    }

    /// Says why it is not asked, which ends the connection.
    fn refuse(&mut self, reason: &str) -> bool {
        // On an error the helper has gone.
        let _ = self.reply(&Reply::Refused(reason.to_owned()));
        false
    }

    /// A reply is short, and nothing was sent before it: what the kernel does not take at once nobody will read.
    fn reply(&mut self, reply: &Reply) -> std::io::Result<()> {
        self.stream.write_all(reply.to_line().as_bytes())
    }
}

/// What a message of a helper says, read as if the job had printed it.
#[derive(Default)]
struct Said {
    question: Option<Prompt>,
    unasked: Option<String>,
    notes: Vec<String>,
}

impl Said {
    fn read(line: &[u8], key: &IoKey) -> Self {
        let mut said = Self::default();
        let mut decoder = Decoder::new(key.clone());
        decoder.feed(line, Instant::now(), &mut said);
        decoder.finish(&mut said);
        said
    }
}

impl Sink for Said {
    fn piece(&mut self, _: Piece<'_>) {}

    fn message(&mut self, message: Message) {
        match message {
            Message::Interaction(prompt) => self.question = Some(prompt),
            Message::Note(note) => self.notes.push(note),
            Message::LostQuestion(reason) => self.unasked = Some(reason),
            Message::Status(_) | Message::Progress(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
