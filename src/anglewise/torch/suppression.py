r"""Radial suppression: the radial penalty, attached to anybody's PyTorch model.

.. math::

    \sum_{\text{sites}} \lambda_s \operatorname{mean} (\rho_s - \tau_s)^2,
    \qquad \rho = |h| / \sqrt d

It is a term of the loss and nothing else: no wrapped module, no parameter, no key in the state dict, no gradient
injected behind the loss.  So it is exact under loss scaling, gradient accumulation and checkpointing.  Each call of a
site counts: a module that is called twice in one forward is penalised like two modules with the same weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from anglewise.errors import AttachError
from anglewise.penalty import Side, penalty_of_radius
from anglewise.torch.dataflow import Watch
from anglewise.torch.guards import check, forget_compiled, nothing_captured, reached_again
from anglewise.torch.radii import radius_readings, scaled_radius
from anglewise.torch.sites import (
    Setting,
    Settings,
    Sites,
    assigned,
    chosen_by_names,
    logger,
    named_modules,
    number,
    per_site,
    resolve,
    unwrapped,
    whole,
)
from anglewise.torch.taps import Gate, Log, Select, Tap, Whole


class RadialSuppression:
    r"""Attach the radial penalty to a model: ``loss = task_loss + suppression.penalty()``.

    Attach before compiling, and call `penalty` once after every training forward.  Attaching drops the code that
    `torch.compile` has made so far, since that code would ignore the hooks.  In eval mode, and where gradients are off,
    the penalty is exactly zero.  A NaN in an activation gives a NaN penalty, as it gives a NaN task loss.  A copy or a
    pickle of the model has no suppression.  A copy or a pickle of the suppression holds a copy of the model, attached.

    Args:
        model: Any module; under DistributedDataParallel either the inner or the outer one.
        sites: ``"auto"``, a glob or several, a class, modules.
        strength: :math:`\lambda`, at least 0; exactly 0 leaves the site out of the loss, so that training
            keeps its bits.  A number, a function of the step, a sequence in the order of the sites, or globs
            with values.
        target: :math:`\tau`, the wanted radius in units of sqrt(d); the same forms.
        side: ``"both"``; ``"outer"`` charges only radii above the target; ``"inner"`` only those below.
        over: ``"sum"`` over the calls of all sites, or their ``"mean"``.
        where: The sites' ``"output"`` or ``"input"``.
        axis: Axis of the width d in the activation: one for all sites, a sequence in their order, or globs with values.
        select: Takes the activation from the module's output, or from the pair of its arguments and keyword
            arguments; by default the first tensor in it.
        partial: Allow a forward that leaves some sites out (layer drop, experts without tokens) or has
            nothing trained before them (frozen lower layers).
        forwards: ``"one"`` forward for each penalty, a second one before it is an error; ``"several"``: the calls of
            all forwards since the last penalty count, as if it had been taken after each.

    Raises:
        AttachError: If the sites cannot be found.
        ValueError: If a setting is out of range or does not fit the sites.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))
        >>> suppression = RadialSuppression(model, sites="0", strength=0.05, target=1.0)
        >>> loss = model(torch.ones(4, 2)).square().mean() + suppression.penalty()
        >>> loss.backward()
        >>> list(suppression.readings(loss))[:3]
        ['penalty', 'penalty_share', '0/radius']
    """

    def __init__(
        self,
        model: nn.Module,
        sites: Sites = "auto",
        strength: Settings = 0.05,
        target: Settings = 1.0,
        *,
        side: Side = "both",
        over: Literal["sum", "mean"] = "sum",
        where: Literal["output", "input"] = "output",
        axis: int | Sequence[int] | Mapping[str, int] = -1,
        select: Select | None = None,
        partial: bool = False,
        forwards: Literal["one", "several"] = "one",
    ) -> None:
        for what, got, known in (
            ("side", side, ("both", "outer", "inner")),
            ("over", over, ("sum", "mean")),
            ("where", where, ("output", "input")),
            ("forwards", forwards, ("one", "several")),
        ):
            if got not in known:
                raise ValueError(f"{what} must be one of {', '.join(map(repr, known))}, got {got!r}")
        if not (select is None or callable(select)):
            raise ValueError(f"select must be a function of what the module gives, or None, got {select!r}")
        self._model = unwrapped(model)
        chosen = resolve(self._model, sites)
        self.sites = tuple(chosen)
        self.strength = per_site("strength", strength, self.sites)
        self.target = per_site("target", target, self.sites)
        self.side, self.over, self.partial, self.forwards = side, over, partial, forwards
        self._reads: dict[str, Any] = {
            "output": where == "output",
            "axis": {site: whole("axis", each) for site, each in assigned("axis", axis, self.sites).items()},
            "select": select,
            "several": forwards == "several",
        }
        forget_compiled()
        self._log = Log()
        self._log.start(**self._reads)
        by_names = isinstance(sites, str) and sites == "auto" and chosen_by_names(self.sites)
        unusual = where == "input" or select is not None
        self._watch = Watch(named_modules(self._model), self.sites) if by_names and not unusual else None
        self._given = {"strength": strength, "target": target, "axis": axis}
        self._refused = ""
        self._seen = False
        self._last: list[tuple[str, Tensor, Tensor | None]] = []
        self._value: Tensor | None = None
        self._handles = [self._model.register_forward_pre_hook(Gate(self._log))]
        self._tap(chosen)

    def _tap(self, chosen: Mapping[str, nn.Module]) -> None:
        for name, module in chosen.items():
            tap = Tap(self._log, name)
            if self._log.output and any(type(p).__name__ == "DTensor" for p in module.parameters()):
                self._handles.append(module.register_forward_hook(Whole(self._log, name), prepend=True))
            self._handles.append(
                module.register_forward_hook(tap)
                if self._log.output
                else module.register_forward_pre_hook(tap, with_kwargs=True)
            )

    def penalty(self, *, mask: Tensor | Mapping[str, Tensor | None] | None = None, step: int | None = None) -> Tensor:
        r"""The penalty of the training forward that just ran; forget its activations.

        Args:
            mask: Weights, usually 0 and 1, that broadcast over the shape ``[*batch]`` of the radii (for
                instance ``[batch, tokens]``); what has weight 0 counts neither in the sum nor in the number
                divided by.  Where sites need masks of their own: globs with masks, None for no mask.
            step: Number of steps taken so far; needed where strength or target is a function of the step.

        Returns:
            A scalar, float32 or wider, on the device of the last activation: :math:`\lambda` times the mean
            over vectors of :math:`(\rho - \tau)^2`, summed (or averaged) over the calls of all sites.  Where sequence
            parallelism gives this process a part of a site's vectors, their part of that mean: processes add up to it.

        Raises:
            AttachError: If no activation was captured, or one that cannot be penalised.
            ValueError: If the mask does not broadcast or a schedule has no step.
        """
        live = self._log.live and self._model.training and torch.is_grad_enabled()
        if live:
            self.settle()
        captures, faults, ran = self._log.take()
        if not live:
            return self._zero()
        if self._refused:
            raise AttachError(self._refused)
        if faults:
            raise AttachError(faults[0])
        if not (captures or ran):
            raise AttachError(nothing_captured(before=self._seen))
        if not ran and self.forwards == "one":
            names = [site for site, *_ in captures]
            if len(set(names)) < len(names):
                raise AttachError(reached_again(site for site in self.sites if names.count(site) > 1))
        check(self.sites, captures, partial=self.partial)
        self._seen = True
        masks = assigned("mask", mask, self.sites) if isinstance(mask, Mapping) else dict.fromkeys(self.sites, mask)
        total = self._zero().to(captures[-1][1].device if captures else None)
        for site, rho, share in captures:
            strength = share * _at(step, "strength", self.strength[site])
            if share != 1 and masks[site] is not None:
                raise AttachError(
                    f"got a mask for site {site!r}, whose vectors are split over processes: expected none, since this "
                    "process cannot tell how many count elsewhere"
                )
            if strength:
                target, kept = _at(step, "target", self.target[site]), _fitting(masks[site], rho, site)
                total = total + strength * penalty_of_radius(rho, target, kept, side=self.side).to(total.device)
        if self.over == "mean" and captures:
            total = total / len(captures)
        self._last = [(site, rho.detach(), masks[site]) for site, rho, _ in captures]
        self._value = total.detach()
        return total

    def settle(self) -> None:
        """Check the choice of ``sites="auto"`` once, against what a forward has shown.

        `penalty` calls it.  Afterwards `sites` are the sites that are penalised: those chosen by their names, or those
        whose outputs the blocks add to the stream.
        """
        if self._watch is None or torch.compiler.is_compiling() or not (self._log.captures or self._log.faults):
            return
        watch, self._watch = self._watch, None
        seen = watch.seen
        if not (seen.added or seen.problems or seen.unclear):
            self._handles += watch.idle()
        else:
            watch.end()
        if seen.unclear or not (seen.added or seen.problems):
            where = ", ".join(dict.fromkeys(seen.unclear)) or "a compiled forward"
            logger.warning("sites='auto' was chosen by names, and could not be checked in %s", where)
        named = named_modules(self._model)
        kept = [site for site in self.sites if site.rpartition(".")[0] not in seen.added]
        right = {*kept, *(name for names in seen.added.values() for name in names)}
        sites = tuple(name for name in named if name in right)
        uniform = not any(isinstance(value, (Mapping, Sequence)) for value in self._given.values())
        axes = {site: self._log.axis.get(site, -1) for site in sites}
        if self._given["axis"] == -1:
            axes |= {site: axis for site, axis in seen.axes.items() if site in axes}
        if not seen.problems and (sites, axes) == (self.sites, dict(self._log.axis)):
            return
        change = f"expected {', '.join(sites)}" + "".join(f", {s} with axis {a}" for s, a in axes.items() if a != -1)
        overwritten = [site for site, h, version in seen.outputs if h._version != version]
        if seen.problems or not uniform or overwritten:
            why = seen.problems[0] if seen.problems else f"the additions to the stream are others: {change}"
            self._refused = (
                f"sites='auto' chose {', '.join(self.sites)}, and {why}; name the sites, and their axes, yourself"
            )
            return
        logger.warning("sites='auto' corrected its choice by what the blocks add to the stream: %s", change)
        old, self._handles = self._handles[1:], self._handles[:1]
        chosen = {site: named[site] for site in sites}

        def moved() -> None:
            for handle in old:
                handle.remove()
            self._log.axis = self._reads["axis"] = axes
            self._tap(chosen)

        if self._log.open:  # a checkpointed region runs the old hooks once more in backward
            self._log.pending = moved
            self._handles += old
        else:
            moved()
        self.sites = sites
        self.strength = per_site("strength", self._given["strength"], sites)
        self.target = per_site("target", self._given["target"], sites)
        outputs = [(site, scaled_radius(h, axes[site]), 1.0) for site, h, _ in seen.outputs]
        self._log.captures[:] = [*(entry for entry in self._log.captures if entry[0] in kept), *outputs]
        self._log.faults.clear()

    def readings(self, loss: Tensor | float | None = None) -> dict[str, float]:
        """Radii at the last penalty, in units of sqrt(d), ready for a tracker.

        Args:
            loss: The whole loss, penalty included, at the same step.

        Returns:
            ``penalty``; ``penalty_share`` of the loss if that is given (NaN of a loss of 0, as float32 has it for a
            set that is memorised); and for each site ``site/radius`` (the mean), ``site/radius_std`` and the quantiles
            ``site/radius_q05``, ``_q50`` and ``_q95``, over all vectors that the mask left.

        Raises:
            AttachError: If no penalty was taken yet.
        """
        if self._value is None:
            raise AttachError("no readings yet: call penalty() after a training forward first")
        value = float(self._value)
        result = {"penalty": value}
        if loss is not None:
            whole = float(torch.as_tensor(loss).detach())
            result["penalty_share"] = value / whole if whole else math.nan
        for site in dict.fromkeys(site for site, _, _ in self._last):
            parts = [
                r.flatten() if m is None else r[m.to(r.device).broadcast_to(r.shape) != 0]
                for s, r, m in self._last
                if s == site
            ]
            result |= radius_readings(site, torch.cat(parts))
        return result

    @property
    def owed(self) -> bool:
        """Whether a training forward ran whose penalty was not taken yet."""
        return bool(self._log.open or self._log.captures)

    def clear(self) -> None:
        """Forget the activations of a forward whose penalty is not wanted."""
        self._log.take()

    def detach(self) -> None:
        """Remove every hook; from then on the penalty is zero."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        if self._watch is not None:
            self._watch.end()
        self._watch, self._log.live, self._log.pending = None, False, None
        self._log.take()

    def _zero(self) -> Tensor:
        for p in self._model.parameters():
            return torch.zeros((), dtype=torch.float32, device=p.device)
        return torch.zeros((), dtype=torch.float32)

    def __enter__(self) -> RadialSuppression:
        return self

    def __exit__(self, *exception: object) -> None:
        self.detach()

    def __del__(self) -> None:
        if "_handles" in self.__dict__:
            self.detach()

    def __repr__(self) -> str:
        return f"RadialSuppression(sites={self.sites}, strength={self.strength}, target={self.target})"

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_last": [], "_value": None, "_watch": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._handles:
            self._log.start(**self._reads)


def _at(step: int | None, what: str, setting: Setting) -> float:
    if not callable(setting):
        return setting
    if step is None:
        raise ValueError(f"{what} is a function of the step, but penalty() got none: call penalty(step=...)")
    return number(what, setting(step))


def _fitting(mask: Tensor | None, rho: Tensor, site: str) -> Tensor | None:
    if mask is None:
        return None
    if not isinstance(mask, Tensor):
        raise ValueError(f"got a mask of type {type(mask).__name__} for site {site!r}, expected a tensor or None")
    try:
        return mask.to(rho.device).broadcast_to(rho.shape)
    except RuntimeError:
        raise ValueError(
            f"got a mask of shape {tuple(mask.shape)} for site {site!r}, whose radii have shape "
            f"{tuple(rho.shape)}: expected one that broadcasts to it"
        ) from None
