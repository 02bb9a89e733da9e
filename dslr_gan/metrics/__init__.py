"""What is measured between two pictures: a metric, a file."""
