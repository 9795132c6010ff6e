//! A minimal HTTP client for the measurements: one connection, one request after the other.

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

/// The encoding of the body of an answer.
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
        let text = self.ask("POST", "/api/jobs", &body, 201)?;
        let answer: serde_json::Value = serde_json::from_str(&text)?;
        Ok(JobId::try_from(answer["id"].as_u64().ok_or("the answer has no id")?)?)
    }

    /// Sends a request. Returns when the whole answer has been received.
    pub fn get(&mut self, path: &str) -> Result<String> {
        self.ask("GET", path, "", 200)
    }

    /// Sends a request that expects this status. Returns when the whole answer has been received.
    pub fn post(&mut self, path: &str, body: &str, expected: u16) -> Result<String> {
        self.ask("POST", path, body, expected)
    }

    fn ask(&mut self, method: &str, path: &str, body: &str, expected: u16) -> Result<String> {
        let (status, answer) = self.request(method, path, body)?;
        let mut text = Vec::new();
        match answer {
            Body::Length(length) => {
                text.resize(length, 0);
                self.stream.read_exact(&mut text)?;
            }
            Body::Chunked => while self.read_chunk(&mut text)? {},
        }
        let text = String::from_utf8(text)?;
        if status == expected { Ok(text) } else { Err(format!("{method} {path} answers {status}: {text}").into()) }
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

    /// Appends the next chunk of a body. Returns `false` after the last.
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
    /// Waits for the next chunk. Returns its lines of output, which may be none. Returns `None` at the stream's end.
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

/// A connection that sends the same request again and again. The client does as little work as possible, so that only
/// the server is measured.
#[derive(Debug)]
pub struct Repeater {
    stream: TcpStream,
    request: Vec<u8>,
    /// The buffer for answers. All answers have the length of the first.
    answer: Vec<u8>,
}

impl Repeater {
    /// Connects, sends the request once, and stores the length of the answer. `fields` are more header fields, each
    /// with its line end.
    pub fn connect(port: u16, path: &str, fields: &str) -> Result<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{fields}\r\n").into_bytes();
        stream.write_all(&request)?;
        let mut answer = Vec::new();
        let length = loop {
            let mut piece = [0; 4096];
            match stream.read(&mut piece)? {
                0 => return Err("the connection was closed".into()),
                read => answer.extend_from_slice(&piece[..read]),
            }
            if let Some(length) = length_of(&answer)? {
                break length;
            }
        };
        let read = answer.len();
        answer.resize(length, 0);
        stream.read_exact(&mut answer[read..])?;
        Ok(Self { stream, request, answer })
    }

    /// Sends the request without waiting for the answer.
    pub fn ask(&mut self) -> Result<()> {
        Ok(self.stream.write_all(&self.request)?)
    }

    /// Waits for the answer.
    pub fn wait(&mut self) -> Result<()> {
        self.stream.read_exact(&mut self.answer)?;
        if self.answer.starts_with(b"HTTP/1.1 200") { Ok(()) } else { Err("an answer is not 200".into()) }
    }
}

/// The length of an answer with its head, once the head is there.
fn length_of(answer: &[u8]) -> Result<Option<usize>> {
    let Some(end) = memchr::memmem::find(answer, b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let (_, length) = head.split_once("content-length: ").ok_or("the answer has no length")?;
    Ok(Some(end + 4 + length.lines().next().unwrap_or_default().parse::<usize>()?))
}
