r"""A probe: readings that need a gradient or a second look, from anybody's PyTorch model.

.. math:: \Phi = d \, \frac{\langle g, u \rangle^2}{|g|^2}, \qquad g = \nabla_h L_{\text{task}}

`g` must be the gradient of the task loss alone: the penalty's own gradient is purely radial and would measure
itself.  A random direction gives 1 on average; compare with the paired run without penalty rather than with
1. Measuring happens in eval mode, uncompiled, and leaves no trace: modes, buffers, random numbers and
``.grad`` are as before.  Source: arXiv 2606.32000, section 4.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.utils.hooks import RemovableHandle

from anglewise.errors import AttachError
from anglewise.geometry import displacement, effective_rank_of, radial_energy, singular_values, stable_rank_of
from anglewise.torch.radii import radius_readings, scaled_radius
from anglewise.torch.sites import Sites, resolve, unwrapped
from anglewise.torch.taps import Select, first_tensor


class RadialProbe:
    """Measure radii, radial energy of the task gradient, displacement and ranks at every site.

    Args:
        model: Any module, compiled or not.
        sites: As in `RadialSuppression`; ``"auto"`` goes by names alone, so better take the ``sites`` of a suppression
            that has run.
        where: The sites' ``"output"`` or ``"input"``.
        axis: Axis of the width d.
        select: As in `RadialSuppression`.
        rows: At most this many vectors, evenly spaced, go into ranks and singular values.
        relative: A vector whose gradient is smaller (largest entry) than this times the site's largest has no
            direction that float arithmetic could tell; it is left out and counted, never taken as 0.  So is a
            vector of length 0.

    Raises:
        AttachError: If the sites cannot be found.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))
        >>> probe = RadialProbe(model, sites="0")
        >>> batch = torch.ones(4, 2), torch.tensor([0, 1, 0, 1])
        >>> def loss_fn(model, batch):
        ...     return nn.functional.cross_entropy(model(batch[0]), batch[1])
        >>> read = probe.measure(loss_fn, batch)
        >>> 0 <= read["0/radial_energy"] <= 16
        True
    """

    def __init__(
        self,
        model: nn.Module,
        sites: Sites = "auto",
        *,
        where: Literal["output", "input"] = "output",
        axis: int = -1,
        select: Select | None = None,
        rows: int = 1024,
        relative: float = 1e-6,
    ) -> None:
        outer = unwrapped(model)
        self._modules = resolve(outer, sites)
        self._model = unwrapped(outer.module) if isinstance(outer, nn.parallel.DistributedDataParallel) else outer
        self._where, self._axis, self._select = where, axis, select
        self._rows, self._relative = rows, relative
        self._before: tuple[Any, dict[str, Tensor]] = (None, {})

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the sites."""
        return tuple(self._modules)

    def measure(self, loss_fn: Callable[[nn.Module, Any], Tensor], batch: Any) -> dict[str, float]:
        r"""All readings of the model as it is now.

        Args:
            loss_fn: The *task* loss, a scalar, from the model and the batch; its scale does not matter.
            batch: Handed to `loss_fn`.  Displacements are taken between two measures of the very same object.

        Returns:
            For each site ``site/...``: ``radius`` with ``_std``, ``_q05``, ``_q50``, ``_q95``, in units of
            sqrt(d); ``radial_energy`` (mean over vectors), ``radial_energy_median``,
            ``radial_energy_of_means`` (ratio of the means of :math:`d \langle g, u \rangle^2` and
            :math:`|g|^2`), ``no_gradient`` (share of vectors left out); ``radial_displacement`` and
            ``angular_displacement``, the two parts of `anglewise.geometry.displacement` since the last measure, root
            mean squares over vectors in units of sqrt(d) (NaN the first time and after another batch);
            ``effective_rank``, ``stable_rank`` and ``sigma_max`` of the vectors, not centred.

        Raises:
            AttachError: If a site was not reached, or what it holds is no activation.
        """
        taken: dict[str, list[tuple[Tensor, GradientEdge]]] = {site: [] for site in self.sites}
        with _undisturbed(self._model), self._watching(taken):
            loss = loss_fn(self._model, batch)
            missing = [site for site, hs in taken.items() if not hs]
            if missing:
                raise AttachError(
                    f"the loss was computed without reaching {', '.join(missing)}: expected loss_fn to call "
                    "these modules of the model it is given"
                )
            edges = [edge for hs in taken.values() for _, edge in hs]
            gradients = iter(torch.autograd.grad(loss, edges, allow_unused=True))
        result: dict[str, float] = {}
        known, before = self._before
        now: dict[str, Tensor] = {}
        for site, hs in taken.items():
            h = now[site] = self._vectors([h for h, _ in hs])
            slopes = [(h, next(gradients)) for h, _ in hs]
            g = self._vectors([torch.zeros_like(h) if slope is None else slope for h, slope in slopes])
            read = _energy(g, h, self._relative)
            read |= _moved(h, before[site] if known is batch and site in before else None)
            read |= _spectrum(h[:: math.ceil(len(h) / self._rows)])
            result |= radius_readings(site, scaled_radius(h))
            result |= {f"{site}/{name}": value for name, value in read.items()}
        self._before = batch, now
        return result

    def _vectors(self, parts: list[Tensor]) -> Tensor:
        """All vectors as rows; where there are none (an expert without tokens), one of NaN."""
        rows = [part.detach().movedim(self._axis, -1) for part in parts]
        joined = torch.cat([row.reshape(-1, row.shape[-1]) for row in rows])
        joined = joined if len(joined) else joined.new_full((1, joined.shape[-1]), math.nan)
        return joined if joined.dtype == torch.float64 else joined.float()

    @contextlib.contextmanager
    def _watching(self, taken: dict[str, list[tuple[Tensor, GradientEdge]]]) -> Iterator[None]:
        """Hooks that keep the activations as they are now, and where in the graph their gradients arrive.

        Both hold whatever writes over an activation later.  Where all before it is frozen, it is made to need one.
        """
        leaves: list[Tensor] = []

        def keep(site: str, value: Any) -> Tensor | None:
            h = first_tensor(value) if self._select is None else self._select(value)
            if not (isinstance(h, Tensor) and h.is_floating_point()):
                got = h.dtype if isinstance(h, Tensor) else type(h).__name__
                raise AttachError(
                    f"site {site!r}: expected a floating-point activation, got {got}: choose another site or "
                    "pass select="
                )
            replaced = None
            if not h.requires_grad and value is h:
                h = h.detach().requires_grad_()
                replaced = h.clone()  # may be overwritten, as a leaf may not
            elif not h.requires_grad:
                leaves.append(h.requires_grad_())
            taken[site].append((h.detach().clone(), get_gradient_edge(h)))
            return replaced

        def watched(site: str, module: nn.Module) -> RemovableHandle:
            def at_input(_: nn.Module, args: Any, kwargs: Any) -> None:
                keep(site, (args, kwargs))

            if self._where == "input":
                return module.register_forward_pre_hook(at_input, with_kwargs=True)
            return module.register_forward_hook(lambda module, args, out: keep(site, out))

        handles = [watched(site, module) for site, module in self._modules.items()]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
            for leaf in leaves:
                leaf.requires_grad_(False)


