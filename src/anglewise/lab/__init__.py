"""The laboratory: trains many runs at once, compares methods fairly, shows what the networks did while they learned."""
