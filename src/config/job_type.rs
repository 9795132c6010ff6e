//! `[job_types.NAME]`: a job type, with the rules that build its command.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use super::error::{Fault, ParamError};
use super::gerrit::GerritConfig;
use super::names;
use super::names::quoted;
use super::node::{Node, Section};
use super::outcome;
use super::param::Param;
use super::template::{Template, Values, texts};
use super::units;
use super::value::{MASK, Texts};
use crate::spool::outcome::OutcomeRule;

const KEYS: &[&str] = &[
    "title",
    "help",
    "command",
    "lane",
    "groups",
    "time_limit",
    "quiet_after",
    "outcomes",
    "retry",
    "env",
    "working_directory",
    "env_file",
    "max_log",
    "leftovers",
    "umask",
    "params",
];

/// The longest single argument that Linux accepts, in bytes, without its final NUL.
const MAX_ARGUMENT: usize = 128 * 1024 - 1;

/// The largest argument vector, in bytes, with a NUL and a pointer for each argument. It is half of the default limit
/// of Linux, because the environment needs room too.
const MAX_COMMAND: usize = 1024 * 1024;

/// The maximum number of problems in one list.
const MAX_PROBLEMS: usize = 100;

/// A job type: a declared kind of job.
#[derive(Debug, Clone)]
pub struct JobType {
    /// Its name in files and addresses: letters, digits, `_` and `-`.
    pub name: String,
    /// The title for people. It is the name if the file has none.
    pub title: String,
    /// An explanation for people.
    pub help: Option<String>,
    /// The lane in which its jobs wait.
    pub lane: String,
    /// The groups whose members may start it. Empty: every user may.
    pub groups: Vec<String>,
    /// The runner stops a job after this time.
    pub time_limit: Option<Duration>,
    /// After this time without output, people see a warning.
    pub quiet_after: Option<Duration>,
    /// The rules that determine the outcome of a job. The first match decides.
    pub outcomes: Vec<OutcomeRule>,
    /// Whether a finished job may be started again from its page.
    pub retry: bool,
    /// Variables that are added to the environment of the job.
    pub env: BTreeMap<String, String>,
    /// The working directory of the command, absolute.
    pub working_directory: PathBuf,
    /// A file with more variables, for [`read_env_file`](super::read_env_file); absolute.
    pub env_file: Option<PathBuf>,
    /// The maximum size in bytes of `log.jsonl` and `output.log` together. Beyond it, only messages and the end are
    /// stored.
    pub max_log: u64,
    /// What the runner does with processes that outlive the command.
    pub leftovers: Leftovers,
    /// The file mode bits to remove from files that the job makes.
    pub umask: u32,
    /// Its parameters, in the order of the file.
    pub params: Vec<Param>,
    command: Template,
}

/// What the runner does with processes that outlive the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leftovers {
    /// It stops them, and holds the lane until they have ended.
    Stop,
    /// It lets them run.
    Leave,
}

/// A command that is ready to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// The argument vector for the kernel. Never shown to people.
    pub arguments: Vec<String>,
    /// The same arguments for people, with sensitive values as [`MASK`].
    pub shown: Vec<String>,
}

impl JobType {
    pub(super) fn read(name: &str, node: &Node, gerrit: &GerritConfig) -> Result<Self, Fault> {
        names::check_name("job type", name).map_err(|problem| node.fault_about(problem))?;
        let section = node.section(KEYS)?;
        let params = params(&section, gerrit)?;
        let command = section
            .get("command")
            .ok_or_else(|| section.fault("has no `command`, such as [\"scap\", \"backport\"]"))?;
        let command = Template::read(&command, &params)?;
        let time_limit = section.read("time_limit", units::time_limit)?;
        let outcomes = section.read("outcomes", outcome::rules)?;
        Ok(Self {
            name: name.to_owned(),
            title: section.read("title", units::name)?.unwrap_or_else(|| name.to_owned()),
            help: section.read("help", units::optional_name)?.flatten(),
            lane: section.read("lane", lane)?.unwrap_or_else(|| "default".to_owned()),
            groups: section.read("groups", units::names)?.unwrap_or_default(),
            quiet_after: section.read("quiet_after", |node| quiet_after(node, time_limit))?,
            time_limit,
            outcomes: outcomes.unwrap_or_else(|| outcome::default_rules(command.program())),
            retry: section.read("retry", Node::boolean)?.unwrap_or(true),
            env: section.entries("env")?.into_iter().map(variable).collect::<Result<_, _>>()?,
            working_directory: section.read("working_directory", units::absolute_path)?.unwrap_or_else(|| "/".into()),
            env_file: section.read("env_file", units::optional_path)?.flatten(),
            max_log: section.read("max_log", units::size)?.unwrap_or(2 << 30),
            leftovers: section.read("leftovers", leftovers)?.unwrap_or(Leftovers::Stop),
            umask: section.read("umask", units::umask)?.unwrap_or(0o022),
            command,
            params,
        })
    }

