"""One exam for every method in the catalogue; the numbers are those of the laws in the design.

Laws 2 (equals the obvious reference) and 10 (reproduces a rival's recorded number) are particular to a method and
stand beside its own tests.
"""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.lab.catalogue import METHODS
from anglewise.lab.engine.placement import Placement
from anglewise.lab.engine.population import Population
from anglewise.lab.engine.programs import Compiled, arithmetic, structure_of
from anglewise.lab.engine.step import Member
from anglewise.lab.spec import Arm, Run, Training
from tests.support.laws import BASE, CASES, IDS, examined, float_fields
from tests.support.laws.base import MODEL, TASK


@pytest.fixture(
    scope="module",
    params=CASES,
    ids=IDS,
)
def case(request):
    """One method.  All its laws run together, on one worker, and its programs go with it.

    They must go: every compiled program holds memory maps, of which a process has a limited number.
    """
    yield request.param
    TRAINED.clear()
    plain = structure_of(runs_of(request.param, (BASE,))[0])
    for key in [key for key in PROGRAMS if key[0] != plain]:
        del PROGRAMS[key]


TRAINING = Training(budget=12, every=3, batch=30, precision="float64")
"""In float64, so that what the laws compare differs by what is wrong and not by rounding; in mini-batches, so that the
order of examples is part of the state."""
CLOSE = {"rtol": 1e-7, "atol": 1e-9}


def runs_of(case, chain, seeds=(0,), training=TRAINING):
    return [Run("laws", case.task, case.model, Arm("arm", chain), training, seed) for seed in seeds]


PROGRAMS = {}
TRAINED = {}
"""Populations of one method at their end, which its laws look at and do not move."""


def compiled_for(run, batched, block):
    """One program per structure, as the runner has it."""
    key = structure_of(run), batched, block
    if key not in PROGRAMS:
        PROGRAMS[key] = Compiled(run, Placement(batched, block, 6), (), ())
    return PROGRAMS[key]


def trained(runs, *, block=None):
    """Populations trained to their end; with `block` as one batched one, in blocks of so many rows."""
    key = tuple(runs), block
    if key not in TRAINED:
        TRAINED[key] = _trained(runs, block)
    return TRAINED[key]


def _trained(runs, block):
    batched = block is not None
    compiled = compiled_for(runs[0], batched, block or 0)
    if not batched and len(runs) > 1:
        return [population for run in runs for population in trained([run])]
    population = Population(runs, compiled)
    population.begin()
    while population.live.any():
        population.advance()
    return [population]


def bits(population):
    return [np.asarray(x).tobytes() for x in jax.tree.leaves(population.state.params)]


def numbers(population):
    return np.concatenate([np.asarray(x).ravel() for x in jax.tree.leaves(population.state.params)])


def test_every_method_of_the_catalogue_is_examined():
    assert examined() == set(METHODS)


def test_law_1_off_is_off_to_the_bit(case):
    if not case.without:
        pytest.skip("stands in its chain by being there: it has no strength that turns it off")
    off, without = trained(runs_of(case, case.off))[0], trained(runs_of(case, case.without))[0]
    assert bits(off) == bits(without)
    assert bits(trained(runs_of(case, case.chain))[0]) != bits(without)  # control: on is not off


def test_law_1_off_is_off_for_a_member_of_a_batch(case):
    if not case.without:
        pytest.skip("stands in its chain by being there: it has no strength that turns it off")
    runs = [runs_of(case, case.off, [0])[0], *runs_of(case, case.chain, [1, 2])]
    with_off = trained(runs, block=case.block)[0]
    without = trained(runs_of(case, case.without, [0, 1, 2]), block=case.block)[0]
    for x, y in zip(jax.tree.leaves(with_off.state.params), jax.tree.leaves(without.state.params), strict=True):
        assert np.array_equal(x[0], y[0])


def test_law_1_an_optimizer_with_rate_0_moves_nothing(case):
    if not case.still:
        pytest.skip("not an optimiser")
    run = runs_of(case, case.off)[0]
    population = Population([run], compiled_for(run, False, 0))
    population.begin()
    before = bits(population)
    while population.live.any():
        population.advance()
    assert bits(population) == before


