#!/usr/bin/env python3
"""A stand-in for a single sign-on server that speaks CAS 3.0, for the demo and the tests. Nobody needs a password.

    cas.py [--port N] [--people FILE] [--ticket-seconds N] [--service PREFIX]... [--logout-url URL]

It listens on 127.0.0.1 only, prints the port as its first line, and writes what it is asked to standard error. The
paths of CAS may stand behind any prefix: http://127.0.0.1:PORT/login, .../cas/login. SpiderPig needs

    [auth]
    mode = "cas"
    cas = { server_url = "http://127.0.0.1:PORT" }

    GET  /login?service=URL[&renew=true|&gateway=true]  the form; for who has the cookie TGC, back to URL with a ticket
    POST /login?service=URL    user=NAME                makes that cookie, and goes back to URL with a ticket
    GET  /logout[?service=URL]                          ends it all, and goes to URL
    GET  /p3/serviceValidate?service=URL&ticket=TICKET[&renew=true]    whose ticket it is; also as /serviceValidate

A ticket is good once, for the URL that it was made for, and for --ticket-seconds (10 if left out; with 0 each is too
old). Whoever asks with another URL has used it up. Codes of failures are those of the specification: INVALID_REQUEST,
INVALID_TICKET_SPEC, INVALID_TICKET, INVALID_SERVICE. URL must begin with a --service; without one it must be at
localhost or 127.0.0.1. There are no proxy tickets. When somebody signs out, or in as somebody else, each service that
has taken a ticket of theirs is told, at its URL or at the one of --logout-url: POST logoutRequest=, a LogoutRequest of
SAML whose SessionIndex is the ticket. Nobody waits for that, and it is not tried again.

FILE of --people is a JSON object from names to lists of groups, as PEOPLE below. It is read anew at each request.

Some more may sign in, and for them the answer to /p3/serviceValidate is

    name         answer                                                         SpiderPig says
    -----------  -------------------------------------------------------------  --------------------------------------
    no-groups    without memberOf                                               not authorised
    many         with 1,000 groups, the last of them is deployers               welcome
    comment      with a comment in each value, uid and group                    welcome, with all of the name
    cdata        with each value in CDATA, and characters by number             welcome
    prefix       with another prefix for the same namespace                     welcome
    no-uid       without uid                                                    it lacks uid
    two-uids     with two, the other is alice                                   it has two
    two-users    with two users                                                 it has two
    other-user   with the user alice, and no uid                                it lacks uid
    control      with a line break in uid                                       no user name
    namespace    in another namespace                                           no CAS
    hidden       with uid only in a comment and in another namespace            it lacks uid
    bomb         with entities that grow to gigabytes                           it has a document type declaration
    external     with an entity that is /etc/passwd                             it has a document type declaration
    deep         with 100,000 elements in each other                            too deep
    latin1       in ISO-8859-1                                                  not UTF-8
    broken       breaks off in the middle                                       it ends too early
    short        is shorter than its Content-Length                             cannot be asked
    empty        nothing                                                        it ends too early
    page         a page of HTML                                                 no CAS
    endless      without an end                                                 sent too much
    error        status 500                                                     answered 500
    redirect     a redirection                                                  answered 302
    reset        the connection is reset                                        cannot be asked
    slow         after 30 seconds                                               did not answer
    trickling    one byte each second                                           did not answer
"""

import argparse
import html
import json
import re
import secrets
import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlencode, urlsplit
from urllib.request import urlopen
from xml.sax.saxutils import escape, quoteattr

PEOPLE = {
    "alice": ["deployers"],
    "bob": ["deployers"],
    "ada": ["deployers", "admins"],
    "victor": ["viewers"],
    "mallory": ["gardeners"],
}

NAMESPACE = "http://www.yale.edu/tp/cas"

# The longest form that is read, in bytes.
MAX_FORM = 16384


@dataclass
class Ticket:
    """A service ticket."""

    user: str
    service: str
    made: float
    typed: bool  # whether it is from a form, and not from the cookie
    session: str


