"""Placeholder."""


class Reproductions:
    """Placeholder."""
