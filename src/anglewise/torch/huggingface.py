r"""Hugging Face: the radial penalty inside a `transformers.Trainer`, whose callbacks cannot change the loss.

>>> from anglewise.torch.huggingface import RadialTrainerMixin

and then ``class MyTrainer(RadialTrainerMixin, Trainer): pass``.  The penalty is a mean over vectors, so each of n
accumulated micro-batches owes 1/n of its gradient.  The Trainer divides a loss by n only where the loss was not
already normalised by the number of tokens of all n; which of the two holds is asked of the Trainer, and
checked once against what it did, because that rule has changed from release to release.

Nothing is imported from transformers here; tested with release 5.23.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from torch import nn

from anglewise.errors import AttachError
from anglewise.torch.adapters import Mask, all_readings, check_attached, each, owed_readings, token_mask, total_penalty
from anglewise.torch.suppression import RadialSuppression

if TYPE_CHECKING:
    from transformers import Trainer, TrainerCallback

Suppressions: TypeAlias = RadialSuppression | Sequence[RadialSuppression]
Attach: TypeAlias = Callable[[nn.Module], Suppressions]
_Trainer: Any = object


class RadialTrainerMixin(_Trainer):
    """Put before `Trainer` among the bases; everything else about the Trainer stays as it is.

    In training the loss becomes task loss + penalty; schedules get ``state.global_step``; padding is left out by
    the batch's masks.  Evaluation is untouched.  Wherever the Trainer logs a training loss, the readings join
    under ``radial/...``, on their way to whatever tracker it reports to.

    Args:
        *args, **kwargs: Handed to the Trainer.
        suppression: Attached to the model that the Trainer gets, one or several; with ``model_init``, or to let the
            Trainer attach it, a function from the model to these.

    Raises:
        AttachError: If `suppression` is none of these; in training, if it is of another model, losses are scaled in an
            unknown way, or padding cannot be matched with a site.
    """

    def __init__(self, *args: Any, suppression: Suppressions | Attach, **kwargs: Any) -> None:
        if not (callable(suppression) or each(suppression)):
            raise AttachError(
                f"got suppression={type(suppression).__name__}, expected a RadialSuppression, several of them, or a "
                "function from the model to these"
            )
        self.suppression: Any = suppression
        self._radial_make = suppression if callable(suppression) else None
        self._radial_total, self._radial_scale_seen = None, False
        super().__init__(*args, **kwargs)
        if self.suppression is self._radial_make:
            self.suppression = self.suppression(self.model)

    def radial_mask(self, inputs: Mapping[str, Any]) -> Mask:
        """Which vectors count, by the masks in `inputs`.  An override gives a mask, or globs over sites with masks."""
        return token_mask(each(self.suppression), inputs, self.model)

    def call_model_init(self, *args: Any, **kwargs: Any) -> Any:
        """A fresh model, with a suppression of its own."""
        model = super().call_model_init(*args, **kwargs)
        if self._radial_make is not None:
            self.suppression = self._radial_make(model)
        return model

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The Trainer's loss of `model` on `inputs`; in training, plus the penalty's share of this micro-batch."""
        result = super().compute_loss(model, inputs, *args, **kwargs)
        if not model.training:
            return result
        suppressions = each(self.suppression)
        check_attached(suppressions, model)
        items = kwargs.get("num_items_in_batch", args[1] if len(args) > 1 else None)
        parts = self._radial_parts() if self._is_normalised(items) else 1
        task, *outputs = result if isinstance(result, tuple) else (result,)
        penalty = total_penalty(suppressions, self.radial_mask(inputs), self.state.global_step)
        total = task + penalty.to(task.device) / parts
        self._radial_total = total.detach() * parts
        return (total, *outputs) if outputs else total

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """The Trainer's step; the first one with gradient accumulation shows how losses are scaled."""
        parts, items = self._radial_parts(), kwargs.get("num_items_in_batch", args[2] if len(args) > 2 else None)
        if self._radial_scale_seen or parts == 1:
            return super().training_step(*args, **kwargs)
        losses, compute, before = [], self.compute_loss, self.__dict__.get("compute_loss")

        def recorded(*args: Any, **kwargs: Any) -> Any:
            losses.append(compute(*args, **kwargs))
            return losses[-1]

        self.compute_loss = recorded  # type: ignore[method-assign]
        try:
            result = super().training_step(*args, **kwargs)
        finally:
            self.__dict__.update(compute_loss=before) if before else self.__dict__.pop("compute_loss")
        loss, scaled = losses[-1].item(), result.item()
        wanted = loss if self._is_normalised(items) else loss / parts
        if abs(scaled - wanted) > 0.1 * abs(wanted):
            raise AttachError(
                f"the Trainer turned a loss of {loss:.6g} into {scaled:.6g} over {parts} accumulated batches, "
                f"expected {wanted:.6g}: this release of transformers scales losses in a way that the penalty does "
                "not know; train with gradient_accumulation_steps=1, or with transformers 5.23"
            )
        self._radial_scale_seen = wanted != 0
        return result

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """The Trainer's log; where `logs` has a training loss, the readings join it."""
        if "loss" in logs and self._radial_total is not None:
            readings = all_readings(each(self.suppression), self._radial_total)
            logs = logs | {f"radial/{name}": value for name, value in readings.items()}
        super().log(logs, *args, **kwargs)

    def _radial_parts(self) -> int:
        return getattr(self, "current_gradient_accumulation_steps", None) or self.args.gradient_accumulation_steps

    def _is_normalised(self, items: Any) -> bool:
        """Whether the loss is one over all accumulated batches already, so that the Trainer does not divide it."""
        declared = getattr(self, "loss_is_scaled_for_ga", None)
        if declared is not None:
            return bool(declared)
        return self.compute_loss_func is not None or bool(self.model_accepts_loss_kwargs and items is not None)


def add_readings_callback(trainer: Trainer, suppression: Suppressions) -> TrainerCallback:
    """Let a Trainer log radii, and change nothing else: no mixin, and no penalty in the loss.

    The readings join the Trainer's training logs under ``radial/...``, on their way to whatever tracker it reports to.
    They are of the last forward before the log, padding included.  A penalty that the loss already has is left alone.

    Args:
        trainer: A `transformers.Trainer`, before ``train()``.
        suppression: Attached to its model, one or several, for instance with ``strength=0``.

    Returns:
        The callback, which the Trainer has already.

    Example:
        >>> add_readings_callback(trainer, RadialSuppression(model, strength=0))  # doctest: +SKIP
    """
    from transformers import TrainerCallback

    suppressions = each(suppression)

    class RadialCallback(TrainerCallback):  # type: ignore[misc, unused-ignore]
        """Takes what is owed after each forward, and adds the readings to the logs."""

        def on_substep_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            """After a micro-batch."""
            owed_readings(suppressions, state.global_step)

        on_step_end = on_substep_end

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            """Before the trackers get the logs."""
            if logs and "loss" in logs:
                readings = all_readings(suppressions, logs["loss"])
                named = {f"radial/{name}": value for name, value in readings.items()}
                logs.update(named)
                state.log_history[-1].update(named)

    check_attached(suppressions, cast(nn.Module, trainer.model))
    callback = RadialCallback()
    trainer.callback_handler.callbacks.insert(0, callback)
    return callback
