"""See architecture: datasets."""
