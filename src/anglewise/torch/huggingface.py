r"""Hugging Face: the radial penalty inside a `transformers.Trainer`, whose callbacks cannot change the loss.

>>> from anglewise.torch.huggingface import RadialTrainerMixin

and then ``class MyTrainer(RadialTrainerMixin, Trainer): pass``.  The penalty is a mean over vectors, so each of n
accumulated micro-batches owes 1/n of its gradient.  The Trainer divides a loss by n only where the loss was not
already normalised by the number of tokens of all n; which of the two holds is asked of the Trainer, and
checked once against what it did, because that rule has changed from release to release.

Nothing is imported from transformers here; tested with release 5.23.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from torch import Tensor, nn

from anglewise.errors import AttachError
from anglewise.torch.adapters import check_attached, token_mask
from anglewise.torch.suppression import RadialSuppression

Attach: TypeAlias = Callable[[nn.Module], RadialSuppression]
_Trainer: Any = object


class RadialTrainerMixin(_Trainer):
    """Put before `Trainer` among the bases; everything else about the Trainer stays as it is.

    In training the loss becomes task loss + penalty; schedules get ``state.global_step``; padding is left out by
    ``attention_mask``.  Evaluation is untouched.  Wherever the Trainer logs a training loss, the readings join
    under ``radial/...``, on their way to whatever tracker it reports to.

    Args:
        *args, **kwargs: Handed to the Trainer.
        suppression: Attached to the model that the Trainer gets; with ``model_init``, or to let the Trainer
            attach it, a function from the model to the suppression.

    Raises:
        AttachError: In training, if the suppression is of another model, or losses are scaled in an unknown way.
    """

    def __init__(self, *args: Any, suppression: RadialSuppression | Attach, **kwargs: Any) -> None:
        self.suppression: Any = suppression
        self._radial_make = None if isinstance(suppression, RadialSuppression) else suppression
        self._radial_total, self._radial_scale_seen = None, False
        super().__init__(*args, **kwargs)
        if self.suppression is self._radial_make:
            self.suppression = self.suppression(self.model)

    def radial_mask(self, inputs: Mapping[str, Any]) -> Tensor | None:
        """Which vectors count; override it where ``attention_mask`` is not the mask of the sites."""
        return token_mask(self.suppression, inputs)

    def call_model_init(self, *args: Any, **kwargs: Any) -> Any:
        """A fresh model, with a suppression of its own."""
        model = super().call_model_init(*args, **kwargs)
        if self._radial_make is not None:
            self.suppression = self._radial_make(model)
        return model

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The Trainer's loss; in training, plus the penalty's share of this micro-batch."""
        result = super().compute_loss(model, inputs, *args, **kwargs)
        if not model.training:
            return result
        check_attached(self.suppression, model)
        items = kwargs.get("num_items_in_batch", args[1] if len(args) > 1 else None)
        parts = self._radial_parts() if self._is_normalised(items) else 1
        task, *outputs = result if isinstance(result, tuple) else (result,)
        penalty = self.suppression.penalty(mask=self.radial_mask(inputs), step=self.state.global_step)
        total = task + penalty.to(task.device) / parts
        self._radial_total = total.detach() * parts
        return (total, *outputs) if outputs else total

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """The Trainer's step; the first one with gradient accumulation shows how losses are scaled."""
        parts, items = self._radial_parts(), kwargs.get("num_items_in_batch", args[2] if len(args) > 2 else None)
        if self._radial_scale_seen or parts == 1:
            return super().training_step(*args, **kwargs)
        losses, compute, own = [], self.compute_loss, self.__dict__.get("compute_loss")

        def recorded(*args: Any, **kwargs: Any) -> Any:
            losses.append(compute(*args, **kwargs))
            return losses[-1]

        self.compute_loss = recorded  # type: ignore[method-assign]
        try:
            result = super().training_step(*args, **kwargs)
        finally:
            self.__dict__.update(compute_loss=own) if own else self.__dict__.pop("compute_loss")
        before, after = losses[-1].item(), result.item()
        wanted = before if self._is_normalised(items) else before / parts
        if abs(after - wanted) > 0.1 * abs(wanted):
            raise AttachError(
                f"the Trainer turned a loss of {before:.6g} into {after:.6g} over {parts} accumulated batches, "
                f"expected {wanted:.6g}: this release of transformers scales losses in a way that the penalty does "
                "not know; train with gradient_accumulation_steps=1, or with transformers 5.23"
            )
        self._radial_scale_seen = wanted != 0
        return result

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """The Trainer's log; training losses are joined by the readings."""
        if "loss" in logs and self._radial_total is not None:
            readings = self.suppression.readings(self._radial_total)
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
