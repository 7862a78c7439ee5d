"""Sites are the modules that were meant, or an error."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from anglewise.torch import AttachError, RadialSuppression
from anglewise.torch.sites import resolve


def module(**children):
    made = nn.Module()
    for name, child in children.items():
        made.add_module(name, child)
    return made


def stack(**children):
    """Two blocks with these children, under the names of a decoder."""
    layers = nn.ModuleList(module(**{n: nn.Linear(4, 4) for n in children}) for _ in range(2))
    return module(model=module(layers=layers), lm_head=nn.Linear(4, 4))


def test_a_glob_matches_names_in_the_models_order(make_net):
    assert list(resolve(make_net(), "blocks.*.mlp")) == ["blocks.0.mlp", "blocks.1.mlp"]
    assert list(resolve(make_net(), ["head", "blocks.1.*n"])) == ["blocks.1.attn", "head"]


def test_a_glob_that_matches_nothing_names_the_nearest(make_net):
    with pytest.raises(AttachError, match=r"site 'block.\*.mlp' matched no module: nearest are blocks.\d.mlp"):
        resolve(make_net(), "block.*.mlp")
    with pytest.raises(AttachError, match="matched no module"):
        resolve(make_net(), ["head", "tail"])
    with pytest.raises(AttachError, match="got an empty list of sites"):
        resolve(make_net(), [])


def test_modules_may_be_given_themselves(make_net):
    net = make_net()
    assert list(resolve(net, net.blocks[1])) == ["blocks.1"]
    assert list(resolve(net, [net.head, net.blocks[0].mlp])) == ["blocks.0.mlp", "head"]
    with pytest.raises(AttachError, match="got a Linear that is not part of the model"):
        resolve(net, make_net().head)


def test_a_class_means_its_instances(make_net):
    assert list(resolve(make_net(), nn.GELU)) == ["blocks.0.mlp.1", "blocks.1.mlp.1"]
    with pytest.raises(AttachError, match="no Conv1d found: expected at least one"):
        resolve(make_net(), nn.Conv1d)


def test_of_linears_those_that_feed_a_non_linearity_are_meant(make_net):
    assert list(resolve(make_net(), nn.Linear)) == ["blocks.0.mlp.0", "blocks.1.mlp.0"]
    with pytest.raises(AttachError, match="no Linear found that feeds a non-linearity"):
        resolve(nn.Sequential(nn.Linear(2, 2)), nn.Linear)


def test_a_shared_module_is_one_site():
    shared = nn.Linear(4, 4)
    model = module(first=shared, second=shared)
    assert list(resolve(model, "*")) == ["first"]
    assert list(resolve(model, ["second", "first"])) == ["first"]


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 8), nn.Dropout(), nn.Tanh(), nn.Linear(8, 2)),
        nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1), nn.Sigmoid()),
    ],
)
def test_auto_takes_the_hidden_pre_activations_of_an_mlp_and_logs_it(model, caplog, capsys):
    with caplog.at_level(logging.INFO, logger="anglewise.torch"):
        assert list(resolve(model, "auto")) == ["0", "2"]
    assert [record.message for record in caplog.records] == ["sites='auto' chose 0, 2"]
    assert capsys.readouterr() == ("", "")  # nothing is printed


def test_auto_sees_functional_non_linearities_and_normalisation():
    class MLP(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.norm, self.second = nn.Linear(2, 8), nn.LayerNorm(8), nn.Linear(8, 8)
            self.head = nn.Linear(8, 2)

        def forward(self, x):
            return self.head(self.second(F.relu(self.norm(self.first(x.flatten(1))))).tanh())

    assert list(resolve(MLP(), "auto")) == ["norm", "second"]


@pytest.mark.parametrize(
    "names",
    [("ln_1", "attn", "ln_2", "mlp"), ("self_attn", "mlp"), ("attention", "mlp"), ("self_attn", "fc1", "fc2")],
    ids=["GPT-2, nanoGPT, ViT", "Llama", "NeoX", "OPT"],
)
def test_auto_takes_the_sub_layer_outputs_of_a_transformer(names):
    taken = [n for n in names if n in ("attn", "self_attn", "attention", "mlp", "fc2")]
    wanted = [f"model.layers.{i}.{n}" for i in range(2) for n in taken]
    assert list(resolve(stack(**dict.fromkeys(names)), "auto")) == wanted


@pytest.mark.parametrize("norm_first", [False, True])
def test_auto_takes_what_pytorchs_own_layers_add_to_the_residual(norm_first):
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True, norm_first=norm_first)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    assert list(resolve(model, "auto")) == [f"layers.{i}.dropout{j}" for i in range(2) for j in (1, 2)]
    suppression = RadialSuppression(model, "auto")
    model(torch.randn(3, 5, 8))
    assert {rho.shape for _, rho, _ in suppression._log.captures} == {(3, 5)}
    suppression.penalty().backward()
    assert model.layers[0].linear2.weight.grad.any()


@pytest.mark.parametrize(
    "model",
    [
        nn.Linear(2, 2),
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2)),
        nn.MultiheadAttention(4, 2),
        nn.LSTM(4, 4),
    ],
    ids=["linear", "convolutions", "attention", "recurrent"],
)
def test_auto_says_where_it_cannot_tell(model):
    with pytest.raises(AttachError, match=r"sites='auto' cannot tell what to take in \w+: (expected|it has no)"):
        resolve(model, "auto")


class Branching(nn.Module):
    """An MLP with a branch that depends on its input."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 16), nn.Linear(16, 3)

    def forward(self, x):
        h = self.first(x) if x.sum() > 0 else -self.first(x)
        return self.last(torch.relu(h))


