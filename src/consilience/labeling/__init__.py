"""2. Whatever has an opinion on a row is a labeling function; applied to rows, they make one label matrix."""
