"""The engine against plain PyTorch loops, in one process, one after the other: ratios, and the share of the peak.

    python benchmarks/engine.py [--quick] [--only a,b,c]

Prints a table and writes build/bench.json: a list of {name, ours_ms, reference_ms, ratio, gemm_share}.  Each pair
is timed in alternation; the ratio is the median over rounds of ours / reference, so a slow moment hits both.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import reference
import torch

from anglewise.cli.doctor import gemm_peak
from anglewise.lab.engine.placement import Placement, choose
from anglewise.lab.engine.population import Population
from anglewise.lab.engine.programs import Compiled, arithmetic
from anglewise.lab.engine.rng import stream
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.spec import Arm, Run, Training
from anglewise.lab.tasks.modular import Modular

A = (Modular(p=97, train=0.5), MLP(hidden=(512, 512), bias=True), 256, AdamW(lr=1e-3, wd=0.1))
B = (Modular(p=113, train=0.4), MLP(hidden=(200, 200), embedding=113), 0, AdamW(lr=0.05, wd=2.0, beta2=0.99))
C = (
    Modular(p=97, operation="*", train=0.5, form="a op b =", b_from=1),
    Transformer(norm="grokfast", positions_table=5), 512, AdamW(lr=2e-3, wd=2.0, beta2=0.98),
)  # fmt: skip
CASES = {
    "a: MLP 2-hot 194-512-512-97, batch 256": A,
    "b: track C2, full batch": B,
    "c: track A's Transformer, batch 512": C,
}


def flops(task, model, batch: int) -> float:
    """Flops of a step's matrix products (3 passes; look-ups are free; of the last block the last position alone).

    The engine's Transformer also computes what depends on one token once per token, and so does fewer than these:
    its share of the peak is that of the step as usually written.
    """
    n = batch or task.sizes[0]
    if isinstance(model, MLP):
        widths = (*model.hidden, task.classes)
        products = n * sum(i * o for i, o in itertools.pairwise(widths))
        if model.embedding:
            products += task.tokens * task.length * model.embedding * model.hidden[0]
        return 6.0 * products
    d, t, h = model.width, task.length, model.mlp or 4 * model.width
    whole = t * (4 * d * d + 2 * d * h)
    last = 2 * t * d * d + 2 * d * d + 2 * d * h
    return 6.0 * n * ((model.layers - 1) * whole + last + d * task.classes)


class Ours:
    """The engine's own training program, without evaluation."""

    def __init__(self, task, model, batch: int, methods, members: int = 1, placement: Placement | None = None):
        training = Training(budget=10**6, every=10**6, batch=batch)
        runs = [Run("bench", task, model, Arm("arm", methods), training, seed) for seed in range(members)]
        placement = placement or choose(task, training, jax.devices()[0].platform)
        self.compiled = Compiled(runs[0], placement, (), ())
        step = self.compiled.program.step
        self.units = (
            [Population(runs, self.compiled)] if placement.batched else [Population([r], self.compiled) for r in runs]
        )

        def many(member, state, count):
            return jax.lax.fori_loop(0, count, lambda _, s: step(member, s), state)

        if placement.batched:
            from anglewise.lab.engine.step import Member, State

            axes = (Member(0, 0, 0, 0), State(None, 0, 0, 0), None)
            many = jax.vmap(many, in_axes=axes, out_axes=State(None, 0, 0, 0))
        self.many = jax.jit(many)
        for unit in self.units:
            unit.begin()

    def run(self, steps: int) -> None:
        for unit in self.units:
            unit.state = self.many(unit.member, unit.state, jnp.asarray(steps, jnp.int32))
        jax.block_until_ready([unit.state for unit in self.units])


def torch_loop(task, model, batch: int, adamw: AdamW, strength: float) -> reference.Loop:
    data = task.split(stream(0, "split"))
    x, y = (torch.from_numpy(np.array(v)).long() for v in (data.train_inputs, data.train_labels))
    if isinstance(model, MLP):
        net = reference.MLP(task.p, model.embedding, model.hidden, model.bias)
    else:
        net = reference.Transformer(task.tokens, 5, model.width, model.heads, model.layers)
    return reference.Loop(net, x, y, batch=batch, lr=adamw.lr, wd=adamw.wd, strength=strength)


def milliseconds(run, steps: int) -> float:
    begun = time.perf_counter()
    run(steps)
    return 1e3 * (time.perf_counter() - begun) / steps


def steps_for(run, seconds: float) -> int:
    run(3)
    return max(3, int(seconds / (milliseconds(run, 5) / 1e3)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one short round of each, to see that it works")
    parser.add_argument("--only", default="a,b,c,population", help="which parts")
    parser.add_argument("--block", type=int, default=-1, help="rows per block (default: the engine's choice)")
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"))
    args = parser.parse_args()
    rounds, seconds = (1, 0.05) if args.quick else (9, 0.6)
    torch.set_num_threads(min(2, torch.get_num_threads()))
    torch.manual_seed(0)
    peak = gemm_peak(seconds=seconds)
    print(f"{jax.devices()[0].device_kind}: GEMM peak {peak:.0f} GFLOP/s; torch {torch.__version__}, "
          f"{torch.get_num_threads()} threads; jax {jax.__version__}\n")  # fmt: skip
    print(f"{'step':46}{'ours ms':>9}{'torch ms':>10}{'ratio':>7}{'spread':>14}{'of peak':>9}")
    rows, only = [], args.only.split(",")
    for name, (task, model, batch, adamw) in CASES.items():
        if name[0] not in only:
            continue
        for label, methods, strength in (("", (adamw,), 0.0), (" + penalty", (adamw, RadialPenalty()), 0.05)):
            placement = Placement(False, args.block, 20) if args.block >= 0 else None
            ours = Ours(task, model, batch, methods, placement=placement)
            theirs = torch_loop(task, model, batch, adamw, strength)
            counts = [steps_for(x.run, seconds) for x in (ours, theirs)]
            pairs = [
                [milliseconds(x.run, n) for x, n in zip((ours, theirs), counts, strict=True)] for _ in range(rounds)
            ]
            mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
            ratios = sorted(a / b for a, b in pairs)
            share = flops(task, model, batch) / (mine / 1e3) / 1e9 / peak
            row = {"name": name + label, "ours_ms": mine, "reference_ms": other,
                   "ratio": statistics.median(ratios), "gemm_share": share}  # fmt: skip
            rows.append(row)
            print(f"{row['name']:46}{mine:9.2f}{other:10.2f}{row['ratio']:7.2f}"
                  f"{ratios[0]:7.2f}-{ratios[-1]:.2f}{share:9.0%}", flush=True)  # fmt: skip
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(rows, indent=2) + "\n")
    if "population" in only:
        print("\ncost of one run as the population grows: ms per step and run, track C2, AdamW + penalty")
        print(f"{'members':>9}{'one after the other':>22}{'vmap':>9}")
        task, model, batch, adamw = B
        for members in (1, 2, 4) if args.quick else (1, 2, 4, 8, 16):
            cost = []
            for batched in (False, True):
                placement = Placement(batched, 0, 20)
                ours = Ours(task, model, batch, (adamw, RadialPenalty()), members, placement)
                ours.run(2)
                times = [milliseconds(ours.run, max(2, 24 // members)) / members for _ in range(1 if args.quick else 3)]
                cost.append(statistics.median(times))
            print(f"{members:9}{cost[0]:22.2f}{cost[1]:9.2f}", flush=True)
    print(f"\nwritten: {args.out}")


if __name__ == "__main__":
    with arithmetic(Training()):
        main()
