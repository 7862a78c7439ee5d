"""``anglewise doctor --on PLACE``: what a cluster has, and what is missing on its machines."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anglewise.cli.flags import place_of
from anglewise.cli.output import print_json


def examine_cluster(arguments: argparse.Namespace) -> int:
    """Print what a cluster has: 0 if nothing is missing there, 1 otherwise."""
    place = place_of(arguments)
    assert place is not None, "the verb asks only where --on was given"
    state = _of_ray(place.name) if place.name.startswith("ray") else _of_slurm(place.name)
    if arguments.json:
        print_json("doctor", **state)
    else:
        print("\n".join(lines(state)))
    return 0 if state["ready"] else 1


def _of_ray(name: str) -> dict[str, Any]:
    from anglewise.lab.execution.machines import differences, machine, probing
    from anglewise.lab.execution.ray import connected, machines

    folder = Path.cwd()
    with connected(None if name == "ray" else name), probing(folder) as probe:
        told = machines(probe)
    answered = [one for one in told if "error" not in one]
    blind = [f"{one['host']} ({one['address']})" for one in answered if not (one["sees"] and one["locks"])]
    problems = differences(told, machine())
    if not any(one["cpus"] for one in told):
        problems.append("no machine offers cores to Ray: start them with ray start --address=HOST:6379 --num-cpus N")
    return _state(name, problems, machines=told, shared=not blind, blind=blind)


def _of_slurm(name: str) -> dict[str, Any]:
    from anglewise.lab.execution.slurm import partitions

    local = name == "slurm:local"
    found = [] if local else partitions()
    problems = [] if local or found else ["sinfo names no partition: run it on a machine from which jobs are submitted"]
    return _state(name, problems, partitions=found)


def _state(name: str, problems: list[str], **known: Any) -> dict[str, Any]:
    """What is known of a cluster; ``"shared"`` is None where only a job could tell."""
    empty: dict[str, Any] = {"machines": [], "partitions": [], "shared": None, "blind": []}
    return {"on": name, "folder": str(Path.cwd()), **empty, **known, "ready": not problems, "problems": problems}


def lines(state: Mapping[str, Any]) -> list[str]:
    """The state of a cluster as lines of text."""
    text = []
    for one in state["machines"]:
        has = f"{one['cpus']} cores, {one['gpus']} accelerators for Ray"
        if "error" not in one:
            releases = ", ".join(f"{key} {value or 'missing'}" for key, value in one["libraries"].items())
            has += f"; {one['memory_gib']} GiB of memory, python {one['python']}, {releases}"
        text.append(f"{one['host']} ({one['address']}): {has}")
    for one in state["partitions"]:
        text.append(
            f"{one['partition']}: {one['machines']} machines with {one['cpus']} cores, {one['memory_mib']} MiB, "
            f"{one['accelerators']}"
        )
    if state["shared"]:
        text.append(f"All machines see {state['folder']} and its locks: workers write into a store there.")
    elif state["blind"]:
        text.append(
            f"{state['folder']} is not seen, or its locks are not, by: {', '.join(state['blind'])}. Workers hand their "
            "files to the driver instead."
        )
    if state["ready"]:
        return [*text, "", f"Ready: anglewise run quickstart --on {state['on']}"]
    return [*text, "", "Not ready:", *(f"  {problem}" for problem in state["problems"])]
