"""4. Probabilities -> trained models that work on rows no function covers, and reports on how good they are."""
