"""The playground's process: started when somebody looks, ended soon after nobody does.  There is one at most.

Frames are handed to every page that looks.  A page that comes later is first told what the run is and where it stands.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from typing import Any

ALONE = 5.0
"""Seconds without a page after which training ends."""
LONGEST = 900.0
"""Seconds after its beginning at which a run is ended, whoever looks."""
BEHIND = 200
"""Messages that wait for a page; the oldest go first where it does not keep up."""
LINE = 1 << 20
"""Bytes of a message at most."""


class Session:
    """The process and the pages that look at it.

    Args:
        alone: Seconds without a page after which it ends.
        longest: Seconds after which a run is ended.
        command: What is started; None for the worker.
    """

    def __init__(self, *, alone: float = ALONE, longest: float = LONGEST, command: list[str] | None = None):
        self.alone, self.longest = alone, longest
        self.command = command or [sys.executable, "-m", "anglewise.lab.watch.play.worker"]
        self.process: Process | None = None
        self.pages: set[asyncio.Queue[str]] = set()
        self.standing: dict[str, str] = {}
        """By kind the message that a page which comes later must know."""
        self.tasks: set[asyncio.Task[None]] = set()
        self.beginning = asyncio.Lock()

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self.process is not None and self.process.returncode is None

    async def send(self, command: Mapping[str, Any]) -> None:
        """Hand a command to the process, which is started where there is none."""
        async with self.beginning:
            if not self.running:
                await self._begin()
        assert self.process is not None and self.process.stdin is not None
        with contextlib.suppress(ConnectionError):
            self.process.stdin.write(json.dumps(command).encode() + b"\n")
            await self.process.stdin.drain()

    async def messages(self) -> AsyncIterator[str]:
        """What a page is sent; the run ends some seconds after the last page has gone."""
        queue: asyncio.Queue[str] = asyncio.Queue(BEHIND)
        first = not self.running
        self.pages.add(queue)
        try:
            if first:
                await self.send({"do": "start", "waits": True})
            while not queue.empty():  # what stands says it all
                queue.get_nowait()
            for message in list(self.standing.values()):
                yield message
            while True:
                yield await queue.get()
        finally:
            self.pages.discard(queue)
            if not self.pages:
                self._later(self._end_if_alone())

    def kill(self) -> None:
        """End the process now."""
        if self.running and self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
        self.standing.clear()

    async def end(self) -> None:
        """End the process and wait for it, while there is a loop that can."""
        self.kill()
        tasks = list(self.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.process is not None:
            await self.process.communicate()

    async def _begin(self) -> None:
        environment = {**os.environ, "JAX_PLATFORMS": "cpu"}  # an accelerator stays with whoever trains in earnest
        self.standing.clear()
        self._hand("state", {"what": "state", "state": "starting"})
        self.process = await asyncio.create_subprocess_exec(
            *self.command, stdin=PIPE, stdout=PIPE, stderr=asyncio.subprocess.DEVNULL, env=environment, limit=LINE,
            start_new_session=True,
        )  # fmt: skip
        self._later(self._listen(self.process))

    async def _listen(self, process: Process) -> None:
        """Hand on what the process says, until it ends."""
        assert process.stdout is not None
        begun = asyncio.get_running_loop().time()
        while line := await process.stdout.readline():
            message = json.loads(line)
            if message["what"] == "begun":
                begun = asyncio.get_running_loop().time()
                self.standing.pop("frame", None)
            self._hand(message["what"], message)
            if asyncio.get_running_loop().time() - begun > self.longest:
                self.kill()
        await process.wait()
        if process is self.process:
            self.standing.clear()
            self._hand("state", {"what": "state", "state": "over"})

    def _hand(self, kind: str, message: Mapping[str, Any]) -> None:
        text = json.dumps(message, separators=(",", ":"))
        if kind in ("state", "begun", "frame"):
            if kind == "frame":
                self.standing.pop("state", None)
            self.standing[kind] = text
        for queue in self.pages:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(text)

    async def _end_if_alone(self) -> None:
        await asyncio.sleep(self.alone)
        if not self.pages:
            self.kill()

    def _later(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
