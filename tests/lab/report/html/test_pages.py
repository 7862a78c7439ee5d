"""The pages in a real browser: readable by all, at every width, in the dark, on paper and without scripts."""

import pytest

from anglewise.lab.report.html.document import write_file
from anglewise.lab.report.html.experiment import page
from anglewise.lab.report.html.run import run_page
from anglewise.lab.report.runs import runs_of
from anglewise.lab.studies.leaderboard.analysis import rows as ranked
from anglewise.lab.studies.leaderboard.show import page as board
from tests.support.pages import chromium, opened, violations

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def report(make, tmp_path):
    arms = {"adamw": 120, "adamw+radial": 80, "man": None}
    results = make(arms, seeds=3, others=("radial_energy", "effective_rank"), missing=[("man", 0)])
    return write_file(page(results), tmp_path / "report.html").as_uri()


@pytest.fixture
def run(measured, tmp_path):
    return write_file(run_page(measured(), ("a", 1)), tmp_path / "run.html").as_uri()


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (390, "dark")])
def test_a_report_is_accessible_and_fits(browser, report, width, scheme):
    with opened(browser, report, width, scheme) as shown:
        assert violations(shown) == [] and shown.problems == []
        assert shown.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("width", "scheme"), [(1100, "dark"), (390, "light")])
def test_a_runs_page_is_accessible_and_fits(browser, run, width, scheme):
    with opened(browser, run, width, scheme) as shown:
        assert violations(shown) == [] and shown.problems == []
        assert shown.evaluate("document.documentElement.scrollWidth") <= width


def test_a_phone_shows_every_number_of_a_table_beside_what_it_is(browser, report):
    with opened(browser, report, 390) as shown:
        cells = shown.locator("table.cards td[data-label^='median']")
        assert cells.first.is_visible() and cells.first.bounding_box()["x"] >= 0
        label = cells.first.evaluate("cell => getComputedStyle(cell, '::before').content")
        assert label == '"median (steps)"'
        assert shown.locator("svg.strip.w2").is_visible() and not shown.locator("svg.strip.w0").is_visible()


def test_without_scripts_the_answer_the_dots_and_the_curves_are_there(browser, report):
    with opened(browser, report, java_script_enabled=False) as shown:
        assert shown.locator(".answer").count() == 2 and shown.locator("svg.strip.w0").is_visible()
        assert shown.locator("svg.still").count() == 2 and shown.locator("svg.still .curve").count() == 6


def test_outcomes_are_printed_in_colour(browser, report):
    with opened(browser, report) as shown:
        shown.emulate_media(media="print")
        ends = shown.locator(".bar .end")
        assert ends.first.evaluate("bar => getComputedStyle(bar).printColorAdjust") == "exact"
        assert not shown.locator(".contents").is_visible()


def test_a_dark_page_has_dark_figures(browser, report):
    shades = {}
    for scheme in ("light", "dark"):
        with opened(browser, report, scheme=scheme) as shown:
            shades[scheme] = shown.evaluate(
                "[getComputedStyle(document.body).backgroundColor,"
                " document.getElementById('accuracy').layout.font.color,"
                " document.getElementById('accuracy').data.find((trace) => trace.line.width).line.color]"
            )
    assert all(one != other for one, other in zip(*shades.values(), strict=True))


def test_figures_and_runs_can_be_saved(browser, report):
    with opened(browser, report) as shown:
        for selector, name, beginning in (
            ("[data-figure=accuracy][data-kind=csv]", "accuracy.csv", b"line,layer,optimiser steps,accuracy\n"),
            ("[data-figure=accuracy][data-kind=svg]", "accuracy.svg", b"<svg"),
            ("[data-figure=accuracy][data-kind=png]", "accuracy.png", b"\x89PNG"),
            ("[data-strip=svg]", "times.svg", b"<svg"),
            ("[data-strip=png]", "times.png", b"\x89PNG"),
            ("[data-table=runs]", "runs.csv", b"arm,seed,outcome"),
        ):
            with shown.expect_download(timeout=20_000) as waiting:
                shown.locator(selector).click()
            assert waiting.value.suggested_filename == name
            with open(waiting.value.path(), "rb") as file:
                assert file.read().startswith(beginning), selector
        assert shown.problems == []


def test_the_filter_leaves_the_readings_that_hold_its_words(browser, report):
    with opened(browser, report) as shown:
        shown.fill("#filter", "rank")
        shown.wait_for_function("document.getElementById('filtered').textContent === '1 found'")
        assert shown.locator("#reading-effective_rank").is_visible()
        assert not shown.locator("#reading-radial_energy").is_visible()
        shown.fill("#filter", "")
        assert shown.locator(".theme[hidden]").count() == 0


def test_the_text_at_a_step_says_what_all_lines_are_there(browser, report):
    with opened(browser, report) as shown:
        shown.locator("#accuracy").scroll_into_view_if_needed()
        box = shown.locator("#accuracy .nsewdrag").first.bounding_box()
        shown.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2)
        shown.wait_for_selector("#accuracy .hoverlayer .legend", timeout=10_000)
        text = shown.locator("#accuracy .hoverlayer").text_content()
        assert all(name in text for name in ("AdamW", "AdamW + radial penalty", "MAN"))


@pytest.mark.parametrize(("width", "scheme"), [(1400, "dark"), (390, "light")])
def test_a_board_is_accessible_and_no_column_is_cut_off(browser, make, tmp_path, width, scheme):
    results = make({"adamw": 120, "adamw+radial": 80, "an-arm-with-a-rather-long-name": None}, seeds=3)
    text = board(results, ranked(runs_of(results), 100.0), track="track-c2", settings={"adamw": "as published"})
    with opened(browser, write_file(text, tmp_path / "board.html").as_uri(), width, scheme) as shown:
        assert violations(shown) == [] and shown.problems == []
        assert shown.evaluate("document.documentElement.scrollWidth") <= width
        shown.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        boxes = "[...document.querySelectorAll('.scroll')]"
        assert shown.evaluate(f"{boxes}.filter((box) => box.scrollWidth > box.clientWidth + 1).length") == 0
