"""Provenance names code, libraries and machine, and no secret."""

import datetime
import json
import subprocess

import pytest

import anglewise
from anglewise.lab.store import collect
from anglewise.lab.store.provenance import LIBRARIES, _cpu, _git, _version


def test_it_says_what_a_result_depends_on():
    found = collect(["anglewise", "run", "two words"], "cpu", "float32")
    assert found["command"] == "anglewise run 'two words'"
    assert (found["anglewise"], found["device"], found["precision"]) == (
        anglewise.__version__,
        "cpu",
        "float32",
    )
    assert set(found["libraries"]) == set(LIBRARIES) and found["libraries"]["numpy"]
    assert datetime.datetime.fromisoformat(found["started"]).utcoffset() == datetime.timedelta(0)
    assert found["cores"] >= 1 and found["cpu"] and found["host"] and found["python"] and found["platform"]
    assert json.loads(json.dumps(found)) == found


def test_it_holds_no_environment_variable(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2-hunter2")
    assert "hunter2-hunter2" not in json.dumps(collect(None, "cpu", "float32"))
    assert collect(None, "cpu", "float32")["command"] is None


def test_the_commit_is_that_of_the_tracking_checkout(tmp_path):
    def git(*words):
        subprocess.run(["git", "-C", tmp_path, "-c", "user.name=n", "-c", "user.email=e", *words], check=True)

    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    assert _git(package) == (None, None)
    git("init", "-q")
    assert _git(package) == (None, None), "code that a checkout does not track is no part of it"
    git("add", ".")
    git("commit", "-qm", "first")
    commit, dirty = _git(package)
    assert len(commit) == 40 and dirty is False
    (package / "__init__.py").write_text("changed")
    assert _git(package) == (commit, True)


def test_without_git_the_commit_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _git(tmp_path) == (None, None)


def test_a_library_that_is_not_there_has_no_version():
    assert _version("no-such-library-anywhere") is None


def test_where_proc_is_missing_the_cpu_still_has_a_name(tmp_path):
    assert _cpu(tmp_path / "cpuinfo")


def test_the_cpu_is_named_as_the_system_names_it(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Some CPU: fast\n")
    assert _cpu(tmp_path / "cpuinfo") == "Some CPU: fast"


@pytest.mark.parametrize("command", [[], ["a"]])
def test_a_command_is_one_line(command):
    assert "\n" not in collect(command, "cpu", "float64")["command"]


def test_the_host_and_the_folders_of_paths_can_be_left_out():
    words = [
        "/home/jane/.venv/bin/anglewise",
        "run",
        "/home/jane/secret/x.toml",
        "--out",
        "runs/here/",
        "--task.operation",
        "x/y",
    ]
    found = collect(words, "cpu", "float32")
    assert (
        found["command"] == "anglewise run /home/jane/secret/x.toml --out runs/here/ --task.operation x/y"
        and found["host"]
    )
    hidden = collect(words, "cpu", "float32", anonymous=True)
    assert hidden["host"] is None and "jane" not in json.dumps(hidden) and "secret" not in json.dumps(hidden)
    assert hidden["command"].startswith("anglewise run x.toml --out here")
