"""Two processes, each with half of the rows, train like one process with all of them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from anglewise.torch import RadialSuppression, radial_penalty
from tests.support.distributed_worker import KINDS, train
from tests.support.language import SITES, STRENGTH, TARGET, Language, flat

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def batch():
    made = torch.Generator().manual_seed(3)
    return torch.randint(11, (8, 5), generator=made), torch.randint(11, (8, 5), generator=made)


@pytest.fixture(scope="module")
def found(batch, tmp_path_factory):
    folder = tmp_path_factory.mktemp("distributed")
    torch.save(batch, folder / "batch.pt")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", "-m", "tests.support.distributed_worker", str(folder)]
    workers = [
        subprocess.Popen(
            command, cwd=ROOT, env=os.environ | common | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    try:
        said = [worker.communicate(timeout=240)[0] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert [worker.returncode for worker in workers] == [0, 0], "\n".join(said)
    return torch.load(folder / "found.pt")


def one_process(batch, strength=STRENGTH):
    model = Language()
    train(model, model, RadialSuppression(model, SITES, strength, TARGET), *batch)
    return flat(model)


@pytest.mark.parametrize("kind", [kind.__name__ for kind in KINDS])
def test_two_processes_train_like_one(kind, found, batch):
    torch.testing.assert_close(found[kind], one_process(batch), rtol=1e-10, atol=1e-12)


def test_control_a_wrong_strength_is_seen(found, batch):
    assert (found["ddp"] - one_process(batch, STRENGTH / 2)).abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["whole_output", "tokens_split"])
def test_split_weights_have_the_gradient_of_whole_ones(kind, found):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8)).double()
    x = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(4)).double()
    penalty = STRENGTH * radial_penalty(model(x), TARGET)
    penalty.backward()
    wanted = torch.cat([p.grad.flatten() for p in model.parameters()])
    if kind == "tokens_split":  # and the parts of the penalty add up
        wanted = torch.cat([wanted, penalty.detach()[None]])
    torch.testing.assert_close(found[kind], wanted, rtol=1e-10, atol=1e-12)


def test_what_a_part_cannot_tell_is_refused(found):
    masked, early, width = found["messages"]
    assert "got a mask for site '2', whose vectors are split over processes" in masked
    assert "the activation is a DTensor" in early and "attach after parallelize_module" in early
    assert "expected a width of 8 (out_features), got 4" in width
