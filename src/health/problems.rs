//! What is wrong with the disks, in words: each problem is a sentence that says what to do about it.

use rustix::io::Errno;

use super::disk::{Disk, Refusal};
use crate::spool::space::{Space, bytes};

/// What is wrong with the spool's disk. `None` is one that does not answer.
#[must_use]
pub fn of_spool(disk: Option<&Disk>) -> Vec<String> {
    let Some(disk) = disk else {
        return vec![
            "The spool's disk does not answer: nothing is accepted until it does, and what is shown may be old. See \
             what the kernel says of it (dmesg)"
                .to_owned(),
        ];
    };
    let mut problems = Vec::new();
    // Then nothing can be written, and one sentence says so.
    let read_only = disk.space.is_ok_and(|space| space.read_only);
    match disk.refused {
        Some(Refusal::ReadOnly) if !read_only => problems.push(
            "The spool's disk refuses every write, as after an error, though it is not mounted read-only: nothing is \
             accepted. See what the kernel says of it (dmesg), check its filesystem, and mount it anew"
                .to_owned(),
        ),
        _ if read_only => problems.push(
            "The spool's filesystem is mounted read-only: nothing is accepted. See why (dmesg), and mount it writable: \
             mount -o remount,rw"
                .to_owned(),
        ),
        Some(Refusal::Other(kind)) => problems.push(format!(
            "The spool's disk takes no file ({kind}): nothing is accepted. See what the kernel says of it (dmesg)"
        )),
        Some(Refusal::Full) => problems.push(full(disk.space.ok().as_ref())),
        _ => {}
    }
    if !read_only {
        problems.extend(disk.unwritable.iter().map(|(name, refusal)| unwritable(name, *refusal)));
    }
    match &disk.space {
        Ok(space) => look_at_space(space, disk.refused == Some(Refusal::Full), &mut problems),
        Err(error) => problems
            .push(format!("The spool's disk does not tell how much room is left: {error}. See `stat -f` of the spool")),
    }
    if let Some(problem) = &disk.no_number {
        problems.push(format!(
            "No job can be started, as no number can be assigned: {problem}. The job runner repairs this within half a minute"
        ));
    }
    problems.extend(disk.stalls.iter().map(ToString::to_string));
    problems
}

/// What is wrong with the disk of the state directory, if anything is. `None` is one that does not answer.
#[must_use]
pub fn of_state(written: Option<Result<(), Refusal>>) -> Option<String> {
    let reason = match written {
        None => "its disk does not answer".to_owned(),
        Some(Ok(())) => return None,
        Some(Err(Refusal::Full)) => "its disk is full. Make room there".to_owned(),
        Some(Err(Refusal::ReadOnly)) => {
            "its filesystem is read-only. See why (dmesg), and mount it writable: mount -o remount,rw".to_owned()
        }
        Some(Err(Refusal::Other(kind))) => {
            format!("{kind}. `spiderpig-api check`, as the account of the API, names the fix")
        }
    };
    Some(format!(
        "The state directory of the API cannot be written, so nobody can sign in, and what is done is not recorded: {reason}"
    ))
}

/// Nothing more can be written by this account; root may have some room left.
fn full(space: Option<&Space>) -> String {
    let room = space.map_or_else(String::new, |space| {
        format!(" ({} of {} and {} files are left)", bytes(space.available), bytes(space.size), space.free_inodes)
    });
    format!(
        "The spool's disk is full, or this account has used up its quota{room}: no job is accepted, and logs have holes. \
         Make room; `du -xh --max-depth=2` in the spool shows what takes it"
    )
}

fn unwritable(name: &str, refusal: Errno) -> String {
    if refusal == Errno::NOENT {
        return format!(
            "There is no {name} in the spool: not everything is accepted. Start spiderpig-runner, which creates it"
        );
    }
    format!(
        "{name} in the spool cannot be written: not everything is accepted ({refusal}). `spiderpig-api check`, as the \
         account of the API, names the fix"
    )
}

