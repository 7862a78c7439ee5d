import pytest

from anglewise.errors import SpecError
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.spec import Arm
from anglewise.lab.tuning.winners import SearchSummary, read

SEARCH = """\
[search]
trials = 3
rounds = 1
tuning_seeds = 1
first_tuning_seed = 10000
validation_share = 0.05
budget = 30
score = 12
at_the_border = ["AdamW.lr"]
"""
ARM = '[arms.adamw]\nmethods = [{ is = "adamw", lr = 0.02 }]\n'


def written(tmp_path, text):
    (tmp_path / "adamw.toml").write_text(text)
    return tmp_path / "adamw.toml"


def test_a_winner_is_read_back(tmp_path):
    winner = read(written(tmp_path, SEARCH + ARM))
    assert winner.arm == Arm("adamw", (AdamW(lr=0.02),))
    assert winner.search == SearchSummary(3, 1, 1, 10000, 0.05, 30, 12.0, at_the_border=("AdamW.lr",))
    assert read(tmp_path / "none.toml") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ARM, "search: expected a table, got nothing"),
        ("search = 3\n" + ARM, "search: expected a table, got 3"),
        (SEARCH, "arms: expected a table, got nothing"),
        (SEARCH + "[arms]\n", "arms: expected one arm, 'adamw', got []"),
        (SEARCH + ARM.replace("adamw]", "other]"), "arms: expected one arm, 'adamw', got ['other']"),
        (SEARCH + ARM + ARM.replace("adamw]", "two]"), "arms: expected one arm, 'adamw', got ['adamw', 'two']"),
        (SEARCH.replace("rounds = 1\n", "") + ARM, "search.rounds: expected a whole number, got nothing"),
        (SEARCH.replace("score = 12\n", "") + ARM, "search.score: expected a number, got nothing"),
        (SEARCH.replace("trials = 3", 'trials = "3"') + ARM, "search.trials: expected a whole number, got '3'"),
        (SEARCH.replace("trials = 3", "trials = 0") + ARM, "search.trials must be at least 1, got 0"),
        (SEARCH.replace("trials = 3", "trails = 3") + ARM, "unknown field of search 'trails': did you mean 'trials'?"),
        (SEARCH.replace("score = 12", "score = nan") + ARM, "search.score must be a finite number of float32, got nan"),
        (SEARCH + ARM.replace("0.02", "-1"), "AdamW.lr must be at least 0, got -1.0"),
        (SEARCH + "[arms.adamw]\nmethods = 3\n", "arms.adamw: expected methods = ["),
        ("[search", "is no TOML file: Expected"),
    ],
)
def test_a_winners_file_that_cannot_be_meant_is_one_line_with_its_path(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(SpecError) as error:
        read(path)
    said = str(error.value)
    assert said.startswith(f"{path}") and message in said and "\n" not in said
