"""The drop-in: radial suppression and its readings for anybody's PyTorch model and loop.

>>> from anglewise.torch import RadialSuppression, radial_penalty

The public names stand in ``__init__.pyi``; each is imported when it is first used.
"""

from anglewise.errors import missing
from anglewise.lazy import attach

if error := missing("anglewise.torch", "torch", ["torch"]):
    raise error

__getattr__, __dir__, __all__ = attach(globals())
