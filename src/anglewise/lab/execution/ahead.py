"""The program that comes next, compiled in a thread while another one trains.

Compiling takes one core, and on an accelerator none of it.  A program that cannot be compiled is left to whoever trains
it, who says why.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator

from anglewise.lab.engine.compiling import AHEAD
from anglewise.lab.engine.population import shapes
from anglewise.lab.engine.programs import Programs
from anglewise.lab.execution.groups import Group


def compiled_ahead(groups: Iterable[Group], programs: Programs) -> Iterator[Group]:
    """Hand out groups; while one of them is worked on, the program of the next is compiled.

    Args:
        groups: What is to be trained, in order.
        programs: Where programs are kept.
    """
    coming = iter(groups)
    group = next(coming, None)
    thread: threading.Thread | None = None
    try:
        while group is not None:
            following = next(coming, None)
            if following is not None and not _same(group, following, programs):
                thread = threading.Thread(target=_compile, args=(following, programs), name=AHEAD, daemon=True)
                thread.start()
            yield group
            if thread is not None:
                thread.join()
            group, thread = following, None
    finally:
        if thread is not None:
            thread.join()


def _same(one: Group, other: Group, programs: Programs) -> bool:
    of = [programs.of(group.runs[0], group.readings) for group in (one, other)]
    return of[0] is of[1] and len(one.runs) == len(other.runs)


def _compile(group: Group, programs: Programs) -> None:
    with contextlib.suppress(Exception):  # met again, and told, by whoever trains it
        compiled = programs.of(group.runs[0], group.readings)
        compiled.prepare(*shapes(group.runs[0], len(group.runs), compiled))
