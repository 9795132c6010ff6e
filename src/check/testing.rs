//! A spool to break, and what the check says of it.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::config::{AuthMode, Config};
use crate::spool::job::LockedJob;
use crate::spool::lock::RunnerLock;
use crate::spool::plan::Plan;
use crate::spool::status::Status;
use crate::spool::{JobId, Spool, atomic, sequence};

use super::shape::Owner;
use super::{Account, Finding, Options, check, check_access};

/// Whether the tests run as root. Only root gives files away, so tests that need a second account pass without it.
pub(super) fn is_root() -> bool {
    Account::current().is_root()
}

/// A spool in order, with a configuration that fits.
pub(super) struct Scene {
    /// Removed when dropped.
    _directories: [tempfile::TempDir; 2],
    pub(super) spool: Spool,
    pub(super) config: Config,
    /// The account and the group that it had at first.
    owner: String,
}

const CONFIG: &str = "[runner]\ntrusted_submitters = []\n[job_types.hello]\ncommand = ['sh', '-c', 'echo hello']\n";

impl Scene {
    pub(super) fn new() -> Self {
        let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [directory, state] = directories.each_ref().map(tempfile::TempDir::path);
        atomic::set_mode(directory, 0o755).unwrap();
        atomic::set_mode(state, 0o755).unwrap();
        let spool = Spool::lay_out(&directory.join("spool")).unwrap();
        let runner = RunnerLock::take(&spool).unwrap();
        sequence::repair(&spool, &runner, 7, 0).unwrap();
        let [state_directory, users_file] = ["api", "users.toml"].map(|name| state.join(name));
        let owner = Owner::of(&spool.root().metadata().unwrap()).to_string();
        let mut scene = Self { _directories: directories, spool, config: parse(CONFIG), owner };
        scene.config.spool = scene.spool.root().to_owned();
        scene.config.api.state_directory = state_directory;
        scene.config.auth.users_file = users_file;
        scene
    }

    /// Another configuration for the same spool.
    pub(super) fn with_config(mut self, text: &str) -> Self {
        let Config { spool, api, auth, .. } = self.config;
        self.config = Config { spool, api, ..parse(text) };
        self.config.auth.users_file = auth.users_file;
        self
    }

    /// Claims a job, as the runner does it.
    pub(super) fn with_job(self, number: u64) -> Self {
        let id = JobId::try_from(number).unwrap();
        let runner = RunnerLock::take(&self.spool).unwrap();
        let plan: Plan = serde_json::from_value(json!({
            "version": 1, "id": id, "user": "alice", "arguments": ["true"], "environment": {}, "marker": "m",
            "working_directory": "/", "umask": 18, "stop_grace_ms": 0, "max_log": 0, "stop_leftovers": true,
            "lane": "default", "slot": 1, "trusted_submitters": [], "shown_params": {}, "watch": true, "rescan_ms": 0
        }))
        .unwrap();
        let status: Status = serde_json::from_value(json!({
            "version": 1, "id": id, "type": "hello", "user": "alice", "lane": "default", "state": "starting",
            "queued_at": "2026-01-01T00:00:00.000Z", "command": ["true"], "log_records": 0, "dropped_bytes": 0
        }))
        .unwrap();
        LockedJob::claim(&self.spool, &runner, b"{}", &plan, &status).unwrap();
        self
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.spool.root().join(name)
    }

    /// What `check` says, path and owner of the spool replaced. What depends on the machine's filesystem is left out.
    pub(super) fn findings(&self) -> String {
        let options = Options { search_path: "/usr/bin:/bin", any_filesystem: true };
        self.show(&check(&self.config, options))
    }

    /// What `check_access` says to an account whose state directory is in order. Who signs in is checked elsewhere.
    pub(super) fn access(&self, account: &Account) -> String {
        let state = &self.config.api.state_directory;
        if !state.exists() {
            atomic::create_directory(state, 0o700).unwrap();
            std::os::unix::fs::chown(state, Some(account.uid()), None).unwrap();
        }
        let mut config = self.config.clone();
        config.auth.mode = AuthMode::None;
        self.show(&check_access(&config, account))
    }

    fn show(&self, findings: &[Finding]) -> String {
        let root = self.spool.root().display().to_string();
        let parent = self.spool.root().parent().unwrap().display().to_string();
        let machine = |text: &String| text.contains(": has only ") || text.starts_with("fs.inotify.");
        let texts: Vec<String> = findings.iter().map(ToString::to_string).filter(|text| !machine(text)).collect();
        texts.join("\n").replace(&root, "SPOOL").replace(&parent, "PARENT").replace(&self.owner, "OWNER:GROUP")
    }
}

fn parse(text: &str) -> Config {
    Config::parse(Path::new("/etc/spiderpig/spiderpig.toml"), text).unwrap()
}