def test_an_mlp_that_cannot_be_traced_is_said_to_be_one_and_why():
    with pytest.raises(AttachError, match=r"could not be traced as an MLP's \(TraceError: symbolically traced"):
        resolve(Branching(), "auto")
    with pytest.raises(AttachError, match=r"which Linear feeds a non-linearity cannot be told.*\(TraceError: "):
        resolve(Branching(), nn.Linear)


class Keeping(nn.Module):
    """Its forward keeps, counts, writes and draws."""

    def __init__(self):
        super().__init__()
        self.first, self.last, self.kept, self.calls = nn.Linear(4, 16), nn.Linear(16, 3), None, 0
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        self.seen += 1
        h = torch.tanh(self.first(x) + 0 * torch.rand(()))
        self.kept = h.detach()
        return self.last(h)


@pytest.mark.parametrize("sites", ["auto", nn.Linear])
def test_looking_at_a_model_does_not_touch_it(sites):
    model = Keeping()
    state = torch.random.get_rng_state()
    with pytest.raises(AttachError):  # what feeds tanh is a sum
        resolve(model, sites)
    assert (model.kept, model.calls, float(model.seen)) == (None, 0, 0)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_what_is_no_kind_of_site_is_refused(make_net):
    with pytest.raises(AttachError, match="got sites=None, expected 'auto', a glob, a class, a module"):
        resolve(make_net(), None)


def test_wrappers_leave_no_trace_in_the_names(make_net):
    net = make_net()
    net.blocks[0].mlp = torch.compile(net.blocks[0].mlp, backend="aot_eager")
    found = resolve(net, "blocks.*.mlp")
    assert list(found) == ["blocks.0.mlp", "blocks.1.mlp"]
    assert isinstance(found["blocks.0.mlp"], nn.Sequential)


def test_distributed_data_parallel_leaves_no_trace_in_the_names(make_net, tmp_path):
    import torch.distributed as dist

    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=1)
    try:
        ddp = nn.parallel.DistributedDataParallel(make_net())
        suppression = RadialSuppression(ddp, "blocks.*.mlp")
        ddp(torch.randn(3, 8))
        assert suppression.sites == ("blocks.0.mlp", "blocks.1.mlp")
        assert suppression.penalty() > 0
    finally:
        dist.destroy_process_group()
