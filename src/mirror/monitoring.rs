//! The files of `monitoring/` as they were last seen.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

use crate::spool::monitoring;
use crate::spool::monitoring::{Document, MediaWikiErrors, Train};
use crate::spool::{Error, Spool};

/// What other programs tell of the site.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Monitoring {
    /// Where the train is.
    pub train: Monitored<Train>,
    /// The errors that MediaWiki logs.
    pub mediawiki: Monitored<MediaWikiErrors>,
}

/// A file of `monitoring/`. Without content and problem there is none.
#[derive(Debug, PartialEq)]
pub struct Monitored<T> {
    /// What it said when it was last in order.
    pub content: Option<Arc<T>>,
    /// Why it is not in order now.
    pub problem: Option<String>,
}

// Derived, they would want the same of the content.
impl<T> Clone for Monitored<T> {
    fn clone(&self) -> Self {
        Self { content: self.content.clone(), problem: self.problem.clone() }
    }
}

impl<T> Default for Monitored<T> {
    fn default() -> Self {
        Self { content: None, problem: None }
    }
}

impl Monitoring {
    /// What is not in order, each in words.
    pub fn problems(&self) -> impl Iterator<Item = &str> {
        [&self.train.problem, &self.mediawiki.problem].into_iter().filter_map(Option::as_deref)
    }
}

/// Reads what has changed.
#[derive(Debug, Default)]
pub struct MonitoringReader {
    train: Option<Stamp>,
    mediawiki: Option<Stamp>,
}

/// Tells a file from the one that was there before. A file that is written by a rename is another one each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    size: u64,
    changed: (i64, i64),
}

impl MonitoringReader {
    /// Looks at both files, and reads those that are not the ones of the last look.
    pub fn look(&mut self, spool: &Spool, known: &Monitoring) -> Monitoring {
        Monitoring {
            train: look(spool, &mut self.train, &known.train),
            mediawiki: look(spool, &mut self.mediawiki, &known.mediawiki),
        }
    }
}

fn look<T: Document>(spool: &Spool, last: &mut Option<Stamp>, known: &Monitored<T>) -> Monitored<T> {
    // The stamp comes first: a file that is replaced meanwhile is read again at the next look.
    let stamp = monitoring::path::<T>(spool).symlink_metadata().ok().map(|metadata| Stamp::of(&metadata));
    if stamp.is_some() && stamp == *last {
        return known.clone();
    }
    let found = monitoring::read::<T>(spool);
    // What the system refused may be granted without a change of the file.
    *last = stamp.filter(|_| !matches!(found, Err(Error::Io { .. })));
    match found {
        Ok(content) => Monitored { content: content.map(Arc::new), problem: None },
        Err(error) => known.damaged(&error),
    }
}

impl<T> Monitored<T> {
    fn damaged(&self, error: &Error) -> Self {
        let problem = error.to_string();
        if self.problem.as_ref() != Some(&problem) {
            tracing::warn!(problem, "a file of monitoring/ is not in order");
        }
        Self { content: self.content.clone(), problem: Some(problem) }
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            file: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}
