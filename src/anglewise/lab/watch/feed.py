"""One experiment as increments: what a page must learn after what it knows already.

Everything that changes carries the version at which it last did.  A page that knows version v is sent what changed
after v: its runs' new points, how runs ended, what is done now.  A page that knows nothing is sent all of it.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from anglewise.errors import AnglewiseError
from anglewise.lab.outcome import MEANINGS, Ending, Outcome, Rule, outcome_under
from anglewise.lab.report.comparison import time_of
from anglewise.lab.report.format import plain
from anglewise.lab.report.plots.curves import targets
from anglewise.lab.report.results import Ended, Results
from anglewise.lab.spec import Manifest
from anglewise.lab.stats import censored_median
from anglewise.lab.store import Reader
from anglewise.lab.store.packs import Packs
from anglewise.lab.store.status import Status, read_status
from anglewise.lab.watch.copies import copies
from anglewise.lab.watch.so_far import Contrast, so_far
from anglewise.lab.watch.tail import News, Tail
from anglewise.lab.watch.thin import Curve

SITES = 4
"""Sites whose radius is sent; of more, so many are picked evenly, the first and the last among them."""
BUCKETS = ((60, 120), (300, 60), (10**9, 24))
"""Up to so many runs, so many buckets for each curve."""
NONE = np.empty(0)
REST = 5.0
"""The contrasts are computed again after so many times what that took."""
AT_ONCE = 0.3
"""Seconds after which reading pauses, so that a page fills while a large store is read."""


class _Run:
    """What is known of one run."""

    def __init__(self, tail: Tail, most: int):
        self.tail, self.most = tail, most
        self.version, self.damage = -1, ""
        self.clear(-1)

    def clear(self, version: int) -> None:
        """Nothing is known any more."""
        self.curve, self.whole = Curve(self.most), version
        self.last, self.loss = -1, math.nan
        self.end: Ending | None = None
        self.first: int | None = None


class Feed:
    """One experiment of a store, followed.

    Args:
        root: The store.
        manifest: Of the experiment.
        key: What the page calls it.
    """

    def __init__(self, root: Path, manifest: Manifest, key: str):
        self.root, self.manifest, self.key = root, manifest, key
        self.rule = Rule.of(manifest.training)
        most = next(buckets for runs, buckets in BUCKETS if len(manifest.runs) <= runs)
        packs = Packs(root)
        self.runs = [_Run(Tail(root / "runs" / planned.run_id, packs), most) for planned in manifest.runs]
        self.sites: tuple[str, ...] = ()
        self.next = 0
        self.loaded = False
        self.stale = True  # the part that changes only when a run ends
        self.rested = float("-inf")  # before then it is not computed again
        self.contrasts: list[Contrast] = []
        self.parts: dict[str, tuple[int, Any]] = {}
        """By name what is not a run: the version at which it last changed, and its value."""

    def poll(self, version: int, *, seconds: float = AT_ONCE) -> bool:
        """Read what is new, as `version`; gives whether anything is.

        Args:
            version: Higher than all before.
            seconds: After which it pauses; the next call goes on from there.
        """
        until, changed = time.monotonic() + seconds, False
        for _ in range(len(self.runs)):
            run, planned = self.runs[self.next], self.manifest.runs[self.next]
            self.next = (self.next + 1) % len(self.runs)
            before = run.end
            try:
                news = run.tail.read()
                damage = ""
            except AnglewiseError as error:
                news, damage = None, str(error)
            if news is not None or damage != run.damage:
                run.damage, run.version, changed = damage, version, True
            if news is not None:
                self._take(run, planned.run_id, news, version)
                self.stale |= run.end != before
            self.loaded |= self.next == 0
            if time.monotonic() > until:
                break
        if self.stale and time.monotonic() >= self.rested:
            begun, self.stale = time.monotonic(), False
            self.contrasts = so_far(self._results())
            changed |= self._put("head", self._head(), version)
            self.rested = time.monotonic() + REST * (time.monotonic() - begun)
        return self._put("now", self._now(read_status(self.root)), version) or changed

    def _put(self, name: str, value: Any, version: int) -> bool:
        if name in self.parts and self.parts[name][1] == value:
            return False
        self.parts[name] = version, value
        return True

    def _take(self, run: _Run, run_id: str, news: News, version: int) -> None:
        """Add a run's new evaluations, those that the experiment follows."""
        if news.again:
            run.clear(version)
        if not self.sites and news.radii:
            known = list(news.radii)
            picked = np.unique(np.linspace(0, len(known) - 1, min(SITES, len(known))).round().astype(int))
            self.sites = tuple(known[i] for i in picked)
            self.stale = True
        if news.curves and len(news.curves["step"]):
            self._add(run, news, version)
        run.end = self._ending(run_id, news.outcome, run)

    def _add(self, run: _Run, news: News, version: int) -> None:
        rule, steps = self.rule, news.curves["step"]
        kept = np.ones(len(steps), bool) if rule is None else rule.on_grid(steps)
        steps, test = steps[kept], news.curves["test_accuracy"][kept]
        if not len(steps):
            return
        radii = [_at(steps, *news.radii.get(site, (NONE, NONE))) for site in self.sites]
        run.curve.extend([steps, test, news.curves["train_accuracy"][kept], *radii], version)
        run.last, run.loss = int(steps[-1]), float(news.curves["train_loss"][kept][-1])
        if run.first is None and rule is not None and rule.threshold > 0:
            reached = steps[test >= rule.threshold]
            run.first = int(reached[0]) if len(reached) else None

    def _ending(self, run_id: str, stored: Outcome | None, run: _Run) -> Ending | None:
        """How a run ended by the experiment's rule; None while it goes on."""
        rule = self.rule
        if rule is None or (stored is not None and stored.rule in (None, rule)):
            return stored
        if stored is None and run.last < rule.budget:
            return None
        ending = outcome_under(rule, Reader(self.root).curves(run_id))
        return ending if stored is None or ending is None else stored.at(ending)

    def _results(self) -> Results:
        """How runs ended, as the report's statistics take it."""
        m, rule = self.manifest, self.rule
        ended = {}
        for planned, run in zip(m.runs, self.runs, strict=True):
            if (end := run.end) is not None:
                seconds = getattr(end, "seconds", None)
                ended[planned.arm, planned.seed] = Ended(
                    end.outcome, end.steps, math.nan if seconds is None else seconds, end.first, end.sustained
                )
        return Results(
            m.experiment_id, m.name, m.title, m.arms, m.baseline or m.arms[0],
            tuple((planned.arm, planned.seed) for planned in m.runs), ended, {"test_accuracy": {}}, {},
            budget=rule.budget if rule else 1, threshold=rule.threshold if rule else 0.0,
            sustain=rule.sustain if rule else 1, spec=m.spec,
        )  # fmt: skip

    def _head(self) -> dict[str, Any]:
        """What changes only when a run ends."""
        m, results = self.manifest, self._results()
        arms: list[dict[str, Any]] = []
        for i, name in enumerate(m.arms):
            finished = results.finished(name)
            times = [time_of(run, "first") for run in finished.values()]
            known = sorted(time for time in times if time is not None)
            arms.append({
                "name": plain(results.labels[name]),
                "colour": results.inks[i].colour,
                "dark": results.inks[i].dark,
                "seeds": results.seeds(name),
                "done": len(finished),
                "median": censored_median(times) if times else None,
                "fastest": known[0] if known else None,
                "slowest": known[-1] if len(known) == len(times) and known else None,
                "outcomes": dict(Counter(run.outcome for run in finished.values())),
                "targets": [next(iter(targets(results, name, site)), None) for site in self.sites],
            })  # fmt: skip
        return {
            "name": plain(m.name),
            "title": plain(m.title),
            "id": m.experiment_id,
            "store": plain(self.root),
            "created": m.created,
            "baseline": plain(results.baseline),
            "budget": results.budget,
            "every": self.rule.every if self.rule else 1,
            "threshold": results.threshold,
            "sites": list(map(plain, self.sites)),
            "arms": arms,
            "runs": [[m.arms.index(planned.arm), planned.seed, planned.run_id] for planned in m.runs],
            "contrasts": [_plain(contrast) for contrast in self.contrasts],
            "meanings": {label: MEANINGS[label] for arm in arms for label in arm["outcomes"] if label in MEANINGS},
            "copies": [copy._asdict() for copy in copies(m, self.root)],
        }

    def _now(self, status: Status | None) -> dict[str, Any]:
        """What is done now.

        The state is that of the process that trains.  Without one it is ``"finished"``, or ``"stopped"`` where runs
        are missing, or ``"loading"`` until the store has been read once.
        """
        done = sum(run.end is not None for run in self.runs)
        now: dict[str, Any] = {"done": done, "planned": len(self.runs), "known": len(self.runs)}
        if not self.loaded:
            now |= {"state": "loading", "known": self.next}
        elif status is None or status.experiment_id != self.manifest.experiment_id:
            now |= {"state": "finished" if done == len(self.runs) else "stopped"}
        else:
            places = {planned.run_id: i for i, planned in enumerate(self.manifest.runs)}
            arms = {self.manifest.runs[places[run]].arm for run in status.runs if run in places}
            now |= {
                "state": status.state, "since": status.since, "begun": status.begun, "heard": status.heard,
                "runs": [places[run] for run in status.runs if run in places],
                "arm": min((self.manifest.arms.index(arm) for arm in arms), default=None),
                "speed": status.steps_per_second, "about": status.about, "most": status.most,
            }  # fmt: skip
        return now

    def increment(self, since: int) -> dict[str, Any] | None:
        """What changed after a version, as JSON values; None where nothing did.

        Args:
            since: -1 for all.
        """
        parts = {name: value for name, (version, value) in self.parts.items() if version > since}
        runs = {str(i): _shown(run, since) for i, run in enumerate(self.runs) if run.version > since}
        return {"key": self.key, **parts, "runs": runs} if parts or runs else None


