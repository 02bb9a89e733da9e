"""Phone and DSLR photos turned into aligned pairs of patches."""
