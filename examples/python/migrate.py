#!/usr/bin/env python3
"""Migrates a database in batches: writes the dates of registration of all users in the form that sorts, 2023-11-24.

If a row has no date, somebody is asked. Each batch is a transaction, and the rows remember what is done, so that who
starts it again goes on where it stopped. The database is a file below $MIGRATE_DIRECTORY; one with made-up users, of
whom one has no date, is created if it is not there.

Exit status: 0 migrated or only looked, 1 not wanted, undone, or nobody could be asked, 130 interrupted.
"""

import argparse
import os
import sqlite3
import sys
import time
from contextlib import closing
from datetime import date, datetime
from pathlib import Path

import spiderpig

USERS = 1000
DATELESS = 700


class Stopped(Exception):
    """The migration does not go on; the text says why."""


def create(database):
    """Makes up users."""
    with database:
        columns = "id INTEGER PRIMARY KEY, address TEXT, registered TEXT, registered_on TEXT"
        database.execute(f"CREATE TABLE user ({columns})")
        for number in range(1, USERS + 1):
            registered = date.fromordinal(date(2001, 1, 15).toordinal() + number).strftime("%d.%m.%Y")
            registered = "long ago" if number == DATELESS else registered
            row = (number, f"user{number}@example.org", registered)
            database.execute("INSERT INTO user (id, address, registered) VALUES (?, ?, ?)", row)


def connect(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    database = sqlite3.connect(path)
    if is_new:
        create(database)
    return database


def batches(database, only, size):
    """The rows that are left, in lists of at most `size`."""
    last = 0
    while rows := database.execute(
        "SELECT id, address, registered FROM user WHERE registered_on IS NULL AND id > ? AND ifnull(address = ?, true)"
        " ORDER BY id LIMIT ?",
        (last, only, size),
    ).fetchall():
        yield rows
        last = rows[-1][0]


def sortable(registered):
    return datetime.strptime(registered, "%d.%m.%Y").date().isoformat()


def skip_or_undo(database, address, registered):
    """What to do about a row that cannot be migrated is for a person to say."""
    # The address is personal: it is hidden unless somebody asks for it.
    spiderpig.line(f"Error: “{registered}” is no date.")
    spiderpig.line(f"The row is that of {address}.", sensitive=True)
    choices = {"Skip this row": "s", "Undo the migration": "u"}
    if spiderpig.choose("A row has no date. What now?", choices, default="u") == "u":
        spiderpig.status("Undoing")
        database.rollback()
        with database:
            undone = database.execute("UPDATE user SET registered_on = NULL WHERE registered_on IS NOT NULL").rowcount
        raise Stopped(f"The migration was undone in {undone} rows.")


def migrate(database, arguments):
    """The whole migration. Returns what to say at its end."""
    spiderpig.status("Counting")
    total = sum(map(len, batches(database, arguments.only, arguments.batch_size)))
    if arguments.dry_run:
        return f"{total} rows would be migrated. Nothing was changed."
    question = f"{total} rows of {arguments.target} will be migrated. Go on?"
    if spiderpig.choose(question, {"Yes": "y", "No": "n"}, default="n") == "n":
        raise Stopped("The migration was not wanted.")
    if arguments.target == "production":
        while spiderpig.ask("Type the name of the database to confirm") != arguments.target:
            spiderpig.line("That is not its name.")

    spiderpig.status(f"Migrating {arguments.target}")
    done = skipped = 0
    for rows in batches(database, arguments.only, arguments.batch_size):
        with database:  # one transaction, undone by any exception
            for number, address, registered in rows:
                try:
                    new = sortable(registered)
                except ValueError:
                    skip_or_undo(database, address, registered)
                    skipped += 1
                else:
                    database.execute("UPDATE user SET registered_on = ? WHERE id = ?", (new, number))
        done += len(rows)
        spiderpig.progress("Rows", done, total, failed=skipped)
        time.sleep(arguments.pause / 1000)
    return f"{done - skipped} rows were migrated, {skipped} skipped."


def main():
    summary, _, details = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", choices=["staging", "production"], help="which database")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument("--batch-size", type=int, default=100, metavar="ROWS", help="rows in one transaction")
    parser.add_argument("--pause", type=int, default=0, metavar="MS", help="milliseconds after each batch")
    parser.add_argument("--only", metavar="ADDRESS", help="only the user with this address")
    arguments = parser.parse_args()
    path = Path(os.environ.get("MIGRATE_DIRECTORY", ".")) / f"{arguments.target}.sqlite"
    try:
        with closing(connect(path)) as database:
            result, status = migrate(database, arguments), 0
    except (Stopped, spiderpig.NobodyAnswers) as stopped:
        result, status = str(stopped), 1
    except KeyboardInterrupt:
        result, status = "Interrupted. Whole batches were kept: start it again to go on.", 130
    spiderpig.status(result)
    spiderpig.line(result)
    return status


if __name__ == "__main__":
    sys.exit(main())
