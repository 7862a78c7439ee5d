"""The drop-in: radial suppression and its instruments for anybody's PyTorch model and loop.

>>> from anglewise.torch import RadialSuppression, radial_penalty
"""

from anglewise.errors import AttachError, missing

if error := missing("anglewise.torch", "torch", ["torch"]):
    raise error

from anglewise.penalty import radial_penalty
from anglewise.torch.probe import RadialProbe
from anglewise.torch.suppression import RadialSuppression

__all__ = ["AttachError", "RadialProbe", "RadialSuppression", "radial_penalty"]
