"""What blocks add to the stream, as seen in one forward: the check of ``sites="auto"``, whose choice is by names.

A block of a Transformer turns its input x into an output y that is x and some additions, perhaps with norms in
between.  The additions are found in the graph that autograd made of the forward: from y back to x along sums, norms and
what changes no direction (views, dropout, constant factors).  What is added comes from a module: the outermost one of
the block whose output is the addend, or becomes it by views, dropout and constant factors alone.

Nothing is run and nothing is written: the hooks here look at the user's own first training forward.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node, get_gradient_edge
from torch.utils.hooks import RemovableHandle

from anglewise.torch.guards import listening
from anglewise.torch.taps import Hook, first_tensor

_SAME_DIRECTION = (
    "View", "UnsafeView", "Reshape", "Transpose", "T", "Permute", "Squeeze", "Unsqueeze", "Expand", "Clone", "ToCopy",
    "Alias", "ReshapeAlias", "NativeDropout", "Slice", "AsStrided", "Contiguous", "Movedim",
    "RegisterPostBackwardFunction",
)  # fmt: skip
_SCALED = ("Mul", "Div")
_NORMS = ("NativeLayerNorm", "NativeGroupNorm", "NativeBatchNorm", "FusedRmsNorm", "RmsNorm")


@dataclass
class _Frame:
    """One call of a block that is under way: its inputs, and which module's output each node of the graph is."""

    inputs: list[Tensor]
    modules: dict[Node, list[str]] = field(default_factory=dict)
    outputs: dict[str, tuple[Tensor, int]] = field(default_factory=dict)


@dataclass
class Seen:
    """What a forward showed.

    Attributes:
        added: By block, the names of the modules whose outputs are added to the stream.
        outputs: Name, output and its version of each of these, in order of the calls.
        axes: Where the width of each is.
        problems: Why the sites of a block cannot be right.
        unclear: Blocks whose additions are unknown.
    """

    added: dict[str, list[str]] = field(default_factory=dict)
    outputs: list[tuple[str, Tensor, int]] = field(default_factory=list)
    axes: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)


