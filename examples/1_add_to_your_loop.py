"""Radial suppression in a loop that exists: the three lines marked with `# <-` are all there is to add.

python examples/1_add_to_your_loop.py

A small MLP learns to add modulo 23 from three quarters of all pairs, without the penalty and with it, from the same
weights.  One seed of a toy: an illustration of how to write it, no evidence of what it does.  The strong weight decay
that makes this toy generalise within seconds holds the first radii below the target: there the penalty pulls outwards.
"""

import torch
from torch import nn
from torch.nn import functional as F

from anglewise.torch import RadialSuppression  # <-

P, STEPS = 23, 600


def pairs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """All pairs as 2-hot vectors, their sums modulo P, and which of them are trained on."""
    a, b = torch.cartesian_prod(torch.arange(P), torch.arange(P)).T
    chosen = torch.rand(P * P, generator=torch.Generator().manual_seed(0)) < 0.75
    return torch.cat([F.one_hot(a, P), F.one_hot(b, P)], dim=1).float(), (a + b) % P, chosen


def train(strength: float) -> None:
    """One run: prints the accuracy on the pairs left out, and the radii of the hidden layers."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2 * P, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, P))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=1.0)
    suppression = RadialSuppression(model, sites=["0", "2"], strength=strength, target=1.0)  # <-
    x, y, chosen = pairs()
    for step in range(1, STEPS + 1):
        loss = F.cross_entropy(model(x[chosen]), y[chosen]) + suppression.penalty()  # <-
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % (STEPS // 3) == 0:
            with torch.no_grad():
                exact = (model(x[~chosen]).argmax(-1) == y[~chosen]).float().mean()
            read = suppression.readings(loss)
            radii = "  ".join(f"{read[f'{site}/radius']:.2f}" for site in suppression.sites)
            print(f"strength {strength:<5} step {step:4}  loss {loss.item():.4f}  left out {exact:6.1%}  radii {radii}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for strength in (0.0, 0.05):
        train(strength)
