"""How many runs train at once."""
