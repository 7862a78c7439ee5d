"""Under `torch.compile` hooks are seen, once, without breaking the graph or recompiling."""

from __future__ import annotations

import copy

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

from anglewise.torch import AttachError, RadialSuppression

# torch 2.13 warns about itself where a compiled block gets a tensor that is no leaf
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")


@pytest.fixture
def counter():
    return CompileCounterWithBackend("aot_eager")


@pytest.fixture
def wanted(make_net, batch):
    net = make_net()
    suppression = RadialSuppression(net, "blocks.*.mlp")
    net(batch)
    return suppression.penalty()


@pytest.mark.parametrize("reentrant", [None, False, True], ids=["plain", "checkpointed", "reentrant"])
@pytest.mark.parametrize("whole_step", [False, True])
def test_one_graph_and_no_recompilation(make_net, batch, counter, wanted, reentrant, whole_step, full_checkpoints):
    if reentrant is not None and not full_checkpoints:
        pytest.skip("this release of PyTorch breaks the graph at a checkpointed region with a tap")
    net = make_net(reentrant)
    suppression = RadialSuppression(net, "blocks.*.mlp")

    def step(x):
        y = net(x) if whole_step else compiled(x)
        return y.square().mean(), suppression.penalty()

    compiled = torch.compile(step if whole_step else net, backend=counter, fullgraph=True)
    for _ in range(4):
        loss, penalty = (compiled if whole_step else step)(batch)
        (loss + penalty).backward()
        assert torch.allclose(penalty, wanted)
    assert counter.frame_count == 1


def test_alternating_train_and_eval_compiles_each_once(make_net, batch, counter):
    net = make_net()
    suppression = RadialSuppression(net, "blocks.*.mlp", lambda step: 0.1 * step)
    compiled = torch.compile(net, backend=counter)
    for step in range(4):
        net.train()
        compiled(batch)
        assert (suppression.penalty(step=step) > 0) == (step > 0)
        net.eval()
        with torch.no_grad():
            compiled(batch)
        assert suppression.penalty() == 0
    assert counter.frame_count == 2


@pytest.mark.parametrize("how", ["torch.compile", "Module.compile", "blocks"])
def test_attaching_after_the_first_compiled_call_is_seen(make_net, batch, wanted, how):
    net = model = make_net()
    if how == "torch.compile":
        model = torch.compile(net, backend="aot_eager")
    elif how == "Module.compile":
        net.compile(backend="aot_eager")
    else:
        for block in net.blocks:
            block.compile(backend="aot_eager")
    model(batch)
    suppression = RadialSuppression(model, "blocks.*.mlp")
    model(batch)
    assert torch.allclose(suppression.penalty(), wanted)
    assert suppression.sites == ("blocks.0.mlp", "blocks.1.mlp")


def test_code_compiled_for_a_model_without_hooks_is_noticed(make_net, batch):
    plain, net = make_net(), make_net()
    suppression = RadialSuppression(net, "blocks.*.mlp")
    torch.compile(plain, backend="aot_eager")(batch)
    compiled = torch.compile(net, backend="aot_eager")
    compiled(batch)
    with pytest.raises(AttachError, match=r"captured at blocks.0.mlp, .*attach before compiling"):
        suppression.penalty()
    torch.compiler.reset()
    compiled(batch)
    assert suppression.penalty() > 0


def test_two_compiled_models_of_one_class_do_not_mix(make_net, batch, wanted):
    nets = [make_net(), make_net()]
    for p in nets[1].parameters():
        p.data *= 1.5
    suppressions = [RadialSuppression(net, "blocks.*.mlp") for net in nets]
    nets.append(copy.deepcopy(nets[0]))  # carries hooks that do nothing
    compiled = [torch.compile(net, backend="aot_eager") for net in nets]
    for _ in range(2):
        for call in compiled:
            call(batch)
        first, second = (s.penalty() for s in suppressions)
        assert torch.allclose(first, wanted) and not torch.allclose(second, wanted)


def test_checkpointing_around_a_compiled_module(make_net, batch, wanted):
    net = make_net(reentrant=False)
    for block in net.blocks:
        block.mlp = torch.compile(block.mlp, backend="aot_eager")
    suppression = RadialSuppression(net, "blocks.*.mlp")
    for _ in range(3):  # the compiled code notes again in backward
        loss = net(batch).square().mean()
        penalty = suppression.penalty()
        (loss + penalty).backward()
        assert torch.allclose(penalty, wanted)


def test_detaching_stops_compiled_code(make_net, batch):
    net = make_net()
    suppression = RadialSuppression(net, "blocks.*.mlp")
    compiled = torch.compile(net, backend="aot_eager")
    compiled(batch)
    suppression.detach()
    compiled(batch)
    assert not suppression._log.captures and suppression.penalty() == 0


def test_faults_are_noted_under_the_compiler_too(make_net, batch):
    net = make_net()
    suppression = RadialSuppression(net, "head", axis=3)
    torch.compile(net, backend="aot_eager", fullgraph=True)(batch)
    with pytest.raises(AttachError, match="site 'head': axis 3 does not exist"):
        suppression.penalty()
