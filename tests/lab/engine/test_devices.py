"""Several devices of one host: members are spread over them, and train as on one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROGRAM = """
import json, sys
import jax, numpy as np
from anglewise.lab.engine.placement import Placement, choose
from anglewise.lab.engine.programs import Programs
from anglewise.lab.readings.sets import AT_EVALUATIONS
from anglewise.lab.runner import Interrupted
from anglewise.lab.store import Reader
from tests.support.training import FEW, TINY, changed, trained

root = sys.argv[1]
assert jax.local_device_count() == 4

def programs(devices):
    return Programs(AT_EVALUATIONS, place=lambda task, training, platform: Placement(True, 0, 8, devices))

def curves(name):
    reader = Reader(f"{root}/{name}")
    rows = reader.query("SELECT * FROM curves ORDER BY arm, seed, step").to_pylist()
    readings = reader.query("SELECT * FROM readings ORDER BY arm, seed, step, site, name").to_pylist()
    return ([[row[key] for key in ("train_loss", "test_loss", "test_accuracy")] for row in rows],
            [row["value"] for row in readings])

one = changed(TINY, budget=24, measure_every=8)  # 9 runs: 6 of one structure, 3 of another
on_four = programs(4)
for devices, kind in ((1, programs(1)), (4, on_four)):
    trained(one, f"{root}/{devices}", programs=kind)
spread = {len(leaf.sharding.device_set) for compiled in on_four._kept.values() for leaf in compiled.seen}
asked = []
for devices in (4, 1, 3):  # stopped after every segment, and gone on with on other devices
    try:
        trained(one, f"{root}/moved", programs=programs(devices), stop=lambda: asked.append(1) or len(asked) < 3,
                checkpoint_seconds=0)
    except Interrupted:
        pass
print(json.dumps({name: curves(name) for name in ("1", "4", "moved")} | {"spread": sorted(spread)}))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=4"
    root = Path(__file__).parents[3]
    watched = PROGRAM.replace(
        "root = sys.argv[1]",
        """root = sys.argv[1]
from anglewise.lab.engine import programs as engine
advance = engine.Compiled.advance
def noting(self, member, state, targets):
    new = advance(self, member, state, targets)
    self.seen = jax.tree.leaves(new[0].params)
    return new
engine.Compiled.advance = noting""",
    )
    done = subprocess.run(
        [sys.executable, "-c", watched, str(tmp_path_factory.mktemp("devices"))],
        env={**os.environ, "XLA_FLAGS": flags}, cwd=root, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_members_are_spread_over_all_devices(told):
    assert told["spread"] == [4]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["4", "moved"])
def test_they_train_as_on_one_device(told, name):
    for ours, theirs in zip(told[name], told["1"], strict=True):
        assert len(ours) == len(theirs) > 9
        np.testing.assert_allclose(np.array(ours, float), np.array(theirs, float), rtol=2e-4, atol=2e-4)
