"""The model stays what it was: its state dict, its copies, its pickles."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from anglewise.torch import RadialSuppression


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


X = torch.ones(3, 4)


def clone_by_pickle(value):
    return pickle.loads(pickle.dumps(value))


def test_attaching_adds_no_parameter_buffer_module_or_key(model):
    before = list(model.state_dict()), [n for n, _ in model.named_modules()], type(model)
    suppression = RadialSuppression(model, "0")
    assert (list(model.state_dict()), [n for n, _ in model.named_modules()], type(model)) == before
    assert suppression.penalty.__self__ is suppression


@pytest.mark.parametrize("clone", [copy.deepcopy, clone_by_pickle, lambda m: AveragedModel(m).module])
def test_a_copy_trains_without_touching_the_original(model, clone):
    suppression = RadialSuppression(model, "0", select=lambda output: output)
    model(X)
    twin = clone(model)
    for _ in range(3):  # no penalty() in between: an attached model would object
        twin(5 * X)
    wanted = RadialSuppression(fresh := copy.deepcopy(model), "0")
    fresh(X)
    assert torch.equal(suppression.penalty(), wanted.penalty())
    assert torch.equal(twin(X), model(X))


@pytest.mark.parametrize("clone", [copy.deepcopy, clone_by_pickle])
def test_a_copied_suppression_serves_its_own_copy_of_the_model(model, clone):
    suppression = RadialSuppression(model, "0")
    model(X)
    twin_model, twin = clone((model, suppression))
    twin_model(2 * X)
    assert twin.penalty() != suppression.penalty()
    model(X)
    twin.detach()
    assert suppression.penalty() > 0
    assert not any(m._forward_hooks for m in twin_model.modules())
    assert any(m._forward_hooks for m in model.modules())


@pytest.mark.parametrize("first", ["model", "suppression"])
def test_a_suppression_may_live_inside_the_model(model, first):
    model.suppression = RadialSuppression(model, "0")
    twin = copy.deepcopy(model) if first == "model" else copy.deepcopy(model.suppression)._model
    assert list(twin.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    twin(X)
    assert twin.suppression.penalty() > 0
    model(2 * X)
    assert model.suppression.penalty() > 0


def test_a_detached_suppression_copies_to_a_detached_one(model):
    suppression = RadialSuppression(model, "0")
    suppression.detach()
    twin = copy.deepcopy(suppression)
    twin._model(X)
    assert twin.penalty() == 0


def test_loading_a_state_dict_keeps_the_hooks(model):
    suppression = RadialSuppression(model, "0")
    model.load_state_dict({k: v + 1 for k, v in model.state_dict().items()})
    model(X)
    assert suppression.penalty() > 0
