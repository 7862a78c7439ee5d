"""What the page offers to copy: the command that trains, and commands that give what is shown."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import NamedTuple

from anglewise.lab.report.format import plain
from anglewise.lab.spec import Manifest

QUERIES = {
    "steps to the threshold, by arm": (
        "SELECT arm, count(outcome) AS finished, median(t_capped) AS steps, min(t_capped) AS fastest, "
        "max(t_capped) AS slowest FROM runs GROUP BY arm ORDER BY steps"
    ),
    "accuracy over the steps": "SELECT arm, seed, step, train_accuracy, test_accuracy FROM curves ORDER BY ALL",
    "radius over the steps": (
        "SELECT arm, seed, site, step, value AS radius FROM readings WHERE name = 'radius' ORDER BY ALL"
    ),
}
"""SQL over the views of a store, by what it gives."""


class Copy(NamedTuple):
    """A text to copy, and what it is."""

    what: str
    text: str


def copies(manifest: Manifest, root: Path) -> list[Copy]:
    """All that can be copied of an experiment in the store `root`."""
    store, which = shlex.quote(str(root)), shlex.quote(manifest.experiment_id)
    trains = [Copy("command that trains it", plain(manifest.command))] if manifest.command else []
    queries = [
        Copy(f"SQL: {what}", f'anglewise query "{sql}" {store} --experiment {which}') for what, sql in QUERIES.items()
    ]
    return [*trains, Copy("command that writes the report", f"anglewise report {store} --experiment {which}"), *queries]
