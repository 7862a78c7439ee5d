"""The playground's addresses: a page starts and moves a run, and no other page does."""

import json

import pytest

from anglewise.errors import SpecError
from anglewise.lab.watch.play.routes import command
from anglewise.lab.watch.play.settings import PRESETS, SLIDERS


@pytest.fixture
def running(serve):
    return serve(play=True)


def post(running, do, body, origin="own"):
    host = running.address.split("/")[2]
    headers = {"Origin": f"http://{host}" if origin == "own" else origin} if origin else {}
    return running.get(f"play/{do}", "POST", headers, body)


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "http://127.0.0.1:1", "https://127.0.0.1"])
def test_another_page_changes_nothing(running, origin):
    assert post(running, "start", "{}", origin)[0] == 403
    assert not running.server.playground.session.running


def test_another_site_changes_nothing_even_where_it_hides_its_origin(running):
    host = running.address.split("/")[2]
    headers = {"Origin": f"http://{host}", "Sec-Fetch-Site": "cross-site"}
    assert running.get("play/start", "POST", headers, "{}")[0] == 403


@pytest.mark.parametrize(
    ("do", "body", "status", "said"),
    [
        ("set", '{"rate": 9}', 400, "rate must be from 0.001 to 0.2, got 9"),
        ("start", '{"width": 100000}', 400, "width must be one of"),
        ("start", "[1]", 400, "expected a JSON object, got list"),
        ("start", "nonsense", 400, "Expected a JSON object."),
        ("fly", "{}", 400, "no command 'fly'"),
        ("start", '{"x": "' + 3000 * "y" + '"}', 413, "at most 2000 bytes"),
    ],
)
def test_a_wrong_request_is_answered_in_one_line_and_starts_nothing(running, do, body, status, said):
    got, _, text = post(running, do, body)
    assert got == status and said in text and "\n" not in text
    assert not running.server.playground.session.running


def test_what_is_handed_on_is_whole_and_checked():
    assert command("start", {"seed": 3})["seed"] == 3 and command("slow", {"on": 1}) == {"do": "slow", "on": True}
    with pytest.raises(SpecError, match="expected start, set, pause, go or slow"):
        command("kill", {})


def test_the_page_explains_every_slider_and_setting(running):
    status, headers, text = running.get("play/")
    assert status == 200 and "style=" not in text and "<script>" not in text
    assert all(slider.words.split("'")[0][:40] in text for slider in SLIDERS)
    assert all(json.dumps(preset.title)[1:-1].split("'")[0] in text for preset in PRESETS)
    assert "playground" in running.get()[2] and "default-src 'none'" in headers["content-security-policy"]