fn look_at_space(space: &Space, is_full: bool, problems: &mut Vec<String>) {
    if space.is_low() && !is_full {
        problems.push(format!(
            "The spool's disk is almost full: {} of {} are free, less than {}. When it is full no job is accepted and \
             logs have holes. Make room; `du -xh --max-depth=2` in the spool shows what takes it",
            bytes(space.available),
            bytes(space.size),
            bytes(space.least_available())
        ));
    }
    if space.is_low_on_inodes() {
        problems.push(format!(
            "The spool's disk takes only {} more files, however small. Remove some; `du -x --inodes --max-depth=2` in \
             the spool shows where they are",
            space.free_inodes
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Space =
        Space { available: 8 << 30, size: 100 << 30, free_inodes: 1 << 20, inodes: 1 << 20, read_only: false };

    fn disk(space: Result<Space, Errno>, unwritable: Vec<(&'static str, Errno)>) -> Disk {
        Disk { space, unwritable, refused: None, no_number: None, stalls: vec![] }
    }

    fn found_on(disk: Option<&Disk>) -> Vec<String> {
        of_spool(disk)
    }

    fn with_space(change: impl FnOnce(&mut Space)) -> Vec<String> {
        let mut space = ROOM;
        change(&mut space);
        found_on(Some(&disk(Ok(space), vec![])))
    }

    fn with_unwritable(refusal: Errno) -> Vec<String> {
        found_on(Some(&disk(Ok(ROOM), vec![("inbox/", refusal)])))
    }

    /// Exactly one problem, which has all the words.
    fn assert_one(problems: &[String], words: &[&str]) {
        let [problem] = problems else { panic!("not one problem: {problems:?}") };
        assert!(words.iter().all(|word| problem.contains(word)), "{problem}");
    }

    #[test]
    fn a_disk_with_room_is_no_problem() {
        assert_eq!(with_space(|_| ()), [""; 0]);
        assert_eq!(with_space(|space| (space.inodes, space.free_inodes) = (0, 0)), [""; 0]);
    }

    #[test]
    fn little_room_is_named_with_what_to_do() {
        let few = |bytes: u64, size: u64| with_space(|space| (space.available, space.size) = (bytes, size));
        assert_one(&few(1 << 29, 2 << 30), &["512 MiB of 2.0 GiB", "Make room", "du "]);
        assert_eq!(few(1 << 30, 20 << 30), [""; 0], "exactly 1 GiB and 5 %");
        assert_one(&few(4 << 30, 100 << 30), &["4.0 GiB of 100.0 GiB"]);
        assert_one(&with_space(|space| space.free_inodes = 9_999), &["9999 more files", "Remove"]);
        assert_eq!(few(983 << 20, 983 << 20), [""; 0], "a small disk that is empty is not almost full");
        assert_one(&few(400 << 20, 983 << 20), &["400 MiB of 983 MiB are free, less than 491 MiB"]);
    }

    #[test]
    fn what_cannot_be_written_is_named_with_what_to_do() {
        assert_one(&with_unwritable(Errno::ACCESS), &["inbox/", "spiderpig-api check"]);
        assert_one(&with_unwritable(Errno::NOENT), &["no inbox/", "Start spiderpig-runner"]);
        let read_only = Space { read_only: true, ..ROOM };
        let unwritable = vec![("inbox/", Errno::ROFS), ("queue/", Errno::ROFS)];
        assert_one(&found_on(Some(&disk(Ok(read_only), unwritable))), &["read-only", "remount"]);
        assert_one(&found_on(Some(&disk(Err(Errno::IO), vec![]))), &["how much room", "stat -f"]);
    }

    #[test]
    fn what_the_disk_does_to_a_file_counts_and_not_what_it_says_of_itself() {
        let refused = |refused, space| found_on(Some(&Disk { refused: Some(refused), ..disk(Ok(space), vec![]) }));
        assert_one(&refused(Refusal::ReadOnly, ROOM), &["refuses every write", "not mounted read-only", "dmesg"]);
        assert_one(
            &refused(Refusal::ReadOnly, Space { read_only: true, ..ROOM }),
            &["is mounted read-only", "remount"],
        );
        assert_one(&refused(Refusal::Full, ROOM), &["full, or this account has used up its quota", "8.0 GiB of 100.0"]);
        assert_one(&refused(Refusal::Full, Space { available: 0, ..ROOM }), &["is full", "0 MiB of 100.0 GiB"]);
        assert_one(&refused(Refusal::Other(std::io::ErrorKind::TimedOut), ROOM), &["takes no file (timed out)"]);
        let no_number = Disk { no_number: Some("sequence: damaged".into()), ..disk(Ok(ROOM), vec![]) };
        assert_one(&found_on(Some(&no_number)), &["No job can be started", "sequence: damaged"]);
        let state = |written| Vec::from_iter(of_state(written));
        assert_eq!(state(Some(Ok(()))), [""; 0]);
        assert_one(&state(None), &["state directory", "does not answer"]);
        assert_one(&state(Some(Err(Refusal::Full))), &["state directory", "nobody can sign in", "disk is full"]);
    }
}
