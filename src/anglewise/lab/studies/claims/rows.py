"""The rows that a verdict is computed from: how every run ended, and what was read of it.

Two tables, kept as Parquet in a record: *runs* (one row a run) and *values* (one row a number).  A *sample* is what a
rule sees of them: the runs of one system, scale and world, with the arms and seeds that were planned.  Nothing here
trains or imports JAX, so every verdict can be computed again from the record alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np

from anglewise.errors import AnglewiseError, unknown
from anglewise.files import put
from anglewise.lab.stats import median_interval
from anglewise.lab.stats.estimate import Interval

if TYPE_CHECKING:
    import pyarrow as pa

Crossing: TypeAlias = Literal["first", "sustained"]


class Ran(NamedTuple):
    """How one run ended.

    Attributes:
        system: What was trained: a name of :data:`~anglewise.lab.studies.claims.systems.SYSTEMS`.
        scale: ``desk`` or ``paper``.
        world: Name of the reading of the paper.
        arm: Name of the arm.
        seed: Its seed.
        outcome: Its label, as in :mod:`anglewise.lab.outcome`.
        epoch: Steps of one epoch.
        every: Steps between two evaluations.
        budget: Steps at most.
        threshold: Test accuracy that counts as generalised, in (0, 1].
        steps: Step at which the run ended.
        first: Step of the first crossing; None where there was none within the budget.
        sustained: Step of the sustained crossing.
        first99: Step of the first crossing of 99 %.
        final: Test accuracy at the end, in [0, 1].
        train: Training accuracy at the end, in [0, 1].
        test_loss: Test loss at the end.
        seconds: Training seconds.
        run_id: Identity of the run in its store.
    """

    system: str
    scale: str
    world: str
    arm: str
    seed: int
    outcome: str
    epoch: int
    every: int
    budget: int
    threshold: float
    steps: int
    first: int | None
    sustained: int | None
    first99: int | None
    final: float
    train: float
    test_loss: float
    seconds: float
    run_id: str


class Value(NamedTuple):
    """One number that was read of a run.

    Attributes:
        system, scale, world, arm, seed: Of the run.
        name: What was read, for instance ``radius``.
        site: Where; empty for the whole network.
        step: When.
        value: The number.
    """

    system: str
    scale: str
    world: str
    arm: str
    seed: int
    name: str
    site: str
    step: int
    value: float


class Curve(NamedTuple):
    """What was read of one run at one site: increasing steps and their values, shape ``[n]`` both."""

    steps: np.ndarray
    values: np.ndarray


@dataclasses.dataclass(frozen=True)
class Sample:
    """Runs of one system, scale and world, and what was planned of them.

    Args:
        system, scale, world: Which.
        planned: Seeds by arm.
        runs: Finished runs by (arm, seed).
        values: Curves by (arm, seed, name, site).
    """

    system: str
    scale: str
    world: str
    planned: Mapping[str, tuple[int, ...]]
    runs: Mapping[tuple[str, int], Ran]
    values: Mapping[tuple[str, int, str, str], Curve]

    def missing(self, arms: Iterable[str]) -> list[str]:
        """Planned runs of some arms that have not finished, as texts."""
        return [
            f"{arm}, seed {seed}"
            for arm in dict.fromkeys(arms)
            for seed in self.planned.get(arm, ())
            if (arm, seed) not in self.runs
        ]

    def of(self, arm: str) -> dict[int, Ran]:
        """Finished runs of an arm by seed.

        Raises:
            AnglewiseError: If the arm was not planned.
        """
        if arm not in self.planned:
            raise AnglewiseError(unknown("arm", arm, self.planned))
        return {seed: self.runs[arm, seed] for seed in self.planned[arm] if (arm, seed) in self.runs}

    def times(self, arm: str, crossing: Crossing = "sustained") -> dict[int, int | None]:
        """Steps to the crossing by seed, at least one; None for a run that never got there, or diverged."""
        times: dict[int, int | None] = {}
        for seed, run in self.of(arm).items():
            t = None if run.outcome == "diverged" else getattr(run, crossing)
            times[seed] = None if t is None else max(int(t), 1)
        return times

    def any_run(self) -> Ran:
        """Some run, for what they all share: epoch, grid, budget, threshold.

        Raises:
            AnglewiseError: If none has finished.
        """
        for run in self.runs.values():
            return run
        raise AnglewiseError(f"no run of {self.system} in the world {self.world!r} has finished: train it first")

    def curve(self, arm: str, seed: int, name: str, site: str) -> Curve | None:
        """What was read of a run; None where it was not."""
        return self.values.get((arm, seed, name, site))

    def sites(self, name: str) -> list[str]:
        """Sites at which something was read, sorted."""
        return sorted({site for _, _, read, site in self.values if read == name})


def sample(
    runs: Iterable[Ran], values: Iterable[Value], *, system: str, scale: str, world: str,
    planned: Mapping[str, Sequence[int]],
) -> Sample:  # fmt: skip
    """The rows of one system, scale and world as a sample; rows of other arms or seeds are left out.

    How a run ended can be read like a value: ``test_loss`` and ``seconds_per_step``, once, where it ended.
    """
    wanted = {(arm, seed) for arm, seeds in planned.items() for seed in seeds}
    where = (system, scale, world)
    kept = {(r.arm, r.seed): r for r in runs if r[:3] == where and (r.arm, r.seed) in wanted}
    points: dict[tuple[str, int, str, str], list[tuple[int, float]]] = {}
    for v in values:
        if v[:3] == where and (v.arm, v.seed) in wanted:
            points.setdefault((v.arm, v.seed, v.name, v.site), []).append((v.step, v.value))
    for (arm, seed), run in kept.items():
        for name, number in (("test_loss", run.test_loss), ("seconds_per_step", run.seconds / max(run.steps, 1))):
            points[arm, seed, name, ""] = [(run.steps, number)]
    curves = {key: Curve(*(np.array(x) for x in zip(*sorted(series), strict=True))) for key, series in points.items()}
    return Sample(system, scale, world, {a: tuple(s) for a, s in planned.items()}, kept, curves)


def median_epochs(sample_: Sample, arm: str, crossing: Crossing = "sustained") -> Interval | None:
    """Median epochs to a crossing with its interval; infinite for beyond the budget, None without runs."""
    times = list(sample_.times(arm, crossing).values())
    if not times:
        return None
    run = next(iter(sample_.of(arm).values()))
    return median_interval([None if t is None else t / run.epoch for t in times], grid=run.every / run.epoch)


def write(path: Path, rows: Sequence[Ran] | Sequence[Value]) -> Path:
    """Write rows as Parquet, sorted, so that equal rows are equal files.

    Raises:
        AnglewiseError: If there are none.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not rows:
        raise AnglewiseError(f"{path.name} would hold no rows: train the claim's runs first")
    buffer = pa.BufferOutputStream()
    pq.write_table(table(rows), buffer, compression="zstd")
    put(path, buffer.getvalue().to_pybytes())
    return path


