"""The factor graph as arrays: what it holds, what its factors are worth, its components and its changes."""
