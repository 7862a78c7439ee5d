"""The paper's figures from a small record: what is drawn, in whose colour, and what is missing; and the extra runs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from matplotlib.colors import to_hex

from anglewise.errors import AnglewiseError
from anglewise.lab.report.plots.inks import inks_of
from anglewise.lab.report.plots.paper import styled
from anglewise.lab.studies.claims.paper import arrays, extras, figures
from anglewise.lab.studies.claims.paper.arrays import ACCURACY, kept
from anglewise.lab.studies.claims.paper.figures import CURVES, NETWORKS, NEURONS, READ, TABLE, Drawn
from anglewise.lab.studies.claims.paper.pool import Pool
from anglewise.lab.studies.claims.paper.systems import FRACTIONS, MODULI, TAXONOMY, place_name
from anglewise.lab.studies.claims.paper.tables import PAPER
from anglewise.lab.studies.claims.rows import Ran, Value
from tests.lab.studies.claims.paper.test_tables import ran

ENDS = (0, 500, 1000)


def small(*, scales=("desk", "paper"), arms=CURVES):
    """A record of two seeds an arm, of which the full size has the second and third arm alone."""
    runs: list[Ran] = []
    found: list[arrays.Kept] = []
    for scale in scales:
        for i, arm in enumerate(arms):
            for seed in range(2):
                if scale == "paper" and i not in (1, 2):
                    continue
                runs.append(ran(arm, seed, None if i == 2 else 300 + 100 * i, scale=scale))
                curve = np.stack([np.arange(0, 101, 10), np.linspace(0, 1 - i / 10, 11)])
                found.append(kept(("mlp", scale, arm, seed), ACCURACY, "", 0, curve))
    for i, arm in enumerate(NETWORKS):
        runs += [ran(arm, seed, None, system=READ) for seed in range(2)]
        for step in ENDS:
            power = np.full(4, 0.1)
            power[i % 4] = 0.7
            found.append(kept((READ, "desk", arm, 0), "fourier_power", TABLE, step, power))
        found.append(kept((READ, "desk", arm, 0), "fourier_map", NEURONS, 1000, np.eye(4)[[0, 1, 1, 3, 2]] * 0.8))
    values = [
        Value(READ, "desk", "likely", arm, seed, name, f"hidden.{k}.pre", step, (0.5 if "penalty" in arm else 1.0) + k)
        for arm in NETWORKS for seed in range(2) for k in range(2) for step in ENDS
        for name in ("radial_energy", "total_radial_energy")
    ]  # fmt: skip
    return Drawn(Pool({run[:5]: run for run in runs}, {one[:8]: one for one in values}), found)


@pytest.fixture(autouse=True)
def in_style():
    """Figures are drawn in the style of a paper."""
    with styled():
        yield


def inks(axis):
    """Colours of an axis's curves."""
    return {to_hex(line.get_color()) for line in axis.lines if len(line.get_xdata()) > 2}


def finding(figure):
    return " ".join(figure.get_suptitle().split())


def test_an_arm_has_one_colour_at_both_sizes():
    drawn = figures.curves(small())
    full, desk = drawn.axes
    assert full.get_title(loc="left") == "full size: P 97, width 512 (n = 2)"
    inks = [{to_hex(line.get_color()) for line in axis.lines if len(line.get_xdata()) > 2} for axis in (full, desk)]
    known = [ink.colour for ink in inks_of(figures.CURVES).values()]
    assert inks[0] == set(known[1:3]) and inks[1] == set(known)


def test_the_title_of_the_curves_names_the_medians():
    assert finding(figures.curves(small())) == (
        "Epochs to generalise at desk scale: 'decay .001' 30, 'decay .1' 40, 'decay .001 + penalty' more than 100, "
        "'decay 1' 60"
    )


def test_no_arm_that_generalises_is_said_so():
    drawn = small()
    runs = {key: run._replace(sustained=None, outcome="memorised") for key, run in drawn.pool.runs.items()}
    drawn = dataclasses.replace(drawn, pool=Pool(runs, drawn.pool.values))
    assert finding(figures.curves(drawn)) == "No arm generalises in 100 epochs at desk scale"


def test_energies_show_both_gradients_at_both_layers_and_their_ratio():
    drawn = figures.energies(small())
    titles = [axis.get_title(loc="left") for axis in drawn.axes]
    assert titles == [f"layer {k}, {g} gradient (n = 2)" for g in ("total", "task") for k in (1, 2)]
    assert finding(drawn).endswith("0.500 times in layer 1, 0.750 times in layer 2")


