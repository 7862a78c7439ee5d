"""The penalty's gradient inside a LightningModule: one update by SGD at rate 1 shows it whole."""

from __future__ import annotations

import logging

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from anglewise.errors import AttachError
from anglewise.torch import RadialSuppression
from anglewise.torch.lightning import RadialLightningMixin, readings_callback
from tests.support.language import SITES, STRENGTH, TARGET, Language, cross_entropy, flat, reference

pl = pytest.importorskip("lightning.pytorch")
from lightning.pytorch.loggers import CSVLogger  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning"),
]


class Plain(pl.LightningModule):
    """Somebody's module, which knows nothing of a penalty."""

    def __init__(self, rate: float = 1.0) -> None:
        super().__init__()
        self.network, self.rate = Language(), rate

    def training_step(self, batch, batch_idx):
        return cross_entropy(self.network(batch[0]), batch[1])

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", cross_entropy(self.network(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), self.rate)


class Suppressed(RadialLightningMixin, Plain):
    def __init__(self, strength=STRENGTH, **more) -> None:
        super().__init__(**more)
        self.suppression = RadialSuppression(self.network, SITES, strength, TARGET)


class Masked(Suppressed):
    """A dictionary in, a dictionary out, and a step that calls its parent's."""

    def training_step(self, batch):
        loss = super().training_step((batch["tokens"], batch["labels"]), 0)
        return {"loss": loss, "more": 1}


class Manual(Suppressed):
    def __init__(self, parts: int = 1, adds: bool = True) -> None:
        super().__init__()
        self.automatic_optimization, self.parts, self.adds = False, parts, adds

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        loss = loss + self.radial_penalty(batch) if self.adds else loss
        self.manual_backward(loss / self.parts)
        if (batch_idx + 1) % self.parts == 0:
            self.optimizers().step()
            self.optimizers().zero_grad()


@pytest.fixture
def fit(tokens, labels, tmp_path):
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

    def run(module, *, size=8, steps=1, logger=False, every=1, mask=None, validate=False, **more):
        parts = (tokens, labels) if mask is None else (tokens, labels, mask)
        loader = DataLoader(TensorDataset(*parts), batch_size=size)
        if mask is not None:
            names = ("tokens", "labels", "attention_mask")
            loader = DataLoader([dict(zip(names, row, strict=True)) for row in zip(*parts, strict=True)], size)
        trainer = pl.Trainer(
            accelerator="cpu", max_steps=steps, logger=logger, log_every_n_steps=every, default_root_dir=tmp_path,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
            num_sanity_val_steps=0, limit_val_batches=1 if validate else 0, **more,
        )  # fmt: skip
        before = flat(module)
        trainer.fit(module, loader, loader)
        return before - flat(module)

    return run


