"""Pairs of phone and DSLR pictures, opened, divided and cut into training samples."""
