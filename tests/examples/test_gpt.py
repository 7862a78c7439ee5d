"""The GPT script: arms differ by the penalty alone, stopping changes nothing, answers are graded as they should."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import signal
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from anglewise.torch import RadialSuppression
from tests.support.examples import FOLDER, example

gpt_tasks = example("gpt_tasks")
gpt = example("gpt")
SIZES, Config = gpt.SIZES, gpt.Config
Addition, Text, line = gpt_tasks.Addition, gpt_tasks.Text, gpt_tasks.line
CPU = torch.device("cpu")
TOY = Config(**SIZES["toy"])
SHAKESPEARE = Path(__file__).resolve().parents[3] / "shared" / "data" / "tinyshakespeare.txt"


def result(out: Path) -> dict:
    return torch.load(out / "checkpoint.pt", weights_only=True)


def equal(a, b) -> bool:
    """Whether nested containers of tensors have the same bits."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b


def timeless(history: list[dict]) -> list[dict]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history]


# ---- arms


class Nothing:
    """No hooks at all, in the place of RadialSuppression."""

    sites = ("",)

    def __init__(self, *arguments) -> None: ...

    def penalty(self) -> float:
        return 0.0

    def readings(self, loss) -> dict[str, float]:
        return {"penalty_share": 0.0, "/radius": 0.0}


def test_strength_0_has_the_bits_of_no_suppression(tmp_path):
    gpt.train(TOY, tmp_path / "zero", CPU)
    gpt.train(TOY, tmp_path / "without", CPU, attach=Nothing)
    zero, without = result(tmp_path / "zero"), result(tmp_path / "without")
    assert equal(zero["model"], without["model"]) and equal(zero["optimizer"], without["optimizer"])


def seen_in_training(c: Config, out: Path) -> list[torch.Tensor]:
    """The first weights of the embedding, then every batch."""
    seen: list[torch.Tensor] = []

    def note(module: nn.Module, arguments: tuple) -> None:
        if isinstance(module, gpt.GPT) and module.training:
            seen.extend([module.embed.weight.detach().clone()] * (not seen) + [arguments[0].clone()])

    handle = nn.modules.module.register_module_forward_pre_hook(note)
    try:
        gpt.train(c, out, CPU)
    finally:
        handle.remove()
    return seen


def test_arms_share_first_weights_and_batches_and_differ_afterwards(tmp_path):
    plain = seen_in_training(TOY, tmp_path / "plain")
    radial = seen_in_training(dataclasses.replace(TOY, suppression=0.5), tmp_path / "radial")
    assert equal(plain, radial)
    assert len(plain) == 1 + TOY.steps
    assert not torch.equal(plain[1], plain[2])
    assert not equal(result(tmp_path / "plain")["model"], result(tmp_path / "radial")["model"])


def test_compiled_training_agrees_with_eager(tmp_path, monkeypatch):
    c = dataclasses.replace(TOY, suppression=0.1, dropout=0.0, steps=4)
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))
    compiled, eager = gpt.train(c, tmp_path / "a", CPU, compiled=True), gpt.train(c, tmp_path / "b", CPU)
    assert compiled[-1]["loss"] == pytest.approx(eager[-1]["loss"], rel=1e-5)
    assert compiled[-1]["penalty_share"] == pytest.approx(eager[-1]["penalty_share"], rel=1e-5)
    assert compiled[-1]["penalty_share"] > 0.01


# ---- stopping


class Interrupting(RadialSuppression):
    """Presses Ctrl-C at its eleventh penalty."""

    calls = 0

    def penalty(self, **options) -> torch.Tensor:
        self.calls += 1
        if self.calls == 11:
            os.kill(os.getpid(), signal.SIGINT)
        return super().penalty(**options)


def test_a_run_that_was_stopped_ends_with_the_bits_of_one_that_was_not(tmp_path):
    c = dataclasses.replace(TOY, suppression=0.1, accumulate=2)
    gpt.train(c, tmp_path / "whole", CPU)
    with pytest.raises(SystemExit) as stopped:
        gpt.train(c, tmp_path / "halves", CPU, attach=Interrupting)
    assert stopped.value.code == 130
    assert result(tmp_path / "halves")["step"] == 6
    torch.rand(3)
    gpt.train(c, tmp_path / "halves", CPU)
    whole, halves = result(tmp_path / "whole"), result(tmp_path / "halves")
    assert equal(whole["model"], halves["model"]) and equal(whole["optimizer"], halves["optimizer"])
    assert timeless(whole["history"]) == timeless(halves["history"])
    logs = [(tmp_path / name / "log.jsonl").read_text().splitlines() for name in ("whole", "halves")]
    assert timeless(map(json.loads, logs[0])) == timeless(map(json.loads, logs[1]))


