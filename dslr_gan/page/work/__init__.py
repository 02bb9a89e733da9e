"""What the page computes: one photo, its scores and downloads, a reference, many photos."""
