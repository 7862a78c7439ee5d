"""The playground's addresses: a page starts and moves a run, and no other page does."""

import json
import sys
import time

import pytest

from anglewise.errors import SpecError
from anglewise.lab.watch.play.routes import command
from anglewise.lab.watch.play.settings import PRESETS, SLIDERS


@pytest.fixture
def running(serve):
    return serve(play=True)


WORKER = """
import json, sys
say = lambda **message: print(json.dumps(message), flush=True)
chosen, step = {}, 0
def frame(waits=False):
    accuracy, r = min(step / 100, 1.0), [1.0] * 90
    site = {"radius": 1.5, "off": 45.0, "k": 3, "r": r, "direction": r, "belongs": r}
    ring = {"k": 3, "x": [1, 0, 1], "y": [0, 1, 0], "turns": [0, 0.5, 0]}
    numbers = {name: chosen[name] for name in ("strength", "target", "decay", "rate")}
    say(what="frame", step=step, train=1.0, test=accuracy, sites=[site | {"site": x} for x in "ab"], circle=ring,
        numbers=numbers, ended=False, diverged=False, waits=waits)
for line in sys.stdin:
    command = json.loads(line)
    if command["do"] == "start":
        waits = command.pop("waits", False)
        chosen = {"strength": 0.05, "target": 1.0, "decay": 2.0, "rate": 0.05, "p": 59, **command}
        step = 0
        say(what="begun", settings=chosen)
        frame(waits)
    else:
        chosen |= command
    for _ in range(0 if command.get("do") == "start" and waits else 30):
        step += 4
        frame()
"""
"""Says at once what training would say."""


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


@pytest.mark.browser
def test_a_page_starts_a_run_moves_its_sliders_and_ends_it_when_it_is_closed(running, opened):
    session = running.server.playground.session
    session.command, session.alone = [sys.executable, "-c", WORKER], 0.3
    page = opened(running.address + "play/")
    page.get_by_text("Press start").wait_for()
    page.locator("#start").click()
    page.get_by_text("It took 96 steps").wait_for()
    page.get_by_role("button", name="No penalty").click()
    page.get_by_text("0 (no penalty)").wait_for()
    page.get_by_text("96 (sliders moved)").wait_for()
    assert page.locator("#runs tbody tr td").first.inner_text() == "0"
    page.locator("#rate").fill("1000")
    assert page.locator("#rate-value").inner_text() == "0.2"
    page.get_by_role("button", name="start again").click()
    page.locator("#runs tbody tr").nth(1).wait_for()
    assert page.said == [] and page.locator("html").get_attribute("data-errors") is None
    process = session.process
    assert process.returncode is None
    page.close()
    until = time.monotonic() + 8
    while process.returncode is None and time.monotonic() < until:
        time.sleep(0.05)
    assert process.returncode is not None
