"""Searches for the best settings of an arm, alike for every method."""
