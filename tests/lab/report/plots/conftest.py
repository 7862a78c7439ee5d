"""Runs that have what every figure needs."""

import pytest

from anglewise.lab.report.plots import curves

AT_SITES = ("radial_energy", "outward_force", "balance_radius", "effective_rank", *curves.MOTION)


@pytest.fixture
def full(measured):
    results = measured({"_a": 60, "$b$ <i>": None}, seeds=2, others=AT_SITES)
    for name in ("rho", *curves.CURVATURE):
        results.readings[name, ""] = dict(results.readings["radial_energy", "hidden.0.pre"])
    return results


@pytest.fixture
def at_sites():
    return AT_SITES
