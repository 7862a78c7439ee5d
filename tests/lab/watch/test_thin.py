"""A curve that grows is kept short, loses no extreme, and is told by its changes alone."""

import math

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anglewise.lab.watch.thin import Curve

VALUES = st.lists(st.integers(-1, 20).map(lambda n: n / 20 if n >= 0 else math.nan), min_size=1, max_size=200)
PATIENT = settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@PATIENT
@given(VALUES, st.sampled_from([2, 4, 6]), st.integers(1, 9))
def test_whoever_applies_the_changes_has_the_points(values, most, every):
    curve, client, seen = Curve(most), [], -1
    for step, value in enumerate(values):
        curve.add((step, value), step)
        if step % every == 0 or step == len(values) - 1:
            change = curve.since(seen)
            client[change.start :] = change.points
            seen = step
            assert repr(client) == repr(curve.points)


@PATIENT
@given(VALUES, st.sampled_from([2, 4, 6]))
def test_the_extremes_and_the_newest_stay_in_order_and_there_are_few(values, most):
    curve = Curve(most)
    for step, value in enumerate(values):
        curve.add((step, value), step)
    steps = [point[0] for point in curve.points]
    kept = [value for _, value in curve.points if not math.isnan(value)]
    finite = [value for value in values if not math.isnan(value)]
    assert steps == sorted(set(steps)) and steps[-1] == len(values) - 1
    assert len(steps) <= 2 * most + 3
    assert not finite or (max(kept) == max(finite) and (min(kept) == min(finite) or len(finite) < len(values)))


def test_an_increment_after_the_last_version_is_empty():
    curve = Curve(4)
    for step in range(9):
        curve.add((step, 0.5), step)
    assert curve.since(8).points == [] and curve.since(7).points
    assert curve.since(-1).points == curve.points


def test_a_dip_of_one_evaluation_among_thousands_is_kept():
    curve = Curve(8)
    for step in range(5000):
        curve.add((step, 0.2 if step == 3333 else 1.0), step)
    assert (3333, 0.2) in curve.points and len(curve.points) <= 19


@PATIENT
@given(VALUES, st.sampled_from([2, 4, 6, 20]), st.integers(0, 200))
def test_many_at_once_are_as_one_after_the_other(values, most, later):
    first, rest = values[: len(values) - later], values[len(values) - later :]
    one, many = Curve(most), Curve(most)
    for step, value in enumerate(values):
        one.add((step, value), 0)
    start = 0
    for part in (first, rest):
        if part:
            many.extend([np.arange(start, start + len(part)), np.array(part)], 0)
        start += len(part)
    assert repr(one.points) == repr(many.points) and (one.stride, one.count) == (many.stride, many.count)
