"""Rivals of the radial penalty for anybody's PyTorch loop: one file per paper, each attached to an optimizer.

What they share, and how they compose, is in ``hooks.py``; the constants that a paper prints and those that
its code was released with are class attributes of their own (``PUBLISHED``, ``RELEASED``).
"""

from anglewise.torch.baselines.cliptogrok import ClipRows
from anglewise.torch.baselines.hooks import GradientFilter
from anglewise.torch.baselines.lee2024_grokfast import GrokfastEMA, GrokfastMA, scale_learning_rate
from anglewise.torch.baselines.prieto2025_orthograd import OrthoGrad, orthograd
from anglewise.torch.baselines.prieto2025_stablemax import stablemax_cross_entropy
from anglewise.torch.baselines.yu2020_pcgrad import pcgrad_backward

__all__ = [
    "ClipRows",
    "GradientFilter",
    "GrokfastEMA",
    "GrokfastMA",
    "OrthoGrad",
    "orthograd",
    "pcgrad_backward",
    "scale_learning_rate",
    "stablemax_cross_entropy",
]