class Sessions:
    """Who is signed in here, and which tickets nobody has shown yet."""

    def __init__(self, ticket_seconds):
        self.lock = threading.Lock()
        self.ticket_seconds = ticket_seconds
        self.users = {}
        self.tickets = {}
        self.taken = {}

    def begin(self, user):
        session = f"TGT-{secrets.token_urlsafe(32)}"
        with self.lock:
            self.users[session] = user
        return session

    def user(self, session):
        with self.lock:
            return self.users.get(session)

    def end(self, session):
        """Which tickets of it were taken, and by which services."""
        with self.lock:
            self.users.pop(session, None)
            return self.taken.pop(session, [])

    def ticket(self, user, service, typed, session):
        name = f"ST-{secrets.token_urlsafe(24)}"
        with self.lock:
            self.tickets[name] = Ticket(user, service, time.monotonic(), typed, session)
        return name

    def validate(self, name, service, renew):
        """The ticket, or the code and the words of a failure. In both cases it is used up."""
        if not name or not service:
            return None, ("INVALID_REQUEST", "service and ticket are both needed")
        if not name.startswith("ST-"):
            return None, ("INVALID_TICKET_SPEC", f"Ticket '{name}' is no service ticket")
        with self.lock:
            ticket = self.tickets.pop(name, None)
        if ticket is None or time.monotonic() - ticket.made >= self.ticket_seconds:
            return None, ("INVALID_TICKET", f"Ticket '{name}' not recognized")
        if ticket.service != service:
            return None, ("INVALID_SERVICE", f"Ticket '{name}' does not match supplied service")
        if renew and not ticket.typed:
            return None, ("INVALID_TICKET", f"Ticket '{name}' is not from a new login")
        with self.lock:
            self.taken.setdefault(ticket.session, []).append((name, service))
        return ticket, None


def document(inner, prefix="cas", namespace=NAMESPACE):
    colon = prefix and f":{prefix}"
    return f'<{prefix}:serviceResponse xmlns{colon}="{namespace}">\n{inner}\n</{prefix}:serviceResponse>\n'


def failure(code, words):
    return document(
        f"    <cas:authenticationFailure code={quoteattr(code)}>{escape(words)}</cas:authenticationFailure>"
    )


def success(ticket, attributes, users=None):
    """The answer for a ticket. `attributes` are pairs of a name and the XML of its value."""
    fixed = [("isFromNewLogin", str(ticket.typed).lower()), ("authenticationDate", "2026-03-02T10:00:00Z")]
    lines = [f"            <cas:{name}>{value}</cas:{name}>" for name, value in [*fixed, *attributes]]
    users = [f"        <cas:user>{escape(user)}</cas:user>" for user in users or [ticket.user]]
    parts = [
        "    <cas:authenticationSuccess>",
        *users,
        "        <cas:attributes>",
        *lines,
        "        </cas:attributes>",
        "    </cas:authenticationSuccess>",
    ]
    return document("\n".join(parts))


