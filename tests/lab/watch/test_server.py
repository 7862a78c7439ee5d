"""What the server answers: the page, its files, a run in depth, the report; and events that go on from a version."""

import json
import re
import socket
import time

import numpy as np
import pytest

from anglewise.errors import AnglewiseError
from anglewise.lab.watch.server import Server
from anglewise.lab.watch.stores import experiments

IMAGE = "<img src=x onerror=alert(1)>"


def events(running, query="", headers=None):
    """Events of a stream, up to the first with a run's points: the name of the last one, and what they say together."""
    host, _, path = running.address.removeprefix("http://").partition("/")
    name, port = host.split(":")
    lines = "".join(f"{key}: {value}\r\n" for key, value in (headers or {}).items())
    data, until, said = "", time.monotonic() + 10, {"runs": {}}
    with socket.create_connection((name, int(port)), timeout=5) as connection:
        connection.sendall(f"GET /{path}events?{query} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n".encode())
        while not said["runs"]:
            assert time.monotonic() < until, data
            data += connection.recv(1 << 16).decode()
            for block in re.findall(r"id: (\S+)\s+data: (\{.*\})\s", data):
                event = json.loads(block[1])
                said |= {"id": block[0]} | {key: event[key] for key in ("reset", "list") if key in event}
                for part in event["experiments"]:
                    said["runs"] |= part["runs"]
    return said


@pytest.fixture
def shown(writer, serve):
    made = writer(name=IMAGE, title=IMAGE, arms=("plain", f"radial {IMAGE}"))
    made.add(made.ids()[0], 0.1, 0.2)
    return made, serve(made.store.root), experiments([made.store.root])[0].key


def test_the_page_and_its_files_are_there_and_nothing_beside_them(shown):
    _, running, _ = shown
    status, headers, text = running.get()
    assert status == 200 and headers["content-type"].startswith("text/html") and "files/main.js" in text
    assert "style=" not in text and "<script>" not in text and "onload" not in text
    assert "playground" not in text
    for name, kind in (("main.js", "javascript"), ("watch.css", "css"), ("icon.svg", "svg")):
        status, headers, _ = running.get(f"files/{name}")
        assert status == 200 and kind in headers["content-type"]
    for name in ("index.html.jinja", "nothing.js", "..%2Fserver.py", "%2E%2E/server.py", "../server.py"):
        assert running.get(f"files/{name}")[0] == 404


def test_events_begin_with_all_and_go_on_after_the_version_that_a_page_knows(shown):
    made, running, key = shown
    first = events(running, f"show={key}")
    assert first["reset"] and first["list"][0]["key"] == key and first["runs"]["0"]["test"] == [1000, 2000]
    made.add(made.ids()[0], 0.3)
    more = events(running, f"show={key}", {"Last-Event-ID": first["id"]})
    assert "reset" not in more and more["runs"] == {"0": more["runs"]["0"]} and more["runs"]["0"]["test"] == [3000]
    again = events(running, f"show={key}", {"Last-Event-ID": "another.7"})
    assert again["reset"] and again["runs"]["0"]["test"] == [1000, 2000, 3000]


def test_nothing_is_read_once_the_last_page_has_gone(shown):
    _, running, key = shown
    events(running, f"show={key}")
    hub, until = running.server.hub, time.monotonic() + 5
    while (hub.pages or not hub.reading.done()) and time.monotonic() < until:
        time.sleep(0.05)
    assert hub.pages == 0 and hub.reading.done() and not any(hub.open.values())


def test_the_report_is_drawn_as_it_stands_apart_from_the_server(shown):
    _, running, key = shown
    status, headers, text = running.get(f"report?show={key}")
    assert status == 200 and text.startswith("<!doctype html>") and IMAGE not in text
    assert headers["content-security-policy"].startswith("sandbox") and "content-disposition" not in headers
    assert "report.html" in running.get(f"report?show={key}&save=1")[1]["content-disposition"]


def test_a_run_in_depth_has_its_way_through_radius_and_accuracy_and_its_figures(shown):
    made, running, key = shown
    rng = np.random.default_rng(0)
    arrays = [
        {"step": 20, "site": "embedding", "name": "circles", "shape": "2,5,2", "values": rng.normal(size=20)},
        {"step": 20, "site": "embedding", "name": "circle_frequencies", "shape": "2", "values": [1.0, 2.0]},
        {"step": 20, "site": "hidden.0.post", "name": "fourier_map", "shape": "4,2", "values": rng.random(8)},
    ]
    made.store.append(made.ids()[0], [], [], arrays)
    status, _, text = running.get(f"network?show={key}&run={made.ids()[0]}")
    found = json.loads(text)
    assert status == 200 and [one["steps"] for one in found["phases"]] == [[0, 10], [0, 10]]
    assert found["phases"][0]["radius"] == [1.25, 1.25] and found["phases"][0]["test"] == [0.1, 0.2]
    assert [one["frames"][0]["k"] for one in found["circles"]] == [1, 2]
    assert found["maps"][0]["frames"][0]["shape"] == [4, 2]
    assert found["more"] == "anglewise run tiny --readings default,embedding,neuron-fourier"


@pytest.mark.parametrize("path", ["report?show=no", "network?show=no&run=no", "network?show={key}&run=../x", "report"])
def test_what_is_not_there_is_said(shown, path):
    _, running, key = shown
    status, _, text = running.get(path.format(key=key))
    assert status == 404 and text.startswith("There is no such")


def test_a_port_that_is_taken_is_an_error_only_where_it_was_asked_for(shown, tmp_path):
    _, running, _ = shown
    taken = running.server.socket.getsockname()[1]
    with pytest.raises(AnglewiseError, match=rf"cannot listen on port {taken}: .*; choose another --port"):
        Server((tmp_path,), port=taken)
    other = Server((tmp_path,), usual=taken)
    assert other.socket.getsockname()[1] != taken
    other.socket.close()
