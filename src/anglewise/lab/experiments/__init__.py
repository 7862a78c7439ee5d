"""Named experiments: frozen data, one file per idea.  To add one, write its file and add it to the list below."""

from __future__ import annotations

from anglewise.lab.experiments import addition, causal, early_warning, plateau, quickstart, reproduce, tracks
from anglewise.lab.spec import Experiment

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment
    for experiment in (
        quickstart.EXPERIMENT,
        plateau.EXPERIMENT,
        causal.EXPERIMENT,
        *tracks.EXPERIMENTS,
        *early_warning.EXPERIMENTS,
        *reproduce.EXPERIMENTS,
        *addition.EXPERIMENTS,
    )
}
