//! Seeing what others change: another API process, a command of an operator, or a person with an editor.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::guard::Guard;
use crate::blocking;
use crate::config::Config;
use crate::spool;
use crate::spool::watch::{Hint, Watch};

/// The time between two looks where nothing tells of changes.
const UNWATCHED: Duration = Duration::from_secs(1);

/// The longest time between two looks, whatever is configured: somebody who was put out stays in no longer.
const LONGEST: Duration = Duration::from_secs(30);

/// Looks at the files whenever something tells of a change, and once in a while in case nothing does, until `shutdown`.
pub async fn follow(guard: Arc<Guard>, config: Config, shutdown: CancellationToken) {
    let told = Arc::new(Notify::new());
    let watch = if config.runner.watch { watch(&guard, &config, Arc::clone(&told)) } else { None };
    let pause = if watch.is_some() { config.runner.rescan.min(LONGEST) } else { UNWATCHED };
    // Nobody tells of what was changed before the watch began, so the first look is now.
    let mut is_open = true;
    while is_open {
        let guard = Arc::clone(&guard);
        if blocking::run(move || guard.refresh()).await.is_err() {
            tracing::error!("the files of the accounts could not be read again");
        }
        is_open = shutdown.run_until_cancelled(tokio::time::timeout(pause, told.notified())).await.is_some();
    }
    drop(watch);
}

fn watch(guard: &Guard, config: &Config, told: Arc<Notify>) -> Option<Watch> {
    let users = guard.users_file().map(Path::to_owned);
    let places: Vec<PathBuf> = users.iter().filter_map(|path| path.parent().map(Path::to_owned)).collect();
    let tell = move |hint: Hint| {
        let is_news = match hint {
            Hint::Rescan => true,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::testing::People;
    use crate::api::testing::{Bench, Client, soon, until};
    use crate::spool::Time;

    /// An API that follows what others change, and its shutdown.
    fn start(bench: &Bench, change: impl FnOnce(&mut Config)) -> (People, CancellationToken) {
        let people = People::with(bench, change);
        let shutdown = CancellationToken::new();
        tokio::spawn(follow(Arc::clone(&people.guard), people.config.clone(), shutdown.clone()));
        (people, shutdown)
    }

    /// Whether each of the files has what another process has written.
    async fn sees_everything(people: &People, other: &People) {
        let now = Time::now();
        other.signed_in("user");
        until(|| people.sessions().list(Some("user"), now).len() == 1).await;
        other.token("user", &["read"], now);
        until(|| people.tokens().all().len() == 1).await;
        other.second_factors().remove("user").unwrap();
        until(|| !people.second_factors().is_enrolled("user")).await;
        other.write(|user, account| (user == "admin").then_some(account));
        until(|| people.users().all().len() == 1).await;
    }

    #[tokio::test]
    async fn who_is_told_of_changes_sees_them() {
        let bench = Bench::new();
        let other = People::of(&bench);
        let (people, _shutdown) = start(&bench, |config| config.runner.rescan = LONGEST);
        sees_everything(&people, &other).await;
    }

    #[tokio::test]
    async fn who_is_told_of_nothing_looks() {
        let bench = Bench::new();
        let other = People::of(&bench);
        let (people, _shutdown) = start(&bench, |config| config.runner.watch = false);
        sees_everything(&people, &other).await;
    }

    #[tokio::test]
    async fn what_was_changed_before_it_began_is_seen_at_once() {
        let bench = Bench::new();
        let other = People::of(&bench);
        let people = People::with(&bench, |config| config.runner.rescan = LONGEST);
        other.signed_in("user");
        tokio::spawn(follow(Arc::clone(&people.guard), people.config.clone(), CancellationToken::new()));
        until(|| people.sessions().list(None, Time::now()).len() == 1).await;
    }

    #[tokio::test]
    async fn a_stream_ends_when_another_process_ends_its_session() {
        let bench = Bench::new();
        let other = People::of(&bench);
        let (people, _shutdown) = start(&bench, |config| config.runner.rescan = LONGEST);
        let cookie = people.signed_in("user");
        let mut client = Client::connect(Bench::serve(people.app(&bench)).await).await;
        client.write(format!("GET /api/events HTTP/1.1\r\nHost: localhost\r\n{cookie}\r\n")).await;
        client.read_until("\n\n").await;
        assert_eq!(other.sessions().end(|_, _| true).unwrap(), 1);
        client.read_until("\r\n0\r\n\r\n").await;
        assert_eq!(client.ask_as(&cookie, "GET /api/jobs", "").await.status, 401);
    }

    #[tokio::test]
    async fn a_shutdown_ends_it() {
        let bench = Bench::new();
        let people = People::of(&bench);
        let shutdown = CancellationToken::new();
        let following = tokio::spawn(follow(people.guard, people.config, shutdown.clone()));
        shutdown.cancel();
        soon(following).await.unwrap();
    }
}
