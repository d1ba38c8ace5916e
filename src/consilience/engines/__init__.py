"""Where batches run: watched in this process, in worker processes that may be lost without losing the run, on Spark."""
