"""Lets a job that is written in Python ask people, and say how far it is. Copy this file beside your script.

It needs nothing but Python. In SpiderPig, each call prints a message of the job protocol, which docs/writing-a-job.md
of this repository describes. Elsewhere the same calls talk to a person at a terminal.
"""

import json
import os
import sys

# A secret of this job. SpiderPig removes it from all that it stores.
_KEY = os.environ.get("SPIDERPIG_IO_KEY")


class NobodyAnswers(Exception):
    """Standard input ended before the question was answered."""


def line(text, sensitive=False):
    """Writes a line to the log; a sensitive one is hidden from people unless they ask for it."""
    _tell({"type": "line", "line": text, "sensitive": sensitive}, text)


def status(text):
    """Says what the job is doing. It begins a new phase, and clears the progress; None: nothing in particular."""
    _tell({"type": "status", "status": text}, text)


def progress(name, done, total, failed=0):
    """Says how many of how many things are done. `done` includes those that failed."""
    members = {
        "name": name,
        "totalTasks": total,
        "tasksInFlight": None,
        "tasksFinishedOk": done - failed,
        "tasksFinishedFailed": failed,
        "tasksFinishedTotal": done,
        "tasksPercentComplete": min(100, 100 * done // total) if total else 100,
        "tasksRemaining": max(0, total - done),
        "progressFinished": done >= total,
    }
    _tell({"type": "progress", "progress": members}, f"{name}: {done} of {total}")


def ask(prompt):
    """Asks for one line of text, which may be empty, and returns it."""
    _tell({"type": "interaction", "subtype": "input_line", "prompt": prompt}, f"{prompt}: ", end="")
    return _read_line()


def choose(prompt, choices, default=None):
    """Asks to choose one of `choices`, {label: code}, and returns its code; an empty answer is `default`."""
    message = {
        "type": "interaction",
        "subtype": "choices",
        "prompt": prompt,
        "choices": choices,
        "default": default,
    }
    labels = "".join(f"[{code}] {label}\n" for label, code in choices.items())
    hint = "" if default is None else f" (default: [{default}])"
    while True:
        _tell(message, f"{labels}{prompt}{hint}: ", end="")
        answer = _read_line() or default
        if answer in choices.values():
            return answer
        line(f"Answer one of: {', '.join(choices.values())}")


def _tell(message, text, end="\n"):
    """Prints the message for SpiderPig, or the text for a person: at once, so that nothing comes between."""
    if _KEY:
        text, end = json.dumps({**message, "iokey": _KEY}), "\n"
    if text is not None:
        sys.stdout.write(text + end)
        sys.stdout.flush()


def _read_line():
    """Reads up to the newline and no further: what comes after it belongs to whoever asks next."""
    answer = bytearray()
    while not answer.endswith(b"\n"):
        byte = os.read(sys.stdin.fileno(), 1) if sys.stdin else b""
        if not byte:
            raise NobodyAnswers("Standard input ended before the question was answered.")
        answer += byte
    return answer.decode(errors="replace").strip()
