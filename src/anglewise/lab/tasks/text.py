r"""Text, character by character: predict the next character of a file that the user names.

The first 90 % of the characters are trained on and the rest are validated on, whatever the seed.  An example is a
window of `context` characters; its labels are the characters that follow each of them.  Training windows start at
every `stride`-th character, validation windows lie side by side.  The vocabulary is the file's set of characters.

What counts is the validation loss, ``test_loss``, in nats per character.  Accuracy is the share of characters that are
predicted right, and no share of them means that a run has generalised: train with ``training.threshold`` 0.

The file's checksum is part of a run's identity, so that another text under the same path is another run.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from pathlib import Path
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, PRNGKeyArray

from anglewise.errors import SpecError, shown
from anglewise.lab.protocols.fields import COUNT, INSIDE, Bound, bounded
from anglewise.lab.protocols.task import Answers, Data

LARGEST = 2**26
"""Largest file that is read, in bytes."""


@dataclasses.dataclass(frozen=True)
@bounded
class Text:
    """Windows of a text file.

    Args:
        path: The file, in UTF-8.
        context: Characters of an input.
        share: Part of the characters that is trained on, in (0, 1); the first floor(share * n).
        stride: Characters from the start of a training window to the next one's; 1 is every window, which takes
            8 * context bytes of memory for each character of the file.
        evaluated_train: Training windows that an evaluation looks at; 0 is all.
        evaluated_test: Validation windows that an evaluation looks at; 0 is all.
        checksum: First 16 hexadecimal digits of the file's SHA-256; filled in from the file where it is empty.
    """

    path: str = ""
    context: Annotated[int, COUNT] = 256
    share: Annotated[float, INSIDE] = 0.9
    stride: Annotated[int, COUNT] = 32
    evaluated_train: Annotated[int, Bound(0)] = 100
    evaluated_test: Annotated[int, Bound(0)] = 0
    checksum: str = ""

    def __post_init__(self) -> None:
        """Fill in the checksum, or compare it with the file."""
        if not self.path:
            return
        found = hashlib.sha256(_read(self.path).encode()).hexdigest()[:16]
        if self.checksum not in ("", found):
            raise SpecError(f"{self.path} has the checksum {found}, expected {self.checksum}: it is another text")
        object.__setattr__(self, "checksum", found)
        if 0 in self.sizes:
            raise SpecError(
                f"{self.path} has {len(self._text):,} characters, too few for a window of {self.context} in each part: "
                "take a longer text or a smaller context"
            )

    @property
    def _text(self) -> str:
        """The file's text."""
        if not self.path:
            raise SpecError("the task text needs a file: set its path (--task.path FILE)")
        return _read(self.path)

    @property
    def characters(self) -> str:
        """The vocabulary, in the order of its tokens."""
        return "".join(sorted(set(self._text)))

    @property
    def tokens(self) -> int:
        """Size of the vocabulary."""
        return len(self.characters)

    @property
    def classes(self) -> int:
        """Classes are numbered like the tokens."""
        return self.tokens

    @property
    def length(self) -> int:
        """Characters of an input."""
        return self.context

    @property
    def fixed(self) -> tuple[int | None, ...]:
        """No position has the same character in every input."""
        return (None,) * self.context

    @property
    def answers(self) -> Answers:
        """The next character at every position; each counts by itself."""
        every = tuple(range(self.context))
        return Answers(every, every, whole=False)

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of training and of validation windows."""
        n = len(self._text)
        cut = int(self.share * n)
        return max(0, (cut - self.context - 1) // self.stride + 1), max(0, (n - cut - 1) // self.context)

    @property
    def evaluated(self) -> tuple[int, int]:
        """Numbers of training and of validation windows that evaluations look at."""
        n, m = self.sizes
        return min(self.evaluated_train or n, n), min(self.evaluated_test or m, m)

    def split(self, key: PRNGKeyArray) -> Data:
        """All windows: training windows in an order drawn from `key`, validation windows in the file's."""
        stream, (n, m) = encoded(self._text, self.characters), self.sizes
        order = np.asarray(jax.random.permutation(key, n))
        train = _windows(stream, order * self.stride, self.context)
        test = _windows(stream, int(self.share * len(stream)) + np.arange(m) * self.context, self.context)
        return Data(*(jnp.asarray(x) for part in (train, test) for x in (part[:, :-1], part[:, 1:])))


def encoded(text: str, characters: str) -> Int[np.ndarray, " n"]:
    """Places of the text's characters in `characters`.

    Example:
        >>> encoded("abba", "ab").tolist()
        [0, 1, 1, 0]
    """
    place = {character: i for i, character in enumerate(characters)}
    return np.fromiter((place[c] for c in text), np.int32, len(text))


def _windows(stream: Int[np.ndarray, " n"], starts: Int[np.ndarray, " w"], context: int) -> Int[np.ndarray, "w line"]:
    """Windows of context + 1 characters."""
    return stream[starts[:, None] + np.arange(context + 1)]


@functools.lru_cache(maxsize=4)
def _read(path: str) -> str:
    """A file's text."""
    try:
        size = Path(path).stat().st_size
        if size > LARGEST:
            raise SpecError(f"cannot read {path}: expected at most {LARGEST:,} bytes, got {size:,}")
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(f"cannot read the text {shown(path)}: {error.strerror}") from error
    except ValueError as error:
        raise SpecError(f"{path} is no text in UTF-8: {error}") from error
