"""The networks and the files that they are saved to."""
