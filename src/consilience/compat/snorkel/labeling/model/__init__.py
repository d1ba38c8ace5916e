"""Label models under Snorkel's names."""

from consilience.compat.snorkel.labeling.model.baselines import MajorityClassVoter, MajorityLabelVoter, RandomVoter
from consilience.compat.snorkel.labeling.model.label_model import LabelModel

__all__ = ["LabelModel", "MajorityClassVoter", "MajorityLabelVoter", "RandomVoter"]
