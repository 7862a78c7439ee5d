import dataclasses
import json
import math
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.engine.step import Program
from anglewise.lab.experiments import EXPERIMENTS
from anglewise.lab.methods.foret2021_sam import SAM
from anglewise.lab.methods.lee2024_grokfast import GrokfastControl, GrokfastEMA
from anglewise.lab.methods.matched_controls import MatchedNoise
from anglewise.lab.methods.norm_clamp import NormClamp
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.methods.sites import pick
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.methods.yu2020_pcgrad import PCGrad
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.protocols.dataclass import method
from anglewise.lab.protocols.method import Method
from anglewise.lab.protocols.schedule import Linear, Warmup
from anglewise.lab.spec import (
    PROTOCOL,
    Arm,
    Contrast,
    Experiment,
    Manifest,
    Planned,
    Run,
    Training,
    content_hash,
    field_types,
    to_json,
)
from anglewise.lab.tasks.modular import Modular

ARM = Arm("mine", (AdamW(lr=Warmup(0.01, 3.0), wd=1.0), RadialPenalty(0.1, 0.5)))
RUN = Run("known", Modular(p=13), MLP(hidden=(8,)), ARM, Training(budget=20, every=5), 3)
KNOWN = "08256fb2696f56a64bb9"


def experiment(**fields):
    return Experiment(**{"name": "e", "task": Modular(p=13), "model": MLP(), "arms": (ARM,), **fields})


def test_a_runs_identity_is_known():
    """If this fails although no numerics changed, every store in the world lost its runs: do not edit the number."""
    assert RUN.run_id == KNOWN


