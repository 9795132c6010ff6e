#!/usr/bin/env python3
"""Replays a recorded `scap backport`: a deployment to look at, which changes nothing.

First comes a table of the changes and a question, then the recording up to the testservers, a second question, and
the rest of the recording. The recording is always that of change 42, whatever changes are named.

Like scap, this script speaks to SpiderPig if there is a SPIDERPIG_IO_KEY in its environment, and otherwise to a person
at a terminal. It exits with the recorded status; 1 if a person decided against the deployment or could not be asked,
so that nothing that was not deployed looks like a success; 130 if it was interrupted.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

RECORDINGS = Path(__file__).resolve().parent
STOPPED = 1
INTERRUPTED = 130  # what a shell reports for a program that SIGINT ended


class Stopped(Exception):
    """The deployment does not go on; the text says why."""


class SpiderPig:
    """Speaks to SpiderPig: one JSON object a line, with the job's key in it."""

    def __init__(self, key):
        self.key = key

    def send(self, message):
        # The key is the last member, and the line is written at once: this is how scap does it.
        print(json.dumps({**message, "iokey": self.key}), flush=True)

    def ask(self, prompt, choices, default):
        self.send(
            {
                "type": "interaction",
                "subtype": "choices",
                "prompt": prompt,
                "choices": choices,
                "default": default,
            }
        )


class Terminal:
    """Speaks to a person: lines and questions. Status and progress are for a page only."""

    def send(self, message):
        if message["type"] == "line":
            print(message["line"], flush=True)

    def ask(self, prompt, choices, default):
        codes = "/".join(code.upper() if code == default else code for code in choices.values())
        labels = ", ".join(f"{code} = {label}" for label, code in choices.items())
        print(f"{prompt} ({labels}) [{codes}]: ", end="", flush=True)


def choose(io, prompt, choices, default):
    """Asks until the answer is one of the codes in `choices`; an empty answer is the default."""
    while True:
        io.ask(prompt, choices, default)
        answer = sys.stdin.readline() if sys.stdin else ""
        if not answer:
            raise Stopped("Nobody can be asked: standard input is closed.")
        answer = answer.strip() or default
        if answer in choices.values():
            return answer
        io.send({"type": "line", "line": f"{answer!r} is not a choice."})


def replay(io, recording, speed):
    """Sends what was recorded, at its own pace times `speed`. Returns the exit status, if the recording has one."""
    with open(RECORDINGS / recording, encoding="utf-8") as records:
        for record in map(json.loads, records):
            time.sleep(record["gap"] / speed)
            message = record["payload"]
            if message["type"] == "exit":
                return message["status"]
            io.send(message)
    return None


def table(changes):
    """The changes, drawn as scap draws them. No Gerrit is asked: all have the subject of the recorded one."""
    header = ("#", "Project", "Branch", "Subject")
    subject = "testwikis to 1.44.0-wmf.8 (T123123)"
    rows = [(change, "operations/mediawiki-config", "train-dev", subject) for change in changes]
    widths = [max(map(len, column)) for column in zip(header, *rows)]

    def line(left, between, right):
        return left + between.join("─" * (width + 2) for width in widths) + right

    def cells(row):
        return "│" + "│".join(f" {cell:<{width}} " for cell, width in zip(row, widths)) + "│"

    return "\n".join(
        [line("┌", "┬", "┐"), cells(header), line("├", "┼", "┤"), *map(cells, rows), line("└", "┴", "┘")]
    )


def backport(io, changes, speed):
    """The whole deployment. Returns its exit status."""
    question = f"The following changes are scheduled for backport:\n{table(changes)}\nBackport the changes?"
    if choose(io, question, {"Yes": "y", "No": "n"}, default="n") == "n":
        raise Stopped("Backport cancelled.")

    replay(io, "prep_and_testservers_sync.jsonl", speed)

    question = (
        "Changes synced to the testservers. (see https://wikitech.wikimedia.org/wiki/Mwdebug)\n"
        "Please do any necessary checks before continuing.\n\n"
        "Do you want to continue?"
    )
    if choose(io, question, {"Continue": "c", "Roll back": "r"}, default="r") == "r":
        roll_back(io, speed)
        raise Stopped("The changes were rolled back. Nothing was deployed to production.")

    return replay(io, "sync_remainder.jsonl", speed)


def roll_back(io, speed):
    """What scap would do now, in short. This part is made up: the recording is of a deployment that went on."""
    io.send({"type": "status", "status": "Rolling back"})
    for line in ("Rolling back.", "Reverting 1 change(s)", "Started sync-testservers", "Finished sync-testservers"):
        io.send({"type": "line", "line": line})
        time.sleep(1 / speed)


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
    parser.add_argument("changes", nargs="+", metavar="CHANGE", help="number or address of a change in Gerrit")
    parser.add_argument(
        "--speed", type=positive, default=1.0, metavar="FACTOR", help="how many times as fast as it was recorded"
    )
    arguments = parser.parse_args()
    key = os.environ.get("SPIDERPIG_IO_KEY")
    io = SpiderPig(key) if key else Terminal()
    try:
        return backport(io, arguments.changes, arguments.speed)
    except Stopped as stopped:
        reason, status = str(stopped), STOPPED
    except KeyboardInterrupt:
        reason, status = "Interrupted.", INTERRUPTED
    io.send({"type": "status", "status": reason})
    io.send({"type": "line", "line": reason})
    return status


if __name__ == "__main__":
    sys.exit(main())
