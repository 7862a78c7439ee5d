"""One SQL statement, asked so that it ends: within a time, within the machine's memory, and at once on Ctrl-C."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from anglewise.errors import StoreError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

MEMORY = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
"""Bytes that a query may use, and that its answer may have: half of the machine's."""
BATCH = 100_000


def ask(connection: duckdb.DuckDBPyConnection, sql: str, timeout: float | None, most: int = MEMORY) -> pa.Table | None:
    """The answer to a statement; None where it asks for nothing.

    The statement runs in a thread of its own, since DuckDB does not look at signals while it works.

    Args:
        connection: Of DuckDB; nobody else uses it meanwhile.
        sql: One statement.
        timeout: Seconds after which it is stopped; None for never.
        most: Bytes that the answer may have.

    Raises:
        StoreError: If it took too long, or its answer is too large.
        KeyboardInterrupt: On Ctrl-C, once the statement has been stopped.
    """
    answers: list[pa.Table | None] = []
    errors: list[BaseException] = []
    done = threading.Event()

    def work() -> None:
        try:
            answers.append(_table(connection.sql(sql), most))
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=work, daemon=True).start()
    try:
        ended = done.wait(timeout)
    except KeyboardInterrupt:
        _stop(connection, done)
        raise
    if not ended:
        _stop(connection, done)
        raise StoreError(
            f"the query was stopped after {timeout:g} s: ask for less, or give it more time with --timeout SECONDS"
        )
    if errors:
        raise errors[0]
    return answers[0]


def _stop(connection: duckdb.DuckDBPyConnection, done: threading.Event) -> None:
    for _ in range(50):  # an interrupt that comes before the statement has begun is lost
        connection.interrupt()
        if done.wait(0.1):
            return


def _table(answer: Any, most: int) -> pa.Table | None:
    import pyarrow as pa

    if answer is None:
        return None
    reader = answer.to_arrow_reader(BATCH) if hasattr(answer, "to_arrow_reader") else answer.fetch_record_batch(BATCH)
    batches, size = [], 0
    for batch in reader:
        size += batch.nbytes
        if size > most:
            raise StoreError(f"the answer is larger than {most / 2**30:.1f} GiB: ask for less, or add a LIMIT")
        batches.append(batch)
    return pa.Table.from_batches(batches, schema=reader.schema)
