"""Slow and plain: each estimator as its formula reads, in float64 and loops, for the fast ones to agree with."""