def test_law_3_batched_and_in_blocks_of_rows_equals_one_at_a_time_and_permutes(case):
    runs = runs_of(case, case.chain, (0, 1, 2))
    single = np.stack([numbers(p) for p in trained(runs)])
    for order in ([0, 1, 2], [2, 0, 1]):
        together = trained([runs[i] for i in order], block=case.block)[0]
        leaves = [np.asarray(x).reshape(3, -1) for x in jax.tree.leaves(together.state.params)]
        np.testing.assert_allclose(np.concatenate(leaves, axis=1), single[order], **CLOSE)


def test_law_4_every_number_may_be_an_array(case):
    for at, method in enumerate(case.chain):
        for name in float_fields(method):
            other = getattr(method, name) * 0.9
            changed = (*case.chain[:at], dataclasses.replace(method, **{name: other}), *case.chain[at + 1 :])
            runs = [runs_of(case, case.chain)[0], runs_of(case, changed)[0], runs_of(case, case.chain, [1])[0]]
            together = trained(runs, block=case.block)[0]
            assert together.step == TRAINING.budget
            alone = numbers(trained([runs[1]])[0])
            leaves = [np.asarray(x)[1].ravel() for x in jax.tree.leaves(together.state.params)]
            np.testing.assert_allclose(np.concatenate(leaves), alone, **CLOSE)


def test_law_5_state_keeps_shape_dtype_and_device_and_the_precision_asked_for(case):
    run = runs_of(case, case.chain)[0]
    population = Population([run], compiled_for(run, False, 0))
    population.begin()
    before = jax.tree.map(lambda x: (x.shape, x.dtype, x.devices()), population.state)
    population.advance()
    assert jax.tree.map(lambda x: (x.shape, x.dtype, x.devices()), population.state) == before
    assert {str(x.dtype) for x in jax.tree.leaves(population.state.params)} == {"float64"}


def test_law_5_a_step_keeps_the_other_precision(case):
    precision = "float32"
    training = dataclasses.replace(TRAINING, precision=precision)
    run = runs_of(case, case.chain, training=training)[0]
    program = Compiled(run, Placement(False, 0, 6), (), ()).program
    key = jax.random.key(0)
    with arithmetic(training):
        methods = jax.tree.map(lambda x: jnp.asarray(x, precision), run.arm.methods)
        member = Member(methods, run.task.split(key), key, key)
        state = jax.eval_shape(program.start, member, key)
        after = jax.eval_shape(program.step, member, state)
    kinds = [jax.tree.map(lambda x: (x.shape, x.dtype), each) for each in (state, after)]
    assert kinds[0] == kinds[1]
    assert {str(x.dtype) for x in jax.tree.leaves(state.params)} == {precision}


def test_law_6_saved_and_gone_on_equals_never_stopped(case, tmp_path):
    run = runs_of(case, case.chain, training=TRAINING)[0]
    whole = trained([run])[0]
    compiled = compiled_for(run, False, 0)
    first = Population([run], compiled)
    first.begin()
    first.advance()
    first.save(tmp_path / "state.safetensors")
    again = Population([run], compiled)
    again.restore(tmp_path / "state.safetensors", len(first.steps), live={run.run_id})
    while again.live.any():
        again.advance()
    assert bits(again) == bits(whole)
    assert {name: x.tobytes() for name, x in again.curves.items()} == {
        name: x.tobytes() for name, x in whole.curves.items()
    }


def test_law_7_arms_share_weights_split_and_batches(case):
    runs = [runs_of(case, chain)[0] for chain in (case.chain, (BASE,))]
    here, base = (Population([run], compiled_for(run, False, 0)) for run in runs)
    here.begin()
    base.begin()
    for x, y in zip(here.member.data, base.member.data, strict=True):
        assert np.array_equal(x, y)
    keys = [[jax.random.key_data(k) for k in (p.member.batch_key, p.member.noise_key)] for p in (here, base)]
    assert np.array_equal(keys[0], keys[1])
    if all(method.init is None and method.reshape is None for method in case.chain):
        assert bits(here) == bits(base)
    other = Population(runs_of(case, case.chain, [1]), compiled_for(runs[0], False, 0))
    other.begin()
    assert bits(other) != bits(here)  # control: another seed is another start


def test_law_8_only_declared_needs_are_used_and_all_that_are_declared(case, monkeypatch):
    """The engine hands a method what it declares and nothing else, so that using more fails in every other law; here
    each need is withheld, and the method must miss it."""
    known = {"gradient", "parts", "noise", "forward-noise", "whole-batch", "outer", "data"}
    for method in case.chain:
        assert method.needs <= known
        usual = numbers(trained(runs_of(case, case.chain))[0]) if "forward-noise" in method.needs else None
        for need in method.needs:
            with monkeypatch.context() as patch:
                patch.setattr(type(method), "needs", method.needs - {need})
                assert misses(case, need, usual), f"{type(method).__name__} declares {need!r} and does without"


