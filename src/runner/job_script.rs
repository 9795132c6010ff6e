//! `spiderpig-runner job …`: the commands with which a shell script asks people and reports its progress.
//!
//! In `answer=$(spiderpig-runner job ask "Which version?")` the shell keeps standard output for itself. So **messages
//! go to standard error**, which in SpiderPig is the same pipe as the job's standard output, and only the answer goes to
//! standard output. A script that redirects the standard error of a helper hides its messages from SpiderPig.
//!
//! Questions use another channel: see [`channel`]. Standard input is not read for answers, because a helper may be in a
//! loop that reads a list from there. Only `line -` reads it, and should be at the end of a pipe.
//!
//! Without a key, outside SpiderPig, the same commands talk to a person at a terminal.

mod channel;

use std::io::{self, BufRead as _, BufReader, Read, Write};

use clap::{Args, Subcommand};
use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use crate::protocol::{IoKey, MAX_ANSWER, Prompt, PromptKind, encode};

pub use channel::{Channel, Job};

/// A command for scripts.
#[derive(Clone, Debug, Subcommand)]
pub enum JobCommand {
    /// Ask for one line of text, and print it
    Ask {
        /// Hide the answer from people, and do not store it
        #[arg(long)]
        sensitive: bool,
        /// The question
        #[arg(allow_hyphen_values = true)]
        prompt: String,
    },
    /// Ask a person to choose one of several answers, and print its code
    Choose(Choose),
    /// Set the status text of the job; an empty text clears it
    Status {
        /// The current activity of the job
        #[arg(allow_hyphen_values = true)]
        text: String,
    },
    /// Show the progress of the job
    Progress(Progress),
    /// Write a line to the log
    Line {
        /// Hide the line from people unless they ask for it
        #[arg(long)]
        sensitive: bool,
        /// The line; it may contain newlines. With `-`, each line of standard input, which `ps` does not show
        #[arg(allow_hyphen_values = true)]
        text: String,
    },
}

/// A question with choices.
#[derive(Args, Clone, Debug)]
pub struct Choose {
    /// The question
    #[arg(allow_hyphen_values = true)]
    prompt: String,
    /// The text for people, and the code to print; give it once for each choice
    #[arg(long = "choice", value_name = "LABEL=CODE", required = true, value_parser = label_and_code)]
    choices: Vec<(String, String)>,
    /// Hide the answer from people, and do not store it
    #[arg(long)]
    sensitive: bool,
    /// The code for an empty answer
    #[arg(long, value_name = "CODE")]
    default: Option<String>,
}

/// The progress of a job: the number of steps that are done, and of all steps.
#[derive(Args, Clone, Debug)]
pub struct Progress {
    /// The current activity of the job
    #[arg(allow_hyphen_values = true)]
    name: String,
    /// The number of steps that are done
    done: u64,
    /// The number of all steps
    total: u64,
}

/// The streams of a helper process.
pub struct Streams<'a> {
    /// Standard input, which only `line -` reads.
    pub input: &'a mut dyn Read,
    /// Standard output: gets only the answer.
    pub answer: &'a mut dyn Write,
    /// Standard error: gets the messages, and questions for a person at a terminal.
    pub messages: &'a mut dyn Write,
}

