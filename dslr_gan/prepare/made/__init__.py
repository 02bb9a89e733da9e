"""Pairs made from photos alone: by a teacher, a grid of targets, or what other phones saw."""
