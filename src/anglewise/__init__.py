"""anglewise: networks that learn by angle, not by radius.

This package is the geometry alone, for NumPy, PyTorch and JAX arrays alike.  ``anglewise.torch`` adds it to
anybody's PyTorch loop; ``anglewise.lab`` trains many runs at once and compares methods fairly.  The public names stand
in ``__init__.pyi``.
"""

from anglewise.lazy import attach

__getattr__, __dir__, __all__ = attach(globals())
__version__ = "0.1.0"
