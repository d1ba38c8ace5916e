"""The queries run: relations, variables, weights and factors in one database, each row with its derivations counted."""
