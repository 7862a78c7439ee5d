"""A real Ray cluster on this machine: a head and further raylets, each a machine of its own as Ray sees it."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings

CORES = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}


@contextlib.contextmanager
def cluster():
    """A cluster of one raylet with one core, to which this process is connected."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    from ray.cluster_utils import Cluster

    with warnings.catch_warnings():  # it forks, and JAX has threads; what is forked only starts another program
        warnings.simplefilter("ignore")
        made = Cluster(initialize_head=True, head_node_args=CORES)
        try:
            ray.init(made.address, logging_level=logging.ERROR, log_to_driver=False)
            yield made
        finally:
            ray.shutdown()
            made.shutdown()


@contextlib.contextmanager
def another(made):
    """One more raylet, gone after the block if it is not gone before."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        node = made.add_node(**CORES)
        try:
            yield node
        finally:
            if node in made.worker_nodes:
                made.remove_node(node)


def lose(made, node):
    """Kill a raylet and its workers, as a power cut does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.remove_node(node, allow_graceful=False)


def drive(address, experiment, store, shared, readings):
    """A driver's life, in a process of its own: connects, and trains what is missing."""
    import ray

    from anglewise.lab.execution.ray import Ray
    from anglewise.lab.report.progress import Silent
    from anglewise.lab.runner import train
    from anglewise.lab.store import Store

    ray.init(address, logging_level=logging.ERROR, log_to_driver=False)
    with Ray(shared=shared) as workers, Store.open(store) as opened:
        train(experiment, opened, Silent(), provenance={}, readings=readings, workers=workers, checkpoint_seconds=0.1)
