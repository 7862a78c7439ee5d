"""What learns: Equinox modules that return logits and activations by site."""
