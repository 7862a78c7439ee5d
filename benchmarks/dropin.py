"""The drop-in's cost: time and peak memory of a GPT's training step, with the penalty over without.

    python benchmarks/dropin.py [--quick] [--rounds 15] [--batch 2] [--null]

Prints a table and writes build/bench-torch.json: a list of {name, with_ms, without_ms, ratio, low, high,
memory_ratio}.  The model is examples/gpt.py at 10.6 million weights, context 256, dropout 0.2, one penalty at all 12
sites, AdamW.  On a GPU: 64 windows, bf16 autocast; on a CPU: float32, cut down to 2 windows,
one thread, timed in the CPU seconds of its own process, which other processes disturb least.  Each arm has a process
of its own, since compiled code is shared between models of one class; the two take turns within each round, who
goes first alternates, and the idle one sleeps.  The ratio is the median over rounds of with / without, low and high
are its 95 % interval from order statistics (null with fewer than six rounds).  `--null` also times two arms that are
both without: what the method cannot tell apart.
Memory is the largest number of bytes allocated at any moment of a step, parameters and optimizer included.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from scipy.stats import quantile_test
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

from gpt import GPT, SIZES, Config

from anglewise.torch import RadialSuppression

CHARACTERS = 65
STRENGTH = 0.01


class Arm:
    """One model in training, on the same random characters every step."""

    def __init__(self, c: Config, *, strength: float, compiled: bool) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(0)
        gpt = GPT(c, CHARACTERS).to(self.device)
        self.suppression = RadialSuppression(gpt, ["blocks.*.attn", "blocks.*.mlp"], strength) if strength else None
        self.model = torch.compile(gpt) if compiled else gpt
        self.optimizer = torch.optim.AdamW(gpt.parameters(), lr=1e-4, fused=self.device.type == "cuda")
        tokens = torch.randint(CHARACTERS, (c.batch, c.context + 1)).to(self.device)
        self.x, self.y = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
        cuda = self.device.type == "cuda"
        self.amp = torch.autocast("cuda", torch.bfloat16) if cuda else contextlib.nullcontext()
        self.kept = sum(p.numel() * p.element_size() for p in gpt.parameters()) * 3  # and Adam's two moments

    def step(self) -> None:
        with self.amp:
            loss = F.cross_entropy(self.model(self.x).flatten(0, 1), self.y.flatten())
        if self.suppression is not None:
            loss = loss + self.suppression.penalty()
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def milliseconds(self, steps: int) -> float:
        clock = time.process_time if self.device.type == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
        self.wait()
        begun = clock()
        for _ in range(steps):
            self.step()
        self.wait()
        return 1e3 * (clock() - begun) / steps

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def peak_bytes(self) -> int:
        """What lives at the worst moment of a step."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
            self.step()
            self.wait()
            return torch.cuda.max_memory_allocated()
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
            self.step()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "trace.json"
            profile.export_chrome_trace(str(path))
            events = [e for e in json.loads(path.read_text())["traceEvents"] if e.get("name") == "[memory]"]
        events.sort(key=lambda e: e["ts"])
        return self.kept + int(np.cumsum([e["args"]["Bytes"] for e in events]).max())


def work(pipe, fields: dict, strength: float, compiled: bool, threads: int) -> None:
    """A process: does what it is told until told None."""
    torch.set_num_threads(threads)
    arm = Arm(Config(**fields), strength=strength, compiled=compiled)
    while (order := pipe.recv()) is not None:
        name, *arguments = order
        pipe.send(getattr(arm, name)(*arguments))


class Worker:
    def __init__(self, *arguments) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        os.environ.update(KINETO_LOG_LEVEL="5", TORCH_CPP_LOG_LEVEL="ERROR")  # the profiler's chatter
        self.process = context.Process(target=work, args=(other, *arguments), daemon=True)
        self.process.start()
        other.close()

    def ask(self, name: str, *arguments):
        self.pipe.send((name, *arguments))
        return self.pipe.recv()

    def end(self) -> None:
        self.pipe.send(None)
        self.process.join()


