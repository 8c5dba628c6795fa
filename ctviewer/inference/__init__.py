"""See architecture: inference."""
