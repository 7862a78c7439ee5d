"""Two processes, each with half of the rows, train like one process with all of them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from adapters_cases import SITES, STRENGTH, TARGET, Language, flat
from anglewise.torch import RadialSuppression
from distributed_worker import KINDS, train


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
    command = [sys.executable, "-W", "error", str(Path(__file__).with_name("distributed_worker.py")), str(folder)]
    workers = [
        subprocess.Popen(
            command, env=os.environ | common | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
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
