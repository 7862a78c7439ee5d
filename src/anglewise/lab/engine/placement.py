"""How members are placed on a device: one after the other or batched, in which row blocks, how many at once.

A CPU is bound by arithmetic and by its caches: members train one after the other, which also lets each stop when
it has finished and makes its numbers independent of its neighbours.  An accelerator is bound by how much work it
is given: members are batched by ``vmap``, as many as its memory holds.  ``benchmarks/engine.py`` measures both.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

import jax

from anglewise.lab.protocols.model import Params
from anglewise.lab.protocols.task import Task
from anglewise.lab.spec import Training

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Placement:
    """Decided once for a structure, from the specification and the kind of device alone.

    Args:
        batched: Whether members train as one batched program.
        block: Rows whose gradient is taken at once; 0 is the whole batch.
        segment: Optimiser steps after which the host takes over again.
        devices: Devices of this host that share the members of a batched program; each computes its own alone.
    """

    batched: bool
    block: int
    segment: int
    devices: int = 1

    def padded(self, members: int) -> int:
        """Rows of a batched program that holds so many members: as many on each device."""
        return -(-members // self.devices) * self.devices


Place: TypeAlias = Callable[[Task, Training, str], Placement]
"""Decides a placement from the task, the training and the kind of device, as :func:`choose` does."""


def choose(task: Task, training: Training, platform: str) -> Placement:
    """The placement that measured fastest on this kind of device.

    Args:
        task: Gives the number of examples and the length of an input.
        training: Gives the batch, and the block where the user set one.
        platform: ``"cpu"``, ``"gpu"`` or ``"tpu"``.
    """
    on_cpu = platform == "cpu"
    devices = 1 if on_cpu else jax.local_device_count()
    return Placement(not on_cpu, max(training.block, 0), segment=20 if on_cpu else 500, devices=devices)


def first_device() -> jax.Device:
    """The device that runs train on."""
    return jax.devices()[0]


def free_bytes(device: jax.Device) -> int:
    """Memory that may be planned with: the device's own where it has any, else half of the host's."""
    stats = device.memory_stats() if device.platform != "cpu" else None
    if stats and "bytes_limit" in stats:
        return int(stats["bytes_limit"]) - int(stats.get("bytes_in_use", 0))
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def tree_bytes(tree: Params) -> int:
    """Bytes of all arrays (or their shapes) in a pytree."""
    return sum(int(x.size) * x.dtype.itemsize for x in jax.tree.leaves(tree))


def chunks(items: Sequence[T], bytes_each: int, budget: int) -> list[list[T]]:
    """Cut a population into equal chunks whose members fit into `budget` bytes together; at least one each."""
    most = max(1, budget // max(1, bytes_each))
    count = -(-len(items) // most)
    size = -(-len(items) // count) if items else 1
    return [list(items[i : i + size]) for i in range(0, len(items), size)]
