"""One file a claim: the paper's (c01 to c20), a referee's (r01 to r08), controls of the machinery (k01 to k04)."""
