"""A real Ray cluster on this machine: a head and further raylets, each a machine of its own as Ray sees it."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

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
    """One more raylet, gone after the block if it is not gone before, and known to be gone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        node = made.add_node(**CORES)
        try:
            yield node
        finally:
            if node in made.worker_nodes:
                made.remove_node(node)
            _until_alone()


def _until_alone(seconds=90):
    """Wait until the head alone counts as alive: it takes the cluster a while to notice that a machine is lost."""
    import ray

    end = time.monotonic() + seconds
    while sum(one["Alive"] for one in ray.nodes()) > 1:
        assert time.monotonic() < end, "a lost raylet still counts as alive"
        time.sleep(0.2)


@contextlib.contextmanager
def apart(made, hidden, seconds=60):
    """A raylet in a network namespace of its own, that sees another folder in the place of `hidden`."""
    space, inside, outside, subnet = "awtest", "awt1", "awt0", "10.231.7"
    elsewhere = hidden.with_name(hidden.name + "-elsewhere")
    elsewhere.mkdir()
    run("ip", "netns", "add", space)
    node = None
    try:
        run("ip", "link", "add", outside, "type", "veth", "peer", "name", inside, "netns", space)
        run("ip", "addr", "add", f"{subnet}.1/24", "dev", outside)
        run("ip", "link", "set", outside, "up")
        within = ("ip", "netns", "exec", space)
        run(*within, "ip", "addr", "add", f"{subnet}.2/24", "dev", inside)
        for words in (f"link set {inside} up", "link set lo up", f"route add default via {subnet}.1"):
            run(*within, "ip", *words.split())
        ray_start = [str(Path(sys.executable).with_name("ray")), "start", f"--address={made.address}", "--block"]
        ray_start += [f"--node-ip-address={subnet}.2", "--num-cpus=1", f"--object-store-memory={80 * 2**20}"]
        script = 'mount --bind "$0" "$1" && shift && exec "$@"'
        mounted = ["unshare", "--mount", "sh", "-c", script, str(elsewhere), str(hidden), *ray_start]
        same = {**os.environ, "RAY_AUTH_MODE": os.environ.get("RAY_AUTH_MODE", "disabled")}  # as the head, which forked
        node = subprocess.Popen([*within, *mounted], env=same, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        import ray

        end = time.monotonic() + seconds
        while sum(one["Alive"] for one in ray.nodes()) < 2:
            assert time.monotonic() < end and node.poll() is None, "the second host did not come"
            time.sleep(0.2)
        yield elsewhere
    finally:
        if node is not None:
            node.terminate()
            node.wait()
            _until_alone()
        run("ip", "netns", "del", space)


def run(*words):
    subprocess.run(words, check=True, capture_output=True)


def may_be_apart():
    """Whether this process may make network namespaces."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "unshare", "mount"))):
        return False
    made = subprocess.run(["ip", "netns", "add", "awprobe"], capture_output=True).returncode == 0
    subprocess.run(["ip", "netns", "del", "awprobe"], capture_output=True)
    mounts = subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True).returncode == 0
    return made and mounts


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
