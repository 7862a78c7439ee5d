"""Sites: which modules of somebody's model a penalty or a probe reads.

By name (a glob, where ``*`` also crosses dots), by class, by the modules themselves, or by the rule
``"auto"``: in a Transformer the output of every sub-layer before the residual addition, in an MLP the
pre-activation of every hidden layer.  Names are those of ``named_modules()`` without what `torch.compile`,
checkpoint wrappers and DistributedDataParallel put before them.
"""

from __future__ import annotations

import difflib
import fnmatch
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from torch import nn

from anglewise.errors import AttachError
from anglewise.torch.tracing import pre_activations

logger = logging.getLogger(__name__)
Sites: TypeAlias = str | type[nn.Module] | nn.Module | Sequence[str | nn.Module]
Setting: TypeAlias = float | Callable[[int], float]
"""A number, or a function of the step that gives one."""
Settings: TypeAlias = Setting | Sequence[Setting] | Mapping[str, Setting]
"""One setting for all sites, one for each in their order, or globs over sites with settings."""

_WRAPPERS = {"_orig_mod", "_checkpoint_wrapped_module", "_fsdp_wrapped_module"}
_ATTENTION = {"attn", "self_attn", "cross_attn", "encoder_attn", "attention", "self_attention"}
_FEED_FORWARD = {"mlp", "ffn", "ff", "feed_forward", "feedforward", "moe", "block_sparse_moe", "fc2"}
_RESIDUAL_DROPOUT = {"dropout1", "dropout2", "dropout3"}


def unwrapped(model: nn.Module) -> nn.Module:
    """The user's own module inside `torch.compile`'s.

    Raises:
        AttachError: If `model` is DataParallel, whose replicas no hook can serve.
    """
    if isinstance(model, nn.DataParallel):
        raise AttachError(
            "got torch.nn.DataParallel, whose replicas lose what hooks note: expected the model itself; "
            "use DistributedDataParallel"
        )
    inner: nn.Module = getattr(model, "_orig_mod", model)
    return inner


def resolve(model: nn.Module, sites: Sites) -> dict[str, nn.Module]:
    """The modules that `sites` means, by name, in the model's order.

    Args:
        model: Any module.
        sites: ``"auto"``; a glob or several; a class, all of whose instances are meant (of ``nn.Linear``
            those that feed a non-linearity); a module or several.

    Returns:
        At least one module.

    Raises:
        AttachError: If a glob matches nothing, a module is not part of the model, or ``"auto"`` cannot tell.

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> list(resolve(net, "auto")), list(resolve(net, ["2", net[0]]))
        (['0'], ['0', '2'])
    """
    named = named_modules(model)
    if isinstance(sites, str) and sites == "auto":
        chosen = _auto(model, named)
        logger.info("sites='auto' chose %s", ", ".join(chosen))
        return chosen
    if isinstance(sites, type):
        pool, why = pre_activations(model) if sites is nn.Linear else (list(named.values()), "")
        wanted = {id(m) for m in pool if isinstance(m, sites)}
        if not wanted and why:
            raise AttachError(
                f"which {sites.__name__} feeds a non-linearity cannot be told, since the forward of "
                f"{type(model).__name__} could not be traced ({why}): name the sites by glob or pass the modules"
            )
        if not wanted:
            raise AttachError(
                f"no {sites.__name__} found{' that feeds a non-linearity' if sites is nn.Linear else ''}: "
                "expected at least one; name the sites by glob or pass the modules"
            )
    else:
        if not isinstance(sites, (str, nn.Module, Sequence)):
            raise AttachError(f"got sites={sites!r}, expected 'auto', a glob, a class, a module, or several of them")
        each = [sites] if isinstance(sites, (str, nn.Module)) else list(sites)
        if not each:
            raise AttachError("got an empty list of sites: expected at least one glob or module")
        wanted = {id(m) for site in each for m in _matches(named, site)}
    names: dict[int, str] = {}
    for name, module in named.items():
        if id(module) in wanted:
            names.setdefault(id(module), name)
    return {name: named[name] for name in names.values()}


def per_site(what: str, value: Any, sites: Sequence[str]) -> dict[str, Setting]:
    """One setting per site from a number, a schedule, a sequence in the order of sites, or globs with values.

    Args:
        what: The setting's name, for messages.
        value: The first glob of a mapping that matches a site decides for it.
        sites: Names.

    Raises:
        ValueError: If a site gets none, a glob or an element goes to no site, or a number is negative or not
            finite.

    Example:
        >>> per_site("strength", {"*.mlp": 0.1, "*": 0.0}, ["0.attn", "0.mlp"])
        {'0.attn': 0.0, '0.mlp': 0.1}
    """
    return {site: v if callable(v) else number(what, v) for site, v in assigned(what, value, sites).items()}


