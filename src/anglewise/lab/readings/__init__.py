"""What the networks do while they learn: instruments that read and never touch."""

from anglewise.lab import TRAINING, require

require(TRAINING)
