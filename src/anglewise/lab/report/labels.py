"""Labels: what people call an arm that is known by its name alone, as in the rows of a record."""

from __future__ import annotations

import re

WORDS = {
    "adamw": "AdamW", "adam": "Adam", "sgd": "SGD", "signsgd": "signSGD", "lion": "Lion", "muon": "Muon", "sam": "SAM",
    "constrained-muon": "constrained Muon", "egd": "EGD", "egd-column": "EGD, columns", "egd-rsvd": "EGD, random SVD",
    "radial": "radial penalty", "man": "MAN", "grokfast-ema": "Grokfast (EMA)", "grokfast-ma": "Grokfast (MA)",
    "grokfast-control": "Grokfast, control", "grokadamw": "GrokAdamW", "perpgrad": "perpGrad",
    "gradnorm": "gradient norm fixed", "neuralgrok": "NeuralGrok", "pcgrad": "penalty with gradient surgery (PCGrad)",
    "layer-norm": "LayerNorm", "layer-norm-plain": "LayerNorm without gains", "rms-norm": "RMSNorm",
    "project-tangential": "projection", "project-ste": "projection, straight-through",
    "sphere-cosine": "sphere, cosine",
    "weight-norm": "weight norm", "spectral-norm": "spectral norm", "norm-clamp": "weight norm fixed",
    "clip-rows": "rows clipped", "l1": "L1", "nuclear": "nuclear norm", "dropout": "dropout",
    "ar": "activation penalty (AR)", "stablemax": "StableMax", "softmax64": "softmax in float64",
    "temperature": "temperature", "logit-norm": "logit norm", "label-smoothing": "label smoothing", "z-loss": "z-loss",
    "harmonic": "harmonic loss", "self-modelling": "self-modelling", "groktransfer": "GrokTransfer",
    "without-surgery": "penalty without surgery", "without-penalty": "that setting without penalty",
}  # fmt: skip
"""Names of methods in the catalogue, and the words for them."""
ENDS = {
    "tuned": "tuned", "common": "usual settings", "published": "as published", "released": "as released",
    "paper": "the paper's setting", "chou": "Chou's setting", "nanda": "Nanda's setting", "power": "Power's setting",
    "strong": "strong decay", "weak": "weak decay",
}  # fmt: skip
"""What may stand behind a name, after a hyphen."""


def spoken(arm: str) -> str:
    """An arm's name in words; a name that is in words already stays.

    Example:
        >>> spoken("adamw-common+radial"), spoken("constrained-muon-published"), spoken("adamw+radial .05")
        ('AdamW, usual settings + radial penalty', 'constrained Muon, as published', 'AdamW + radial penalty .05')
    """
    first, comma, rest = arm.partition(", ")
    parts = re.split(r" ?\+ ?", first)
    return " + ".join(map(_part, parts)) + comma + rest


def _part(name: str) -> str:
    word, space, more = name.partition(" ")
    if word in WORDS:
        return WORDS[word] + space + more
    start, _, end = name.rpartition("-")
    return f"{WORDS[start]}, {ENDS[end]}" if start in WORDS and end in ENDS else name
