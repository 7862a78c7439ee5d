"""A GPT to add radial suppression to: plain PyTorch, character level, two tasks (see gpt_tasks.py).

    python examples/gpt.py --out runs/plain                           # 3-digit addition, without
    python examples/gpt.py --out runs/radial --suppression 0.01       # with; the only difference between the arms
    python examples/gpt.py --compare runs/plain runs/radial           # steps to 50, 90, 95, 99 % of exact answers
    python examples/gpt.py --task text --data tinyshakespeare.txt --out runs/text
    torchrun --standalone --nproc_per_node 2 examples/gpt.py --accumulate 2 --out runs/two

The lines that a loop of one's own needs are marked with `# <-`.  Strength 0 takes part in no loss: training has
the bits that it has without.  Every random number is a function of (seed, step, micro-batch), none of what came
before: arms with equal seed see equal weights and batches, a run that was stopped (Ctrl-C saves) and started again
by the same command ends with the bits of one that was not (on a CPU), and two processes see what one sees.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import json
import math
import os
import pickle
import platform
import signal
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import torch
import torch.distributed as dist
from gpt_tasks import Addition, Text, fail
from torch import Tensor, nn
from torch.nn import functional as F

from anglewise.torch import RadialSuppression  # <-


@dataclasses.dataclass(frozen=True)
class Config:
    """What decides the result; every field is a flag.  The defaults are the 10.6 million parameters of the recipe."""

    task: str = "addition"
    data: str = ""
    suppression: float = 0.0
    target: float = 1.0
    seed: int = 0
    layers: int = 6
    heads: int = 6
    width: int = 384
    context: int = 256
    dropout: float = 0.2
    batch: int = 256
    accumulate: int = 1
    steps: int = 5000
    warmup: int = 100
    lr: float = 1e-3
    weight_decay: float = 0.1
    digits: int = 3
    train: int = 10_000
    test: int = 10_000
    every: int = 50
    save: int = 500


HELP = {
    "task": "addition or text", "data": "text file, for --task text", "suppression": "strength of the penalty",
    "target": "wanted radius in units of sqrt(width)", "batch": "windows per micro-batch",
    "accumulate": "micro-batches per step, over all processes", "digits": "of the numbers to add",
    "train": "lines to train on", "test": "lines to test on",
    "every": "steps between evaluations", "save": "steps between checkpoints",
}  # fmt: skip
SMALL = {"layers": 2, "heads": 4, "width": 128, "context": 32, "dropout": 0.0, "batch": 64, "steps": 2000, "lr": 2e-3,
         "digits": 2, "train": 5000, "test": 1000, "every": 100}  # fmt: skip
TOY = {"layers": 2, "heads": 2, "width": 16, "context": 16, "batch": 4, "steps": 12, "warmup": 2, "train": 200,
       "test": 50, "every": 4, "save": 4}  # fmt: skip
SIZES = {"full": {}, "small": SMALL, "toy": TOY}


class Attention(nn.Module):
    """Causal self-attention."""

    def __init__(self, c: Config) -> None:
        super().__init__()
        self.heads, self.dropout = c.heads, c.dropout
        self.qkv = nn.Linear(c.width, 3 * c.width, bias=False)
        self.out = nn.Linear(c.width, c.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """From `[batch, time, width]` to the same."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=self.dropout if self.training else 0.0)
        return F.dropout(self.out(y.transpose(1, 2).flatten(2)), self.dropout, self.training)


