"""Groups of the trainer's flags that have a file of their own, and what a flag is."""
