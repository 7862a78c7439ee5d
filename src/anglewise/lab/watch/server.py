"""The web application: the page, its files, its increments, a run in depth, and the report as it stands.

It is served by uvicorn.  Everything but the playground answers to GET alone and writes nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import uvicorn
from jinja2 import Environment, PackageLoader, StrictUndefined
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from anglewise.errors import AnglewiseError
from anglewise.lab.report.html.experiment import page
from anglewise.lab.report.results import load
from anglewise.lab.store import Reader
from anglewise.lab.watch.hub import Hub
from anglewise.lab.watch.network import network
from anglewise.lab.watch.play.routes import Playground
from anglewise.lab.watch.security import REPORT, Guard, secret_for

MOST_SHOWN = 2
"""Experiments that a page shows side by side."""


def application(hub: Hub, secret: str, *, play: Playground | None = None) -> Any:
    """The whole application behind its secret.

    Args:
        hub: Reads the stores.
        secret: First part of every address.
        play: The playground; None for none.
    """
    templates = Environment(
        loader=PackageLoader("anglewise.lab.watch", "page"), undefined=StrictUndefined, autoescape=True,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip

    async def index(request: Request) -> Response:
        return HTMLResponse(templates.get_template("index.html.jinja").render(play=play is not None))

    async def events(request: Request) -> Response:
        keys = list(dict.fromkeys(request.query_params.getlist("show")))[:MOST_SHOWN]
        name = request.headers.get("last-event-id") or request.query_params.get("since", "")

        async def stream() -> AsyncIterator[ServerSentEvent]:
            async for event in hub.events(keys, hub.known(name)):
                yield ServerSentEvent(event.data, id=event.id)

        return EventSourceResponse(stream(), ping=15)

    async def in_depth(request: Request) -> Response:
        one = await run_in_threadpool(hub.experiment, request.query_params.get("show", ""))
        run_id = request.query_params.get("run", "")
        planned = next((run for run in one.manifest.runs if run.run_id == run_id), None) if one else None
        if one is None or planned is None:
            return _unknown("run")
        try:
            return JSONResponse(await run_in_threadpool(network, one.root, one.manifest, planned))
        except AnglewiseError as error:
            return PlainTextResponse(str(error), 409)

    async def report(request: Request) -> Response:
        one = await run_in_threadpool(hub.experiment, request.query_params.get("show", ""))
        if one is None:
            return _unknown("experiment")

        def drawn() -> str:
            return page(load(Reader(one.root), one.manifest.experiment_id))

        try:
            text = await run_in_threadpool(drawn)
        except AnglewiseError as error:
            return PlainTextResponse(str(error), 409)
        save = {"content-disposition": 'attachment; filename="report.html"'} if "save" in request.query_params else {}
        return HTMLResponse(text, headers={"content-security-policy": REPORT, **save})

    routes = [
        Route("/", index),
        Route("/files/{name}", _file),
        Route("/events", events),
        Route("/network", in_depth),
        Route("/report", report),
    ]
    return Guard(
        Starlette(routes=[*routes, *(play.routes(templates) if play else ())]), secret, ("/play/",) if play else ()
    )


async def _file(request: Request) -> Response:
    """A file of the page: a script or a style sheet."""
    name = request.path_params["name"]
    kind = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}.get(Path(name).suffix)
    path = files("anglewise.lab.watch") / "page" / name
    if kind is None or not path.is_file():
        return _unknown("file")
    return Response(path.read_bytes(), media_type=kind)


def _unknown(what: str) -> Response:
    return PlainTextResponse(f"There is no such {what} here.", 404)


def bound(port: int | None, usual: int) -> socket.socket:
    """A socket of this machine alone.

    Args:
        port: Which; 0 for any that is free, None for the usual one, or any where it is taken.
        usual: The usual one.

    Raises:
        AnglewiseError: If the port is taken.
    """
    for one in [usual, 0] if port is None else [port]:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", one))
            return sock
        except OSError as error:
            sock.close()
            if port is not None:
                raise AnglewiseError(
                    f"cannot listen on port {port}: {error.strerror}; choose another --port"
                ) from error
    raise AnglewiseError("no port of this machine is free: close a program that listens, and try again")


class Server:
    """A server that is ready to run, and its address.

    Args:
        places: Stores, and folders of stores.
        port: As for :func:`bound`.
        usual: As for :func:`bound`.
        play: Whether the playground is there.
    """

    def __init__(self, places: tuple[Path, ...], *, port: int | None = None, usual: int = 8765, play: bool = False):
        self.socket = bound(port, usual)
        number = self.socket.getsockname()[1]
        secret = secret_for(number, places)
        self.address = f"http://127.0.0.1:{number}/{secret}/"
        self.playground = Playground() if play else None
        self.hub = Hub(places)
        config = uvicorn.Config(
            application(self.hub, secret, play=self.playground), log_level="critical", access_log=False,
            timeout_graceful_shutdown=1, lifespan="off", server_header=False,
        )  # fmt: skip
        self.server = uvicorn.Server(config)

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until interrupted; `ready` is called once requests are answered."""

        async def serve() -> None:
            task = asyncio.create_task(self.server.serve(sockets=[self.socket]))
            try:
                while not self.server.started and not task.done():
                    await asyncio.sleep(0.01)
                ready()
                await task
            finally:
                if self.playground is not None:
                    await self.playground.end()

        try:
            asyncio.run(serve())
        except KeyboardInterrupt:
            pass
        finally:
            self.socket.close()
