"""The penalty's gradient inside a Hugging Face Trainer: one update by SGD at rate 1 shows it whole."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from anglewise.errors import AttachError
from anglewise.torch import RadialSuppression
from anglewise.torch.adapters import token_mask
from anglewise.torch.huggingface import RadialTrainerMixin, add_readings_callback
from tests.support.language import SITES, STRENGTH, TARGET, Language, cross_entropy, flat, reference

transformers = pytest.importorskip("transformers")


class MyTrainer(RadialTrainerMixin, transformers.Trainer):
    pass


class Mean(nn.Module):
    """A model whose loss is the mean over its batch, whatever the other batches hold."""

    def __init__(self) -> None:
        super().__init__()
        self.lm = Language()

    def forward(self, input_ids: Tensor, labels: Tensor, attention_mask: Tensor | None = None) -> dict[str, Tensor]:
        logits = self.lm(input_ids)
        return {"loss": cross_entropy(logits, labels), "logits": logits}


class Normalised(Mean):
    """A model that divides by the number of tokens in all accumulated batches, as those of transformers do."""

    def forward(self, input_ids: Tensor, labels: Tensor, attention_mask: Tensor | None = None, **kwargs):
        logits = self.lm(input_ids)
        items = kwargs.get("num_items_in_batch")
        total = nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        return {"loss": total / (labels.numel() if items is None else items), "logits": logits}


def rows(tokens, labels, mask=None):
    every = [{"input_ids": t, "labels": y} for t, y in zip(tokens, labels, strict=True)]
    return every if mask is None else [row | {"attention_mask": m} for row, m in zip(every, mask, strict=True)]


def trainer_of(model, data, folder, *, accumulate=1, cls=MyTrainer, suppression=None, steps=1, rate=1.0, **more):
    suppression = suppression or RadialSuppression(model, f"lm.{SITES}", STRENGTH, TARGET)
    settings = {
        "output_dir": str(folder),
        "per_device_train_batch_size": len(data) // accumulate,
        "gradient_accumulation_steps": accumulate,
        "max_steps": steps,
        "max_grad_norm": 0.0,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
    }
    arguments = transformers.TrainingArguments(**settings | more)
    optimizer = torch.optim.SGD(model.parameters(), rate)
    constant = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    return cls(
        model, arguments, train_dataset=data, eval_dataset=data, optimizers=(optimizer, constant),
        suppression=suppression,
    )  # fmt: skip


def gradient(trainer, model):
    before = flat(model)
    trainer.train()
    return before - flat(model)


@pytest.mark.parametrize("accumulate", [1, 2, 4, 8])
@pytest.mark.parametrize("kind", [Mean, Normalised])
def test_accumulation_gives_the_gradient_of_one_big_batch(kind, accumulate, tokens, labels, tmp_path):
    model = kind()
    got = gradient(trainer_of(model, rows(tokens, labels), tmp_path, accumulate=accumulate), model)
    torch.testing.assert_close(got, reference(tokens, labels), rtol=1e-5, atol=1e-7)


def test_control_a_wrong_strength_is_seen(tokens, labels, tmp_path):
    model = Mean()
    got = gradient(trainer_of(model, rows(tokens, labels), tmp_path), model)
    assert (got - reference(tokens, labels, strength=STRENGTH / 2)).abs().max() > 1e-3


@pytest.mark.parametrize("kind", [Mean, Normalised])
def test_a_last_update_of_fewer_batches_is_whole(kind, tokens, labels, tmp_path):
    model = kind()
    trainer = trainer_of(
        model, rows(tokens, labels)[:3], tmp_path, accumulate=2, per_device_train_batch_size=1, max_steps=2
    )
    suppression, seen = trainer.suppression, []
    compute = trainer.compute_loss
    trainer.compute_loss = lambda *a, **k: seen.append(trainer._radial_parts()) or compute(*a, **k)
    trainer.train()
    assert seen == [2, 2, 1]
    assert suppression.readings()["penalty"] > 0


def test_strength_0_leaves_the_training_bit_identical(tokens, labels, tmp_path):
    def plain(*args, suppression, **kwargs):
        return transformers.Trainer(*args, **kwargs)

    ends = []
    for strength, cls in ((0.0, MyTrainer), (0.0, plain), (STRENGTH, MyTrainer)):
        model = Mean()
        trainer = trainer_of(
            model, rows(tokens, labels), tmp_path, accumulate=2, cls=cls, steps=3, rate=0.1,
            suppression=RadialSuppression(model, f"lm.{SITES}", strength) if cls is MyTrainer else object(),
        )  # fmt: skip
        trainer.train()
        ends.append(flat(model))
    assert torch.equal(ends[0], ends[1]) and not torch.equal(ends[0], ends[2])


def test_padding_is_left_out_by_the_attention_mask(tokens, labels, tmp_path):
    mask = torch.ones_like(tokens)
    mask[:, 3:] = 0
    model = Mean()
    got = gradient(trainer_of(model, rows(tokens, labels, mask), tmp_path, accumulate=4), model)
    torch.testing.assert_close(got, reference(tokens, labels, mask=mask), rtol=1e-5, atol=1e-7)
    assert (got - reference(tokens, labels)).abs().max() > 1e-4


def test_in_an_encoder_and_decoder_each_has_the_mask_of_its_own_tokens():
    torch.manual_seed(0)
    model = transformers.BartForConditionalGeneration(
        transformers.BartConfig(
            d_model=8, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
            encoder_ffn_dim=8, decoder_ffn_dim=8, vocab_size=16, max_position_embeddings=16,
        )
    )  # fmt: skip
    suppression = RadialSuppression(model, ["*.self_attn", "*.encoder_attn"])
    source = torch.tensor([[1, 1, 0, 0, 0, 0]] * 2)
    target = torch.tensor([[3, 4, 5, 6, 7, 8], [3, 4, 5, -100, -100, -100]])  # as long as the source
    batch = {"input_ids": torch.ones(2, 6, dtype=torch.long), "attention_mask": source, "labels": target}
    model(**batch)
    masks = token_mask([suppression], batch, model)
    encoder, *decoder = suppression.sites
    assert encoder.startswith("model.encoder") and len(decoder) == 2 and decoder[1].endswith("encoder_attn")
    assert torch.equal(masks[encoder], source)
    assert all(torch.equal(masks[site], target != -100) for site in decoder)
    suppression.penalty(mask=masks)
    model(**batch)
    own = torch.ones(2, 6)
    masks = token_mask([suppression], batch | {"decoder_attention_mask": own}, model)
    assert masks[encoder] is source and masks[decoder[0]] is own


def test_the_virtual_tokens_of_a_prompt_count(tokens):
    model = Mean()
    model.peft_config = {"default": SimpleNamespace(num_virtual_tokens=2)}
    suppression = RadialSuppression(model, f"lm.{SITES}")
    mask = torch.ones(8, 3)
    mask[:, 2] = 0
    model.lm(tokens)  # five tokens, of which two stand for the prompt
    masks = token_mask([suppression], {"attention_mask": mask}, model)
    wanted = torch.tensor([1.0, 1.0, 1.0, 1.0, 0.0]).expand(8, 5)
    assert all(torch.equal(masks[site], wanted) for site in suppression.sites)


def test_padding_that_cannot_be_matched_with_a_site_is_refused(tokens):
    model = Mean()
    suppression = RadialSuppression(model, f"lm.{SITES}")
    model.lm(tokens)
    whole = torch.ones(8, 3)
    assert token_mask([suppression], {"attention_mask": whole}, model) is None  # nothing is padding
    whole[0, 2] = 0
    with pytest.raises(
        AttachError, match=r"its mask of shape \(8, 3\) does not fit the radii of site 'lm.blocks.0.mlp'"
    ):
        token_mask([suppression], {"attention_mask": whole}, model)
    assert token_mask([suppression], tokens, model) is None


def test_sites_that_read_images_have_no_tokens_to_leave_out():
    model = nn.ModuleDict({"text": nn.Identity(), "vision_model": nn.Identity()})
    suppression = RadialSuppression(model, ["text", "vision_model"], forwards="several")
    model["text"](x := torch.randn(2, 3, 4, requires_grad=True))
    model["vision_model"](x)
    mask = torch.tensor([[1, 1, 0]] * 2)
    assert token_mask([suppression], {"attention_mask": mask}, model) == {"text": mask, "vision_model": None}


def test_several_suppressions_add_up(tokens, labels, tmp_path):
    model = Mean()
    parts = [RadialSuppression(model, f"lm.blocks.{k}.mlp", STRENGTH, TARGET) for k in (0, 1)]
    trainer = trainer_of(model, rows(tokens, labels), tmp_path, accumulate=2, suppression=parts)
    torch.testing.assert_close(gradient(trainer, model), reference(tokens, labels), rtol=1e-5, atol=1e-7)
    logged = trainer.state.log_history[0]
    assert {f"radial/lm.blocks.{k}.mlp/radius" for k in (0, 1)} <= set(logged)
    assert logged["radial/penalty"] == pytest.approx(sum(one.readings()["penalty"] for one in parts))


def test_what_is_no_suppression_is_refused(tmp_path):
    with pytest.raises(AttachError, match=r"got suppression=float, expected a RadialSuppression, several"):
        MyTrainer(Mean(), suppression=0.1)


def test_sites_that_are_corrected_on_the_first_forward_are_masked_and_trained(tmp_path, caplog):
    torch.manual_seed(0)
    model = transformers.BloomForCausalLM(transformers.BloomConfig(hidden_size=8, n_layer=2, n_head=2, vocab_size=16))
    keep = torch.tensor([0, 0, 1, 1, 1, 1])
    data = [{"input_ids": torch.arange(6) + i, "labels": torch.arange(6), "attention_mask": keep} for i in range(4)]
    suppression = RadialSuppression(model, strength=0.1)
    trainer_of(model, data, tmp_path, suppression=suppression, steps=2).train()
    assert suppression.sites[:2] == ("transformer.h.0.self_attention.dense", "transformer.h.0.mlp.dense_4h_to_h")
    assert all(mask.sum() == 4 * 4 and rho.shape == (4, 6) for _, rho, mask in suppression._last)
    assert "corrected its choice" in caplog.text


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_callback_logs_and_changes_nothing(accumulate, tokens, labels, tmp_path):
    def plain(*args, suppression, **kwargs):
        return transformers.Trainer(*args, **kwargs)

    ends, seen = [], []

    class Tracker(transformers.TrainerCallback):
        def on_log(self, args, state, control, logs=None, **kwargs):
            seen.append(dict(logs))

    for logging in (True, False):
        model = Mean()
        trainer = trainer_of(
            model,
            rows(tokens, labels),
            tmp_path,
            accumulate=accumulate,
            cls=plain,
            steps=3,
            rate=0.1,
            suppression=object(),
        )
        trainer.add_callback(Tracker())
        if logging:
            add_readings_callback(trainer, RadialSuppression(model, f"lm.{SITES}", strength=0.0))
        trainer.train()
        ends.append(flat(model))
        logged = [row for row in trainer.state.log_history if "loss" in row]
        assert len(logged) == 3 and all(("radial/lm.blocks.1.mlp/radius" in row) is logging for row in logged)
    assert torch.equal(*ends)
    assert "radial/penalty_share" in seen[0]  # trackers get them, too


def test_a_callback_leaves_a_penalty_in_the_loss_alone(tokens, labels, tmp_path):
    class ByHand(transformers.Trainer):
        def __init__(self, *args, suppression, **kwargs):
            super().__init__(*args, **kwargs)
            self.own = suppression

        def compute_loss(self, model, inputs, **kwargs):
            return super().compute_loss(model, inputs, **kwargs) + self.own.penalty()

    model = Mean()
    trainer = trainer_of(model, rows(tokens, labels), tmp_path, cls=ByHand)
    add_readings_callback(trainer, trainer.own)
    torch.testing.assert_close(gradient(trainer, model), reference(tokens, labels), rtol=1e-5, atol=1e-7)
    assert trainer.state.log_history[0]["radial/penalty"] > 0


def test_evaluation_is_without_penalty(tokens, labels, tmp_path):
    model = Mean()
    trainer = trainer_of(model, rows(tokens, labels), tmp_path, eval_strategy="steps", eval_steps=1, rate=0.0)
    trainer.train()
    evaluated = next(row["eval_loss"] for row in trainer.state.log_history if "eval_loss" in row)
    trained = next(row["loss"] for row in trainer.state.log_history if "loss" in row)
    plain = cross_entropy(model.lm(tokens), labels).item()
    assert evaluated == pytest.approx(plain, rel=1e-5)
    assert trained == pytest.approx(plain + trainer.suppression.readings()["penalty"], rel=1e-5)


@pytest.mark.parametrize("kind", [Mean, Normalised])
def test_readings_join_the_training_log_and_no_other(kind, tokens, labels, tmp_path):
    model = kind()
    trainer = trainer_of(
        model, rows(tokens, labels), tmp_path, accumulate=2, eval_strategy="steps", eval_steps=1, rate=0.0
    )
    trainer.train()
    training = next(row for row in trainer.state.log_history if "loss" in row)
    assert training["radial/lm.blocks.1.mlp/radius"] > 0
    assert training["radial/penalty_share"] == pytest.approx(training["radial/penalty"] / training["loss"], rel=0.5)
    assert 0 < training["radial/penalty_share"] < 1
    others = [row for row in trainer.state.log_history if "loss" not in row]
    assert others and not any(name.startswith("radial/") for row in others for name in row)


def test_schedules_get_the_global_step(tokens, labels, tmp_path):
    model, asked = Mean(), []
    schedule = RadialSuppression(model, "lm.blocks.0.mlp", lambda step: asked.append(step) or 0.1)
    trainer_of(model, rows(tokens, labels), tmp_path, accumulate=2, suppression=schedule, steps=3).train()
    assert asked == [0, 0, 1, 1, 2, 2]


def test_a_compiled_model_is_penalised(tokens, labels, tmp_path):
    model = Mean()
    trainer = trainer_of(model, rows(tokens, labels), tmp_path, torch_compile=True, torch_compile_backend="aot_eager")
    torch.testing.assert_close(gradient(trainer, model), reference(tokens, labels), rtol=1e-5, atol=1e-7)


def test_model_init_takes_a_function(tokens, labels, tmp_path):
    arguments = transformers.TrainingArguments(
        str(tmp_path), max_steps=1, report_to="none", disable_tqdm=True, use_cpu=True, save_strategy="no"
    )
    trainer = MyTrainer(
        None, arguments, train_dataset=rows(tokens, labels), model_init=Mean,
        suppression=lambda model: RadialSuppression(model, f"lm.{SITES}"),
    )  # fmt: skip
    first = trainer.suppression
    trainer.train()
    assert trainer.suppression is not first and trainer.suppression.readings()["penalty"] > 0


def test_a_function_may_attach_to_a_given_model(tokens, labels, tmp_path):
    model = Mean()
    trainer = trainer_of(
        model, rows(tokens, labels), tmp_path,
        suppression=lambda model: RadialSuppression(model, f"lm.{SITES}", STRENGTH, TARGET),
    )  # fmt: skip
    torch.testing.assert_close(gradient(trainer, model), reference(tokens, labels), rtol=1e-5, atol=1e-7)


def test_a_suppression_of_another_model_is_refused(tokens, labels, tmp_path):
    other = RadialSuppression(Mean(), f"lm.{SITES}")
    trainer = trainer_of(Mean(), rows(tokens, labels), tmp_path, suppression=other)
    with pytest.raises(AttachError, match=r"attached to a Mean that is not part of the model in training"):
        trainer.train()


def test_a_trainer_that_scales_losses_otherwise_is_refused(tokens, labels, tmp_path):
    class Halves(transformers.Trainer):
        def training_step(self, *args, **kwargs):
            return super().training_step(*args, **kwargs) / 2

    class Mine(RadialTrainerMixin, Halves):
        pass

    trainer = trainer_of(Mean(), rows(tokens, labels), tmp_path, accumulate=2, cls=Mine)
    with pytest.raises(AttachError, match=r"turned a loss of .* over 2 accumulated batches, expected"):
        trainer.train()


def test_a_real_gpt_with_checkpointing_trains(tmp_path):
    config = transformers.GPT2Config(
        vocab_size=11, n_positions=8, n_embd=8, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0
    )
    ends = []
    for checkpointed in (False, True):
        torch.manual_seed(0)
        model = transformers.GPT2LMHeadModel(config).double()
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        if checkpointed:
            model.activation_checkpointing_enable()
        data = [{"input_ids": torch.arange(6) + i % 3, "labels": torch.arange(6) + i % 3} for i in range(4)]
        trainer = trainer_of(
            model, data, tmp_path, accumulate=2, steps=2,
            suppression=RadialSuppression(model, "transformer.h.*.mlp", STRENGTH),
        )  # fmt: skip
        trainer.train()
        assert trainer.state.log_history[0]["radial/transformer.h.1.mlp/radius"] > 0
        ends.append(flat(model))
    torch.testing.assert_close(*ends)


def test_a_real_gpt_accumulates_like_one_big_batch(tmp_path):
    config = transformers.LlamaConfig(
        vocab_size=11, hidden_size=8, intermediate_size=8, num_hidden_layers=2, num_attention_heads=2,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    moves = []
    for accumulate in (1, 4):
        torch.manual_seed(0)
        model = transformers.LlamaForCausalLM(config).double()
        data = [{"input_ids": torch.arange(6) + i % 3, "labels": torch.arange(6) + i % 3} for i in range(8)]
        trainer = trainer_of(model, data, tmp_path, accumulate=accumulate, suppression=RadialSuppression(model))
        assert trainer.suppression.sites == tuple(f"model.layers.{i}.{s}" for i in (0, 1) for s in ("self_attn", "mlp"))
        moves.append(gradient(trainer, model))
        assert trainer.suppression.readings()["penalty"] > 0.01
    torch.testing.assert_close(*moves, rtol=1e-5, atol=1e-7)
