#!/usr/bin/env python3
"""A stand-in for Gerrit, for the demo and the tests: it answers what SpiderPig asks of one without signing in.

    gerrit.py [--port N] [--changes FILE] [--certificate FILE]

It listens on 127.0.0.1 only, prints the port as its first line, and writes what it is asked to standard error. The
paths of Gerrit may stand behind any prefix: http://127.0.0.1:PORT/r/changes/?q=change:42, .../r/c/42.

FILE of --changes is a JSON list of more changes, each an object with the members of `Change` below, of which `number`
and `subject` are needed. It is read anew at each request, and what is in it goes before the cast. With --certificate
(a PEM file with key and certificate) it speaks TLS.

The cast:

    number   what it is                                                  SpiderPig's preflight says
    -------  ----------------------------------------------------------  -----------------------------------------
    42       good: operations/mediawiki-config, master                   nothing
    43       good: mediawiki/core, wmf/1.46.0-wmf.3, depends on 42       nothing with 42; alone dependency_open
    101      abandoned                                                   abandoned
    102      work in progress                                            work_in_progress
    103      in conflict with its branch                                 not_mergeable
    104      Verified-1                                                  verified_negative
    105      Code-Review-2                                               review_negative
    106      depends on 107, by its address                              dependency_open, unless 107 is chosen too
    107      good: mediawiki/core, wmf/1.46.0-wmf.3                      nothing
    108      depends on 101, which is abandoned                          dependency_abandoned
    109,110  depend on each other                                        dependency_cycle
    111      its parent in Git is 107                                    dependency_open, unless 107 is chosen too
    112      depends on 113, which depends on 107, both are open         dependency_open, twice
    201      merged                                                      merged
    202      nobody has voted Verified                                   verified_missing
    203      nobody has voted Code-Review                                review_missing
    204      Code-Review-1                                               review_low
    205      on the branch sandbox/experiment                            branch
    206      depends on a change that Gerrit does not know               dependency_unknown
    207      whether it is mergeable is answered with 500                mergeable_unknown
    208      whether it is mergeable is answered with 409                mergeable_unknown
    209      its parents in Git are answered with 500                    dependency_unknown
    210      good, with HTML in its subject and its message              nothing
    301-330  each depends on the next one, all are open                  301: dependency_open, chain_long
    901      answers after 30 seconds                                    Gerrit does not answer
    902      a page of HTML                                              Gerrit sent no JSON
    903      status 500                                                  Gerrit answered 500
    904      JSON that breaks off in the middle                          Gerrit sent no JSON
    905      JSON without the prefix that Gerrit's has                   Gerrit sent no JSON
    906      the connection is reset                                     Gerrit cannot be asked
    907      a body without an end                                       Gerrit sent too much
    908      a redirection                                               Gerrit answered 302
    909      a body of which one byte comes each second                  Gerrit does not answer
    910      JSON, but not a list of changes                             Gerrit sent JSON of another form
    911      less than its Content-Length says                           Gerrit broke off
    others   unknown                                                     unknown
"""

import argparse
import hashlib
import html
import json
import re
import socket
import ssl
import struct
import sys
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

WMF = "wmf/1.46.0-wmf.3"
PREFIX = b")]}'\n"


def change_id(number):
    """The I-hash of a change of the cast."""
    return "I" + hashlib.sha1(b"change %d" % number).hexdigest()


def commit(number):
    """The hash of the current patch set of a change of the cast."""
    return hashlib.sha1(b"commit %d" % number).hexdigest()


