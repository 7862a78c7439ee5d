import dataclasses
import os
import time

import equinox as eqx
import jax
import pytest

from anglewise.errors import SpecError
from anglewise.lab.engine.population import bytes_each
from anglewise.lab.engine.programs import Programs
from anglewise.lab.engine.step import Member, Program
from anglewise.lab.execution.estimate import Cost, Limits, admit, cost, idle, memory, within
from anglewise.lab.experiments import EXPERIMENTS
from anglewise.lab.methods.grokadamw import GrokAdamW
from anglewise.lab.methods.lee2024_grokfast import GrokfastMA
from anglewise.lab.methods.optimizers import SGD, AdamW
from anglewise.lab.methods.zhou2025_neuralgrok import NeuralGrok
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.readings.curvature import Curvature
from anglewise.lab.readings.llc import LearningCoefficient
from anglewise.lab.readings.sets import AT_EVALUATIONS
from anglewise.lab.spec import Arm, Experiment, Training
from anglewise.lab.tasks.modular import Modular
from anglewise.lab.tasks.parity import Parity
from anglewise.lab.tuning.search import Search, admit_search

SEQUENCES = Modular(p=11, form="a op b =")
MODELS = [
    (MLP(hidden=(16,)), Modular(p=11)),
    (MLP(hidden=(16, 8), embedding=5, bias=True), Modular(p=11)),
    (MLP(hidden=(16, 8), embedding=5, shared=False), Modular(p=11)),
    (MLP(hidden=(7,)), Parity(bits=9, train=20, test=20)),
    (Transformer(layers=2, width=8, heads=2), SEQUENCES),
    (Transformer(layers=1, width=8, heads=2, norm="none", mlp=20, attention_bias=False, init_law="normal"), SEQUENCES),
    (Transformer(layers=3, width=4, heads=1, norm="grokfast", affine=False, tied=True, mlp_bias=False), SEQUENCES),
    (Transformer(layers=1, width=4, heads=1, norm="post", positions_table=9), SEQUENCES),
]


MODEL, TASK, METHODS = MLP(hidden=(16,)), Modular(p=11), (AdamW(),)


def experiment(model=MODEL, task=TASK, methods=METHODS, seeds=2, **training):
    training = Training(**{"budget": 100, "every": 10, **training})
    return Experiment("e", task, model, (Arm("a", methods), Arm("b", (SGD(),))), training, seeds=seeds)


@pytest.mark.parametrize(("model", "task"), MODELS)
def test_parameters_are_those_of_a_real_network(model, task):
    network = jax.eval_shape(lambda key: eqx.filter(model.init(task, key), eqx.is_array), jax.random.key(0))
    assert model.parameters(task) == sum(x.size for x in jax.tree.leaves(network))
    assert cost(experiment(model, task)).parameters == model.parameters(task)


@pytest.mark.parametrize("methods", [(AdamW(),), (GrokfastMA(window=7), SGD()), (GrokAdamW(),)])
def test_copies_are_at_least_what_methods_remember(methods):
    e = experiment(methods=methods)
    key = jax.random.key(0)
    member = Member(methods, e.task.split(key), key, key)
    state = jax.eval_shape(Program(e.task, e.model, methods, e.training).start, member, key)
    count = sum(x.size for x in jax.tree.leaves(state.params))
    kept = sum(x.size for x in jax.tree.leaves(state.opt_state))
    asked = sum(method.copies for method in methods) * count
    assert kept - 10 <= asked <= 1.5 * kept + 2 * count