def assigned(what: str, value: Any, sites: Sequence[str]) -> dict[str, Any]:
    """One value per site: of a mapping what the first matching glob has, of a sequence the site's own, else `value`.

    Args:
        what: The setting's name, for messages.
        value: Globs with values; a sequence in the order of sites; or one value for all.
        sites: Names.

    Raises:
        ValueError: If a site gets none, or a glob or an element goes to no site.

    Example:
        >>> assigned("axis", {"*.conv": 1, "*": -1}, ["0.conv", "0.mlp"])
        {'0.conv': 1, '0.mlp': -1}
    """
    if isinstance(value, Mapping):
        matching = {site: [g for g in value if fnmatch.fnmatchcase(site, g)] for site in sites}
        idle = [g for g in value if not any(g in globs for globs in matching.values())]
        bare = [site for site, globs in matching.items() if not globs]
        if idle or bare:
            raise ValueError(
                f"{what}: {', '.join(idle) or 'no glob'} matched no site and {', '.join(bare) or 'no site'} "
                f"was left without a value; expected globs that cover the sites {', '.join(sites)}"
            )
        return {site: value[globs[0]] for site, globs in matching.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        if len(value) != len(sites):
            raise ValueError(
                f"{what}: got {len(value)} values for {len(sites)} sites; expected one for each of {', '.join(sites)}"
            )
        return dict(zip(sites, value, strict=True))
    return dict.fromkeys(sites, value)


def number(what: str, value: Any) -> float:
    """`value` as a finite float that is not negative.

    Raises:
        ValueError: If it is not.
    """
    try:
        result = float(value)
    except (TypeError, ValueError, RuntimeError):
        result = math.nan
    if not (math.isfinite(result) and result >= 0):
        raise ValueError(f"{what}: expected a finite number of at least 0, got {value!r}")
    return result


def whole(what: str, value: Any) -> int:
    """`value` as an integer.

    Raises:
        ValueError: If it is none.
    """
    if not isinstance(value, int):
        raise ValueError(f"{what}: expected an integer, got {value!r}")
    return value


def named_modules(model: nn.Module) -> dict[str, nn.Module]:
    """All modules by the names that sites have."""
    return dict(_named(model))


def chosen_by_names(sites: Sequence[str]) -> bool:
    """Whether these are sites that ``"auto"`` takes in Transformer blocks, by what their modules are called."""
    known = _ATTENTION | _FEED_FORWARD | _RESIDUAL_DROPOUT
    return all(site.rpartition(".")[2] in known for site in sites)


def _named(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    parallel = isinstance(model, nn.parallel.DistributedDataParallel)
    for name, module in model.named_modules(remove_duplicate=False):
        parts = name.split(".")[1:] if parallel else name.split(".")
        yield ".".join(part for part in parts if part not in _WRAPPERS), module


def _matches(named: Mapping[str, nn.Module], site: str | nn.Module) -> list[nn.Module]:
    if isinstance(site, nn.Module):
        inner = unwrapped(site)
        if all(inner is not m for m in named.values()):
            raise AttachError(
                f"got a {type(site).__name__} that is not part of the model: expected one of its own modules "
                "(a copy has its own)"
            )
        return [inner]
    # a wrapper's own name repeats that of what it wraps: the later entry, the inner module, has won
    matching = [m for name, m in named.items() if name and fnmatch.fnmatchcase(name, site)]
    if not matching:
        near = difflib.get_close_matches(site, [n for n in named if n], n=3, cutoff=0.0)
        raise AttachError(
            f"site {site!r} matched no module: nearest are {', '.join(near) or 'none'}; expected a glob over "
            "the names that model.named_modules() gives"
        )
    return matching


def _auto(model: nn.Module, named: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    chosen: dict[str, nn.Module] = {}
    for name, module in named.items():
        parent, _, last = name.rpartition(".")
        block = named.get(parent)
        if block is None or not name:
            continue
        siblings = {n for n, _ in block.named_children()}
        if isinstance(block, (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)):
            take = last in _RESIDUAL_DROPOUT
        else:
            take = last in _ATTENTION | _FEED_FORWARD and all(siblings & kind for kind in (_ATTENTION, _FEED_FORWARD))
        if take:
            chosen[name] = module
    blocks = (
        "expected Transformer blocks with an attention and a feed-forward child (attn, self_attn, attention; mlp, ffn, "
        "feed_forward, fc2), or an MLP; name the sites by glob or pass the modules"
    )
    if chosen:
        return chosen
    if any("attention" in type(m).__name__.lower() for m in named.values()):
        raise AttachError(f"sites='auto' cannot tell what to take in {type(model).__name__}: {blocks}")
    hidden, why = pre_activations(model)
    if why:
        raise AttachError(
            f"sites='auto' cannot tell what to take in {type(model).__name__}: it has no Transformer blocks, and its "
            f"forward could not be traced as an MLP's ({why}): name the sites by glob or pass the modules"
        )
    ids = {id(m) for m in hidden} if None not in hidden else set()
    chosen = {name: m for name, m in named.items() if id(m) in ids}
    if not chosen:
        raise AttachError(f"sites='auto' cannot tell what to take in {type(model).__name__}: {blocks}")
    return chosen
