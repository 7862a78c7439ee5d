"""Where each millisecond of a training step goes: the engine's own program, traced operation by operation.

    python benchmarks/profiling.py [--only mlp,c2,a] [--threads 1] [--rounds 7] [--penalty] [--out build/profiling.json]

A case is trained segment by segment, as the runner does it, with its evaluations.  XLA's profiler gives the time of
every operation, and the compiled program's text says what the operation is: a product of which shape, an optimiser's
arithmetic, a look-up, a copy.  An operation's time is the lower tenth over its executions, times how often it runs,
so that other programs on the machine disturb little.  What is left of the wall time is dispatch.

With one thread every operation's time is whole.  The step, the product peak and each product of more than a millisecond
(alone, at its shape and layout) are then timed in processor time, which other programs do not lengthen.  With more
threads operations overlap: the step's wall time says how much is gained, and the table of parts means little.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import os
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

SHAPE = re.compile(r"f(?:32|64)\[([\d,]*)\]")
DOT = re.compile(
    r"f(?:32|64)\[([\d,]+)\]\S* dot\(([^)]*)\), lhs_contracting_dims=\{(\d)\}, rhs_contracting_dims=\{(\d)\}"
)
LINE = re.compile(r"^\s*(?:ROOT )?%?([\w.-]+) = (.*)$")
FORMS = {("1", "0"): "x w", ("1", "1"): "g w'", ("0", "0"): "x' g", ("0", "1"): "x' g'"}
"""Which axes are summed over, as a layer uses it: forward, gradient of its input, gradient of its weight."""

LARGE = 4e7
"""Flops of a product from which it is timed alone: a millisecond of one core."""


class Operation(NamedTuple):
    """What an operation of the compiled program is."""

    part: str
    detail: str
    flops: float


def operations(text: str) -> dict[str, Operation]:
    """Every operation of a compiled program, by its name in a trace."""
    bodies = dict[str, list[str]]()
    lines = dict[str, str]()
    current: list[str] = []
    for raw in text.splitlines():
        if raw and not raw.startswith(" ") and raw.rstrip().endswith("{"):
            name = raw.removeprefix("ENTRY ").lstrip("%").split(" ")[0]
            current = bodies.setdefault(name, [])
        elif found := LINE.match(raw):
            current.append(raw)
            lines[found[1]] = raw
    return {name: _operation(line, bodies, lines) for name, line in lines.items()}


def _operation(line: str, bodies: dict[str, list[str]], lines: dict[str, str]) -> Operation:
    called = re.search(r"(?:calls|to_apply)=%?([\w.-]+)", line)
    inside = [line, *(bodies.get(called[1], []) if called else [])]
    where = re.search(r'op_name="([^"]*)"', line)
    path = where[1] if where else ""
    before = "evaluation: " if "evaluation" in path else ""
    for each in inside:
        if product := DOT.search(each):
            out = [int(n) for n in product[1].split(",")]
            left = product[2].split(",")[0].strip().lstrip("%").split(" ")[-1].lstrip("%")
            source = SHAPE.search(lines[left].split(" = ")[1]) if left in lines else None
            depth = int(source[1].split(",")[int(product[3])]) if source else 0
            form = FORMS[product[3], product[4]]
            flops = 2.0 * depth
            for n in out:
                flops *= n
            return Operation(before + "products", f"{form:5} {out[0]} x {depth} x {out[1]}", flops)
    body = "\n".join(inside)
    for part, mark in (
        ("look-ups", r" (gather|scatter)\("), ("batch order", r"threefry|shuffle|randint|random_bits| sort\("),
    ):  # fmt: skip
        if re.search(mark, body):
            return Operation(before + part, "", 0.0)
    if re.match(r"\s*(ROOT )?%?(copy|wrapped_copy)", line):
        return Operation(before + "copies", "", 0.0)
    if "optimiser" in path and "jvp" not in path:
        return Operation("optimiser", "", 0.0)
    if re.search(r" reduce\(", body):
        return Operation(before + "sums over rows or classes", "", 0.0)
    return Operation(before + "element-wise", "", 0.0)


def exclusive(events: Any) -> Iterator[tuple[str, float]]:
    """Each event's own time in milliseconds, without that of the events within it."""
    stack: list[list[Any]] = []
    for event in sorted(events, key=lambda e: (e.start_ns, -e.duration_ns)):
        while stack and event.start_ns >= stack[-1][1]:
            name, _, own = stack.pop()
            yield name, own / 1e6
        if stack:
            stack[-1][2] -= event.duration_ns
        stack.append([event.name, event.start_ns + event.duration_ns, event.duration_ns])
    for name, _, own in stack:
        yield name, own / 1e6


