from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from subprocess import PIPE

import pytest

import anglewise
from anglewise.cli.doctor import NEEDED, missing, place_problems, verdict
from anglewise.cli.main import main
from anglewise.errors import SpecError, StoreError
from anglewise.lab.execution.stopping import stoppable
from anglewise.lab.runner import Interrupted
from tests.support.command_line import refused

pytestmark = pytest.mark.usefixtures("elsewhere")
RUN = ("run", "quickstart")


@dataclasses.dataclass
class Failing:
    """A verb that raises an error."""

    error: BaseException

    def add(self, verb):
        verb("fail", self.fail, "raise an error")

    def fail(self, arguments):
        raise self.error


ERRORS = [
    (("run", "quikstart"), "unknown experiment 'quikstart': did you mean 'quickstart'? Known: addition-gpt, "),
    (("run", "none.toml"), "cannot read none.toml: No such file or directory"),
    ((*RUN, "--arms", "adamw-comon"), "unknown arm 'adamw-comon': did you mean 'adamw-common'? Known: "),
    ((*RUN, "--arms", ""), "experiment 'quickstart' has no arms: give at least one"),
    ((*RUN, "--budgte", "3"), "unknown field of the experiment 'budgte': "),
    ((*RUN, "--task.q", "3"), "unknown field of task 'q': Known: b_from, form, operation, p, train"),
    ((*RUN, "--training.buget", "3"), "unknown field of training 'buget': did you mean 'budget'? Known: "),
    (
        (*RUN, "--arms.adamw-tuned.adam.lr", "1"),
        "unknown method of arm 'adamw-tuned' 'adam': did you mean 'adamw'? Known: adamw, scale-init",
    ),
    ((*RUN, "--task.p", "97.5"), "task.p: expected a whole number, got 97.5"),
    ((*RUN, "--seeds", "two"), "seeds: expected a whole number, got 'two'"),
    ((*RUN, "--seeds", "0"), "seeds must be at least 1, got 0"),
    ((*RUN, "--seeds=-3"), "seeds must be at least 1, got -3"),
    ((*RUN, "--budget", "0"), "training.budget must be at least 1, got 0"),
    ((*RUN, "--budget", "1e3"), "training.budget: expected a whole number, got 1000.0"),
    (
        (*RUN, "--budget", "1"),
        "training.every must not exceed the budget of 1 steps, got 4: nothing would be evaluated",
    ),
    (
        (*RUN, "--task.p", "96", "--task.operation", "/", "--task.b_from", "1"),
        "division needs a prime modulus, got p = 96: take p = 97",
    ),
    ((*RUN, "--task.operation", "/"), "division by b = 0 has no answer: set b_from to 1"),
    ((*RUN, "--task.train", "1"), "Modular.train must lie in (0, 1), got 1.0"),
    ((*RUN, "--task.train", "-0.2"), "Modular.train must lie in (0, 1), got -0.2"),
    ((*RUN, "--task.p"), "flag --task.p lacks a value: write --task.p VALUE"),
    ((*RUN, "--cost"), "--cost times a plan and trains nothing: give --dry-run with it"),
    ((*RUN, "more"), "got 'more', expected a flag such as --task.p 97"),
    ((*RUN, "-x", "3"), "got '-x', expected a flag such as --task.p 97"),
    ((*RUN, "--arms.adamw-common.adamw.lr", "nan"), "AdamW.lr must be at least 0, got nan"),
    ((*RUN, "--readings", "energie"), "unknown reading 'energie': did you mean 'energy'? Known: "),
    (
        (*RUN, "--readings.curvature.probes", "9"),
        "unknown reading among those asked for 'curvature': Known: energy, logits, match, motion, norms, radii, "
        "spectrum",
    ),
    ((*RUN, "--readings.energy.row", "9"), "unknown field of readings.energy 'row': did you mean 'rows'? Known: "),
    ((*RUN, "--readings.energy.rows", "many"), "readings.energy.rows: expected a whole number, got 'many'"),
    ((*RUN, "--readings.energy.every", "0"), "RadialEnergy.every must be at least 1, got 0"),
    ((*RUN, "--readings.energy", "9"), "readings.energy: expected a field, such as readings.energy.rows, got 9"),
    (
        (*RUN, "--training.measure_every", "0", "--readings", "energy"),
        "readings are asked for, but training.measure_every of quickstart is 0, so none would be taken: "
        "add --training.measure_every 8 (a multiple of training.every, 4)",
    ),
    (
        (*RUN, "--readings", "attention"),
        "none of the readings 'attention' suits MLP on Modular: see anglewise list readings",
    ),
    (("list", "tasks", "--frm", "3"), "unknown flag '--frm' for this verb: see anglewise list --help"),
    (("report", "nowhere", "--dpi=3"), "unknown flag '--dpi=3' for this verb: see anglewise report --help"),
]