/// The reason why a helper failed.
#[derive(Debug, thiserror::Error)]
pub enum JobScriptError {
    /// Standard input ended before an answer. An incomplete line is not an answer.
    #[error("standard input ended before the question was answered")]
    EndOfInput,
    /// The helper cannot reach the job's supervisor, and its standard input is not the job's.
    #[error(
        "cannot ask anybody: {0}, and standard input is not that of the job. Call this helper where the job's command \
         runs (in its network namespace, with its environment); or give it the job's own standard input, for example by \
         `exec 3<&0` at the beginning of the script and `<&3` behind the helper"
    )]
    NoChannel(String),
    /// The job or its supervisor has ended meanwhile.
    #[error("the question was not answered: the job or its supervisor has ended")]
    Gone,
    /// The supervisor refused the question.
    #[error("the question was not asked: {0}")]
    Refused(String),
    /// Standard input cannot be read.
    #[error("cannot read standard input: {0}")]
    Read(#[source] io::Error),
    /// Standard output or standard error cannot be written.
    #[error("cannot write to {stream}: {source}")]
    Write {
        /// The name of the stream.
        stream: &'static str,
        /// The error of the kernel.
        source: io::Error,
    },
    /// Two choices have the same label.
    #[error("two choices have the label “{0}”")]
    LabelTwice(String),
    /// The default is not one of the choices.
    #[error("the default “{0}” is not the code of a choice")]
    UnknownDefault(String),
    /// The question cannot be answered.
    #[error("the question was not asked: {0}")]
    Unanswerable(String),
}

/// Runs a command of a script. `key` is the job's key. Without a key, or with an empty one, a person is at the
/// terminal. `find_channel` finds the channel for a question.
///
/// A question is asked again until the answer is valid. An empty answer gives the code of the default.
///
/// # Errors
/// Each error must end the helper with a status other than 0, so that a script under `set -e` stops.
pub fn run<'a>(
    command: &JobCommand,
    key: Option<&str>,
    streams: &mut Streams<'_>,
    find_channel: impl FnOnce() -> Result<Channel<'a>, JobScriptError>,
) -> Result<(), JobScriptError> {
    let key = key.filter(|key| !key.is_empty()).map(IoKey::from_text);
    let key = key.as_ref();
    let message = match command {
        JobCommand::Ask { sensitive, prompt } => {
            let prompt = Prompt { prompt: prompt.clone(), sensitive: *sensitive, kind: PromptKind::InputLine };
            return ask(&prompt, key, streams, find_channel()?);
        }
        JobCommand::Choose(choose) => return ask(&choose.prompt()?, key, streams, find_channel()?),
        JobCommand::Status { text } => match key {
            Some(key) => encode::status(key, Some(text.as_str()).filter(|text| !text.is_empty())),
            None => format!("{text}\n"),
        },
        JobCommand::Progress(progress) => match key {
            Some(key) => encode::progress(key, &progress.members()),
            None => format!("{}: {} of {}\n", progress.name, progress.done, progress.total),
        },
        JobCommand::Line { sensitive, text } if text == "-" => return copy_lines(*sensitive, key, streams),
        JobCommand::Line { sensitive, text } => line(text, *sensitive, key),
    };
    streams.say(&message)
}

fn line(text: &str, sensitive: bool, key: Option<&IoKey>) -> String {
    key.map_or_else(|| format!("{text}\n"), |key| encode::line(key, text, sensitive))
}

/// Writes each line of standard input to the log as soon as it comes.
fn copy_lines(sensitive: bool, key: Option<&IoKey>, streams: &mut Streams<'_>) -> Result<(), JobScriptError> {
    for text in BufReader::new(&mut *streams.input).split(b'\n') {
        let text = text.map_err(JobScriptError::Read)?;
        write(streams.messages, &line(&String::from_utf8_lossy(&text), sensitive, key), "standard error")?;
    }
    Ok(())
}

fn ask(
    prompt: &Prompt,
    key: Option<&IoKey>,
    streams: &mut Streams<'_>,
    channel: Channel<'_>,
) -> Result<(), JobScriptError> {
    let answer = match (channel, key) {
        (Channel::Supervisor(address), Some(key)) => channel::ask_supervisor(&address, key, prompt)?,
        (Channel::Supervisor(_), None) => return Err(JobScriptError::Gone),
        (Channel::Lines { mut input, shown: Some(mut shown) }, _) => ask_in_lines(prompt, key, &mut input, &mut shown)?,
        (Channel::Lines { mut input, shown: None }, _) => ask_in_lines(prompt, key, &mut input, streams.messages)?,
    };
    match &prompt.kind {
        PromptKind::Choices { default: Some(code), .. } if answer.is_empty() => streams.give(code),
        _ => streams.give(&answer),
    }
}

