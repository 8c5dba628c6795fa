"""See architecture: app."""