def test_an_estimate_is_known_for_a_small_experiment():
    """16 hidden units on 11 + 11 inputs and 11 classes: 528 weights; 48 + 73 examples of 22 + 32 + 22 numbers."""
    found = cost(experiment())
    numbers = 528 * (5 + 2) + (48 + 73 // 2) * 76 + 6 * 121 * 3 + 25 * 10
    assert found == Cost(runs=4, steps=400, parameters=528, pieces=3, bytes=4 * numbers)
    assert cost(experiment(precision="float64")).bytes == 2 * found.bytes


@pytest.mark.parametrize(
    ("more", "numbers"),
    [
        ({"methods": (GrokfastMA(window=1000), AdamW())}, 528 * 1001),
        ({"methods": (NeuralGrok(hidden=(30, 20)), AdamW())}, 528 * 52),
        ({"budget": 100_000}, 25 * 9990),
        ({"batch": 10}, -38 * 76),
    ],
)
def test_an_estimate_grows_with_what_is_kept(more, numbers):
    assert cost(experiment(**more)).bytes - cost(experiment()).bytes == 4 * numbers


def test_readings_count_where_something_is_measured():
    measured = experiment(measure_every=10)
    plain = cost(measured).bytes
    assert cost(measured, (Curvature(lanczos=20), LearningCoefficient(chains=2))).bytes - plain == 4 * 528 * 44
    assert cost(experiment(), (Curvature(),)).bytes == plain


@pytest.mark.parametrize("name", ["track-c2", "track-d"])
def test_the_estimate_of_memory_is_near_what_the_compiler_plans(name):
    e = EXPERIMENTS[name]
    alone = dataclasses.replace(e, arms=e.arms[:1], baseline="")
    run = next(iter(e.runs()))
    planned = bytes_each(run, Programs(AT_EVALUATIONS).of(run))
    assert 0.6 < cost(alone).bytes / planned < 3


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_named_experiment_may_be_begun(name):
    admit(EXPERIMENTS[name])
    assert cost(EXPERIMENTS[name]).runs == len(list(EXPERIMENTS[name].runs())) > 0


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"runs": 10_001}, "it has 10,001 runs, the limit is 10,000: ask for less, or add --large"),
        ({"pieces": 501}, "a network of it has 501 pieces to compile (layers, pairs of positions), the limit is 500: "
         "ask for less, or add --large"),
        (
            {"bytes": 3 * 2**30, "parameters": 5000},
            "a run of it needs about 3.0 GiB of memory (5,000 parameters), this machine has 2.0 GiB: "
            "ask for less, or add --large",
        ),
        ({"bytes": 10**40}, "a run of it needs about 10^30 GiB of memory (0 parameters), this machine has 2.0 GiB: "
         "ask for less, or add --large"),
        (
            {"steps": 10**9 + 1},
            "it has up to 1,000,000,001 steps to train, the limit is 1,000,000,000: ask for less, or add --large",
        ),
    ],
)  # fmt: skip
def test_what_is_beyond_a_limit_is_refused_with_both_numbers(asked, message):
    limits, most = Limits(bytes=2 * 2**30), Cost(10_000, 10**9, 0, 500, 2 * 2**30)
    within("it", most, limits)
    with pytest.raises(SpecError) as error:
        within("it", most._replace(**asked), limits)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "more",
    [
        {"seeds": 10**9}, {"budget": 2**31 - 1, "every": 1}, {"model": MLP(hidden=(10**9,))},
        {"model": MLP(hidden=(10**6, 10**6))}, {"model": MLP(embedding=10**9)}, {"model": MLP(hidden=(8,) * 500)},
        {"model": Transformer(width=10**9), "task": SEQUENCES}, {"model": Transformer(layers=300), "task": SEQUENCES},
        {"methods": (GrokfastMA(window=100_000), SGD()), "model": MLP(hidden=(800, 800))},
        {"task": Parity(bits=100), "model": Transformer(width=16)}, {"task": Parity(bits=4096, train=10**9)},
        {"task": Modular(p=4096)},
    ],
)  # fmt: skip
def test_sizes_without_a_ceiling_are_refused_at_once(more):
    begun = time.perf_counter()
    with pytest.raises(SpecError, match="add --large$"):
        admit(experiment(**more))
    assert time.perf_counter() - begun < 1


def test_limits_are_lifted_when_asked():
    many = experiment(seeds=10**6)
    admit(many, large=True)
    with pytest.raises(SpecError, match="^e has 2,000,000 runs"):
        admit(many)


class Card:
    """An accelerator, as far as its memory is asked for."""

    platform = "gpu"

    def memory_stats(self):
        return {"bytes_limit": 12345, "bytes_in_use": 45}


def test_an_accelerators_own_memory_is_the_limit():
    assert memory(Card()) == 12345
    assert memory(jax.devices("cpu")[0]) == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"trials": 10**9}, "the search of e has 4,000,000,004 runs"),
        ({"rounds": 10**9}, "the search of e has "),
        ({"seeds": 10**9}, "the search of e has "),
    ],
)
def test_a_search_without_a_ceiling_is_refused(rules, message):
    from anglewise.lab.tuning.space import Candidate

    candidate = Candidate(Arm("adamw", (AdamW(),)), (), "", "")
    rules = Search(**{"trials": 3, "rounds": 2, "seeds": 3, **rules})
    with pytest.raises(SpecError, match=message):
        admit_search(candidate, experiment(), rules)
    admit_search(candidate, experiment(), rules, large=True)


def test_settings_that_cannot_act_are_said():
    assert idle(experiment()) == []
    assert idle(experiment(batch=1000, block=1000, sustain=50, further=101, measure_every=110)) == [
        "training.batch 1000 is more than the 48 training examples: every step sees all",
        "training.block 1000 is more than a batch: it is not cut",
        "training.sustain 50 is more than the 11 evaluations: no run will count as sustained",
        "training.further 101 reaches beyond the budget of 100 steps: every run trains to it",
        "training.measure_every 110 is more than the budget of 100 steps: a run is measured at its beginning "
        "and its end",
    ]
