"""Models over pairs of pictures: scores, Table I, the paper's figure."""