@pytest.mark.parametrize(("words", "message"), ERRORS, ids=lambda x: " ".join(x[2:]) if isinstance(x, tuple) else "")
def test_what_the_user_can_mend_is_one_line(capsys, words, message):
    got = refused(capsys, *words)
    assert got.startswith(message) if message.endswith((" ", ",")) else got == message


@pytest.mark.parametrize(
    ("words", "endings"),
    [
        ("report runs/x", ".html, .svg, .pdf or .png"),
        ("early-warning runs/x", ".html, .csv, .svg, .pdf or .png"),
        ("leaderboard track-c2", ".html, .md, .csv, .svg, .pdf or .png"),
        ("penalty track-c2", ".md, .csv, .svg, .pdf or .png"),
    ],
)
def test_a_file_of_an_unknown_kind_is_refused_before_anything_is_read(capsys, words, endings):
    got = refused(capsys, *words.split(), "--to", "x.docx")
    assert got == f"--to x.docx: expected a name ending in {endings}"


@pytest.mark.parametrize(
    "words",
    [
        ("report", "nowhere"),
        ("figure", "radius", "nowhere"),
        ("early-warning", "nowhere"),
        ("query", "SELECT 1", "nowhere"),
        ("show", "abc", "nowhere"),
        ("show", "abc"),
    ],
)
def test_a_store_that_is_not_there_is_one_line(capsys, words):
    assert refused(capsys, *words)


@pytest.mark.parametrize("words", [("--debug", *RUN), (*RUN, "--debug"), ("run", "--debug", "quickstart")])
def test_debug_shows_the_traceback_wherever_it_stands(words):
    with pytest.raises(SpecError, match=r"^seeds must be at least 1, got 0$"):
        main([*words, "--seeds", "0"])


def test_a_process_shows_a_traceback_with_debug_only():
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    words = [sys.executable, "-m", "anglewise.cli.main", "run", "quikstart"]
    plain, debug = (
        subprocess.run([*words, *more], capture_output=True, text=True, env=environment) for more in ([], ["--debug"])
    )
    assert plain.returncode == 2 and "Traceback" not in plain.stderr and plain.stderr.count("\n") == 1
    assert debug.returncode == 1 and debug.stderr.startswith("Traceback") and plain.stdout == debug.stdout == ""
    assert plain.stderr.removeprefix("anglewise: ") in debug.stderr


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("run",), "the following arguments are required: experiment"),
        (("list", "arms"), "invalid choice: 'arms'"),
        (("walk",), "invalid choice: 'walk'"),
        (("query", "SELECT 1", "x", "--format", "xml"), "invalid choice: 'xml'"),
        ((*RUN, "--seeds"), "argument --seeds: expected one argument"),
    ],
)
def test_a_verb_that_is_used_wrongly_shows_its_usage(capsys, words, text):
    with pytest.raises(SystemExit) as stop:
        main(words)
    out, err = capsys.readouterr()
    assert stop.value.code == 2 and out == "" and err.startswith("usage: anglewise") and text in err


def test_no_verb_shows_the_help(capsys):
    assert main([]) == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: anglewise") and "anglewise run quickstart" in out


