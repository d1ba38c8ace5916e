"""How good predictions are, and which rows have which labels."""

from consilience.compat.snorkel.analysis.error_analysis import get_label_buckets, get_label_instances
from consilience.compat.snorkel.analysis.metrics import metric_score
from consilience.compat.snorkel.analysis.scorer import Scorer

__all__ = ["Scorer", "get_label_buckets", "get_label_instances", "metric_score"]
