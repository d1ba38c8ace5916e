"""Weights from evidence: those that make the labels most probable, without trusting any weight too far.

In the order of the flow:

* `settings.py`: penalties, method, and what the method may cost.
* `soft.py`: what soft labels say of their variables.
* `relevant.py`: the components of a graph that can teach a weight; all others have gradient zero and are left out.
* `worlds.py`: small components as a table of their worlds, from which likelihood and gradient are read off exactly.
* `engines.py`: larger components that inference can still solve exactly.
* `exact.py`: quasi-Newton steps on the exact gradient.
* `penalty.py`, with `conditionals.py`: the penalty, by labels that are held out.
* `sweep.py`: one compiled sweep over a pair of chains, which estimates the gradient where it cannot be had.
* `sampled.py`: steps along that estimate.
* `learn.py`: `learn`, the door to them all, with its settings and its report.
"""
