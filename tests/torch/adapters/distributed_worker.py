"""One of two processes that train together; run as a script by test_distributed.py."""

from __future__ import annotations

import os
import sys
import warnings

import torch
import torch.distributed as dist
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from adapters_cases import SITES, STRENGTH, TARGET, Language, cross_entropy, flat
from anglewise.torch import RadialSuppression

RATE, STEPS = 0.1, 3


def train(call, model, suppression, tokens, labels):
    """A few updates by SGD on this process's rows."""
    optimizer = torch.optim.SGD(model.parameters(), RATE)
    for _ in range(STEPS):
        loss = cross_entropy(call(tokens), labels)
        if suppression is not None:
            loss = loss + suppression.penalty()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def ddp(tokens, labels):
    model = Language()
    suppression = RadialSuppression(model, SITES, STRENGTH, TARGET)
    train(DistributedDataParallel(model), model, suppression, tokens, labels)
    return flat(model)


def ddp_outer(tokens, labels):
    """Attached to what DistributedDataParallel made."""
    model = Language()
    outer = DistributedDataParallel(model)
    train(outer, model, RadialSuppression(outer, SITES, STRENGTH, TARGET), tokens, labels)
    return flat(model)


def ddp_compiled(tokens, labels):
    model = Language()
    suppression = RadialSuppression(model, SITES, STRENGTH, TARGET)
    outer = torch.compile(DistributedDataParallel(model), backend="aot_eager")
    train(outer, model, suppression, tokens, labels)
    return flat(model)


def fsdp2(tokens, labels, *, late=False):
    model = Language()
    early = None if late else RadialSuppression(model, SITES, STRENGTH, TARGET)
    for block in model.blocks:
        fully_shard(block)
    fully_shard(model)
    train(model, model, early or RadialSuppression(model, SITES, STRENGTH, TARGET), tokens, labels)
    return torch.cat([p.full_tensor().detach().flatten() for p in model.parameters()])


def fsdp2_late(tokens, labels):
    """Attached after sharding."""
    return fsdp2(tokens, labels, late=True)


KINDS = (ddp, ddp_outer, ddp_compiled, fsdp2, fsdp2_late)


def main(folder: str) -> None:
    warnings.filterwarnings("ignore", "FSDP2-wrapped module")  # its output is a view, with or without penalty
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    tokens, labels = torch.load(f"{folder}/batch.pt")
    own = slice(4 * rank, 4 * rank + 4)
    found = {kind.__name__: kind(tokens[own], labels[own]) for kind in KINDS}
    if rank == 0:
        torch.save(found, f"{folder}/found.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    main(sys.argv[1])
