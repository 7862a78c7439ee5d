"""What learns: Equinox modules that return logits and activations by site."""

from anglewise.lab import TRAINING, require

require(TRAINING)
