"""The paper's claims, decided: what is claimed, under which reading of the paper, by which rule, and what came out."""
