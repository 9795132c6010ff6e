//! `GET /healthz`: whether the service is alive, and what is wrong.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use serde_json::json;

use super::runner;
use crate::accounts::Auth;
use crate::accounts::identity::Identity;
use crate::accounts::role::Role;
use crate::api::app::App;
use crate::api::request::Request;
use crate::blocking;
use crate::config::Config;
use crate::health::problems as disk_problems;
use crate::http::error::ApiError;
use crate::http::response;
use crate::http::response::Response;
use crate::mirror::View;
use crate::spool::runner_state::RunnerState;

/// A look at the whole spool that is older than this was to be followed by another long ago.
const STALE: Duration = Duration::from_secs(90);

/// What strangers are told instead of what is wrong.
const WHO_IS_TOLD: &str = "Something is wrong. Sign in, or use a token, to see what it is. On the \
                           host, `spiderpig-api check` and `spiderpig-runner check` say it";

/// What strangers are told instead of the reason of a pause.
const PAUSED: &str = "Why is told to those who are signed in";

/// So many problems of the runner are told; its page has them all.
const MOST_OF_RUNNER: usize = 20;

/// `GET /healthz`: 200 as long as the service can answer at all, even if the disk cannot; what is wrong is in the body,
/// in words. A pause is somebody's wish and no problem, and what others tell in `monitoring/` is for information only.
/// Words may name people and paths, so who is not signed in gets none of them.
///
/// # Errors
/// None.
pub async fn healthz(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let present = present_configuration(&app).await;
    let (disk, state_disk) = tokio::join!(app.disks.spool(app.limits.disk), app.disks.state(app.limits.disk));
    let view = app.mirror.view();
    let mut problems = Vec::new();
    look_at_view(&view, &mut problems);
    look_at_runner(&view, &app.config, present.as_ref(), &mut problems);
    problems.extend(disk_problems::of_spool(disk.as_ref()));
    look_at_state(&app, &mut problems);
    problems.extend(disk_problems::of_state(state_disk));
    let status = if problems.is_empty() { "ok" } else { "degraded" };
    let mut information: Vec<&str> = view.monitoring.problems().collect();
    let mut paused = view.runner.paused.as_deref();
    if !matches!(&request.identity, Identity::Authenticated(caller) if caller.role >= Role::Viewer) {
        if !problems.is_empty() {
            problems = vec![WHO_IS_TOLD.to_owned()];
        }
        information.clear();
        paused = paused.map(|_| PAUSED);
    }
    let answer = json!({
        "status": status,
        "problems": problems,
        "information": information,
        "runner_up": view.runner.up,
        "paused": paused,
    });
    response::json(StatusCode::OK, &answer)
}

fn look_at_view(view: &View, problems: &mut Vec<String>) {
    if let Some(problem) = &view.problem {
        problems.push(format!(
            "The spool cannot be read: {problem}. `spiderpig-api check`, as the account of the API, names the fix"
        ));
    }
    let age = view.last_full_look.elapsed();
    if age > STALE {
        problems.push(format!(
            "The spool was last read {} seconds ago: the page may be out of date. See whether its disk hangs \
             (dmesg); if it does not, restart spiderpig-api",
            age.as_secs()
        ));
    }
    if let Some(reason) = &view.watch_lost {
        problems.push(format!(
            "The kernel reports no changes of files in the spool, so they are seen up to a second late: {reason}. Raise \
             fs.inotify.max_user_instances or fs.inotify.max_user_watches; it is asked again twice a minute"
        ));
    }
}

fn look_at_runner(view: &View, own: &Config, present: Option<&Config>, problems: &mut Vec<String>) {
    if !view.runner.up {
        problems.push("The job runner is not running: no job starts. Start spiderpig-runner".to_owned());
    }
    // What a runner that is gone read does not matter.
    let state = view.runner.state.as_ref().filter(|_| view.runner.up);
    if let Some(state) = state.filter(|state| !runner::agrees(state, own)) {
        problems.push(who_is_to_be_restarted(state, own, present).to_owned());
    }
    let reported = state.map_or(&[][..], |state| &state.problems);
    let most = reported.iter().take(MOST_OF_RUNNER);
    problems.extend(most.map(|problem| format!("The job runner reports: {problem}")));
    if reported.len() > MOST_OF_RUNNER {
        let more = reported.len() - MOST_OF_RUNNER;
        problems.push(format!("The job runner reports {more} more problems. Its page has them"));
    }
}

/// The configuration file as it is now, if that matters: whoever has read another one is to be restarted.
async fn present_configuration(app: &App) -> Option<Config> {
    let runner = Arc::clone(&app.mirror.view().runner);
    let state = runner.state.as_ref().filter(|_| runner.up)?;
    if runner::agrees(state, &app.config) {
        return None;
    }
    let path = app.config.path.clone();
    let load = blocking::run(move || Config::load(&path).ok());
    tokio::time::timeout(app.limits.disk, load).await.ok()?.ok()?
}

fn who_is_to_be_restarted(state: &RunnerState, own: &Config, present: Option<&Config>) -> &'static str {
    let is_new = present.map(|present| (runner::agrees(state, present), own.shared_hash == present.shared_hash));
    match is_new {
        Some((true, false)) => {
            "The configuration was changed, and the job runner has read it again, but the API has not. Restart spiderpig-api"
        }
        Some((false, true)) => {
            "The configuration was changed, and the API has read it again, but the job runner has not. Restart \
             spiderpig-runner; jobs that run go on"
        }
        Some((false, false)) => {
            "The configuration was changed, and neither the API nor the job runner has read it again. Restart spiderpig-api \
             and spiderpig-runner; jobs that run go on"
        }
        _ => "The API and the job runner have read different configurations. Restart the one that was started first",
    }
}

fn look_at_state(app: &App, problems: &mut Vec<String>) {
    if let Some(problem) = app.audit.problem() {
        problems.push(format!(
            "The audit trail cannot be written: {problem}. Nobody can sign in, and what is done to jobs is not recorded. \
             `spiderpig-api check`, as the account of the API, names the fix"
        ));
    }
    let Auth::Guarded(guard) = &app.auth else { return };
    problems.extend(
        guard
            .problems()
            .into_iter()
            .map(|problem| format!("Changes of accounts are not seen, and the last known state applies: {problem}")),
    );
}

#[cfg(test)]
mod tests;
