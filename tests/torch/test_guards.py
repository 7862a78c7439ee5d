"""What would silently do nothing, or the wrong thing, says so."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, vmap

from anglewise.torch import AttachError, RadialSuppression, radial_penalty
from anglewise.torch.guards import part_of_the_width
from anglewise.torch.taps import Gate


@pytest.fixture
def attached(make_net):
    def attach(reentrant=None, sites="blocks.*.mlp", **settings):
        net = make_net(reentrant)
        return net, RadialSuppression(net, sites, **settings)

    return attach


def test_penalty_before_any_forward(attached):
    _, suppression = attached()
    with pytest.raises(AttachError, match="not one activation was captured: run the forward before"):
        suppression.penalty()


def test_penalty_called_twice(attached, batch):
    net, suppression = attached()
    net(batch)
    suppression.penalty()
    with pytest.raises(AttachError, match=r"no training forward since the last penalty.*called twice"):
        suppression.penalty()


def test_penalty_never_called(attached, batch):
    net, suppression = attached()
    net(batch)
    with pytest.raises(AttachError, match=r"a second training forward began.*after every training forward"):
        net(batch)
    suppression.clear()
    net(batch)
    assert suppression.penalty() > 0


def test_one_penalty_after_each_forward_adds_up(attached, batch):
    net, suppression = attached()
    values = []
    for x in (batch, 2 * batch, batch):
        net(x)
        values.append(suppression.penalty())
    assert values[0] == values[2] != values[1]


class Autoencoder(nn.Module):
    """A model whose own forward nobody calls."""

    def __init__(self):
        super().__init__()
        self.enc, self.dec = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3)), nn.Linear(3, 8)

    def loss(self, x):
        return (self.dec(self.enc(x)) - x).square().mean()


def test_unpaid_forwards_are_noticed_also_where_the_models_own_forward_is_not_what_is_called(batch):
    torch.manual_seed(0)
    model = Autoencoder()
    suppression = RadialSuppression(model, ["enc.0", "dec"], 1.0)
    model.loss(batch)
    one = suppression.penalty()
    for _ in range(2):
        model.loss(batch)
    with pytest.raises(AttachError, match=r'enc.0, dec was reached more than once.*pass forwards="several"'):
        suppression.penalty()
    model.loss(batch)
    assert torch.equal(suppression.penalty(), one)


def test_several_forwards_may_be_taken_at_once_where_that_is_asked_for(attached, batch):
    net, suppression = attached(forwards="several")
    each = []
    for x in (batch, 2 * batch):
        net(x)
        each.append(suppression.penalty())
    net(batch)
    net(2 * batch)
    assert torch.allclose(suppression.penalty(), sum(each))
    with pytest.raises(AttachError, match="no training forward since the last penalty"):
        suppression.penalty()
    model = Autoencoder()
    suppression = RadialSuppression(model, "enc.0", forwards="several")
    model.loss(batch)
    one = suppression.penalty()
    model.loss(batch)
    model.loss(batch)
    assert torch.allclose(suppression.penalty(), 2 * one)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_forward_without_gradients_in_train_mode(attached, batch, context):
    net, suppression = attached()
    with context():
        net(batch)
    with pytest.raises(AttachError, match=r"not one activation was captured.*with gradients enabled"):
        suppression.penalty()


def test_reentrant_checkpointing(attached, batch):
    net, suppression = attached(reentrant=True)
    net(batch.requires_grad_())
    with pytest.raises(AttachError, match=r"'blocks.0.mlp'.*reentrant checkpointing.*use_reentrant=False"):
        suppression.penalty()


def test_sites_outside_of_reentrant_checkpointing_are_fine(attached, batch):
    net, suppression = attached(reentrant=True, sites=["blocks.1", "head"])
    net.blocks[0].requires_grad_(False)
    net.reentrant = None
    net(batch)
    assert suppression.penalty().requires_grad


def test_recomputation_in_backward_is_not_captured(attached, batch):
    net, suppression = attached(reentrant=False)
    for _ in range(3):
        (net(batch).sum() + suppression.penalty()).backward()
        assert not suppression._log.captures and not suppression._log.open


def test_a_site_that_is_not_reached_is_named(attached, batch):
    net, suppression = attached()
    net.blocks[1].forward = lambda x: x
    net(batch)
    with pytest.raises(AttachError, match=r"no activation was captured at blocks.1.mlp: .*partial=True"):
        suppression.penalty()


def test_a_site_may_be_left_out_where_that_is_asked_for(attached, batch):
    net, suppression = attached(partial=True)
    net.blocks[1].forward = lambda x: x
    net(batch)
    assert suppression.penalty() > 0
    net.blocks[0].forward = lambda x: x
    net(batch)
    assert suppression.penalty() == 0


def test_frozen_model(attached, batch):
    net, suppression = attached()
    net.requires_grad_(False)
    net(batch)
    with pytest.raises(AttachError, match=r"nothing that is trained comes before blocks.0.mlp, blocks.1.mlp"):
        suppression.penalty()


def test_frozen_lower_layers(attached, batch):
    for partial in (False, True):
        net, suppression = attached(partial=partial)
        net.blocks[0].requires_grad_(False)
        net(batch)
        if partial:
            assert suppression.penalty().requires_grad
        else:
            with pytest.raises(AttachError, match=r"nothing that is trained comes before blocks.0.mlp, so"):
                suppression.penalty()


def test_activations_that_are_not_floating_point():
    model = nn.Sequential(nn.Embedding(5, 4))
    suppression = RadialSuppression(model, "0", where="input")
    model(torch.tensor([1, 2]))
    with pytest.raises(AttachError, match=r"site '0': expected a floating-point .* got dtype torch.int64"):
        suppression.penalty()


def test_no_tensor_at_the_site(batch):
    model = nn.Sequential(nn.Linear(8, 8))
    suppression = RadialSuppression(model, "0", select=lambda output: None)
    model(batch)
    with pytest.raises(AttachError, match="expected a tensor, got NoneType: pass select="):
        suppression.penalty()


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda h: torch.nested.nested_tensor([h[0], h[1][:2]], layout=torch.jagged), "nested"),
        (lambda h: h[0].to_sparse(), "sparse_coo"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_activations_that_are_not_dense(batch, make, kind):
    model = nn.Sequential(nn.Linear(8, 8))
    suppression = RadialSuppression(model, "0", select=make)
    model(batch)
    with pytest.raises(AttachError, match=f"site '0': expected a dense activation, got a {kind} tensor"):
        suppression.penalty()


def test_a_width_that_is_split_over_processes():
    assert part_of_the_width(torch.ones(2, 4), -1, None) is None
    assert part_of_the_width(torch.ones(2, 4), -1, torch.Size([4, 4])) is None
    said = part_of_the_width(torch.ones(2, 4), -1, torch.Size([2, 8]))
    assert re.search(r"split over processes: of an output of shape \(2, 8\) this one has \(2, 4\)", said)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_scripting_an_attached_model_says_to_detach_first():
    model = nn.Sequential(nn.Linear(4, 4)).eval()
    suppression = RadialSuppression(model, "0")
    with pytest.raises(AttributeError, match=r"hooks of a RadialSuppression: call detach\(\) before scripting"):
        torch.jit.script(model)
    suppression.detach()
    assert torch.jit.script(model)(torch.ones(1, 4)).shape == (1, 4)
    with pytest.raises(AttributeError, match="'Gate' object has no attribute 'x'"):
        _ = Gate(suppression._log).x


def test_an_axis_that_does_not_exist(batch):
    model = nn.Sequential(nn.Linear(8, 8))
    suppression = RadialSuppression(model, "0", axis=3)
    model(batch)
    with pytest.raises(AttachError, match=r"axis 3 does not exist in an activation of shape \(8, 4, 8\)"):
        suppression.penalty()


def test_vmap_is_refused_and_the_functional_form_works(attached, batch):
    net, suppression = attached()
    parameters = dict(net.named_parameters())

    def loss(parameters, x):
        return functional_call(net, parameters, (x,)).square().mean()

    vmap(grad(loss), (None, 0))(parameters, batch)
    with pytest.raises(AttachError, match=r"outside torch.func transforms \(there use radial_penalty inside"):
        suppression.penalty()
    each = vmap(grad(radial_penalty))(batch)
    whole = torch.stack([grad(radial_penalty)(x) for x in batch])
    assert torch.allclose(each, whole) and whole.any()


def test_a_linear_whose_output_is_a_shard_of_its_width(batch):
    model = nn.Sequential(nn.Linear(8, 8))
    suppression = RadialSuppression(model, "0")
    model[0].out_features = 16  # as tensor parallelism leaves it
    model(batch)
    with pytest.raises(AttachError, match=r"expected a width of 16 \(out_features\), got 8.*sharded"):
        suppression.penalty()


@pytest.mark.filterwarnings("ignore")
def test_a_distributed_tensor(tmp_path):
    import torch.distributed as dist
    from torch.distributed.tensor import Shard, distribute_tensor

    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=1)
    try:
        mesh = dist.init_device_mesh("cpu", (1,))
        model = nn.Sequential(nn.Identity())
        suppression = RadialSuppression(model, "0")
        model(distribute_tensor(torch.randn(3, 8, requires_grad=True), mesh, [Shard(1)]))
        with pytest.raises(AttachError, match=r"site '0': the activation is a DTensor with .*Shard\(dim=1\)"):
            suppression.penalty()
    finally:
        dist.destroy_process_group()


def test_data_parallel_is_refused(make_net, batch):
    with pytest.raises(AttachError, match=r"got torch.nn.DataParallel.*use DistributedDataParallel"):
        RadialSuppression(nn.DataParallel(make_net()), "*")
    net = make_net()
    suppression = RadialSuppression(net, "blocks.0.mlp")
    net.blocks[0].mlp._is_replica = True  # as DataParallel marks its copies, which share the hooks
    net(batch)
    with pytest.raises(AttachError, match="DataParallel replica, whose activations are lost"):
        suppression.penalty()


def test_a_fault_is_forgotten_with_its_forward(attached, batch):
    net, suppression = attached(select=lambda output: None)
    net(batch)
    with pytest.raises(AttachError, match="expected a tensor"):
        suppression.penalty()
    suppression._log.select = None
    net(batch)
    assert suppression.penalty() > 0


def test_messages_say_what_to_do(attached):
    _, suppression = attached()
    with pytest.raises(AttachError) as caught:
        suppression.penalty()
    assert re.search("attach before compiling .*torch.compiler.reset", str(caught.value))