fn ask_in_lines(
    prompt: &Prompt,
    key: Option<&IoKey>,
    input: &mut dyn Read,
    shown: &mut dyn Write,
) -> Result<String, JobScriptError> {
    let mut say = |text: &str| write(shown, text, "standard error");
    loop {
        say(&key.map_or_else(|| prompt.render().join("\n"), |key| encode::interaction(key, prompt)))?;
        let answer = read_line(input)?;
        match prompt.check(&answer) {
            Ok(()) => return Ok(answer),
            Err(error) => say(&format!("{error}\n"))?,
        }
    }
}

/// The next line, without its newline. A line that is too long for an answer is cut just above the limit.
fn read_line(input: &mut dyn Read) -> Result<String, JobScriptError> {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        match input.read(&mut byte) {
            Ok(0) => return Err(JobScriptError::EndOfInput),
            Ok(_) if byte == *b"\n" => return Ok(String::from_utf8_lossy(&line).into_owned()),
            Ok(_) if line.len() <= MAX_ANSWER => line.push(byte[0]),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(JobScriptError::Read(error)),
        }
    }
}

impl Streams<'_> {
    /// Writes a message with one call, so that other processes cannot write into it.
    fn say(&mut self, message: &str) -> Result<(), JobScriptError> {
        write(self.messages, message, "standard error")
    }

    fn give(&mut self, answer: &str) -> Result<(), JobScriptError> {
        write(self.answer, &format!("{answer}\n"), "standard output")
    }
}

fn write(output: &mut dyn Write, text: &str, stream: &'static str) -> Result<(), JobScriptError> {
    let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    written.map_err(|source| JobScriptError::Write { stream, source })
}

impl Choose {
    fn prompt(&self) -> Result<Prompt, JobScriptError> {
        let mut choices = IndexMap::new();
        for (label, code) in &self.choices {
            if choices.insert(label.clone(), code.clone()).is_some() {
                return Err(JobScriptError::LabelTwice(label.clone()));
            }
        }
        if let Some(default) = &self.default
            && !choices.values().any(|code| code == default)
        {
            return Err(JobScriptError::UnknownDefault(default.clone()));
        }
        let kind = PromptKind::Choices { choices, default: self.default.clone() };
        if let Some(problem) = kind.unanswerable() {
            return Err(JobScriptError::Unanswerable(problem));
        }
        Ok(Prompt { prompt: self.prompt.clone(), sensitive: self.sensitive, kind })
    }
}

