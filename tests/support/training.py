"""Small experiments, trained into a store, and what is then there."""

from __future__ import annotations

import dataclasses

from anglewise.lab.engine.placement import Placement
from anglewise.lab.engine.programs import Programs
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.readings.energy import RadialEnergy
from anglewise.lab.readings.motion import Motion
from anglewise.lab.readings.radii import RadiusQuantiles
from anglewise.lab.readings.sets import AT_EVALUATIONS
from anglewise.lab.readings.spectrum import Spectrum
from anglewise.lab.report.progress import Silent, progress_for
from anglewise.lab.runner import train
from anglewise.lab.spec import Arm, Experiment, Training
from anglewise.lab.store import Reader, Store
from anglewise.lab.tasks.modular import Modular

ADAM = AdamW(lr=0.01, wd=0.1)
TINY = Experiment(
    "tiny", Modular(p=11, train=0.5), MLP(hidden=(16,)),
    (Arm("plain", (ADAM,)), Arm("slow", (AdamW(lr=0.001, wd=0.1),)), Arm("radial", (ADAM, RadialPenalty(0.1)))),
    Training(budget=60, every=4, measure_every=20), seeds=3,
)  # fmt: skip


FEW = (RadiusQuantiles(), RadialEnergy(), Motion(), Spectrum())
"""Of both cadences, with and without a past; to compile them all is not what is tested here."""


PROGRAMS = Programs(AT_EVALUATIONS)
"""Shared by all tests here, so that each structure is compiled once."""
BATCHED = Programs(AT_EVALUATIONS, place=lambda task, training, platform: Placement(True, 0, 8))
"""As on an accelerator: members train as one program."""


def trained(experiment, folder, **kwargs):
    kwargs = {"readings": FEW, "programs": PROGRAMS} | kwargs
    with Store.open(folder) as store:
        return train(experiment, store, progress_for(quiet=True), provenance={}, **kwargs)


class NotAgain(Silent):
    """Fails where anything is trained."""

    def update(self, rows, steps):
        assert not steps, f"{rows.run.arm.name} trained again"


def nothing_trained(experiment, folder):
    """Whether the store has all of an experiment, and hands it out without training."""
    with Store.open(folder) as store:
        return not train(experiment, store, NotAgain(), provenance={}, readings=FEW, programs=PROGRAMS).missing


def rows(folder, view="curves", of=None):
    """All rows of a view; with `of`, those of one experiment."""
    return Reader(folder).query(f"SELECT * FROM {view} ORDER BY ALL", of and of.experiment_id).to_pylist()


def changed(experiment, **fields):
    """The experiment with other fields of its training."""
    return dataclasses.replace(experiment, training=dataclasses.replace(experiment.training, **fields))


ONE = dataclasses.replace(TINY, seeds=1)


def everything(folder, of):
    """Rows of all views but what seconds there were, and the last weights."""
    reader = Reader(folder)
    views = {view: repr(rows(folder, view, of=of)) for view in ("curves", "readings", "arrays")}
    runs = [{k: v for k, v in row.items() if not k.endswith("seconds")} for row in rows(folder, "runs", of=of)]
    weights = {row["run_id"]: reader.weights(row["run_id"]) for row in runs}
    return views, runs, {(run, name): x.tobytes() for run, some in weights.items() for name, x in some.items()}
