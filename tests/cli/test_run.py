"""What the words of `anglewise run` mean."""

from __future__ import annotations

import dataclasses

import pytest

from anglewise.cli.main import main, parser_of
from anglewise.cli.run import asked
from anglewise.lab.experiments import EXPERIMENTS
from anglewise.lab.protocols.schedule import Warmup
from tests.support.command_line import refused

pytestmark = pytest.mark.usefixtures("elsewhere")
QUICKSTART = EXPERIMENTS["quickstart"]


def parsed(*words):
    """The experiment that the words of `run` mean."""
    return asked(*parser_of().parse_known_args(["run", *words])).experiment


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ((), QUICKSTART),
        (("--seeds", "2"), dataclasses.replace(QUICKSTART, seeds=2)),
        (("--seeds=2",), dataclasses.replace(QUICKSTART, seeds=2)),
        (
            ("--budget", "1", "--training.every", "1"),  # only the outcome must make sense
            dataclasses.replace(QUICKSTART, training=dataclasses.replace(QUICKSTART.training, budget=1, every=1)),
        ),
        (
            ("--training.further", "-1"),
            dataclasses.replace(QUICKSTART, training=dataclasses.replace(QUICKSTART.training, further=-1)),
        ),
        (
            ("--task.operation", "-", "--task.p=97"),
            dataclasses.replace(QUICKSTART, task=dataclasses.replace(QUICKSTART.task, p=97, operation="-")),
        ),
        (("--task.p", "5", "--task.p", "113"), QUICKSTART),  # the last word counts
        (("--baseline", "adamw-tuned"), dataclasses.replace(QUICKSTART, baseline="adamw-tuned")),
    ],
)
def test_words_mean_an_experiment(words, wanted):
    assert parsed("quickstart", *words) == wanted


def test_a_field_of_a_method_is_a_flag():
    made = parsed("quickstart", "--arms.adamw-tuned.adamw.lr", "0.01", "--arms.adamw-common.adamw.wd", "1")
    assert made.arms[2].methods[1].lr == 0.01 and made.arms[0].methods[0].wd == 1.0
    assert made.arms[4] == QUICKSTART.arms[4] and isinstance(made.arms[4].methods[1].lr, Warmup)


def test_chosen_arms_keep_their_order_and_the_baseline_where_it_is_one_of_them():
    kept = parsed("quickstart", "--arms", "adamw-tuned,adamw-common")
    assert [arm.name for arm in kept.arms] == ["adamw-common", "adamw-tuned"]
    assert kept.baseline == kept.reference == "adamw-common"
    without = parsed("quickstart", "--arms", "adamw-tuned+man,adamw-tuned")
    assert without.baseline == "" and without.reference == "adamw-tuned"


def test_a_file_can_be_run_and_overridden(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('base = "quickstart"\nname = "mine"\nseeds = 3\n[task]\np = 97\n')
    made = parsed(str(path), "--seeds", "4")
    assert (made.name, made.seeds, made.task.p) == ("mine", 4, 97) and made.arms == QUICKSTART.arms


def test_arms_with_commas_in_their_names_can_be_chosen(capsys):
    assert main(["run", "causal", "--arms", "radial, last layer,adamw-common", "--seeds", "1", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "radial, last layer" in shown and "adamw-common" in shown and "radial, below it" not in shown
    assert refused(capsys, "run", "causal", "--arms", "radial, lst layer", "--dry-run").startswith(
        "unknown arm 'lst layer'"
    )


def test_readings_that_do_not_suit_are_left_out_aloud(capsys):
    assert main(["run", "quickstart", "--readings", "energy,attention", "--dry-run"]) == 0
    assert capsys.readouterr().err == "anglewise: left out, since they do not suit this task and model: attention\n"


def test_a_file_without_a_name_trains_into_a_folder_of_its_own(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, folder in (("wide.toml", "wide"), ("quickstart.toml", "quickstart-toml")):
        (tmp_path / name).write_text('base = "quickstart"\nseeds = 1\n')
        assert main(["run", name, "--dry-run", "--arms", "adamw-common"]) == 0
        assert f"store   runs/{folder}:" in capsys.readouterr().out


def test_without_weights_none_are_kept(tmp_path):
    words = "run quickstart --task.p 11 --arms adamw-common --seeds 1 --training.measure_every 0 --quiet --budget 8"
    assert main([*words.split(), "--no-weights", "--out", str(tmp_path / "without")]) == 0
    assert main([*words.split(), "--out", str(tmp_path / "with")]) == 0
    assert not list((tmp_path / "without").rglob("*.safetensors"))
    assert {path.name for path in (tmp_path / "with").rglob("*.safetensors")} == {
        "weights.safetensors",
        "state.safetensors",
    }