def ended(runs, placement):
    """Weights of a population with a program of its own."""
    population = Population(runs, Compiled(runs[0], placement, (), ()))
    population.begin()
    while population.live.any():
        population.advance()
    return numbers(population)


def misses(case, need, usual):
    """Whether training fails, or goes another way, where a method's need is not met."""
    runs = runs_of(case, case.chain, (0, 1, 2))
    if need == "whole-batch":  # in blocks of rows, which without the need are taken one by one
        return not np.allclose(ended(runs, Placement(True, 20, 6)), numbers(trained(runs, block=0)[0]), **CLOSE)
    if need == "forward-noise":  # without it, as where accuracy is measured
        return not np.allclose(ended(runs[:1], Placement(False, 0, 6)), usual, **CLOSE)
    program, key = Compiled(runs[0], Placement(False, 0, 6), (), ()).program, jax.random.key(0)
    try:
        with arithmetic(TRAINING):
            methods = jax.tree.map(lambda x: jnp.asarray(x, "float64"), runs[0].arm.methods)
            member = Member(methods, runs[0].task.split(key), key, key)
            jax.eval_shape(program.step, member, jax.eval_shape(program.start, member, key))
    except (TypeError, ValueError, AttributeError, KeyError):
        return True
    return False


def test_law_9_a_nan_stays_with_its_member(case):
    at, name = next(
        (i, f) for i, m in enumerate(case.chain) for f in float_fields(m) if f not in ("beta1", "beta2", "eps")
    )
    broken = (
        *case.chain[:at],
        dataclasses.replace(case.chain[at], **{name: np.float32("nan")}),
        *case.chain[at + 1 :],
    )
    good, bad = runs_of(case, case.chain, [0])[0], runs_of(case, broken, [1])[0]
    third = runs_of(case, case.chain, [2])[0]
    whole = trained([good, runs_of(case, case.chain, [1])[0], third], block=case.block)[0]
    mixed = Population([good, bad, third], compiled_for(good, True, case.block))
    mixed.begin()
    ended = {}
    while mixed.live.any():
        for row in mixed.advance():
            if row.ended:
                ended[row.run.seed] = row
    assert not np.isfinite(ended[1].curves[-1]["train_loss"])
    assert ended[1].history["step"][-1] < TRAINING.budget
    assert np.isfinite(ended[0].curves[-1]["train_loss"])
    assert np.array_equal(ended[0].history["train_loss"], whole.curves["train_loss"][0])


PLAIN = sorted(name for name, cls in METHODS.items() if cls().transform is not None)


@pytest.mark.parametrize("name", PLAIN)
def test_a_transform_says_whether_it_steps_downhill(name):
    made = METHODS[name]()
    assert made.downhill is not None, "say downhill = True for an optimiser, False for a filter"
    if made.needs:
        return  # its update is called with more than a gradient
    network = MODEL.init(TASK, jax.random.key(0))
    params = eqx.filter(network, eqx.is_inexact_array)
    gradient = jax.tree.map(lambda w: 1e-3 * jax.random.normal(jax.random.key(1), w.shape), params)
    transform = made.transform()
    update, _ = transform.update(gradient, transform.init(params), params)
    along = sum(jnp.sum(u * g) for u, g in zip(*map(jax.tree.leaves, (update, gradient)), strict=True))
    assert (along < 0) == made.downhill


def test_how_often_one_looks_changes_no_bit_of_the_training():
    case = next(case for case in CASES if case.name == "radial")
    found = [
        bits(trained(runs_of(case, case.chain, training=dataclasses.replace(TRAINING, every=every)))[0])
        for every in (1, 3, 12)
    ]
    assert found[0] == found[1] == found[2]


def test_ties_and_nan_are_wrong():
    from anglewise.lab.engine.step import correct

    logits = jnp.array([[1.0, 1.0, 0.0], [2.0, 1.0, 0.0], [jnp.nan, 1.0, 0.0], [0.0, 0.0, 0.0]])
    assert correct(logits, jnp.zeros(4, int)).tolist() == [False, True, False, False]
