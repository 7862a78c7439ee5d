"""What is learned."""

from anglewise.lab import TRAINING, require

require(TRAINING)
