"""See architecture: models."""
