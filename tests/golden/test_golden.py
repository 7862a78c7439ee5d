"""Golden curves: twenty steps of three structures, as text.

On the processor and library that wrote them they hold to the bit; elsewhere to a tolerance, since the order of
additions is the compiler's.  After a meant change of numerics: raise PROTOCOL, say so in the changelog, and write
them anew with ``python -m tests.golden.test_golden``.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import jax
import numpy as np
import pytest

from anglewise.lab.engine.placement import choose
from anglewise.lab.engine.population import CURVES, Population
from anglewise.lab.engine.programs import Compiled
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.spec import PROTOCOL, Arm, Run, Training
from anglewise.lab.store import collect
from anglewise.lab.tasks.modular import Modular

pytestmark = pytest.mark.usefixtures("optimised")

FILE = Path(__file__).with_name("curves.json")
PAIR, SEQUENCE = Modular(p=13, train=0.5), Modular(p=13, operation="*", train=0.5, form="a op b =", b_from=1)
SMALL = Transformer(layers=1, width=16, heads=2, norm="grokfast", positions_table=5)
ARM = Arm("radial", (AdamW(lr=0.01, wd=1.0, beta2=0.98), RadialPenalty(0.1, 0.5)))
CASES = {
    "mlp, full batch": (PAIR, MLP(hidden=(16, 16), embedding=8), 0),
    "mlp, mini-batch": (PAIR, MLP(hidden=(16,), bias=True, activation="gelu"), 24),
    "transformer, mini-batch": (SEQUENCE, SMALL, 32),
}


def curves(name, arm=ARM):
    task, model, batch = CASES[name]
    training = Training(budget=20, every=4, batch=batch)
    run = Run("golden", task, model, arm, training, 0)
    population = Population([run], Compiled(run, choose(task, training, "cpu"), (), ()))
    population.begin()
    while population.live.any():
        population.advance()
    return {curve: [float(x) for x in population.curves[curve][0]] for curve in CURVES}


def here():
    found = collect(None, jax.devices()[0].platform, "float32")
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    flags = next((line for line in info.splitlines() if line.startswith("flags")), "")
    return {
        "cpu": found["cpu"],
        "flags": zlib.crc32(flags.encode()),
        "jaxlib": found["libraries"]["jaxlib"],
        "protocol": PROTOCOL,
    }


@pytest.mark.parametrize("name", CASES)
def test_twenty_steps_are_what_they_were(name):
    golden = json.loads(FILE.read_text())
    assert golden["here"]["protocol"] == PROTOCOL
    same_machine = golden["here"] == here()
    for curve, values in curves(name).items():
        if same_machine:
            assert values == golden["curves"][name][curve], f"{curve} moved: see this file's first lines"
        else:
            np.testing.assert_allclose(values, golden["curves"][name][curve], rtol=2e-3, atol=2e-3)


def test_another_strength_is_another_curve():
    golden = json.loads(FILE.read_text())["curves"]["mlp, full batch"]
    stronger = Arm("radial", (AdamW(lr=0.01, wd=1.0, beta2=0.98), RadialPenalty(0.2, 0.5)))
    assert not np.allclose(curves("mlp, full batch", stronger)["test_loss"], golden["test_loss"], rtol=2e-3)


if __name__ == "__main__":
    from tests import conftest  # noqa: F401  the processor's instructions as the tests have them

    text = json.dumps({"here": here(), "curves": {name: curves(name) for name in CASES}}, indent=1)
    FILE.write_text(text + "\n")
