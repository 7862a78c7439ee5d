"""One of two processes that train together; run by test_distributed.py with ``python -m``."""

from __future__ import annotations

import os
import sys
import warnings

import torch
import torch.distributed as dist
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Shard
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.nn.parallel import DistributedDataParallel

from anglewise.torch import AttachError, RadialSuppression
from tests.support.language import SITES, STRENGTH, TARGET, Language, cross_entropy, flat

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


def parallel(sites, plan, *, early=False):
    """Gradients of the penalty alone, where weights are split over processes and both have all rows."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 8)).double()
    suppression = RadialSuppression(model, sites, STRENGTH, TARGET) if early else None
    parallelize_module(model, dist.init_device_mesh("cpu", (2,)), plan)
    suppression = suppression or RadialSuppression(model, sites, STRENGTH, TARGET)
    model(torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(4)).double())  # five tokens: shares of 3 and 2
    return model, suppression


def slopes(model):
    every = [p.grad.full_tensor() if isinstance(p.grad, DTensor) else p.grad for p in model.parameters()]
    return torch.cat([g.flatten() for g in every])


def whole_output(*_):
    model, suppression = parallel("2", {"0": ColwiseParallel(), "2": RowwiseParallel()})
    suppression.penalty().backward()
    return slopes(model)


def tokens_split(*_):
    """Sequence parallelism: the site's output is a part of the tokens."""
    model, suppression = parallel("2", {"0": ColwiseParallel(), "2": RowwiseParallel(output_layouts=Shard(1))})
    part = suppression.penalty()
    part.backward()
    dist.all_reduce(part := part.detach())
    return torch.cat([slopes(model), part[None]])


def refused(call):
    try:
        call()
    except AttachError as error:
        return str(error)
    return "nothing"


def messages(*_):
    split = {"0": ColwiseParallel(), "2": RowwiseParallel(output_layouts=Shard(1))}
    masked = parallel("2", split)[1]
    return [
        refused(lambda: masked.penalty(mask=torch.ones(1))),
        refused(parallel("2", split, early=True)[1].penalty),
        refused(parallel("2", {"0": ColwiseParallel(), "2": RowwiseParallel(output_layouts=Shard(2))})[1].penalty),
    ]


PARALLEL = (whole_output, tokens_split, messages)
KINDS = (ddp, ddp_outer, ddp_compiled, fsdp2, fsdp2_late)


def main(folder: str) -> None:
    warnings.filterwarnings("ignore", "FSDP2-wrapped module")  # its output is a view, with or without penalty
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    tokens, labels = torch.load(f"{folder}/batch.pt")
    own = slice(4 * rank, 4 * rank + 4)
    found = {kind.__name__: kind(tokens[own], labels[own]) for kind in (*KINDS, *PARALLEL)}
    if rank == 0:
        torch.save(found, f"{folder}/found.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    main(sys.argv[1])
