"""Pairs of phone and DSLR pictures, opened, split and cut into training samples."""
