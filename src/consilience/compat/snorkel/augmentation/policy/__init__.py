"""Which transformation functions to run on a data point, and in which order."""
