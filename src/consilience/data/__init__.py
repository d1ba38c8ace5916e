"""1. Rows come in: readers, stable ids, label names, splits; and go out again as training sets."""
