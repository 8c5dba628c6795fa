"""See architecture: pdf."""
