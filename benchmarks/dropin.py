"""The drop-in's cost: a GPT's training step with the penalty over one without, and with the penalty over itself.

The models are those of ``examples/gpt.py``: the small one and that of 10.6 million weights, one penalty at every site,
fused AdamW.  On a GPU: the example's batch, bf16 autocast.  On a CPU: float32, the large one cut down to 2 windows, one
thread, timed in the processor seconds of its own process.

Three processes take turns: without, with, and with once more.  The last over the second is the null control: whatever
it differs from 1 by, the method cannot tell.  Memory is the largest number of bytes allocated at any moment of a step,
weights and optimiser included.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.cases import Alternative, Case, Speed, workers
from benchmarks.workers import Timed, Worker

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
BUILD = "benchmarks.dropin:trains"
CHARACTERS = 65
STRENGTH = 0.01
WITHOUT, WITH, AGAIN = "without", "with the penalty", "with the penalty again"
LIMITS = {"eager": 1.04, "compiled": 1.02}
"""What the ratio is wanted to be at most."""
SIZES = {"small": "a GPT of 0.4 M weights", "full": "a GPT of 10.6 M weights"}
QUICK = {"toy": "a toy GPT"}


def cases(speed: Speed) -> Iterator[Case]:
    """Every size, eager and compiled; when quick, a toy and eager alone."""
    for size, title in (QUICK if speed.quick else SIZES).items():
        for mode in ("eager",) if speed.quick else LIMITS:
            yield _case(size, title, mode, speed)


def _case(size: str, title: str, mode: str, speed: Speed) -> Case:
    strengths = {WITHOUT: 0.0, WITH: STRENGTH, AGAIN: STRENGTH}
    alternatives = {name: Alternative(BUILD, (size, mode == "compiled", strengths[name])) for name in strengths}
    ratio, null = f"{WITH} / {WITHOUT}", f"{AGAIN} / {WITH}"

    def memory(running: Mapping[str, Worker]) -> dict[str, Any]:
        if not {WITH, WITHOUT} <= set(running):
            return {}
        peaks = {name: running[name].ask("peak_bytes") for name in (WITH, WITHOUT)}
        return {"memory_ratio": peaks[WITH] / peaks[WITHOUT], "peak_mib": round(peaks[WITH] / 2**20, 1)}

    return Case(
        f"{title}, {mode}", "ms per step", lambda: workers(alternatives, speed, memory),
        ratios=((WITH, WITHOUT), (AGAIN, WITH)), limit={ratio: LIMITS[mode]},
        note=f"null control: {null}; where its interval is wide or leaves 1 out, the ratio above decides nothing",
    )  # fmt: skip


class Training:
    """One model in training, on the same random characters every step."""

    def __init__(self, size: str, *, compiled: bool, strength: float):
        import torch

        sys.path.insert(0, str(EXAMPLES))
        import gpt

        from anglewise.torch import RadialSuppression

        self.cuda = torch.cuda.is_available()
        device = torch.device("cuda" if self.cuda else "cpu")
        cut = {"batch": 2} if size == "full" and not self.cuda else {}
        c = gpt.Config(**(gpt.SIZES[size] | cut))
        torch.manual_seed(0)
        model = gpt.GPT(c, CHARACTERS).to(device)
        self.suppression = RadialSuppression(model, ["blocks.*.attn", "blocks.*.mlp"], strength) if strength else None
        self.model = torch.compile(model, fullgraph=True, dynamic=False) if compiled else model
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
        tokens = torch.randint(CHARACTERS, (c.batch, c.context + 1)).to(device)
        self.x, self.y = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
        self.amp = torch.autocast("cuda", torch.bfloat16) if self.cuda else contextlib.nullcontext()
        self.kept = sum(p.numel() * p.element_size() for p in model.parameters()) * 3  # and Adam's two moments

    def run(self, steps: int) -> None:
        """Train."""
        import torch

        for _ in range(steps):
            self.step()
        if self.cuda:
            torch.cuda.synchronize()

    def step(self) -> None:
        from torch.nn import functional as F

        with self.amp:
            loss = F.cross_entropy(self.model(self.x).flatten(0, 1), self.y.flatten())
        if self.suppression is not None:
            loss = loss + self.suppression.penalty()
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def peak_bytes(self) -> int:
        """What lives at the worst moment of a step."""
        import numpy as np
        import torch

        if self.cuda:
            torch.cuda.reset_peak_memory_stats()
            self.run(1)
            return torch.cuda.max_memory_allocated()
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
            self.step()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "trace.json"
            profile.export_chrome_trace(str(path))
            events = [e for e in json.loads(path.read_text())["traceEvents"] if e.get("name") == "[memory]"]
        events.sort(key=lambda e: e["ts"])
        return self.kept + int(np.cumsum([e["args"]["Bytes"] for e in events]).max())


class TimedTraining(Timed):
    """The same with a clock."""

    def __init__(self, training: Training):
        super().__init__(training, cpu=not training.cuda)
        self.peak_bytes = training.peak_bytes


def trains(size: str, compiled: bool, strength: float) -> TimedTraining:
    """A model in training, for a process of its own; on a CPU with one thread."""
    import torch

    torch.set_num_threads(1)
    return TimedTraining(Training(size, compiled=compiled, strength=strength))
