"""Reads experiments once for all pages, and wakes the pages when something is new.

Reading happens in a thread, and only while a page is open.  Every round has a version.  A page names the last version
that it knows, also when it comes back after the connection was lost; the name begins with that of this server, so a
version of an earlier server is not mistaken for one of this.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from anglewise.lab.watch.feed import Feed
from anglewise.lab.watch.stores import Found, experiments, listed

ROUND = 0.4
"""Seconds between two rounds of reading."""
LIST = 2.0
"""Seconds between two looks for experiments."""
KEPT = 64
"""Increments that are kept as text, for pages that know the same version."""


class Event(NamedTuple):
    """What a page is sent: the name of the version, and JSON."""

    id: str
    data: str


class Hub:
    """What all pages share.

    Args:
        places: Stores, and folders of stores.
        pause: Seconds between two rounds of reading.
    """

    def __init__(self, places: Sequence[Path], *, pause: float = ROUND):
        self.places, self.pause, self.boot = tuple(places), pause, secrets.token_hex(4)
        self.version, self.listed_at = 0, float("-inf")
        self.found: dict[str, Found] = {}
        self.list: tuple[int, list[dict[str, Any]]] = (0, [])
        self.feeds: dict[str, Feed] = {}
        self.open: Counter[str] = Counter()
        self.pages = 0
        self.lock = threading.Lock()
        self.texts: dict[tuple[tuple[str, ...], int, int], str | None] = {}
        self.news = asyncio.Event()
        self.reading: asyncio.Task[None] | None = None

    def round(self) -> bool:
        """Read what is new of every experiment that a page shows; gives whether anything is."""
        with self.lock:
            version, changed = self.version + 1, False
            if time.monotonic() - self.listed_at >= LIST:
                self.find()
                rows = listed(list(self.found.values()))
                if rows != self.list[1] or not self.list[0]:
                    self.list, changed = (version, rows), True
            for key in [key for key, pages in self.open.items() if pages and key in self.found]:
                if key not in self.feeds:
                    one = self.found[key]
                    self.feeds[key] = Feed(one.root, one.manifest, key)
                changed |= self.feeds[key].poll(version)
            if changed:
                self.version = version
                self.texts.clear()
            return changed

    def find(self) -> dict[str, Found]:
        """All experiments by key, looked up now."""
        self.listed_at = time.monotonic()
        self.found = {one.key: one for one in experiments(self.places)}
        for key in set(self.feeds) - set(self.found):
            del self.feeds[key]
        return self.found

    def experiment(self, key: str) -> Found | None:
        """One experiment, None where there is none of this key."""
        with self.lock:
            return self.found.get(key) or self.find().get(key)

    def text(self, keys: Sequence[str], since: int) -> tuple[int, str | None]:
        """The version now, and what changed after `since` as JSON; None where nothing did."""
        with self.lock:
            place = tuple(keys), since, self.version
            if place not in self.texts:
                feeds = (self.feeds[key].increment(since) for key in keys if key in self.feeds)
                parts: dict[str, Any] = {"experiments": [feed for feed in feeds if feed is not None]}
                if self.list[0] > since:
                    parts["list"] = self.list[1]
                if since < 0:
                    parts["reset"] = True
                empty = not parts["experiments"] and len(parts) == 1
                text = None if empty else json.dumps(parts, separators=(",", ":"), allow_nan=False)
                if len(self.texts) < KEPT:
                    self.texts[place] = text
                return self.version, text
            return self.version, self.texts[place]

    def known(self, name: str) -> int:
        """The version of a name that a page gives; -1 for that of another server, or none.

        Example:
            >>> hub = Hub([])
            >>> hub.known(f"{hub.boot}.7"), hub.known("other.7"), hub.known("")
            (7, -1, -1)
        """
        boot, _, version = name.partition(".")
        return int(version) if boot == self.boot and version.isdigit() else -1

    async def events(self, keys: Sequence[str], since: int) -> AsyncIterator[Event]:
        """What a page that shows some experiments is sent, from what it knows on; never ends by itself."""
        self.open.update(keys)
        self.pages += 1
        try:
            if self.reading is None or self.reading.done():
                self.reading = asyncio.create_task(self._read())
            first = True
            while True:
                news = self.news
                if first or self.version > since:
                    version, text = await asyncio.to_thread(self.text, keys, since)
                    if version:  # read at least once
                        first, since = False, version
                    if text is not None and version:
                        yield Event(f"{self.boot}.{version}", text)
                await news.wait()
        finally:
            self.open.subtract(keys)
            self.pages -= 1

    async def _read(self) -> None:
        """Rounds of reading, as long as a page is open."""
        while self.pages:
            if await asyncio.to_thread(self.round):
                news, self.news = self.news, asyncio.Event()
                news.set()
            await asyncio.sleep(self.pause)
