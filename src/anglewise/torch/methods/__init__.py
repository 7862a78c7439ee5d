"""Methods of other papers for anybody's PyTorch loop: one file per paper.

``hooks.py`` says what the methods share and how they compose.  The class attributes ``PUBLISHED`` and ``RELEASED``
hold the settings that a paper prints and those of its released code.  Parameters have the names that
``anglewise.lab.methods`` gives them.
"""

from anglewise.torch.methods.cliptogrok2026_rows import ClipRows as ClipRows
from anglewise.torch.methods.hooks import GradientFilter as GradientFilter
from anglewise.torch.methods.lee2024_grokfast import GrokfastEMA as GrokfastEMA
from anglewise.torch.methods.lee2024_grokfast import GrokfastMA as GrokfastMA
from anglewise.torch.methods.lee2024_grokfast import scale_learning_rate as scale_learning_rate
from anglewise.torch.methods.prieto2025_orthograd import OrthoGrad as OrthoGrad
from anglewise.torch.methods.prieto2025_orthograd import orthograd as orthograd
from anglewise.torch.methods.prieto2025_stablemax import stablemax_cross_entropy as stablemax_cross_entropy
from anglewise.torch.methods.yu2020_pcgrad import pcgrad_backward as pcgrad_backward
