"""Rules become queries: expressions of an SQL library, printed in the dialect of who runs them."""