def interval(ratios: list[float]) -> tuple[float | None, float | None]:
    """95 % interval of the median from order statistics; fewer than six ratios have none."""
    ends = quantile_test(ratios, p=0.5).confidence_interval(0.95)
    return (None, None) if math.isnan(ends.low) or math.isnan(ends.high) else (float(ends.low), float(ends.high))


def compare(
    name: str, c: dict, strengths: tuple[float, float], compiled: bool, rounds: int, seconds: float, threads: int
) -> dict:
    workers = [Worker(c, strength, compiled, threads) for strength in strengths]
    try:
        memory = []
        for worker in workers:
            worker.ask("milliseconds", 3)  # compiles, fills caches
            memory.append(worker.ask("peak_bytes"))
        steps = max(1, round(seconds / (workers[1].ask("milliseconds", 2) / 1e3)))
        pairs = []
        for turn in range(rounds):
            times = [0.0, 0.0]
            for which in (0, 1) if turn % 2 else (1, 0):
                time.sleep(0.02)  # the other's threads stop to spin
                times[which] = workers[which].ask("milliseconds", steps)
            pairs.append(times)
    finally:
        for worker in workers:
            worker.end()
    ratios = [a / b for a, b in pairs]
    low, high = interval(ratios)
    with_ms, without_ms = (statistics.median(column) for column in zip(*pairs, strict=True))
    row = {"name": name, "with_ms": with_ms, "without_ms": without_ms, "ratio": statistics.median(ratios), "low": low,
           "high": high, "memory_ratio": memory[0] / memory[1], "rounds": rounds, "steps_per_round": steps}  # fmt: skip
    ends = "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
    print(f"{name:24}{with_ms:10.2f}{without_ms:12.2f}{row['ratio']:8.3f}{ends:>17}"
          f"{row['memory_ratio']:9.4f}", flush=True)  # fmt: skip
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a toy model, eager, two rounds: to see that it works")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batch", type=int, default=0, help="windows per step (default: 64 on a GPU, 2 on a CPU)")
    parser.add_argument("--threads", type=int, default=1, help="on a CPU; 1 (the default) is timed in CPU seconds")
    parser.add_argument("--only", default="eager,compiled", help="which")
    parser.add_argument("--null", action="store_true", help="also two arms that are both without the penalty")
    parser.add_argument("--out", type=Path, default=Path("build/bench-torch.json"))
    args = parser.parse_args()
    cuda = torch.cuda.is_available()
    c = {"batch": args.batch or (64 if cuda else 2)} if not args.quick else SIZES["toy"]
    rounds, seconds = (2, 0.02) if args.quick else (args.rounds, 1.0)
    where = torch.cuda.get_device_name() if cuda else f"CPU, {args.threads} threads"
    full = Config(**c)
    print(f"{where}; torch {torch.__version__}; GPT {full.layers} x {full.width}, {full.batch} x {full.context} "
          f"characters; wanted: ratio <= 1.04 eager, <= 1.02 compiled, memory <= 1.01\n")  # fmt: skip
    print(f"{'step':24}{'with ms':>10}{'without ms':>12}{'ratio':>8}{'95 % interval':>17}{'memory':>9}")
    rows = []
    for mode in args.only.split(","):
        if args.quick and mode == "compiled":
            continue
        arms = [("", (STRENGTH, 0.0))] + ([(", null", (0.0, 0.0))] if args.null else [])
        for label, strengths in arms:
            rows.append(compare(f"{mode}{label}", c, strengths, mode == "compiled", rounds, seconds, args.threads))
            args.out.parent.mkdir(parents=True, exist_ok=True)
            args.out.write_text(json.dumps(rows, indent=2) + "\n")
    print(f"\nwritten: {args.out}")


if __name__ == "__main__":
    main()
