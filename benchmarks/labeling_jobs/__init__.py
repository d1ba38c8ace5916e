"""The lines of benchmarks/labeling.py: one file a topic, each with `jobs()`."""
