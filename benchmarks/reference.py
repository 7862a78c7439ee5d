"""Plain PyTorch loops that the engine is timed against, written as a careful user would: fused AdamW, scaled
dot-product attention, no host synchronisation inside the loop, embeddings as look-ups, batches by one gather.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from anglewise.penalty import radial_penalty


class MLP(nn.Module):
    """2-hot input (two look-ups, which is what a product with a one-hot matrix amounts to) or embeddings."""

    def __init__(self, p: int, embedding: int, hidden: tuple[int, ...], bias: bool):
        super().__init__()
        self.p, self.embedded = p, embedding > 0
        if embedding:
            self.embedding = nn.Embedding(p, embedding)
            self.first = nn.Linear(2 * embedding, hidden[0], bias=bias)
        else:
            self.first = nn.EmbeddingBag(2 * p, hidden[0], mode="sum")
            nn.init.uniform_(self.first.weight, -((2 * p) ** -0.5), (2 * p) ** -0.5)
            self.bias = nn.Parameter(torch.zeros(hidden[0])) if bias else None
        self.rest = nn.ModuleList(nn.Linear(i, o, bias=bias) for i, o in zip(hidden, (*hidden[1:], p), strict=True))
        self.register_buffer("offset", torch.tensor([0, p]))

    def forward(self, x):
        if self.embedded:
            h = self.first(self.embedding(x).flatten(1))
        else:
            h = self.first(x + self.offset)
            h = h if self.bias is None else h + self.bias
        sites = []
        for layer in self.rest:
            sites.append(h)
            h = layer(F.relu(h))
        return h, sites


class Block(nn.Module):
    """Grokfast's block: the residual carries the normalised stream."""

    def __init__(self, d: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x):
        x = self.norm1(x)
        n, t, d = x.shape
        q, k, v = self.qkv(x).view(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        a = self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(n, t, d))
        x = x + a
        m = self.down(F.gelu(self.up(self.norm2(x))))
        return x + m, [a, m]


class Transformer(nn.Module):
    """Grokfast's decoder, read at its last position."""

    def __init__(self, tokens: int, length: int, d: int, heads: int, layers: int):
        super().__init__()
        self.embedding, self.position = nn.Embedding(tokens, d), nn.Embedding(length, d)
        self.blocks = nn.ModuleList(Block(d, heads) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, tokens, bias=False)

    def forward(self, x):
        h = self.embedding(x) + self.position.weight[: x.shape[1]]
        sites = []
        for block in self.blocks:
            h, found = block(h)
            sites += found
        return self.head(self.norm(h[:, -1])), sites


class Loop:
    """An eager training loop with mini-batches from a permutation of the training set."""

    def __init__(self, model: nn.Module, inputs, labels, *, batch: int, lr: float, wd: float, strength: float):
        self.model, self.inputs, self.labels = model, inputs, labels
        self.batch, self.strength, self.at = batch or len(labels), strength, 0
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=wd, fused=True)
        self.order = torch.randperm(len(labels))

    def run(self, steps: int) -> None:
        n = len(self.labels)
        for _ in range(steps):
            if self.batch == n:
                x, y = self.inputs, self.labels
            else:
                if self.at + self.batch > n:
                    self.order, self.at = torch.randperm(n), 0
                rows = self.order[self.at : self.at + self.batch]
                x, y = self.inputs[rows], self.labels[rows]
                self.at += self.batch
            logits, sites = self.model(x)
            loss = F.cross_entropy(logits, y)
            if self.strength:
                loss = loss + self.strength * sum(radial_penalty(h) for h in sites)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