@dataclass
class Change:
    """One change. `message` stands between subject and Change-Id; {gerrit} in it becomes the address of this server."""

    number: int
    subject: str
    project: str = "mediawiki/core"
    branch: str = WMF
    status: str = "NEW"
    owner: str = "Alice Example"
    message: str = ""
    work_in_progress: bool = False
    mergeable: object = True  # or the status that is answered instead
    verified: list = field(default_factory=lambda: [2])  # the votes
    code_review: list = field(default_factory=lambda: [2])
    parent: int = 0  # a change, or 0 for a commit of the branch
    related: int = 200  # the status with which the parents are answered
    change_id: str = ""  # that of the cast if left out

    def __post_init__(self):
        self.change_id = self.change_id or change_id(self.number)

    def commit_message(self, gerrit):
        text = self.message.replace("{gerrit}", gerrit).rstrip()
        return f"{self.subject}\n\n{text}{text and chr(10)}Change-Id: {self.change_id}\n"

    def info(self, options, gerrit):
        """A ChangeInfo, with as much in it as was asked for."""
        info = {
            "id": f"{self.project.replace('/', '%2F')}~{self.number}",
            "project": self.project,
            "branch": self.branch,
            "change_id": self.change_id,
            "subject": self.subject,
            "status": self.status,
            "created": "2026-03-02 10:00:00.000000000",
            "updated": "2026-03-03 11:30:00.000000000",
            "insertions": 12,
            "deletions": 3,
            "_number": self.number,
            "owner": {"_account_id": 1000 + self.number},
        }
        if self.work_in_progress:
            info["work_in_progress"] = True
        if "DETAILED_ACCOUNTS" in options:
            info["owner"] |= {"name": self.owner, "username": self.owner.split()[0].lower()}
        if options & {"LABELS", "DETAILED_LABELS"}:
            detailed = "DETAILED_LABELS" in options
            votes = {"Verified": self.verified, "Code-Review": self.code_review}
            info["labels"] = {name: label(values, detailed) for name, values in votes.items()}
        if options & {"CURRENT_REVISION", "ALL_REVISIONS"}:
            info["current_revision"] = commit(self.number)
            revision = {"kind": "REWORK", "_number": 1, "ref": f"refs/changes/{self.number % 100:02}/{self.number}/1"}
            if options & {"CURRENT_COMMIT", "ALL_COMMITS"}:
                revision["commit"] = self.commit(gerrit)
            info["revisions"] = {commit(self.number): revision}
        return info

    def commit(self, gerrit):
        """A CommitInfo."""
        person = {"name": self.owner, "email": "alice@example.org", "date": "2026-03-02 10:00:00.000000000", "tz": 0}
        parent = commit(self.parent) if self.parent else hashlib.sha1(self.branch.encode()).hexdigest()
        return {
            "parents": [{"commit": parent, "subject": "What was there before"}],
            "author": person,
            "committer": person,
            "subject": self.subject,
            "message": self.commit_message(gerrit),
        }

    def relation(self, gerrit):
        """A RelatedChangeAndCommitInfo."""
        return {
            "project": self.project,
            "change_id": self.change_id,
            "commit": {"commit": commit(self.number)} | self.commit(gerrit),
            "_change_number": self.number,
            "_revision_number": 1,
            "_current_revision_number": 1,
            "status": self.status,
        }


def label(votes, detailed):
    """A LabelInfo of a label from -2 to +2."""
    words = {2: "approved", -2: "rejected", 1: "recommended", -1: "disliked"}
    info = {words[vote]: {"_account_id": 1} for vote in votes if vote}
    if detailed:
        values = {"-2": "Do not submit", "-1": "Not like this", " 0": "No score", "+1": "Good", "+2": "Approved"}
        info |= {"values": values, "default_value": 0}
        if votes:
            info["all"] = [{"value": vote, "_account_id": 1 + place} for place, vote in enumerate(votes)]
    return info


GOOD_MESSAGE = f"Nobody had noticed until now.\n\nBug: T123456\nBug: T123457\nReverts: {change_id(7)}\n"

