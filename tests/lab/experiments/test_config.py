import dataclasses

import pytest

from anglewise.errors import SpecError
from anglewise.lab import catalogue
from anglewise.lab.experiments.config import flag_table, load, merged, overlay
from anglewise.lab.methods.man2025 import MAN
from anglewise.lab.methods.optimizers import SGD, AdamW
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.protocols.schedule import Cosine, Linear, Until, Warmup
from anglewise.lab.spec import Arm, Experiment, Training
from anglewise.lab.tasks.modular import Modular

BASE = Experiment(
    "base",
    Modular(p=13),
    MLP(hidden=(8,)),
    (
        Arm("plain", (AdamW(lr=0.1),)),
        Arm("held", (AdamW(lr=Warmup(0.1, 3.0)), RadialPenalty(strength=0.2))),
    ),
    training=Training(budget=20, every=5),
    seeds=2,
    title="What was it?",
)
NAMED = {"base": BASE}
SCRATCH = """
seeds = 3
first_seed = 10
title = "From scratch"
baseline = "b"
[task]
is = "modular"
p = 7
operation = "x^2+y"
train = 0.5
[model]
is = "transformer"
layers = 1
norm = "none"
tied = true
[training]
budget = 40
every = 4
threshold = 1
precision = "float64"
[arms.a]
methods = [{ is = "sgd", lr = 1 }, { is = "man" }]
[arms.b]
methods = [
  { is = "adamw", lr = { is = "warmup", value = 0.05, steps = 3}, wd = { is = "cosine", start = 2, end = 0, steps = 9}},
  { is = "radial", strength = { is = "until", value = 0.1, steps = 5 }, sites = ["block.0.mlp.out"], side = "outer" },
]
"""


