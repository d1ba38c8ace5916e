"""Where batches run: watched in this process, or in worker processes that may be lost without losing the run."""