def table(rows: Sequence[Ran] | Sequence[Value]) -> pa.Table:
    """Rows as an Arrow table, sorted by all columns that identify them."""
    import pyarrow as pa

    fields = type(rows[0])._fields
    unique = 5 if isinstance(rows[0], Ran) else 8
    ordered = sorted(rows, key=lambda row: row[:unique])
    return pa.table({name: pa.array([getattr(row, name) for row in ordered], _TYPES[name]()) for name in fields})


def read_runs(path: Path) -> list[Ran]:
    """Runs from Parquet: the inverse of :func:`write`."""
    return [Ran(**row) for row in _read(path, Ran._fields)]


def read_values(path: Path) -> list[Value]:
    """Values from Parquet: the inverse of :func:`write`."""
    return [Value(**row) for row in _read(path, Value._fields)]


def _read(path: Path, fields: Sequence[str]) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    try:
        found = pq.read_table(path)
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise AnglewiseError(f"{path} cannot be read as Parquet: {reason}; write the record again") from error
    lacking = [name for name in fields if name not in found.column_names]
    if lacking:
        raise AnglewiseError(f"{path} lacks the columns {', '.join(lacking)}: write the record again")
    rows: list[dict[str, Any]] = found.select(list(fields)).to_pylist()
    return rows


def _text() -> pa.DataType:
    import pyarrow as pa

    return pa.string()


def _whole() -> pa.DataType:
    import pyarrow as pa

    return pa.int64()


def _real() -> pa.DataType:
    import pyarrow as pa

    return pa.float64()


_TYPES = {
    **dict.fromkeys(("system", "scale", "world", "arm", "outcome", "run_id", "name", "site"), _text),
    **dict.fromkeys(("seed", "epoch", "every", "budget", "steps", "first", "sustained", "first99", "step"), _whole),
    **dict.fromkeys(("threshold", "final", "train", "test_loss", "seconds", "value"), _real),
}