def from_file(tmp_path, text, name="mine.toml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return load(str(path), NAMED)


def flagged(path, text, base=BASE):
    return overlay(base, flag_table(path, text), "")


def test_a_name_gives_the_named_experiment():
    assert load("base", NAMED) is BASE


def test_a_file_from_scratch_says_everything(tmp_path):
    assert from_file(tmp_path, SCRATCH) == Experiment(
        name="mine",
        title="From scratch",
        task=Modular(p=7, operation="x^2+y", train=0.5),
        model=Transformer(layers=1, norm="none", tied=True),
        arms=(
            Arm("a", (SGD(lr=1.0), MAN())),
            Arm(
                "b",
                (
                    AdamW(lr=Warmup(0.05, 3.0), wd=Cosine(2.0, 0.0, 9.0)),
                    RadialPenalty(strength=Until(0.1, 5.0), sites=("block.0.mlp.out",), side="outer"),
                ),
            ),
        ),
        training=Training(budget=40, every=4, threshold=1.0, precision="float64"),
        baseline="b",
        seeds=3,
        first_seed=10,
    )


def test_a_file_with_a_base_changes_what_it_names_and_nothing_else(tmp_path):
    text = """
    base = "base"
    name = "other"
    seeds = 4
    [task]
    p = 97
    [model]
    hidden = [16, 16]
    [training]
    budget = 40
    [arms.plain.adamw]
    wd = 1
    [arms.held.adamw.lr]
    value = 0.3
    [arms.mine]
    methods = [{ is = "adamw", lr = 0.01 }]
    """
    assert from_file(tmp_path, text) == dataclasses.replace(
        BASE,
        name="other",
        seeds=4,
        task=Modular(p=97),
        model=MLP(hidden=(16, 16)),
        training=Training(budget=40, every=5),
        arms=(
            Arm("plain", (AdamW(lr=0.1, wd=1.0),)),
            Arm("held", (AdamW(lr=Warmup(0.3, 3.0)), RadialPenalty(strength=0.2))),
            Arm("mine", (AdamW(lr=0.01),)),
        ),
    )


def test_a_base_alone_is_the_base(tmp_path):
    assert from_file(tmp_path, 'base = "base"') == dataclasses.replace(BASE, name="mine")
    assert from_file(tmp_path, 'base = "base"\nname = "base"') == BASE  # said, hence meant


def test_a_kind_in_a_file_replaces_the_whole_part(tmp_path):
    made = from_file(tmp_path, 'base = "base"\n[model]\nis = "transformer"\nwidth = 8\nheads = 2')
    assert made.model == Transformer(width=8, heads=2)
    again = from_file(tmp_path, 'base = "base"\n[arms.plain]\nmethods = [{ is = "sgd" }]')
    assert [arm.methods for arm in again.arms] == [(SGD(),), BASE.arms[1].methods]


def test_a_file_may_label_an_arm(tmp_path):
    text = 'base = "base"\n[arms.plain]\nlabel = "My own"\n[arms.new]\nmethods = [{ is = "sgd" }]\nlabel = "SGD"'
    made = from_file(tmp_path, text)
    assert {arm.name: arm.label for arm in made.arms} == {"plain": "My own", "held": "", "new": "SGD"}
    assert made.arms[0].methods == BASE.arms[0].methods


@pytest.mark.parametrize(
    ("path", "text", "found", "wanted"),
    [
        ("task.p", "97", lambda e: e.task.p, 97),
        ("task.operation", "-", lambda e: e.task.operation, "-"),
        ("task.operation", "x^2+xy+y^2", lambda e: e.task.operation, "x^2+xy+y^2"),
        ("task.form", "a op b =", lambda e: e.task.form, "a op b ="),
        ("task.train", "0.3", lambda e: e.task.train, 0.3),
        ("model.hidden", "16,8", lambda e: e.model.hidden, (16, 8)),
        ("model.hidden", "[16, 8]", lambda e: e.model.hidden, (16, 8)),
        ("model.hidden", "16", lambda e: e.model.hidden, (16,)),
        ("model.bias", "true", lambda e: e.model.bias, True),
        ("training.further", "0", lambda e: e.training.further, 0),
        ("training.threshold", "1", lambda e: e.training.threshold, 1.0),
        ("seeds", "5", lambda e: e.seeds, 5),
        ("title", "What is it?", lambda e: e.title, "What is it?"),
        ("title", "", lambda e: e.title, ""),
        ("arms.plain.adamw.lr", "1", lambda e: e.arms[0].methods[0].lr, 1.0),
        ("arms.held.adamw.lr.steps", "7", lambda e: e.arms[1].methods[0].lr, Warmup(0.1, 7.0)),
        ("arms.held.adamw.lr", "0.2", lambda e: e.arms[1].methods[0].lr, 0.2),
        (
            "arms.plain.adamw.lr",
            '{ is = "linear", start = 1, end = 0, steps = 5 }',
            lambda e: e.arms[0].methods[0].lr,
            Linear(1.0, 0.0, 5.0),
        ),
        (
            "arms.held.radial.sites",
            "hidden.0.pre,hidden.0.post",
            lambda e: e.arms[1].methods[1].sites,
            ("hidden.0.pre", "hidden.0.post"),
        ),
        ("arms.held.radial.side", "inner", lambda e: e.arms[1].methods[1].side, "inner"),
    ],
)
def test_a_flag_changes_one_field(path, text, found, wanted):
    made = flagged(path, text)
    assert found(made) == wanted and type(found(made)) is type(wanted)
    assert made != BASE and BASE.task == Modular(p=13)  # control: the base is not touched
    assert flagged(path, text, made) == made


def test_flags_make_one_change_whose_outcome_alone_must_make_sense():
    both = merged(flag_table("training.budget", "2"), flag_table("training.every", "1"))
    assert overlay(BASE, both, "").training == Training(budget=2, every=1)
    with pytest.raises(SpecError, match="must not exceed the budget"):
        flagged("training.budget", "2")  # control: on its own it does not
    assert merged({"a": 1}, {"a": {"b": 2}}) == {"a": {"b": 2}} and merged({"a": {"b": 2}}, {"a": 1}) == {"a": 1}


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("sedes", "3", "unknown field of the experiment 'sedes': did you mean 'seeds'? Known: arms, baseline,"),
        ("task.q", "3", "unknown field of task 'q': Known: b_from, form, operation, p, train"),
        ("task.operatoin", "+", "unknown field of task 'operatoin': did you mean 'operation'? Known: "),
        ("model.hiden", "3", "unknown field of model 'hiden': did you mean 'hidden'? Known: activation, bias,"),
        ("training.budgte", "3", "unknown field of training 'budgte': did you mean 'budget'? Known: batch,"),
        (
            "arms.plian.adamw.lr",
            "3",
            "unknown arm 'plian': did you mean 'plain'? Known: held, plain; a new one needs methods = [...]",
        ),
        ("arms.plain.adam.lr", "3", "unknown method of arm 'plain' 'adam': did you mean 'adamw'? Known: adamw"),
        ("arms.plain.adamw.rl", "3", "unknown field of arms.plain.adamw 'rl': did you mean 'lr'? Known: beta1,"),
        ("arms.held.adamw.lr.stesp", "3", "unknown field of arms.held.adamw.lr 'stesp': did you mean 'steps'? Known: "),
        (
            "arms.plain.adamw.lr.steps",
            "3",
            "arms.plain.adamw.lr: "
            'expected a table with "is" = one of cosine, linear, recorded, until, warmup, warmup-cosine, '
            "got {'steps': 3}",
        ),
        ("arms.plain.adamw", "3", "arms.plain.adamw: expected a field, such as arms.plain.adamw.lr, got 3"),
        ("arms.plain", "3", "arms.plain: expected a method and a field, such as arms.plain.adamw.lr, got 3"),
        ("arms", "3", "arms: expected tables such as [arms.NAME], got 3"),
        (
            "arms.plain.methods",
            "3",
            "arms.plain: expected methods = [{ is = \"adamw\", ... }, ...], got {'methods': 3}",
        ),
        ("arms.new.methods", "[]", "arm 'new' has no methods: give at least an optimiser"),
        ("arms.new.methods", "[3]", 'arms.new.methods[0]: expected a table with "is" = one of adam, adamw,'),
        (
            "arms.new.methods",
            '[{ is = "adamv" }]',
            "arms.new.methods[0]: unknown kind 'adamv': did you mean 'adam'? Known: adam,",
        ),
        (
            "arms.new.methods",
            '[{ is = ["adamw"] }]',
            "arms.new.methods[0]: unknown kind \"['adamw']\": did you mean 'adamw'? Known: adam,",
        ),
        (
            "arms.new.methods",
            '[{ is = "adamw", rl = 1 }]',
            "unknown field of arms.new.methods[0] 'rl': did you mean 'lr'? Known: ",
        ),
        ("arms.new.methods", '[{ is = "adamw", lr = "1" }]', "arms.new.methods[0].lr: expected a number, got '1'"),
        ("task.p", "97.0", "task.p: expected a whole number, got 97.0"),
        ("task.p", "many", "task.p: expected a whole number, got 'many'"),
        ("task.p", "true", "task.p: expected a whole number, got True"),
        ("task.p", "96.5", "task.p: expected a whole number, got 96.5"),
        ("task.train", "half", "task.train: expected a number, got 'half'"),
        ("task.train", "true", "task.train: expected a number, got True"),
        ("task.form", "pairs", "task.form: unknown value 'pairs': did you mean 'pair'? Known: a b =, a op b =, pair"),
        ("task.form", "3", "task.form: unknown value '3': Known: a b =, a op b =, pair"),
        ("title", "3", "title: expected a text, got 3"),
        ("model.bias", "1", "model.bias: expected true or false, got 1"),
        ("model.hidden", "16,big", "model.hidden: expected a whole number, got 'big'"),
        ("model.hidden", "1.5", "model.hidden: expected a whole number, got 1.5"),
        (
            "training.precision",
            "float16",
            "training.precision: unknown value 'float16': did you mean 'float64'? Known: float32, float64",
        ),
        ("task.p.q", "3", "task.p: expected a whole number, got a table"),
        ("seeds.x", "3", "seeds: expected a whole number, got a table"),
        (
            "task.is",
            "modulo",
            "task: unknown kind 'modulo': did you mean 'modular'? Known: "
            "addition, modular, parity, permutations, random-labels, text",
        ),
        (
            "arms.plain.adamw.lr.is",
            "wamrup",
            "arms.plain.adamw.lr: unknown kind 'wamrup': did you mean 'warmup'? Known: ",
        ),
        ("arms.plain.adamw.lr.is", "warmup", "arms.plain.adamw.lr: warmup needs value"),
        ("arms.plain.adamw.lr", '{ is = "linear", start = 1 }', "arms.plain.adamw.lr: linear needs end, steps"),
        (
            "arms.plain.adamw.lr",
            '{ is = "warmup", value = "x" }',
            "arms.plain.adamw.lr.value: expected a number, got 'x'",
        ),
        (
            "arms.plain.adamw.lr",
            '{ is = "warmup", value = { is = "linear" } }',
            "arms.plain.adamw.lr.value: expected a number, got {'is': 'linear'}",
        ),
        (
            "arms.plain.adamw.lr",
            '{ is = "warmup", value = 1, step = 2 }',
            "unknown field of arms.plain.adamw.lr 'step': did you mean 'steps'? Known: ",
        ),
        ("arms.held.radial.sites", "[1]", "arms.held.radial.sites: expected a text, got 1"),
        (
            "arms.plain.adamw.beta1",
            '{ is = "warmup", value = 1 }',
            "arms.plain.adamw.beta1: expected a number, got a table",
        ),
        ("training.is", "x", "unknown field of training 'is': Known: batch,"),
        ("training", "3", "training: expected a table, got 3"),
        ("task", "3", "task: expected a table, got 3"),
        ("training.budget", "0", "training.budget must be at least 1, got 0"),
        ("task.train", "1.5", "Modular.train must lie in (0, 1), got 1.5"),
    ],
)
def test_what_cannot_be_meant_is_one_line_with_the_nearest_name(path, text, message):
    with pytest.raises(SpecError) as error:
        flagged(path, text)
    assert str(error.value).startswith(message) if message.endswith((",", ": ")) else str(error.value) == message
    assert "\n" not in str(error.value)