class Block(nn.Module):
    """What `attn` and `mlp` return is added to the stream: the two sites of the penalty."""

    def __init__(self, c: Config) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(c.width, bias=False), nn.LayerNorm(c.width, bias=False)
        self.attn = Attention(c)
        up, down = nn.Linear(c.width, 4 * c.width, bias=False), nn.Linear(4 * c.width, c.width, bias=False)
        self.mlp = nn.Sequential(up, nn.GELU(), down, nn.Dropout(c.dropout))

    def forward(self, x: Tensor) -> Tensor:
        """From `[batch, time, width]` to the same."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    """Pre-LN decoder without biases, learned positions, the head tied to the embedding."""

    def __init__(self, c: Config, characters: int) -> None:
        super().__init__()
        self.embed, self.position = nn.Embedding(characters, c.width), nn.Embedding(c.context, c.width)
        self.drop = nn.Dropout(c.dropout)
        self.blocks = nn.ModuleList(Block(c) for _ in range(c.layers))
        self.norm = nn.LayerNorm(c.width, bias=False)
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                residual = name.endswith(("attn.out.weight", "mlp.2.weight"))
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * c.layers) if residual else 0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits `[batch, time, characters]` of the next character."""
        x = self.drop(self.embed(tokens) + self.position.weight[: tokens.shape[1]])
        for block in self.blocks:
            x = block(x)
        return self.norm(x) @ self.embed.weight.T


def write(path: Path, content: bytes) -> None:
    """Replace a file as a whole, or not at all."""
    beside = path.with_name(path.name + ".tmp")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def learning_rate(c: Config, step: int) -> float:
    """Linear warm-up, then a cosine down to a tenth."""
    if step < c.warmup:
        return c.lr * (step + 1) / (c.warmup + 1)
    return c.lr * (0.55 + 0.45 * math.cos(math.pi * (step - c.warmup) / max(1, c.steps - c.warmup)))


