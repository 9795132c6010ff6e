//! As much of an HTTP client as the measurements need: one connection, one request after the other.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use spiderpig::spool::JobId;

use super::Result;

/// A connection to the API.
#[derive(Debug)]
pub struct Client {
    port: u16,
    stream: BufReader<TcpStream>,
}

/// How the body of an answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    Length(usize),
    Chunked,
}

impl Client {
    /// Connects to the API on this machine.
    pub fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        Ok(Self { port, stream: BufReader::new(stream) })
    }

    /// Submits a job without parameters. Returns when the whole answer has been received.
    pub fn submit(&mut self, job_type: &str) -> Result<JobId> {
        let body = format!(r#"{{"type":"{job_type}","params":{{}}}}"#);
        let (status, answer) = self.request("POST", "/api/jobs", &body)?;
        let text = self.body(answer)?;
        let text = String::from_utf8(text)?;
        if status != 201 {
            return Err(format!("POST /api/jobs answers {status}: {text}").into());
        }
        let answer: serde_json::Value = serde_json::from_str(&text)?;
        Ok(JobId::try_from(answer["id"].as_u64().ok_or("the answer has no id")?)?)
    }

    /// Asks for something, and reads the answer to its end.
    pub fn get(&mut self, path: &str) -> Result<Vec<u8>> {
        match self.request("GET", path, "")? {
            (200, answer) => self.body(answer),
            (status, _) => Err(format!("{path} answers {status}").into()),
        }
    }

    fn body(&mut self, answer: Body) -> Result<Vec<u8>> {
        let mut text = Vec::new();
        match answer {
            Body::Length(length) => {
                text.resize(length, 0);
                self.stream.read_exact(&mut text)?;
            }
            Body::Chunked => while self.read_chunk(&mut text)? {},
        }
        Ok(text)
    }

    /// Opens the stream of a job's log.
    pub fn follow(mut self, id: JobId) -> Result<LogStream> {
        match self.request("GET", &format!("/api/jobs/{id}/log"), "")? {
            (200, Body::Chunked) => Ok(LogStream { client: self, buffer: Vec::new() }),
            (status, _) => Err(format!("the log of job {id} answers {status}").into()),
        }
    }

    fn request(&mut self, method: &str, path: &str, body: &str) -> Result<(u16, Body)> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.port,
            body.len()
        );
        self.stream.get_mut().write_all((head + body).as_bytes())?;
        let status = self.read_line()?.split(' ').nth(1).ok_or("no status line")?.parse()?;
        let mut coming = Body::Length(0);
        loop {
            let line = self.read_line()?.to_ascii_lowercase();
            match line.split_once(':') {
                _ if line.is_empty() => return Ok((status, coming)),
                Some(("content-length", length)) => coming = Body::Length(length.trim().parse()?),
                Some(("transfer-encoding", encoding)) if encoding.trim() == "chunked" => coming = Body::Chunked,
                _ => {}
            }
        }
    }

    fn read_line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err("the connection was closed".into());
        }
        Ok(line.trim_end().to_owned())
    }

    /// Appends the next chunk of a body; `false` after the last.
    fn read_chunk(&mut self, buffer: &mut Vec<u8>) -> Result<bool> {
        let length = usize::from_str_radix(&self.read_line()?, 16)?;
        let begin = buffer.len();
        buffer.resize(begin + length, 0);
        self.stream.read_exact(&mut buffer[begin..])?;
        self.read_line()?;
        Ok(length > 0)
    }
}

/// The stream of a job's log.
#[derive(Debug)]
pub struct LogStream {
    client: Client,
    buffer: Vec<u8>,
}

impl LogStream {
    /// Waits for what comes next: the lines of output in it, none if there was something else; nothing at its end.
    pub fn next_lines(&mut self) -> Result<Option<Vec<String>>> {
        if !self.client.read_chunk(&mut self.buffer)? {
            return Ok(None);
        }
        let whole = self.buffer.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let rest = self.buffer.split_off(whole);
        let text = std::mem::replace(&mut self.buffer, rest);
        let mut lines = Vec::new();
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let record: serde_json::Value = serde_json::from_slice(line)?;
            lines.extend(record["line"].as_str().map(str::to_owned));
        }
        Ok(Some(lines))
    }
}
