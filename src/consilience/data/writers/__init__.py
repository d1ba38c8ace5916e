"""From rows to files: one file a family of formats. Called by `write`."""
