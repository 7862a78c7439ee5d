"""``--on`` and ``doctor --on``: what a cluster has, what lacks there, and what cannot be meant."""

from __future__ import annotations

import json

import pytest

from anglewise.cli.cluster import lines
from anglewise.cli.main import main
from anglewise.errors import AnglewiseError
from anglewise.lab.execution import ray, slurm
from anglewise.lab.execution.machines import machine


@pytest.fixture
def cluster(monkeypatch):
    """Two machines, of which the second has another release and sees nothing."""
    one = machine() | {"address": "10.0.0.1", "cpus": 4, "gpus": 1, "sees": True, "locks": True}
    two = one | {"host": "far", "address": "10.0.0.2", "sees": False, "locks": False}
    told = [one, two]
    monkeypatch.setattr(ray, "machines", lambda probe: told)
    monkeypatch.setattr(ray.ray, "is_initialized", lambda: True)
    return told


def test_doctor_says_what_machines_have_and_who_sees_the_folder(cluster, capsys):
    assert main(["doctor", "--on", "ray"]) == 0
    text = capsys.readouterr().out
    assert "far (10.0.0.2): 4 cores, 1 accelerators for Ray; " in text and "jaxlib " in text
    assert "is not seen, or its locks are not, by: far (10.0.0.2). Workers hand their files" in text
    assert text.endswith("Ready: anglewise run quickstart --on ray\n")
    cluster.pop()
    assert main(["doctor", "--on", "ray"]) == 0
    assert "All machines see" in capsys.readouterr().out


def test_doctor_ends_with_1_where_something_lacks_there(cluster, capsys):
    cluster[1]["libraries"] = dict.fromkeys(cluster[1]["libraries"])
    cluster[0]["cpus"] = cluster[1]["cpus"] = 0
    cluster.append({"host": "dead", "address": "10.0.0.3", "cpus": 0, "gpus": 0, "error": "does not answer"})
    assert main(["doctor", "--on", "ray://head:10001", "--json"]) == 1
    state = json.loads(capsys.readouterr().out)
    assert not state["ready"] and len(state["machines"]) == 3 and state["blind"] == ["far (10.0.0.2)"]
    assert "far: jax is not installed there" in str(state["problems"])
    assert state["problems"][-1].startswith("no machine offers cores to Ray") and "dead: does not" in str(lines(state))


def test_doctor_names_partitions(monkeypatch, capsys):
    row = {"partition": "gpu", "machines": "4", "cpus": "64", "memory_mib": "512000", "accelerators": "gpu:a100:8"}
    monkeypatch.setattr(slurm, "partitions", lambda: [row])
    assert main(["doctor", "--on", "slurm"]) == 0
    assert "gpu: 4 machines with 64 cores, 512000 MiB, gpu:a100:8" in capsys.readouterr().out
    monkeypatch.setattr(slurm, "partitions", list)
    assert main(["doctor", "--on", "slurm"]) == 1
    assert "sinfo names no partition" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "quickstart", "--on", "rai"], "unknown place 'rai': did you mean 'ray'"),
        (["run", "quickstart", "--cpus", "2"], "--cpus says what a task on a cluster is given: add --on ray"),
        (["tune", "track-c2", "--account", "a"], "--account says what a task on a cluster is given"),
        (["reproduce", "--on", "ray", "--partition", "p"], "partition 'p' is asked of SLURM, and the place is ray"),
        (["verify", "C02", "--on", "slurm", "--time", "0"], "minutes is 0, expected a number from 1 on"),
        (["doctor", "DIR", "--on", "ray"], "--on examines a cluster, and DIR a store: give one of them"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_flag_that_wants_a_whole_number_says_so(capsys):
    with pytest.raises(SystemExit):
        main(["run", "quickstart", "--on", "ray", "--cpus", "1.5"])
    assert "expected a whole number, got '1.5'" in capsys.readouterr().err


def test_place_and_jobs_reach_the_workers(monkeypatch, tmp_path, capsys):
    def refused(place, jobs):
        raise AnglewiseError(f"{place.name} {place.cpus} {place.minutes} {jobs}")

    monkeypatch.setattr("anglewise.lab.execution.places.Place.workers", refused)
    words = ["run", "quickstart", "--out", str(tmp_path / "s"), "--on", "slurm", "--cpus", "3", "--time", "9"]
    assert main([*words, "--jobs", "7"]) == 2
    assert "anglewise: slurm 3 9 7\n" in capsys.readouterr().err
