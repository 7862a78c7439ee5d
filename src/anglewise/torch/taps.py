r"""Taps: forward hooks that note the radii of activations while the forward pass runs.

A *tap* sits at one site and notes :math:`\rho = |h| / \sqrt d` of each activation.  A *gate* sits at the model and
notes that a training forward began.  Both write into one *log*, which the penalty empties.  The radius is taken inside
the forward pass.  So a compiler fuses it, and a checkpointed region recomputes it instead of keeping the activation.

A tap refers to its log and to nothing else.  A copied or unpickled log is not live.  So copies of a model carry taps
that do nothing, and never write into the log of the original.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from anglewise.errors import AttachError
from anglewise.torch.guards import in_backward_or_transform, listening, never_taken, note, part_of_the_width, unusable
from anglewise.torch.radii import scaled_radius

Select: TypeAlias = Callable[[Any], Tensor]
Capture: TypeAlias = tuple[str, Tensor, float]
"""A site, radii in units of sqrt(d), and the share of the site's vectors that these are."""


class Log:
    """What the taps of one suppression noted since it was last emptied.

    Attributes:
        live: Whether taps write at all.  Copies and unpickled logs are not live.
        open: Whether a training forward of the whole model began and its notes were not taken yet.
        graded: Whether the last forward of the whole model ran with gradients enabled.
        captures: One entry per call of a site, in order.
        faults: Why an activation could not be used, one line each.
        untouched: Sites whose activation nothing was seen to overwrite in place.  The activation of any other site is
            copied, and watched until its penalty is taken.
        watched: Site, activation and its version, for each copy.
        whole: Shape of a site's output before tensor parallelism hands out a part of it.
        pending: A function to call before the next forward, once the backward pass of this one is over.
    """

    def __init__(self) -> None:
        self.live = self.open = self.graded = self.several = False
        self.output = True
        self.axis: Mapping[str, int] = {}
        self.select: Select | None = None
        self.captures: list[Capture] = []
        self.faults: list[str] = []
        self.untouched: set[str] = set()
        self.watched: list[tuple[str, Tensor, int]] = []
        self.whole: dict[str, torch.Size] = {}
        self.pending: Callable[[], None] | None = None

    def start(self, *, output: bool, axis: Mapping[str, int], select: Select | None, several: bool) -> None:
        """Go live; set what the taps read, and whether several forwards may be taken at once."""
        self.live, self.output, self.axis, self.select, self.several = True, output, axis, select, several

    def take(self) -> tuple[list[Capture], list[str], bool]:
        """Empty the log; return its captures, its faults, and whether the whole model ran."""
        taken = list(self.captures), list(self.faults), self.open
        overwritten = {site for site, h, version in self.watched if h._version != version}
        self.untouched |= {site for site, _, _ in self.watched} - overwritten
        self.clear()
        self.open = False
        return taken

    def clear(self) -> None:
        """Forget all notes."""
        self.captures.clear()
        self.faults.clear()
        self.watched.clear()

    def __reduce__(self) -> tuple[type[Log], tuple[()]]:
        return Log, ()


class Hook:
    """Base of all hooks here: how code that inspects hooks sees them."""

    def __getattr__(self, name: str) -> Any:
        """Nothing is here by another name; the first that `torch.jit.script` asks of a hook is its ``__name__``."""
        if name == "__name__":
            raise AttributeError(
                "torch.jit.script cannot compile the hooks of a RadialSuppression: call detach() before scripting"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


class Gate(Hook):
    """Forward pre-hook of the whole model: a training forward begins."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def __call__(self, module: nn.Module, args: Any) -> None:
        """Open the log, unless the notes of an earlier forward are still in it."""
        log = self.log
        if not (log.live and module.training) or in_backward_or_transform():
            return
        log.graded = torch.is_grad_enabled()
        if not log.graded:
            return
        if not log.open:
            if log.pending is not None:
                pending, log.pending = log.pending, None
                pending()
            log.clear()  # left by compiled code that eager checkpointing ran again in backward
        elif not log.several:
            raise AttachError(never_taken())
        log.open = True


class Whole(Hook):
    """Forward hook of a site with distributed weights, before all others: notes the shape of the undivided output."""

    def __init__(self, log: Log, site: str) -> None:
        self.log = log
        self.site = site

    def __call__(self, module: nn.Module, args: Any, output: Any) -> None:
        """A DTensor's own shape is that of the whole."""
        h = first_tensor(output) if self.log.select is None else self.log.select(output)
        if self.log.live and type(h).__name__ == "DTensor":
            self.log.whole[self.site] = h.shape


class Tap(Hook):
    """Forward hook (or pre-hook) of one site: notes the radii of the activation that passes."""

    def __init__(self, log: Log, site: str) -> None:
        self.log = log
        self.site = site

    def __call__(self, module: nn.Module, args: Any, last: Any) -> None:
        """Note the radii; `last` is a hook's output, or a pre-hook's keyword arguments."""
        log = self.log
        if not (log.live and module.training):
            return
        value, axis = last if log.output else (args, last), log.axis[self.site]
        h = first_tensor(value) if log.select is None else log.select(value)
        fault = unusable(module, h, axis=axis, whole=log.output and log.select is None, graded=log.graded)
        fault = fault or part_of_the_width(h, axis, log.whole.get(self.site))
        if fault is not None:
            if not in_backward_or_transform():
                note(log.faults, f"site {self.site!r}: {fault}")
            return
        if not torch.is_grad_enabled():
            return
        # autograd keeps a reference, and complains once that is overwritten; compiled code copies always
        copied = not torch.compiler.is_compiling() and self.site not in log.untouched
        # noted or not, the same operations run: checkpointing compares what they save
        rho = scaled_radius(h.clone() if copied else h, axis)
        if listening():
            whole = log.whole.get(self.site)
            note(log.captures, (self.site, rho, 1.0 if whole is None else h.numel() / whole.numel()))
            if copied and not h.is_inference():
                log.watched.append((self.site, h, h._version))


def first_tensor(value: Any) -> Any:
    """The first tensor in nested tuples, lists and mappings; None if there is none.

    Example:
        >>> first_tensor((None, {"hidden": torch.ones(2)}))
        tensor([1., 1.])
    """
    if isinstance(value, Tensor):
        return value
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, (tuple, list)):
        for item in value:
            tensor = first_tensor(item)
            if tensor is not None:
                return tensor
    return None
