r"""Times to generalise and outcomes, from accuracy curves.

T is the first evaluation at or above the threshold.  T_sustained is the first of `sustain` such in a row.  Both are
None where a run never got there within its budget, which is a result and not an error.

A run's :class:`Outcome` begins with a label:

- ``grokked``: it generalised (T_sustained exists), and had not yet done so when it had memorised: at the first
  evaluation with train accuracy at or above 0.99 its test accuracy was below half the threshold;
- ``generalised-at-once``: it generalised without that delay;
- ``reached-not-held``: its test accuracy reached the threshold, but never for `sustain` evaluations in a row;
- ``memorised``: test accuracy never reached the threshold, train accuracy reached 0.99;
- ``underfit``: neither did;
- ``trained``: there was no threshold to reach (it is 0), and the budget is spent;
- ``diverged``: its loss was not finite at some evaluation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

Label: TypeAlias = Literal[
    "grokked", "generalised-at-once", "reached-not-held", "memorised", "underfit", "trained", "diverged"
]
MEMORISED = 0.99
MEANINGS: dict[str, str] = {
    "grokked": "Training accuracy reached 99 % first; test accuracy was then still below half of the threshold. "
    "Later, test accuracy reached the threshold and held it for several evaluations in a row.",
    "generalised-at-once": "Test accuracy reached the threshold and held it for several evaluations in a row. It did "
    "not lag behind: when training accuracy reached 99 %, it was not below half of the threshold.",
    "reached-not-held": "Test accuracy reached the threshold, but never held it for several evaluations in a row.",
    "memorised": "Training accuracy reached 99 %. Test accuracy never reached the threshold.",
    "underfit": "Training accuracy never reached 99 %, and test accuracy never reached the threshold.",
    "trained": "No threshold was set. The run was trained to its budget, and what counts is its test loss.",
    "diverged": "The training loss became infinite or NaN.",
}
"""What each label says that was seen, in words for a reader."""


class Times(NamedTuple):
    """First and sustained crossing, in optimiser steps; None where there was none."""

    first: int | None
    sustained: int | None


def times(steps: np.ndarray, accuracy: np.ndarray, threshold: float = 0.95, sustain: int = 5) -> Times:
    """First crossing and first sustained crossing of a threshold.

    Args:
        steps: Steps of the evaluations, shape ``[n]``, increasing.
        accuracy: Accuracy at each, shape ``[n]``, in [0, 1]; NaN counts as below.
        threshold: At or above counts as reached; 0 is no threshold, which is never reached.
        sustain: Evaluations in a row that make a crossing sustained; its time is the first of them.

    Returns:
        The two times, in the unit of `steps`.

    Example:
        >>> times(np.array([0, 10, 20, 30]), np.array([0.1, 0.96, 0.5, 0.97]), sustain=2)
        Times(first=10, sustained=None)
    """
    above = (np.asarray(accuracy) >= threshold) & (threshold > 0)
    hits = np.flatnonzero(above)
    if not hits.size:
        return Times(None, None)
    first = int(steps[hits[0]])
    counts = np.concatenate([[0], np.cumsum(above)])
    runs = np.flatnonzero(counts[sustain:] - counts[:-sustain] == sustain)
    return Times(first, int(steps[runs[0]]) if runs.size else None)


def stop_step(
    steps: np.ndarray, accuracy: np.ndarray, *, threshold: float, sustain: int, further: int | None, measure: int = 0
) -> int | None:
    """The step at which a run has shown enough: sustained, confirmed, and `further` steps trained on.

    Args:
        steps: Steps of the evaluations so far, shape ``[n]``.
        accuracy: Test accuracy at each, shape ``[n]``.
        threshold: See :func:`times`.
        sustain: See :func:`times`.
        further: Steps to train on after the last of the sustained evaluations; None means to the budget.
        measure: Steps between measurements: the run goes on to the next of them, so that what has generalised is
            measured; 0 where nothing is.

    Returns:
        The first evaluated step at which the rule holds, or None if it does not hold yet.
    """
    reached = times(steps, accuracy, threshold, sustain).sustained
    if further is None or reached is None:
        return None
    confirmed = int(np.searchsorted(steps, reached)) + sustain - 1
    measured = np.asarray(steps) % measure == 0 if measure else np.ones(len(steps), bool)
    later = np.flatnonzero((np.asarray(steps) >= steps[confirmed] + further) & measured)
    return int(steps[later[0]]) if later.size else None


def judge(
    steps: np.ndarray,
    train_accuracy: np.ndarray,
    test_accuracy: np.ndarray,
    train_loss: np.ndarray,
    *,
    threshold: float = 0.95,
    sustain: int = 5,
) -> Label:
    """How a run ended, from its curves alone; see the module's docstring for the rules.

    Args:
        steps: Steps of the evaluations, shape ``[n]``, increasing.
        train_accuracy: Shape ``[n]``.
        test_accuracy: Shape ``[n]``.
        train_loss: Shape ``[n]``; a value that is not finite means diverged.
        threshold: See :func:`times`.
        sustain: See :func:`times`.

    Returns:
        One of the seven labels.
    """
    if not np.all(np.isfinite(train_loss)):
        return "diverged"
    if threshold == 0:
        return "trained"
    fitted = np.flatnonzero(np.asarray(train_accuracy) >= MEMORISED)
    reached = times(steps, test_accuracy, threshold, sustain)
    if reached.sustained is not None:
        delayed = fitted.size > 0 and test_accuracy[fitted[0]] < threshold / 2
        return "grokked" if delayed else "generalised-at-once"
    if reached.first is not None:
        return "reached-not-held"
    return "memorised" if fitted.size else "underfit"


class Rule(NamedTuple):
    """How a run is watched, and when it ends.

    Attributes:
        budget: Optimiser steps at most.
        every: Steps between evaluations; the last may come earlier, at the budget.
        threshold: Test accuracy at or above which a run counts as generalised.
        sustain: Evaluations in a row at or above it that make a crossing sustained.
        further: Steps to train on once sustained; -1 trains to the budget.
        measure_every: Steps between measurements, to the next of which a run goes on; 0 where nothing is measured.
    """

    budget: int
    every: int
    threshold: float
    sustain: int
    further: int
    measure_every: int

    @classmethod
    def of(cls, training: Mapping[str, Any]) -> Rule | None:
        """The rule in a specification's JSON; None where it has none."""
        known = {name: training[name] for name in cls._fields if name in training}
        return cls(**({"measure_every": 0, "further": -1} | known)) if {"budget", "every"} <= known.keys() else None

    def on_grid(self, steps: np.ndarray) -> np.ndarray:
        """Which of some steps this rule evaluates, shape as `steps`."""
        steps = np.asarray(steps)
        return np.asarray((steps <= self.budget) & ((steps % self.every == 0) | (steps == self.budget)))

    def end(self, steps: np.ndarray, test_accuracy: np.ndarray, train_loss: np.ndarray) -> int | None:
        """The step at which a run ends: it diverged, showed enough, or spent its budget.

        Args:
            steps: Steps of the evaluations so far, shape ``[n]``; those off this rule's grid are left out.
            test_accuracy: Shape ``[n]``.
            train_loss: Shape ``[n]``.

        Returns:
            The step, or None if these evaluations do not reach it.
        """
        seen = self.on_grid(steps)
        steps, accuracy, loss = steps[seen], test_accuracy[seen], train_loss[seen]
        broken = steps[~np.isfinite(loss)][:1]
        enough = stop_step(
            steps, accuracy, threshold=self.threshold, sustain=self.sustain,
            further=None if self.further < 0 else self.further, measure=self.measure_every,
        )  # fmt: skip
        spent = steps[steps == self.budget]
        return min((int(step) for step in (*broken, *(() if enough is None else (enough,)), *spent)), default=None)