def test_networks_have_their_names_and_epochs():
    drawn = figures.frequencies(small())
    assert [axis.get_title(loc="left") for axis in drawn.axes[:4]] == [f"{arm}\nseed 0" for arm in NETWORKS]
    assert drawn.axes[0].get_xlabel() == "epochs"
    assert drawn.axes[0].get_xlim()[1] == pytest.approx(100, rel=0.02)
    assert finding(drawn).count(" 1") >= len(NETWORKS)
    mapped = figures.maps(small())
    assert "epoch 100" in mapped.axes[0].get_title(loc="left")
    assert "'decay .1' 5 of 5" in finding(mapped)


def test_figures_are_drawn_with_equal_bytes(tmp_path):
    drawn = small()
    from anglewise.lab.studies.claims import rows

    record = tmp_path / "paper"
    record.mkdir()
    rows.write(record / "runs.parquet", list(drawn.pool.runs.values()))
    rows.write(record / "values.parquet", list(drawn.pool.values.values()))
    arrays.write(record / "arrays.parquet", drawn.arrays)
    first = [path.read_bytes() for path in figures.draw(tmp_path, tmp_path / "one")]
    again = [path.read_bytes() for path in figures.draw(tmp_path, tmp_path / "two")]
    assert first == again
    assert len(first) == len(figures.FIGURES) == len(figures.NAMES)


def test_what_a_figure_lacks_is_said():
    drawn = small()
    without = dataclasses.replace(drawn, arrays=[one for one in drawn.arrays if one.name != "fourier_map"])
    with pytest.raises(AnglewiseError, match="lacks the array 'fourier_map' at hidden.1.post"):
        figures.maps(without)
    with pytest.raises(AnglewiseError, match="lacks accuracy curves"):
        figures.curves(dataclasses.replace(drawn, arrays=[]))
    with pytest.raises(AnglewiseError, match="no run of 'mlp, read' at desk scale"):
        figures.energies(Drawn(Pool({}, {}), []))


def test_arrays_come_back_from_disk(tmp_path):
    array = kept(("mlp", "desk", "decay 1", 3), "map", "here", 7, np.arange(6).reshape(2, 3) / 7)
    (back,) = arrays.read(arrays.write(tmp_path / "arrays.parquet", [array]))
    np.testing.assert_allclose(back.array, np.arange(6).reshape(2, 3) / 7, rtol=1e-3)
    assert back[:8] == array[:8]


def test_no_arrays_and_no_file_are_errors(tmp_path):
    with pytest.raises(AnglewiseError, match="would hold no arrays"):
        arrays.write(tmp_path / "arrays.parquet", [])
    with pytest.raises(AnglewiseError, match="cannot be read as Parquet"):
        arrays.read(tmp_path / "arrays.parquet")


def test_extra_runs_cover_table_six_and_the_taxonomy():
    trained = {(extra.system.name, arm) for extra in extras.EXTRAS for arm in extra.arms}
    for p in MODULI:
        for share in FRACTIONS:
            assert {(place_name(p, share), arm) for arm in ("decay .1", "decay .001 + penalty")} <= trained
    assert {("mlp, read", arm) for arm in TAXONOMY.values()} <= trained


def test_every_system_that_a_cell_asks_for_is_one_that_somebody_trains():
    from anglewise.lab.studies.claims.systems import SYSTEMS

    known = {*SYSTEMS, *(extra.system.name for extra in extras.EXTRAS)}
    asked = {way.where.system for table in PAPER for cell in table.cells for way in cell.ours if hasattr(way, "where")}
    assert asked <= known


def test_notes_of_the_tables_have_the_budgets_of_the_runs():
    from anglewise.lab.studies.claims.systems import READ_EPOCHS

    notes = {table.id: table.note for table in PAPER}
    assert f"{READ_EPOCHS:,} epochs" in notes["T1"]
    assert f"{extras.STEPS:,} steps" in notes["T6"]


def test_extra_places_have_their_modulus_and_budget(tmp_path):
    for part in extras.parts(tmp_path):
        if part.system.name.startswith("mlp, ") and " at " in part.system.name:
            task, training = part.experiment.task, part.experiment.training
            assert part.system.name == place_name(task.p, task.train)
            assert training.budget <= extras.STEPS < training.budget + 110
            assert training.every <= 200


def test_an_empty_folder_gathers_nothing(tmp_path):
    record = extras.gather(tmp_path)
    assert (record.runs, record.values, extras.gather_arrays(tmp_path)) == ((), (), [])
