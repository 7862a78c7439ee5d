import base64
import dataclasses
import hashlib
import json
import os
import re
import subprocess
from html.parser import HTMLParser

import pytest

from anglewise.errors import AnglewiseError
from anglewise.lab.report.format import script
from anglewise.lab.report.html.document import write_file
from anglewise.lab.report.html.experiment import page
from anglewise.lab.report.html.run import run_page
from tests.support.pages import browser_path

IMAGE = "<img src=x onerror=document.documentElement.dataset.pwned=1>"
CLOSE = "</script><script>document.documentElement.dataset.pwned=1</script>"
COMMENT = "<!--<script>"
QUOTE = "\" onmouseover='x' x=\""
HOSTILE = {IMAGE: 90, CLOSE: 70, COMMENT: None, QUOTE: 80}


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, value in attrs if not (name == "href" and value.startswith("#"))]


@pytest.fixture
def hostile(make, network, shelf):
    results = make(HOSTILE, seeds=3, sites=(IMAGE, CLOSE), others=(IMAGE,), name=CLOSE, title=IMAGE, command=CLOSE)
    results.spec["task"][IMAGE] = CLOSE
    results.spec["arms"][0]["methods"][0][IMAGE] = CLOSE
    results.provenance[IMAGE] = type(results.provenance["python"])({CLOSE: 3})
    arrays = {(name, IMAGE): frames for (name, _), frames in network().items()}
    arrays[IMAGE, CLOSE] = arrays["strange", IMAGE]
    shelves = shelf(dict.fromkeys(results.planned, arrays))
    return dataclasses.replace(results, arrays=shelves, runs=dict.fromkeys(results.planned, QUOTE))


@pytest.mark.parametrize("what", ["experiment", "run"])
def test_names_from_users_make_no_tags_and_no_attributes(hostile, what):
    found = Tags(page(hostile) if what == "experiment" else run_page(hostile, hostile.planned[0]))
    assert found.tags.count("script") == 3 and "img" not in found.tags and "link" not in found.tags
    assert not [name for name in found.attributes if name.startswith("on") or name in ("src", "href")]


def test_the_data_block_is_json_that_no_name_can_close(hostile):
    text = page(hostile)
    block = re.search(r'<script type="application/json" id="panels"[^>]*>(.*?)</script>', text, re.DOTALL)[1]
    assert "<" not in block
    assert [panel["id"] for panel in json.loads(block) if not panel["lazy"]] == [
        *("accuracy", "radius-0", "radius-1", "phase-0", "phase-1", "survival")
    ]
    assert script("\u2028<!--") == '"\\u2028\\u003c!--"' and script([float("nan")]) == "[null]"


def test_the_result_comes_first_and_everything_asked_for_is_there(make):
    text = page(make(missing=[("man", 0)]))
    asked = text.index("Is “AdamW, usual settings + radial penalty” faster")
    assert asked < text.index("Yes, faster: ") < text.index("When every run") < text.index("Learning curves</h2>")
    for part in ("Radius of every site", "How the runs ended", "Settings", "Reproduce", "Provenance"):
        assert f"{part}</h" in text
    assert text.count("7 of 8 runs, 1 missing") == 3
    assert "anglewise run quickstart --seeds 8" in text and "RadialPenalty.target" in text
    assert "http-equiv" in text and not re.search(r'src="|href="[^#]', text.split("<script")[0])


def test_rows_that_differ_between_arms_are_marked(make):
    text = page(make())
    rows = re.findall(r'<tr( class="marked")?><th scope="row">([\w.]+)</th>', text)
    marks = {name: bool(mark) for mark, name in rows}
    assert marks["RadialPenalty.strength"] and not marks["AdamW.lr"]


@pytest.mark.parametrize("arms", [{"only": 90}, {f"arm {i}": 60 + i for i in range(64)}])
def test_one_arm_and_sixty_four(make, arms):
    text = page(make(arms, seeds=1))
    assert text.count("data-arm=") == len(arms)


def test_nothing_finished_and_nothing_evaluated_are_said(make):
    runs = [("a", s) for s in range(2)]
    assert "No run has finished yet" in page(make({"a": 90}, seeds=2, missing=runs))
    empty = make({"a": 90}, seeds=2, missing=runs, sites=(), command="", provenance={}, spec={}, curves={}, created="")
    text = page(empty)
    assert "No evaluations yet" in text and "No radii were read" in text and "No command was recorded" in text


def test_values_that_differ_between_runs_say_for_how_many(make):
    results = make({"a": 90}, seeds=2)
    results.provenance["device"].update({"gpu": 1})
    assert "cpu (2 runs); gpu (1 runs)" in page(results)


def test_a_report_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = write_file("old", tmp_path / "r.html")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(AnglewiseError, match="No space left on device; choose another place"):
        write_file("new", path)
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["r.html"]


FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=6000",
    "--dump-dom",
]


def opened(text, tmp_path, part=""):
    """The page's DOM after its scripts have run, in a browser that resolves no name."""
    path = write_file(text, tmp_path / "report.html")
    offline = "--host-resolver-rules=MAP * ~NOTFOUND"
    command = [browser_path(), *FLAGS, offline, f"--user-data-dir={tmp_path / 'profile'}", path.as_uri() + part]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert 'data-ready="true"' in done.stdout, done.stderr[-2000:]
    return done.stdout


def unfolded(text):
    """The page with all its parts open from the start."""
    return text.replace('<details class="theme"', '<details open class="theme"')


