"""Rivals of the radial penalty for anybody's PyTorch loop: one file per paper, each attached to an optimizer.

What they share, and how they compose, is in ``hooks.py``; the constants that a paper prints and those that
its code was released with are class attributes of their own (``PUBLISHED``, ``RELEASED``).
"""

from anglewise.torch.baselines.cliptogrok import ClipRows as ClipRows
from anglewise.torch.baselines.hooks import GradientFilter as GradientFilter
from anglewise.torch.baselines.lee2024_grokfast import GrokfastEMA as GrokfastEMA
from anglewise.torch.baselines.lee2024_grokfast import GrokfastMA as GrokfastMA
from anglewise.torch.baselines.lee2024_grokfast import scale_learning_rate as scale_learning_rate
from anglewise.torch.baselines.prieto2025_orthograd import OrthoGrad as OrthoGrad
from anglewise.torch.baselines.prieto2025_orthograd import orthograd as orthograd
from anglewise.torch.baselines.prieto2025_stablemax import stablemax_cross_entropy as stablemax_cross_entropy
from anglewise.torch.baselines.yu2020_pcgrad import pcgrad_backward as pcgrad_backward
