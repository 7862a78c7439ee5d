"""Who may talk to the server: pages that know its secret, on this machine, and nobody else.

A secret stands in the address, and every other address is unknown.  The ``Host`` of a request must be this machine, so
that a foreign page whose name is made to point here learns nothing.  Requests that change something must come from a
page of this server.  The content security policy lets a page load its own files alone, and run no script of a name.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anglewise.errors import printable

KEY = 32
"""Bytes of the key."""
HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
REPORT = "sandbox allow-scripts allow-downloads"
"""Policy of a report: a page of its own, whose scripts reach nothing of this server; its own policy says the rest."""


def secret_for(port: int, places: tuple[Path, ...]) -> str:
    """The secret of a server's address: the same when it starts again, so that an open page finds it again.

    It is a keyed hash of what is served.  The key is a file that only the user can read.

    Args:
        port: The server's.
        places: What it shows.
    """
    text = "\0".join([str(port), *(str(place.resolve()) for place in places)])
    return hmac.new(_key(), text.encode(errors="surrogateescape"), hashlib.sha256).hexdigest()[:32]


def _key() -> bytes:
    """The user's key, made where there is none; one for this start alone where no file can be had."""
    with contextlib.suppress(OSError):
        path = _folder() / "watch.key"
        known = path.read_bytes()
        if len(known) == KEY and path.stat().st_mode & 0o077 == 0 and path.stat().st_uid == os.getuid():
            return known
    key = secrets.token_bytes(KEY)
    private_file("watch.key", key)
    return key


def private_file(name: str, content: bytes) -> Path | None:
    """Write a file that only the user can read, in the user's folder of states; None where that is not possible."""
    path = _folder() / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = path.with_name(f"{name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        os.replace(beside, path)
    except OSError:
        return None
    return path


def _folder() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "anglewise"


def host_is_here(host: str) -> bool:
    """Whether a ``Host`` header names this machine, whatever its port: it may be forwarded.

    Example:
        >>> [host_is_here(h) for h in ("127.0.0.1:80", "localhost", "[::1]:80", "evil.example:80", "127.0.0.1.evil")]
        [True, True, True, False, False]
    """
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower() in HOSTS


def same_origin(headers: Mapping[str, str]) -> bool:
    """Whether a request comes from a page of the server that it is sent to.

    Example:
        >>> page = {"host": "localhost:80", "origin": "http://localhost:80"}
        >>> same_origin(page), same_origin({**page, "origin": "http://localhost:81"}), same_origin({"host": "here"})
        (True, False, False)
    """
    site = headers.get("sec-fetch-site", "same-origin")
    return headers.get("origin") == f"http://{headers.get('host')}" and site == "same-origin"


class Guard:
    """An application behind its secret: what it lets through begins behind the secret.

    Args:
        app: An ASGI application.
        secret: First part of every address.
        changing: Beginnings of addresses at which a POST is allowed.
    """

    def __init__(self, app: Any, secret: str, changing: tuple[str, ...] = ()):
        self.app, self.secret, self.changing = app, secret, changing

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        _, given, *rest = scope["path"].split("/", 2) if scope["path"].count("/") > 1 else ("", "", "")
        path = "/" + (rest[0] if rest else "")
        if not host_is_here(headers.get("host", "")):
            await _refuse(send, 403, "This address is served to this machine alone: open it as 127.0.0.1 or localhost.")
        elif not hmac.compare_digest(given.encode(errors="replace"), self.secret.encode()):
            await _refuse(send, 404, "Unknown address: take the whole one that anglewise watch printed.")
        elif scope["method"] not in ("GET", "HEAD") and not (
            scope["method"] == "POST" and path.startswith(self.changing) and same_origin(headers)
        ):
            await _refuse(send, 403, "This page is read only.")
        else:
            await self.app({**scope, "path": path, "raw_path": path.encode()}, receive, _hardened(send))


def _hardened(send: Any) -> Any:
    """Adds the headers that every answer has, where it does not have its own."""

    async def wrapped(message: Any) -> None:
        if message["type"] == "http.response.start":
            given = list(message.get("headers", ()))
            names = {name.lower() for name, _ in given}
            more = [(n.encode(), value.encode()) for n, value in HEADERS.items() if n.encode() not in names]
            message = {**message, "headers": [*given, *more]}
        await send(message)

    return wrapped


async def _refuse(send: Any, status: int, text: str) -> None:
    body = (printable(text) + "\n").encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    headers += [(name.encode(), value.encode()) for name, value in HEADERS.items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
