r"""Muon: hidden matrices step by the matrix sign of their momentum, everything else by AdamW.

.. math:: M \leftarrow \mu M + (1 - \mu) G, \qquad U = \operatorname{NS}_5\bigl((1 - \mu) G + \mu M\bigr), \qquad
    W \leftarrow (1 - \eta \lambda) W - \eta \, s \, U, \qquad s = \sqrt{\max(1, \text{rows} / \text{cols})}

with rows and columns counted as PyTorch does (outputs by inputs).  NS_5 leaves singular values in about [0.5, 1.5].

Source: repository KellerJordan/Muon.  Here Newton-Schulz runs in the weights' dtype (released: bfloat16) and a
Transformer's qkv is three matrices (released: whatever the model stores).  optax's Muon corrects the bias of M and G by
different powers, which the released code does not: hence these lines.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from anglewise.lab.methods.matrices import MATRICES, Matrices, newton_schulz, on_matrices
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.fields import DECAY, NOT_NEGATIVE, Bound
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.model import Params
from anglewise.lab.protocols.schedule import Number

Scale = Literal["aspect", "rms", "none"]


class Momentum(NamedTuple):
    """M, of the parameters that Muon steps."""

    average: Params


@method
class Muon(Method):
    """Muon: hidden matrices step by the matrix sign of their momentum, the rest by AdamW (optimiser; Jordan 2024).

    Args:
        lr: Rate of the matrices, in units of spectral norm per step.
        wd: Their decoupled decay.
        momentum: mu.
        aux_lr: AdamW's rate for embeddings and vectors.
        aux_wd: AdamW's decay, for the head too.
        aux_beta1: AdamW's decay of the first moment.
        aux_beta2: AdamW's decay of the second moment.
        aux_eps: Added to the root of AdamW's second moment.
        head_lr: AdamW's rate for the unembedding.
        steps: Newton-Schulz steps.
        scale: ``"aspect"``, s above; ``"rms"``, 0.2 sqrt(max(rows, cols)) (arXiv 2502.16982); or ``"none"``.
        nesterov: Whether the step looks ahead by one gradient.
        all_matrices: Whether tables and the head are matrices to orthogonalise too, each as a map from its tokens.
    """

    lr: Annotated[Number, NOT_NEGATIVE] = 0.02
    wd: Annotated[Number, NOT_NEGATIVE] = 0.0
    momentum: Annotated[Number, DECAY] = 0.95
    aux_lr: Annotated[Number, NOT_NEGATIVE] = 3e-4
    aux_wd: Annotated[Number, NOT_NEGATIVE] = 0.0
    aux_beta1: Annotated[float, DECAY] = 0.9
    aux_beta2: Annotated[float, DECAY] = 0.95
    aux_eps: Annotated[float, NOT_NEGATIVE] = 1e-10
    head_lr: Annotated[Number, NOT_NEGATIVE] = 3e-4
    steps: Annotated[int, Bound(1, 100)] = 5
    scale: Scale = "aspect"
    nesterov: bool = True
    all_matrices: bool = False

    downhill = True

    def transform(self) -> optax.GradientTransformation:
        """Every parameter by the rule of its role."""
        matrices = MATRICES if self.all_matrices else ("hidden",)

        def rule(role: str) -> str:
            return "muon" if role in matrices else ("head" if role == "head" else "aux")

        return optax.partition(
            {
                "muon": optax.chain(self._orthogonal(matrices), _downhill(self.wd, self.lr)),
                "head": optax.chain(self._adam(), _downhill(self.aux_wd, self.head_lr)),
                "aux": optax.chain(self._adam(), _downhill(self.aux_wd, self.aux_lr)),
            },
            lambda params: jax.tree.map(rule, params.roles),
        )

    def _adam(self) -> optax.GradientTransformation:
        return optax.scale_by_adam(self.aux_beta1, self.aux_beta2, self.aux_eps)

    def _orthogonal(self, matrices: tuple[str, ...]) -> optax.GradientTransformation:
        def mixed(average: Array, G: Array) -> Array:
            return self.momentum * average + (1 - self.momentum) * G

        def towards(G: Matrices) -> Matrices:
            return newton_schulz(G, self.steps) * _factor(self.scale, G.shape[-1], G.shape[-2])

        def init(params: Params) -> Momentum:
            return Momentum(jax.tree.map(jnp.zeros_like, params))

        def update(updates: Params, state: Momentum, params: Params = None) -> tuple[Params, Momentum]:
            average = jax.tree.map(mixed, state.average, updates)
            ahead = jax.tree.map(mixed, average, updates) if self.nesterov else average
            return on_matrices(towards, matrices, ahead), Momentum(average)

        return optax.GradientTransformation(init, update)


JANATI = Muon(lr=0.03, wd=0.1, aux_lr=1e-3, aux_wd=1.0, aux_beta2=0.999, aux_eps=1e-8, head_lr=2.5e-4)
"""For a Transformer on modular addition, repository Na00s/muon-grokking (arXiv 2608.07436)."""


def _downhill(wd: Any, lr: Any) -> optax.GradientTransformation:
    return optax.chain(optax.add_decayed_weights(wd), optax.scale(-lr))


def _factor(scale: Scale, rows: int, cols: int) -> float:
    if scale == "none":
        return 1.0
    return math.sqrt(max(1, rows / cols)) if scale == "aspect" else 0.2 * math.sqrt(max(rows, cols))
