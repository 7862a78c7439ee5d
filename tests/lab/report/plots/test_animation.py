"""Animations: a frame per measured step, small files, and one line for what is missing."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from anglewise.errors import AnglewiseError
from anglewise.lab.report.plots import animation
from anglewise.lab.report.plots.animation import WHAT, animate
from anglewise.lab.report.plots.paper import styled
from anglewise.lab.report.results import Series

KEY = ("a+radial", 0)


@pytest.fixture(scope="module")
def results(measured):
    return measured({"a+radial": 60}, seeds=1, others=("angular_displacement",))


def film(results, what):
    with styled():
        return WHAT[what](results, KEY)


@pytest.mark.parametrize("what", WHAT)
def test_a_frame_is_a_step_that_was_measured_and_the_heading_says_it(results, what):
    made = film(results, what)
    read = results.curves["test_accuracy"][KEY].steps if what in ("phase", "angle") else range(0, 101, 10)
    assert set(made.steps) <= set(read) and list(made.steps) == sorted(made.steps)
    assert len(made.steps) <= animation.FRAMES
    made.draw(len(made.steps) - 1)
    heading = made.figure.get_suptitle()
    assert heading.startswith("a + radial penalty, seed 0: step ") and "of the unseen examples right" in heading


def test_the_circle_follows_the_frequency_that_is_strongest_in_the_end(results):
    made = film(results, "circle")
    arrays = results.arrays([KEY], ["circles"])["circles", "embedding"][KEY]
    made.draw(4)
    shown = np.asarray(made.figure.axes[0].collections[0].get_offsets())
    assert sorted(map(tuple, shown[:-1])) == sorted(map(tuple, arrays.values[4, 0]))
    assert (shown[0] == shown[-1]).all()  # closed


def test_the_way_turned_is_the_sum_of_the_turns(results):
    made = film(results, "angle")
    made.draw(len(made.steps) - 1)
    trail = made.figure.axes[0].lines[0]
    turns = results.readings["angular_displacement", "hidden.0.pre"][KEY]
    np.testing.assert_allclose(np.diff(trail.get_xdata()), turns.values, rtol=1e-6)
    radius = results.readings["radius", "hidden.0.pre"][KEY]
    np.testing.assert_allclose(trail.get_ydata()[1:], np.interp(turns.steps, radius.steps, radius.values))


def test_accuracies_grow_up_to_the_frames_step(results):
    made = film(results, "neurons")
    lines = made.figure.axes[1].lines
    for i in (0, len(made.steps) - 1):
        made.draw(i)
        assert all(line.get_xdata()[-1] <= made.steps[i] for line in lines[:2])


def test_a_gif_has_all_frames_plays_for_the_seconds_asked_and_is_small(results, tmp_path):
    path = animate(results, KEY, "circle", tmp_path / "new" / "c.gif", 2.0)
    with Image.open(path) as drawn:
        assert drawn.n_frames == len(film(results, "circle").steps)
        times = []
        for i in range(drawn.n_frames):
            drawn.seek(i)
            times.append(drawn.info["duration"])
    assert sum(times[:-1]) == pytest.approx(2000, rel=0.2) and times[-1] == 2000
    assert path.stat().st_size < 100_000


def test_what_a_run_lacks_is_said_with_the_command_that_reads_it(make):
    bare = make({"a+radial": 60}, seeds=1, sites=())
    for what, reading in (
        ("circle", "circles"),
        ("phase", "radius"),
        ("angle", "angular_displacement"),
        ("neurons", "fourier_map"),
    ):
        with pytest.raises(AnglewiseError, match=f"needs the reading '{reading}'.*--readings"):
            WHAT[what](bare, KEY)


def test_other_endings_are_refused(results, tmp_path):
    with pytest.raises(AnglewiseError, match=r"expected a name ending in \.gif or \.mp4, got 'c\.png'"):
        animate(results, KEY, "circle", tmp_path / "c.png")


def test_an_mp4_without_an_encoder_says_what_to_install(results, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "imageio_ffmpeg", None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(AnglewiseError, match=r"an \.mp4 needs ffmpeg: run pip install"):
        animate(results, KEY, "circle", tmp_path / "c.mp4")


def test_an_mp4_is_what_the_encoder_writes_and_its_failure_is_one_line(results, tmp_path, monkeypatch):
    encoder = tmp_path / "encoder"
    encoder.write_text('#!/bin/sh\nfor last; do :; done\nwc -c > "$last"\n')
    encoder.chmod(0o755)
    monkeypatch.setattr(animation, "_encoder", lambda: str(encoder))
    path = animate(results, KEY, "circle", tmp_path / "c.mp4", 1.0)
    count, frames = int(path.read_text()), len(film(results, "circle").steps)
    assert count == 560 * 290 * 3 * (frames + round(animation.LAST / (1.0 / frames)))
    encoder.write_text("#!/bin/sh\ncat > /dev/null\necho no space left >&2\nexit 1\n")
    with pytest.raises(AnglewiseError, match=r"ffmpeg could not write the \.mp4: no space left; write a \.gif"):
        animate(results, KEY, "circle", tmp_path / "d.mp4", 1.0)


def test_a_hostile_name_is_harmless(measured):
    results = measured({"a\x1b[2J": 60}, seeds=1)
    with styled():
        made = WHAT["circle"](results, ("a\x1b[2J", 0))
    made.draw(0)
    assert "\x1b" not in made.figure.get_suptitle()


def test_control_a_curve_is_read_at_the_last_step_before():
    curve = Series(np.array([0, 10]), np.array([0.0, 1.0]))
    assert (animation._at(curve, 9), animation._at(curve, 10), animation._at(curve, 11)) == (0.0, 1.0, 1.0)
