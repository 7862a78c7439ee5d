"""Records of claims that are made up, so that verdicts can be shown without training."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from anglewise.lab.studies.claims.analysis import unlikely
from anglewise.lab.studies.claims.claim import Claim, Scale
from anglewise.lab.studies.claims.comparisons import Precedes
from anglewise.lab.studies.claims.parts import OF_READINGS, comparisons
from anglewise.lab.studies.claims.record import Record
from anglewise.lab.studies.claims.rows import Ran, Value
from anglewise.lab.studies.claims.worlds import LIKELY, MLP_CHOICES, grid

EPOCH, EPOCHS = 10, 3000
PROVENANCE = {
    "anglewise": "0.1.0", "git_commit": "0123456789abcdef0123456789abcdef01234567", "git_dirty": False,
    "libraries": {"numpy": "2.4.6", "jax": "0.10.2"}, "python": "3.11.7", "platform": "Linux", "cpu": "some CPU",
    "cores": 2, "device": "cpu", "precision": "float32", "command": "anglewise verify C02", "started": "2026-11-27",
}  # fmt: skip
GRID = tuple(world.name for world in grid(MLP_CHOICES))
"""Names of the sixteen worlds."""


def epochs_of(arm: str, world: str = LIKELY) -> float:
    """Typical epochs: the penalty is 3 times as fast, 8 times less so in full batch and with embeddings."""
    changed = unlikely(world)
    slow = (4.0 if "batch" in changed else 1.0) * (1.5 if "encoding" in changed else 1.0)
    gain = 3.0 * (0.4 if "batch" in changed else 1.0) * (0.7 if "site" in changed else 1.0)
    return 900.0 * slow / (gain if "penalty" in arm else 1.0)


def value_of(arm: str, name: str, share: float) -> float:
    """A typical value: the penalty halves it, and it grows."""
    return (0.5 if "penalty" in arm else 1.0) * (1.0 + 2.0 * share)


def record_of(
    claim: Claim, scale: Scale = "desk", worlds: Sequence[str] = (LIKELY,), *,
    epochs: Callable[[str, str], float] = epochs_of, values: Callable[[str, str, float], float] = value_of,
    scatter: float = 0.12, seeds: int | None = None, left_out: Sequence[tuple[str, int]] = (), points: int = 16,
) -> Record:  # fmt: skip
    """A record of a claim whose runs scatter about typical times and values.

    Args:
        claim, scale, worlds: What was run.
        epochs: Typical epochs to generalise of an arm in a world; a run beyond 3,000 did not.
        values: Typical value of an arm, by the value's name and the share of the budget.
        scatter: Standard deviation of logarithms.
        seeds: In every world; None for as many as the claim plans.
        left_out: Runs, by arm and seed, that are missing.
        points: Measurements of a run.
    """
    rng = np.random.default_rng(0)
    runs: list[Ran] = []
    read: list[Value] = []
    for system in claim.systems:
        for world in worlds:
            planned = claim.seeds if world == LIKELY else (claim.grid_seeds or claim.seeds)
            for arm in claim.arms:
                for seed in range(planned if seeds is None else seeds):
                    time = epochs(arm, world) * float(np.exp(scatter * rng.standard_normal()))
                    if (arm, seed) not in left_out:
                        runs.append(_run((system, scale, world, arm, seed), time))
                        read += _values(claim, runs[-1], values, float(scatter * rng.standard_normal()), points)
    return Record(tuple(runs), tuple(read), PROVENANCE, {scale: tuple(worlds)})


def _run(where: tuple[str, str, str, str, int], time: float) -> Ran:
    steps = None if time > EPOCHS else 10 * EPOCH * max(1, round(time / 10))
    outcome = "memorised" if steps is None else "grokked"
    ended = EPOCHS * EPOCH if steps is None else steps + 4 * 10 * EPOCH
    final = 0.02 if steps is None else 0.97
    run_id = "-".join(map(str, where)).replace(" ", "")
    return Ran(
        *where,
        outcome,
        EPOCH,
        10 * EPOCH,
        EPOCHS * EPOCH,
        0.9,
        ended,
        steps,
        steps,
        None,
        final,
        1.0,
        1.0,
        60.0,
        run_id,
    )


def _values(
    claim: Claim, run: Ran, values: Callable[[str, str, float], float], shift: float, points: int
) -> list[Value]:
    rows: dict[tuple[str, str, int], Value] = {}
    for rule in comparisons(claim.rule):
        if isinstance(rule, OF_READINGS) and run.arm in rule.arms:
            read = rule if isinstance(rule, Precedes) else rule.read
            for name in (read.name, "hessian_loss") if getattr(read, "at", "") == "equal loss" else (read.name,):
                for k in range(points):
                    share = k / max(points - 1, 1)
                    step = round(share * run.budget)
                    value = values(run.arm, name, share) * float(np.exp(shift))
                    value = 2.0 - share if name == "hessian_loss" else value
                    rows[name, read.site, step] = Value(*run[:5], name, read.site, step, value)
    return list(rows.values())
