"""Processes that run the command line and can be killed; all begin from one that has imported everything.

What a process imports takes longer than a small experiment.  A server that has the modules, and no backend yet, forks
a process for each life: it has an identity, locks, files and an end of its own, as one that a shell starts.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
from collections.abc import Sequence

import anglewise.cli.run
import anglewise.lab.catalogue
import anglewise.lab.execution.estimate
import anglewise.lab.experiments.run
import anglewise.lab.report.html.experiment
import anglewise.lab.runner  # noqa: F401
from anglewise.cli.main import main

START = multiprocessing.get_context("forkserver")
START.set_forkserver_preload([__name__])


def _life(words: Sequence[str]) -> None:
    os.setsid()
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        sys.exit(main(list(words)))


def begun(*words: str) -> multiprocessing.process.BaseProcess:
    """A process that runs the command line with these words."""
    process = START.Process(target=_life, args=(words,))
    process.start()
    return process
