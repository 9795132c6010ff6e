//! Makes a plan from a request. The command comes from the runner's own configuration, never from a job file.

use std::collections::BTreeMap;
use std::path::Path;

use super::cgroup;
use super::daemon::Settings;
use crate::config::{CommandLine, Config, JobType, Leftovers, read_env_file};
use crate::spool::plan::{Plan, VERSION};
use crate::spool::queue::Submission;
use crate::spool::status::Status;

/// The environment that every job gets: the variables of the runner's account, and no others of the runner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountEnvironment(BTreeMap<String, String>);

impl AccountEnvironment {
    /// `PATH` and `LANG` as given, the rest from the entry of the account that runs this process.
    #[must_use]
    pub fn new(path: &str, language: Option<&str>) -> Self {
        let mut variables = BTreeMap::from([("PATH".to_owned(), path.to_owned())]);
        if let Some(language) = language {
            variables.insert("LANG".to_owned(), language.to_owned());
        }
        if let Some(user) = uzers::get_user_by_uid(rustix::process::getuid().as_raw()) {
            use uzers::os::unix::UserExt as _;
            let name = user.name().to_string_lossy().into_owned();
            variables.insert("HOME".to_owned(), user.home_dir().to_string_lossy().into_owned());
            variables.insert("LOGNAME".to_owned(), name.clone());
            variables.insert("USER".to_owned(), name);
        }
        Self(variables)
    }
}

/// Checks a request against the declared job types.
///
/// # Errors
/// Why the job is not valid: a text for the submitter.
pub fn render<'a>(config: &'a Config, submission: &Submission) -> Result<(&'a JobType, CommandLine), String> {
    let request = &submission.request;
    let Some(job_type) = config.job_type(&request.job_type) else {
        let known: Vec<&str> = config.job_types.keys().map(String::as_str).collect();
        return Err(format!("the job type `{}` is not declared (known: {})", request.job_type, known.join(", ")));
    };
    let command = job_type.render(&request.params).map_err(|error| error.to_string())?;
    Ok((job_type, command))
}

/// Makes the plan and the first status of a job that is being claimed.
///
/// # Errors
/// Why the job cannot be started: a text for people. The plan and status suffice to record this in the job's own files.
pub(super) fn make(
    settings: &Settings,
    submission: &Submission,
    (job_type, command): (&JobType, CommandLine),
    slot: Option<u32>,
) -> (Plan, Status, Result<(), String>) {
    let Settings { config, account, trusted, groups, .. } = settings;
    let request = &submission.request;
    let marker = uuid::Uuid::new_v4().simple().to_string();
    let mut environment = account.0.clone();
    environment.extend(job_type.env.clone());
    let secrets = job_type.env_file.as_deref().map_or(Ok(BTreeMap::new()), read_secrets);
    let (secrets, ready) = match secrets {
        Ok(secrets) => (secrets, Ok(())),
        Err(reason) => (BTreeMap::new(), Err(reason)),
    };
    environment.extend(secrets);
    environment.extend([
        ("FORCE_COLOR".to_owned(), "1".to_owned()),
        ("SPIDERPIG_JOB_ID".to_owned(), request.id.to_string()),
        (super::process::MARKER_VARIABLE.to_owned(), marker.clone()),
        ("SPIDERPIG_REAL_USER".to_owned(), submission.user.clone()),
    ]);
    let milliseconds = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let plan = Plan {
        version: VERSION,
        id: request.id,
        user: submission.user.clone(),
        arguments: command.arguments,
        environment,
        marker: marker.clone(),
        working_directory: job_type.working_directory.clone(),
        umask: job_type.umask,
        time_limit_ms: job_type.time_limit.map(milliseconds),
        stop_grace_ms: milliseconds(config.runner.stop_grace),
        max_log: job_type.max_log,
        cgroup: groups.as_deref().map(|parent| cgroup::path_for(parent, request.id, &marker)),
        outcomes: job_type.outcomes.clone(),
        quiet_after_ms: job_type.quiet_after.map(milliseconds),
        stop_leftovers: job_type.leftovers == Leftovers::Stop,
        lane: job_type.lane.clone(),
        slot,
        lock: None,
        trusted_submitters: trusted.clone(),
        shown_params: job_type.masked_params(&request.params),
        watch: config.runner.watch,
        rescan_ms: milliseconds(config.runner.rescan),
    };
    let status = Status::starting(&plan, &request.job_type, command.shown, request.submitted_at);
    (plan, status, ready)
}

fn read_secrets(path: &Path) -> Result<BTreeMap<String, String>, String> {
    read_env_file(path).map_err(|error| format!("could not be executed: its env_file cannot be used: {error}"))
}