def test_a_finished_run_is_left_as_it_is(tmp_path, capsys):
    gpt.train(TOY, tmp_path, CPU)
    before = (tmp_path / "log.jsonl").read_bytes(), (tmp_path / "checkpoint.pt").read_bytes()
    gpt.train(TOY, tmp_path, CPU)
    assert ((tmp_path / "log.jsonl").read_bytes(), (tmp_path / "checkpoint.pt").read_bytes()) == before
    assert "was finished before" in capsys.readouterr().out


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    gpt.train(TOY, tmp_path, CPU)
    with pytest.raises(SystemExit, match=r"is of another run \(seed 0 then, 1 now\): pass its flags"):
        gpt.train(dataclasses.replace(TOY, seed=1), tmp_path, CPU)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    gpt.train(TOY, tmp_path, CPU)
    whole = (tmp_path / "checkpoint.pt").read_bytes()
    (tmp_path / "checkpoint.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SystemExit, match=r"checkpoint.pt cannot be read .*: move it away"):
        gpt.train(TOY, tmp_path, CPU)


# ---- processes


def test_two_processes_learn_what_one_learns_with_accumulation(tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2",
               str(FOLDER / "gpt.py"), "--size", "toy", "--suppression", "0.1", "--accumulate", "4",
               "--device", "cpu", "--out", str(tmp_path / "two")]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    gpt.train(dataclasses.replace(TOY, suppression=0.1, accumulate=4), tmp_path / "one", CPU)
    one, two = result(tmp_path / "one"), result(tmp_path / "two")
    assert json.loads((tmp_path / "two" / "log.jsonl").read_text().splitlines()[0])["processes"] == 2
    for name, weight in one["model"].items():
        torch.testing.assert_close(two["model"][name], weight, rtol=1e-4, atol=1e-6)


def test_processes_that_cannot_share_the_micro_batches_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SystemExit, match="--accumulate 1 cannot be shared by 2 processes: pass a multiple of 2"):
        gpt.train(TOY, tmp_path, CPU)


# ---- addition


class Oracle(nn.Module):
    """Sees one prefix at a time, and knows sums; `spoil(prefix, right)` is the character that it says instead."""

    def __init__(self, spoil=lambda prefix, right: right) -> None:
        super().__init__()
        self.spoil = spoil

    def says(self, prefix: str) -> str:
        assert prefix.startswith("$"), "the prompt begins with the line"
        prompt, equals, said = prefix.partition("=")
        if not equals:
            return "\n"
        a, b = map(int, prompt[1:].split("+"))
        answer = line(a, b).partition("=")[2]
        return self.spoil(prefix, answer[len(said)] if len(said) < len(answer) else "\n")

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        texts = ["".join(Addition.characters[t] for t in row) for row in tokens.tolist()]
        said = [[Addition.characters.index(self.says(t[: i + 1])) for i in range(len(t))] for t in texts]
        return F.one_hot(torch.tensor(said), len(Addition.characters)).float()


def decoded(model: nn.Module, text: str) -> str:
    """Greedy decoding, the obvious way, one character after the other."""
    prompt, _, answer = text.partition("=")
    said = prompt + "="
    for _ in answer.strip():
        tokens = gpt_tasks.encode(said, Addition.characters)[None]
        said += Addition.characters[int(model(tokens)[0, -1].argmax())]
    return said


@pytest.fixture(scope="module")
def addition() -> Addition:
    return Addition(TOY, CPU)


def test_a_model_that_adds_is_always_right(addition):
    assert addition.exact(Oracle(), addition.test) == 1.0


@pytest.mark.parametrize(
    "spoil",
    [
        lambda prefix, right: "0" if right == "$" and "=" in prefix else right,
        lambda prefix, right: right if not prefix.endswith("=") else str((int(right) + 1) % 10),
        lambda prefix, right: "$",
    ],
    ids=["never ends", "wrong first digit", "ends at once"],
)
def test_an_answer_with_any_wrong_character_is_wrong(addition, spoil):
    assert addition.exact(Oracle(spoil), addition.test) == 0.0


def test_grading_equals_decoding_character_by_character(addition):
    def often_right(prefix, right):
        return right if zlib.crc32(prefix.encode()) % 5 else "7"

    model = Oracle(often_right)
    right = [decoded(model, text) == text.strip() for text in addition.test]
    assert 0.1 < sum(right) / len(right) < 0.9
    assert addition.exact(model, addition.test) == pytest.approx(sum(right) / len(right))


@pytest.mark.parametrize("seed", [0, 1])
def test_no_test_line_nor_its_mirror_is_trained_on(seed):
    task = Addition(Config(seed=seed), CPU)
    text = "".join(Addition.characters[i] for i in task.stream.tolist())
    lines = text.splitlines(keepends=True)

    def pair(text: str) -> frozenset[str]:
        return frozenset(text[1:].partition("=")[0].split("+"))

    assert len(set(lines)) == len(set(task.test)) == 10_000
    assert not {pair(text) for text in lines} & {pair(text) for text in task.test}
    assert "0 leaked" in task.says
    assert all(text == line(*map(int, text[1:].partition("=")[0].split("+"))) for text in lines + task.test)
    assert 900 < sum(len(max(pair(text), key=len)) < 3 for text in lines) < 1200


