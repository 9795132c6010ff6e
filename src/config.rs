//! The configuration: one TOML file. Both binaries read it, at their start only.
//!
//! Every key has a default, except for the job types. Unknown keys, values of the wrong type and values that cannot
//! work are errors. Each error names the file and the line. So a daemon with a mistyped file never starts.
//!
//! Each section has a file with its name. `node.rs` tracks names and places while the file is read. `units.rs` parses
//! single values. `template.rs` builds commands. `value.rs` checks the values of parameters. `gerrit.rs` finds the
//! change that a text names.
//!
//! ```
//! use std::path::Path;
//! use spiderpig::config::Config;
//!
//! let text = "[job_types.hello]\ncommand = ['echo', 'hello']";
//! let config = Config::parse(Path::new("spiderpig.toml"), text)?;
//! assert_eq!(config.spool, Path::new("/var/spool/spiderpig"));
//! assert_eq!(config.lane_concurrency("default"), 1);
//! # Ok::<(), spiderpig::config::ConfigError>(())
//! ```

mod api;
mod auth;
mod env_file;
mod error;
mod gerrit;
mod job_type;
mod names;
mod node;
mod outcome;
mod param;
mod runner;
mod template;
mod units;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use toml::de::DeTable;

pub use self::api::{ApiConfig, ClientAddress, Listen, ListenError, LogFormat};
pub use self::auth::{AuthConfig, AuthMode, OpenToAll};
pub use self::env_file::{EnvFileError, read_env_file};
pub use self::error::{ConfigError, ParamError};
pub use self::gerrit::{GerritConfig, GerritUrl};
pub use self::job_type::{CommandLine, JobType, Leftovers};
pub use self::param::{Param, ParamKind, Pattern};
pub use self::runner::RunnerConfig;
pub use self::value::MASK;

use crate::digest;

use self::error::Fault;
use self::node::{Node, Section};

/// The configuration file if neither the command line nor the environment names one.
pub const DEFAULT_PATH: &str = "/etc/spiderpig/spiderpig.toml";

/// The configuration file to read: the one in `--config`, else the one in `SPIDERPIG_CONFIG`, else [`DEFAULT_PATH`].
///
/// An empty environment value counts as unset.
#[must_use]
pub fn choose_path(flag: Option<PathBuf>, environment: Option<OsString>) -> PathBuf {
    flag.or_else(|| environment.filter(|value| !value.is_empty()).map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from(DEFAULT_PATH))
}

/// A whole configuration file after its check.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file that it was read from.
    pub path: PathBuf,
    /// SHA-256 of the file's bytes in hexadecimal. Daemons with the same hash agree on every job type.
    pub hash: String,
    /// SHA-256 of the settings that the runner and the API must agree on: the spool, the settings of the runner, lanes,
    /// Gerrit and job types. The layout of the file and the address of the API do not count.
    pub shared_hash: String,
    /// The spool directory, absolute.
    pub spool: PathBuf,
    /// The address of the API, and the place of its own state.
    pub api: ApiConfig,
    /// Who may sign in, and how.
    pub auth: AuthConfig,
    /// How the runner behaves.
    pub runner: RunnerConfig,
    /// The declared lanes. A lane that only a job type names is not in this map: see [`Config::lane_concurrency`].
    pub lanes: BTreeMap<String, LaneConfig>,
    /// The Gerrit in which changes are looked up.
    pub gerrit: GerritConfig,
    /// The Phorge to which task numbers link.
    pub phorge: PhorgeConfig,
    /// The job types, in the order of the file.
    pub job_types: IndexMap<String, JobType>,
}

/// One declared lane: a queue of jobs that wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneConfig {
    /// How many jobs of this lane run at once, at least 1.
    pub concurrency: u32,
}

