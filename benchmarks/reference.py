"""Plain PyTorch that the engine is timed against, written as a careful user would: fused AdamW, scaled dot-product
attention, no host synchronisation inside the loop, embeddings as look-ups, batches by one gather.

Three ways to train: :class:`Eager`, :class:`Compiled` (forward, backward and AdamW as one graph of ``torch.compile``)
and :class:`Ensemble` (several networks by ``torch.func``, each with its own data and batches).  Beside the drop-in's
benchmark this is the only file here that imports PyTorch.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional as F

from anglewise.penalty import radial_penalty
from benchmarks.workers import Timed

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class MLP(nn.Module):
    """2-hot input (a product with a one-hot matrix amounts to look-ups) or embeddings, one table per operand."""

    def __init__(self, p: int, embedding: int, hidden: tuple[int, ...], bias: bool, gelu: bool):
        super().__init__()
        self.gelu, self.embedded = gelu, embedding > 0
        self.table = nn.Embedding(2 * p, embedding or hidden[0])
        if embedding:
            self.first = nn.Linear(2 * embedding, hidden[0], bias=bias)
        else:
            nn.init.uniform_(self.table.weight, -((2 * p) ** -0.5), (2 * p) ** -0.5)
            self.bias = nn.Parameter(torch.zeros(hidden[0])) if bias else None
        self.rest = nn.ModuleList(nn.Linear(i, o, bias=bias) for i, o in zip(hidden, (*hidden[1:], p), strict=True))
        self.register_buffer("offset", torch.tensor([0, p]))

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        rows = self.table(x + self.offset)
        if self.embedded:
            h = self.first(rows.flatten(1))
        else:
            h = rows.sum(1)
            h = h if self.bias is None else h + self.bias
        sites = []
        for layer in self.rest:
            sites.append(h)
            h = layer(F.gelu(h) if self.gelu else F.relu(h))
        return h, sites


class Block(nn.Module):
    """Grokfast's block: the residual carries the normalised stream."""

    def __init__(self, d: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        x = self.norm1(x)
        n, t, d = x.shape
        q, k, v = self.qkv(x).view(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        a = self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(n, t, d))
        x = x + a
        m = self.down(F.gelu(self.up(self.norm2(x))))
        return x + m, [a, m]


class Transformer(nn.Module):
    """Grokfast's decoder, read at its last position."""

    def __init__(self, tokens: int, length: int, classes: int, d: int, heads: int, layers: int):
        super().__init__()
        self.embedding, self.position = nn.Embedding(tokens, d), nn.Embedding(length, d)
        self.blocks = nn.ModuleList(Block(d, heads) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, classes, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        h = self.embedding(x) + self.position.weight[: x.shape[1]]
        sites = []
        for block in self.blocks:
            h, found = block(h)
            sites += found
        return self.head(self.norm(h[:, -1])), sites


NETWORKS = {"mlp": MLP, "transformer": Transformer}


class Batches:
    """Batches from a permutation of the training set, for one network or for several at once.

    Args:
        inputs: ``[..., n, length]``.
        labels: ``[..., n]``.
        batch: Examples per step; 0 is all of them, in their order.
    """

    def __init__(self, inputs: Tensor, labels: Tensor, batch: int):
        self.inputs, self.labels, self.at = inputs, labels, 0
        self.n = labels.shape[-1]
        self.batch = batch or self.n
        self.order = self._shuffled()

    def next(self) -> tuple[Tensor, Tensor]:
        if self.batch == self.n:
            return self.inputs, self.labels
        if self.at + self.batch > self.n:
            self.order, self.at = self._shuffled(), 0
        rows = self.order[..., self.at : self.at + self.batch]
        self.at += self.batch
        if self.labels.ndim == 1:
            return self.inputs[rows], self.labels[rows]
        return self.inputs.gather(1, rows[..., None].expand(-1, -1, self.inputs.shape[-1])), self.labels.gather(1, rows)

    def _shuffled(self) -> Tensor:
        return torch.rand(self.labels.shape, device=self.labels.device).argsort(-1)


class Eager:
    """The loop that everybody writes."""

    def __init__(self, model: nn.Module, batches: Batches, adamw: dict[str, Any], strength: float):
        self.model, self.batches, self.strength = model, batches, strength
        self.optimizer = torch.optim.AdamW(model.parameters(), **adamw, fused=True)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            x, y = self.batches.next()
            loss = loss_of(*self.model(x), y, self.strength)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
        finish()


class Compiled:
    """Forward, backward and AdamW as one graph, without a break; batches are gathered outside of it."""

    def __init__(self, model: nn.Module, batches: Batches, adamw: dict[str, Any], strength: float, members: int = 0):
        self.batches = batches
        self.params = params_of(model)
        gradient = gradient_of(model, strength)
        gradient = vmap(gradient) if members else gradient
        update, params = adamw_of(self.params, **adamw), self.params

        def step(x: Tensor, y: Tensor) -> None:
            update(params, gradient(params, x, y))

        self.step = torch.compile(step, fullgraph=True, dynamic=False)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.step(*self.batches.next())
        finish()


class Ensemble:
    """Several networks at once: ``vmap`` of the gradient, and one fused AdamW over the stacked weights."""

    def __init__(self, model: nn.Module, batches: Batches, adamw: dict[str, Any], strength: float):
        self.batches, self.params = batches, params_of(model)
        self.gradient = vmap(gradient_of(model, strength))
        self.optimizer = torch.optim.AdamW(self.params.values(), **adamw, fused=True)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            found = self.gradient(self.params, *self.batches.next())
            for name, weight in self.params.items():
                weight.grad = found[name]
            self.optimizer.step()
        finish()


def loss_of(logits: Tensor, sites: list[Tensor], y: Tensor, strength: float) -> Tensor:
    """Cross-entropy, with the radial penalty where it has a strength."""
    loss = F.cross_entropy(logits, y)
    return loss + strength * sum(radial_penalty(h) for h in sites) if strength else loss


def params_of(model: nn.Module | list[nn.Module]) -> dict[str, Tensor]:
    """Weights by name; of several models they are stacked."""
    if isinstance(model, list):
        return {name: x.detach() for name, x in stack_module_state(model)[0].items()}
    return {name: x.detach() for name, x in model.named_parameters()}


def gradient_of(model: nn.Module | list[nn.Module], strength: float) -> Any:
    """The gradient with respect to weights by name, as a function of (weights, inputs, labels)."""
    one = model[0] if isinstance(model, list) else model
    buffers = dict(one.named_buffers())

    def loss(params: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return loss_of(*functional_call(one, (params, buffers), (x,)), y, strength)

    return grad(loss)


def adamw_of(params: dict[str, Tensor], *, lr: float, weight_decay: float, betas: tuple[float, float]) -> Any:
    """AdamW as PyTorch has it, as a function that can be part of a graph: ``torch.optim`` breaks it."""
    first, second = ({name: torch.zeros_like(x) for name, x in params.items()} for _ in range(2))
    count = torch.zeros((), device=DEVICE)
    beta1, beta2 = betas

    def update(params: dict[str, Tensor], grads: dict[str, Tensor]) -> None:
        count.add_(1)
        scale1, scale2 = 1 - beta1**count, (1 - beta2**count).sqrt()
        for name, x in params.items():
            g, m, v = grads[name], first[name], second[name]
            m.lerp_(g, 1 - beta1)
            v.lerp_(g * g, 1 - beta2)
            x.mul_(1 - lr * weight_decay).sub_(lr / scale1 * m / (v.sqrt() / scale2 + 1e-8))

    return update


def finish() -> None:
    """Wait for the device."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def trains(
    how: str, network: str, fields: dict[str, Any], inputs: np.ndarray, labels: np.ndarray, batch: int,
    adamw: dict[str, Any], strength: float, members: int = 0,
) -> Timed:  # fmt: skip
    """Something that trains, for a process of its own.

    Args:
        how: ``"eager"``, ``"compiled"`` or ``"ensemble"``; with members, the last two train so many at once.
        network: ``"mlp"`` or ``"transformer"``.
        fields: Of the network.
        inputs: ``[n, length]``.
        labels: ``[n]``.
        batch: Examples per step; 0 is all.
        adamw: ``lr``, ``weight_decay``, ``betas``.
        strength: Of the radial penalty; 0 is none.
        members: Networks that train at once; 0 is one, by itself.
    """
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(0)
    x, y = torch.from_numpy(inputs).long().to(DEVICE), torch.from_numpy(labels).long().to(DEVICE)
    made = [NETWORKS[network](**fields).to(DEVICE) for _ in range(members or 1)]
    if not members:
        batches = Batches(x, y, batch)
        return Timed({"eager": Eager, "compiled": Compiled}[how](made[0], batches, adamw, strength))
    batches = Batches(x.expand(members, *x.shape).contiguous(), y.expand(members, *y.shape).contiguous(), batch)
    if how == "compiled":
        return Timed(Compiled(made, batches, adamw, strength, members))
    return Timed(Ensemble(made, batches, adamw, strength))