# ---- text


def test_validation_loss_is_the_mean_over_held_out_characters(tmp_path):
    (tmp_path / "text").write_text("to be or not to be, " * 50)
    c = dataclasses.replace(TOY, task="text", data=str(tmp_path / "text"), dropout=0.0)
    task = Text(c, CPU)
    torch.manual_seed(0)
    model = gpt.GPT(c, len(task.characters)).eval()
    held_out = gpt_tasks.encode(("to be or not to be, " * 50)[900:], task.characters)
    losses = []
    for begin in range(0, len(held_out) - c.context, c.context):
        window = held_out[begin : begin + c.context + 1]
        losses += [-model(window[None, :-1])[0].log_softmax(-1)[i, window[i + 1]].item() for i in range(c.context)]
    with torch.no_grad():
        assert task.evaluate(model)["val_loss"] == pytest.approx(sum(losses) / len(losses), rel=1e-5)


@pytest.mark.skipif(not SHAKESPEARE.is_file(), reason="needs ../shared/data/tinyshakespeare.txt beside the repository")
def test_tiny_shakespeare_has_65_characters_and_an_untrained_model_guesses():
    c = dataclasses.replace(TOY, task="text", data=str(SHAKESPEARE), context=64)
    task = Text(c, CPU)
    assert len(task.characters) == 65
    torch.manual_seed(0)
    with torch.no_grad():
        assert task.evaluate(gpt.GPT(c, 65).eval())["val_loss"] == pytest.approx(4.174, abs=0.02)


def test_the_default_has_the_recipes_size():
    model = gpt.GPT(Config(), 14)
    assert sum(p.numel() for p in model.blocks.parameters()) == pytest.approx(10.6e6, rel=0.01)
    assert all(p.ndim == 2 or "norm" in name for name, p in model.named_parameters())


# ---- the command


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "sort"], "--task got 'sort', expected addition or text"),
        (["--heads", "3"], "--width got 16, expected a multiple of --heads 3"),
        (["--suppression", "-1"], "--suppression got -1.0, expected a strength of at least 0"),
        (["--suppression", "much"], "invalid float value: 'much'"),
        (["--steps", "0"], "expected at least 1 of each of layers"),
        (["--dropout", "1"], "--dropout got 1.0, expected a share"),
        (["--context", "8"], "--context got 8, expected a line's length"),
        (["--train", "1000000"], "--train and twice --test are more than there are pairs: pass fewer"),
        (["--train", "1", "--test", "1"], "--train 1 gives"),
        (["--task", "text"], "--task text got --data '', expected a text file: pass the path"),
        (["--compare", "nowhere"], "--compare got nowhere, which has no log.jsonl"),
    ],
)
def test_a_wrong_flag_ends_with_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        gpt.main(["--size", "toy", "--device", "cpu", *arguments])
    said = ended.value.code if isinstance(ended.value.code, str) else capsys.readouterr().err.rstrip("\n")
    assert message in said and "\n" not in said


def test_too_short_a_text_ends_with_one_line(tmp_path):
    (tmp_path / "text").write_text("short")
    with pytest.raises(SystemExit, match="--data has 5 characters, expected more than 170: pass a longer text"):
        Text(dataclasses.replace(TOY, task="text", data=str(tmp_path / "text")), CPU)


def test_runs_are_compared_by_steps_to_thresholds_or_validation_loss(tmp_path, monkeypatch, capsys):
    for name, rows in {
        "sums": [{"step": 50, "seconds": 1.0, "exact_match": 0.6}, {"step": 100, "seconds": 2.0, "exact_match": 0.96}],
        "text": [{"step": 50, "seconds": 1.0, "val_loss": 1.5}, {"step": 100, "seconds": 2.0, "val_loss": 1.75}],
        "none": [],
    }.items():
        (tmp_path / name).mkdir()
        log = [{"config": {"suppression": 0.01, "seed": 3}}, *rows]
        (tmp_path / name / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in log))
    monkeypatch.chdir(tmp_path)
    gpt.main(["--compare", "sums", "text", "none"])
    sums, text, none = capsys.readouterr().out.splitlines()
    assert sums.startswith(
        "sums: suppression 0.01, seed 3, 50% at 50 (1 s), 90% at 100 (2 s), 95% at 100 (2 s), 99% never"
    )
    assert "validation loss 1.7500 at the end, 1.5000 at best (step 50)" in text
    assert none.endswith("nothing evaluated yet")
