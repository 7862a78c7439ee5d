"""Places by name: each brings its own workers, and what cannot be meant is refused in one line."""

from __future__ import annotations

import pytest

from anglewise import errors
from anglewise.errors import MissingError, SpecError
from anglewise.lab.execution.places import Place, workers_at
from anglewise.lab.execution.slurm import Slurm


def test_no_place_is_this_machine():
    assert workers_at(None, 100, 0, 1) is None


def test_a_place_brings_its_workers():
    with workers_at("slurm:local", 100, 0, 3) as workers:
        assert isinstance(workers, Slurm) and workers.slots == 3 and workers.cluster == "local"
    with Place("slurm:local", cpus=4, account="a", minutes=5).workers() as workers:
        assert workers.threads == 4 and workers.wanted.account == "a" and workers.wanted.minutes == 5


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "rai"}, "unknown place 'rai': did you mean 'ray'"),
        ({"name": "ray:10001"}, "got the place 'ray:10001', expected ray://HOST:PORT"),
        ({"name": "ray://host"}, "expected ray://HOST:PORT such as ray://head:10001"),
        ({"name": "ray", "account": "a"}, "account 'a' is asked of SLURM, and the place is ray"),
        ({"name": "slurm", "cpus": 0}, "cpus is 0, expected a number from 1 on"),
        ({"name": "slurm", "memory_gib": float("nan")}, "memory_gib is nan, expected a number"),
        ({"name": "slurm", "partition": "a b"}, "partition is 'a b', expected a name without spaces"),
        ({"name": "slurm", "account": "a\n#SBATCH --x"}, "account is .* expected a name without spaces"),
    ],
)
def test_what_cannot_be_meant_is_refused(values, message):
    with pytest.raises(SpecError, match=message):
        Place(**values)


@pytest.mark.parametrize("name", ["ray", "ray://[::1]:10001", "ray://head.example:1", "slurm", "slurm:local"])
def test_places_that_there_are(name):
    assert Place(name).name == name


@pytest.mark.parametrize(
    ("name", "absent", "extra"), [("ray", "ray", "ray"), ("ray://h:1", "grpc", "ray"), ("slurm", "submitit", "slurm")]
)
def test_a_library_that_is_not_installed_is_named_with_its_extra(monkeypatch, name, absent, extra):
    found = errors.find_spec
    monkeypatch.setattr(errors, "find_spec", lambda library: None if library == absent else found(library))
    with pytest.raises(MissingError, match=rf"--on {name} needs {absent}: .*make {extra}"):
        Place(name).check_installed()
