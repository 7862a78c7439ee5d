r"""Addition of two numbers, digit by digit: learn a + b from a sample of all pairs, with several answer tokens.

An example is the line ``123+045=`` followed by the n + 1 digits of the sum, all padded by zeros: of three digits,
``123+045=0168``, or ``123+045=8610`` with the last digit first.  The model sees the line without its last token and
predicts, at ``=`` and at each answer digit but the last, the next one.  Accuracy is the share of lines whose whole
answer is right; under greedy decoding it is the same number (a wrong digit makes the answer wrong whatever follows,
and until then the decoder has seen right digits alone).

The test lines are drawn first.  No training line is one of them; nor, by default, one of their mirrors b + a.
Reversed answers: arXiv 2307.03381, as is the held-out digit.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, PRNGKeyArray

from anglewise.errors import SpecError
from anglewise.lab.protocols.fields import COUNT, Bound, bounded
from anglewise.lab.protocols.task import Answers, Data

PLUS, EQUALS, TOKENS = 10, 11, 12
"""The digits are tokens 0 to 9."""
DIGITS = 4
"""Most digits: pairs are numbered in 32 bits."""
MANY = 20
"""Pairs drawn for each line that is wanted: enough where 19 % of pairs are withheld and half are mirrors."""


@dataclasses.dataclass(frozen=True)
@bounded
class Addition:
    """Sums of two numbers of `digits` digits, zeros in front included.

    Args:
        digits: Digits n of each number; the sum has n + 1.
        train: Lines to train on.
        test: Lines to test on.
        reverse: Whether the sum's last digit comes first.
        loss_on_all: Whether every token is predicted, not the answer's alone; accuracy looks at the answer either way.
        unordered: Whether a + b and b + a count as one pair, so that no training line is a test line's mirror.
        held_out_digit: Withhold from training every number that has this digit at `held_out_place`: each test line
            has such a number, and no training line has; -1 withholds none.
        held_out_place: Place of that digit, from 1 for the first.
        evaluated_train: Training lines that an evaluation looks at; 0 is all.
    """

    digits: Annotated[int, Bound(1, DIGITS)] = 3
    train: Annotated[int, COUNT] = 10_000
    test: Annotated[int, COUNT] = 1000
    reverse: bool = True
    loss_on_all: bool = False
    unordered: bool = True
    held_out_digit: Annotated[int, Bound(-1, 9)] = -1
    held_out_place: Annotated[int, COUNT] = 3
    evaluated_train: Annotated[int, Bound(0)] = 1000

    def __post_init__(self) -> None:
        """Check the fields."""
        if self.held_out_digit >= 0 and self.held_out_place > self.digits:
            raise SpecError(f"held_out_place must be at most the {self.digits} digits, got {self.held_out_place}")
        for part, (asked, most) in {"test": (self.test, self._pairs[1]), "train": (self.train, self._pairs[0])}.items():
            if asked > most:
                raise SpecError(f"{part} must be at most the {most:,} pairs there are, got {asked:,}")

    @property
    def _pairs(self) -> tuple[int, int]:
        """Most pairs that can be trained on, beside the test pairs, and most that can be tested on."""

        def pairs(numbers: int) -> int:
            return numbers * (numbers + 1) // 2 if self.unordered else numbers**2

        numbers = 10**self.digits
        if self.held_out_digit < 0:
            return max(pairs(numbers) - self.test, 0), pairs(numbers) - 1
        return pairs(numbers // 10 * 9), pairs(numbers) - pairs(numbers // 10 * 9)

    @property
    def tokens(self) -> int:
        """Ten digits, plus and equals."""
        return TOKENS

    @property
    def classes(self) -> int:
        """Classes are numbered like the tokens."""
        return TOKENS

    @property
    def length(self) -> int:
        """A line without its last token."""
        return 3 * self.digits + 2

    @property
    def fixed(self) -> tuple[int | None, ...]:
        """The signs are the same in every input."""
        number = (None,) * self.digits
        return (*number, PLUS, *number, EQUALS, *number)

    @property
    def answers(self) -> Answers:
        """The digits of the sum, or every token behind the first."""
        first = 2 * self.digits + 1
        if not self.loss_on_all:
            return Answers(tuple(range(first, self.length)), tuple(range(self.digits + 1)))
        return Answers(tuple(range(self.length)), tuple(range(first, self.length)))

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of training and of test examples."""
        return self.train, self.test

    @property
    def evaluated(self) -> tuple[int, int]:
        """Numbers of training and of test examples that evaluations look at."""
        return min(self.evaluated_train or self.train, self.train), self.test

    def lines(self, a: Int[np.ndarray, " n"], b: Int[np.ndarray, " n"]) -> Int[np.ndarray, "n line"]:
        """Whole lines, answers included.

        Args:
            a: First numbers.
            b: Second numbers.
        """
        answer = self._digits(a + b, self.digits + 1)
        signs = [np.full((len(a), 1), token) for token in (PLUS, EQUALS)]
        numbers = [self._digits(x, self.digits) for x in (a, b)]
        parts = (numbers[0], signs[0], numbers[1], signs[1], answer[:, ::-1] if self.reverse else answer)
        return np.concatenate(parts, axis=1).astype(np.int32)

    def split(self, key: PRNGKeyArray) -> Data:
        """Test lines and then training lines, in the order in which pairs are drawn with `key`."""
        base = 10**self.digits
        a, b = np.divmod(self._drawn(key), base)
        least = np.where(a <= b, a * base + b, b * base + a)
        same = least if self.unordered else a * base + b
        first = np.sort(np.unique(same, return_index=True)[1])  # of a pair and its mirror, the one that was drawn first
        a, b = a[first], b[first]
        if self.held_out_digit < 0:
            test, train = np.arange(self.test), np.arange(self.test, self.test + self.train)
        else:
            withheld = self._withheld(a) | self._withheld(b)
            test, train = np.flatnonzero(withheld)[: self.test], np.flatnonzero(~withheld)[: self.train]
        arrays = []
        for rows in (train, test):
            lines = self.lines(a[rows], b[rows])
            places = np.asarray(self.answers.positions) + 1
            arrays += [lines[:, :-1], lines[:, places]]
        return Data(*(jnp.asarray(x) for x in arrays))

    def _drawn(self, key: PRNGKeyArray) -> Int[np.ndarray, " codes"]:
        """Pairs in random order, as a * 10^n + b: all of them, or, of many, more than enough with repetitions."""
        pairs, many = 100**self.digits, MANY * (self.train + self.test)
        drawn = jax.random.permutation(key, pairs) if many >= pairs else jax.random.randint(key, (many,), 0, pairs)
        return np.asarray(drawn, np.int64)

    def _digits(self, x: Int[np.ndarray, " n"], count: int) -> Int[np.ndarray, "n count"]:
        return x[:, None] // 10 ** np.arange(count - 1, -1, -1) % 10

    def _withheld(self, x: Int[np.ndarray, " n"]) -> np.ndarray:
        """Whether numbers are withheld from training."""
        return np.asarray(self._digits(x, self.digits)[:, self.held_out_place - 1] == self.held_out_digit)
