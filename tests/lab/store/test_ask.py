from __future__ import annotations

import signal
import threading
import time

import duckdb
import pytest

from anglewise.errors import StoreError
from anglewise.lab.store.ask import ask

ENDLESS = "WITH RECURSIVE t AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM t) SELECT count(*) FROM t"


@pytest.fixture
def connection():
    with duckdb.connect(":memory:", config={"temp_directory": "", "memory_limit": "500MiB"}) as made:
        yield made


def test_an_answer_has_all_rows_in_their_order(connection):
    table = ask(connection, "SELECT range AS i FROM range(250000)", None)
    assert table.column("i").to_pylist() == list(range(250_000))
    assert ask(connection, "SELECT 1 AS x WHERE false", 5.0).column_names == ["x"]


def test_a_query_that_never_ends_is_stopped(connection):
    begun = time.monotonic()
    with pytest.raises(StoreError, match=r"^the query was stopped after 0.3 s: ask for less, or .* --timeout SECONDS$"):
        ask(connection, ENDLESS, 0.3)
    assert time.monotonic() - begun < 10
    assert ask(connection, "SELECT 1 AS x", 5.0).column("x").to_pylist() == [1]  # the statement has gone


def test_a_query_is_stopped_by_an_interrupt(connection):
    me, begun = threading.main_thread().ident, time.monotonic()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Timer(0.3, lambda: signal.pthread_kill(me, signal.SIGINT)).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            ask(connection, ENDLESS, 60.0)
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - begun < 30
    assert ask(connection, "SELECT 1 AS x", 5.0).column("x").to_pylist() == [1]


def test_an_answer_that_no_machine_holds_is_refused(connection):
    with pytest.raises(StoreError, match="^the answer is larger than 0.0 GiB: ask for less, or add a LIMIT$"):
        ask(connection, "SELECT * FROM range(100000000000)", 60.0, most=10**7)


def test_errors_are_duckdbs_own(connection):
    with pytest.raises(duckdb.Error, match="wrong"):
        ask(connection, "SELECT wrong", None)
