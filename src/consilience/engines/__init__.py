"""Where batches run when this process is not enough. The floor: knows other machines, nothing of labeling."""