def test_a_runs_identity_is_the_same_in_another_process():
    program = (
        "from anglewise.lab.experiments import EXPERIMENTS;"
        "print(*[next(iter(e.runs())).run_id for e in EXPERIMENTS.values()])"
    )
    environment = {"PYTHONHASHSEED": "77", "JAX_PLATFORMS": "cpu", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == [next(iter(e.runs())).run_id for e in EXPERIMENTS.values()]


def another(value):
    """A different value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 0.5 + 0.125
    return (*value, "x") if isinstance(value, tuple) else value + "x"


def variants(value):
    """The value with each of its fields changed, one at a time, at any depth; past what a class would refuse."""
    for f in dataclasses.fields(value):
        old = getattr(value, f.name)
        if isinstance(old, tuple) and old and dataclasses.is_dataclass(old[0]):
            changes = [(*old[:i], new, *old[i + 1 :]) for i, x in enumerate(old) for new in variants(x)]
            changes += [old[::-1], old[:1]]
        elif dataclasses.is_dataclass(old):
            changes = list(variants(old))
        elif f.name == "hidden":
            changes = [(*old, 9)]
        else:
            changes = [another(old)]
        for change in changes:
            made = object.__new__(type(value))
            for g in dataclasses.fields(value):
                object.__setattr__(made, g.name, change if g.name == f.name else getattr(value, g.name))
            yield made


WATCHED = {"budget", "every", "threshold", "sustain", "further"}
"""How a run is looked at, which changes no number of its training."""


def test_a_runs_identity_changes_with_every_field_that_is_trained_and_no_other():
    trained = dataclasses.replace(RUN, experiment="")
    called = (ARM.name, ARM.label)
    found = [made for made in variants(trained) if not made.experiment and (made.arm.name, made.arm.label) == called]
    other = [made for made in found if any(getattr(made.training, n) != getattr(RUN.training, n) for n in WATCHED)]
    ids = [made.run_id for made in found if made not in other]
    assert len(ids) > 30 and len({*ids, RUN.run_id}) == len(ids) + 1
    assert len(other) == len(WATCHED) and {made.run_id for made in other} == {RUN.run_id}


def test_what_things_are_called_is_no_part_of_a_runs_identity():
    renamed = dataclasses.replace(RUN, experiment="other", arm=Arm("other", ARM.methods, label="Another"))
    assert renamed.run_id == RUN.run_id


def test_an_experiments_identity_leaves_out_how_it_is_shown():
    base = experiment(arms=(ARM, Arm("other", ARM.methods)))
    shown = dataclasses.replace(base, title="a title", baseline="other", contrasts=(Contrast("other", ARM.name),))
    assert shown.experiment_id == base.experiment_id
    for other in (dataclasses.replace(base, seeds=9), dataclasses.replace(base, training=Training(budget=7, every=1))):
        assert other.experiment_id != base.experiment_id


def test_control_equal_specifications_have_equal_identities():
    again = Run("known", Modular(p=13), MLP(hidden=(8,)), ARM, Training(every=5, budget=20), 3)
    assert again.run_id == RUN.run_id and again is not RUN


def test_the_class_and_the_protocol_are_part_of_an_identity():
    other = dataclasses.replace(RUN, model=Transformer())
    assert other.run_id != RUN.run_id
    assert RUN.spec["protocol"] == PROTOCOL and RUN.run_id == content_hash(RUN.spec)
    assert content_hash(RUN.spec | {"protocol": PROTOCOL + 1}) != RUN.run_id


def test_a_hash_does_not_depend_on_the_order_of_keys():
    assert content_hash({"a": 1, "b": [1, 2.5]}) == content_hash({"b": (1, 2.5), "a": 1})
    assert content_hash({"a": 1}) != content_hash({"a": 2}) and len(content_hash({})) == 20


def test_json_holds_all_there_is():
    plain = to_json(RUN)
    assert json.loads(json.dumps(plain)) == plain
    assert plain["is"] == "Run" and plain["task"] == {"is": "Modular", **dataclasses.asdict(RUN.task)}
    assert plain["arm"]["methods"][0]["lr"] == {"is": "Warmup", "value": 0.01, "steps": 3.0, "offset": 1.0}
    assert to_json({"a": None, 3: True}) == {"a": None, "3": True}


def test_runs_are_arms_times_seeds_and_their_identities_differ():
    made = experiment(arms=(ARM, Arm("b", (AdamW(),))), seeds=3, first_seed=5)
    runs = list(made.runs())
    assert [(r.arm.name, r.seed) for r in runs] == [(a, s) for a in ("mine", "b") for s in (5, 6, 7)]
    assert len({r.run_id for r in runs}) == 6
    assert made.reference == "mine" and dataclasses.replace(made, baseline="b").reference == "b"


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b\\c", "~", "..", "ünï cödé", "x" * 80, "con.aux", "<script>"])
def test_an_experiments_identity_is_harmless_to_a_file_system(name):
    slug, digits = experiment(name=name).experiment_id.rsplit("-", 1)
    assert set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") and 0 < len(slug) <= 40
    assert len(digits) == 8 and not slug.startswith("-")


def test_experiments_of_one_name_and_other_content_differ():
    assert experiment(seeds=1).experiment_id != experiment(seeds=2).experiment_id


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused(value):
    with pytest.raises(SpecError, match=f"^a specification holds finite numbers only, got {value}$"):
        to_json([value])
    with pytest.raises(SpecError, match=f"^Warmup.value must be a finite number of float32, got {value}$"):
        Warmup(value, 3.0)


@pytest.mark.parametrize(("value", "name"), [(np.float32(1), "float32"), ({1}, "set"), (AdamW, "type")])
def test_what_json_cannot_hold_exactly_is_refused(value, name):
    with pytest.raises(SpecError, match=f"^a specification holds numbers, texts and dataclasses only, got {name}$"):
        to_json([value])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"budget": 0}, "training.budget must be at least 1, got 0"),
        ({"every": 0}, "training.every must be at least 1, got 0"),
        ({"batch": -1}, "training.batch must be at least 0, got -1"),
        ({"sustain": 0}, "training.sustain must be at least 1, got 0"),
        ({"further": -2}, "training.further must be at least -1, got -2"),
        ({"split_seed": -2}, "training.split_seed must be at least -1, got -2"),
        ({"block": -2}, "training.block must be at least -1, got -2"),
        ({"threshold": -0.1}, "training.threshold must lie in [0, 1], got -0.1"),
        ({"threshold": 1.01}, "training.threshold must lie in [0, 1], got 1.01"),
        ({"threshold": math.nan}, "training.threshold must lie in [0, 1], got nan"),
        (
            {"budget": 5, "every": 6},
            "training.every must not exceed the budget of 5 steps, got 6: nothing would be evaluated",
        ),
        (
            {"every": 10, "measure_every": 15},
            "training.measure_every must be 0 or a multiple of training.every (10), got 15",
        ),
        (
            {"every": 10, "measure_every": -10},
            "training.measure_every must be at least 0, got -10",
        ),
    ],
)
def test_training_that_cannot_be_meant_is_refused(fields, message):
    with pytest.raises(SpecError) as error:
        Training(**fields)
    assert str(error.value) == message


def test_control_the_limits_themselves_are_allowed():
    limits = Training(budget=1, every=1, batch=0, sustain=1, further=-1, split_seed=-1, block=-1, threshold=1.0)
    assert dataclasses.replace(limits, measure_every=3).measure_every == 3


@pytest.mark.parametrize("name", ["", "x" * 81, "two\nlines", "nul\0", "\x7f"])
def test_names_are_short_and_printable(name):
    with pytest.raises(SpecError) as error:
        Arm(name, (AdamW(),))
    assert str(error.value) == f"an arm's name needs 1 to 80 printable characters, got {name!r}"
    with pytest.raises(SpecError) as error:
        experiment(name=name)
    assert str(error.value) == f"an experiment's name needs 1 to 80 printable characters, got {name!r}"


def test_an_arm_needs_methods():
    with pytest.raises(SpecError, match="^arm 'a' has no methods: give at least an optimiser$"):
        Arm("a", ())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"arms": ()}, "experiment 'e' has no arms: give at least one"),
        ({"arms": (ARM, ARM)}, "experiment 'e' has two arms named 'mine': arm names are unique"),
        ({"baseline": "mime"}, "unknown arm 'mime': did you mean 'mine'? Known: mine (baseline)"),
        ({"seeds": 0}, "seeds must be at least 1, got 0"),
        ({"first_seed": -1}, "first_seed must be at least 0, got -1"),
    ],
)
def test_an_experiment_that_cannot_be_meant_is_refused(fields, message):
    with pytest.raises(SpecError) as error:
        experiment(**fields)
    assert str(error.value) == message


def test_field_types_are_resolved():
    assert field_types(Training)["budget"] is int
    assert float in field_types(AdamW)["lr"].__args__ and Linear.__mro__[1] in field_types(AdamW)["lr"].__args__


@method
class OtherLoss(Method):
    scale: float = 1.0

    def loss(self, logits, labels):
        return logits[:, 0]


def test_an_arm_with_two_losses_or_no_optimiser_cannot_be_built():
    parts = (RUN.task, RUN.model)
    wanted = r"^an arm can have one loss, got 2: OtherLoss, OtherLoss$"
    with pytest.raises(SpecError, match=wanted):
        Program(*parts, (OtherLoss(), AdamW(), OtherLoss()), RUN.training)
    with pytest.raises(SpecError, match=r"^an arm needs an optimiser such as adamw, got only RadialPenalty$"):
        Program(*parts, (RadialPenalty(),), RUN.training)


@pytest.mark.parametrize(
    ("chain", "wanted"),
    [
        ((GrokfastEMA(), SAM(), AdamW()), "got GrokfastEMA before SAM, but SAM must stand before every"),
        (
            (AdamW(), MatchedNoise(), RadialPenalty()),
            "got AdamW before MatchedNoise, but MatchedNoise must stand before",
        ),
        ((PCGrad(), SAM(), AdamW()), "got PCGrad before SAM, but SAM must stand before"),
        ((NormClamp(), AdamW()), "got NormClamp before AdamW, but NormClamp must stand behind every"),
        ((GrokfastControl(), RadialPenalty(), AdamW()), "got GrokfastControl before AdamW, but GrokfastControl must"),
    ],
)
def test_a_method_that_would_be_undone_where_it_stands_is_refused(chain, wanted):
    with pytest.raises(SpecError, match=f"^{wanted}"):
        Program(RUN.task, RUN.model, chain, RUN.training)


def test_two_methods_may_both_stand_last():
    chain = (SAM(), AdamW(), RadialPenalty(), NormClamp(), GrokfastControl())
    assert Program(RUN.task, RUN.model, chain, RUN.training).needs == {"gradient"}


def test_a_method_at_an_unknown_site_names_the_nearest():
    h = {"hidden.0.pre": jnp.ones((2, 3)), "hidden.0.post": jnp.zeros((2, 3))}
    wanted = ("^unknown site 'hidden.0.per': did you mean 'hidden.0.pre'? Known: hidden.0.post, hidden.0.pre$").replace(
        "?", r"\?"
    )
    with pytest.raises(SpecError, match=wanted):
        pick(h, ("hidden.0.per",))
    assert list(pick(h, ("hidden.0.post",))) == ["hidden.0.post"]


def test_a_manifest_is_an_experiment_and_survives_a_file():
    two = experiment(arms=(ARM, Arm("b", (AdamW(),))), seeds=2, baseline="b", title="Title")
    manifest = Manifest.of(two, "anglewise run two")
    assert Manifest.from_json(json.loads(json.dumps(manifest.to_json()))) == manifest
    assert manifest.runs == tuple(Planned(run.run_id, run.arm.name, run.seed) for run in two.runs())
    assert (manifest.baseline, manifest.arms, manifest.title) == ("b", ("mine", "b"), "Title")
    assert manifest.training == to_json(two.training) and manifest.experiment_id == two.experiment_id


def test_a_manifest_of_before_is_read():
    values = {"experiment_id": "e-1", "name": "e", "runs": [{"run_id": "r", "arm": "a", "seed": 0}]}
    old = Manifest.from_json({**values, "arms": [{"name": "a"}], "command": ["anglewise", "run", "two words"]})
    assert old == Manifest("e-1", "e", (Planned("r", "a", 0),), arms=("a",), command="anglewise run 'two words'")


@pytest.mark.parametrize("values", [{}, {"runs": 3}, {"runs": []}, {"name": "e", "experiment_id": "e-1"}])
def test_somebodys_own_file_is_no_manifest(values):
    assert Manifest.from_json(values) is None
