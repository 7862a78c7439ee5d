"""The page in a browser: it follows what is written, comes back after a restart, and runs nothing of a name."""

import http.client
import threading
import time

import pytest

from anglewise.lab.watch.stores import experiments
from tests.support.pages import violations

IMAGE = "<img src=x onerror=document.documentElement.dataset.pwned=1>"
CLOSE = "</script><script>document.documentElement.dataset.pwned=1</script>"


def now(page, text, timeout=10_000):
    page.get_by_text(text).first.wait_for(timeout=timeout)


@pytest.mark.browser
def test_a_new_row_is_there_within_two_seconds_and_a_pause_holds_it_back(writer, serve, opened):
    made = writer()
    run_id = made.ids()[0]
    made.add(run_id, 0.1)
    made.finish(made.ids()[2], reached=100)
    page = opened(serve(made.store.root).address)
    now(page, "1 of 4 runs done")
    assert page.locator("article.card").count() == 2
    made.finish(run_id, reached=150)
    begun = time.monotonic()
    now(page, "2 of 4 runs done", 2000)
    assert time.monotonic() - begun < 2
    now(page, "100 steps instead of 150")
    now(page, "too few to test yet")
    page.get_by_role("button", name="pause").click()
    made.finish(made.ids()[1], reached=120)
    now(page, "update waiting")
    assert "2 of 4" in page.locator(".counts").inner_text()
    page.get_by_role("button", name="back to live").click()
    now(page, "3 of 4 runs done")
    page.locator("#step").fill("100")
    now(page, "seeds had reached 95 % by step 100")
    assert [x.inner_text() for x in page.locator(".big").all()] == ["0 of 2", "1 of 2"]
    assert page.said == [] and page.locator("html").get_attribute("data-errors") is None


@pytest.mark.browser
def test_it_comes_back_after_the_server_has_started_again(writer, serve, opened):
    made = writer()
    made.finish(made.ids()[0])
    first = serve(made.store.root)
    page = opened(first.address)
    now(page, "1 of 4 runs done")
    first.stop()
    now(page, "no answer")
    made.finish(made.ids()[1])
    second = serve(made.store.root, port=int(first.address.split(":")[2].split("/")[0]))
    assert second.address == first.address
    now(page, "2 of 4 runs done", 15_000)
    assert page.locator("html").get_attribute("data-connected") == "true"
    assert page.locator("html").get_attribute("data-errors") is None


@pytest.mark.browser
def test_hostile_names_run_nothing_and_are_shown_as_they_are(writer, serve, opened):
    made = writer(name=IMAGE, title=CLOSE, arms=(f"plain {IMAGE}", f"radial {CLOSE}"), sites=(IMAGE, CLOSE))
    for run_id in made.ids():
        made.add(run_id, 0.1, 0.5)
    made.finish(made.ids()[0])
    page = opened(serve(made.store.root).address)
    now(page, "1 of 4 runs done")
    page.locator(".depth").scroll_into_view_if_needed()
    page.locator(".depth figure").first.wait_for()
    assert page.locator("h1").inner_text() == IMAGE and page.locator("main img").count() == 0
    assert page.locator("html").get_attribute("data-pwned") is None and page.said == []


@pytest.mark.browser
def test_two_experiments_stand_side_by_side_at_a_desk_and_one_below_the_other_on_a_phone(writer, serve, opened):
    for name in ("one", "two"):
        made = writer(name)
        made.add(made.ids()[0], 0.1)
    root = made.store.root.parent
    keys = [one.key for one in experiments([root])]
    page = opened(serve(root).address + "#" + "&".join(keys))
    page.locator(".experiment").nth(1).wait_for()
    boxes = [page.locator(".experiment").nth(i).bounding_box() for i in range(2)]
    assert boxes[0]["y"] == boxes[1]["y"] and boxes[0]["x"] < boxes[1]["x"]
    page.set_viewport_size({"width": 390, "height": 800})
    boxes = [page.locator(".experiment").nth(i).bounding_box() for i in range(2)]
    assert boxes[0]["x"] == boxes[1]["x"] and boxes[0]["y"] < boxes[1]["y"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390 and page.said == []


@pytest.mark.browser
@pytest.mark.parametrize(("width", "path"), [(1400, ""), (390, ""), (1100, "play/")])
def test_the_pages_are_accessible(writer, serve, opened, width, path):
    made = writer()
    made.finish(made.ids()[0])
    page = opened(serve(made.store.root, play=True).address + path)
    page.set_viewport_size({"width": width, "height": 900})
    page.locator("h1").first.wait_for()
    page.wait_for_timeout(800)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_twenty_pages_at_once_hear_of_the_same_row(writer, serve):
    made = writer()
    made.add(made.ids()[0], 0.1)
    running = serve(made.store.root)
    key = experiments([made.store.root])[0].key
    heard, host = [], running.address.split("/")[2]
    path = "/" + running.address.split("/", 3)[3]
    ready = threading.Barrier(21)

    def listen():
        connection = http.client.HTTPConnection(host, timeout=20)
        connection.request("GET", f"{path}events?show={key}")
        answer = connection.getresponse()
        text, waiting = "", True
        while '"test":[8123]' not in text:
            text += answer.readline().decode()
            if waiting and '"test":[1000]' in text:
                waiting = False
                ready.wait(20)
        heard.append(time.monotonic())
        connection.close()

    threads = [threading.Thread(target=listen, daemon=True) for _ in range(20)]
    for thread in threads:
        thread.start()
    ready.wait(20)
    begun = time.monotonic()
    made.add(made.ids()[0], 0.8123)
    for thread in threads:
        thread.join(10)
    assert len(heard) == 20 and max(heard) - begun < 2
