"""What the columns of a store's views mean: one definition for terminal and reference page."""

from __future__ import annotations

from typing import NamedTuple


class Column(NamedTuple):
    """What a column holds, and its unit; empty for a text."""

    text: str
    unit: str = ""


COLUMNS: dict[str, Column] = {
    "experiment_id": Column("Identity of the experiment: its name and a hash of its specification."),
    "experiment": Column("Name of the experiment, as it was called."),
    "run_id": Column("Identity of the run: a hash of its task, model, arm, training and seed."),
    "arm": Column("Name of the arm: a method, or several together, with their settings."),
    "seed": Column("Seed of initial weights, split and batches. Equal seeds of two arms make a pair.", "whole number"),
    "outcome": Column("How the run ended, as this experiment judges it; none while it is not finished."),
    "steps": Column(
        "Step at which this experiment ends the run; while it goes on, the last step that was recorded.",
        "optimiser steps",
    ),
    "seconds": Column(
        "Training time up to the end: with evaluations, without compiling and without measurements. Runs that train "
        "together share their time.",
        "seconds",
    ),
    "t95": Column("First evaluation with test accuracy of at least 95 %; none if there was none.", "optimiser steps"),
    "t95_sustained": Column(
        "First of several evaluations in a row with test accuracy of at least 95 %; none if there were none.",
        "optimiser steps",
    ),
    "threshold": Column("Test accuracy from which on a run of this experiment counts as generalised.", "share"),
    "first": Column("First evaluation at or above the threshold; none if there was none.", "optimiser steps"),
    "sustained": Column(
        "First of several evaluations in a row at or above the threshold; none if there were none.", "optimiser steps"
    ),
    "t_capped": Column(
        "The first evaluation at or above the threshold, or the budget for a run that had none or diverged. Compare "
        "arms by it: runs that never generalise count.",
        "optimiser steps",
    ),
    "budget": Column("Optimiser steps that the run may take at most.", "optimiser steps"),
    "every": Column("Steps between two evaluations: times are known to that.", "optimiser steps"),
    "trained": Column("Steps that the run was trained in all, perhaps for another experiment.", "optimiser steps"),
    "trained_seconds": Column("Seconds that all steps of the run took, perhaps for another experiment.", "seconds"),
    "spec": Column("Specification of the run as JSON."),
    "step": Column("Step at which the row was read; 0 is before the first.", "optimiser steps"),
    "train_accuracy": Column("Share of training examples that are classified correctly.", "share"),
    "test_accuracy": Column("Share of test examples that are classified correctly.", "share"),
    "train_loss": Column("Mean loss over training examples by the arm's own loss function, without penalties.", "loss"),
    "test_loss": Column("Mean loss over test examples by the arm's own loss function, without penalties.", "loss"),
    "site": Column("Place in the model, or parameter, that the value belongs to; empty for the whole network."),
    "name": Column("Name of the value; see the values that readings write."),
    "value": Column("The value, in the unit of its name."),
    "shape": Column("Lengths of the array's axes, such as 200,56."),
    "values": Column("The array's numbers, row by row, in float32."),
}
