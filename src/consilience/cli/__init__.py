"""On top: the command line. One file a verb; only this folder prints."""
