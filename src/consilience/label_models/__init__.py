"""3. Label matrix -> probabilities: one model a file, one contract for all (see base.py)."""
