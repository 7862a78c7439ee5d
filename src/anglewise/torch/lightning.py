r"""Lightning: the radial penalty inside a `LightningModule`, whose callbacks cannot change the loss.

>>> from anglewise.torch.lightning import RadialLightningMixin

and then either ``class Suppressed(RadialLightningMixin, MyModule)`` around a module that exists, or the mixin
among the bases of a new one; ``self.suppression`` is set in ``__init__``.  Lightning divides what
``training_step`` returns by the number of accumulated batches, penalty included.

Nothing is imported from Lightning here; tested with release 2.6.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from anglewise.errors import AttachError
from anglewise.torch.adapters import check_attached, token_mask
from anglewise.torch.suppression import RadialSuppression

_Module: Any = object


class RadialLightningMixin(_Module):
    """Adds the penalty to what ``training_step`` returns, and logs readings where the Trainer logs.

    Under automatic optimisation nothing is left to do.  Under manual optimisation only the author knows by what
    each loss is divided: there ``training_step`` adds ``self.radial_penalty(batch)`` to the loss before dividing
    it, once after every forward of the suppressed model.  Validation and test are untouched.

    Attributes:
        suppression: Set it in ``__init__``, best attached to the network inside, before anything is compiled.

    Raises:
        AttachError: In training, if there is no suppression, or a manual step took no penalty.
    """

    suppression: RadialSuppression

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Wrap the class's ``training_step``, its own or inherited."""
        super().__init_subclass__(**kwargs)
        step = getattr(cls, "training_step", None)
        if step is None:
            raise TypeError(f"{cls.__name__} has no training_step: expected a LightningModule among its bases")
        if not getattr(step, "radial", False):
            cls.training_step = _penalised(step)

    def radial_mask(self, batch: Any) -> Tensor | None:
        """Which vectors count: ``attention_mask`` where it fits; override it to say otherwise."""
        return token_mask(self.suppression, batch)

    def radial_penalty(self, batch: Any = None) -> Tensor:
        """The penalty of the forward that just ran, at ``self.global_step``, to be added to an undivided loss."""
        self._radial_taken = True
        check_attached(self.suppression, self)
        penalty = self.suppression.penalty(mask=self.radial_mask(batch), step=self.global_step)
        return penalty.to(self.device)

    def _radial_log(self, loss: Tensor | None) -> None:
        trainer = getattr(self, "_trainer", None)
        if trainer is not None and trainer._logger_connector.should_update_logs and self.training:
            readings = self.suppression.readings(loss)
            self.log_dict({f"radial/{name}": value for name, value in readings.items()}, on_step=True, on_epoch=False)


def _penalised(step: Callable[..., Any]) -> Callable[..., Any]:
    """`step` with the penalty in its loss; where steps call each other, only the outermost adds it."""

    @functools.wraps(step)
    def training_step(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.__dict__.get("_radial_inside"):
            return step(self, *args, **kwargs)
        if not isinstance(getattr(self, "suppression", None), RadialSuppression):
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
            self.suppression.clear()  # the author skips this batch
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
