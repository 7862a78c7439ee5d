"""The user's own source is part of a run's identity, as far as it changes what is computed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import textwrap

import pytest

from anglewise.lab.experiments import EXPERIMENTS
from anglewise.lab.protocols.source import source_of

CLASS = """
import jax.numpy as jnp
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.method import Method
import {helpers} as helpers

FACTOR = 2.0

def halved(x):
    return x / FACTOR

class Base(Method):
    def loss(self, logits, labels):
        return halved(logits[:, 0])

@method
class Mine(Base):
    scale: float = 1.0

    def penalty(self, activations, params):
        def inner(x):
            return helpers.doubled(x)
        return inner(jnp.zeros(()))
"""
HELPERS = "def doubled(x):\n    return 2 * x\n\ndef unused(x):\n    return x\n"

COUNT = iter(range(10**6))


@pytest.fixture
def digest(tmp_path, monkeypatch):
    """Digest of the class above, with some of its text replaced."""

    def made(*changes, helpers=HELPERS):
        number = next(COUNT)
        monkeypatch.syspath_prepend(tmp_path)
        (tmp_path / f"helpers_{number}.py").write_text(helpers)
        text = CLASS.format(helpers=f"helpers_{number}")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / f"page_{number}.py"
        path.write_text(text)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, path.stem, module)
        spec.loader.exec_module(module)
        return source_of((module.Mine(),))

    return made


def test_the_packages_own_classes_have_no_source_in_their_identity():
    for experiment in EXPERIMENTS.values():
        assert source_of(experiment) == ""


@pytest.mark.parametrize(
    "change",
    [
        ("jnp.zeros(())", "jnp.ones(())"),
        ("logits[:, 0]", "logits[:, 1]"),
        ("x / FACTOR", "x * FACTOR"),
        ("FACTOR = 2.0", "FACTOR = 3.0"),
        ("scale: float = 1.0", "scale: float = 2.0"),
    ],
    ids=["a place", "what is inherited", "a function it calls", "a constant", "a default"],
)
def test_another_source_is_another_digest(digest, change):
    assert digest() != digest(change)


def test_a_function_of_another_module_of_the_users_counts_and_its_neighbour_does_not(digest):
    assert digest() != digest(helpers=HELPERS.replace("2 * x", "3 * x"))
    assert digest() == digest(helpers=HELPERS.replace("return x\n", "return -x\n"))


@pytest.mark.parametrize(
    "change",
    [
        ("    def loss(", "    # a comment\n    def loss("),
        ("    scale: float", '    """A docstring."""\n\n    scale: float'),
        ("x / FACTOR", "x /  FACTOR"),
    ],
    ids=["a comment", "a docstring", "layout"],
)
def test_control_what_computes_the_same_has_the_same_digest(digest, change):
    assert digest() == digest(change) != ""


def test_code_without_source_counts_too_and_is_the_same_in_every_process():
    program = textwrap.dedent("""
        from anglewise.lab.protocols.dataclass import method
        from anglewise.lab.protocols.method import Method
        from anglewise.lab.protocols.source import source_of
        @method
        class Mine(Method):
            def loss(self, logits, labels):
                return logits[:, {0}]
        print(source_of((Mine(),)))
    """)
    run = [sys.executable, "-c"]
    seen = [
        subprocess.run([*run, program.format(i)], capture_output=True, text=True, check=True).stdout for i in (0, 0, 1)
    ]
    assert seen[0] == seen[1] != seen[2] and len(seen[0].strip()) == 16