/// The Phorge to which task numbers link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhorgeConfig {
    /// Its address, without a final slash, so that `/T123` can be appended.
    pub url: String,
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Read`] if the file cannot be read. [`ConfigError::Invalid`] for the first mistake in it.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let bytes = std::fs::read(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        match str::from_utf8(&bytes) {
            Ok(text) => Self::parse(path, text),
            Err(error) => Err(ConfigError::Invalid {
                path: path.to_owned(),
                line: line_of(&bytes, error.valid_up_to()),
                message: "not UTF-8 text; save the file as UTF-8".to_owned(),
            }),
        }
    }

    /// Checks the text of a file. Errors name `path`; the file itself is not read.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] for the first mistake in the text.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        Self::read(path, text).map_err(|fault| ConfigError::Invalid {
            path: path.to_owned(),
            line: line_of(text.as_bytes(), fault.offset),
            message: fault.message,
        })
    }

    fn read(path: &Path, text: &str) -> Result<Self, Fault> {
        let document = DeTable::parse(text).map_err(|error| Fault::from_toml(&error, text))?;
        let known = &["spool", "api", "auth", "runner", "lanes", "gerrit", "phorge", "job_types"];
        let root = Section::document(&document, known)?;
        let api = ApiConfig::read(&root.section("api", api::KEYS)?)?;
        let gerrit = GerritConfig::read(&root.section("gerrit", gerrit::KEYS)?)?;
        let mut config = Self {
            path: path.to_owned(),
            hash: digest::sha256(text),
            shared_hash: String::new(),
            spool: root.read("spool", units::absolute_path)?.unwrap_or_else(|| "/var/spool/spiderpig".into()),
            auth: AuthConfig::read(&root.section("auth", auth::KEYS)?, &api.listen)?,
            api,
            runner: RunnerConfig::read(&root.section("runner", runner::KEYS)?)?,
            lanes: root
                .entries("lanes")?
                .into_iter()
                .map(|(name, node)| lane(name, &node))
                .collect::<Result<_, _>>()?,
            phorge: phorge(&root.section("phorge", &["url"])?)?,
            job_types: root
                .entries("job_types")?
                .into_iter()
                .map(|(name, node)| Ok((name.to_owned(), JobType::read(name, &node, &gerrit)?)))
                .collect::<Result<_, _>>()?,
            gerrit,
        };
        config.shared_hash = config.hash_shared();
        Ok(config)
    }

    /// Hashes the debug output of the shared settings, which differs whenever the settings differ.
    fn hash_shared(&self) -> String {
        let Self { spool, runner, lanes, job_types, gerrit, .. } = self;
        digest::sha256(format!("{:?}", (spool, runner, lanes, job_types, &gerrit.url)))
    }

    /// The job type of this name, if it is declared.
    #[must_use]
    pub fn job_type(&self, name: &str) -> Option<&JobType> {
        self.job_types.get(name)
    }

    /// How many jobs of a lane run at once; a lane that is not declared has 1.
    #[must_use]
    pub fn lane_concurrency(&self, lane: &str) -> u32 {
        self.lanes.get(lane).map_or(1, |lane| lane.concurrency)
    }

    /// All lanes that the file declares or a job type names, sorted.
    #[must_use]
    pub fn lane_names(&self) -> BTreeSet<&str> {
        let declared = self.lanes.keys();
        let used = self.job_types.values().map(|job_type| &job_type.lane);
        declared.chain(used).map(String::as_str).collect()
    }
}

fn lane(name: &str, node: &Node) -> Result<(String, LaneConfig), Fault> {
    names::check_name("lane", name).map_err(|problem| node.fault_about(problem))?;
    let section = node.section(&["concurrency"])?;
    let concurrency = section.read("concurrency", units::at_least_one)?.unwrap_or(1);
    Ok((name.to_owned(), LaneConfig { concurrency }))
}

fn phorge(section: &Section) -> Result<PhorgeConfig, Fault> {
    let url = section.read("url", units::http_url)?;
    Ok(PhorgeConfig { url: url.unwrap_or_else(|| "https://phabricator.wikimedia.org".to_owned()) })
}

/// The line, counted from 1, that holds the byte at `offset`.
fn line_of(text: &[u8], offset: usize) -> usize {
    1 + text.iter().take(offset).filter(|&&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests;
