"""A run is read again and again, each row once, while another process writes it."""

import pytest

from anglewise.lab.outcome import Outcome
from anglewise.lab.watch.tail import Tail


def steps(news):
    return news.curves["step"].tolist()


@pytest.fixture
def run(writer):
    made = writer()
    run_id = made.ids()[0]
    made.add(run_id, 0.1, 0.2)
    return made, run_id, Tail(made.store.root / "runs" / run_id)


def test_every_row_is_read_once_while_the_lock_is_held(run):
    made, run_id, tail = run
    news = tail.read()
    assert steps(news) == [0, 10] and [x[1].tolist() for x in news.radii.values()] == 2 * [[1.25, 1.25]]
    assert tail.read() is None
    made.add(run_id, 0.3)
    assert steps(tail.read()) == [20] and tail.read() is None


def test_rows_that_move_into_a_segment_are_not_read_twice_nor_missed(run):
    made, run_id, tail = run
    tail.read()
    made.store.seal(run_id)
    assert steps(tail.read()) == []
    made.add(run_id, 0.3)
    made.store.seal(run_id)  # never seen in the tail
    made.add(run_id, 0.4)
    news = tail.read()
    assert steps(news) == [20, 30] and not news.again and news.radii["hidden.0.pre"][0].tolist() == [20, 30]


def test_a_run_that_is_rewound_or_begun_anew_is_read_again_whole(run):
    made, run_id, tail = run
    made.add(run_id, 0.3)
    tail.read()
    made.store.rewind(run_id, 10)
    news = tail.read()
    assert news.again and steps(news) == [0, 10]
    made.store.reset(run_id)
    made.rows[run_id] = []
    made.add(run_id, 0.9)
    news = tail.read()
    assert news.again and news.curves["test_accuracy"].tolist() == [0.9]


def test_a_torn_line_waits_until_it_is_whole(run):
    made, run_id, tail = run
    tail.read()
    path = made.store.root / "runs" / run_id / "tail.jsonl"
    made.add(run_id, 0.3)
    whole = path.read_bytes()
    with path.open("r+b") as file:
        file.truncate(len(whole) - 5)
    assert steps(tail.read()) == []
    with path.open("ab") as file:
        file.write(whole[-5:])
    assert steps(tail.read()) == [20]


def test_how_it_ended_comes_with_its_last_rows(run):
    made, run_id, tail = run
    assert tail.read().outcome is None
    made.finish(run_id, reached=100)
    news = tail.read()
    assert news.outcome.first == 100 and steps(news)[-1] == 200


def test_a_run_that_never_began_is_no_news(writer, tmp_path):
    assert Tail(tmp_path / "nowhere").read() is None


def test_a_run_that_moves_to_a_pack_and_back_changes_nothing_of_what_is_known(run):
    made, run_id, tail = run
    assert steps(tail.read()) == [0, 10]
    made.store.finish(run_id, Outcome("memorised", 10))
    assert tail.read().outcome.outcome == "memorised"
    fresh, late = Tail(tail.path), Tail(tail.path)
    late.read()
    made.store.compact()
    assert not tail.path.exists() and tail.read() is None and late.read() is None
    news = fresh.read()
    assert news.again and steps(news) == [0, 10] and news.outcome.outcome == "memorised" and fresh.read() is None
    assert [x[1].tolist() for x in news.radii.values()] == 2 * [[1.25, 1.25]]
    made.store.rewind(run_id, 0)
    for one in (tail, fresh, late):
        news = one.read()
        assert news.again and steps(news) == [0] and news.outcome is None
