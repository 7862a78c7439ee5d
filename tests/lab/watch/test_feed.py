"""An experiment is told by increments: all of it first, then only what changed."""

import json

import pytest

from anglewise.lab.store.status import Status, write_status
from anglewise.lab.watch.feed import Feed

IMAGE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def fed(writer):
    made = writer()
    return made, Feed(made.store.root, made.manifest, "key")


def test_a_page_that_knows_nothing_is_told_all_and_then_only_what_is_new(fed):
    made, feed = fed
    first, second = made.ids()[:2]
    made.add(first, 0.1, 0.2)
    made.add(second, 0.1)
    assert feed.poll(1)
    whole = feed.increment(-1)
    assert set(whole["runs"]) == {"0", "1"} and whole["head"]["name"] == "tiny"
    assert whole["runs"]["0"]["steps"] == (0, 10) and whole["runs"]["0"]["test"] == [1000, 2000]
    assert whole["runs"]["0"]["radius"] == [[1.25, 1.25], [1.25, 1.25]]
    assert not feed.poll(2) and feed.increment(1) is None
    made.add(second, 0.5)
    assert feed.poll(3)
    change = feed.increment(1)
    assert set(change) == {"key", "runs"} and set(change["runs"]) == {"1"}
    assert change["runs"]["1"]["from"] == 1 and change["runs"]["1"]["steps"] == (10,)


def test_it_can_be_written_as_strict_json_whatever_the_values(fed):
    made, feed = fed
    made.add(made.ids()[0], float("nan"), radius=float("inf"))
    feed.poll(1)
    run = json.loads(json.dumps(feed.increment(-1), allow_nan=False))["runs"]["0"]
    assert run["test"] == [None] and run["radius"] == [[None], [None]]


def test_medians_and_contrasts_are_told_when_runs_end(fed):
    made, feed = fed
    feed.poll(1)
    assert feed.increment(-1)["head"]["contrasts"][0]["verdict"] == "no seed has finished on both sides yet"
    for run_id, reached in zip(made.ids(), (150, 170, 90, 110), strict=True):
        made.finish(run_id, reached)
    feed.poll(2)
    change = feed.increment(1)
    plain, radial = change["head"]["arms"]
    assert (plain["median"], plain["fastest"], plain["slowest"]) == (160, 150, 170) and radial["targets"] == [1.0, 1.0]
    (contrast,) = change["head"]["contrasts"]
    assert contrast["steps"] == "100 steps instead of 160" and contrast["verdict"] == "too few to test"
    assert change["now"]["state"] == "finished" and change["now"]["done"] == 4


def test_what_is_done_now_is_what_the_training_process_says(fed):
    made, feed = fed
    made.finish(made.ids()[0])
    feed.poll(1)
    assert feed.increment(-1)["now"]["state"] == "stopped"
    status = Status("tiny-0123abcd", "compiling", 3.0, 1.0, 3.0, (made.ids()[2],), about=20.0, most=90.0)
    write_status(made.store.root, status)
    assert feed.poll(2)
    now = feed.increment(1)["now"]
    assert (now["state"], now["arm"], now["runs"], now["about"], now["most"]) == ("compiling", 1, [2], 20.0, 90.0)
    write_status(made.store.root, Status("another-experiment", "training", 3.0, 1.0, 3.0))
    feed.poll(3)
    assert feed.increment(2)["now"]["state"] == "stopped"


def test_a_large_store_is_read_in_parts_and_says_so(writer):
    made = writer(seeds=40)
    for run_id in made.ids()[:5]:
        made.add(run_id, 0.1)
    feed = Feed(made.store.root, made.manifest, "key")
    feed.poll(1, seconds=0.0)
    now = feed.increment(-1)["now"]
    assert now["state"] == "loading" and now["known"] == 1
    for version in range(2, 90):
        feed.poll(version, seconds=0.0)
    assert feed.increment(-1)["now"]["state"] == "stopped" and len(feed.increment(-1)["runs"]) == 5


def test_damage_is_said_of_its_run_and_hides_no_other(fed):
    made, feed = fed
    for run_id in made.ids()[:2]:
        made.add(run_id, 0.1)
        made.store.seal(run_id)
    (segment,) = (made.store.root / "runs" / made.ids()[0] / "v1").glob("curves-*")
    segment.write_bytes(b"no")
    feed.poll(1)
    runs = feed.increment(-1)["runs"]
    assert "damaged" in runs["0"]["damage"] and runs["1"]["steps"] == (0,)


def test_only_what_the_experiment_follows_is_shown(writer):
    made = writer(every=20, budget=40)
    made.add(made.ids()[0], 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    feed = Feed(made.store.root, made.manifest, "key")
    feed.poll(1)
    run = feed.increment(-1)["runs"]["0"]
    assert run["steps"] == (0, 20, 40) and run["end"]["outcome"] == "memorised"  # another experiment trains it further


def test_many_sites_are_thinned_with_the_first_and_the_last(writer):
    made = writer(sites=tuple(f"block.{i}" for i in range(9)))
    made.add(made.ids()[0], 0.1)
    feed = Feed(made.store.root, made.manifest, "key")
    feed.poll(1)
    sites = feed.increment(-1)["head"]["sites"]
    assert len(sites) == 4 and (sites[0], sites[-1]) == ("block.0", "block.8")
