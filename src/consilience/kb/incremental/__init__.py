"""What a change does to the marginals, at the cost of what it touches."""