CAST = [
    Change(42, "Enable the new skin on group 0", "operations/mediawiki-config", "master", message=GOOD_MESSAGE),
    Change(43, "Skin: do not ask twice", message=f"Bug: T123456\nDepends-On: {change_id(42)}\n"),
    Change(101, "An idea that was given up", status="ABANDONED"),
    Change(102, "Not yet finished", work_in_progress=True),
    Change(103, "In conflict with its branch", mergeable=False),
    Change(104, "Breaks the tests", verified=[-1]),
    Change(105, "Must not be merged", code_review=[1, -2]),
    Change(106, "Needs another change", message="Depends-On: {gerrit}c/mediawiki/core/+/107\n"),
    Change(107, "Is needed by others", message="Bug: T7\n"),
    Change(108, "Needs what was given up", message=f"Depends-On: {change_id(101)}\n"),
    Change(109, "The hen", message=f"Depends-On: {change_id(110)}\n"),
    Change(110, "The egg", message=f"Depends-On: {change_id(109)}\n"),
    Change(111, "Stands on another change", parent=107),
    Change(112, "Needs what needs another", message=f"Depends-On: {change_id(113)}\n"),
    Change(113, "Needs another, and is needed", message=f"Depends-On: {change_id(107)}\n"),
    Change(201, "Is merged already", status="MERGED"),
    Change(202, "Nobody has tested it", verified=[]),
    Change(203, "Nobody has read it", code_review=[]),
    Change(204, "Somebody does not like it", code_review=[-1]),
    Change(205, "An experiment", branch="sandbox/experiment"),
    Change(206, "Needs what nobody knows", message=f"Depends-On: {change_id(999)}\n"),
    Change(207, "Nobody knows whether it can be merged", mergeable=500),
    Change(208, "Its branch has no such state", mergeable=409),
    Change(209, "Nobody knows its parents", related=500),
    Change(210, 'Escape <b>bold</b> & "quotes" – naïvely 🕷', message="<script>alert('T1')</script>\n\nBug: T210\n"),
]
CAST += [Change(n, f"Link {n - 300} of a chain", message=f"Depends-On: {change_id(n + 1)}\n") for n in range(301, 330)]
CAST += [Change(330, "The last link of a chain")]
CAST += [Change(n, "Trouble") for n in range(901, 912)]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        address = urlsplit(self.path)
        _, found, rest = address.path.partition("/changes/")
        prefix = re.split("/(?:changes|c|q|[0-9]+)(?:/|$)", address.path)[0].rstrip("/")
        self.gerrit = f"{self.server.scheme}://{self.headers.get('Host', 'localhost')}{prefix}/"
        arguments = parse_qs(address.query)
        if not found:
            self.page(address.path)
        elif not rest:
            self.search(arguments)
        else:
            self.about_one(unquote(rest).split("/"), arguments)

    def search(self, arguments):
        """GET /changes/?q=..."""
        wanted = arguments.get("q", [""])[0].removeprefix("change:")
        number = int(wanted) if re.fullmatch("[1-9][0-9]{0,8}", wanted) else None
        if trouble := TROUBLE.get(number):
            return trouble(self)
        options = set(arguments.get("o", []))
        found = [change for change in self.changes() if number == change.number or wanted == change.change_id]
        self.json([change.info(options, self.gerrit) for change in found])

    def about_one(self, path, arguments):
        """GET /changes/N, /changes/N/detail, /changes/N/revisions/current/mergeable, .../related"""
        number = path[0].rpartition("~")[2]
        change = next((change for change in self.changes() if str(change.number) == number), None)
        if change is None:
            return self.text(404, f"Not found: {path[0]}")
        match path[1:]:
            case [] | ["detail"]:
                options = {"DETAILED_LABELS", "DETAILED_ACCOUNTS"} if path[1:] else set()
                self.json(change.info(options | set(arguments.get("o", [])), self.gerrit))
            case ["revisions", "current", "mergeable"]:
                if change.status != "NEW":
                    return self.text(409, f"change is {change.status.lower()}")
                if not isinstance(change.mergeable, bool):
                    return self.text(change.mergeable, "something about this change is odd")
                self.json({"submit_type": "MERGE_IF_NECESSARY", "mergeable": change.mergeable})
            case ["revisions", "current", "related"]:
                if change.related != 200:
                    return self.text(change.related, "something about this change is odd")
                self.json({"changes": self.related(change)})
            case _:
                self.text(404, "Not Found")

    def related(self, change):
        """The change and those below it, if there are any, as Gerrit has them: the newest first."""
        known = {each.number: each for each in self.changes()}
        chain = [change]
        while chain[-1].parent in known and len(chain) < 100:
            chain.append(known[chain[-1].parent])
        return [each.relation(self.gerrit) for each in chain] if len(chain) > 1 else []

    def changes(self):
        if self.server.file is None:
            return CAST
        with open(self.server.file, encoding="utf-8") as file:
            more = [Change(**each) for each in json.load(file)]
        numbers = {change.number for change in more}
        return more + [change for change in CAST if change.number not in numbers]

    def page(self, path):
        """What a person gets who follows a link."""
        number = re.search(r"/(?:c|\+)/(\d+)|^/(?:r/)?(\d+)", path)
        number = number and int(number[1] or number[2])
        change = next((change for change in self.changes() if change.number == number), None)
        said = change.commit_message(self.gerrit) if change else path
        body = f"<!doctype html><title>Not Gerrit</title><p>This stands in for Gerrit.<pre>{html.escape(said)}</pre>"
        self.send(200, "text/html; charset=utf-8", body.encode())

    def json(self, value):
        self.send(200, "application/json; charset=utf-8", PREFIX + json.dumps(value).encode() + b"\n")

    def text(self, status, text):
        self.send(status, "text/plain; charset=utf-8", text.encode())

    def send(self, status, content_type, body, headers=()):
        self.send_response(status)
        for name, value in [("Content-Type", content_type), ("Content-Length", str(len(body))), *headers]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def begin(self, *headers):
        """A response whose body is written by hand, and ends with the connection."""
        self.close_connection = True
        self.send_response(200)
        for name, value in [("Content-Type", "application/json; charset=utf-8"), ("Connection", "close"), *headers]:
            self.send_header(name, value)
        self.end_headers()