@dataclasses.dataclass(frozen=True)
class Ending:
    """How a run ended under a rule, as far as its evaluations say.  Each field is a column of the view ``runs``.

    Attributes:
        outcome: The label.
        steps: Step at which the run ended.
        first: First crossing of the rule's threshold; None where there was none.
        sustained: First sustained crossing of it.
        t95: First crossing of 95 %.
        t95_sustained: First sustained crossing of 95 %.
        t_capped: The first crossing, or the budget; the budget too for a run that diverged.
        threshold: The rule's.
        budget: The rule's.
    """

    outcome: Label
    steps: int
    first: int | None = None
    sustained: int | None = None
    t95: int | None = None
    t95_sustained: int | None = None
    t_capped: int | None = None
    threshold: float | None = None
    budget: int | None = None


@dataclasses.dataclass(frozen=True)
class Outcome(Ending):
    """How a run ended by the rule that it was trained under, and what was trained: what a store keeps of it.

    Fields that are numbers are columns of the view ``runs``.  They are None where a store of before PROTOCOL 3 does not
    say them.

    Attributes:
        seconds: Training seconds up to the end.
        trained: Step up to which the run was trained, at or beyond its end.
        every: Steps between the evaluations that are stored.
        rule: The rule.
        trained_seconds: Training seconds in all.
        readings: What was measured, as JSON values.
        segments: Names of the run's segments, which carry their checksums.
        rows: How many rows of each kind the run has.
    """

    seconds: float | None = None
    trained: int | None = None
    every: int | None = None
    rule: Rule | None = None
    trained_seconds: float | None = None
    readings: tuple[Mapping[str, Any], ...] = ()
    segments: tuple[str, ...] | None = None
    rows: Mapping[str, int] | None = None

    def at(self, ending: Ending) -> Outcome:
        """The outcome of the same training at the ending that another rule gives it."""
        trained, whole = self.trained or ending.steps, self.trained_seconds
        seconds = None if whole is None else whole * ending.steps / max(trained, 1)
        return Outcome(**vars(ending), seconds=seconds, trained=self.trained, every=self.every, trained_seconds=whole)

    def to_json(self) -> dict[str, Any]:
        """JSON values for a file; what is not known is left out."""
        values = dataclasses.asdict(self) | {"readings": list(self.readings)}
        if self.rule is not None:
            values["rule"] = self.rule._asdict()
        if self.segments is not None:
            values["segments"] = list(self.segments)
        optional = {field.name for field in dataclasses.fields(Outcome)} - {f.name for f in dataclasses.fields(Ending)}
        return {name: x for name, x in values.items() if x is not None or name not in optional}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Outcome | None:
        """The outcome in a file's JSON values, as it is called today; None if it has no label.

        Before PROTOCOL 3 an outcome had no rule, and a run that had reached the threshold could be ``memorised``.
        """
        if "outcome" not in values:
            return None
        known = {name: values[name] for name in cls.__dataclass_fields__ if name in values}
        if "rule" not in values:
            known = _of_before(known)
        known |= {"rule": Rule.of(values.get("rule") or {}), "readings": tuple(values.get("readings", ()))}
        if "segments" in known:
            known["segments"] = tuple(known["segments"])
        return cls(**{"steps": 0} | known)


