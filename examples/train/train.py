#!/usr/bin/env python3
"""Plays a promotion of the MediaWiki train: a deployment to look at, which changes nothing but the file that it is told.

Like `scap deploy-promote --train`, it sets the wikis of a group, and of all groups before it, to a version, and all others
to the old version. `all` is every wiki. It asks before it begins, and once more when all wikis have the version.

Where the train is, it learns from a file as spool-layout.md describes it (monitoring/train.json); at the end it writes the
result there. It speaks to SpiderPig, or to a person at a terminal: examples/python/spiderpig.py. It exits with 1 if a
person decided against the promotion, or nobody could be asked, and with 130 if it was interrupted.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))
import spiderpig

STOPPED = 1
INTERRUPTED = 130  # what a shell reports for a program that SIGINT ended
ALL = "all"
SECONDS_PER_WIKI = 1.0


class Stopped(Exception):
    """The promotion does not go on; the text says why."""


def promoted(train, group, version, old_version, excluded):
    """What each wiki runs after the promotion."""
    versions = train["wikiVersions"]
    if group == ALL:
        chosen = set(versions)
    else:
        names = list(train["groups"])
        chosen = {wiki for name in names[: names.index(group) + 1] for wiki in train["groups"][name]}
    chosen -= excluded
    return {wiki: version if wiki in chosen else old_version or current for wiki, current in versions.items()}


def stops(train, before, after):
    """The groups, each with those of its wikis that change. A wiki counts for the first group that has it."""
    counted = set()
    for group, wikis in {**train["groups"], "other wikis": list(before)}.items():
        changing = [wiki for wiki in wikis if wiki not in counted and before.get(wiki) != after.get(wiki)]
        counted.update(wikis)
        if changing:
            yield group, changing


def sync(train, before, after, speed):
    """Takes each wiki from one version to another, group by group."""
    for group, wikis in stops(train, before, after):
        spiderpig.status(f"Syncing {group}")
        for done, wiki in enumerate(wikis, start=1):
            time.sleep(SECONDS_PER_WIKI / speed)
            spiderpig.line(f"{wiki}: {before[wiki]} → {after[wiki]}")
            spiderpig.progress(group, done, len(wikis))


def write(path, train):
    """Replaces the file by one rename, so that nobody reads a half of it."""
    train["time"] = datetime.now(timezone.utc).isoformat(timespec="seconds")
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".", delete=False, encoding="utf-8") as draft:
        json.dump(train, draft, indent=2)
        draft.flush()
        os.fchmod(draft.fileno(), 0o640)
        os.fsync(draft.fileno())
    os.replace(draft.name, path)


def promote(arguments):
    """The whole promotion."""
    train = json.loads(arguments.status.read_text(encoding="utf-8"))
    group, version = arguments.group, arguments.version
    if group != ALL and group not in train["groups"]:
        raise Stopped(f"There is no group {group}; there are {', '.join(train['groups'])} and {ALL}.")
    excluded = set(filter(None, arguments.exclude_wikis.split(",")))
    before = train["wikiVersions"]
    after = promoted(train, group, version, arguments.old_version, excluded)
    for wiki in sorted(excluded):
        spiderpig.line(f"{wiki} is left out.")
    if spiderpig.choose(f"Promote {group} to {version}?", {"Yes": "y", "No": "n"}, default="n") == "n":
        raise Stopped("Promotion cancelled.")

    sync(train, before, after, arguments.speed)
    if spiderpig.choose("Check the logs.", {"Continue": "c", "Roll back": "r"}, default="r") == "r":
        spiderpig.status("Rolling back")
        sync(train, after, before, arguments.speed)
        raise Stopped("The promotion was rolled back.")

    train["wikiVersions"] = after
    write(arguments.status, train)
    spiderpig.status(f"{group} is at {version}")


def positive(text):
    """A factor for the pace."""
    factor = float(text)
    if not 0 < factor < float("inf"):
        raise argparse.ArgumentTypeError("must be more than 0")
    return factor


def main():
    summary, _, details = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("group", metavar="GROUP", help="testwikis, group0, group1, group2 or all")
    parser.add_argument("version", metavar="VERSION", help="such as 1.46.0-wmf.3")
    parser.add_argument("--old-version", metavar="VERSION", help="what the other wikis get; if left out, what they have")
    parser.add_argument("--exclude-wikis", default="", metavar="WIKI,…", help="wikis that are not promoted")
    parser.add_argument("--speed", type=positive, default=1.0, metavar="FACTOR", help="1 is a wiki a second")
    # A default that is a text goes through `type` as well.
    parser.add_argument(
        "--status",
        type=Path,
        default=os.environ.get("SPIDERPIG_TRAIN_STATUS"),
        metavar="FILE",
        help="monitoring/train.json of the spool; or set SPIDERPIG_TRAIN_STATUS",
    )
    arguments = parser.parse_args()
    if arguments.status is None:
        parser.error("--status is missing, and SPIDERPIG_TRAIN_STATUS is not set")
    try:
        promote(arguments)
        return 0
    except (Stopped, spiderpig.NobodyAnswers) as stopped:
        reason, status = str(stopped), STOPPED
    except KeyboardInterrupt:
        reason, status = "Interrupted.", INTERRUPTED
    spiderpig.line(reason)
    return status


if __name__ == "__main__":
    sys.exit(main())