def of(user, groups):
    """The attributes of somebody."""
    return [("uid", escape(user)), *[("memberOf", escape(group)) for group in groups]]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer({"login": self.login, "logout": self.logout, "serviceValidate": self.service_validate})

    def do_POST(self):
        self.answer({"login": self.sign_in})

    def answer(self, routes):
        address = urlsplit(self.path)
        self.arguments = parse_qs(address.query)
        route = routes.get(address.path.rpartition("/")[2])
        if route is None:
            return self.page(404, "Not found", "<p>There is nothing here.")
        route()

    def argument(self, name):
        return self.arguments.get(name, [""])[0]

    def login(self):
        """GET /login: silently for who is signed in, else with the form."""
        service, user = self.argument("service"), self.server.sessions.user(self.cookie())
        if service and not self.is_ours(service):
            return self.foreign(service)
        if self.argument("renew") == "true":
            user = None
        elif self.argument("gateway") == "true" and service and not user:
            return self.redirect(302, service)
        if not user:
            return self.page(200, "Sign in", self.form())
        if not service:
            return self.page(200, "Signed in", f"<p>You are {html.escape(user)}. <a href='logout'>Sign out</a>")
        self.back(302, service, self.server.sessions.ticket(user, service, False, self.cookie()))

    def sign_in(self):
        """POST /login: what the form sends."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_FORM:
            self.close_connection = True
            return self.page(400, "Bad request", "<p>This is not what the form sends.")
        form = parse_qs(self.rfile.read(int(length)).decode(errors="replace"))
        user = form.get("user", [""])[0]
        service = self.argument("service") or form.get("service", [""])[0]
        if service and not self.is_ours(service):
            return self.foreign(service)
        if user not in self.people() and user not in TROUBLE:
            return self.page(401, "Sign in", f"<p>There is no user {html.escape(repr(user))} here.{self.form()}")
        self.end()
        session = self.server.sessions.begin(user)
        cookie = ("Set-Cookie", f"TGC={session}; Path=/; HttpOnly; SameSite=Lax")
        if not service:
            return self.page(200, "Signed in", f"<p>You are {html.escape(user)}.", [cookie])
        self.back(303, service, self.server.sessions.ticket(user, service, True, session), cookie)

    def logout(self):
        """GET /logout"""
        self.end()
        gone = ("Set-Cookie", "TGC=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax")
        service = self.argument("service")
        if service and self.is_ours(service):
            return self.redirect(302, service, gone)
        self.page(200, "Signed out", "<p>You are signed out of everything.", [gone])

    def end(self):
        """Ends the session of the cookie, and tells those who have taken its tickets."""
        for ticket, service in self.server.sessions.end(self.cookie()):
            address = self.server.logout_url or service
            threading.Thread(target=tell_logout, args=(address, ticket), daemon=True).start()

    def service_validate(self):
        """GET /p3/serviceValidate"""
        renew = self.argument("renew") == "true"
        ticket, problem = self.server.sessions.validate(self.argument("ticket"), self.argument("service"), renew)
        if problem:
            return self.xml(failure(*problem))
        if trouble := TROUBLE.get(ticket.user):
            return trouble(self, ticket)
        self.xml(success(ticket, of(ticket.user, self.people().get(ticket.user, []))))

    def people(self):
        if self.server.file is None:
            return PEOPLE
        with open(self.server.file, encoding="utf-8") as file:
            return json.load(file)

    def cookie(self):
        try:
            cookies = SimpleCookie(self.headers.get("Cookie", ""))
        except CookieError:
            return ""
        return cookies["TGC"].value if "TGC" in cookies else ""

    def is_ours(self, service):
        if re.search(r"[\x00-\x20\x7f]", service):
            return False
        if self.server.services:
            return any(service.startswith(prefix) for prefix in self.server.services)
        try:
            address = urlsplit(service)
        except ValueError:
            return False
        return address.scheme in ("http", "https") and address.hostname in ("localhost", "127.0.0.1")

    def foreign(self, service):
        self.page(403, "Not registered", f"<p>This service may not be signed in to: {html.escape(service)}")

    def back(self, status, service, ticket, *headers):
        """To the service with a ticket, behind what its address has already."""
        address = service.partition("#")[0]
        separator = "&" if "?" in address else "?"
        self.redirect(status, f"{address}{separator}ticket={quote(ticket)}", *headers)

    def redirect(self, status, address, *headers):
        # Headers are ASCII.
        location = quote(address, safe="!#$%&'()*+,/:;=?@[]~")
        self.send(status, "text/plain; charset=utf-8", b"", [("Location", location), *headers])

    def form(self):
        """A button for everybody. What it sends goes to the address that the form is at, with its query."""
        button = "<button name=user value='{0}'>{0}</button>\n".format
        well = "".join(button(html.escape(name, quote=True)) for name in self.people())
        ill = "".join(button(name) for name in TROUBLE)
        return f"<form method=post><p>{well}<details><summary>Trouble</summary><p>{ill}</details></form>"

    def page(self, status, title, body, headers=()):
        start = "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        note = "<p>This stands in for a single sign-on server. Nobody needs a password."
        text = f"{start}<title>{title}</title><h1>{title}</h1>{note}{body}\n"
        self.send(status, "text/html; charset=utf-8", text.encode(), headers)

    def xml(self, text, encoding="utf-8"):
        self.send(200, "application/xml", text.encode(encoding))

    def send(self, status, content_type, body, headers=()):
        self.send_response(status)
        fixed = [("Content-Type", content_type), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
        for name, value in [*fixed, *headers]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def begin(self, *headers):
        """A response whose body is written by hand, and ends with the connection."""
        self.close_connection = True
        self.send_response(200)
        for name, value in [("Content-Type", "application/xml"), ("Connection", "close"), *headers]:
            self.send_header(name, value)
        self.end_headers()


def tell_logout(address, ticket):
    request = (
        '<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" '
        f'ID="LR-{secrets.token_hex(8)}" Version="2.0" IssueInstant="{time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}">'
        '<saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">@NOT_USED@</saml:NameID>'
        f"<samlp:SessionIndex>{escape(ticket)}</samlp:SessionIndex></samlp:LogoutRequest>"
    )
    try:
        urlopen(address, urlencode({"logoutRequest": request}).encode(), timeout=5).close()
    except (OSError, ValueError) as error:
        print(f"{address} was not told of a logout: {error}", file=sys.stderr)


def usual(handler, ticket):
    """What would be answered if all were well."""
    handler.xml(success(ticket, of(ticket.user, ["deployers"])))


def with_attributes(make):
    return lambda handler, ticket: handler.xml(success(ticket, make(ticket.user)))


def changed(change):
    """The usual answer with a change of its text."""
    return lambda handler, ticket: handler.xml(change(success(ticket, of(ticket.user, ["deployers"]))))


def with_entities(doctype):
    return lambda handler, ticket: handler.xml(
        f'<?xml version="1.0"?>\n<!DOCTYPE x [{doctype}]>\n' + success(ticket, [("uid", "&name;")])
    )


def by_number(text):
    return "".join(f"&#{ord(character)};" for character in text)


def slow(handler, ticket):
    time.sleep(30)
    usual(handler, ticket)


def trickling(handler, ticket):
    handler.begin()
    for byte in success(ticket, of(ticket.user, ["deployers"])).encode():
        handler.wfile.write(bytes([byte]))
        time.sleep(1)


def endless(handler, _):
    handler.begin()
    while True:
        handler.wfile.write(b"<!--" + b" " * 65536)


def short(handler, ticket):
    body = success(ticket, of(ticket.user, ["deployers"])).encode()
    handler.begin(("Content-Length", str(len(body) + 1000)))
    handler.wfile.write(body)


def reset(handler, _):
    handler.close_connection = True
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # The handler holds two more copies of the connection, and only the last close is one.
    handler.wfile.close()
    handler.rfile.close()
    handler.connection.close()


LAUGHS = "".join(
    f"<!ENTITY {name} '{f'&{before};' * 10}'>" for before, name in zip("abcdefghi", [*"bcdefghi", "name"])
)
HIDDEN = "<!-- <cas:uid>alice</cas:uid> --><x:uid xmlns:x='urn:x'>alice</x:uid>"

TROUBLE = {
    "no-groups": with_attributes(lambda user: of(user, [])),
    "many": with_attributes(lambda user: of(user, [*(f"group-{n:03}" for n in range(999)), "deployers"])),
    "comment": with_attributes(lambda user: [("uid", "comm<!-- -->ent"), ("memberOf", "<!-- -->deploy<!-- -->ers")]),
    "cdata": with_attributes(lambda user: [("uid", "<![CDATA[cdata]]>"), ("memberOf", by_number("deployers"))]),
    "prefix": changed(lambda text: text.replace("cas:", "sso:").replace("xmlns:cas", "xmlns:sso")),
    "no-uid": with_attributes(lambda user: [("memberOf", "deployers")]),
    "two-uids": with_attributes(lambda user: [("uid", "alice"), *of(user, ["deployers"])]),
    "two-users": lambda handler, ticket: handler.xml(
        success(ticket, of(ticket.user, ["deployers"]), ["alice", ticket.user])
    ),
    "other-user": lambda handler, ticket: handler.xml(success(ticket, [("memberOf", "deployers")], ["alice"])),
    "control": with_attributes(lambda user: [("uid", "control&#10;alice"), ("memberOf", "deployers")]),
    "namespace": changed(lambda text: text.replace(NAMESPACE, "urn:elsewhere")),
    "hidden": changed(lambda text: re.sub("<cas:uid>.*</cas:uid>", HIDDEN, text)),
    "bomb": with_entities(f"<!ENTITY a 'ha'>{LAUGHS}"),
    "external": with_entities("<!ENTITY name SYSTEM 'file:///etc/passwd'>"),
    "deep": changed(lambda text: text.replace("<cas:uid>", "<x>" * 100_000 + "</x>" * 100_000 + "<cas:uid>")),
    "latin1": lambda handler, ticket: handler.xml(
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n' + success(ticket, of("latín1", ["deployers"])), "iso-8859-1"
    ),
    "broken": changed(lambda text: text[: text.index("</cas:uid>")]),
    "short": short,
    "empty": lambda handler, _: handler.xml(""),
    "page": lambda handler, _: handler.page(200, "Sign in", handler.form()),
    "endless": endless,
    "error": lambda handler, _: handler.page(500, "Internal server error", "<p>Something is odd."),
    "redirect": lambda handler, _: handler.redirect(302, "https://elsewhere.example/login"),
    "reset": reset,
    "slow": slow,
    "trickling": trickling,
}


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request, client_address):
        # Whoever went away before the end of a broken answer is no news; all else is.
        if not isinstance(sys.exc_info()[1], (OSError, ValueError)):
            super().handle_error(request, client_address)


def main():
    arguments = argparse.ArgumentParser(description="A stand-in for a CAS server.")
    arguments.add_argument("--port", type=int, default=0, help="where to listen; a free port if left out")
    arguments.add_argument("--people", metavar="FILE", help="other names and groups, as JSON")
    arguments.add_argument("--ticket-seconds", type=float, default=10, help="how long a ticket is good")
    arguments.add_argument("--service", action="append", default=[], metavar="PREFIX", help="who may be signed in to")
    arguments.add_argument("--logout-url", metavar="URL", help="where services are told that somebody has signed out")
    options = arguments.parse_args()
    server = Server(("127.0.0.1", options.port), Handler)
    server.file = options.people
    server.services = options.service
    server.logout_url = options.logout_url
    server.sessions = Sessions(options.ticket_seconds)
    print(server.server_address[1], flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