class Watch:
    """Hooks on the blocks of some sites, and on the blocks beside them, for one forward.

    A copy of the model, or a pickle, has hooks that do nothing.

    Args:
        named: All modules by name.
        sites: The names that were chosen.
    """

    def __init__(self, named: Mapping[str, nn.Module], sites: Iterable[str]) -> None:
        self.sites, self.named, self.seen = tuple(sites), named, Seen()
        blocks = dict.fromkeys(site.rpartition(".")[0] for site in self.sites)
        lists = {block.rpartition(".")[0] for block in blocks if block.rpartition(".")[2].isdigit()}
        beside = (n for n in named if n.rpartition(".")[0] in lists and n.rpartition(".")[2].isdigit())
        self.frames: dict[str, list[_Frame]] = {block: [] for block in dict.fromkeys([*blocks, *beside])}
        self._handles: list[RemovableHandle] = []
        for block in self.frames:
            module = named[block]
            self._handles.append(module.register_forward_pre_hook(_Begins(self, block), with_kwargs=True))
            inner = [(n, m) for n, m in named.items() if n.startswith(f"{block}.") and m is not module]
            self._handles += [m.register_forward_hook(_Gives(self, block, n)) for n, m in inner]
            self._handles.append(module.register_forward_hook(_Ends(self, block)))

    def end(self) -> Seen:
        """Remove the hooks; return what they saw."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        return self.seen

    def idle(self) -> list[RemovableHandle]:
        """Stop watching, and leave the hooks: without them, compiled code would be compiled again."""
        self.frames.clear()
        return self._handles

    def __reduce__(self) -> tuple[type[Watch], tuple[Any, ...]]:
        return Watch, ({}, ())

    def begins(self, block: str, given: Iterable[Any]) -> None:
        """A block was called."""
        if block in self.frames:
            self.frames[block].append(_Frame([x for x in given if isinstance(x, Tensor) and x.is_floating_point()]))

    def gives(self, block: str, name: str, output: Any) -> None:
        """A module of a block that is under way gave its output."""
        h = first_tensor(output)
        if self.frames.get(block) and isinstance(h, Tensor) and h.requires_grad:
            frame = self.frames[block][-1]
            frame.modules.setdefault(get_gradient_edge(h).node, []).append(name)
            frame.outputs[name] = h, h._version

    def ends(self, block: str, output: Any) -> None:
        """A block gave its output."""
        if self.frames.get(block):
            frame, y = self.frames[block].pop(), first_tensor(output)
            if isinstance(y, Tensor) and y.requires_grad:
                self._analyse(block, frame, y)

    def _analyse(self, block: str, frame: _Frame, y: Tensor) -> None:
        sources = {get_gradient_edge(x).node for x in frame.inputs if x.requires_grad and x.shape == y.shape}
        additions = _additions(get_gradient_edge(y).node, sources, frame.modules)
        ways = [self._along(node, frame) for node in reversed(additions or [])]
        # a view that was overwritten in place hides where it came from
        hidden = any(not along and any("CopySlices" in step.name() for step in steps) for along, steps in ways)
        if not ways or hidden:
            self.seen.unclear.append(block)
            at_sites = [node for node, names in frame.modules.items() if set(names) & set(self.sites)]
            ways = [self._along(node, frame) for node in at_sites]
        names = self.seen.added.setdefault(block, [])
        for along, _ in ways:
            name = self._taken(block, along)
            if name is not None:
                names.append(name)
                self.seen.axes[name] = _axis(frame.outputs[name][0], [self.named[n] for n in along])
                self.seen.outputs.append((name, *frame.outputs[name]))

    def _along(self, node: Node, frame: _Frame) -> tuple[list[str], list[Node]]:
        """The modules whose outputs have the direction of a node, the outermost first, and the nodes between."""
        steps = _chain(node)
        return [name for step in steps for name in sorted(frame.modules.get(step, ()), key=len)], steps

    def _taken(self, block: str, along: list[str]) -> str | None:
        """The site for one addition; where there can be none, that is a problem."""
        chosen = [name for name in along if name in self.sites]
        if not along:
            self.seen.problems.append(f"what {block} adds to its input comes from no module of its own")
            return None
        if not chosen and "norm" in type(self.named[along[0]]).__name__.lower():
            self.seen.problems.append(
                f"in {block} the norm {along[0].rpartition('.')[2]} stands before the addition, so that the length of "
                "what comes before it changes nothing"
            )
            return None
        return chosen[0] if chosen else along[0]


@dataclass
class _Begins(Hook):
    watch: Watch
    block: str

    def __call__(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        if not torch.compiler.is_compiling() and module.training and listening():
            self.watch.begins(self.block, [*args, *kwargs.values()])


@dataclass
class _Gives(Hook):
    watch: Watch
    block: str
    name: str

    def __call__(self, module: nn.Module, args: Any, output: Any) -> None:
        if not torch.compiler.is_compiling():
            self.watch.gives(self.block, self.name, output)


@dataclass
class _Ends(Hook):
    watch: Watch
    block: str

    def __call__(self, module: nn.Module, args: Any, output: Any) -> None:
        if not torch.compiler.is_compiling():
            self.watch.ends(self.block, output)


def _single(node: Node) -> Node | None:
    """The only node before this one, if there is one alone."""
    before = [n for n, _ in node.next_functions if n is not None]
    return before[0] if len(before) == 1 else None


def _kind(node: Node) -> str:
    return node.name().rpartition(".")[2].rpartition("Backward")[0]


def _before(node: Node) -> Node | None:
    """What this node has the direction of, or None."""
    return _single(node) if _kind(node) in _SAME_DIRECTION + _SCALED else None


def _chain(node: Node) -> list[Node]:
    """The node, and those before it of the same direction."""
    steps = [node]
    while (before := _before(steps[-1])) is not None:
        steps.append(before)
    return steps


def _additions(last: Node, sources: set[Node], modules: Mapping[Node, list[str]]) -> list[Node] | None:
    """The nodes that are added on the way from the sources to the last, from there; None where there is no such way."""
    known: dict[Node, bool] = {}

    def stream(node: Node) -> bool:
        if node not in known:
            known[node] = node in sources
            if not known[node]:
                if _kind(node) == "Add":
                    known[node] = any(n is not None and stream(n) for n, _ in node.next_functions)
                elif _kind(node) in _NORMS:
                    known[node] = node.next_functions[0][0] is not None and stream(node.next_functions[0][0])
                else:
                    before = _before(node)
                    known[node] = before is not None and stream(before)
        return known[node]

    def parts(node: Node) -> list[Node]:
        """Sub-layers that are added to each other before they are added to the stream."""
        inner = [n for n, _ in node.next_functions if n is not None and n.name() != "torch::autograd::AccumulateGrad"]
        if _kind(node) == "Add" and len(inner) == 2 and node not in modules:
            return parts(inner[0]) + parts(inner[1])
        return [node]

    if not stream(last):
        return None
    added, node = [], last
    while node not in sources:
        before = [n for n, _ in node.next_functions if n is not None]
        if _kind(node) == "Add" and len(before) == 2:
            ways = [n for n in before if stream(n)]
            if len(ways) != 1:
                return None
            added += parts(before[1 - before.index(ways[0])])
            node = ways[0]
        else:
            node = before[0]
    return added


def _axis(h: Tensor, modules: list[nn.Module]) -> int:
    """Where the width of an output is, by what the modules that made it declare."""
    for module in modules:
        if isinstance(module, nn.modules.conv._ConvNd):
            return h.ndim - len(module.kernel_size) - 1
    for module in modules:
        wide = getattr(module, "out_features", None)
        if wide is not None and h.shape[-1] != wide:
            fitting = [axis for axis in range(1, h.ndim) if h.shape[axis] == wide]
            return fitting[0] if len(fitting) == 1 else -1
    return -1
