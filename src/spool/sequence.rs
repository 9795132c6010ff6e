//! `sequence`: the last job number that was taken, as twenty digits and a newline.

use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use super::atomic;
use super::error::{Action, Error, Missing as _, Result};
use super::id::JobId;
use super::layout::{SHARED_FILE, Spool};
use super::lock;
use super::lock::RunnerLock;
use super::open;

/// How long a submitter waits for the lock of `sequence`.
pub const PATIENCE: Duration = Duration::from_secs(5);

fn encode(number: u64) -> String {
    format!("{number:020}\n")
}

fn decode(path: &Path, bytes: &[u8]) -> Result<u64> {
    let damaged = || {
        Error::invalid(
            path,
            "damaged: it must contain 20 digits and a newline; spiderpig-runner repairs it within 30 s",
        )
    };
    let digits = bytes.strip_suffix(b"\n").filter(|digits| digits.len() == 20).ok_or_else(damaged)?;
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).ok_or_else(damaged)
}

/// Takes the next number. No other caller gets it, also after a power cut.
///
/// # Errors
/// `sequence` is missing or damaged, its lock was not free within [`PATIENCE`], or the numbers are used up.
pub fn take(spool: &Spool) -> Result<JobId> {
    take_above(spool, 0, |_| false)
}

/// Takes the next number above `floor` that is not used. The file may be behind the jobs, for example after it was
/// restored from a backup.
///
/// # Errors
/// As for [`take`].
pub fn take_above(spool: &Spool, floor: u64, is_used: impl Fn(JobId) -> bool) -> Result<JobId> {
    let path = spool.sequence();
    let file = atomic::open_update(&path)?;
    if !lock::exclusive_within(&file, &path, PATIENCE)? {
        return Err(Error::Locked { path, holder: format!("could not take a number within {PATIENCE:?}") });
    }
    let mut bytes = [0; 32];
    let length = file.read_at(&mut bytes, 0).map_err(|error| Error::io("read", &path, error))?;
    let mut next = decode(&path, &bytes[..length])?.max(floor);
    let id = loop {
        next += 1;
        let id = JobId::try_from(next).map_err(|_| Error::invalid(&path, "all job numbers are used up"))?;
        if !is_used(id) {
            break id;
        }
    };
    file.write_all_at(encode(next).as_bytes(), 0).map_err(|error| Error::io("write", &path, error))?;
    file.sync_data().map_err(|error| Error::io(Action::Sync, &path, error))?;
    Ok(id)
}

/// The last number that was taken. 0 if there was none.
///
/// # Errors
/// `sequence` is missing or damaged.
pub fn last(spool: &Spool) -> Result<u64> {
    let path = spool.sequence();
    decode(&path, &open::read(&path)?)
}

/// Repairs `sequence`. The runner does this at its start and at every rescan. `used` is the highest number that a job
/// has had, and `queued` the highest in the queue. A readable file is raised to `used`, and never lowered. `queued`
/// does not count then: the submitter of that file made the number up, and must not use up all numbers below it. A
/// missing or damaged file gets the higher one of `used` and `queued`.
///
/// # Errors
/// It cannot be read or written.
pub fn repair(spool: &Spool, _runner: &RunnerLock, used: u64, queued: u64) -> Result<()> {
    let path = spool.sequence();
    let known = encode(used.max(queued));
    let Some(file) = atomic::open_update(&path).missing_is_none()? else {
        return atomic::replace(&path, known.as_bytes(), SHARED_FILE, atomic::Durability::Synced);
    };
    if !lock::exclusive_within(&file, &path, PATIENCE)? {
        return Err(Error::Locked { path, holder: format!("it was not released within {PATIENCE:?}") });
    }
    let mut bytes = [0; 32];
    let length = file.read_at(&mut bytes, 0).map_err(|error| Error::io("read", &path, error))?;
    let repaired = match decode(&path, &bytes[..length]) {
        Ok(last) if last >= used => return Ok(()),
        Ok(_) => encode(used),
        Err(_) => known,
    };
    // In place, because submitters may wait for the lock of this file. After that, the rest of a longer damaged file is
    // cut off.
    file.write_all_at(repaired.as_bytes(), 0).map_err(|error| Error::io("write", &path, error))?;
    file.set_len(repaired.len() as u64).map_err(|error| Error::io("write", &path, error))?;
    file.sync_all().map_err(|error| Error::io(Action::Sync, &path, error))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests damage files by hand")]
mod tests {
    use super::*;

    fn spool() -> (tempfile::TempDir, Spool, RunnerLock) {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::lay_out(directory.path()).unwrap();
        let lock = RunnerLock::take(&spool).unwrap();
        (directory, spool, lock)
    }

    #[test]
    fn each_number_is_taken_once_by_concurrent_submitters() {
        let (_directory, spool, lock) = spool();
        repair(&spool, &lock, 0, 0).unwrap();
        let mut numbers: Vec<u32> = std::thread::scope(|scope| {
            let takers: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..25).map(|_| take(&spool).unwrap().get()).collect::<Vec<_>>()))
                .collect();
            takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect()
        });
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=100).collect::<Vec<_>>());
        assert_eq!(std::fs::read_to_string(spool.sequence()).unwrap(), "00000000000000000100\n");
    }

    #[test]
    fn the_runner_repairs_a_missing_damaged_or_low_sequence_and_never_lowers_it() {
        let (_directory, spool, lock) = spool();
        assert!(take(&spool).unwrap_err().is_not_found());
        for damage in ["", "7", "garbage of a much greater length than it ought to have\n", "00000000000000000003\n"] {
            std::fs::write(spool.sequence(), damage).unwrap();
            repair(&spool, &lock, 41, 7).unwrap();
            assert_eq!(last(&spool).unwrap(), 41, "after {damage:?}");
        }
        repair(&spool, &lock, 7, 0).unwrap();
        assert_eq!(take(&spool).unwrap().get(), 42);
    }

    #[test]
    fn a_number_in_the_queue_counts_only_if_sequence_is_missing() {
        let (_directory, spool, lock) = spool();
        repair(&spool, &lock, 3, 5).unwrap();
        assert_eq!(last(&spool).unwrap(), 5, "there was no sequence");
        repair(&spool, &lock, 6, 999_999_999).unwrap();
        assert_eq!(last(&spool).unwrap(), 6);
    }

    #[test]
    fn used_up_numbers_are_an_error() {
        let (_directory, spool, lock) = spool();
        repair(&spool, &lock, u64::from(JobId::MAX), 0).unwrap();
        assert!(take(&spool).unwrap_err().to_string().contains("used up"));
        assert_eq!(last(&spool).unwrap(), u64::from(JobId::MAX));
    }
}
