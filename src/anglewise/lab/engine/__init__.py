"""How many runs train at once."""

from anglewise.lab import TRAINING, require

require(TRAINING)
