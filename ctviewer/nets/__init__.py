"""See architecture: nets."""