def with_script(text, source):
    """The page with one more script that its policy lets run: a stand-in for a hand on the mouse."""
    source = f"{{{source}}}"  # a block of its own: its names are not the page's
    known = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
    text = text.replace("script-src ", f"script-src 'sha256-{known}' ")
    return text.replace("</body>", f"<script>{source}</script></body>")


def drawn(dom):
    """Number of drawn traces by the id of their figure."""
    parts = re.split(r'class="plot[^"]*js-plotly-plot[^"]*" id="|id="(?=[^"]+" class="plot[^"]*js-plotly-plot)', dom)
    return {part.split('"', 1)[0]: len(re.findall(r'class="trace scatter', part)) for part in parts[1:]}


@pytest.mark.browser
def test_a_browser_draws_every_figure_without_errors(make, tmp_path):
    text = page(make(seeds=3, others=("radial_energy",), missing=[("man", 0)]))
    figures = drawn(opened(text, tmp_path))
    first = {"accuracy", "radius-0", "radius-1", "phase-0", "phase-1", "survival"}
    assert set(figures) == first and all(count >= 4 for count in figures.values()), figures
    dom = opened(unfolded(text), tmp_path)
    figures = drawn(dom)
    wanted = {f"reading-{name}-{site}" for name in ("radius_q50", "radial_energy") for site in (0, 1)}
    assert set(figures) == first | wanted and all(count >= 4 for count in figures.values()), figures
    assert "data-errors" not in dom.split("<head>")[0]


CLICKS = """
const theme = document.getElementById("gradients");
theme.open = true;
const log = theme.querySelector("[data-log]");
setTimeout(() => { log.click(); document.querySelector(".legend [data-arm]").click(); }, 1500);
setTimeout(() => {
  const panel = document.getElementById("reading-radial_energy-0");
  document.documentElement.dataset.axis = panel.layout.yaxis.type;
  const shown = (trace) => trace.visible !== false;
  document.documentElement.dataset.shown = panel.data.filter(shown).map((trace) => trace.meta.arm).join();
  document.documentElement.dataset.lines = panel.layout.shapes.filter(shown).map((line) => line.name).join();
}, 3000);
"""


@pytest.mark.browser
def test_a_theme_is_drawn_when_it_is_opened_and_obeys_the_switches(make, tmp_path):
    results = make({"a": 60, "b": 90}, seeds=2, others=("radial_energy", "effective_rank"))
    dom = opened(with_script(page(results), CLICKS), tmp_path)
    top = dom.split("<head>")[0]
    assert "reading-radial_energy-0" in drawn(dom) and "reading-effective_rank-0" not in drawn(dom)
    assert "data-errors" not in top
    assert 'data-axis="log"' in top and 'data-shown="1,1"' in top and 'data-lines="arm 1,"' in top


@pytest.mark.browser
def test_a_link_opens_its_theme(make, tmp_path):
    results = make({"a": 60}, seeds=2, others=("radial_energy", "effective_rank"))
    figures = drawn(opened(page(results), tmp_path, "#spectra"))
    assert "reading-effective_rank-0" in figures and "reading-radial_energy-0" not in figures


@pytest.mark.browser
def test_hostile_names_run_nothing_in_a_browser(hostile, tmp_path):
    dom = opened(unfolded(page(hostile)), tmp_path)
    top = dom.split("<head>")[0]
    assert "data-pwned" not in top and "data-errors" not in top
    assert all(drawn(dom).values()) and len(drawn(dom)) == 15


DRAG = """
const slider = document.getElementById("slider");
const seen = [];
function look() {
  const map = document.getElementById("map-0"), ring = document.getElementById("circle-0");
  seen.push([document.documentElement.dataset.step, map.data[0].z[0].length, ring.layout.annotations[0].text,
    document.getElementById("accuracy").layout.shapes.find((line) => line.name === "now").x0].join(" "));
  document.documentElement.dataset.seen = seen.join("; ");
}
function drag(to) { slider.value = to; slider.dispatchEvent(new Event("input")); }
setTimeout(() => drag(2), 500);
setTimeout(() => { look(); drag(9); }, 1500);
setTimeout(() => { look(); document.getElementById("play").click(); }, 2500);
"""


@pytest.mark.browser
def test_the_slider_moves_map_and_circles_and_the_player_runs_to_the_end(measured, tmp_path):
    results = measured()
    text = run_page(results, ("a", 1))
    dom = opened(unfolded(with_script(text, DRAG)), tmp_path)
    top = dom.split("<head>")[0]
    assert "data-errors" not in top
    assert 'data-seen="20 6 k = 3 20; 90 6 k = 3 90"' in top and 'data-step="100"' in top
    figures = drawn(dom)
    assert figures["circle-0"] == figures["circle-1"] == 1 and figures["spectrum-0"] >= 11
    assert "heatmaplayer" in dom and 'id="power-1"' in dom


@pytest.mark.browser
def test_hostile_names_run_nothing_on_a_runs_page(hostile, tmp_path):
    dom = opened(unfolded(run_page(hostile, hostile.planned[0])), tmp_path)
    top = dom.split("<head>")[0]
    assert "data-pwned" not in top and "data-errors" not in top and len(drawn(dom)) > 10


@pytest.mark.browser
@pytest.mark.parametrize("policy", [True, False])
def test_the_policy_is_what_stops_a_script_that_is_not_the_pages_own(make, tmp_path, policy):
    text = page(make({"a": 90}, seeds=1)).replace("</main>", f"{IMAGE}</main>")
    dom = opened(text if policy else text.replace("Content-Security-Policy", "x-none"), tmp_path)
    assert ("data-pwned" in dom.split("<head>")[0]) is not policy
