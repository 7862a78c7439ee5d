"""Modular arithmetic: learn c = f(a, b) mod p from part of its table.

Operations are ``+``, ``-``, ``*``, ``/`` (a times the inverse of b; p must be prime and b not 0) and any polynomial
in x = a and y = b with whole coefficients, such as ``x^2+xy+y^2``.  One example is the pair (a, b) itself, for
2-hot or embedded pairs, or a token sequence ending in "=", for sequence models.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, PRNGKeyArray

from anglewise.errors import SpecError, shown
from anglewise.lab.protocols.fields import INSIDE, Bound, bounded
from anglewise.lab.protocols.task import Cycle, Data

_TIMES = r"(?:(?<=[0-9xy])\*)?"
"""One star between two factors; none before the first and behind the last."""
_TERM = re.compile(rf"([+-]?)([0-9]*){_TIMES}(x(?:\^([0-9]+))?)?{_TIMES}(y(?:\^([0-9]+))?)?(?<!\*)")
LONGEST = 200
"""Characters of an operation."""


@dataclasses.dataclass(frozen=True)
@bounded
class Modular:
    """Arithmetic over Z_p, split once into train and test.

    Args:
        p: Modulus, at least 2.
        operation: ``+``, ``-``, ``*``, ``/`` or a polynomial in x and y, for instance ``x^2+xy+y^2``.
        train: Share of the table that is trained on, in (0, 1); floor(share * rows) examples.
        form: ``"pair"``: two tokens a, b and p classes; ``"a op b ="`` and ``"a b ="``: sequences with
            "=" as token p and the operation as token p + 1, classes numbered like the tokens.
        b_from: Smallest b: 0, or 1 to leave b = 0 out (division must; Grokfast's multiplication does).
    """

    p: Annotated[int, Bound(2, 4096)] = 113
    operation: str = "+"
    train: Annotated[float, INSIDE] = 0.4
    form: Literal["pair", "a op b =", "a b ="] = "pair"
    b_from: Annotated[int, Bound(0, 1)] = 0

    def __post_init__(self) -> None:
        """Check the fields."""
        if self.operation == "/" and not _prime(self.p):
            raise SpecError(f"division needs a prime modulus, got p = {self.p}: take p = {_next_prime(self.p)}")
        if self.operation == "/" and self.b_from == 0:
            raise SpecError("division by b = 0 has no answer: set b_from to 1")
        if self.operation not in ("+", "-", "*", "/"):
            _polynomial(self.operation)
        if 0 in self.sizes:
            raise SpecError(
                f"the train fraction {self.train} of {sum(self.sizes)} rows leaves {self.sizes[0]} to train on "
                f"and {self.sizes[1]} to test on: both need at least 1"
            )

    @property
    def tokens(self) -> int:
        """Size of the input vocabulary."""
        return {"pair": self.p, "a b =": self.p + 1, "a op b =": self.p + 2}[self.form]

    @property
    def length(self) -> int:
        """Number of tokens in one input."""
        return {"pair": 2, "a b =": 3, "a op b =": 4}[self.form]

    @property
    def fixed(self) -> tuple[int | None, ...]:
        """The token at each position that is the same in every input; None where it differs."""
        p = self.p
        return {"pair": (None, None), "a b =": (None, None, p), "a op b =": (None, p + 1, None, p)}[self.form]

    @property
    def classes(self) -> int:
        """Number of classes: p for pairs, the whole vocabulary for sequences (as published)."""
        return self.tokens

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of training and of test examples."""
        rows = self.p * (self.p - self.b_from)
        n = int(self.train * rows)
        return n, rows - n

    @property
    def cycle(self) -> Cycle | None:
        """The group Z_p for + and -, the powers of a primitive root for * and / (p prime), None for polynomials."""
        a, b = {"pair": (0, 1), "a b =": (0, 1), "a op b =": (0, 2)}[self.form]
        if self.operation in ("+", "-"):
            return Cycle(tuple(range(self.p)), 1 if self.operation == "+" else -1, a, b)
        if self.operation in ("*", "/") and self.p > 2 and _prime(self.p):
            return Cycle(_powers(self.p), 1 if self.operation == "*" else -1, a, b)
        return None

    def table(self) -> tuple[Int[np.ndarray, "rows length"], Int[np.ndarray, " rows"]]:
        """Every input and its answer, in the order a = 0, 1, ... and b within it."""
        grid = np.meshgrid(np.arange(self.p), np.arange(self.b_from, self.p), indexing="ij")
        a, b = (x.ravel().astype(np.int64) for x in grid)
        columns = {
            "pair": (a, b),
            "a b =": (a, b, np.full_like(a, self.p)),
            "a op b =": (a, np.full_like(a, self.p + 1), b, np.full_like(a, self.p)),
        }[self.form]
        return np.stack(columns, axis=1).astype(np.int32), self.answer(a, b).astype(np.int32)

    def answer(self, a: Int[np.ndarray, " n"], b: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """f(a, b) mod p."""
        p = self.p
        if self.operation == "+":
            return (a + b) % p
        if self.operation == "-":
            return (a - b) % p
        if self.operation == "*":
            return (a * b) % p
        if self.operation == "/":
            inverse = np.array([0] + [pow(int(x), -1, p) for x in range(1, p)])
            return (a * inverse[b]) % p
        total = np.zeros_like(a)
        for coefficient, i, j in _polynomial(self.operation):
            term = np.full_like(a, coefficient % p)
            for base, power in ((a, i), (b, j)):
                for _ in range(power):
                    term = (term * base) % p
            total = (total + term) % p
        return total

    def split(self, key: PRNGKeyArray) -> Data:
        """The table, divided into train and test by one permutation drawn from `key`."""
        inputs, labels = self.table()
        order = np.asarray(jax.random.permutation(key, len(labels)))
        train, test = order[: self.sizes[0]], order[self.sizes[0] :]
        return Data(*(jnp.asarray(x) for x in (inputs[train], labels[train], inputs[test], labels[test])))


def _polynomial(text: str) -> list[tuple[int, int, int]]:
    """Terms (coefficient, power of x, power of y) of a polynomial."""
    if len(text) > LONGEST:
        raise SpecError(f"an operation has at most {LONGEST} characters, got {len(text):,}")
    # between two numbers a space or a star is no product that could be written without it
    compact = "" if re.search(r"\d[ *]+\d", text) else text.replace(" ", "")
    terms: list[tuple[int, int, int]] = []
    at = 0
    while at < len(compact):
        match = _TERM.match(compact, at)
        sign, digits, x, i, y, j = match.groups() if match else ("",) * 6
        if match is None or not (digits or x or y) or (terms and not sign):
            terms = []
            break
        powers = [int(n or 1) if base else 0 for base, n in ((x, i), (y, j))]
        if max(powers) > 64:
            raise SpecError(f"a power in the operation must be at most 64, got {max(powers)} in {text!r}")
        terms.append((int(f"{sign}{digits or 1}"), powers[0], powers[1]))
        at = match.end()
    if not any(i or j for _, i, j in terms):
        raise SpecError(
            f"unknown operation {shown(text)}: expected +, -, *, / or a polynomial in x and y such as x^2+xy+y^2"
        )
    return terms


def _prime(n: int) -> bool:
    return n >= 2 and all(n % k for k in range(2, int(n**0.5) + 1))


def _next_prime(n: int) -> int:
    while not _prime(n):
        n += 1
    return n


def _powers(p: int) -> tuple[int, ...]:
    """Powers 1, g, g^2, ... of the smallest primitive root g of a prime p: every number from 1 to p - 1 once."""
    for g in range(2, p):
        powers = [1]
        while powers[-1] * g % p != 1:
            powers.append(powers[-1] * g % p)
        if len(powers) == p - 1:
            return tuple(powers)
    raise SpecError(f"p = {p} has no primitive root: it is no odd prime")
