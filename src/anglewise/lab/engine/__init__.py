"""Training many runs at once: the step, its compiled programs, populations of members, checkpoints."""

from anglewise.lab import TRAINING, require

require(TRAINING)
