"""Everything that could make learning generalise sooner, one file per idea or paper."""

from anglewise.lab import TRAINING, require

require(TRAINING)