@pytest.mark.parametrize("accumulate", [1, 4])
def test_accumulation_gives_the_gradient_of_one_big_batch(accumulate, fit, tokens, labels):
    got = fit(Suppressed(), size=8 // accumulate, accumulate_grad_batches=accumulate)
    torch.testing.assert_close(got, reference(tokens, labels), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("parts", [1, 4])
def test_a_manual_step_adds_it_itself(parts, fit, tokens, labels):
    got = fit(Manual(parts), size=8 // parts)
    torch.testing.assert_close(got, reference(tokens, labels), rtol=1e-9, atol=1e-12)


def test_a_manual_step_without_its_penalty_is_refused(fit):
    with pytest.raises(AttachError, match="manual training_step ended without its penalty"):
        fit(Manual(adds=False))


def test_control_a_wrong_strength_is_seen(fit, tokens, labels):
    assert (fit(Suppressed(STRENGTH / 2)) - reference(tokens, labels)).abs().max() > 1e-3


def test_a_step_that_calls_its_parents_is_penalised_once_and_masked(fit, tokens, labels):
    mask = torch.ones_like(tokens)
    mask[:, 3:] = 0
    got = fit(Masked(), size=2, accumulate_grad_batches=4, mask=mask)
    torch.testing.assert_close(got, reference(tokens, labels, mask=mask), rtol=1e-9, atol=1e-12)


def test_strength_0_leaves_the_training_bit_identical(fit):
    off, plain = Suppressed(0.0, rate=0.1), Plain(rate=0.1)
    fit(off, size=2, steps=3)
    fit(plain, size=2, steps=3)
    assert torch.equal(flat(off), flat(plain))


def test_readings_go_to_the_logger_where_it_logs(fit, tmp_path):
    logger = CSVLogger(tmp_path)
    module = Suppressed(rate=0.1)
    asked = []
    readings = module.suppression.readings
    module.suppression.readings = lambda loss: asked.append(loss) or readings(loss)
    fit(module, size=2, steps=4, logger=logger, every=2, validate=True)
    rows = (tmp_path / "lightning_logs" / "version_0" / "metrics.csv").read_text().splitlines()
    assert "radial/blocks.1.mlp/radius" in rows[0] and "radial/penalty_share" in rows[0] and "val_loss" in rows[0]
    assert len(asked) == 2


def test_several_suppressions_add_up(fit, tokens, labels):
    class Several(RadialLightningMixin, Plain):
        def __init__(self):
            super().__init__()
            self.suppression = [RadialSuppression(self.network, f"blocks.{k}.mlp", STRENGTH, TARGET) for k in (0, 1)]

    torch.testing.assert_close(fit(Several()), reference(tokens, labels), rtol=1e-9, atol=1e-12)


def test_a_callback_logs_and_changes_nothing(fit, tmp_path):
    plain, logging = Plain(rate=0.1), Plain(rate=0.1)
    fit(plain, size=2, steps=3)
    suppression = RadialSuppression(logging.network, SITES, strength=0.0)
    fit(logging, size=2, steps=3, logger=CSVLogger(tmp_path), callbacks=[readings_callback(suppression)])
    assert torch.equal(flat(plain), flat(logging))
    rows = (tmp_path / "lightning_logs" / "version_0" / "metrics.csv").read_text().splitlines()
    assert "radial/blocks.1.mlp/radius" in rows[0] and len(rows) == 4


def test_validation_is_without_penalty(fit, tokens, labels):
    module = Suppressed(rate=0.0)
    fit(module, validate=True)
    plain = cross_entropy(module.network(tokens), labels).item()
    assert module.trainer.callback_metrics["val_loss"].item() == pytest.approx(plain)


def test_schedules_get_the_global_step(fit):
    asked = []
    fit(Suppressed(lambda step: asked.append(step) or 0.1), size=2, steps=2, accumulate_grad_batches=2)
    assert sorted(set(asked)) == [0, 1] and len(asked) == 8


def test_a_compiled_network_is_penalised(fit, tokens, labels):
    module = Suppressed()
    module.network.compile(backend="aot_eager")
    torch.testing.assert_close(fit(module), reference(tokens, labels), rtol=1e-9, atol=1e-12)


def test_a_skipped_batch_owes_no_penalty(fit):
    class Skips(Suppressed):
        def training_step(self, batch, batch_idx):
            loss = super().training_step(batch, batch_idx)
            return None if batch_idx == 0 else loss

    with pytest.warns(UserWarning, match="returned `None`"):
        fit(Skips(rate=0.1), size=2, steps=3)


def test_a_module_without_suppression_is_refused(fit):
    class Forgot(RadialLightningMixin, Plain):
        pass

    with pytest.raises(AttachError, match=r"Forgot has no suppression: expected __init__ to set"):
        fit(Forgot())


def test_a_class_without_a_step_is_refused():
    with pytest.raises(TypeError, match="Wrong has no training_step: expected a LightningModule"):

        class Wrong(RadialLightningMixin):
            pass


def test_a_suppression_of_another_model_is_refused(fit):
    module = Suppressed()
    module.suppression = RadialSuppression(Language(), SITES)
    with pytest.raises(AttachError, match="not part of the model in training"):
        fit(module)


def test_a_step_called_without_a_trainer_needs_none(tokens, labels):
    module = Suppressed()
    loss = module.training_step((tokens, labels), 0)
    assert loss.item() > cross_entropy(module.network.eval()(tokens), labels).item()
