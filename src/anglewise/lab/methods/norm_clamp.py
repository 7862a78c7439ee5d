r"""Weight norms held by force: clamped to a constant, or replayed from another run.

.. math:: \theta \leftarrow \theta \cdot \rho \, N / |\theta|

after each step, with N a given norm (such as the one at which free decay settles) or the norm at initialisation, of
the whole network or of each tensor.  The optimiser's moments are not touched.  A control: what a method gains by
its effect on the norm alone, this gains too.

Sources: arXiv 2606.13753, second-hand (a given norm, from some step on: give `strength` a schedule ``Until(0, t, 1)``);
Omnigrok, arXiv 2210.01117, repository KindXiaoming/Omnigrok (the initial norm of all but the embeddings; its sum of
squares counts the first tensor twice, which is not repeated here).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from anglewise.errors import SpecError, unknown
from anglewise.lab.methods.matrices import length
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import NOT_NEGATIVE, SHARE, Names
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Params
from anglewise.lab.protocols.reading import named_parameters
from anglewise.lab.protocols.schedule import Number


def norm_of(params: Params, parameter: str = "", roles: tuple[str, ...] = ()) -> Array:
    """Euclidean norm of the parameter of this readable path, or of all parameters (of some roles) for ``""``."""
    named = named_parameters(params)
    if parameter and parameter not in named:
        raise SpecError(unknown("parameter", parameter, named))
    role = named_parameters(params.roles)
    chosen = [w for name, w in named.items() if parameter in ("", name) and (not roles or role[name] in roles)]
    return jnp.sqrt(sum((jnp.sum(w * w) for w in chosen), jnp.zeros((), named[next(iter(named))].dtype)))


def _over(wanted: Any, norm: Array) -> Any:
    """``wanted / norm``; 1 where there is nothing to scale."""
    return jnp.where(norm > 0, wanted / jnp.where(norm > 0, norm, 1), 1)


@method
class NormClamp(Method):
    """Norm clamp: rescale the weights to a constant norm after each step (weights; arXiv 2606.13753, 2210.01117).

    Stands behind the optimiser in an arm.

    Args:
        rho: Wanted norm in units of the reference.
        reference: The reference of ``"given"``, in units of weight.
        strength: 1 holds the norm, 0 leaves it free.
        to: Reference norm: ``"given"``, or ``"initial"``, the norm of the first weights.
        per: Whether the ``"network"`` as a whole or each ``"tensor"`` is held; tensors need ``"initial"``, and those
            that start at zero (biases) stay free.
        roles: Which parameters; empty for all.
    """

    rho: Annotated[Number, NOT_NEGATIVE] = 1.0
    reference: Annotated[Number, NOT_NEGATIVE] = 1.0
    strength: Annotated[Number, SHARE] = 1.0
    to: Literal["given", "initial"] = "initial"
    per: Literal["network", "tensor"] = "network"
    roles: Annotated[tuple[str, ...], Names("role")] = ()

    position = "last"

    downhill = False

    def __post_init__(self) -> None:
        """Check the fields."""
        if self.per == "tensor" and self.to == "given":
            raise SpecError("a norm clamp per tensor needs to='initial', got to='given': one number is no norm for all")

    def transform(self) -> optax.GradientTransformation:
        """Lengthen or shorten the step so that it ends on the wanted norm."""

        def init(params: Params) -> Any:
            if self.per == "tensor":
                return jax.tree.map(_length, params)
            return norm_of(params, roles=self.roles) if self.to == "initial" else ()

        def update(updates: Params, state: Any, params: Params) -> tuple[Params, Any]:
            after = jax.tree.map(jnp.add, params, updates)
            if self.per == "tensor":
                ratio = jax.tree.map(lambda n, w: jnp.where(n > 0, _over(self.rho * n, _length(w)), 1), state, after)
            else:
                overall = _over(self.rho * self._reference(state), norm_of(after, roles=self.roles))
                ratio = jax.tree.map(lambda w: overall, after)

            def moved(role: str, u: Array, w: Array, r: Array) -> Array:
                return u + self.strength * (r - 1) * w if not self.roles or role in self.roles else u

            return jax.tree.map(moved, params.roles, updates, after, ratio), state

        return optax.GradientTransformation(init, update)  # type: ignore[arg-type]

    def _reference(self, opt_state: Any) -> Any:
        return opt_state if self.to == "initial" else self.reference

    def check(self, opt_state: Any, params: Params, activations: Any) -> Mapping[str, tuple[Any, Any]]:
        """Wanted and present norm of the network, or of each tensor."""
        if self.per == "network":
            return {"norm": (self.rho * self._reference(opt_state), norm_of(params, roles=self.roles))}
        got, role = named_parameters(params), named_parameters(params.roles)
        held = {
            name: n for name, n in named_parameters(opt_state).items() if not self.roles or role[name] in self.roles
        }
        return {f"norm.{name}": (self.rho * n, _length(got[name])) for name, n in held.items()}


OMNIGROK = NormClamp(rho=1.0, to="initial", roles=("hidden", "head", "vector"))
"""The initial norm of all but the embeddings, held; released behind Adam(1e-2, beta2 0.99) without decay."""


@method
class NormReplay(Method):
    """Norm replay: impose a recorded norm, of the network or of one parameter, after each step (control).

    Args:
        norm: Wanted norm; a schedule's value for update t (from 0) is that of the weights after it.
        parameter: Readable path such as ``layers.0.weight``; empty for the whole network.
    """

    norm: Annotated[Number, NOT_NEGATIVE] = 1.0
    parameter: Annotated[str, Names("parameter")] = ""

    position = "last"

    downhill = False

    def transform(self) -> optax.GradientTransformation:
        """Remember what norm is wanted after this step; the step passes."""

        def update(updates: Params, state: Array, params: Params = None) -> tuple[Params, Array]:
            return updates, jnp.asarray(self.norm, state.dtype)

        return optax.GradientTransformation(lambda params: norm_of(params, self.parameter), update)

    def project(self, params: Params) -> Params:
        """Rescale to the wanted norm."""
        ratio = _over(self.norm, norm_of(params, self.parameter))

        def scaled(path: Any, w: Array) -> Array:
            name = jax.tree_util.keystr(path, simple=True, separator=".")
            return w * ratio if self.parameter in ("", name) else w

        return jax.tree_util.tree_map_with_path(scaled, params)

    def check(self, opt_state: Array, params: Params, activations: Any) -> Mapping[str, tuple[Any, Any]]:
        """Norm wanted by the last update, and norm now."""
        return {f"norm.{self.parameter}" if self.parameter else "norm": (opt_state, norm_of(params, self.parameter))}


def _length(w: Array) -> Array:
    return length(w, keepdims=False)