WITHOUT = [
    (SCRATCH.replace("[task]", "[tusk]"), "task"),
    (SCRATCH.replace("[model]", "[moddle]"), "model"),
    ("[task]\n[model]\n", "arms"),
]


@pytest.mark.parametrize(("text", "key"), WITHOUT)
def test_a_file_that_lacks_a_part_says_which(tmp_path, text, key):
    with pytest.raises(SpecError) as error:
        from_file(tmp_path, text)
    assert str(error.value) == f"{tmp_path / 'mine.toml'} lacks [{key}]: give it, or a base to start from"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds = 3", "sedes = 3", "unknown field of the experiment 'sedes': did you mean 'seeds'? Known: "),
        ("p = 7", "q = 7", "unknown field of task 'q': Known: "),
        ("layers = 1", "layer = 1", "unknown field of model 'layer': did you mean 'layers'? Known: "),
        ("every = 4", "evry = 4", "unknown field of training 'evry': did you mean 'every'? Known: "),
        ("lr = 1 }", "rl = 1 }", "unknown field of arms.a.methods[0] 'rl': did you mean 'lr'? Known: "),
        (
            "start = 2",
            "begin = 2, start = 2",
            "unknown field of arms.b.methods[0].wd 'begin': did you mean 'end'? Known: ",
        ),
        ("[arms.a]", "[arms.a]\nmethod = 3", "arms.a: expected methods = [{ is = "),
        (
            'is = "modular"',
            'is = "module"',
            "task: unknown kind 'module': did you mean 'modular'? Known: "
            "addition, modular, parity, permutations, random-labels, text",
        ),
        (
            'is = "modular"',
            "",
            'task: expected a table with "is" = one of '
            "addition, modular, parity, permutations, random-labels, text, got {",
        ),
        ("seeds = 3", 'seeds = "3"', "seeds: expected a whole number, got '3'"),
        ('baseline = "b"', 'baseline = "c"', "unknown arm 'c': Known: a, b (baseline)"),
    ],
)
def test_an_unknown_key_anywhere_in_a_file_is_an_error(tmp_path, old, new, message):
    assert old in SCRATCH
    with pytest.raises(SpecError) as error:
        from_file(tmp_path, SCRATCH.replace(old, new, 1))
    assert str(error.value).startswith(message)


