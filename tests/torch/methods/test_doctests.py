from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import anglewise.torch.methods as package

MODULES = [f"{package.__name__}.{module.name}" for module in pkgutil.iter_modules(package.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_every_example_runs(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0 and result.failed == 0


def test_every_public_name_has_an_example():
    for name in package.__all__:
        assert ">>>" in (getattr(package, name).__doc__ or ""), name
