import dataclasses
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.engine.step import Member, Program
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.models.gpt import GPT
from anglewise.lab.protocols.task import answers_of, evaluated_of
from anglewise.lab.spec import Training, to_json
from anglewise.lab.tasks import text as text_module
from anglewise.lab.tasks.text import LARGEST, Text
from tests.support.programs import quick_jit

KEY = jax.random.key(0)
VERSE = "the cat sat on the mat, the dog sat on the log.\n" * 20
SHAKESPEARE = Path(__file__).parents[4] / "shared" / "data" / "tinyshakespeare.txt"


@pytest.fixture
def task(tmp_path):
    file = tmp_path / "verse.txt"
    file.write_text(VERSE)
    return Text(path=str(file), context=16, stride=3)


def decoded(task, tokens):
    return "".join(task.characters[i] for i in np.asarray(tokens))


def test_a_window_is_followed_by_its_labels(task):
    data = task.split(KEY)
    for inputs, labels in ((data.train_inputs, data.train_labels), (data.test_inputs, data.test_labels)):
        assert inputs.shape == labels.shape == (len(inputs), 16)
        for x, y in zip(inputs[:20], labels[:20], strict=False):
            line = decoded(task, x) + decoded(task, y)[-1]
            assert line in VERSE and decoded(task, y) == line[1:]


def test_training_windows_lie_in_the_first_part_and_validation_windows_tile_the_rest(task):
    data, cut = task.split(KEY), int(0.9 * len(VERSE))
    train, test = ([decoded(task, x) for x in inputs] for inputs in (data.train_inputs, data.test_inputs))
    assert "".join(test) == VERSE[cut : cut + 16 * len(test)]
    assert sorted(train) == sorted(VERSE[i : i + 16] for i in range(0, cut - 16, 3))
    assert task.sizes == (len(train), len(test)) == (283, 5)
    assert train != [decoded(task, x) for x in task.split(jax.random.key(1)).train_inputs]


def test_each_character_counts_by_itself(task):
    answers = answers_of(task)
    assert answers.positions == answers.graded == tuple(range(16)) and not answers.whole
    assert evaluated_of(task) == (100, 5)
    assert evaluated_of(dataclasses.replace(task, evaluated_train=0, evaluated_test=2)) == (283, 2)


def test_another_text_is_another_run(tmp_path):
    told = []
    for text in (VERSE, VERSE, VERSE.upper()):
        file = tmp_path / "same"
        file.write_text(text)
        text_module._read.cache_clear()
        told.append(to_json(Text(path=str(file), context=16)))
    assert told[0] == told[1] and told[0]["path"] == told[2]["path"]
    assert told[0]["checksum"] != told[2]["checksum"]


def test_a_gpt_learns_it_in_nats_per_character(task):
    program = Program(task, GPT(layers=1, width=16, heads=2, sigma=0.1), (AdamW(lr=0.02),), Training(batch=32))
    member = Member(jax.tree.map(jnp.float32, program.methods), task.split(KEY), KEY, KEY)
    state = program.start(member, KEY)
    step, evaluate = jax.jit(program.step), quick_jit(program.evaluate)
    before = evaluate(member, state)
    assert float(before["test_loss"]) == pytest.approx(math.log(task.tokens), rel=0.1)
    for _ in range(60):
        state = step(member, state)
    after = evaluate(member, state)
    assert float(after["test_loss"]) < 0.6 * float(before["test_loss"])
    assert 0.3 < float(after["test_accuracy"]) <= 1


@pytest.mark.skipif(not SHAKESPEARE.exists(), reason="Tiny Shakespeare is not at hand")
def test_tiny_shakespeare_has_its_known_sizes():
    task = Text(path=str(SHAKESPEARE))
    assert task.tokens == 65 and len(task.characters) == 65
    assert task.sizes == ((1_003_854 - 257) // 32 + 1, (111_540 - 1) // 256)


def test_without_a_file_it_says_what_to_do():
    with pytest.raises(SpecError, match=r"the task text needs a file: set its path \(--task.path FILE\)"):
        _ = Text().sizes


def test_a_checksum_that_differs_is_an_error(task):
    with pytest.raises(SpecError, match="has the checksum [0-9a-f]{16}, expected 0123: it is another text"):
        dataclasses.replace(task, checksum="0123")


def test_a_file_that_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(SpecError, match=r"cannot read the text .*nowhere.txt.*: No such file"):
        Text(path=str(tmp_path / "nowhere.txt"))
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(SpecError, match="is no text in UTF-8"):
        Text(path=str(tmp_path / "bytes"))
    with (tmp_path / "large").open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(SpecError, match="expected at most 67,108,864 bytes, got 67,108,865"):
        Text(path=str(tmp_path / "large"))


def test_a_text_must_hold_a_window_in_each_part(tmp_path):
    (tmp_path / "short").write_text("abc" * 10)
    with pytest.raises(SpecError, match="has 30 characters, too few for a window of 16 in each part"):
        Text(path=str(tmp_path / "short"), context=16)
