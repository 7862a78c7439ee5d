"""The two tasks of gpt.py: what it reads and how that is graded.

    python examples/gpt_tasks.py          # shows lines of the addition task

Addition: lines `$a+b=<sum, last digit first>$`, numbers from 0 to 999 without padding by zeros, packed into windows,
loss on all characters.  100 + 900 + 9,000 training lines from up to 1, 2 and 3 digits (--size small: 5,000 lines of
numbers to 99); the test lines are drawn first, and no training line is one of them, nor its mirror b+a.  The prompt is
`$a+b=`; an answer counts where greedy decoding gives all of it, the closing `$` included.  The recipe is that of arXiv
2307.03381, which samples its answers at temperature 0.8 and shares 77 test lines with its training set.

Text: the first 90 % of a file's characters train, the rest validate.

A task has `characters` (the vocabulary), `stream` (what windows are drawn from), `digest` (of its file), `says` (one
line about itself), and `evaluate(model)`, numbers from a model in eval mode.
"""

from __future__ import annotations

import hashlib
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import torch
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from gpt import Config


def fail(message: str) -> NoReturn:
    """End with one line."""
    sys.exit(f"gpt.py: {message}")


class Text:
    """A file: the first 90 % of its characters train, the rest validate."""

    def __init__(self, c: Config, device: torch.device) -> None:
        if not Path(c.data).is_file():
            fail(f"--task text got --data {c.data!r}, expected a text file: pass the path of Tiny Shakespeare, say")
        text = Path(c.data).read_text(encoding="utf-8")
        self.digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        self.characters, self.device, self.context = "".join(sorted(set(text))), device, c.context
        cut = int(0.9 * len(text))
        if min(cut, len(text) - cut) < c.context + 1:
            fail(f"--data has {len(text)} characters, expected more than {10 * (c.context + 1)}: pass a longer text")
        self.stream, self.held_out = (encode(part, self.characters).to(device) for part in (text[:cut], text[cut:]))
        self.says = f"{len(text):,} characters, {len(text) - cut:,} of them held out"

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Mean loss over all held-out characters, in windows side by side."""
        windows = (len(self.held_out) - 1) // self.context
        x, y = (self.held_out[i : i + windows * self.context].view(windows, -1) for i in (0, 1))
        pairs = zip(x.split(64), y.split(64), strict=True)
        losses = [F.cross_entropy(model(a).flatten(0, 1), b.flatten(), reduction="sum") for a, b in pairs]
        return {"val_loss": float(torch.stack(losses).sum()) / y.numel()}


class Addition:
    """Sums of two numbers of up to `digits` digits, the answer's last digit first."""

    characters, digest = "\n$+0123456789=", ""

    def __init__(self, c: Config, device: torch.device) -> None:
        rng, self.digits = random.Random(c.seed), c.digits
        test = [divmod(code, 10**c.digits) for code in rng.sample(range(100**c.digits), c.test)]
        held_out = {frozenset(pair) for pair in test}
        train: dict[tuple[int, int], None] = {}
        for digits in range(1, c.digits + 1):
            below, upto = 10**digits, c.train // 10 ** (c.digits - digits)
            for code in rng.sample(range(below**2), min(below**2, 4 * c.train)):
                pair = divmod(code, below)
                if len(train) < upto and frozenset(pair) not in held_out:
                    train[pair] = None
        lines = [line(a, b) for a, b in train]
        rng.shuffle(lines)
        self.train, self.test, self.device = lines[: c.test], [line(a, b) for a, b in test], device
        leaked = sum(frozenset(pair) in held_out for pair in train)
        assert leaked == 0 and not set(lines) & set(self.test)
        self.stream = encode("".join(lines), self.characters).to(device)
        if len(self.stream) <= c.context:
            fail(f"--train {len(lines)} gives {len(self.stream)} characters, expected more than --context {c.context}")
        self.says = f"{len(lines):,} lines to train on, {len(test):,} to test on, {leaked} leaked"

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Share of exact answers to the test lines, and to as many of the training lines."""
        return {"exact_match": self.exact(model, self.test), "train_exact_match": self.exact(model, self.train)}

    def exact(self, model: nn.Module, lines: list[str]) -> float:
        """Share of lines whose whole answer greedy decoding gives.

        Greedy decoding is right if and only if after the prompt, and after each right character, the next one is
        the likeliest.  One causal forward over the right lines decides that, since no place sees a later one.
        """
        right = []
        for part in (lines[i : i + 2048] for i in range(0, len(lines), 2048)):
            tokens = encode("".join(text.ljust(3 * self.digits + 6, "\n") for text in part), self.characters).view(
                len(part), -1
            )
            begins = torch.tensor([text.index("=") for text in part])[:, None]
            ends = torch.tensor([text.rindex("$") for text in part])[:, None]
            place = torch.arange(tokens.shape[1] - 1)
            asked = (place >= begins) & (place < ends)
            guess = model(tokens[:, :-1].to(self.device)).argmax(-1).cpu()
            right.append(((guess == tokens[:, 1:]) | ~asked).all(dim=1))
        return float(torch.cat(right).double().mean())


def line(a: int, b: int) -> str:
    """One line of the addition task.

    >>> line(95, 8)
    '$95+8=301$\\n'
    """
    return f"${a}+{b}={str(a + b)[::-1]}$\n"


def encode(text: str, characters: str) -> Tensor:
    """Places of the text's characters in `characters`."""
    place = {character: i for i, character in enumerate(characters)}
    return torch.tensor([place[character] for character in text])


if __name__ == "__main__":
    for a, b in [divmod(code, 1000) for code in random.Random(0).sample(range(10**6), 5)]:
        print(line(a, b), end="")
