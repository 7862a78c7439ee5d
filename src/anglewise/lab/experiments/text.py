"""A character-level GPT on a text of the user's, with and without the penalty: a control without a time to generalise.

On Tiny Shakespeare the radial paper prints a validation loss of 1.585 without the penalty and 1.608 with it, for a
Transformer of half a million weights whose other settings it leaves open (arXiv 2606.32000).  These are nanoGPT's for
a small network without dropout.  The text comes from the user, so no experiment of this file has a name:

    anglewise.lab.run(anglewise.lab.on_text("tinyshakespeare.txt"))
"""

from __future__ import annotations

from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.methods.pascanu2013_clip import ClipGradient
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.gpt import GPT
from anglewise.lab.protocols.schedule import WarmupCosine
from anglewise.lab.spec import Arm, Experiment, Training
from anglewise.lab.tasks.text import Text


def on_text(path: str, *, seeds: int = 3, budget: int = 2000) -> Experiment:
    """The control on a text file.

    Args:
        path: The file, in UTF-8.
        seeds: Paired seeds.
        budget: Steps, over which the learning rate falls to a tenth.

    Returns:
        The experiment, for :func:`anglewise.lab.run`.

    Raises:
        SpecError: If the file cannot be read or is too short.
    """
    learns = (
        ClipGradient(1.0),
        AdamW(lr=WarmupCosine(1e-3, float(budget)), wd=0.1, beta2=0.99, decay="matrices"),
    )
    return Experiment(
        name="text",
        title="Next character of a text: does the penalty change the validation loss?",
        task=Text(path=path, context=64),
        model=GPT(layers=4, width=96, heads=4, sigma=0.04),
        arms=(
            Arm("adamw", learns),
            Arm("adamw+radial .01", (*learns, RadialPenalty(strength=0.01))),
            Arm("adamw+radial .05", (*learns, RadialPenalty(strength=0.05))),
        ),
        seeds=seeds,
        training=Training(budget=budget, every=max(1, budget // 20), batch=32, order="replacement", threshold=0.0),
    )