impl Progress {
    /// Scap sends the same members, so that people see the same for both.
    fn members(&self) -> Map<String, Value> {
        let percent = (u128::from(self.done) * 100).checked_div(u128::from(self.total)).unwrap_or(100);
        let members = [
            ("name", json!(self.name)),
            ("totalTasks", json!(self.total)),
            ("tasksInFlight", Value::Null),
            ("tasksFinishedOk", json!(self.done)),
            ("tasksFinishedFailed", json!(0)),
            ("tasksFinishedTotal", json!(self.done)),
            ("tasksPercentComplete", json!(u8::try_from(percent).unwrap_or(100).min(100))),
            ("tasksRemaining", json!(self.total.saturating_sub(self.done))),
            ("progressFinished", json!(self.done >= self.total)),
        ];
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

fn label_and_code(text: &str) -> Result<(String, String), String> {
    match text.rsplit_once('=') {
        Some((label, code)) if !label.is_empty() && !code.is_empty() && !code.contains(char::is_control) => {
            Ok((label.to_owned(), code.to_owned()))
        }
        _ => Err("write it as LABEL=CODE, for example “Roll back=r”".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(subcommand)]
        command: JobCommand,
    }

    struct Ran {
        result: Result<(), JobScriptError>,
        answer: String,
        messages: String,
        unread: String,
    }

    /// Questions are answered from the input that `line -` would read.
    fn run_with(key: Option<&str>, input: &str, arguments: &[&str]) -> Ran {
        let command = Cli::try_parse_from([&["job"], arguments].concat()).map(|cli| cli.command).unwrap();
        let (mut input, mut answer, mut messages) = (input.as_bytes(), Vec::new(), Vec::new());
        let mut lines = input;
        let mut streams = Streams { input: &mut lines, answer: &mut answer, messages: &mut messages };
        let result =
            run(&command, key, &mut streams, || Ok(Channel::Lines { input: Box::new(&mut input), shown: None }));
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { result, answer: text(answer), messages: text(messages), unread: text(input.to_vec()) }
    }

    const CHOOSE: [&str; 6] = ["choose", "Go on?", "--choice=Continue=c", "--choice=Roll back=r", "--default", "r"];

    #[test]
    fn the_commands_are_declared_soundly() {
        Cli::command().debug_assert();
        assert!(Cli::try_parse_from(["job", "choose", "Q", "--choice", "Yes"]).is_err());
        assert!(Cli::try_parse_from(["job", "choose", "Q"]).is_err());
    }

    #[test]
    fn in_a_job_the_question_is_a_message_and_only_the_answer_is_printed() {
        let ran = run_with(Some("0xkey"), "1.44\nnext\n", &["ask", "Version?"]);
        ran.result.unwrap();
        assert_eq!(ran.answer, "1.44\n");
        let message = r#"{"type":"interaction","subtype":"input_line","prompt":"Version?","iokey":"0xkey"}"#;
        assert_eq!(ran.messages, format!("{message}\n"));
        assert_eq!(ran.unread, "next\n");
    }

    #[test]
    fn at_a_terminal_a_wrong_choice_is_asked_again_and_an_empty_one_is_the_default() {
        let ran = run_with(None, "x\n\nnext\n", &CHOOSE);
        ran.result.unwrap();
        assert_eq!(ran.answer, "r\n");
        let question = "[c] Continue\n\u{1b}[1m[r] Roll back\u{1b}[0m\nGo on? (default: [r]): ";
        assert_eq!(ran.messages, format!("{question}“x” is not a choice; answer one of: c, r\n{question}"));
        assert_eq!(ran.unread, "next\n");
    }

    #[test]
    fn an_empty_key_is_none() {
        assert_eq!(run_with(Some(""), "", &["line", "--sensitive", "text"]).messages, "text\n");
    }

    #[test]
    fn half_an_answer_is_none() {
        assert!(matches!(run_with(None, "c", &CHOOSE).result, Err(JobScriptError::EndOfInput)));
        assert!(matches!(run_with(Some("0xkey"), "", &CHOOSE).result, Err(JobScriptError::EndOfInput)));
    }

    #[test]
    fn an_endless_line_is_no_answer_and_is_read_to_its_end() {
        let ran = run_with(None, &format!("{}\nfine\n", "x".repeat(100_000)), &["ask", "Q"]);
        assert_eq!(ran.answer, "fine\n");
        assert!(ran.messages.contains("at most 4000 bytes"));
    }

    #[test]
    fn choices_that_cannot_work_are_refused() {
        let twice = run_with(None, "", &["choose", "Q", "--choice=A=1", "--choice=A=2"]).result;
        assert!(matches!(twice, Err(JobScriptError::LabelTwice(label)) if label == "A"));
        let long = run_with(None, "", &["choose", "Q", &format!("--choice=A={}", "x".repeat(4_001))]).result;
        assert!(matches!(long, Err(JobScriptError::Unanswerable(_))));
        let unknown = run_with(None, "", &["choose", "Q", "--choice=A=1", "--default=2"]).result;
        assert!(matches!(unknown, Err(JobScriptError::UnknownDefault(code)) if code == "2"));
    }

    #[test]
    fn a_label_may_hold_an_equals_sign_and_a_code_may_not() {
        let ran = run_with(Some("0xkey"), "1\n", &["choose", "Q", "--choice", "a=b=1", "--choice", "c=2"]);
        ran.result.unwrap();
        assert!(ran.messages.contains(r#""choices":{"a=b":"1","c":"2"}"#), "{}", ran.messages);
        assert_eq!(ran.answer, "1\n");
    }

    #[test]
    fn a_text_may_begin_with_a_dash() {
        let job = |arguments: &[&str]| run_with(Some("0xkey"), "y\n", arguments).messages;
        assert!(job(&["line", "--- a/file"]).contains(r#""line":"--- a/file","sensitive":false"#));
        assert!(job(&["line", "--sensitive", "-n"]).contains(r#""line":"-n","sensitive":true"#));
        assert!(job(&["line", "--", "--sensitive"]).contains(r#""line":"--sensitive","sensitive":false"#));
        assert!(job(&["status", "-1 of 3"]).contains(r#""status":"-1 of 3""#));
        assert!(job(&["progress", "--sync", "1", "3"]).contains(r#""name":"--sync""#));
        assert!(job(&["ask", "-?"]).contains(r#""prompt":"-?""#));
        assert!(job(&["choose", "-?", "--choice=Yes=y"]).contains(r#""prompt":"-?""#));
    }

    #[test]
    fn lines_of_standard_input_are_a_message_each() {
        let job = |key, input| run_with(key, input, &["line", "--sensitive", "-"]).messages;
        let message = |line| format!(r#"{{"type":"line","line":"{line}","sensitive":true,"iokey":"0xkey"}}"#) + "\n";
        assert_eq!(job(Some("0xkey"), "one\n\nhalf"), [message("one"), message(""), message("half")].concat());
        assert_eq!(job(Some("0xkey"), ""), "");
        assert_eq!(job(None, "one\ntwo\n"), "one\ntwo\n");
    }

    #[test]
    fn a_question_may_be_sensitive() {
        let ask = run_with(Some("0xkey"), "y\n", &["ask", "--sensitive", "Password?"]).messages;
        let expected =
            r#"{"type":"interaction","subtype":"input_line","prompt":"Password?","sensitive":true,"iokey":"0xkey"}"#;
        assert_eq!(ask, format!("{expected}\n"));
        let choose = run_with(Some("0xkey"), "y\n", &["choose", "Q", "--sensitive", "--choice=Yes=y"]).messages;
        assert!(choose.contains(r#""sensitive":true"#), "{choose}");
    }

    #[test]
    fn status_line_and_progress_are_messages_or_plain_text() {
        let job = |arguments: &[&str]| run_with(Some("0xkey"), "", arguments).messages;
        assert_eq!(job(&["status", ""]), "{\"type\":\"status\",\"status\":null,\"iokey\":\"0xkey\"}\n");
        assert!(job(&["line", "--sensitive", "s"]).contains(r#""line":"s","sensitive":true"#));
        let progress = job(&["progress", "sync", "1", "3"]);
        assert!(progress.contains(r#""tasksPercentComplete":33,"tasksRemaining":2,"progressFinished":false"#));
        assert!(job(&["progress", "sync", "0", "0"]).contains(r#""tasksPercentComplete":100"#));
        assert_eq!(run_with(None, "", &["progress", "sync", "1", "3"]).messages, "sync: 1 of 3\n");
    }

    #[test]
    fn a_stream_that_cannot_be_written_is_an_error() {
        let (mut input, mut full) = (io::empty(), &mut [0_u8; 2][..]);
        let mut answer = Vec::new();
        let mut streams = Streams { input: &mut input, answer: &mut answer, messages: &mut full };
        let command = JobCommand::Status { text: "text".to_owned() };
        let error = run(&command, None, &mut streams, || Err(JobScriptError::Gone)).unwrap_err();
        assert!(error.to_string().starts_with("cannot write to standard error: "));
    }
}
