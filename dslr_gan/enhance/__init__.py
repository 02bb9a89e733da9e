"""Photos enhanced by a network: one, a file, or many."""
