"""What an examination of a store finds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from anglewise.lab.outcome import Ending, Outcome

AGAIN = "run the experiment again, which trains that run anew"


class Finding(NamedTuple):
    """Something that is not as it was written.

    Attributes:
        path: What.
        text: What is wrong with it.
        advice: What can be done: what `mend` does, or what the user does.
        mend: Puts it right; None where only training or a person can.
    """

    path: Path
    text: str
    advice: str
    mend: Callable[[], None] | None = None


def differences(outcome: Outcome, ending: Ending) -> list[str]:
    """In what a stored outcome is not what the rows say."""
    return [
        f"{name} is {json.dumps(getattr(outcome, name))}, the rows say {json.dumps(value)}"
        for name, value in vars(ending).items()
        if getattr(outcome, name) != value
    ]
