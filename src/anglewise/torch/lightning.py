r"""Lightning: the radial penalty inside a `LightningModule`, whose callbacks cannot change the loss.

>>> from anglewise.torch.lightning import RadialLightningMixin

and then either ``class Suppressed(RadialLightningMixin, MyModule)`` around a module that exists, or the mixin
among the bases of a new one; ``self.suppression`` is set in ``__init__``.  Lightning divides what
``training_step`` returns by the number of accumulated batches, penalty included.

Nothing is imported from Lightning here until a callback is asked for; tested with release 2.6.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from torch import Tensor, nn

from anglewise.errors import AttachError
from anglewise.torch.adapters import Mask, all_readings, check_attached, each, owed_readings, token_mask, total_penalty
from anglewise.torch.suppression import RadialSuppression

if TYPE_CHECKING:
    from lightning.pytorch import Callback

_Module: Any = object


class RadialLightningMixin(_Module):
    """Adds the penalty to what ``training_step`` returns, and logs readings where the Trainer logs.

    Under automatic optimisation nothing is left to do.  Under manual optimisation only the author knows by what
    each loss is divided: there ``training_step`` adds ``self.radial_penalty(batch)`` to the loss before dividing
    it, once after every forward of the suppressed model.  Validation and test are untouched.

    Attributes:
        suppression: Set it in ``__init__``, one or several, best attached to the network inside, before anything is
            compiled.

    Raises:
        AttachError: In training, if there is no suppression, or a manual step took no penalty.
    """

    suppression: RadialSuppression | Sequence[RadialSuppression]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Wrap the class's ``training_step``, its own or inherited."""
        super().__init_subclass__(**kwargs)
        step = getattr(cls, "training_step", None)
        if step is None:
            raise TypeError(f"{cls.__name__} has no training_step: expected a LightningModule among its bases")
        if not getattr(step, "radial", False):
            cls.training_step = _penalised(step)

    def radial_mask(self, batch: Any) -> Mask:
        """Which vectors count, by the batch's masks; override it to give one mask, or globs over sites with masks."""
        return token_mask(each(self.suppression), batch, cast(nn.Module, self))

    def radial_penalty(self, batch: Any = None) -> Tensor:
        """The penalty of the forward on `batch` that just ran, to be added to an undivided loss."""
        self._radial_taken = True
        suppressions = each(self.suppression)
        check_attached(suppressions, cast(nn.Module, self))
        return total_penalty(suppressions, self.radial_mask(batch), self.global_step).to(self.device)

    def _radial_log(self, loss: Tensor | None) -> None:
        trainer = getattr(self, "_trainer", None)
        if trainer is not None and trainer._logger_connector.should_update_logs and self.training:
            readings = all_readings(each(self.suppression), loss)
            self.log_dict({f"radial/{name}": value for name, value in readings.items()}, on_step=True, on_epoch=False)


def readings_callback(suppression: RadialSuppression | Sequence[RadialSuppression]) -> Callback:
    """A callback that logs radii where the Trainer logs, and changes nothing else: no penalty in the loss.

    The readings are of the last forward before the log, padding included.  A penalty that the loss already has is left
    alone.

    Args:
        suppression: Attached to the network in training, one or several, for instance with ``strength=0``.

    Returns:
        For ``Trainer(callbacks=[...])``.

    Example:
        >>> lightning.Trainer(callbacks=[readings_callback(RadialSuppression(network, strength=0))])  # doctest: +SKIP
    """
    from lightning.pytorch import Callback

    suppressions = each(suppression)

    class RadialCallback(Callback):
        """Takes what is owed after each batch, and logs."""

        def on_train_batch_end(self, trainer: Any, pl_module: Any, *args: Any) -> None:
            """After a batch."""
            owed_readings(suppressions, trainer.global_step)
            if trainer._logger_connector.should_update_logs:
                readings = {f"radial/{name}": value for name, value in all_readings(suppressions, None).items()}
                pl_module.log_dict(readings, on_step=True, on_epoch=False)

    return RadialCallback()


def _penalised(step: Callable[..., Any]) -> Callable[..., Any]:
    """`step` with the penalty in its loss; where steps call each other, only the outermost adds it."""

    @functools.wraps(step)
    def training_step(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.__dict__.get("_radial_inside"):
            return step(self, *args, **kwargs)
        if not each(getattr(self, "suppression", None)):
            raise AttachError(
                f"{type(self).__name__} has no suppression: expected __init__ to set "
                "self.suppression = RadialSuppression(self.network, ...)"
            )
        self._radial_inside, self._radial_taken = True, False
        try:
            output = step(self, *args, **kwargs)
        finally:
            self._radial_inside = False
        loss = None
        if not self.automatic_optimization:
            if not self._radial_taken:
                raise AttachError(
                    "a manual training_step ended without its penalty: expected loss + self.radial_penalty(batch), "
                    "before the loss is divided and handed to manual_backward"
                )
        elif output is None:
            for suppression in each(self.suppression):
                suppression.clear()  # the author skips this batch
            return None
        else:
            loss = output["loss"] if isinstance(output, Mapping) else output
            if not self._radial_taken:
                loss = loss + self.radial_penalty(args[0] if args else next(iter(kwargs.values()), None))
                output = {**output, "loss": loss} if isinstance(output, Mapping) else loss
        self._radial_log(loss)
        return output

    training_step.radial = True  # type: ignore[attr-defined]
    return training_step
