"""See architecture: library."""