def _shown(run: _Run, since: int) -> dict[str, Any]:
    """A run's change: points that replace those from a place on, how it ended, its newest values."""
    start, points = run.curve.since(-1 if run.whole > since else since)
    columns = list(zip(*points, strict=True))
    shown: dict[str, Any] = {"from": start}
    if columns:
        shown |= {
            "steps": columns[0],
            "test": [_share(x) for x in columns[1]],
            "train": [_share(x) for x in columns[2]],
            "radius": [[_short(x) for x in column] for column in columns[3:]],
        }
    end = run.end
    ending = None if end is None else {"outcome": end.outcome, "steps": end.steps, "first": end.first}
    return shown | {
        "end": ending,
        "first": run.first,
        "loss": _short(run.loss),
        "arrays": run.tail.arrays,
        "damage": run.damage,
    }


def _at(steps: np.ndarray, known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values at some steps; NaN where they were not read."""
    found = np.full(len(steps), np.nan)
    _, here, there = np.intersect1d(steps, known, assume_unique=True, return_indices=True)
    found[here] = values[there]
    return found


def _share(value: float) -> int | None:
    """In hundredths of a percent."""
    return round(10_000 * value) if math.isfinite(value) else None


def _short(value: float) -> float | None:
    """Four digits."""
    return float(f"{value:.4g}") if math.isfinite(value) else None


def _plain(contrast: Contrast) -> dict[str, Any]:
    return {key: plain(value) if isinstance(value, str) else value for key, value in contrast._asdict().items()}