def _energy(g: Tensor, h: Tensor, relative: float) -> dict[str, float]:
    size = g.abs().amax(dim=-1)
    usable = (size > relative * size.max()) & (h != 0).any(dim=-1)
    # in float64, and scaled: the gradient of a fitted sample is so small that its squares vanish
    g, h = g[usable].double() / size.max().double(), h[usable].double()
    each = radial_energy(g, at=h)
    square = g.square().sum(dim=-1)
    return {
        "radial_energy": float(each.mean()),
        "radial_energy_median": float(np.median(each.cpu())) if len(each) else math.nan,
        "radial_energy_of_means": float((each * square).sum() / square.sum()),
        "no_gradient": 1 - float(usable.double().mean()),
    }


def _moved(h: Tensor, before: Tensor | None) -> dict[str, float]:
    if before is None or before.shape != h.shape:
        return {"radial_displacement": math.nan, "angular_displacement": math.nan}
    parts = displacement(before, h)
    return {
        "radial_displacement": math.sqrt(float(parts.radial.square().mean()) / h.shape[-1]),
        "angular_displacement": math.sqrt(float(parts.angular.square().mean()) / h.shape[-1]),
    }


def _spectrum(h: Tensor) -> dict[str, float]:
    sigma = singular_values(h)
    return {
        "effective_rank": float(effective_rank_of(sigma)),
        "stable_rank": float(stable_rank_of(sigma)),
        "sigma_max": float(sigma[0]),
    }


@contextlib.contextmanager
def _undisturbed(model: nn.Module) -> Iterator[None]:
    """Eval mode, eager, gradients on; afterwards modes, buffers and random numbers are as they were."""
    modes = {m: m.training for m in model.modules()}
    inplace = [m for m in model.modules() if getattr(m, "inplace", False) is True]
    buffers = [(b, b.clone()) for b in model.buffers()]
    devices = {p.device.index for p in model.parameters() if p.device.type == "cuda"}
    model.eval()
    for module in inplace:  # would overwrite the activation that the gradient is wanted at
        module.inplace = False  # type: ignore[assignment]
    try:
        with (
            torch.random.fork_rng(sorted(devices)),
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.compiler.set_stance("force_eager"),
        ):
            yield
    finally:
        for module in inplace:
            module.inplace = True  # type: ignore[assignment]
        for module, mode in modes.items():
            module.training = mode
        with torch.no_grad():
            for buffer, kept in buffers:
                if not torch.equal(buffer, kept):
                    buffer.copy_(kept)