@pytest.mark.parametrize("verb", [(), ("run",), ("report",), ("list",), ("show",), ("query",), ("doctor",)])
def test_every_verb_has_a_help(capsys, verb):
    with pytest.raises(SystemExit) as stop:
        main([*verb, "--help"])
    assert stop.value.code == 0 and capsys.readouterr().out.startswith(" ".join(["usage: anglewise", *verb]))


def test_help_imports_nothing_heavy():
    program = (
        "import sys\n"
        "from anglewise.cli.main import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit as stop:\n    assert stop.code == 0\n"
        "print('MODULES', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split("MODULES ")[1].split()}
    heavy = {"jax", "jaxlib", "numpy", "scipy", "torch", "pyarrow", "duckdb", "equinox", "optax", "matplotlib", "rich"}
    assert not loaded & heavy and "anglewise" in loaded
    assert "anglewise.lab" not in done.stdout.split()


def test_the_version_is_the_packages(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == anglewise.__version__


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("tasks", ["modular", "parity", "random-labels"]),
        ("readings", ["radii", "energy", "curvature", "llc"]),
        ("figures", ["radius", "phase", "map", "early-warning"]),
        ("models", ["mlp", "transformer"]),
        ("methods", ["adamw", "radial", "man", "sgd"]),
        ("experiments", ["quickstart", "track-a", "track-d"]),
    ],
)
def test_list_names_what_there_is(capsys, what, names):
    assert main(["list", what]) == 0
    out = capsys.readouterr().out
    assert all(any(line.split()[:1] == [name] for line in out.splitlines()) for name in names)


@pytest.mark.parametrize(("error", "status"), [(Interrupted, 1), (StoreError, 2)])
def test_an_interruption_exits_with_1_and_an_error_with_2(capsys, error, status):
    assert refused(capsys, "fail", status=status, verbs=[Failing(error("saved"))]) == "saved"


def test_a_missing_library_says_what_to_install(capsys):
    verbs = [Failing(ModuleNotFoundError("No module named 'duckdb'", name="duckdb"))]
    message = "duckdb is not installed: in the clone of anglewise, run: make lab (or: pip install -e '.[lab]')"
    assert refused(capsys, "fail", verbs=verbs) == message
    with pytest.raises(ModuleNotFoundError):
        main(["fail", "--debug"], verbs)


def test_a_module_of_ours_that_is_missing_is_a_bug_and_shows_as_one():
    verbs = [Failing(ModuleNotFoundError("No module named 'anglewise.x'", name="anglewise.x"))]
    with pytest.raises(ModuleNotFoundError):
        main(["fail"], verbs)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(28, "No space left on device", "x.pdf"), "'x.pdf': No space left on device"),
        (OSError("no name"), "no name"),
        (MemoryError("4 TiB"), "out of memory: 4 TiB"),
    ],
)
def test_what_the_system_refuses_is_one_line(capsys, error, message):
    assert refused(capsys, "fail", verbs=[Failing(error)]) == message
    with pytest.raises(type(error)):
        main(["fail", "--debug"], [Failing(error)])


def test_ctrl_c_is_one_line(capsys):
    assert refused(capsys, "fail", status=130, verbs=[Failing(KeyboardInterrupt())]) == "interrupted"


def test_the_first_signal_asks_to_stop_and_the_second_stops():
    import signal

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), stoppable() as stop:
        assert not stop.is_set()
        signal.raise_signal(signal.SIGINT)
        assert stop.is_set()
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_reader_that_closes_the_pipe_is_no_error():
    program = f"{sys.executable} -m anglewise.cli.main list experiments | head -c 1"
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {program}"], capture_output=True, text=True, env=environment
    )
    assert "Traceback" not in done.stderr and "BrokenPipe" not in done.stderr


def test_doctor_can_be_read_by_a_machine(capsys):
    assert main(["doctor", "--json"]) == 0
    state = json.loads(capsys.readouterr().out)
    assert state["anglewise"] == anglewise.__version__ and state["gemm_gflops"] > 0 and state["devices"]
    assert state["ready"] and state["problems"] == []
    assert verdict(state)[0].startswith("Ready: experiments train on cpu. Begin with: anglewise run quickstart")


