"""What holds for the tests themselves: each asserts something, and each module of the upper floors has its file."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SOURCE = TESTS.parent / "src" / "anglewise"
EXPECTING = {"raises", "warns"}


def called(node: ast.Call) -> str:
    """The last name of what is called."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def asserts(function: ast.AST) -> bool:
    """Whether a function asserts, expects an error or a warning, or calls a helper named ``assert_...``."""
    return any(
        isinstance(node, ast.Assert)
        or (isinstance(node, ast.Call) and (called(node).startswith("assert_") or called(node) in EXPECTING))
        for node in ast.walk(function)
    )


def functions(code: str, prefix: str) -> list[ast.FunctionDef]:
    return [n for n in ast.walk(ast.parse(code)) if isinstance(n, ast.FunctionDef) and n.name.startswith(prefix)]


def without_assertion(code: str) -> list[str]:
    """Tests, and helpers that promise to assert, which assert nothing."""
    return [f.name for prefix in ("test_", "assert_") for f in functions(code, prefix) if not asserts(f)]


@pytest.mark.parametrize("path", sorted(TESTS.rglob("*.py")), ids=lambda path: str(path.relative_to(TESTS)))
def test_every_test_asserts_something(path):
    assert without_assertion(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("run()", ["test_it"]),
        ("assert run()", []),
        ("pytest.raises(ValueError, run)", []),
        ("np.testing.assert_allclose(run(), 1)", []),
        ("assert_same(run(), 1)", []),
        ("return same(run(), 1)", ["test_it"]),
    ],
)
def test_control_a_test_without_an_assertion_is_seen(body, names):
    assert without_assertion(f"def test_it(): {body}") == names


def test_control_a_helper_that_promises_to_assert_must():
    assert without_assertion("def assert_same(a, b): return a == b") == ["assert_same"]


# One test file for several modules: a verb as a whole command, data with the code that reads it, a figure by the page
# that shows it, a declaration with what fulfils it.
TOGETHER = {
    "cli/test_json.py": "cli: compact output",
    "cli/test_main.py": "cli: doctor report training",
    "cli/test_bad_input.py": "cli: flags",
    "cli/test_listing.py": "cli: animate names query; lab: catalogue",
    "cli/test_tracks.py": "cli: studies tune",
    "lab/test_runner.py": "lab/execution: drive planning",
    "lab/execution/test_dispatch.py": "lab/execution: news unit worker workers",
    "lab/report/test_progress.py": "lab/report: live tally",
    "lab/experiments/test_run.py": "lab/execution: stopping",
    "lab/report/test_opened.py": "lab/report/html: card",
    "lab/test_spec.py": "lab/protocols: arrays dataclass method",
    "lab/methods/test_logits.py": "lab/protocols: loss",
    "lab/models/test_mlp.py": "lab/protocols: model",
    "lab/tasks/test_modular.py": "lab/protocols: task",
    "lab/readings/test_readings.py": "lab/protocols: reading",
    "lab/experiments/test_addition.py": "lab/experiments: text",
    "lab/experiments/test_tracks.py": "lab/experiments: plateau published quickstart reproduce",
    "lab/tuning/test_search.py": "lab/tuning: space",
    "lab/report/plots/test_strip.py": "lab/report/plots: still",
    "lab/report/test_summary.py": "lab/report: comparison format",
    "lab/report/html/test_experiment.py": "lab/report/html: document run",
    "lab/report/html/test_themes.py": "lab/report/plots: phase",
    "lab/report/plots/test_figures.py": "lab/report/plots: curves panel spectra style",
    "lab/report/plots/test_gallery.py": "lab/report/plots: paper",
    "lab/report/plots/test_networks.py": "lab/report/plots: circles heatmaps",
    "lab/studies/claims/test_claim.py": (
        "lab/studies/claims: claims; lab/studies/claims/ledger: c01 c02 c03 c04 c05 c06 c07 c08 c09 c10 c11 c12 "
        "c13 c14 c15 c16 c17 c18 c19 c20 k01 k02 k03 k04 r01 r02 r03 r04 r05 r06 r07 r08 r09"
    ),
    "lab/studies/claims/pictures/test_pictures.py": (
        "lab/studies/claims/pictures: marks multiverse readings recorded times"
    ),
    "lab/studies/claims/test_rules.py": "lab/studies/claims: decision reading_rules",
    "lab/studies/early_warning/test_show.py": "lab/studies/early_warning: tables",
    "lab/studies/leaderboard/test_leaderboard.py": (
        "lab/studies/leaderboard: analysis candidates leaderboards methods plan published show"
    ),
    "lab/studies/claims/paper/test_figures.py": "lab/studies/claims/paper: arrays extras",
    "lab/studies/claims/paper/test_tables.py": "lab/studies/claims/paper: cell ours pool show systems t1_t5 t6_t10",
    "cli/test_watch.py": "lab/watch: beside",
    "lab/watch/test_feed.py": "lab/watch: copies",
    "lab/watch/test_server.py": "lab/watch: hub network stores",
    "lab/studies/penalty/test_penalty.py": "lab/studies/penalty: analysis plan show",
    "lab/studies/reproduction/test_reproduction.py": "lab/studies/reproduction: analysis plan",
}


def together() -> dict[str, str]:
    """The test file of each module that has none of its own name."""
    rooms = [(tests, room.split(": ")) for tests, text in TOGETHER.items() for room in text.split("; ")]
    return {f"{room}/{name}.py": tests for tests, (room, names) in rooms for name in names.split()}


def upper_floors() -> list[str]:
    """Their modules, relative to the package."""
    rooms = ("protocols", "execution", "experiments", "tuning", "studies", "report", "watch")
    paths = [*(SOURCE / "cli").rglob("*.py"), *(SOURCE / "lab").glob("*.py")]
    paths += [path for room in rooms for path in (SOURCE / "lab" / room).rglob("*.py")]
    return sorted(str(path.relative_to(SOURCE)) for path in paths if path.name != "__init__.py")


@pytest.mark.parametrize("module", upper_floors())
def test_every_module_of_the_upper_floors_has_its_test_file(module):
    mirror = Path(module).with_name(f"test_{Path(module).name}")
    has_its_own, shared = (TESTS / mirror).exists(), together().get(module)
    assert has_its_own != bool(shared), f"{module} needs either tests/{mirror} or a place in TOGETHER, not both"
    assert not shared or (TESTS / shared).is_file()


def test_the_list_names_modules_that_exist():
    assert set(together()) - set(upper_floors()) == set()


RUN_HERE: list[int] = []


@pytest.mark.parametrize("number", range(4))
def test_a_file_is_run_by_one_worker(number):
    RUN_HERE.append(number)
    assert len(RUN_HERE) == number + 1, "its tests are run by several workers: see tests/support/sharing.py"