def lower(values: list[float]) -> float:
    """The lower tenth: of a time, what undisturbed executions take."""
    return sorted(values)[len(values) // 10]


def product_peak(threads: int, n: int = 1024, times: int = 12) -> float:
    """Best rate of a square product in GFLOP/s, in processor time where there is one thread."""
    import jax
    import jax.numpy as jnp

    clock = time.process_time if threads == 1 else time.perf_counter
    product, best = jax.jit(lambda a, b: a @ b), float("inf")
    with jax.default_matmul_precision("highest"):
        a = jnp.sin(jnp.arange(n * n, dtype=jnp.float32)).reshape(n, n)
        product(a, a).block_until_ready()
        for _ in range(times):
            begun = clock()
            product(a, a).block_until_ready()
            best = min(best, clock() - begun)
    return 2 * n**3 / best / 1e9


def alone(detail: str, times: int = 7) -> float:
    """Milliseconds of one product alone, at its shape and layout, in processor time."""
    import jax

    form, (m, k, n) = detail[:5].strip(), [int(x) for x in re.findall(r"\d+", detail[5:])]
    left = (k, m) if form.startswith("x'") else (m, k)
    right = (n, k) if form.endswith("'") else (k, n)
    a, b = jax.random.normal(jax.random.key(0), left), jax.random.normal(jax.random.key(1), right)
    product = jax.jit(lambda a, b: (a.T if form.startswith("x'") else a) @ (b.T if form.endswith("'") else b))
    found = list[float]()
    with jax.default_matmul_precision("highest"):
        for _ in range(times + 1):
            begun = time.process_time()
            product(a, b).block_until_ready()
            found.append(1e3 * (time.process_time() - begun))
    return min(found[1:])


def cases(penalty: bool) -> dict[str, Any]:
    """A run for each case: an MLP of width 512 in batches of 256, track C2, track A."""
    from anglewise.lab.experiments import EXPERIMENTS
    from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
    from anglewise.lab.spec import Arm

    def first(name: str, **training: Any) -> Any:
        run = next(iter(EXPERIMENTS[name].runs()))
        methods = tuple(m for m in run.arm.methods if not isinstance(m, RadialPenalty))
        arm = Arm("bench", (*methods, RadialPenalty()) if penalty else methods)
        endless = {"budget": 10**6, "further": -1, "measure_every": 0, **training}
        return dataclasses.replace(run, arm=arm, training=dataclasses.replace(run.training, **endless))

    return {"mlp": first("track-d", batch=256), "c2": first("track-c2"), "a": first("track-a")}


def profiled(run: Any, rounds: int, seconds: float) -> dict[str, Any]:
    """Parts of one run's step in milliseconds, with the wall time and the product peak beside them."""
    import jax

    from anglewise.lab.engine.placement import choose
    from anglewise.lab.engine.population import Population
    from anglewise.lab.engine.programs import Compiled

    compiled = Compiled(run, choose(run.task, run.training, jax.devices()[0].platform), (), ())
    population = Population([run], compiled)
    population.begin()
    for _ in range(2):
        population.advance()
    known = operations(next(iter(compiled._ready.values())).as_text())  # the program that trains
    walls, cpus, hosts, peaks = list[float](), list[float](), list[float](), list[float]()
    own = collections.defaultdict[str, list[float]](list)
    threads, options = len(os.sched_getaffinity(0)), jax.profiler.ProfileOptions()
    options.python_tracer_level, options.host_tracer_level = 0, 3
    traced = 0
    for _ in range(rounds):
        peaks.append(product_peak(threads))
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            steps, inside, begun = population.step, population.seconds[0], (time.perf_counter(), time.process_time())
            population.advance()
            steps = population.step - steps
            wall, inside = time.perf_counter() - begun[0], population.seconds[0] - inside
            cpus.append(1e3 * (time.process_time() - begun[1]) / steps)
            walls.append(1e3 * wall / steps)
            hosts.append(1e3 * (wall - inside) / steps)
        with tempfile.TemporaryDirectory() as folder:
            begun_at = population.step
            with jax.profiler.trace(folder, profiler_options=options):
                end = time.perf_counter() + seconds / 2
                while time.perf_counter() < end:
                    population.advance()
            traced += population.step - begun_at
            data = jax.profiler.ProfileData.from_file(str(next(Path(folder).rglob("*.xplane.pb"))))
            for plane in data.planes:
                for line in plane.lines:
                    for name, milliseconds in exclusive(line.events):
                        if name in known:
                            own[name].append(milliseconds)
    large = {known[name].detail for name in own if known[name].flops > LARGE}
    lone = {detail: alone(detail) for detail in large} if threads == 1 else {}
    parts = collections.defaultdict[tuple[str, str], list[float]](lambda: [0.0, 0.0])
    for name, times in own.items():
        each, operation = lower(times), known[name]
        if threads == 1 and operation.flops > LARGE:
            each = min(each, lone[operation.detail])
        cell = parts[operation.part, operation.detail]
        cell[0] += each * len(times) / traced
        cell[1] += known[name].flops * len(times) / traced
    wall, peak = lower(cpus if threads == 1 else walls), max(peaks)
    rows = [{"part": part, "detail": detail, "ms": ms, "share": ms / wall, "of_peak": flops / ms / 1e6 / peak}
            for (part, detail), (ms, flops) in parts.items()]  # fmt: skip
    return {"wall_ms": wall, "wall_median_ms": statistics.median(walls), "host_ms": lower(hosts), "peak_gflops": peak,
            "threads": threads, "cpu_ms": lower(cpus), "rows": sorted(rows, key=lambda row: -row["ms"])}  # fmt: skip


def show(name: str, found: dict[str, Any]) -> None:
    """Print a case's table: parts, and of the products every shape."""
    wall, rows = found["wall_ms"], found["rows"]
    print(f"\n{name}: {wall:.2f} ms a step with evaluations (median {found['wall_median_ms']:.2f}), "
          f"{found['threads']} threads, product peak {found['peak_gflops']:.0f} GFLOP/s")  # fmt: skip
    totals = collections.Counter[str]()
    for row in rows:
        totals[row["part"]] += row["ms"]
    totals["host, between segments"] = found["host_ms"]
    totals["not explained (dispatch)"] = wall - sum(totals.values())
    for part, ms in totals.most_common():
        product = [row for row in rows if row["part"] == part and row["detail"]]
        rate = f"{sum(r['of_peak'] * r['ms'] for r in product) / ms:6.0%} of peak" if product else ""
        print(f"  {part:34}{ms:8.3f} ms{ms / wall:7.1%}{rate}")
        for row in product:
            if row["share"] > 0.004:
                print(f"      {row['detail']:30}{row['ms']:8.3f} ms{row['share']:7.1%}{row['of_peak']:6.0%} of peak")


def main() -> None:
    """Profile the cases one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="mlp,c2,a", help="which cases")
    parser.add_argument("--threads", type=int, default=1, help="processors to use")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a round")
    parser.add_argument("--penalty", action="store_true", help="train with the radial penalty")
    parser.add_argument("--out", type=Path, default=Path("build/profiling.json"))
    args = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-args.threads :])  # before JAX counts processors
    found = {}
    for name, run in cases(args.penalty).items():
        if name in args.only.split(","):
            found[name] = profiled(run, args.rounds, args.seconds)
            show(name, found[name])
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(found, indent=1) + "\n")
    print(f"\nwritten: {args.out}")


if __name__ == "__main__":
    main()