def test_doctor_says_what_to_do_where_something_lacks(tmp_path, monkeypatch):
    libraries = dict.fromkeys(NEEDED, "1") | {"duckdb": None, "torch": None}
    assert missing(libraries) == [
        "not installed: duckdb. in the clone of anglewise, run: make lab (or: pip install -e '.[lab]')"
    ]
    assert place_problems(tmp_path) == [] and missing(dict.fromkeys(NEEDED, "1")) == []
    monkeypatch.setattr("os.access", lambda *_: False)
    (problem,) = place_problems(tmp_path)
    assert problem.endswith("cannot be written to: change to another folder, or give --out DIR")
    state = {"ready": False, "problems": [problem], "devices": [], "libraries": libraries}
    assert verdict(state) == ["Not ready:", f"  {problem}"]


def test_doctor_ends_with_1_where_it_is_not_ready(monkeypatch, capsys):
    monkeypatch.setattr("anglewise.cli.doctor.LEAST_DISK", 2**90)
    monkeypatch.setattr("anglewise.cli.doctor.gemm_peak", lambda: 1.0)
    assert main(["doctor"]) == 1
    assert "Not ready:\n  less than" in capsys.readouterr().out


def test_an_unknown_table_is_refused_before_anything_is_read(capsys):
    assert refused(capsys, "report", "nowhere", "--tables", "frist") == (
        "unknown table 'frist': did you mean 'first'? Known: all, first, seconds, sustained"
    )


def test_a_report_of_several_experiments_shows_the_last_and_names_the_flag(tmp_path, capsys):
    words = "run quickstart --task.p 11 --arms adamw-common,adamw-tuned --seeds 2 --training.measure_every 0 --quiet"
    for budget in ("8", "12"):
        assert main([*words.split(), "--budget", budget, "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "4 runs went on from where they had ended" in shown
    assert main(["report", str(tmp_path), "--baseline", "adamw-tuned"]) == 0
    told = capsys.readouterr()
    assert "holds 2 experiments; shown is the one that ran last, quickstart-" in told.err
    assert "Another with --experiment ID: quickstart-" in told.err
    other = told.err.split("--experiment ID: ")[1].split()[0]
    assert main(["report", str(tmp_path), "--experiment", other]) == 0
    assert capsys.readouterr().err == ""
    sql = "SELECT experiment_id, count(*) AS n, max(budget) AS b FROM runs GROUP BY ALL ORDER BY b"
    assert main(["query", sql, str(tmp_path), "--format", "csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].endswith(",4,8") and lines[2].endswith(",4,12")
    assert main(["query", sql, str(tmp_path), "--format", "csv", "--experiment", other]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == lines[1:2]


@pytest.mark.parametrize("after", [0.0, 0.02, 0.05, 0.1, 0.3])
def test_control_c_is_one_line_at_any_moment(after, tmp_path):
    """From the moment that the package answers Ctrl-C itself; what Python does before that is not ours."""
    program = """
import signal
import sys
sys.argv = ["anglewise", "list", "methods"]
answer = signal.signal
def noted(*arguments):
    answer(*arguments)
    print("up", flush=True)
signal.signal = noted
from anglewise.__main__ import main
status = main()
if status == 0:
    print("done", flush=True)
    sys.stdin.read()
sys.exit(status)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdin=PIPE, stdout=PIPE, stderr=PIPE) as process:
        assert process.stdout.readline() == b"up\n"
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    if b"done" not in out:
        assert process.returncode == 130 and err == b"anglewise: interrupted\n"


def test_public_names_are_there_and_imported_when_used():
    code = "import sys, anglewise; early = 'numpy' in sys.modules; from anglewise import *; print(early, radius)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("False <function radius")
    assert set(anglewise.__all__) <= set(dir(anglewise))
    with pytest.raises(AttributeError, match="module 'anglewise' has no attribute 'nothing'"):
        _ = anglewise.nothing
