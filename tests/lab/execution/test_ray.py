"""Workers on Ray, as far as that is known without a cluster; with one: see tests/faults/test_cluster.py."""

from __future__ import annotations

import signal

import pytest
import ray

from anglewise.lab.execution.ray import ClusterError, Post, connected
from anglewise.lab.execution.workers import environment


def test_the_post_hands_on_in_order_and_once():
    post = Post()
    assert not post.hand_in("a", "s", b"1") and not post.hand_in("b", "t", b"2") and not post.hand_in("a", "s", None)
    assert post.take(0) == post.take(0) == [(1, "a", b"1"), (2, "b", b"2")], "an answer that is lost is asked for again"
    assert post.take(1) == [(2, "b", b"2")] and post.take(2) == []
    post.stop("s")
    assert post.hand_in("a", "s", None) and not post.hand_in("b", "t", None)


@pytest.mark.parametrize("address", ["ray://nowhere:10001", None])
def test_a_cluster_that_does_not_answer_is_said_in_one_line(monkeypatch, address):
    def refuse(*arguments, **kwargs):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise ConnectionError("timed\nout")

    monkeypatch.setattr(ray, "init", refuse)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    before = signal.getsignal(signal.SIGTERM)
    where = address or "this machine"
    told = rf"no Ray cluster answers at {where} \(timed out\): start one with"
    with pytest.raises(ClusterError, match=told), connected(address):
        pass
    assert signal.getsignal(signal.SIGTERM) is before, "SIGTERM still saves"


def test_a_process_elsewhere_compiles_as_this_one_does(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--some")
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    monkeypatch.setenv("SECRET", "1")
    one = environment(3)
    assert one["NPROC"] == one["OMP_NUM_THREADS"] == "3" and one["XLA_FLAGS"] == "--some"
    assert one["JAX_PLATFORMS"] == "cpu" and "SECRET" not in one
    assert "JAX_PLATFORMS" not in environment(1, gpus=1) and "NPROC" not in environment(1, gpus=1)