    /// The program to run: a path, or a name that is looked up in `PATH`.
    #[must_use]
    pub fn program(&self) -> &str {
        self.command.program()
    }

    /// The parameter with this name, if it is declared.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|param| param.name == name)
    }

    /// Checks the parameters of a job, fills in defaults, and builds the command.
    ///
    /// `null` means that the parameter is absent. Values never put control characters into an argument. Without
    /// `allow_dash`, a value never makes an argument begin with `-`.
    ///
    /// # Errors
    ///
    /// [`ParamError`] for the first parameter that is unknown, is missing or breaks its rules, or that makes the
    /// command longer than Linux accepts.
    pub fn render(&self, params: &Map<String, Value>) -> Result<CommandLine, ParamError> {
        self.refuse_unknown(params)?;
        let mut values = Values::new();
        for param in &self.params {
            values.insert(&param.name, param.accept(params.get(&param.name))?);
        }
        self.refuse_separators(&values)?;
        let arguments = self.command.render(&values);
        self.refuse_too_long(&arguments, &values, params)?;
        for param in self.params.iter().filter(|param| param.sensitive) {
            values.entry(&param.name).and_modify(mask);
        }
        Ok(CommandLine { arguments, shown: self.command.render(&values) })
    }

    /// Lists the problems of a job's parameters: every unknown name and every broken rule, up to [`MAX_PROBLEMS`]. If
    /// there are none, lists the first problem of the parameters together. Empty if [`render`](Self::render) accepts
    /// them.
    #[must_use]
    pub fn problems(&self, params: &Map<String, Value>) -> Vec<ParamError> {
        let unknown = params.iter().filter(|(name, _)| self.param(name).is_none());
        let unknown = unknown.map(|(name, value)| self.unknown(name, value));
        let broken = self.params.iter().filter_map(|param| param.accept(params.get(&param.name)).err());
        let mut problems: Vec<_> = unknown.chain(broken).take(MAX_PROBLEMS).collect();
        if problems.is_empty() {
            problems.extend(self.render(params).err());
        }
        problems
    }

    /// The changes in Gerrit that these parameters name, as they were typed. Sensitive values and values that break
    /// their rules are left out.
    #[must_use]
    pub fn changes(&self, params: &Map<String, Value>) -> Vec<String> {
        let named = self.params.iter().filter(|param| !param.sensitive && param.kind.is_change());
        named.filter_map(|param| param.accept(params.get(&param.name)).ok()?).flatten().collect()
    }

    /// The parameters of a job for people. Sensitive values and the values of unknown parameters become [`MASK`].
    #[must_use]
    pub fn masked_params(&self, params: &Map<String, Value>) -> Map<String, Value> {
        params.iter().map(|(name, value)| (name.clone(), self.shown(name, value))).collect()
    }

    /// An unknown name may be a typing mistake, and its value a secret.
    fn shown(&self, name: &str, value: &Value) -> Value {
        self.param(name).map_or_else(|| Value::from(MASK), |param| param.shown(value))
    }

    fn refuse_unknown(&self, params: &Map<String, Value>) -> Result<(), ParamError> {
        match params.iter().find(|(name, _)| self.param(name).is_none()) {
            Some((name, value)) => Err(self.unknown(name, value)),
            None => Ok(()),
        }
    }

    fn unknown(&self, name: &str, value: &Value) -> ParamError {
        let known = names::suggestion(name, self.params.iter().map(|param| param.name.as_str()));
        ParamError {
            param: name.to_owned(),
            message: format!("job type `{}` has no parameter {}; {known}", self.name, quoted(name)),
            input: self.shown(name, value),
        }
    }

    /// If a value contains the separator, the command reads it as two values, and neither was checked.
    fn refuse_separators(&self, values: &Values) -> Result<(), ParamError> {
        for (name, separator) in self.command.joins() {
            let holds = |text: &&String| text.contains(separator);
            if let (Some(param), Some(text)) =
                (self.param(name), texts(values, name).iter().copied().flatten().find(holds))
            {
                let problem =
                    format!("has a value with {} in its list, but the values are joined with it", quoted(separator));
                return Err(param.refuse(&Value::from(text.as_str()), &problem));
            }
        }
        Ok(())
    }

    fn refuse_too_long(
        &self,
        arguments: &[String],
        values: &Values,
        params: &Map<String, Value>,
    ) -> Result<(), ParamError> {
        let longest = arguments.iter().map(String::len).max();
        if longest <= Some(MAX_ARGUMENT) && cost(arguments) <= MAX_COMMAND {
            return Ok(());
        }
        let size = |param: &&Param| values.get(param.name.as_str()).and_then(Option::as_deref).map_or(0, cost);
        match self.params.iter().max_by_key(size) {
            Some(largest) if size(&largest) > 0 => {
                let given = params.get(&largest.name).unwrap_or(&Value::Null);
                Err(largest.refuse(given, "makes the command too long to be executed; give fewer or shorter values"))
            }
            // The literals alone are too long, whatever the values are. The kernel's message goes into the job's log.
            _ => Ok(()),
        }
    }
}

