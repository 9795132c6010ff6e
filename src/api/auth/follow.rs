//! Seeing what others change: another API process, a command of an operator, or a person with an editor.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::guard::{Guard, Source};
use crate::api::blocking;
use crate::config::Config;
use crate::spool;
use crate::spool::watch::{Hint, Watch};

/// Between two looks where nothing tells of changes.
const UNWATCHED: Duration = Duration::from_secs(1);

/// Nobody who was put out stays in for longer, whatever is configured.
const LONGEST: Duration = Duration::from_secs(30);

/// Looks at the files whenever something tells of a change, and once in a while in case nothing does, until `shutdown`.
pub async fn follow(guard: Arc<Guard>, config: Config, shutdown: CancellationToken) {
    let told = Arc::new(Notify::new());
    let watch = if config.runner.watch { watch(&guard, &config, Arc::clone(&told)) } else { None };
    let pause = if watch.is_some() { config.runner.rescan.min(LONGEST) } else { UNWATCHED };
    while shutdown.run_until_cancelled(tokio::time::timeout(pause, told.notified())).await.is_some() {
        let guard = Arc::clone(&guard);
        if blocking::run(move || guard.refresh()).await.is_err() {
            tracing::error!("what is known of those who sign in could not be read again");
        }
    }
    drop(watch);
}

fn watch(guard: &Guard, config: &Config, told: Arc<Notify>) -> Option<Watch> {
    let users = match &guard.source {
        Source::Local(users) => Some(users.path().to_owned()),
        Source::Cas(_) => None,
    };
    let places: Vec<PathBuf> = users.iter().filter_map(|path| path.parent().map(Path::to_owned)).collect();
    let tell = move |hint: Hint| {
        let is_news = match hint {
            Hint::LookEverywhere => true,
            Hint::Changed(path) => path.extension() == Some(OsStr::new("json")) || users.as_ref() == Some(&path),
        };
        if is_news {
            told.notify_one();
        }
    };
    let watched = || -> spool::Result<Watch> {
        let mut watch = Watch::new(tell)?;
        watch.add(&config.api.state_directory)?;
        places.iter().try_for_each(|place| watch.add(place))?;
        Ok(watch)
    };
    watched().inspect_err(|error| tracing::warn!(%error, "sign-ins are looked at every second")).ok()
}