def slow(handler):
    time.sleep(30)
    handler.json([])


def reset(handler):
    handler.close_connection = True
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # The handler holds two more copies of the connection, and only the last close is one.
    handler.wfile.close()
    handler.rfile.close()
    handler.connection.close()


def endless(handler):
    handler.begin()
    while True:
        handler.wfile.write(PREFIX + b" " * 65536)


def trickling(handler):
    handler.begin()
    for byte in PREFIX + b"[" + b" " * 600 + b"]":
        handler.wfile.write(bytes([byte]))
        time.sleep(1)


def short(handler):
    handler.begin(("Content-Length", "1000"))
    handler.wfile.write(PREFIX + b"[]")


TROUBLE = {
    901: slow,
    902: lambda handler: handler.send(200, "text/html", b"<!doctype html><title>Sign in</title><p>Please sign in"),
    903: lambda handler: handler.text(500, "Internal server error"),
    904: lambda handler: handler.send(200, "application/json", PREFIX + b'[{"_number": 904, "subject": "Tro'),
    905: lambda handler: handler.send(200, "application/json", b'[{"_number": 905, "subject": "Trouble"}]'),
    906: reset,
    907: endless,
    908: lambda handler: handler.send(302, "text/plain", b"", [("Location", "https://elsewhere.example/login")]),
    909: trickling,
    910: lambda handler: handler.json({"changes": 7}),
    911: short,
}


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True
    scheme = "http"
    file = None

    def handle_error(self, request, client_address):
        # Whoever went away before the end of a broken answer is no news; all else is.
        if not isinstance(sys.exc_info()[1], (OSError, ValueError)):
            super().handle_error(request, client_address)


def main():
    arguments = argparse.ArgumentParser(description="A stand-in for Gerrit.")
    arguments.add_argument("--port", type=int, default=0, help="where to listen; a free port if left out")
    arguments.add_argument("--changes", metavar="FILE", help="more changes, as JSON")
    arguments.add_argument("--certificate", metavar="FILE", help="speak TLS, with this key and certificate (PEM)")
    options = arguments.parse_args()
    server = Server(("127.0.0.1", options.port), Handler)
    server.file = options.changes
    if options.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.scheme = "https"
    print(server.server_address[1], flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