/// The memory that the kernel needs for these arguments, in bytes.
fn cost(arguments: &[String]) -> usize {
    arguments.iter().map(|argument| argument.len() + 1 + size_of::<usize>()).sum()
}

fn mask(texts: &mut Texts) {
    texts.iter_mut().flatten().for_each(|text| MASK.clone_into(text));
}

fn params(section: &Section, gerrit: &GerritConfig) -> Result<Vec<Param>, Fault> {
    let mut params: Vec<Param> = Vec::new();
    for node in section.read("params", Node::items)?.unwrap_or_default() {
        let param = Param::read(&node, gerrit)?;
        if params.iter().any(|other| other.name == param.name) {
            return Err(node.fault(format!("declares `{}` a second time; rename or remove one", param.name)));
        }
        params.push(param);
    }
    Ok(params)
}

fn quiet_after(node: &Node, time_limit: Option<Duration>) -> Result<Duration, Fault> {
    let quiet_after = units::duration(node)?;
    if quiet_after.is_zero() {
        return Err(node.fault("must be more than 0; leave it out for no warning"));
    }
    if time_limit.is_some_and(|limit| quiet_after >= limit) {
        return Err(node.fault("must be less than `time_limit`, as the job ends then"));
    }
    Ok(quiet_after)
}

fn lane(node: &Node) -> Result<String, Fault> {
    let name = node.text("a string")?;
    names::check_name("lane", name).map_err(|problem| node.fault_about(problem))?;
    Ok(name.to_owned())
}

fn variable((name, node): (&str, Node)) -> Result<(String, String), Fault> {
    names::check_variable(name)
        .map_err(|problem| node.fault_about(format!("the environment variable {} {problem}", quoted(name))))?;
    let value = node.text("a string")?;
    if value.contains('\0') {
        return Err(node.fault("must not contain NUL"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn leftovers(node: &Node) -> Result<Leftovers, Fault> {
    match node.text("a string")? {
        "stop" => Ok(Leftovers::Stop),
        "leave" => Ok(Leftovers::Leave),
        _ => Err(node.fault("must be \"stop\" or \"leave\"")),
    }
}