def test_what_is_no_experiment_is_one_line(tmp_path):
    wanted = r"^unknown experiment 'bsae': did you mean 'base'\? Known: base \(or the path of a \.toml file\)$"
    with pytest.raises(SpecError, match=wanted):
        load("bsae", NAMED)
    with pytest.raises(SpecError, match=rf"^cannot read {tmp_path}/none.toml: No such file or directory$"):
        load(str(tmp_path / "none.toml"), NAMED)
    with pytest.raises(SpecError, match=r"^/\S*/mine\.toml is no TOML file: Expected '='.* \(at line 1, column 6\)$"):
        from_file(tmp_path, "what is this")
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SpecError, match=r"mine\.toml is no TOML file: 'utf-8' codec can't decode byte 0xff"):
        load(str(tmp_path / "mine.toml"), NAMED)
    for base, shown in (('"bass"', "'bass': did you mean 'base'"), ("3", "'3': Known"), ('["x"]', '"')):
        with pytest.raises(SpecError) as error:
            from_file(tmp_path, f"base = {base}")
        assert str(error.value).startswith(f"unknown experiment {shown}")
        assert str(error.value).endswith(f"(base in {tmp_path / 'mine.toml'})")


@pytest.mark.parametrize("kinds", [catalogue.TASKS, catalogue.MODELS, catalogue.METHODS, catalogue.SCHEDULES])
def test_everything_with_a_name_is_frozen_data_and_documented(kinds):
    assert len(set(kinds.values())) == len(kinds)
    for made in kinds.values():
        assert dataclasses.is_dataclass(made) and made.__dataclass_params__.frozen and made.__doc__
