"""The drop-in's cost: a GPT's training step with the penalty over one without, and with the penalty over itself.

The models are those of ``examples/gpt.py``: the small one and that of 10.6 million weights, one penalty at every site,
fused AdamW.  On a GPU: the example's batch, bf16 autocast.  On a CPU: float32, the large one cut down to 2 windows, one
thread, timed in the processor seconds of its own process.

Three models take turns in one process: without, with, and with once more.  The third over the second is the null
control: what it leaves open, the method cannot tell.  In processes of their own, equal models differ by two per cent.
Each model has a copy of the example's code, so that none is compiled with regard to another.  Memory is the largest
number of bytes allocated at any moment of a step, weights and optimiser included.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.cases import Case, Speed, together
from benchmarks.workers import Timed

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
CHARACTERS = 65
STRENGTH = 0.01
WITHOUT, WITH, AGAIN = "without", "with the penalty", "with the penalty again"
STRENGTHS = {WITHOUT: 0.0, WITH: STRENGTH, AGAIN: STRENGTH}
COPIES = itertools.count()
LIMITS = {"eager": 1.04, "compiled": 1.02}
"""What the ratio is wanted to be at most."""
SIZES = {"small": "GPT of 0.4 M weights", "full": "GPT of 10.6 M weights"}


def cases(speed: Speed) -> Iterator[Case]:
    """Every size, eager and compiled; when quick, the small one, eager alone."""
    for size in ("small",) if speed.quick else SIZES:
        for mode in ("eager",) if speed.quick else LIMITS:
            yield step_case(size, mode, speed)


def step_case(size: str, mode: str, speed: Speed) -> Case:
    """A size of the model, eager or compiled, with its null control."""
    return Case(
        f"{SIZES.get(size, size)}, {mode}", "ms per step",
        lambda: together("benchmarks.dropin:Arms", (size, mode == "compiled"), tuple(STRENGTHS), speed, facts=True),
        ratios=((WITH, WITHOUT), (AGAIN, WITH)), limit={f"{WITH} / {WITHOUT}": LIMITS[mode]},
        note="The second ratio is the null control: where its interval is wide or leaves 1 out, the first decides "
        "nothing.",
    )  # fmt: skip


class Training:
    """One model in training, on the same random characters every step."""

    def __init__(self, size: str, *, compiled: bool, strength: float):
        import torch

        from anglewise.torch import RadialSuppression

        gpt = own_copy()
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
        cpu = [torch.profiler.ProfilerActivity.CPU]
        with silenced(), torch.profiler.profile(activities=cpu, profile_memory=True) as profile:
            self.step()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "trace.json"
            profile.export_chrome_trace(str(path))
            events = [e for e in json.loads(path.read_text())["traceEvents"] if e.get("name") == "[memory]"]
        events.sort(key=lambda e: e["ts"])
        return self.kept + int(np.cumsum([e["args"]["Bytes"] for e in events]).max())


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Drop what native code writes to standard error, such as the profiler's begin and end."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


class Arms:
    """The models of a case, in one process; on a CPU with one thread."""

    def __init__(self, size: str, compiled: bool):
        import torch

        torch.set_num_threads(1)
        self.size, self.compiled = size, compiled
        self.arms: dict[str, Training] = {}

    def first(self, name: str) -> float:
        """Build a model and run its first step; in seconds, imports apart."""
        begun = time.perf_counter()
        self.arms[name] = Training(self.size, compiled=self.compiled, strength=STRENGTHS[name])
        self.arms[name].run(1)
        return time.perf_counter() - begun

    def seconds(self, name: str, steps: int) -> float:
        """Seconds that so many steps take."""
        return Timed(self.arms[name], cpu=not self.arms[name].cuda).seconds(steps)

    def facts(self) -> dict[str, float]:
        """What the penalty takes of memory."""
        peaks = {name: self.arms[name].peak_bytes() for name in (WITH, WITHOUT) if name in self.arms}
        if len(peaks) < 2:
            return {}
        return {"memory_ratio": peaks[WITH] / peaks[WITHOUT], "peak_mib": round(peaks[WITH] / 2**20, 1)}


def own_copy() -> Any:
    """The example's module, loaded anew."""
    sys.path.insert(0, str(EXAMPLES))
    spec = importlib.util.spec_from_file_location(f"gpt_copy_{next(COPIES)}", EXAMPLES / "gpt.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # a dataclass asks for its module
    spec.loader.exec_module(module)
    return module
