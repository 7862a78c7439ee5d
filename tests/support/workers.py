"""Workers that are threads of the test's own process: quick, and told how to fail."""

from __future__ import annotations

from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor

from anglewise.lab.execution import worker


class Threads:
    """Works on units in threads.

    Args:
        slots: How many.
        lose: Of each unit, how many workers are lost before one comes to its end.
        error: What every worker ends with, if anything.
    """

    members, place = 1, "threads"

    def __init__(self, slots=1, lose=0, error=None, work=worker.work):
        self.slots = self.ahead = slots
        self.lose, self.error, self.work = lose, error, work
        self.pool, self.sent, self.most = ThreadPoolExecutor(slots), [], 0
        self.killed = False

    def send(self, root, unit, session):
        self.sent.append(unit)
        if [one.unit_id for one in self.sent].count(unit.unit_id) <= self.lose:
            future = Future()
            future.set_exception(BrokenExecutor("a process in the pool was terminated abruptly"))
            return future
        return self.pool.submit(self._work, root, unit, session)

    def _work(self, root, unit, session):
        if self.error is not None:
            raise self.error
        return self.work(root, unit, session)

    def kill(self):
        self.killed = True

    def close(self):
        self.pool.shutdown()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
