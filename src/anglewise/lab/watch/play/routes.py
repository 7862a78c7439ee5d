"""The playground's addresses: its page, its stream, and the requests that start and change a run."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator
from typing import Any

from jinja2 import Environment
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from anglewise.errors import AnglewiseError, SpecError
from anglewise.lab.watch.play.session import Session
from anglewise.lab.watch.play.settings import BUDGETS, MODULI, PRESETS, SLIDERS, WIDTHS, Settings, numbers, settings

LONGEST = 2000
"""Bytes of a request at most."""


class Playground:
    """The playground of a server.

    Args:
        session: What trains; None for one of its own.
    """

    def __init__(self, session: Session | None = None):
        self.session = session or Session()

    def routes(self, templates: Environment) -> list[Route]:
        """Its addresses, the page drawn from `templates`."""

        async def index(request: Request) -> Response:
            known = {
                "sliders": [slider._asdict() for slider in SLIDERS],
                "presets": [preset._asdict() for preset in PRESETS],
                "start": dataclasses.asdict(Settings()),
            }
            sizes = {"moduli": MODULI, "widths": WIDTHS, "budgets": BUDGETS}
            page = templates.get_template("play.html.jinja")
            return HTMLResponse(page.render(known=json.dumps(known), **known, **sizes))

        return [
            Route("/play/", index),
            Route("/play/events", self._events),
            Route("/play/{do}", self._command, methods=["POST"]),
        ]

    async def _events(self, request: Request) -> Response:
        async def stream() -> AsyncIterator[ServerSentEvent]:
            async for message in self.session.messages():
                yield ServerSentEvent(message)

        return EventSourceResponse(stream(), ping=15)

    async def _command(self, request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > LONGEST:
                return PlainTextResponse(f"A request has at most {LONGEST} bytes.", 413)
        try:
            values = json.loads(body or b"{}")
            await self.session.send(command(request.path_params["do"], values))
        except ValueError:
            return PlainTextResponse("Expected a JSON object.", 400)
        except AnglewiseError as error:
            return PlainTextResponse(str(error), 400)
        return Response(status_code=204)

    async def end(self) -> None:
        """End what trains, and wait until it has ended."""
        await self.session.end()


def command(do: str, values: Any) -> dict[str, Any]:
    """The command for the process that a request means, checked before it is handed on.

    Raises:
        SpecError: If there is no such command, or a value is not one of those that may be chosen.

    Example:
        >>> command("set", {"rate": 0.01})
        {'do': 'set', 'rate': 0.01}
    """
    if not isinstance(values, dict):
        raise SpecError(f"expected a JSON object, got {type(values).__name__}")
    match do:
        case "start":
            return {"do": "start", **dataclasses.asdict(settings(values))}
        case "set":
            return {"do": "set", **numbers(values)}
        case "pause" | "go":
            return {"do": do}
        case "slow":
            return {"do": "slow", "on": bool(values.get("on"))}
    raise SpecError(f"the playground has no command {do[:20]!r}: expected start, set, pause, go or slow")
