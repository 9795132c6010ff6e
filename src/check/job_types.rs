//! The job types: whether the runner's account can use the programs, directories and files that they name.

use std::path::{Path, PathBuf};

use crate::config::{Config, EnvFileError, JobType, read_env_file};

use super::account::{Account, EXECUTE, READ};
use super::finding::{Finding, Findings};
use super::shell::quote;
use super::writable::Writable;

/// Checks every job type, and that every declared lane has one.
pub(super) fn check(
    config: &Config,
    search_path: &str,
    runner: &Account,
    writable: &mut Writable,
    findings: &mut Findings,
) {
    let file = quote(&config.path);
    for job_type in config.job_types.values() {
        let mut checker = Checker { job_type, runner, file: &file, writable, findings };
        checker.check_working_directory();
        let own_path = checker.check_env_file().or_else(|| job_type.env.get("PATH").cloned());
        checker.check_program(own_path.as_deref().unwrap_or(search_path));
    }
    for lane in config.lanes.keys() {
        if !config.job_types.values().any(|job_type| job_type.lane == *lane) {
            findings.add(Finding::new(
                format!("lanes.{lane}"),
                "no job type uses this lane",
                format!("remove it from {file}, or give a job type the line: lane = \"{lane}\""),
            ));
        }
    }
}

struct Checker<'a> {
    job_type: &'a JobType,
    /// The account that starts the job.
    runner: &'a Account,
    /// The configuration file, quoted.
    file: &'a str,
    writable: &'a mut Writable,
    findings: &'a mut Findings,
}

