"""Arms by name: ``decay .001 + penalty`` is AdamW with weight decay .001 and the penalty behind it.

The parts of a name are what the arm consists of, so that every table says what was trained.  The first part is the
optimiser, the others are added to it.  Worlds change what the parts mean: Adam's betas, what decays, where the penalty
is, and first weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from anglewise.errors import SpecError, shown, unknown
from anglewise.lab.experiments import quickstart
from anglewise.lab.methods.ba2016_norms import LayerNorm, RMSNorm
from anglewise.lab.methods.cliptogrok2026_rows import ClipRows
from anglewise.lab.methods.controls import RadiusClamp
from anglewise.lab.methods.man2025 import MAN
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.methods.projection import ProjectSTE, ProjectTangential
from anglewise.lab.methods.radius_init import RadiusInit
from anglewise.lab.methods.srivastava2014_dropout import Dropout
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.studies.claims.worlds import World

PLUS = " + "
RATE = 1e-3
"""Learning rate of the paper."""
STRENGTH = 0.05
"""Strength of the penalty on the paper's MLP."""


def mlp(name: str, world: World) -> tuple[Any, ...]:
    """Methods of an arm of the paper's MLP.

    Raises:
        SpecError: If the name means nothing.
    """
    post = world["site"] == "post"
    penalty = {
        "sites": ("hidden.0.post", "hidden.1.post") if post else (),
        "over": "mean" if world["layers"] == "mean" else "sum",
    }
    adam = {
        "beta2": 0.98 if world["betas"] == ".98" else 0.999,
        "decay": "matrices" if world["decay-on"] == "matrices" else "all",
    }
    start = (RadiusInit(),) if world["initialisation"] == "sphere" else ()
    return (*start, *_chain(name, adam, penalty))


def plain(name: str, world: World) -> tuple[Any, ...]:
    """Methods of an arm that no world changes."""
    return _chain(name, {}, {})


def transformer(name: str, world: World) -> tuple[Any, ...]:
    """Methods of an arm of the paper's Transformer, with Adam's usual betas there."""
    return _chain(name, {"beta2": 0.98}, {"strength": float(world["strength"])})


def fast(name: str, world: World) -> tuple[Any, ...]:
    """Methods of an arm of the fast set-up: ``AdamW`` is the quickstart's, ``tuned AdamW`` its tuned one."""
    return behind({"AdamW": quickstart.COMMON, "tuned AdamW": quickstart.TUNED}, name, {})


def behind(optimisers: Mapping[str, tuple[Any, ...]], name: str, penalty: Mapping[str, Any]) -> tuple[Any, ...]:
    """Methods of an arm whose first part is one of some optimisers, by name.

    Args:
        optimisers: Chains of methods by name.
        name: Of the arm.
        penalty: Fields of the penalty that its name does not give.

    Raises:
        SpecError: If the name means nothing.
    """
    first, *parts = name.split(PLUS)
    if first not in optimisers:
        raise SpecError(unknown("optimiser", first, optimisers))
    return (*optimisers[first], *(_extra(part, penalty) for part in parts))


def _chain(name: str, adam: Mapping[str, Any], penalty: Mapping[str, Any]) -> tuple[Any, ...]:
    first, *parts = name.split(PLUS)
    word, _, decay = first.partition(" ")
    if word != "decay":
        raise SpecError(f"an arm begins with 'decay' and a number, got {shown(name)}")
    optimiser = AdamW(lr=RATE, wd=_number(decay, name), **adam)
    return (optimiser, *(_extra(part, penalty) for part in parts))


def _radial(where: Mapping[str, Any], strength: float | None = None, **form: Any) -> RadialPenalty:
    """The penalty as a world has it, with the strength that an arm's name gives."""
    given = {} if strength is None else {"strength": strength}
    return RadialPenalty(**{"strength": STRENGTH} | dict(where) | given | form)


_EXTRAS: Mapping[str, Callable[[float | None, Mapping[str, Any]], Any]] = {
    "penalty": lambda x, where: _radial(where, x),
    "outer penalty": lambda x, where: _radial(where, x, side="outer"),
    "inner penalty": lambda x, where: _radial(where, x, side="inner"),
    "penalty to": lambda x, where: _radial(where, target=_given(x, "penalty to")),
    "MAN": lambda x, where: MAN(zeta=_given(x, "MAN")),
    "dropout": lambda x, where: Dropout(rate=_given(x, "dropout")),
    "LayerNorm": lambda x, where: LayerNorm(affine=False),
    "affine LayerNorm": lambda x, where: LayerNorm(affine=True),
    "RMSNorm": lambda x, where: RMSNorm(affine=False),
    "projection": lambda x, where: ProjectTangential(target=1.0 if x is None else x),
    "straight-through projection": lambda x, where: ProjectSTE(target=1.0 if x is None else x),
    "radius at most": lambda x, where: RadiusClamp(_given(x, "radius at most"), "outer"),
    "rows at most": lambda x, where: ClipRows(c=_given(x, "rows at most"), vectors=False, embedding=True, head=True),
}
"""What may stand behind the optimiser, from the number behind its name."""
_WITHOUT = ("LayerNorm", "affine LayerNorm", "RMSNorm")
"""Those that take no number."""


def _extra(part: str, where: Mapping[str, Any]) -> Any:
    """A method that is added to an optimiser, such as ``penalty``, ``penalty .1`` or ``MAN .15``."""
    word, _, tail = part.rpartition(" ")
    if part in _EXTRAS:
        return _EXTRAS[part](None, where)
    if word in _EXTRAS:
        if word in _WITHOUT:
            raise SpecError(f"{word} takes no number, got {shown(part)}")
        return _EXTRAS[word](_number(tail, part), where)
    raise SpecError(unknown("part of an arm", part, _EXTRAS))


def _number(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise SpecError(f"expected a number in the arm's name {shown(name)}, got {shown(text)}") from None


def _given(x: float | None, name: str) -> float:
    if x is None:
        raise SpecError(f"{name} needs a number behind it, as in '{name} .5'")
    return x
