"""Everything that could make learning generalise sooner, one file per idea or paper."""