def train(
    c: Config,
    out: Path,
    device: torch.device,
    *,
    compiled: bool = False,
    attach: Callable[..., RadialSuppression] = RadialSuppression,
) -> list[dict]:
    """Train or go on until `steps`, or until Ctrl-C; what was evaluated stands in `out`/log.jsonl."""
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if c.accumulate % world:
        fail(f"--accumulate {c.accumulate} cannot be shared by {world} processes: pass a multiple of {world}")
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    task = {"addition": Addition, "text": Text}[c.task](c, device)
    torch.manual_seed(c.seed)
    gpt = GPT(c, len(task.characters)).to(device)
    sites = ["blocks.*.attn", "blocks.*.mlp"]
    suppression = attach(gpt, sites, c.suppression, c.target)  # <- RadialSuppression, before compiling
    groups = [[p for p in gpt.parameters() if (p.ndim == 2) is decayed] for decayed in (True, False)]
    decays = ({"params": p, "weight_decay": w} for p, w in zip(groups, (c.weight_decay, 0.0), strict=True))
    optimizer = torch.optim.AdamW(decays, lr=c.lr, betas=(0.9, 0.99), fused=device.type == "cuda")
    model = torch.compile(gpt) if compiled else gpt
    if world > 1:
        model = nn.parallel.DistributedDataParallel(model, device_ids=[device.index] if device.type == "cuda" else None)

    first, seconds, history, checkpoint = 0, 0.0, [], out / "checkpoint.pt"
    identity = dataclasses.asdict(c) | {"data": task.digest}
    if checkpoint.is_file():
        try:
            kept = torch.load(checkpoint, map_location="cpu", weights_only=True)
        except (RuntimeError, OSError, EOFError, pickle.UnpicklingError) as error:
            fail(f"{checkpoint} cannot be read ({str(error).splitlines()[0]}): move it away to start from step 0")
        then = kept["config"]
        other = [
            f"{name} {then.get(name)!r} then, {now!r} now" for name, now in identity.items() if then.get(name) != now
        ]
        if other:
            fail(f"{checkpoint} is of another run ({'; '.join(other)}): pass its flags to go on, or another --out")
        gpt.load_state_dict(kept["model"])
        optimizer.load_state_dict(kept["optimizer"])
        first, seconds, history = kept["step"], kept["seconds"], kept["history"]

    def save(step: int) -> None:
        states = {"model": gpt.state_dict(), "optimizer": optimizer.state_dict()}
        content = io.BytesIO()
        torch.save({"config": identity, "step": step, "seconds": seconds, "history": history} | states, content)
        write(checkpoint, content.getvalue())

    def log() -> None:
        where = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "cpu"
        head = {"kind": "run", "config": identity, "torch": torch.__version__, "device": where, "processes": world,
                "compiled": compiled, "parameters": sum(p.numel() for p in gpt.parameters())}  # fmt: skip
        write(out / "log.jsonl", "".join(json.dumps(row) + "\n" for row in (head, *history)).encode())

    if rank == 0:
        out.mkdir(parents=True, exist_ok=True)
        log()
        weights = sum(p.numel() for p in gpt.blocks.parameters()) / 1e6
        state = "starts" if not first else f"goes on at step {first}" if first < c.steps else "was finished before"
        print(f"{weights:.1f} million weights in blocks on {device}; {task.says}; {state}", flush=True)
    amp = torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else contextlib.nullcontext()
    own = range(rank, c.accumulate, world)
    window = torch.arange(c.context + 1)
    with interruptions() as asked:
        began = mark = time.perf_counter()
        for step in range(first, c.steps):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(c, step)
            for micro in own:
                torch.manual_seed(zlib.crc32(f"{c.seed} {step} {micro}".encode()))  # of the batch, and of dropout
                begins = torch.randint(len(task.stream) - c.context, (c.batch, 1))
                chunk = task.stream[(begins + window).to(device)]
                with contextlib.nullcontext() if micro == own[-1] or world == 1 else model.no_sync():
                    with amp:
                        loss = F.cross_entropy(model(chunk[:, :-1]).flatten(0, 1), chunk[:, 1:].flatten())
                    total = loss + suppression.penalty()  # <-
                    (total / len(own)).backward()
            nn.utils.clip_grad_norm_(gpt.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            done, stop = step + 1, agreed(asked, step, device, world)
            if rank == 0 and (done % c.every == 0 or done == c.steps):
                read = suppression.readings(total)  # <- of the last micro-batch, as is the loss
                now = time.perf_counter()
                seconds, rate = seconds + now - mark, (done - first) / (now - began)
                gpt.eval()
                with torch.no_grad(), amp:
                    found = task.evaluate(gpt)
                gpt.train()
                radii = {site: read[f"{site}/radius"] for site in suppression.sites}
                history.append({"kind": "evaluation", "step": done, "loss": loss.item(), "seconds": seconds, **found,
                                "penalty_share": read["penalty_share"], "radii": radii})  # fmt: skip
                log()
                print(f"step {done}/{c.steps}  loss {loss.item():.4f}  penalty {read['penalty_share']:.2%}  "
                      f"radius {min(radii.values()):.3f} to {max(radii.values()):.3f}  "
                      + "  ".join(f"{k.replace('_', ' ')} {v:.4f}" for k, v in found.items())
                      + f"  {rate:.1f} steps/s  {clock((c.steps - done) / rate)} left", flush=True)  # fmt: skip
                mark = time.perf_counter()
            if rank == 0 and (stop or done % c.save == 0 or done == c.steps):
                seconds += time.perf_counter() - mark
                save(done)
                mark = time.perf_counter()
            if stop:
                if rank == 0:
                    print(f"stopped and saved after step {done}: the same command goes on", flush=True)
                sys.exit(130)
    if world > 1:
        dist.barrier()
        dist.destroy_process_group()
    return history


@contextlib.contextmanager
def interruptions() -> Iterator[list[int]]:
    """A list that the first Ctrl-C (or SIGTERM) writes into; the second ends the process at once."""
    asked: list[int] = []

    def note(number: int, frame: object) -> None:
        asked.append(number)
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def agreed(asked: list[int], step: int, device: torch.device, world: int) -> bool:
    """Whether to stop after this step: where any process was asked; several look at each other every 10 steps."""
    if world == 1 or step % 10:
        return world == 1 and bool(asked)
    flag = torch.tensor(len(asked), device=device)
    dist.all_reduce(flag)
    return bool(flag)


def clock(seconds: float) -> str:
    """Seconds as minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def compare(folders: list[Path]) -> None:
    """Print, for each run, the steps (and seconds) to thresholds, or its validation losses."""
    for folder in folders:
        if not (folder / "log.jsonl").is_file():
            fail(f"--compare got {folder}, which has no log.jsonl: expected an --out of an earlier run")
        head, *rows = map(json.loads, (folder / "log.jsonl").read_text().splitlines())
        says = f"{folder}: suppression {head['config']['suppression']:g}, seed {head['config']['seed']}"
        if rows and "val_loss" in rows[-1]:
            best, at = min((row["val_loss"], row["step"]) for row in rows)
            says += f", validation loss {rows[-1]['val_loss']:.4f} at the end, {best:.4f} at best (step {at})"
        elif rows:
            for share in (0.5, 0.9, 0.95, 0.99):
                row = next((row for row in rows if row["exact_match"] >= share), None)
                says += f", {share:.0%} " + (f"at {row['step']} ({row['seconds']:.0f} s)" if row else "never")
            says += f", {rows[-1]['exact_match']:.2%} at the end"
        print(says + (f" (step {rows[-1]['step']})" if rows else ", nothing evaluated yet"))


class Parser(argparse.ArgumentParser):
    """Ends with one line."""

    def error(self, message: str) -> NoReturn:
        """What was wrong, and where help is."""
        self.exit(2, f"{self.prog}: {message}; --help lists all flags\n")


def main(words: Sequence[str] | None = None) -> None:
    """Read the flags (those of the command line, where none are given), train."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the checkpoint and log.jsonl")
    parser.add_argument("--size", choices=SIZES, help="preset of what follows; full on a GPU, small on a CPU")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--compile", action="store_true", help="torch.compile the model")
    parser.add_argument("--compare", type=Path, nargs="+", metavar="OUT", help="compare runs instead of training")
    for field in dataclasses.fields(Config):
        says = f"{HELP.get(field.name, '')} (full: {field.default!r})"
        parser.add_argument("--" + field.name.replace("_", "-"), type=type(field.default), help=says)
    args = parser.parse_args(words)
    if args.compare:
        return compare(args.compare)
    given = {f.name: v for f in dataclasses.fields(Config) if (v := getattr(args, f.name)) is not None}
    c = Config(**SIZES[args.size or ("full" if args.device == "cuda" else "small")] | given)
    counts = (
        "layers",
        "heads",
        "width",
        "context",
        "batch",
        "accumulate",
        "steps",
        "digits",
        "train",
        "test",
        "every",
        "save",
    )
    for wrong, message in (
        (args.device == "cuda" and not torch.cuda.is_available(), "--device got cuda, but there is none: pass cpu"),
        (c.task not in ("addition", "text"), f"--task got {c.task!r}, expected addition or text"),
        (any(getattr(c, n) < 1 for n in counts), f"expected at least 1 of each of {', '.join(counts)}, got {given}"),
        (c.width % c.heads, f"--width got {c.width}, expected a multiple of --heads {c.heads}"),
        (not 0 <= c.dropout < 1, f"--dropout got {c.dropout}, expected a share from 0 to below 1"),
        (not 0 <= c.suppression < math.inf, f"--suppression got {c.suppression}, expected a strength of at least 0"),
        (c.task == "addition" and c.context < 3 * c.digits + 6, f"--context got {c.context}, expected a line's length"),
        (c.train + 2 * c.test > 100**c.digits, "--train and twice --test are more than there are pairs: pass fewer"),
    ):
        if wrong:
            parser.error(message)
    device = torch.device("cpu")
    if args.device == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(device)
    train(c, args.out, device, compiled=args.compile)
    return None


if __name__ == "__main__":
    main()