def _of_before(values: dict[str, Any]) -> dict[str, Any]:
    """An outcome of before PROTOCOL 3, completed by what can be worked out."""
    first = values.get("first", values.get("t95"))
    values = {"first": first, "sustained": values.get("t95_sustained"), "trained": values.get("steps"), **values}
    if first is not None and values["outcome"] in ("memorised", "underfit"):
        values["outcome"] = "reached-not-held"
    if "budget" in values:
        values.setdefault("t_capped", values["budget"] if first is None or values["outcome"] == "diverged" else first)
    return values


def outcome_under(rule: Rule, curves: Mapping[str, np.ndarray]) -> Ending | None:
    """How a run ended under a rule, from its evaluations alone.

    Args:
        rule: How it is watched.
        curves: ``step``, ``train_accuracy``, ``test_accuracy`` and ``train_loss``, each of shape ``[n]``; evaluations
            beyond the end, and off the rule's grid, change nothing.

    Returns:
        The ending; None if the evaluations do not reach it.
    """
    end = rule.end(curves["step"], curves["test_accuracy"], curves["train_loss"])
    if end is None:
        return None
    kept = rule.on_grid(curves["step"]) & (curves["step"] <= end)
    steps, test = curves["step"][kept], curves["test_accuracy"][kept]
    crossing, at95 = times(steps, test, rule.threshold, rule.sustain), times(steps, test, 0.95, rule.sustain)
    label = judge(
        steps, curves["train_accuracy"][kept], test, curves["train_loss"][kept],
        threshold=rule.threshold, sustain=rule.sustain,
    )  # fmt: skip
    return Ending(
        outcome=label,
        steps=end,
        first=crossing.first,
        sustained=crossing.sustained,
        t95=at95.first,
        t95_sustained=at95.sustained,
        t_capped=rule.budget if crossing.first is None or label == "diverged" else crossing.first,
        threshold=rule.threshold,
        budget=rule.budget,
    )