impl Checker<'_> {
    fn find(&mut self, key: &str, problem: impl Into<String>, fix: impl Into<String>) {
        let subject = format!("job_types.{}.{key}", self.job_type.name);
        self.findings.add(Finding::new(subject, problem, fix));
    }

    fn check_working_directory(&mut self) {
        let path = &self.job_type.working_directory;
        let quoted = quote(path);
        match self.runner.obstacle(path, EXECUTE) {
            Err(error) => self.find(
                "working_directory",
                format!("{quoted} cannot be used: {error}"),
                format!("mkdir -p {quoted}, or name another directory in {}", self.file),
            ),
            Ok(_) if !path.is_dir() => self.find(
                "working_directory",
                format!("{quoted} is not a directory"),
                format!("name a directory in {}", self.file),
            ),
            Ok(Some(obstacle)) => self.find_obstacle("working_directory", path, &obstacle),
            Ok(None) => {}
        }
    }

    /// Checks the file with the rules of the claim. Returns the `PATH` that it sets.
    fn check_env_file(&mut self) -> Option<String> {
        let path = self.job_type.env_file.as_ref()?;
        // Reading the file, below, checks its mode.
        self.writable.check_way(path, &format!("the env_file of {}", self.job_type.name), self.findings);
        let quoted = quote(path);
        let own = format!("chown {} {quoted} && chmod 600 {quoted}", quote(self.runner.name()));
        match read_env_file(path) {
            Ok(mut variables) => {
                match self.runner.obstacle(path, READ) {
                    Ok(Some(obstacle)) if path.canonicalize().is_ok_and(|path| path == obstacle) => {
                        let problem = format!("{quoted} cannot be read by the runner's account {}", self.runner.name());
                        self.find("env_file", problem, own);
                    }
                    Ok(Some(obstacle)) => self.find_obstacle("env_file", path, &obstacle),
                    Ok(None) | Err(_) => {}
                }
                return variables.remove("PATH");
            }
            Err(EnvFileError::Read { source, .. }) => {
                let fix = format!("write it and make it private: {own}; or name another file in {}", self.file);
                self.find("env_file", format!("{quoted} cannot be read: {source}"), fix);
            }
            Err(EnvFileError::NotAFile { .. }) => {
                let fix = format!("name a regular file in {}", self.file);
                self.find("env_file", format!("{quoted} is not a regular file"), fix);
            }
            Err(EnvFileError::Exposed { mode, .. }) => {
                let problem = format!("{quoted} is open to group or others (mode {mode:04o})");
                self.find("env_file", problem, format!("chmod 600 {quoted}"));
            }
            Err(EnvFileError::TooLarge { .. }) => {
                let fix = format!("name a smaller file in {}", self.file);
                self.find("env_file", format!("{quoted} is larger than 1 MiB"), fix);
            }
            Err(EnvFileError::Line { line, problem, .. }) => {
                let problem = format!("line {line} of {quoted}: {problem}");
                self.find("env_file", problem, format!("\"${{EDITOR:-vi}}\" +{line} {quoted}"));
            }
        }
        None
    }

    /// Looks for the program as execve will: a path from the working directory, a name in `PATH`.
    fn check_program(&mut self, search_path: &str) {
        let directory = &self.job_type.working_directory;
        let program = self.job_type.program();
        let is_path = program.contains('/');
        let candidates: Vec<PathBuf> = if is_path {
            vec![directory.join(program)]
        } else {
            search_path.split(':').map(|entry| directory.join(entry).join(program)).collect()
        };
        let mut refused = None;
        let what = format!("the program of the job type {}", self.job_type.name);
        for path in &candidates {
            // Somebody may put a program of this name into a directory that is searched earlier.
            self.writable.check_way(path, &what, self.findings);
            if !path.is_file() {
                continue;
            }
            match self.runner.obstacle(path, EXECUTE) {
                Ok(None) => return self.writable.check_file(path, &what, self.findings),
                Ok(Some(obstacle)) => refused = refused.or(Some((path, obstacle))),
                Err(_) => {}
            }
        }
        let named = quote(program);
        match refused {
            Some((path, obstacle)) => self.find_obstacle("command", path, &obstacle),
            None if is_path => self.find(
                "command",
                format!("there is no program {}", quote(directory.join(program))),
                format!("install it, or correct the path in {}", self.file),
            ),
            None => self.find(
                "command",
                format!("there is no program {named} in {search_path}"),
                format!("install it, or write its full path into {}", self.file),
            ),
        }
    }

    fn find_obstacle(&mut self, key: &str, path: &Path, obstacle: &Path) {
        let (path, obstacle, account) = (quote(path), quote(obstacle), self.runner.name());
        let problem = if path == obstacle {
            format!("{path} cannot be used by the runner's account {account}")
        } else {
            format!("{path} cannot be used by the runner's account {account}, because of {obstacle}")
        };
        self.find(key, problem, format!("chmod o+x {obstacle}, or make {account} a member of its group"));
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests damage files by hand")]
mod tests {
    use crate::check::testing::{Scene, is_root};
    use crate::spool::atomic::{create_file, set_mode};

    use super::*;

    const FILE: &str = "/etc/spiderpig/spiderpig.toml";

    /// What is found in one job type, as root sees it.
    fn findings(settings: &str) -> String {
        let text = format!("[runner]\ntrusted_submitters = []\n[job_types.x]\n{settings}");
        Scene::new().with_config(&text).findings()
    }

    #[test]
    fn a_program_is_looked_for_as_execve_does_it() {
        for found in ["command = ['sh']", "command = ['/bin/sh']", "command = ['bin/sh']"] {
            assert_eq!(findings(found), "");
        }
        for found in
            ["command = ['sh']\nenv = { PATH = '/nowhere:/bin' }", "command = ['./sh']\nworking_directory = '/bin'"]
        {
            assert_eq!(findings(found), "");
        }
        assert_eq!(
            findings("command = ['scap 2']"),
            format!(
                "job_types.x.command: there is no program 'scap 2' in /usr/bin:/bin\n  \
                 fix: install it, or write its full path into {FILE}"
            )
        );
        assert_eq!(
            findings("command = ['./sh']"),
            format!("job_types.x.command: there is no program /./sh\n  fix: install it, or correct the path in {FILE}")
        );
        assert_eq!(
            findings("command = ['/etc/passwd']"),
            format!(
                "job_types.x.command: /etc/passwd cannot be used by the runner's account {0}\n  \
                 fix: chmod o+x /etc/passwd, or make {0} a member of its group",
                Account::current().name()
            )
        );
    }

    #[test]
    fn directories_and_lanes_are_checked() {
        assert_eq!(
            findings("command = ['sh']\nworking_directory = '/no where'\n[lanes.spare]\nconcurrency = 2"),
            format!(
                "job_types.x.working_directory: '/no where' cannot be used: No such file or directory (os error 2)\n  \
                 fix: mkdir -p '/no where', or name another directory in {FILE}\n\
                 lanes.spare: no job type uses this lane\n  \
                 fix: remove it from {FILE}, or give a job type the line: lane = \"spare\""
            )
        );
        assert!(findings("command = ['sh']\nworking_directory = '/etc/passwd'").contains("is not a directory"));
    }

    #[test]
    fn an_environment_file_is_read_by_the_rules_of_the_claim() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("env");
        let of_file = || {
            let text = findings(&format!("command = ['sh']\nenv_file = '{}'", path.display()));
            text.replace(path.to_str().unwrap(), "ENV").replace("job_types.x.env_file: ", "")
        };
        assert_eq!(
            of_file(),
            format!(
                "ENV cannot be read: No such file or directory (os error 2)\n  fix: write it and make it private: \
                 chown {} ENV && chmod 600 ENV; or name another file in {FILE}",
                Account::current().name()
            )
        );
        create_file(&path, b"TOKEN=1\nsecret\n", 0o640).unwrap();
        assert_eq!(of_file(), "ENV is open to group or others (mode 0640)\n  fix: chmod 600 ENV");
        set_mode(&path, 0o600).unwrap();
        assert_eq!(of_file(), "line 2 of ENV: not a line of the form NAME=value\n  fix: \"${EDITOR:-vi}\" +2 ENV");
        std::fs::write(&path, "PATH=/nowhere\n").unwrap();
        assert!(of_file().starts_with("job_types.x.command: there is no program sh in /nowhere\n"));
    }

    #[test]
    fn what_the_runner_may_not_use_is_named_with_what_is_in_the_way() {
        if !is_root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        set_mode(directory.path(), 0o700).unwrap();
        let path = directory.path().join("env");
        create_file(&path, b"", 0o600).unwrap();
        let settings =
            format!("command = ['sh']\nworking_directory = '{0}'\nenv_file = '{0}/env'", directory.path().display());
        let config = Config::parse(Path::new(FILE), &format!("[job_types.x]\n{settings}")).unwrap();
        let nobody = Account::of(uzers::get_user_by_name("nobody").unwrap().uid());
        let look = |account: &Account| {
            let mut found = Findings::default();
            check(&config, "/bin", account, &mut Writable::by_others_than(&[]), &mut found);
            let texts: Vec<String> = found.into_vec().iter().map(ToString::to_string).collect();
            texts.join("\n").replace(directory.path().to_str().unwrap(), "DIR")
        };
        let fix = "\n  fix: chmod o+x DIR, or make nobody a member of its group";
        let account = "cannot be used by the runner's account nobody";
        assert_eq!(
            look(&nobody),
            format!(
                "job_types.x.working_directory: DIR {account}{fix}\n\
                 job_types.x.env_file: DIR/env {account}, because of DIR{fix}"
            )
        );
        set_mode(directory.path(), 0o755).unwrap();
        assert_eq!(
            look(&nobody),
            "job_types.x.env_file: DIR/env cannot be read by the runner's account nobody\n  \
             fix: chown nobody DIR/env && chmod 600 DIR/env"
        );
    }
}
